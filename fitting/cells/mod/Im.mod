TITLE Muscarinic (M-type) potassium current

COMMENT
M-current after Adams, Brown and Constanti 1982, J Physiol 330:537 (doi:10.1113/jphysiol.1982.sp014357).

    ik = gImbar m (v - ek)
    rates (/ms): 0.0033 exp(0.1 (v + 35)) and 0.0033 exp(-0.1 (v + 35))

Temperature: rates taken as of 21 degC and multiplied by 2.3^((celsius - 21)/10), which at 34 degC is the constant
used in Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107).
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Im
    USEION k READ ek WRITE ik
    RANGE gImbar, gIm, ik
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gImbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    gIm (S/cm2)
    qt (1)
    mAlpha (/ms)
    mBeta (/ms)
    vRates (mV)  : where the rates above were computed
}

STATE { m }

INITIAL {
    qt = 2.3^((celsius - 21 (degC))/10 (degC))
    vRates = v + 1 (mV)  : stale, whatever it was
    rates()
    m = mAlpha/(mAlpha + mBeta)
}

BREAKPOINT {
    CONDUCTANCE gIm USEION k
    SOLVE states METHOD cnexp
    gIm = gImbar*m
    ik = gIm*(v - ek)
}

DERIVATIVE states {
    rates()
    m' = mAlpha - (mAlpha + mBeta)*m
}

PROCEDURE rates() {
    LOCAL e
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v
        e = exp(0.1 (/mV) * (v + 35 (mV)))
        mAlpha = 0.0033 (/ms) * qt*e
        mBeta = 0.0033 (/ms) * qt/e
    }
}
