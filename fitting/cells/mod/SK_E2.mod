TITLE Small-conductance, calcium-activated potassium current

COMMENT
SK2 potassium current after Kohler et al. 1996, Science 273:1709 (doi:10.1126/science.273.5282.1709), as used by
Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107).

    ik = gSK_E2bar z (v - ek)
    zinf = 1/(1 + (0.00043 mM/cai)^4.8),  ztau = 1 ms

Temperature: published without a correction, so none is applied here.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SK_E2
    USEION k READ ek WRITE ik
    USEION ca READ cai
    RANGE gSK_E2bar, gSK_E2, ik
    RANGE zTau
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
    (molar) = (1/liter)
    (mM) = (millimolar)
}

PARAMETER {
    gSK_E2bar = 1e-6 (S/cm2)
    zTau = 1 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    cai (mM)
    gSK_E2 (S/cm2)
    zInf (1)
    caiRates (mM)  : where zInf was computed
}

STATE { z }

INITIAL {
    caiRates = cai + 1 (mM)  : stale, whatever it was
    rates()
    z = zInf
}

BREAKPOINT {
    CONDUCTANCE gSK_E2 USEION k
    SOLVE states METHOD cnexp
    gSK_E2 = gSK_E2bar*z
    ik = gSK_E2*(v - ek)
}

DERIVATIVE states {
    rates()
    z' = (zInf - z)/zTau
}

PROCEDURE rates() {
    if (cai != caiRates) {  : CVODE asks several times at one concentration
        caiRates = cai
        if (cai > 0) {
            zInf = 1/(1 + (0.00043 (mM) / cai)^4.8)
        } else {
            zInf = 0  : a solver's overshoot below zero
        }
    }
}
