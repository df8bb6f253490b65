TITLE Calcium-activated (SK) potassium current of CA1 pyramidal cells

COMMENT
m^3, without voltage dependence, for the slow afterhyperpolarisation. Destexhe et al. 1994, J Neurophysiol 72:803, with the
constants and the fourth power of calcium of Migliore et al. 2018, PLoS Comput Biol 14:e1006423. Rates at 22 degC; Q10 = 3
for the time constant, which is taumin at least at every temperature.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX kca
    USEION ca READ cai
    USEION k READ ek WRITE ik
    RANGE gbar, gk, ik
    RANGE m_inf, tau_m
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (mM) = (milli/liter)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.01 (S/cm2)
    beta = 0.03 (/ms)
    cac = 0.00035 (mM)
    taumin = 0.5 (ms)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    cai (mM)
    ek (mV)
    ik (mA/cm2)
    gk (S/cm2)
    m_inf (1)
    tau_m (ms)
    tadj (1)
}

STATE { m }

INITIAL {
    UNITSOFF
    tadj = 3^((celsius - 22)/10)
    UNITSON
    rates(cai)
    m = m_inf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE gk USEION k
    gk = gbar*m*m*m
    ik = gk*(v - ek)
}

DERIVATIVE states {
    rates(cai)
    m' = (m_inf - m)/tau_m
}

PROCEDURE rates(c (mM)) {
    LOCAL x
    UNITSOFF
    x = c/cac
    x = x*x
    x = x*x
    m_inf = x/(1 + x)
    tau_m = 1/(beta*tadj*(1 + x))
    if (tau_m < taumin) {
        tau_m = taumin
    }
    UNITSON
}
