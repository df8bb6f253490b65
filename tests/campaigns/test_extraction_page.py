"""Figures of the page of `rheobase extract`: what is in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection

from rheobase.campaigns.extraction_page.cells import curves_figure
from rheobase.campaigns.extraction_page.distributions import features_figure
from rheobase.campaigns.extraction_page.sweeps import sweeps_figure
from rheobase.features.cell_measurement import measure_cell
from rheobase.features.extraction import extract
from rheobase.features.recording import Recording
from rheobase.features.requests import ExtractionPlan, Level, ProtocolRequest, plain
from tests.features.recorded import made_up

STEPS = ((-0.1, 0), (0.05, 0), (0.1, 1), (0.15, 4), (0.2, 8))
EVERYTHING = ExtractionPlan(every_sweep=True)


def cell(name: str = "one", gain: float = 1.0) -> list[Recording]:
    """A cell with a rheobase of 0.1 nA times the gain, and a sweep without a stimulus."""
    made = [
        made_up(gain * amplitude, spikes, name, sweep=str(place)) for place, (amplitude, spikes) in enumerate(STEPS)
    ]
    return [*made, made_up(0.0, 0, name, sweep="silent"), made_up(0.2, 3, name, "Pulse", "9", duration_ms=50.0)]


def test_every_sweep_is_there() -> None:
    recordings = cell()
    figure = sweeps_figure(iter(recordings), measure_cell(recordings, EVERYTHING), -20.0)
    idrest, pulse = figure.axes
    labels = [text.get_text() for text in idrest.texts]
    assert labels[:6] == [
        "0: −100 pA, 0 spikes",
        "1: 50 pA, 0 spikes",
        "2: 100 pA, 1 spike",
        "3: 150 pA, 4 spikes",
        "4: 200 pA, 8 spikes",
        "silent: left out",
    ]
    assert labels[6] == "IDrest"
    assert labels[7].startswith("each tile 400 ms; ")
    assert labels[7].endswith("−100 to 200 pA")
    assert [text.get_text() for text in pulse.texts][:2] == ["9: 200 pA, 3 spikes", "Pulse"]
    boxes = [one for one in idrest.collections if isinstance(one, PolyCollection)]
    currents, voltages, spikes = [one for one in idrest.collections if isinstance(one, LineCollection)]
    assert len(boxes[0].get_paths()) == 5  # the sweep without a stimulus has none
    assert len(currents.get_segments()) == len(voltages.get_segments()) == 6
    assert len(spikes.get_segments()) == 1 + 4 + 8


def test_stimulus_and_spikes_are_where_they_were() -> None:
    recordings = [made_up(0.2, 1)]  # from 100 to 300 ms of 400 ms, its spike at 166.7 ms
    figure = sweeps_figure(recordings, measure_cell(recordings, EVERYTHING), -20.0)
    (axes,) = figure.axes
    (box,) = (one.get_paths()[0] for one in axes.collections if isinstance(one, PolyCollection))
    _, _, spikes = [one for one in axes.collections if isinstance(one, LineCollection)]
    width = 0.94
    np.testing.assert_allclose(sorted({x for x, _ in box.vertices}), [0.25 * width, 0.75 * width], atol=1e-3)
    np.testing.assert_allclose(spikes.get_segments()[0][:, 0], 166.7 / 400.0 * width, atol=2e-3)


def test_tiles_do_not_reach_into_each_other() -> None:
    wild = made_up(0.2, 3, sweep="a name that is much too long for its tile")
    wild = replace(wild, voltage_mV=np.where(np.arange(4000) == 2000, 900.0, wild.voltage_mV))
    recordings = [wild, *cell()[:5], replace(made_up(0.1, 1, sweep="short"), voltage_mV=np.full(4000, -70.0))]
    figure = sweeps_figure(recordings, measure_cell(recordings, EVERYTHING), -20.0)
    (axes,) = figure.axes
    for lines in (one for one in axes.collections if isinstance(one, LineCollection)):
        for segment in lines.get_segments():
            for side in range(2):
                places = segment[:, side]
                assert np.floor(places.min()) == np.floor(places.max())
    assert axes.texts[0].get_text() == "a name that is …: 200 pA, 4 spikes"


def test_curves() -> None:
    found = measure_cell(cell(), EVERYTHING)
    figure = curves_figure(found)
    assert figure is not None
    rate, voltage = figure.axes
    dots, rheobase = rate.lines
    np.testing.assert_allclose(dots.get_xydata(), [(0.05, 0), (0.1, 5), (0.15, 20), (0.2, 40)], atol=1e-3)
    np.testing.assert_allclose(rheobase.get_xdata(), 0.1, atol=1e-3)
    np.testing.assert_allclose(voltage.lines[0].get_xydata(), [(-0.1, -80.0), (0.05, -65.0)], atol=1e-3)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["IDrest", "rheobase"]
    assert curves_figure(measure_cell(cell()[5:], EVERYTHING)) is None  # no long step


def test_features_and_their_targets() -> None:
    extraction = extract([*cell(), *cell("two", 1.5)], EVERYTHING)
    figure = features_figure("idrest", extraction.measurements, extraction.targets)
    assert figure is not None
    panels = {panel.get_title(loc="left"): panel for panel in figure.axes if panel.get_title(loc="left")}
    assert "sag_ratio1" in panels
    rates = panels["mean_frequency (Hz)"]
    dots = np.asarray(rates.collections[0].get_offsets())
    np.testing.assert_allclose(sorted(set(dots[:, 0].round())), [100.0, 150.0, 200.0])
    (targets,) = rates.containers
    made = {one.name: target.mean for one in extraction.targets.protocols for target in one.features
            if target.label == "mean_frequency"}  # fmt: skip
    np.testing.assert_allclose(sorted(targets.lines[0].get_ydata()), sorted(made.values()))
    assert len(made) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]
    assert features_figure("Sine", extraction.measurements, extraction.targets) is None


def test_requests_of_one_protocol_are_apart_and_in_nA() -> None:
    early = ProtocolRequest(
        "IDrest", (Level(0.2, 0.01, "nA"),), plain(["Spikecount"]), name="Early", measure_in=(0.0, 99.0)
    )
    whole = ProtocolRequest("IDrest", (Level(0.2, 0.01, "nA"),), plain(["Spikecount"]))
    extraction = extract(cell(), ExtractionPlan((early, whole), every_sweep=True))
    figure = features_figure("IDrest", extraction.measurements, extraction.targets)
    assert figure is not None
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert titles[:2] == ["Spikecount, early", "Spikecount, idrest"]
    assert figure.texts[0].get_text() == "Amplitude above holding (nA)"
    assert [float(panel.containers[0].lines[0].get_xdata()[0]) for panel in figure.axes[:2]] == [0.2, 0.2]
    assert [float(panel.containers[0].lines[0].get_ydata()[0]) for panel in figure.axes[:2]] == [4.0, 8.0]
