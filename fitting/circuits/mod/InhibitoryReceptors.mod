TITLE GABA-A and GABA-B receptors of all contacts on one segment

COMMENT
Each receptor opens and closes with two exponentials; a released resource of 1 (uS) gives a conductance that peaks at
`share` (uS). The decay over a fixed time step is exact. GABA-B is a slow conductance of the same kind; its cooperativity
(Destexhe & Sejnowski 1995, PNAS 92:9515) is left out.

Depression and facilitation of each contact: Tsodyks, Pawelzik & Markram 1998, Neural Comput 10:821, in closed form from
spike to spike. With release sites: each is full or empty, an empty one is refilled and a full one releases by chance
(Fuhrmann, Segev, Markram & Tsodyks 2002, J Neurophysiol 87:140); the mean over draws is the response without chance.
Draws depend on (seed, contact, number of the spike) alone: Philox 4x32-10 of Salmon, Moraes, Dror & Shaw 2011,
Proc SC11:16, written out because a stream of CoreNEURON cannot change its key, as each contact and spike must.

What arrives within a step is summed in multiples of 2^-46 uS, which is exact: the order of arrival does not matter.
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS InhibitoryReceptors
    NONSPECIFIC_CURRENT i
    RANGE share_gaba_a, rise_gaba_a, decay_gaba_a, e_gaba_a, g_gaba_a
    RANGE share_gaba_b, rise_gaba_b, decay_gaba_b, e_gaba_b, g_gaba_b
    RANGE seed, g, i
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
}

PARAMETER {
    share_gaba_a = 1 (1)
    rise_gaba_a = 1 (ms)
    decay_gaba_a = 10 (ms)
    e_gaba_a = -80 (mV)
    share_gaba_b = -95 (1)
    rise_gaba_b = 45 (ms)
    decay_gaba_b = 175 (ms)
    e_gaba_b = -95 (mV)
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
    g_gaba_a (uS)
    g_gaba_b (uS)
    arrived (uS)
    dt_used (ms)
    scale_gaba_a (1)
    scale_gaba_b (1)
    keep_rising_gaba_a (1)
    keep_decaying_gaba_a (1)
    keep_rising_gaba_b (1)
    keep_decaying_gaba_b (1)
}

STATE {
    rising_gaba_a (uS)
    decaying_gaba_a (uS)
    rising_gaba_b (uS)
    decaying_gaba_b (uS)
}

INITIAL {
    rising_gaba_a = 0
    decaying_gaba_a = 0
    rising_gaba_b = 0
    decaying_gaba_b = 0
    arrived = 0
    scale_gaba_a = share_gaba_a/peak(rise_gaba_a, decay_gaba_a)
    scale_gaba_b = share_gaba_b/peak(rise_gaba_b, decay_gaba_b)
    factors()
    conductances()
}

BREAKPOINT {
    SOLVE advance
    CONDUCTANCE g
    i = g_gaba_a*(v - e_gaba_a) + g_gaba_b*(v - e_gaba_b)
}

PROCEDURE advance() {
    if (dt != dt_used) {
        factors()
    }
    rising_gaba_a = (rising_gaba_a + scale_gaba_a*arrived)*keep_rising_gaba_a
    decaying_gaba_a = (decaying_gaba_a + scale_gaba_a*arrived)*keep_decaying_gaba_a
    if (scale_gaba_b > 0) {
        rising_gaba_b = (rising_gaba_b + scale_gaba_b*arrived)*keep_rising_gaba_b
        decaying_gaba_b = (decaying_gaba_b + scale_gaba_b*arrived)*keep_decaying_gaba_b
    }
    arrived = 0
    conductances()
}

PROCEDURE factors() {
    dt_used = dt
    keep_rising_gaba_a = exp(-dt/rise_gaba_a)
    keep_decaying_gaba_a = exp(-dt/decay_gaba_a)
    keep_rising_gaba_b = exp(-dt/rise_gaba_b)
    keep_decaying_gaba_b = exp(-dt/decay_gaba_b)
}

PROCEDURE conductances() {
    g_gaba_a = decaying_gaba_a - rising_gaba_a
    g_gaba_b = decaying_gaba_b - rising_gaba_b
    g = g_gaba_a + g_gaba_b
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
