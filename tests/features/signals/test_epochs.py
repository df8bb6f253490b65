from __future__ import annotations

import numpy as np
import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.signals.epochs import cut_epochs
from rheobase.features.signals.signal import Event, Signal
from tests.features.signals.made_signals import white_noise


def ramp(events, samples=1000):
    """Each sample is its own number, at 1 kHz: 1 ms a sample."""
    return Signal(np.arange(float(samples))[np.newaxis], 1000.0, "uV", ("Cz",), events=tuple(events))


def test_an_epoch_holds_the_samples_around_its_event():
    epochs = cut_epochs(ramp([Event("tone", 100.4), Event("tone", 500.6), Event("key", 700.0)]), "tone", (-3.0, 4.0))
    assert epochs.values[:, 0].tolist() == [list(range(97, 104)), list(range(498, 505))]
    assert epochs.times_ms.tolist() == [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
    assert [event.onset_ms for event in epochs.events] == [100.4, 500.6]


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        (Event("tone", 2.0), False),  # begins before the recording
        (Event("tone", 3.0), True),
        (Event("tone", 996.0), True),
        (Event("tone", 997.0), False),  # ends after it
        (Event("tone", 204.0), True),  # a bad stretch from 200 to 201
        (Event("tone", 203.0), False),
        (Event("tone", 197.0), False),
        (Event("tone", 196.0), True),
        (Event("tone", 303.0), True),  # a cut between 299 and 300
        (Event("tone", 302.0), False),
        (Event("tone", 297.0), False),
        (Event("tone", 296.0), True),
        (Event("tone", 403.0), True),  # a cut between 399 and 400
        (Event("tone", 402.0), False),
        (Event("tone", 397.0), False),
        (Event("tone", 396.0), True),
    ],
)
def test_epochs_that_are_left_out(event, kept):
    marks = [Event("boundary", 399.5), Event("BAD_blink", 200.0, 1.0), Event("boundary", 300.0), Event("tone", 500.0)]
    epochs = cut_epochs(ramp([event, *marks]), "tone", (-3.0, 4.0))
    assert [found.onset_ms for found in epochs.events] == ([event.onset_ms] if kept else []) + [500.0]


def test_epochs_that_cannot_be_cut():
    signal = ramp([Event("tone", 500.0), Event("tone", 600.0)])
    with pytest.raises(FeatureError, match=r"no event is called 'click'; there are tone \(2\)"):
        cut_epochs(signal, "click", (-3.0, 4.0))
    with pytest.raises(FeatureError, match="no event is called 'click'; there are no events"):
        cut_epochs(white_noise(0, (1, 50)), "click", (-3.0, 4.0))
    with pytest.raises(FeatureError, match="none of 2 events 'tone' has a whole epoch from -700 to 4 ms"):
        cut_epochs(signal, "tone", (-700.0, 4.0))
    with pytest.raises(FeatureError, match="start before its end, got 4 to -3 ms"):
        cut_epochs(signal, "tone", (4.0, -3.0))
    with pytest.raises(FeatureError, match=r"no sample between 0 and 0\.2 ms at 1000 Hz"):
        cut_epochs(signal, "tone", (0.0, 0.2))
    with pytest.raises(FeatureError, match="cut into epochs already"):
        cut_epochs(cut_epochs(signal, "tone", (-3.0, 4.0)), "tone", (-1.0, 1.0))
