TITLE Slowly inactivating (D-type) potassium current

COMMENT
D-current of layer 5 axons after Shu, Yu, Yang and McCormick 2007, PNAS 104:11453 (doi:10.1073/pnas.0702041104): it
activates below the spike threshold and inactivates over seconds, so that it delays the first spike.

    ik = gKdbar m h (v - ek)
    m: 1/(1 + exp(-(v + 43)/8)), 0.6 ms;  h: 1/(1 + exp((v + 67)/7.3)), 1500 ms

The voltages have their junction potential of 10 mV subtracted. Time constants do not depend on temperature.
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX Kd
    USEION k READ ek WRITE ik
    RANGE gKdbar, gKd, ik
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gKdbar = 1e-5 (S/cm2)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    gKd (S/cm2)
    mInf (1)
    hInf (1)
}

STATE { m h }

INITIAL {
    rates()
    m = mInf
    h = hInf
}

BREAKPOINT {
    CONDUCTANCE gKd USEION k
    SOLVE states METHOD cnexp
    gKd = gKdbar*m*h
    ik = gKd*(v - ek)
}

DERIVATIVE states {
    rates()
    m' = (mInf - m)/0.6 (ms)
    h' = (hInf - h)/1500 (ms)
}

PROCEDURE rates() {
    mInf = 1/(1 + exp(-(v + 43 (mV))/8 (mV)))
    hInf = 1/(1 + exp((v + 67 (mV))/7.3 (mV)))
}
