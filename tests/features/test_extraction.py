from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.features.extraction import ExtractionPlan, ProtocolRequest, extract
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.recording import Recording
from rheobase.features.statistics import StatisticsSettings
from rheobase.features.sweeps import SweepMeasurement, measure_sweep
from rheobase.features.targets import FeatureTargets
from tests.features.provenance import stated
from tests.features.recorded import RAT_CELLS, igor, made_up, rat
from tests.shared_data import shared

IDREST = ProtocolRequest(
    "IDrest", (150.0, 200.0), ("mean_frequency", "Spikecount", "voltage_base"), tolerance_percent=20.0
)
PLAN = ExtractionPlan(
    protocols=(IDREST, ProtocolRequest("IV", (-50.0,), (), features_below=("voltage_base",))),
    rheobase_protocols=("IDrest",),
)


def cell(name: str = "cell", gain: float = 1.0) -> list[Recording]:
    """A cell with a rheobase of 0.1 nA times the gain."""
    steps = ((0.05, 0), (0.1, 1), (0.15, 4), (0.2, 8))
    made = [
        made_up(gain * amplitude, spikes, name, sweep=str(place)) for place, (amplitude, spikes) in enumerate(steps)
    ]
    return [*made, made_up(-0.05 * gain, 0, name, "IV"), made_up(-0.1 * gain, 0, name, "IV", "1")]


def protocol(targets: FeatureTargets, name: str) -> dict[str, float]:
    (found,) = [item for item in targets.protocols if item.name == name]
    return {target.feature: target.mean for target in found.features}


class TestReferenceNumbers:
    def test_rheobase_and_spike_count_of_b6_and_b8(self) -> None:
        """As in BluePyEfe's own tests: .119 and .0923 nA, 78.5 +- 3.5 spikes at 250 % (both cells' sweeps pooled)."""
        recordings = [recording for recording in igor() if recording.cell in ("B6", "B8")]
        plan = ExtractionPlan(
            protocols=(ProtocolRequest("IDRest", (250.0,), ("Spikecount",)),),
            rheobase_protocols=("IDRest",),
            statistics=StatisticsSettings(over="sweeps", smallest_std_fraction=0.0),
            junction_potential_mV=14.0,
        )
        targets = extract(recordings, plan).targets
        rheobase = {summary.name: summary.rheobase_nA for summary in targets.cells}
        assert rheobase["B6"] == pytest.approx(0.119, abs=0.01)
        assert rheobase["B8"] == pytest.approx(0.0923, abs=0.01)
        (target,) = targets.protocols[0].features
        assert target.mean == pytest.approx(78.5)
        assert target.std == pytest.approx(3.5)
        assert (target.cells, target.sweeps) == (2, 2)

    def test_smallest_step_that_spikes_is_not_bracketed(self) -> None:
        plan = ExtractionPlan(protocols=(ProtocolRequest("IDRest", (100.0,), ("Spikecount",)),))
        targets = extract(igor(), plan).targets
        assert not any(summary.bracketed for summary in targets.cells)
        for name in ("B6", "B8", "B95"):
            assert f"cell {name}: its smallest step spikes already; the rheobase may be lower" in targets.notes

    @pytest.mark.parametrize("name", RAT_CELLS)
    def test_spikes_and_amplitudes_of_the_rat_cells(self, name: str) -> None:
        """As PROVENANCE.md states them, measured without junction potential at -20 mV."""
        said = stated(shared("rat_l5_pyramidal", "PROVENANCE.md"))
        checked = 0
        for wanted in ("IDrest", "IDthresh", "IV", "APWaveform"):
            found = [
                measure_sweep(recording, [], MeasurementSettings())
                for recording in rat(("IDrest", "IDthresh", "IV", "APWaveform"), junction_mV=0.0)
                if (recording.cell, recording.protocol) == (name, wanted)
            ]
            measured = [sweep for sweep in found if isinstance(sweep, SweepMeasurement)]
            expected = said[name, wanted]
            assert len(found) == expected.sweeps
            assert len(measured) >= expected.sweeps - 1  # one IV step of some cells is zero
            amplitudes_pA = [1000.0 * sweep.step.amplitude_nA for sweep in measured]
            assert min(amplitudes_pA) == pytest.approx(expected.lowest_pA, abs=8.0)
            assert max(amplitudes_pA) == pytest.approx(expected.highest_pA, abs=8.0)
            if len(measured) == expected.sweeps:
                # APWaveform's steps of 50 ms can end before the spike that they caused.
                after = 1 if wanted == "APWaveform" else 0
                for sweep, spikes in zip(measured, expected.spikes, strict=True):
                    assert spikes - after <= sweep.spikes <= spikes, (wanted, sweep.sweep)
                checked += 1
        assert checked >= 3

    def test_rat_cells(self) -> None:
        """Rheobase between the silent and the spiking step of IDthresh; holding near -84 mV; published resistances."""
        plan = ExtractionPlan(rheobase_protocols=("IDthresh",), junction_potential_mV=14.0)
        targets = extract(rat(("IDthresh", "IV")), plan).targets
        summaries = {summary.name: summary for summary in targets.cells}
        assert set(summaries) == set(RAT_CELLS)
        assert all(summary.bracketed for summary in summaries.values())
        for name, low, high in (("C060109A3", 0.22, 0.26), ("C060112A3", 0.115, 0.13), ("C060116A1", 0.36, 0.39)):
            assert low < summaries[name].rheobase_nA < high
        assert all(-87.0 < summary.holding_voltage_mV < -82.0 for summary in summaries.values())
        resistance = targets.objectives["input_resistance"]
        assert resistance.mean == pytest.approx(np.mean([44, 118, 59, 51, 33]), rel=0.15)  # PROVENANCE.md
        assert resistance.cells == 5


class TestLeftOut:
    def test_a_cell_that_never_spikes(self) -> None:
        silent = [made_up(0.05 * step, 0, "silent", sweep=str(step)) for step in range(1, 4)]
        found = extract([*cell("good"), *silent], PLAN)
        assert [summary.name for summary in found.targets.cells] == ["good"]
        assert "cell silent left out: no step made it spike, so its rheobase is unknown" in found.targets.notes
        assert {sweep.cell for sweeps in found.sweeps.values() for sweep in sweeps} == {"good"}

    def test_no_cell_spikes(self) -> None:
        with pytest.raises(FeatureError, match=r"no targets: expected cells with steps.*got 1 cells.*silent left out"):
            extract([made_up(0.05, 0, "silent")], PLAN)

    def test_no_sweep_at_all(self) -> None:
        with pytest.raises(FeatureError, match=r"no targets: .*got 0 cells with steps .there was no sweep at all."):
            extract([], PLAN)

    def test_sweeps_without_a_step(self) -> None:
        flat = dataclasses.replace(made_up(0.1, 1), current_nA=np.zeros(4000), sweep="flat")
        found = extract([*cell(), flat], PLAN)
        assert any(note.startswith("cell IDrest flat: no step above the noise") for note in found.targets.notes)

    def test_a_level_without_sweeps(self) -> None:
        plan = dataclasses.replace(PLAN, protocols=(IDREST, ProtocolRequest("IDrest", (900.0,), ("Spikecount",))))
        notes = extract(cell(), plan).targets.notes
        assert "IDrest_900 left out: no sweep within 10 % has its features" in notes

    def test_too_few_cells(self) -> None:
        plan = dataclasses.replace(PLAN, statistics=StatisticsSettings(minimum_cells=2))
        found = extract(cell(), plan).targets
        assert found.intrinsic == ()
        assert found.protocols == ()
        assert "threshold_current left out: measured in 1 cells only" in found.notes
        assert "IDrest_150 mean_frequency left out: measured in 1 cells only" in found.notes

    def test_shapes_of_coarsely_sampled_spikes(self) -> None:
        recording = made_up(0.2, 5)
        coarse = dataclasses.replace(
            recording, time_step_ms=0.25, voltage_mV=recording.voltage_mV[::2], current_nA=recording.current_nA[::2]
        )
        fine_sweep = measure_sweep(recording, ["AP_width", "Spikecount"], MeasurementSettings())
        coarse_sweep = measure_sweep(coarse, ["AP_width", "Spikecount"], MeasurementSettings())
        assert isinstance(fine_sweep, SweepMeasurement)
        assert isinstance(coarse_sweep, SweepMeasurement)
        assert set(fine_sweep.features) == {"AP_width", "Spikecount"}
        assert set(coarse_sweep.features) == {"Spikecount"}


class TestScaling:
    def test_levels_are_percent_of_each_cells_own_rheobase(self) -> None:
        found = extract([*cell("weak", 0.5), *cell("strong", 2.0)], PLAN)
        for level, spikes in ((150, 4.0), (200, 8.0)):
            assert protocol(found.targets, f"IDrest_{level}")["Spikecount"] == spikes
            assert len(found.sweeps[f"IDrest_{level}"]) == 2
        (at_150,) = [item for item in found.targets.protocols if item.name == "IDrest_150"]
        assert at_150.amplitude_percent == pytest.approx(150.0)
        assert at_150.amplitude_nA == pytest.approx(0.15 * 1.25)
        assert at_150.duration_ms == 200.0
        assert [summary.rheobase_nA for summary in found.targets.cells] == pytest.approx([0.05, 0.2])

    def test_intrinsic_properties(self) -> None:
        found = extract(cell(), PLAN).targets.objectives
        assert found["threshold_current"].mean == pytest.approx(0.1)
        assert found["input_resistance"].mean == pytest.approx(100.0, rel=1e-6)
        assert found["holding_current"].mean == pytest.approx(0.0, abs=1e-9)
        assert found["resting_potential"].mean == pytest.approx(-70.0, abs=0.01)

    def test_case_of_protocols_does_not_matter(self) -> None:
        lower = [dataclasses.replace(recording, protocol=recording.protocol.lower()) for recording in cell()]
        assert extract(lower, PLAN).targets.objectives == extract(cell(), PLAN).targets.objectives

    def test_standard_plan(self) -> None:
        found = extract([*cell(), made_up(0.25, 1, protocol="APWaveform", duration_ms=50.0)], ExtractionPlan())
        names = [item.name for item in found.targets.protocols]
        assert names == ["APWaveform_250", "IDrest_150", "IDrest_200", "IV_-100", "IV_-40"]
        assert "AP_duration_half_width" in protocol(found.targets, "APWaveform_250")
        assert "mean_frequency" in protocol(found.targets, "IDrest_200")
        assert "sag_ratio1" in protocol(found.targets, "IV_-100")
        assert found.targets.threshold_duration_ms == 200.0

    def test_progress(self) -> None:
        seen: list[Recording] = []
        extract(cell(), PLAN, seen.append)
        assert [recording.sweep for recording in seen] == [recording.sweep for recording in cell()]


class TestProperties:
    @settings(max_examples=20, deadline=None)
    @given(order=st.permutations(range(12)))
    def test_order_of_sweeps_does_not_matter(self, order: list[int]) -> None:
        recordings = [*cell("one"), *cell("two", 1.5)]
        reference = extract(recordings, PLAN).targets.objectives
        found = extract([recordings[place] for place in order], PLAN).targets.objectives
        assert set(found) == set(reference)
        for name, target in found.items():
            assert target.mean == pytest.approx(reference[name].mean, rel=1e-9, abs=1e-12), name
            assert target.std == pytest.approx(reference[name].std, rel=1e-9), name

    @settings(max_examples=10, deadline=None)
    @given(offset=st.floats(-15.0, 15.0))
    def test_a_junction_potential_shifts_voltages_and_nothing_else(self, offset: float) -> None:
        """With the spike threshold shifted alike."""
        shifted = [dataclasses.replace(item, voltage_mV=item.voltage_mV - offset) for item in cell()]
        plan = dataclasses.replace(PLAN, settings=MeasurementSettings(-20.0 - offset))
        reference, found = extract(cell(), PLAN).targets, extract(shifted, plan).targets
        assert found.holding_voltage_mV == pytest.approx(reference.holding_voltage_mV - offset)
        for name, target in found.objectives.items():
            expected = reference.objectives[name].mean
            if name == "resting_potential" or name.endswith("voltage_base"):
                expected -= offset
            assert target.mean == pytest.approx(expected, rel=1e-6, abs=1e-6), name

    def test_holding_current_is_not_part_of_the_step(self) -> None:
        held = [dataclasses.replace(item, current_nA=item.current_nA + 0.3) for item in cell()]
        reference, found = extract(cell(), PLAN).targets, extract(held, PLAN).targets
        assert found.objectives["holding_current"].mean == pytest.approx(0.3)
        assert found.objectives["threshold_current"] == pytest.approx(reference.objectives["threshold_current"]) or (
            found.objectives["threshold_current"].mean == pytest.approx(0.1)
        )
        assert "resting_potential" not in found.objectives  # every current was above zero
