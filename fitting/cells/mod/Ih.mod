TITLE Hyperpolarisation-activated cation current

COMMENT
Ih of layer 5 pyramidal cells, Kole, Hallermann and Stuart 2006, J Neurosci 26:1677
(doi:10.1523/JNEUROSCI.3664-05.2006), as used by Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107).

    ihcn = gIhbar m (v - ehcn), ehcn = -45 mV
    rates (/ms): 0.00643 x/(exp(x/11.9) - 1), x = v + 154.9, and 0.193 exp(v/33.1)

Temperature: published without a correction, so none is applied here.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Ih
    NONSPECIFIC_CURRENT ihcn
    RANGE gIhbar, gIh, ihcn
    RANGE ehcn
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gIhbar = 1e-5 (S/cm2)
    ehcn = -45 (mV)
}

ASSIGNED {
    v (mV)
    ihcn (mA/cm2)
    gIh (S/cm2)
    mAlpha (/ms)
    mBeta (/ms)
    vRates (mV)  : where the rates above were computed
}

STATE { m }

INITIAL {
    vRates = v + 1 (mV)  : stale, whatever it was
    rates()
    m = mAlpha/(mAlpha + mBeta)
}

BREAKPOINT {
    CONDUCTANCE gIh
    SOLVE states METHOD cnexp
    gIh = gIhbar*m
    ihcn = gIh*(v - ehcn)
}

DERIVATIVE states {
    rates()
    m' = mAlpha - (mAlpha + mBeta)*m
}

PROCEDURE rates() {
    LOCAL x
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v
        x = (v + 154.9 (mV))/11.9 (mV)
        mAlpha = 0.076517 (/ms) * linoid(x)
        mBeta = 0.193 (/ms) * exp(v/33.1 (mV))
    }
}

: x/(exp(x) - 1), by its series where the quotient loses digits (error below 1e-16)
FUNCTION linoid(x (1)) (1) {
    if (fabs(x) < 0.01) {
        linoid = 1 - 0.5*x + x*x*(1 - x*x/60)/12
    } else {
        linoid = x/(exp(x) - 1)
    }
}
