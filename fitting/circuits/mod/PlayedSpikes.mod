TITLE Spikes at given times

COMMENT
play(vector) copies the times (ms), which must be in ascending order and not negative; they are sent in every run from then on.
ENDCOMMENT

NEURON {
    THREADSAFE
    ARTIFICIAL_CELL PlayedSpikes
    BBCOREPOINTER times
}

ASSIGNED {
    times
    sent (1)
}

VERBATIM
#include <vector>
#define PLAYED_TIMES (*reinterpret_cast<std::vector<double>**>(&_p_times))
ENDVERBATIM

CONSTRUCTOR {
VERBATIM
    PLAYED_TIMES = nullptr;
ENDVERBATIM
}

DESTRUCTOR {
VERBATIM
    delete PLAYED_TIMES;
    PLAYED_TIMES = nullptr;
ENDVERBATIM
}

INITIAL {
    sent = 0
    if (next() >= 0) {
        net_send(next() - t, 1)
    }
}

NET_RECEIVE (weight) {
    if (flag == 1) {
        net_event(t)
        sent = sent + 1
        if (next() >= 0) {
            net_send(later(next() - t), 1)
        }
    }
}

FUNCTION later(interval (ms)) (ms) {
    later = 0
    if (interval > 0) {
        later = interval
    }
}

FUNCTION next() (ms) {
VERBATIM
    std::vector<double>* played = PLAYED_TIMES;
    auto number = static_cast<std::size_t>(sent);
    _lnext = played && number < played->size() ? (*played)[number] : -1.;
ENDVERBATIM
}

PROCEDURE play() {
VERBATIM
#ifndef CORENEURON_BUILD
    IvocVect* given = vector_arg(1);
    double* first = vector_vec(given);
    delete PLAYED_TIMES;
    PLAYED_TIMES = new std::vector<double>(first, first + vector_capacity(given));
#endif
ENDVERBATIM
}

VERBATIM
static void bbcore_write(double* values, int* sizes, int* values_at, int* sizes_at, _threadargsproto_) {
    std::vector<double>* played = PLAYED_TIMES;
    int count = played ? static_cast<int>(played->size()) : 0;
    if (sizes) {
        sizes[*sizes_at] = count;
        for (int k = 0; k < count; ++k) {
            values[*values_at + k] = (*played)[k];
        }
    }
    *sizes_at += 1;
    *values_at += count;
}

static void bbcore_read(double* values, int* sizes, int* values_at, int* sizes_at, _threadargsproto_) {
    double* first = values + *values_at;
    int count = sizes[*sizes_at];
    PLAYED_TIMES = new std::vector<double>(first, first + count);
    *sizes_at += 1;
    *values_at += count;
}
ENDVERBATIM
