TITLE High-voltage-activated calcium current

COMMENT
High-voltage-activated calcium current of neocortical pyramidal cells, Reuveni, Friedman, Amitai and Gutnick 1993,
J Neurosci 13:4609 (doi:10.1523/JNEUROSCI.13-11-04609.1993), as used by Hay et al. 2011
(doi:10.1371/journal.pcbi.1002107).

    ica = gCa_HVAbar m^2 h (v - eca)
    m rates (/ms): 0.055 x/(1 - exp(-x/3.8)), x = v + 27, and 0.94 exp(-(v + 75)/17)
    h rates (/ms): 0.000457 exp(-(v + 13)/50) and 0.0065/(1 + exp(-(v + 15)/28))

Temperature: published without a correction, so none is applied here.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Ca_HVA
    USEION ca READ eca WRITE ica
    RANGE gCa_HVAbar, gCa_HVA, ica
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gCa_HVAbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    eca (mV)
    ica (mA/cm2)
    gCa_HVA (S/cm2)
    mAlpha (/ms)
    mBeta (/ms)
    hAlpha (/ms)
    hBeta (/ms)
    vRates (mV)  : where the rates above were computed
}

STATE { m h }

INITIAL {
    vRates = v + 1 (mV)  : stale, whatever it was
    rates()
    m = mAlpha/(mAlpha + mBeta)
    h = hAlpha/(hAlpha + hBeta)
}

BREAKPOINT {
    CONDUCTANCE gCa_HVA USEION ca
    SOLVE states METHOD cnexp
    gCa_HVA = gCa_HVAbar*m*m*h
    ica = gCa_HVA*(v - eca)
}

DERIVATIVE states {
    rates()
    m' = mAlpha - (mAlpha + mBeta)*m
    h' = hAlpha - (hAlpha + hBeta)*h
}

PROCEDURE rates() {
    LOCAL x
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v
        x = -(v + 27 (mV))/3.8 (mV)
        mAlpha = 0.209 (/ms) * linoid(x)
        mBeta = 0.94 (/ms) * exp(-(v + 75 (mV))/17 (mV))
        hAlpha = 0.000457 (/ms) * exp(-(v + 13 (mV))/50 (mV))
        hBeta = 0.0065 (/ms) / (1 + exp(-(v + 15 (mV))/28 (mV)))
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
