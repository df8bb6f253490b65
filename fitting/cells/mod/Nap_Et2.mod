TITLE Persistent sodium current

COMMENT
Slowly inactivating sodium current of Magistretti and Alonso 1999, J Gen Physiol 114:491
(doi:10.1085/jgp.114.4.491), as used by Hay et al. 2011 and Markram et al. 2015 (doi:10.1016/j.cell.2015.09.029).

    ina = gNap_Et2bar m^3 h (v - ena)
    minf = 1/(1 + exp(-(v + 52.6)/4.6)),  mtau six times that of the transient sodium current (see NaTg)
    hinf = 1/(1 + exp((v + 48.8)/10)),    htau = 1/(a + b) with the rates (/ms)
    a = 2.88e-6 x/(exp(x/4.63) - 1), x = v + 17;  b = 6.94e-6 y/(1 - exp(-y/2.63)), y = v + 64.4

Temperature: rates taken as of 21 degC and multiplied by 2.3^((celsius - 21)/10), which at 34 degC is the constant
used in Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107).
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Nap_Et2
    USEION na READ ena WRITE ina
    RANGE gNap_Et2bar, gNap_Et2, ina
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gNap_Et2bar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ena (mV)
    ina (mA/cm2)
    gNap_Et2 (S/cm2)
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
    CONDUCTANCE gNap_Et2 USEION na
    SOLVE states METHOD cnexp
    gNap_Et2 = gNap_Et2bar*m*m*m*h
    ina = gNap_Et2*(v - ena)
}

DERIVATIVE states {
    rates()
    m' = mRate*(mInf - m)
    h' = hRate*(hInf - h)
}

PROCEDURE rates() {
    LOCAL x, u, lesser
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v

        x = (v + 38 (mV))/6 (mV)
        u = fabs(x)
        lesser = linoid(u)
        mInf = 1/(1 + exp(-(v + 52.6 (mV))/4.6 (mV)))
        mRate = qt*(0.182 (/ms) * (lesser + 0.5*(u + x)) + 0.124 (/ms) * (lesser + 0.5*(u - x)))

        hInf = 1/(1 + exp((v + 48.8 (mV))/10 (mV)))
        x = (v + 17 (mV))/4.63 (mV)
        u = -(v + 64.4 (mV))/2.63 (mV)
        hRate = qt*(1.33344e-5 (/ms) * linoid(x) + 1.82522e-5 (/ms) * linoid(u))
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
