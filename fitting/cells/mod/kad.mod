TITLE Distal A-type potassium current of CA1 pyramidal cells

COMMENT
n l. Measured by Hoffman, Magee, Colbert & Johnston 1997, Nature 387:869 (apical dendrites beyond 100 um);
equations of Migliore, Hoffman, Magee & Johnston 1999, J Comput Neurosci 7:5. Measured at 24 degC; Q10 = 5 for
activation, none for inactivation, whose time constant is 0.26 ms/mV (v + 50 mV), 2 ms at least. The gating charge of n
grows from |zetan| to |zetan + pw| below tq.
F, R and 0 degC carry the digits of the published models.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX kad
    USEION k READ ek WRITE ik
    RANGE gkabar, gka, ik
    RANGE ninf, taun, linf, taul
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gkabar = 0.008 (S/cm2)
    vhalfn = -1 (mV)
    a0n = 0.1 (/ms)
    zetan = -1.8 (1)
    gmn = 0.39 (1)
    pw = -1 (1)
    tq = -40 (mV)
    qq = 5 (mV)
    nmin = 0.2 (ms)
    q10 = 5 (1)
    vhalfl = -56 (mV)
    zetal = 3 (1)
    lmin = 2 (ms)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    gka (S/cm2)
    ninf (1)
    taun (ms)
    linf (1)
    taul (ms)
    qt (1)
    f_over_rt (/mV)
}

STATE { n l }

INITIAL {
    UNITSOFF
    qt = q10^((celsius - 24)/10)
    f_over_rt = 1e-3*9.648e4/(8.315*(273.16 + celsius))
    UNITSON
    rates(v)
    n = ninf
    l = linf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    CONDUCTANCE gka USEION k
    gka = gkabar*n*l
    ik = gka*(v - ek)
}

DERIVATIVE states {
    rates(v)
    n' = (ninf - n)/taun
    l' = (linf - l)/taul
}

PROCEDURE rates(v (mV)) {
    LOCAL y
    UNITSOFF
    y = (zetan + pw/(1 + exp((v - tq)/qq)))*(v - vhalfn)*f_over_rt
    ninf = 1/(1 + exp(y))
    taun = exp(gmn*y)*ninf/(qt*a0n)
    if (taun < nmin) {
        taun = nmin
    }
    linf = 1/(1 + exp(zetal*(v - vhalfl)*f_over_rt))
    taul = 0.26*(v + 50)
    if (taul < lmin) {
        taul = lmin
    }
    UNITSON
}
