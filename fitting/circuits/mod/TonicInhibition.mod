TITLE Constant conductance of extrasynaptic GABA-A receptors

NEURON {
    THREADSAFE
    SUFFIX TonicInhibition
    NONSPECIFIC_CURRENT i
    RANGE g, e, i
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S) = (siemens)
}

PARAMETER {
    g = 0 (S/cm2)
    e = -75 (mV)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
}

BREAKPOINT {
    CONDUCTANCE g
    i = g*(v - e)
}
