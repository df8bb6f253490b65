TITLE T-type calcium current of CA1 pyramidal cells

COMMENT
m^2 h. Jaffe, Ross, Lisman, Lasser-Ross, Miyakawa & Johnston 1994, J Neurophysiol 71:1065, as modelled by Migliore et al.
2018, PLoS Comput Biol 14:e1006423. Rates at 25 degC; Q10 = 5 for the time constant of m, none for that of h. Their
floors, 0.2 and 10 ms, hold at every temperature.
The driving force is Goldman-Hodgkin-Katz's, in mV (see `drive`); eca is not read.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX cat
    USEION ca READ cai, cao WRITE ica
    RANGE gcatbar, gcat, ica
    RANGE minf, mtau, hinf, htau
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (mM) = (milli/liter)
    (S) = (siemens)
}

PARAMETER {
    gcatbar = 0.003 (S/cm2)
    a0m = 0.04 (/ms)
    zetam = 2 (1)
    vhalfm = -28 (mV)
    gmm = 0.1 (1)
    mmin = 0.2 (ms)
    a0h = 0.015 (/ms)
    zetah = 3.5 (1)
    vhalfh = -75 (mV)
    gmh = 0.6 (1)
    hmin = 10 (ms)
    q10 = 5 (1)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    cai (mM)
    cao (mM)
    ica (mA/cm2)
    gcat (S/cm2)
    slope (S/cm2)
    driving (mV)
    dslope (1)
    minf (1)
    mtau (ms)
    hinf (1)
    htau (ms)
    qt (1)
    half_rt_over_f (mV)
}

STATE { m h }

INITIAL {
    UNITSOFF
    qt = q10^((celsius - 25)/10)
    half_rt_over_f = 25/293.15*(celsius + 273.15)/2
    UNITSON
    rates(v)
    m = minf
    h = hinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE slope USEION ca
    drive(v, cai/cao)
    gcat = gcatbar*m*m*h
    slope = gcat*dslope
    ica = gcat*driving
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
}

PROCEDURE rates(v (mV)) {
    LOCAL z, e, a, y
    UNITSOFF
    z = (19.26 - v)/10
    e = exp(z)
    a = 2*exprel_inverse(z, e)
    minf = a/(a + 0.009*exp(-v/22.03))
    y = 0.0378*zetam*(v - vhalfm)
    mtau = exp(gmm*y)/(qt*a0m*(1 + exp(y)))
    if (mtau < mmin) {
        mtau = mmin
    }
    : beta_h = 1/(1 + exp((29.79 - v)/10)), from the exponential at hand: exp(1.053) = exp((29.79 - 19.26)/10)
    a = 1e-6*exp(-v/16.26)
    hinf = a/(a + 1/(1 + e*2.8662369437164648))
    y = 0.0378*zetah*(v - vhalfh)
    htau = exp(gmh*y)/(a0h*(1 + exp(y)))
    if (htau < hmin) {
        htau = hmin
    }
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
