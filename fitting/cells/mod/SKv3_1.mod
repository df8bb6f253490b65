TITLE Fast, non-inactivating (Shaw-related, Kv3.1) potassium current

COMMENT
Kv3.1 potassium current expressed in oocytes, Rettig et al. 1992, EMBO J 11:2473
(doi:10.1002/j.1460-2075.1992.tb05312.x), with the time constant of Hay et al. 2011
(doi:10.1371/journal.pcbi.1002107).

    ik = gSKv3_1bar m (v - ek)
    minf = 1/(1 + exp(-(v - 18.7)/9.7)),  mtau (ms) = 4/(1 + exp(-(v + 46.56)/44.14))

Temperature: published without a correction, so none is applied here.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX SKv3_1
    USEION k READ ek WRITE ik
    RANGE gSKv3_1bar, gSKv3_1, ik
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gSKv3_1bar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gSKv3_1 (S/cm2)
    mInf (1)
    mRate (/ms)
    vRates (mV)  : where the rates above were computed
}

STATE { m }

INITIAL {
    vRates = v + 1 (mV)  : stale, whatever it was
    rates()
    m = mInf
}

BREAKPOINT {
    CONDUCTANCE gSKv3_1 USEION k
    SOLVE states METHOD cnexp
    gSKv3_1 = gSKv3_1bar*m
    ik = gSKv3_1*(v - ek)
}

DERIVATIVE states {
    rates()
    m' = mRate*(mInf - m)
}

PROCEDURE rates() {
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v
        mInf = 1/(1 + exp(-(v - 18.7 (mV))/9.7 (mV)))
        mRate = (1 + exp(-(v + 46.56 (mV))/44.14 (mV)))/4 (ms)
    }
}
