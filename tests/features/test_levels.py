"""Stimuli of several pieces, pulses and ramps, on recordings of real cells and made-up ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rheobase.features.extraction import Extraction, extract
from rheobase.features.layout import RecordingFolder, read_recordings
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.recording import Recording
from rheobase.features.requests import ExtractionPlan, FeatureRequest, Level, Place, ProtocolRequest, plain
from rheobase.features.rheobase import RheobaseSettings
from rheobase.features.sweeps import SweepMeasurement, observe
from tests.features.provenance import stated
from tests.features.recorded import RAT_CELLS, made_up, rat
from tests.shared_data import shared

THRESHOLD = RheobaseSettings(("IDthresh",))


def hyperdepol(first_nA: float, second_nA: float, spikes: int, cell: str = "cell", sweep: str = "0") -> Recording:
    """100 ms at rest, 200 ms hyperpolarised, 100 ms depolarised with spikes, 100 ms at rest."""
    one = made_up(second_nA, spikes, cell, "HyperDepol", sweep, duration_ms=100.0)
    before = made_up(first_nA, 0, cell, "HyperDepol", sweep, duration_ms=200.0)
    cut, start = round(300.0 / one.time_step_ms), round(100.0 / one.time_step_ms)
    return dataclasses.replace(
        one,
        voltage_mV=np.concatenate((before.voltage_mV[:cut], one.voltage_mV[start:])),
        current_nA=np.concatenate((before.current_nA[:cut], one.current_nA[start:])),
    )


def extracted(request: ProtocolRequest) -> Extraction:
    recordings = [made_up(0.05, 0, protocol="IDthresh"), made_up(0.1, 1, protocol="IDthresh", sweep="1")]
    recordings += [hyperdepol(-0.04 * level, 0.1, 4, sweep=str(level)) for level in (1, 2, 3)]
    return extract(recordings, ExtractionPlan((request,), THRESHOLD))


def request(*levels: float, piece: int | None = None, measure_in: Place | None = None) -> ProtocolRequest:
    return ProtocolRequest(
        "HyperDepol",
        tuple(Level(level, 5.0) for level in levels),
        plain(["Spikecount", "voltage_base"]),
        amplitude_piece=piece,
        measure_in=measure_in,
    )


class TestPieces:
    def test_the_piece_that_names_the_level(self) -> None:
        first = extracted(request(-40.0, -80.0, -120.0, piece=0))
        assert [len(first.sweeps[f"HyperDepol_{level}"]) for level in (-40, -80, -120)] == [1, 1, 1]
        second = extracted(request(100.0, piece=1))
        assert len(second.sweeps["HyperDepol_100"]) == 3
        farthest = extracted(request(-120.0, 100.0))
        assert [sweep.sweep for sweep in farthest.sweeps["HyperDepol_-120"]] == ["3"]
        assert [sweep.sweep for sweep in farthest.sweeps["HyperDepol_100"]] == ["1", "2"]

    def test_the_stimulus_of_the_target(self) -> None:
        (made,) = extracted(request(-80.0, piece=0)).targets.protocols
        assert [(piece.onset_ms, piece.duration_ms) for piece in made.stimulus.pieces] == [(0.0, 200.0), (200.0, 100.0)]
        assert [piece.end for piece in made.stimulus.pieces] == pytest.approx([-80.0, 100.0], rel=1e-3)
        assert (made.stimulus.level, made.amplitude_nA) == (pytest.approx(-80.0), pytest.approx(-0.08))
        assert made.stimulus.window_ms is None
        mean = extracted(dataclasses.replace(request(100.0, piece=1), amplitude_piece=1)).targets.protocols[0]
        assert [piece.end for piece in mean.stimulus.pieces] == pytest.approx([-80.0, 100.0], rel=1e-3)

    @pytest.mark.parametrize(
        ("measure_in", "window_ms", "spikes"),
        [(None, None, 4.0), (0, (0.0, 200.0), 0.0), (1, (200.0, 300.0), 4.0), ((200.0, 250.0), (200.0, 250.0), 2.0)],
    )
    def test_where_features_are_measured(
        self, measure_in: Place | None, window_ms: tuple[float, float] | None, spikes: float
    ) -> None:
        (made,) = extracted(request(-80.0, piece=0, measure_in=measure_in)).targets.protocols
        assert made.stimulus.window_ms == window_ms
        assert made.features[0].mean == spikes

    def test_one_feature_elsewhere(self) -> None:
        asked = dataclasses.replace(
            request(-80.0, piece=0),
            features=(FeatureRequest("Spikecount"), FeatureRequest("Spikecount", "before", measure_in=0)),
        )
        (made,) = extracted(asked).targets.protocols
        whole, before = made.features
        assert (whole.mean, whole.window_ms, before.mean, before.window_ms) == (4.0, None, 0.0, (0.0, 200.0))

    def test_a_piece_that_is_not_there(self) -> None:
        found = extracted(request(-80.0, piece=0, measure_in=5)).targets
        assert found.protocols == ()
        assert "HyperDepol_-80 Spikecount left out: measured in 0 cells (0 sweeps) only" in found.notes


def test_stimuli_of_another_shape_are_left_out() -> None:
    asked = ProtocolRequest("HyperDepol", (Level(100.0, 5.0),), plain(["Spikecount"]), amplitude_piece=1)
    recordings = [made_up(0.05, 0, protocol="IDthresh"), made_up(0.1, 1, protocol="IDthresh", sweep="1")]
    recordings += [hyperdepol(-0.04 * level, 0.1, 4, sweep=str(level)) for level in (1, 2)]
    recordings += [made_up(0.1, 3, protocol="HyperDepol", sweep="step")]
    found = extract(recordings, ExtractionPlan((asked,), THRESHOLD))
    assert [sweep.sweep for sweep in found.sweeps["HyperDepol_100"]] == ["1", "2"]
    assert "HyperDepol_100: cell step left out, its stimulus has another shape than most" in found.targets.notes


class TestRealCells:
    @pytest.mark.parametrize("name", RAT_CELLS)
    def test_pulses_of_spike_rec(self, name: str) -> None:
        """Amplitudes and spikes as in PROVENANCE.md; the spikes come after pulses of 2.5 to 3.5 ms."""
        said = stated(shared("rat_l5_pyramidal", "PROVENANCE.md"))[name, "SpikeRec"]
        found = [observe(item, MeasurementSettings()) for item in rat(("SpikeRec",), (name,), junction_mV=0.0)]
        sweeps = [sweep for sweep in found if isinstance(sweep, SweepMeasurement)]
        assert tuple(sweep.spikes for sweep in sweeps) == said.spikes
        amplitudes_pA = [1000.0 * sweep.stimulus.pieces[0].end_nA for sweep in sweeps]
        assert min(amplitudes_pA) == pytest.approx(said.lowest_pA, rel=0.05)
        assert max(amplitudes_pA) == pytest.approx(said.highest_pA, rel=0.05)

    def test_gap_between_pulses(self) -> None:
        asked = ProtocolRequest("SpikeRec", (Level(600.0, 200.0),), plain(["Spikecount"]), gap_ms=(15.0, 25.0))
        found = extract(rat(("IDthresh", "SpikeRec")), ExtractionPlan((asked,), THRESHOLD))
        (made,) = found.targets.protocols
        # One of the five cells was given negative pulses.
        assert sorted(sweep.cell for sweep in found.sweeps["SpikeRec_600"]) == list(RAT_CELLS[:4])
        first, second = made.stimulus.pieces
        assert second.onset_ms == pytest.approx(23.5, abs=0.3)
        assert made.stimulus.window_ms == (0.0, made.stimulus.duration_ms + 20.0)
        assert (first.duration_ms, second.duration_ms) == (pytest.approx(3.5, abs=0.2), pytest.approx(2.5, abs=0.2))

    def test_slow_afterhyperpolarisation(self) -> None:
        """The short step names the level, as in BluePyEfe; it sits on a long one of 40 % (here 80 % of rheobase)."""
        asked = ProtocolRequest(
            "sAHP", (Level(150.0, 20.0), Level(250.0, 30.0)), (FeatureRequest("Spikecount", measure_in=1),)
        )
        found = extract(rat(("IDthresh", "sAHP")), ExtractionPlan((asked,), THRESHOLD))
        assert [len(found.sweeps[name]) for name in ("sAHP_150", "sAHP_250")] == [5, 5]
        for made in found.targets.protocols:
            assert [piece.onset_ms for piece in made.stimulus.pieces] == pytest.approx([0.0, 500.0, 700.0], abs=2.0)
            assert made.stimulus.duration_ms == pytest.approx(2700.0, abs=3.0)
            long, short, after = (piece.end for piece in made.stimulus.pieces)
            assert long == pytest.approx(after, abs=3.0) == pytest.approx(82.0, abs=5.0)
            assert made.stimulus.level == short

    def test_channels_in_the_other_order(self) -> None:
        """The units say which channel is which; numbers as in PROVENANCE.md."""
        folder = RecordingFolder(
            shared("rat_l5_pyramidal", "units_in_other_channel_order"),
            "{cell}-SR-C1/exp_{protocol}_ch{channel}_{sweep}.ibw",
        )
        said = stated(shared("rat_l5_pyramidal", "PROVENANCE.md"))
        found = [observe(item, MeasurementSettings()) for item in read_recordings(folder)]
        sweeps = [sweep for sweep in found if isinstance(sweep, SweepMeasurement)]
        assert len(sweeps) == 8
        for protocol in ("APWaveform", "IDrest", "IV"):
            expected = said["units_in_other_channel_order/C080501A5", protocol]
            own = [sweep for sweep in sweeps if sweep.protocol == protocol]
            assert tuple(sweep.spikes for sweep in own) == expected.spikes
            assert min(1000.0 * sweep.step.amplitude_nA for sweep in own) == pytest.approx(expected.lowest_pA, abs=8.0)
            assert max(1000.0 * sweep.step.amplitude_nA for sweep in own) == pytest.approx(expected.highest_pA, abs=8.0)
            assert all(-72.0 < sweep.baseline_mV < -65.0 for sweep in own)


def test_time_to_the_first_spike_of_a_ramp() -> None:
    """A cell that fires when the ramp passes 0.1 nA, two thirds of its way to 0.15 nA."""
    flat = made_up(0.15, 1, protocol="Ramp", duration_ms=300.0)
    during = (np.arange(len(flat.current_nA)) >= 1000) & (np.arange(len(flat.current_nA)) < 4000)
    current_nA = np.where(during, 0.15 * (np.arange(len(flat.current_nA)) - 1000) / 3000, 0.0)
    ramp = dataclasses.replace(flat, current_nA=current_nA)
    recordings = [made_up(0.05, 0, protocol="IDthresh"), made_up(0.1, 1, protocol="IDthresh", sweep="1"), ramp]
    asked = ProtocolRequest("Ramp", (Level(150.0),), plain(["time_to_first_spike", "Spikecount"]))
    (made,) = extract(recordings, ExtractionPlan((asked,), THRESHOLD)).targets.protocols
    (piece,) = made.stimulus.pieces
    assert (piece.start, piece.end) == (pytest.approx(0.0, abs=3.0), pytest.approx(150.0, abs=3.0))
    assert made.stimulus.duration_ms == pytest.approx(300.0, abs=5.0)
    assert made.features[0].mean == pytest.approx(100.0, abs=5.0)
    assert made.features[1].mean == 1.0
