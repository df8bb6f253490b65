TITLE Transient sodium current, with shiftable and stretchable gates

COMMENT
With its default shifts and slopes this is the transient sodium current NaTa_t of Hay et al. 2011
(doi:10.1371/journal.pcbi.1002107), after Colbert and Pan 2002, Nat Neurosci 5:533 (doi:10.1038/nn0602-857).
A positive vshiftm or vshifth (mV) moves that gate to the right; slopem and slopeh (mV) divide the voltage in its
rates.

    ina = gNaTgbar m^3 h (v - ena)
    m rates (/ms): 0.182 x/(1 - exp(-x/slopem)) and 0.124 x/(exp(x/slopem) - 1),  x = v + 38 - vshiftm
    h rates (/ms): 0.015 y/(exp(y/slopeh) - 1)  and 0.015 y/(1 - exp(-y/slopeh)), y = v + 66 - vshifth

Temperature: rates taken as of 21 degC and multiplied by 2.3^((celsius - 21)/10), which at 34 degC is the constant
used in Hay et al. 2011. No correction of the liquid junction potential.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX NaTg
    USEION na READ ena WRITE ina
    RANGE gNaTgbar, gNaTg, ina
    RANGE vshiftm, vshifth, slopem, slopeh
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gNaTgbar = 1e-5 (S/cm2)
    vshiftm = 0 (mV)
    vshifth = 0 (mV)
    slopem = 6 (mV)
    slopeh = 6 (mV)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ena (mV)
    ina (mA/cm2)
    gNaTg (S/cm2)
    qt (1)
    mAlpha (/ms)
    mBeta (/ms)
    hAlpha (/ms)
    hBeta (/ms)
    vRates (mV)  : where the rates above were computed
}

STATE { m h }

INITIAL {
    qt = 2.3^((celsius - 21 (degC))/10 (degC))
    vRates = v + 1 (mV)  : stale, whatever it was
    rates()
    m = mAlpha/(mAlpha + mBeta)
    h = hAlpha/(hAlpha + hBeta)
}

BREAKPOINT {
    CONDUCTANCE gNaTg USEION na
    SOLVE states METHOD cnexp
    gNaTg = gNaTgbar*m*m*m*h
    ina = gNaTg*(v - ena)
}

DERIVATIVE states {
    rates()
    m' = mAlpha - (mAlpha + mBeta)*m
    h' = hAlpha - (hAlpha + hBeta)*h
}

: One exponential serves both rates of a gate: with u = |x|, x/(exp(x) - 1) = linoid(u) + max(-x, 0).
PROCEDURE rates() {
    LOCAL x, u, lesser, scale
    if (v != vRates) {  : CVODE asks several times at one voltage
        vRates = v

        x = (v + 38 (mV) - vshiftm)/slopem
        u = fabs(x)
        lesser = linoid(u)
        scale = qt*slopem
        mAlpha = 0.182 (/mV-ms) * scale*(lesser + 0.5*(u + x))
        mBeta = 0.124 (/mV-ms) * scale*(lesser + 0.5*(u - x))

        x = (v + 66 (mV) - vshifth)/slopeh
        u = fabs(x)
        lesser = linoid(u)
        scale = qt*slopeh
        hAlpha = 0.015 (/mV-ms) * scale*(lesser + 0.5*(u - x))
        hBeta = 0.015 (/mV-ms) * scale*(lesser + 0.5*(u + x))
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
