TITLE Current that rises linearly from one level to another

COMMENT
Zero before `delay` and after `delay + dur`. The discontinuities are announced to the variable time step.
ENDCOMMENT

NEURON {
    POINT_PROCESS RampClamp
    RANGE delay, dur, start, end, i
    ELECTRODE_CURRENT i
}

UNITS {
    (nA) = (nanoamp)
}

PARAMETER {
    delay = 1e9 (ms)
    dur = 0 (ms)
    start = 0 (nA)
    end = 0 (nA)
}

ASSIGNED {
    i (nA)
}

INITIAL {
    i = 0
}

BREAKPOINT {
    at_time(delay)
    at_time(delay + dur)
    if (t >= delay && t < delay + dur) {
        i = start + (end - start) * (t - delay) / dur
    } else {
        i = 0
    }
}
