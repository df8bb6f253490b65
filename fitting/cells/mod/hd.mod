TITLE Hyperpolarisation-activated cation current of CA1 pyramidal cells

COMMENT
l. Magee 1998, J Neurosci 18:7613, as modelled by Migliore et al. 2018, PLoS Comput Biol 14:e1006423. Rates at 33 degC;
Q10 = 4.5. Set vhalfl to -73 mV for the soma and proximal dendrites where a model distinguishes them; -81 mV, the
default, is the distal value.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX hd
    NONSPECIFIC_CURRENT i
    RANGE ghdbar, ghd, i, ehd, vhalfl
    RANGE linf, taul
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    ghdbar = 0.0001 (S/cm2)
    ehd = -30 (mV)
    vhalfl = -81 (mV)
    kl = -8 (mV)
    vhalft = -75 (mV)
    a0t = 0.011 (/ms)
    zetat = 2.2 (1)
    gmt = 0.4 (1)
    q10 = 4.5 (1)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    i (mA/cm2)
    ghd (S/cm2)
    linf (1)
    taul (ms)
    qt (1)
}

STATE { l }

INITIAL {
    UNITSOFF
    qt = q10^((celsius - 33)/10)
    UNITSON
    rates(v)
    l = linf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE ghd
    ghd = ghdbar*l
    i = ghd*(v - ehd)
}

DERIVATIVE states {
    rates(v)
    l' = (linf - l)/taul
}

PROCEDURE rates(v (mV)) {
    LOCAL y
    UNITSOFF
    linf = 1/(1 + exp((vhalfl - v)/kl))
    y = 0.0378*zetat*(v - vhalft)
    taul = exp(gmt*y)/(qt*a0t*(1 + exp(y)))
    UNITSON
}
