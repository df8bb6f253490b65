from __future__ import annotations

import numpy as np
import pytest

from rheobase.features.errors import FeatureError, UnitError
from rheobase.features.signals.signal import Event, Signal


def made(values=None, **changes):
    values = np.arange(6.0).reshape(2, 3) if values is None else values
    arguments = {"sampling_rate_Hz": 100.0, "unit": "uV", "channels": ("Cz", "Pz"), **changes}
    return Signal(values, **arguments)


def test_a_continuous_signal_is_one_epoch():
    signal = made(start_ms=-10.0)
    assert signal.by_epoch.shape == (1, 2, 3)
    assert (signal.epochs, signal.samples) == (1, 3)
    assert signal.times_ms.tolist() == [-10.0, 0.0, 10.0]
    assert [epoch.values.shape for epoch in signal.each_epoch()] == [(2, 3)]


def test_epochs_keep_their_events():
    events = (Event("standard", 0.0), Event("deviant", 500.0), Event("standard", 1000.0))
    signal = made(np.arange(18.0).reshape(3, 2, 3), events=events)
    standards = signal.epochs_of("standard")
    assert standards.values.tolist() == signal.values[[0, 2]].tolist()
    assert [event.onset_ms for event in standards.events] == [0.0, 1000.0]
    single = list(signal.each_epoch())
    assert [epoch.values.shape for epoch in single] == [(1, 2, 3)] * 3
    assert single[1].events == (events[1],)


def test_channels_are_picked_by_name_in_the_order_named():
    signal = made()
    assert signal.pick("Pz", "Cz").values.tolist() == [[3.0, 4.0, 5.0], [0.0, 1.0, 2.0]]
    assert signal.pick("Pz").channels == ("Pz",)


def test_units_are_converted():
    assert made().converted("mV").values[1, 2] == pytest.approx(0.005)
    with pytest.raises(UnitError, match="expected a unit like nA, got 'uV'"):
        made().converted("nA")


@pytest.mark.parametrize("name", ["BAD_blink", "bad", "EDGE boundary", "boundary", "New Segment/"])
def test_names_that_mark_what_is_not_to_be_used(name):
    assert Event(name, 0.0).unusable


@pytest.mark.parametrize("name", ["Stimulus/S  1", "square", "a bad word"])
def test_names_of_stimuli(name):
    assert not Event(name, 0.0).unusable


@pytest.mark.parametrize(
    ("values", "changes", "message"),
    [
        (np.zeros(3), {}, r"got the shape \(3,\)"),
        (np.zeros((2, 0)), {}, "is empty"),
        (np.zeros((2, 3)), {"channels": ("Cz",)}, "one name for each of 2 channels, got 1"),
        (np.zeros((2, 3)), {"channels": ("Cz", "Cz")}, "two channels have the same name"),
        (np.zeros((2, 3)), {"sampling_rate_Hz": 0.0}, "the sampling rate is 0.0 Hz"),
        (np.zeros((2, 3)), {"sampling_rate_Hz": float("nan")}, "the sampling rate is nan Hz"),
        (np.zeros((2, 3)), {"unit": " "}, "it has no unit; state it"),
        (np.zeros((4, 2, 3)), {"events": (Event("a", 0.0),)}, "one event for each of 4 epochs, or none, got 1"),
        (np.array([[0.0, 1.0, 2.0], [0.0, np.nan, np.inf]]), {}, "2 samples .* the first is sample 1 of channel 'Pz'"),
    ],
)
def test_what_is_no_signal(values, changes, message):
    with pytest.raises(FeatureError, match=message):
        made(values, **changes)


def test_what_is_not_there_is_named_with_what_is():
    with pytest.raises(FeatureError, match="no channel 'Oz'; there are Cz, Pz"):
        made().pick("Oz")
    with pytest.raises(FeatureError, match="expected the names of the channels"):
        made().pick()
    with pytest.raises(FeatureError, match="the signal is continuous; cut it into epochs first"):
        made().epochs_of("standard")
    epochs = made(np.zeros((2, 2, 3)), events=(Event("standard", 0.0), Event("standard", 1.0)))
    with pytest.raises(FeatureError, match=r"no epoch belongs to an event 'deviant'; there are standard \(2\)"):
        epochs.epochs_of("deviant")
