TITLE Background conductance that fluctuates as an Ornstein-Uhlenbeck process

COMMENT
Destexhe, Rudolph, Fellous & Sejnowski 2001, Neuroscience 107:13, with the exact update of Gillespie 1996,
Phys Rev E 54:2084: mean, standard deviation and correlation are the same at any time step. It begins in its steady state.
A negative value counts as 0 (the process goes on below), so the conductance has a slightly larger mean, and a smaller
deviation, than the process. Draws depend on the ids of `noise`, to be set from outside, and the number of the step alone.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS FluctuatingConductance
    NONSPECIFIC_CURRENT i
    RANGE mean, deviation, correlation, e, factor
    RANGE process, g, i
    RANDOM noise
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
}

PARAMETER {
    mean = 0 (uS)
    deviation = 0 (uS)
    correlation = 2.7 (ms)
    e = 0 (mV)
    factor = 1 (1)
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    g (uS)
    process (uS)
    dt_used (ms)
    keep (1)
    spread (uS)
}

INITIAL {
    random_setseq(noise, 0)
    factors()
    process = mean + deviation*random_normal(noise)
    clip()
}

BREAKPOINT {
    SOLVE advance
    CONDUCTANCE g
    i = g*(v - e)
}

PROCEDURE advance() {
    if (dt != dt_used) {
        factors()
    }
    process = mean + (process - mean)*keep + spread*random_normal(noise)
    clip()
}

PROCEDURE factors() {
    dt_used = dt
    keep = exp(-dt/correlation)
    spread = deviation*sqrt(1 - keep*keep)
}

PROCEDURE clip() {
    g = 0
    if (process > 0) {
        g = factor*process
    }
}
