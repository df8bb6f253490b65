TITLE Calcium- and voltage-activated (BK) potassium current of CA1 pyramidal cells

COMMENT
o. Moczydlowski & Latorre 1983, J Gen Physiol 82:511, with the constants of Migliore et al. 2018, PLoS Comput Biol
14:e1006423 (cf. Hemond et al. 2008, Hippocampus 18:411). Temperature enters through F/RT alone: no Q10.
Opening a = abar c/(c + K1), closing b = bbar K2/(K2 + c), Ki = ki exp(-2 di F v/RT), c = cai.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX cagk
    USEION ca READ cai
    USEION k READ ek WRITE ik
    RANGE gbar, gkca, ik
    RANGE oinf, tau
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (mM) = (milli/liter)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.01 (S/cm2)
    d1 = 0.84 (1)
    d2 = 1 (1)
    k1 = 0.48e-3 (mM)
    k2 = 0.13e-6 (mM)
    abar = 0.28 (/ms)
    bbar = 0.48 (/ms)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    cai (mM)
    ek (mV)
    ik (mA/cm2)
    gkca (S/cm2)
    oinf (1)
    tau (ms)
    two_f_over_rt (/mV)
}

STATE { o }

INITIAL {
    UNITSOFF
    two_f_over_rt = 2*96.48533212/(8.313424*(273.15 + celsius))
    UNITSON
    rates(v, cai)
    o = oinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE gkca USEION k
    gkca = gbar*o
    ik = gkca*(v - ek)
}

DERIVATIVE states {
    rates(v, cai)
    o' = (oinf - o)/tau
}

PROCEDURE rates(v (mV), c (mM)) {
    LOCAL w, a, k
    UNITSOFF
    w = -two_f_over_rt*v
    a = abar*c/(c + k1*exp(d1*w))
    k = k2*exp(d2*w)
    tau = 1/(a + bbar*k/(k + c))
    oinf = a*tau
    UNITSON
}
