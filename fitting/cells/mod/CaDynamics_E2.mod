TITLE Calcium in a thin shell below the membrane

COMMENT
Calcium enters a shell of the given depth through every calcium channel of the segment, a fraction gamma of it stays
free, and the concentration decays to minCai: Destexhe, Mainen and Sejnowski 1994, J Comput Neurosci 1:195
(doi:10.1007/BF00961734), as used by Hay et al. 2011 (doi:10.1371/journal.pcbi.1002107).

    d cai/dt = -gamma ica/(2 F depth) - (cai - minCai)/decay

The run starts at cai = minCai, the steady state without current. (The published file has no initial block and starts
at the simulator's own cai0_ca_ion, 5e-5 mM, whence it drifts to minCai.)
Temperature: none enters.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX CaDynamics_E2
    USEION ca READ ica WRITE cai
    RANGE gamma, decay, depth, minCai
}

UNITS {
    (mA) = (milliamp)
    (um) = (micron)
    (molar) = (1/liter)
    (mM) = (millimolar)
    FARADAY = (faraday) (coulombs)
}

PARAMETER {
    gamma = 0.05 (1)      : free, not buffered, fraction of the calcium
    decay = 80 (ms)       : time constant of removal
    depth = 0.1 (um)      : of the shell
    minCai = 1e-4 (mM)    : at rest
}

ASSIGNED {
    ica (mA/cm2)
}

STATE {
    cai (mM)
}

INITIAL {
    cai = minCai
}

BREAKPOINT {
    SOLVE states METHOD cnexp
}

DERIVATIVE states {
    cai' = -(1e4)*gamma*ica/(2*FARADAY*depth) - (cai - minCai)/decay
}
