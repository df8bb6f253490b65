TITLE L-type calcium current of CA1 pyramidal cells

COMMENT
m^2, with instantaneous inactivation ki/(ki + cai) by internal calcium. Jaffe, Ross, Lisman, Lasser-Ross, Miyakawa &
Johnston 1994, J Neurophysiol 71:1065, as modelled by Migliore et al. 2018, PLoS Comput Biol 14:e1006423.
Rates at 25 degC; Q10 = 5 for the time constant.
The driving force is Goldman-Hodgkin-Katz's, in mV (see `drive`); eca is not read.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX cal
    USEION ca READ cai, cao WRITE ica
    RANGE gcalbar, gcal, ica
    RANGE minf, tau
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (mM) = (milli/liter)
    (S) = (siemens)
}

PARAMETER {
    gcalbar = 0.003 (S/cm2)
    ki = 0.001 (mM)
    a0m = 0.1 (/ms)
    zetam = 2 (1)
    vhalfm = 4 (mV)
    gmm = 0.1 (1)
    mmin = 0.2 (ms)
    q10 = 5 (1)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    cai (mM)
    cao (mM)
    ica (mA/cm2)
    gcal (S/cm2)
    slope (S/cm2)
    driving (mV)
    dslope (1)
    minf (1)
    tau (ms)
    qt (1)
    half_rt_over_f (mV)
}

STATE { m }

INITIAL {
    UNITSOFF
    qt = q10^((celsius - 25)/10)
    half_rt_over_f = 25/293.15*(celsius + 273.15)/2
    UNITSON
    rates(v)
    m = minf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE slope USEION ca
    drive(v, cai/cao)
    gcal = gcalbar*m*m*ki/(ki + cai)
    slope = gcal*dslope
    ica = gcal*driving
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/tau
}

PROCEDURE rates(v (mV)) {
    LOCAL z, a, y
    UNITSOFF
    z = (81.5 - v)/10
    a = 156.9*exprel_inverse(z, exp(z))
    minf = a/(a + 0.29*exp(-v/10.86))
    y = 0.0378*zetam*(v - vhalfm)
    tau = exp(gmm*y)/(a0m*(1 + exp(y)))
    if (tau < mmin) {
        tau = mmin
    }
    tau = tau/qt
    UNITSON
}

: Driving force f w (ratio e^w - 1)/(e^w - 1), f = RT/2F and w = v/f, and its derivative. With E = w/(e^w - 1) they are
: ratio v - (1 - ratio) f E and ratio - (1 - ratio) dE/dw, dE/dw = E (1 - E - w)/w: one exponential, no singular point.
: RT/F is taken as 25 mV at 20 degC, as in the published models.
PROCEDURE drive(v (mV), ratio) {
    LOCAL w, e, de
    UNITSOFF
    w = v/half_rt_over_f
    e = exprel_inverse(w, exp(w))
    if (fabs(w) < 1e-3) {
        de = -0.5 + w/6
    } else {
        de = e*(1 - e - w)/w
    }
    driving = ratio*v - (1 - ratio)*half_rt_over_f*e
    dslope = ratio - (1 - ratio)*de
    UNITSON
}

: z/(e^z - 1), given e = e^z; three terms of the series leave 2e-15 at the border
FUNCTION exprel_inverse(z, e) {
    if (fabs(z) < 1e-3) {
        exprel_inverse = 1 - z/2 + z*z/12
    } else {
        exprel_inverse = z/(e - 1)
    }
}
