TITLE Calcium accumulation under the membrane of CA1 pyramidal cells

COMMENT
Calcium enters a shell of the given depth and returns to cai0 with one time constant, as in Migliore et al. 2018, PLoS
Comput Biol 14:e1006423. No temperature dependence. cai0, and not the global cai0_ca_ion, is the initial concentration.
ica - irest counts as entry, so that irest = ica at rest leaves the resting concentration at cai0.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX cacum
    USEION ca READ ica WRITE cai
    RANGE depth, tau, cai0, irest
}

UNITS {
    (mA) = (milliamp)
    (mM) = (milli/liter)
    (um) = (micron)
    FARADAY = (faraday) (coulombs)
}

PARAMETER {
    depth = 0.1 (um)
    tau = 100 (ms)
    cai0 = 5e-5 (mM)
    irest = 0 (mA/cm2)
}

ASSIGNED {
    ica (mA/cm2)
}

STATE {
    cai (mM)
}

INITIAL {
    cai = cai0
}

BREAKPOINT {
    SOLVE accumulation METHOD cnexp
}

DERIVATIVE accumulation {
    cai' = (1e4)*(irest - ica)/(2*FARADAY*depth) + (cai0 - cai)/tau
}
