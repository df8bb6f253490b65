TITLE Low-voltage-activated calcium current

COMMENT
Low-voltage-activated (T-type) calcium current: steady states of Avery and Johnston 1996, J Neurosci 16:5567
(doi:10.1523/JNEUROSCI.16-18-05567.1996), time constants read from Randall and Tsien 1997, Neuropharmacology 36:879
(doi:10.1016/S0028-3908(97)00086-5), moved by -10 mV for the liquid junction potential as in Hay et al. 2011.

    ica = gCa_LVAstbar m^2 h (v - eca);  below w = v + 10
    minf = 1/(1 + exp(-(w + 30)/6)),   mtau (ms) = 5 + 20/(1 + exp((w + 25)/5))
    hinf = 1/(1 + exp((w + 80)/6.4)),  htau (ms) = 20 + 50/(1 + exp((w + 40)/7))

Temperature: rates taken as of 21 degC and multiplied by 2.3^((celsius - 21)/10), which at 34 degC is the constant
used in Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107).
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Ca_LVAst
    USEION ca READ eca WRITE ica
    RANGE gCa_LVAstbar, gCa_LVAst, ica
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gCa_LVAstbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    eca (mV)
    ica (mA/cm2)
    gCa_LVAst (S/cm2)
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
    CONDUCTANCE gCa_LVAst USEION ca
    SOLVE states METHOD cnexp
    gCa_LVAst = gCa_LVAstbar*m*m*h
    ica = gCa_LVAst*(v - eca)
}

DERIVATIVE states {
    rates()
    m' = mRate*(mInf - m)
    h' = hRate*(hInf - h)
}

PROCEDURE rates() {
    LOCAL w
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v

        w = v + 10 (mV)
        mInf = 1/(1 + exp(-(w + 30 (mV))/6 (mV)))
        mRate = qt/(5 (ms) + 20 (ms) / (1 + exp((w + 25 (mV))/5 (mV))))

        hInf = 1/(1 + exp((w + 80 (mV))/6.4 (mV)))
        hRate = qt/(20 (ms) + 50 (ms) / (1 + exp((w + 40 (mV))/7 (mV))))
    }
}
