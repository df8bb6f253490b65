TITLE Slowly inactivating (persistent) potassium current

COMMENT
Slow potassium current of layer 5 pyramidal cells, Korngreen and Sakmann 2000, J Physiol 525:621
(doi:10.1111/j.1469-7793.2000.00621.x), moved by -10 mV for the liquid junction potential as in Hay et al. 2011.

    ik = gK_Pstbar m^2 h (v - ek);  below w = v + 10
    minf = 1/(1 + exp(-(w + 1)/12)),  mtau (ms) = 1.25 + 175.03 exp(0.026 w) for w < -50, 1.25 + 13 exp(-0.026 w) above
    hinf = 1/(1 + exp((w + 54)/11)),  htau (ms) = 360 + (1010 + 24 (w + 55)) exp(-((w + 75)/48)^2)

Temperature: rates taken as of 21 degC and multiplied by 2.3^((celsius - 21)/10), which at 34 degC is the constant
used in Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107).
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX K_Pst
    USEION k READ ek WRITE ik
    RANGE gK_Pstbar, gK_Pst, ik
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gK_Pstbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    gK_Pst (S/cm2)
    qt (1)
    mInf (1)
    mRate (/ms)
    hInf (1)
    hRate (/ms)
    vRates (mV)  : where the rates above were computed
}

STATE { m h }

INITIAL {
    qt = 2.3^((celsius - 21 (degC))/10 (degC))
    vRates = v + 1 (mV)  : stale, whatever it was
    rates()
    m = mInf
    h = hInf
}

BREAKPOINT {
    CONDUCTANCE gK_Pst USEION k
    SOLVE states METHOD cnexp
    gK_Pst = gK_Pstbar*m*m*h
    ik = gK_Pst*(v - ek)
}

DERIVATIVE states {
    rates()
    m' = mRate*(mInf - m)
    h' = hRate*(hInf - h)
}

PROCEDURE rates() {
    LOCAL w, x, tau
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v

        w = v + 10 (mV)
        mInf = 1/(1 + exp(-(w + 1 (mV))/12 (mV)))
        if (w < -50 (mV)) {
            tau = 1.25 (ms) + 175.03 (ms) * exp(0.026 (/mV) * w)
        } else {
            tau = 1.25 (ms) + 13 (ms) * exp(-0.026 (/mV) * w)
        }
        mRate = qt/tau

        hInf = 1/(1 + exp((w + 54 (mV))/11 (mV)))
        x = (w + 75 (mV))/48 (mV)
        tau = 360 (ms) + (1010 (ms) + 24 (ms/mV) * (w + 55 (mV)))*exp(-x*x)
        hRate = qt/tau
    }
}
