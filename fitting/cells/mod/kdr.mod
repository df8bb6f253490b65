TITLE Delayed-rectifier potassium current of CA1 pyramidal cells

COMMENT
n. Migliore, Hoffman, Magee & Johnston 1999, J Comput Neurosci 7:5, after Klee, Ficker & Heinemann 1995, J Neurophysiol
74:1982. Measured at 24 degC; Q10 = 1: temperature enters through F/RT alone. The published model keeps the time
constant at 2 ms or more (nmax, so called there).
F, R and 0 degC carry the digits of the published models.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX kdr
    USEION k READ ek WRITE ik
    RANGE gkdrbar, gkdr, ik
    RANGE ninf, taun
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gkdrbar = 0.003 (S/cm2)
    vhalfn = 13 (mV)
    a0n = 0.02 (/ms)
    zetan = -3 (1)
    gmn = 0.7 (1)
    nmax = 2 (ms)
    q10 = 1 (1)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    gkdr (S/cm2)
    ninf (1)
    taun (ms)
    qt (1)
    f_over_rt (/mV)
}

STATE { n }

INITIAL {
    UNITSOFF
    qt = q10^((celsius - 24)/10)
    f_over_rt = 1e-3*9.648e4/(8.315*(273.16 + celsius))
    UNITSON
    rates(v)
    n = ninf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE gkdr USEION k
    gkdr = gkdrbar*n
    ik = gkdr*(v - ek)
}

DERIVATIVE states {
    rates(v)
    n' = (ninf - n)/taun
}

PROCEDURE rates(v (mV)) {
    LOCAL y
    UNITSOFF
    y = zetan*(v - vhalfn)*f_over_rt
    ninf = 1/(1 + exp(y))
    taun = exp(gmn*y)*ninf/(qt*a0n)
    if (taun < nmax) {
        taun = nmax
    }
    UNITSON
}
