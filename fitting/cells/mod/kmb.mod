TITLE M-type potassium current of CA1 pyramidal cells

COMMENT
m. Shah, Migliore, Valencia, Cooper & Brown 2008, PNAS 105:7869, with the constants of Migliore et al. 2018, PLoS
Comput Biol 14:e1006423. Rates at 35 degC. The published model names a Q10 of 5 but applies none, and neither does this
one: its densities were fitted so.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX kmb
    USEION k READ ek WRITE ik
    RANGE gbar, gk, ik, sh
    RANGE inf, tau
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.0001 (S/cm2)
    sh = 0 (mV)        : shift of all voltage dependences
    vhalfl = -40 (mV)
    kl = -10 (mV)
    vhalft = -42 (mV)
    a0t = 0.003 (/ms)
    zetat = 7 (1)
    gmt = 0.4 (1)
    b0 = 60 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gk (S/cm2)
    inf (1)
    tau (ms)
}

STATE { m }

INITIAL {
    rates(v)
    m = inf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE gk USEION k
    gk = gbar*m
    ik = gk*(v - ek)
}

DERIVATIVE states {
    rates(v)
    m' = (inf - m)/tau
}

PROCEDURE rates(v (mV)) {
    LOCAL u, y
    UNITSOFF
    u = v - sh
    inf = 1/(1 + exp((u - vhalfl)/kl))
    y = 0.0378*zetat*(u - vhalft)
    tau = b0 + exp(gmt*y)/(a0t*(1 + exp(y)))
    UNITSON
}
