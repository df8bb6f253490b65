TITLE Somatodendritic sodium current of CA1 pyramidal cells

COMMENT
m^3 h s. Migliore, Hoffman, Magee & Johnston 1999, J Comput Neurosci 7:5; s is the slow inactivation, its depth set
by ar (1 = absent, the default; 0 = complete). Measured at 24 degC; Q10 = 2 for m and h, none for s.
Both rates of m (and of h's time constant) share one linoid, so that m_inf = Ra/(Ra + Rb exp(-z)) has no singular
point and one exponential serves both. F, R and 0 degC carry the digits of the published models.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX na3
    USEION na READ ena WRITE ina
    RANGE gbar, gna, ina, sh, ar
    RANGE minf, mtau, hinf, htau, sinf, taus
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.01 (S/cm2)
    sh = 0 (mV)        : shift of all voltage dependences
    ar = 1 (1)         : fraction spared by slow inactivation
    q10 = 2 (1)
    tha = -30 (mV)
    qa = 7.2 (mV)
    Ra = 0.4 (/ms/mV)
    Rb = 0.124 (/ms/mV)
    mmin = 0.02 (ms)
    thi1 = -45 (mV)
    qd = 1.5 (mV)
    Rd = 0.03 (/ms/mV)
    Rg = 0.01 (/ms/mV)
    hmin = 0.5 (ms)
    thinf = -50 (mV)
    qinf = 4 (mV)
    vvh = -58 (mV)
    vvs = 2 (mV)
    vhalfs = -60 (mV)
    a0s = 0.0003 (/ms)
    zetas = 12 (1)
    gms = 0.2 (1)
    smax = 10 (ms)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ena (mV)
    ina (mA/cm2)
    gna (S/cm2)
    minf (1)
    mtau (ms)
    hinf (1)
    htau (ms)
    sinf (1)
    taus (ms)
    qt (1)
    f_over_rt (/mV)
}

STATE { m h s }

INITIAL {
    UNITSOFF
    qt = q10^((celsius - 24)/10)
    f_over_rt = 1e-3*9.648e4/(8.315*(273.16 + celsius))
    UNITSON
    rates(v)
    m = minf
    h = hinf
    s = sinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE gna USEION na
    gna = gbar*m*m*m*h*s
    ina = gna*(v - ena)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
    s' = (sinf - s)/taus
}

PROCEDURE rates(v (mV)) {
    LOCAL u, z, e, y
    UNITSOFF
    u = v - sh

    z = (u - tha)/qa
    e = exp(-z)
    minf = Ra/(Ra + Rb*e)
    mtau = 1/(qt*qa*(Ra + Rb*e)*linoid(z, e))
    if (mtau < mmin) {
        mtau = mmin
    }

    z = (u - thi1)/qd
    e = exp(-z)
    htau = 1/(qt*qd*(Rd + Rg*e)*linoid(z, e))
    if (htau < hmin) {
        htau = hmin
    }
    hinf = 1/(1 + exp((u - thinf)/qinf))

    : with ar = 1 the gate stays at 1 whatever its time constant: three exponentials saved
    sinf = 1
    taus = smax
    if (ar != 1) {
        sinf = ar + (1 - ar)/(1 + exp((u - vvh)/vvs))
        y = zetas*(u - vhalfs)*f_over_rt
        taus = exp(gms*y)/(a0s*(1 + exp(y)))
        if (taus < smax) {
            taus = smax
        }
    }
    UNITSON
}

: z/(1 - exp(-z)), given e = exp(-z); three terms of the series leave 2e-15 at the border
FUNCTION linoid(z, e) {
    if (fabs(z) < 1e-3) {
        linoid = 1 + z/2 + z*z/12
    } else {
        linoid = z/(1 - e)
    }
}
