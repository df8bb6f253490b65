TITLE AMPA and NMDA receptors of all contacts on one segment

COMMENT
Each receptor opens and closes with two exponentials; a released resource of 1 (uS) gives a conductance that peaks at
`share` (uS). The decay over a fixed time step is exact. NMDA: magnesium block of Jahr & Stevens 1990, J Neurosci 10:3178.
The block is taken once per step at the voltage that the step begins with, as gating variables are.

Depression and facilitation of each contact: Tsodyks, Pawelzik & Markram 1998, Neural Comput 10:821, in closed form from
spike to spike. With release sites: each is full or empty, an empty one is refilled and a full one releases by chance
(Fuhrmann, Segev, Markram & Tsodyks 2002, J Neurophysiol 87:140); the mean over draws is the response without chance.
Draws depend on (seed, contact, number of the spike) alone: Philox 4x32-10 of Salmon, Moraes, Dror & Shaw 2011,
Proc SC11:16, written out because a stream of CoreNEURON cannot change its key, as each contact and spike must.

What arrives within a step is summed in multiples of 2^-46 uS, which is exact: the order of arrival does not matter.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS ExcitatoryReceptors
    NONSPECIFIC_CURRENT i
    RANGE share_ampa, rise_ampa, decay_ampa, e_ampa, g_ampa
    RANGE share_nmda, rise_nmda, decay_nmda, e_nmda, g_nmda
    RANGE magnesium, unblocked, seed, g, i
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (mM) = (milli/liter)
}

PARAMETER {
    share_ampa = 1 (1)
    rise_ampa = 0.2 (ms)
    decay_ampa = 2 (ms)
    e_ampa = 0 (mV)
    share_nmda = 0 (1)
    rise_nmda = 2 (ms)
    decay_nmda = 65 (ms)
    e_nmda = 0 (mV)
    magnesium = 1 (mM)
    seed = 0 (1)
}

CONSTANT {
    quantum = 1.4210854715202004e-14 (uS)
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    g (uS)
    g_ampa (uS)
    g_nmda (uS)
    unblocked (1)
    arrived (uS)
    dt_used (ms)
    scale_ampa (1)
    scale_nmda (1)
    keep_rising_ampa (1)
    keep_decaying_ampa (1)
    keep_rising_nmda (1)
    keep_decaying_nmda (1)
}

STATE {
    rising_ampa (uS)
    decaying_ampa (uS)
    rising_nmda (uS)
    decaying_nmda (uS)
}

INITIAL {
    rising_ampa = 0
    decaying_ampa = 0
    rising_nmda = 0
    decaying_nmda = 0
    arrived = 0
    scale_ampa = share_ampa/peak(rise_ampa, decay_ampa)
    scale_nmda = share_nmda/peak(rise_nmda, decay_nmda)
    factors()
    conductances()
}

BREAKPOINT {
    SOLVE advance
    CONDUCTANCE g
    i = g_ampa*(v - e_ampa) + g_nmda*(v - e_nmda)
}

PROCEDURE advance() {
    if (dt != dt_used) {
        factors()
    }
    rising_ampa = (rising_ampa + scale_ampa*arrived)*keep_rising_ampa
    decaying_ampa = (decaying_ampa + scale_ampa*arrived)*keep_decaying_ampa
    if (scale_nmda > 0) {
        rising_nmda = (rising_nmda + scale_nmda*arrived)*keep_rising_nmda
        decaying_nmda = (decaying_nmda + scale_nmda*arrived)*keep_decaying_nmda
    }
    arrived = 0
    conductances()
}

PROCEDURE factors() {
    dt_used = dt
    keep_rising_ampa = exp(-dt/rise_ampa)
    keep_decaying_ampa = exp(-dt/decay_ampa)
    keep_rising_nmda = exp(-dt/rise_nmda)
    keep_decaying_nmda = exp(-dt/decay_nmda)
}

PROCEDURE conductances() {
    g_ampa = decaying_ampa - rising_ampa
    g_nmda = 0
    if (decaying_nmda > 0) {
        unblocked = 1/(1 + exp(-0.062(/mV)*v)*magnesium/3.57(mM))
        g_nmda = (decaying_nmda - rising_nmda)*unblocked
    }
    g = g_ampa + g_nmda
}

FUNCTION peak(rise (ms), decay (ms)) (1) {
    LOCAL at
    at = rise*decay/(decay - rise)*log(decay/rise)
    peak = exp(-at/decay) - exp(-at/rise)
}

FUNCTION drawn(sites (1), probability (1), contact (1), spike (1), first (1)) (1) {
    LOCAL k
    drawn = 0
    k = 0
    while (k < sites) {
        if (uniform(contact, spike, first + k) < probability) {
            drawn = drawn + 1
        }
        k = k + 1
    }
}

FUNCTION uniform(contact (1), spike (1), draw (1)) (1) {
VERBATIM
    std::uint32_t c[4] = {static_cast<std::uint32_t>(_ldraw), static_cast<std::uint32_t>(_lspike),
                          static_cast<std::uint32_t>(_lcontact), 0};
    std::uint32_t key[2] = {static_cast<std::uint32_t>(seed), 0};
    for (int turn = 0; turn < 10; ++turn) {
        std::uint64_t const first = std::uint64_t{0xD2511F53} * c[0];
        std::uint64_t const second = std::uint64_t{0xCD9E8D57} * c[2];
        c[0] = static_cast<std::uint32_t>(second >> 32) ^ c[1] ^ key[0];
        c[1] = static_cast<std::uint32_t>(second);
        c[2] = static_cast<std::uint32_t>(first >> 32) ^ c[3] ^ key[1];
        c[3] = static_cast<std::uint32_t>(first);
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    _luniform = (c[0] + 0.5) / 4294967296.;
ENDVERBATIM
}

NET_RECEIVE (conductance (uS), use (1), recovery (ms), facilitation (ms), sites (1), contact (1), used (1), available (1),
             last (ms), spikes (1)) {
    LOCAL refilled, released
    INITIAL {
        used = 0
        available = 1
        if (sites > 0) {
            available = sites
        }
        last = -1e9(ms)
        spikes = 0
    }
    if (facilitation > 0) {
        used = used*exp(-(t - last)/facilitation)
    } else {
        used = 0
    }
    used = used + use*(1 - used)
    refilled = 1
    if (recovery > 0) {
        refilled = 1 - exp(-(t - last)/recovery)
    }
    if (sites > 0) {
        available = available + drawn(sites - available, refilled, contact, spikes, 0)
        released = drawn(available, used, contact, spikes, sites)
        available = available - released
        released = released/sites
    } else {
        available = available + (1 - available)*refilled
        released = used*available
        available = available - released
    }
    arrived = arrived + quantum*floor(conductance*released/quantum + 0.5)
    last = t
    spikes = spikes + 1
}
