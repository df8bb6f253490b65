TITLE Fast inactivating (transient) potassium current

COMMENT
Transient potassium current of layer 5 pyramidal cells, Korngreen and Sakmann 2000, J Physiol 525:621
(doi:10.1111/j.1469-7793.2000.00621.x), moved by -10 mV for the liquid junction potential as in Hay et al. 2011.

    ik = gK_Tstbar m^4 h (v - ek);  below w = v + 10
    minf = 1/(1 + exp(-w/19)),        mtau (ms) = 0.34 + 0.92 exp(-((w + 71)/59)^2)
    hinf = 1/(1 + exp((w + 66)/10)),  htau (ms) = 8 + 49 exp(-((w + 73)/23)^2)

Temperature: rates taken as of 21 degC and multiplied by 2.3^((celsius - 21)/10), which at 34 degC is the constant
used in Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107).
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX K_Tst
    USEION k READ ek WRITE ik
    RANGE gK_Tstbar, gK_Tst, ik
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gK_Tstbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    gK_Tst (S/cm2)
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
    CONDUCTANCE gK_Tst USEION k
    SOLVE states METHOD cnexp
    gK_Tst = gK_Tstbar*m*m*m*m*h
    ik = gK_Tst*(v - ek)
}

DERIVATIVE states {
    rates()
    m' = mRate*(mInf - m)
    h' = hRate*(hInf - h)
}

PROCEDURE rates() {
    LOCAL w, x
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v

        w = v + 10 (mV)
        mInf = 1/(1 + exp(-w/19 (mV)))
        x = (w + 71 (mV))/59 (mV)
        mRate = qt/(0.34 (ms) + 0.92 (ms) * exp(-x*x))

        hInf = 1/(1 + exp((w + 66 (mV))/10 (mV)))
        x = (w + 73 (mV))/23 (mV)
        hRate = qt/(8 (ms) + 49 (ms) * exp(-x*x))
    }
}
