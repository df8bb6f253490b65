from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.extraction import extract
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.recording import Recording
from rheobase.features.requests import ExtractionPlan, FeatureRequest, Level, Place, ProtocolRequest, plain
from rheobase.features.rheobase import RheobaseSettings
from rheobase.features.statistics import StatisticsSettings
from rheobase.features.sweeps import SweepMeasurement, observe
from rheobase.features.targets import FeatureTargets
from tests.features.provenance import stated
from tests.features.recorded import RAT_CELLS, igor, made_up, rat
from tests.shared_data import shared

IDREST = ProtocolRequest(
    "IDrest", (Level(150.0, 20.0), Level(200.0, 20.0)), plain(["mean_frequency", "Spikecount", "voltage_base"])
)
PLAN = ExtractionPlan(
    protocols=(IDREST, ProtocolRequest("IV", (Level(-50.0),), (), features_below=plain(["voltage_base"]))),
    rheobase=RheobaseSettings(("IDrest",)),
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
            protocols=(ProtocolRequest("IDRest", (Level(250.0),), plain(["Spikecount"])),),
            rheobase=RheobaseSettings(("IDRest",)),
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
        plan = ExtractionPlan(protocols=(ProtocolRequest("IDRest", (Level(100.0),), plain(["Spikecount"])),))
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
                observe(recording, MeasurementSettings())
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
        plan = ExtractionPlan(rheobase=RheobaseSettings(("IDthresh",)), junction_potential_mV=14.0)
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

    def test_a_cell_without_the_steps_that_define_the_rheobase(self) -> None:
        other = [dataclasses.replace(item, protocol="Else") for item in cell("other")]
        notes = extract([*cell("good"), *other], PLAN).targets.notes
        assert "cell other left out: it has no single steps of IDrest, so its rheobase is unknown" in notes
        brief = [made_up(0.3, 1, "brief", duration_ms=50.0)]
        notes = extract([*cell("good"), *brief], dataclasses.replace(PLAN, rheobase=RheobaseSettings())).targets.notes
        assert "cell brief left out: it has no single steps of 100 ms or more, so its rheobase is unknown" in notes

    def test_a_cell_that_spikes_in_stimuli_of_several_levels_only(self) -> None:
        made = cell("two steps")
        after = np.arange(len(made[0].current_nA)) >= 3200
        two = [dataclasses.replace(item, current_nA=item.current_nA - 0.2 * after * (np.arange(4000) < 3600))
               for item in made]  # fmt: skip
        notes = extract([*cell("good"), *two], PLAN).targets.notes
        note = (
            "cell two steps left out: it has no single steps of IDrest (3 with levels did, which say nothing about it: "
            "give their levels in nA), so its rheobase is unknown"
        )
        assert note in notes

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
        plan = dataclasses.replace(
            PLAN, protocols=(IDREST, ProtocolRequest("IDrest", (Level(900.0),), plain(["Spikecount"])))
        )
        notes = extract(cell(), plan).targets.notes
        assert "IDrest_900 left out: no sweep within 10 % has its features" in notes

    def test_too_few_cells(self) -> None:
        plan = dataclasses.replace(PLAN, statistics=StatisticsSettings(minimum_cells=2))
        found = extract(cell(), plan).targets
        assert found.intrinsic == ()
        assert found.protocols == ()
        assert "threshold_current left out: measured in 1 cells only" in found.notes
        assert "IDrest_150 mean_frequency left out: measured in 1 cells (1 sweeps) only" in found.notes

    def test_shapes_of_coarsely_sampled_spikes(self) -> None:
        """Half of the cells are sampled every 0.25 ms; the note names their sweeps."""
        request = ProtocolRequest("IDrest", (Level(200.0),), plain(["AP_width", "Spikecount"]))
        coarse = [
            dataclasses.replace(
                item, time_step_ms=0.3, voltage_mV=item.voltage_mV[::3], current_nA=item.current_nA[::3]
            )
            for item in cell("coarse")
        ]
        found = extract([*cell("fine"), *coarse], dataclasses.replace(PLAN, protocols=(request,))).targets
        width, count = found.protocols[0].features
        assert (width.feature, width.cells, width.sweeps) == ("AP_width", 1, 1)
        assert (count.feature, count.cells, count.sweeps) == ("Spikecount", 2, 2)
        assert (
            "IDrest_200 AP_width not measured in sweeps sampled every 0.3 ms "
            "(shapes of action potentials need 0.1 ms): coarse 3" in found.notes
        )


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
        assert {summary.name: summary.rheobase_nA for summary in found.targets.cells} == pytest.approx(
            {"weak": 0.05, "strong": 0.2}
        )

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

    def test_levels_in_nA(self) -> None:
        """Both cells' sweeps of 0.15 nA, at 150 % of one's rheobase and at 75 % of the other's."""
        request = ProtocolRequest("IDrest", (Level(0.15, 0.01, "nA"), Level(-0.2, 0.01, "nA")), plain(["Spikecount"]))
        recordings = [*cell("strong", 2.0), *cell("weak"), made_up(0.15, 0, "strong", sweep="more")]
        found = extract(recordings, dataclasses.replace(PLAN, protocols=(request,)))
        (at,) = found.targets.protocols
        assert (at.name, at.stimulus.unit, at.amplitude_percent) == ("IDrest_0.15", "nA", None)
        assert at.stimulus.level == pytest.approx(0.15)
        assert {(sweep.cell, sweep.spikes) for sweep in found.sweeps["IDrest_0.15"]} == {("weak", 4), ("strong", 0)}
        assert "IDrest_-0.2 left out: no sweep within 0.01 nA has its features" in found.targets.notes

    def test_cells_that_never_spike_take_part_in_levels_in_nA(self) -> None:
        silent = [made_up(0.15, 0, "silent", sweep="0"), made_up(-0.1, 0, "silent", "IV")]
        absolute = ProtocolRequest("IDrest", (Level(0.15, 0.01, "nA"),), plain(["voltage_base"]))
        found = extract(silent, dataclasses.replace(PLAN, protocols=(absolute,))).targets
        assert [summary.rheobase_nA for summary in found.cells] == [None]
        assert found.protocols[0].features[0].cells == 1
        assert "threshold_current" not in found.objectives
        mixed = dataclasses.replace(PLAN, protocols=(absolute, dataclasses.replace(IDREST, name="relative")))
        targets = extract([*cell("good"), *silent], mixed).targets
        assert targets.objectives["IDrest_0.15.soma.v.voltage_base"].cells == 2
        assert targets.objectives["relative_150.soma.v.voltage_base"].cells == 1
        note = "cell silent: no step made it spike; it has no part in levels in %"
        assert note in targets.notes

    def test_a_tolerance_for_each_level(self) -> None:
        recordings = [*cell(), made_up(0.17, 5, sweep="170"), made_up(0.22, 9, sweep="220")]
        request = dataclasses.replace(IDREST, levels=(Level(150.0, 25.0), Level(200.0, 5.0)))
        found = extract(recordings, dataclasses.replace(PLAN, protocols=(request,))).sweeps
        assert [sweep.sweep for sweep in found["IDrest_150"]] == ["2", "170"]
        assert [sweep.sweep for sweep in found["IDrest_200"]] == ["3"]

    @pytest.mark.parametrize(("method", "rheobase_nA"), [("lowest", 0.1), ("interpolated", 0.05 + 0.05 / 1)])
    def test_the_method_of_the_rheobase_scales_the_levels(self, method: str, rheobase_nA: float) -> None:
        plan = dataclasses.replace(PLAN, rheobase=RheobaseSettings(("IDrest",), method))  # type: ignore[arg-type]
        found = extract(cell(), plan).targets
        assert found.cells[0].rheobase_nA == pytest.approx(rheobase_nA)
        assert found.protocols[0].stimulus.level == pytest.approx(15.0 / rheobase_nA)

    def test_progress(self) -> None:
        seen: list[Recording] = []
        extract(cell(), PLAN, seen.append)
        assert [recording.sweep for recording in seen] == [recording.sweep for recording in cell()]


class TestRequests:
    def test_two_requests_of_a_protocol_keep_out_of_each_others_way(self) -> None:
        other = ProtocolRequest(
            "idrest",
            (Level(200.0),),
            plain(["Spikecount", "AP_amplitude"]),
            name="High",
            settings=MeasurementSettings(spike_threshold_mV=50.0),
        )
        plan = dataclasses.replace(PLAN, protocols=(IDREST, other))
        recordings = [*cell(), made_up(0.2, 8, sweep="small", spike_mV=80.0)]
        found = extract(recordings, plan).targets
        assert protocol(found, "IDrest_200")["Spikecount"] == 8.0
        assert "Spikecount" in protocol(found, "High_200")
        assert "AP_amplitude" not in protocol(found, "IDrest_200")
        assert found.objectives["High_200.soma.v.Spikecount"].mean < 8.0
        assert [item.settings.spike_threshold_mV for item in found.protocols] == [-20.0, -20.0, 50.0]

    def test_the_same_target_twice(self) -> None:
        again = dataclasses.replace(IDREST, protocol="IDREST", levels=(Level(200.0, 5.0),))
        with pytest.raises(FeatureError, match="IDREST_200 is asked for twice; give one of the two requests a name"):
            ExtractionPlan(protocols=(IDREST, again))

    def test_the_same_feature_twice(self) -> None:
        with pytest.raises(FeatureError, match="IDrest wants Spikecount twice; give one of them a name of its own"):
            ProtocolRequest("IDrest", (Level(100.0),), plain(["Spikecount", "Spikecount"]))

    def test_unknown_features(self) -> None:
        with pytest.raises(FeatureError, match="there is no feature 'Spikecout'; did you mean Spikecount"):
            plain(["Spikecout"])

    @pytest.mark.parametrize("place", [-1, (5.0, 5.0), (10.0, 2.0)])
    def test_impossible_places(self, place: Place) -> None:
        message = "a place of measurement is a piece, from 0, or a time with its end after its start, got"
        with pytest.raises(FeatureError, match=message):
            FeatureRequest("Spikecount", measure_in=place)
        with pytest.raises(FeatureError, match=message):
            dataclasses.replace(IDREST, measure_in=place)

    def test_two_places_of_one_step(self) -> None:
        first = dataclasses.replace(IDREST, window_ms=(100.0, 200.0))
        second = dataclasses.replace(IDREST, name="other", window_ms=(100.0, 300.0))
        with pytest.raises(FeatureError, match=r"the step of IDrest cannot be both at .100.0, 200.0. and at"):
            ExtractionPlan(protocols=(first, second))

    def test_tolerance(self) -> None:
        with pytest.raises(FeatureError, match="the tolerance of level 150 must be above zero, got 0"):
            Level(150.0, 0.0)

    def test_settings_and_windows_of_single_features(self) -> None:
        high = MeasurementSettings(spike_threshold_mV=50.0)
        request = ProtocolRequest(
            "IDrest",
            (Level(200.0),),
            (
                FeatureRequest("Spikecount"),
                FeatureRequest("Spikecount", "none", settings=high, weight=3.0),
                FeatureRequest("Spikecount", "first_half", measure_in=(0.0, 100.0)),
            ),
        )
        found = extract(cell(), dataclasses.replace(PLAN, protocols=(request,))).targets
        whole, none, half = found.protocols[0].features
        assert (whole.mean, none.mean, half.mean) == (8.0, 0.0, 4.0)
        assert (none.settings, none.weight, none.window_ms) == (high, 3.0, None)
        assert (half.settings, half.weight, half.window_ms) == (None, 1.0, (0.0, 100.0))
        assert list(found.groups)[-3:] == [
            "IDrest_200.soma.v.Spikecount",
            "IDrest_200.soma.v.none",
            "IDrest_200.soma.v.first_half",
        ]

    def test_a_window_beyond_the_sweep(self) -> None:
        request = ProtocolRequest(
            "IDrest", (Level(200.0),), (FeatureRequest("Spikecount", measure_in=(0.0, 301.0)), FeatureRequest("ISI_CV"))
        )
        found = extract(cell(), dataclasses.replace(PLAN, protocols=(request,))).targets
        assert list(protocol(found, "IDrest_200")) == ["ISI_CV"]
        assert "IDrest_200 Spikecount left out: measured in 0 cells (0 sweeps) only" in found.notes

    def test_only_sweeps_of_levels_are_measured_unless_asked(self) -> None:
        (few,) = extract(cell(), PLAN).measurements
        (many,) = extract(cell(), dataclasses.replace(PLAN, every_sweep=True)).measurements
        assert [bool(sweep.features) for sweep in few.sweeps] == [False, False, True, True, True, False]
        assert all(sweep.features for sweep in many.sweeps)
        assert [sweep.features for sweep in many.sweeps if sweep.sweep == "3"] == [
            {
                "idrest": {
                    "Spikecount": 8.0,
                    "mean_frequency": pytest.approx(45.3, abs=0.1),
                    "voltage_base": pytest.approx(-70.0, abs=0.2),
                }
            }
        ]
        assert extract(cell(), dataclasses.replace(PLAN, every_sweep=True)).targets == extract(cell(), PLAN).targets

    def test_features_of_the_current(self) -> None:
        request = ProtocolRequest("IDrest", (Level(200.0),), plain(["current_base", "Spikecount"]))
        held = [dataclasses.replace(item, current_nA=item.current_nA - 0.05) for item in cell()]
        found = extract(held, dataclasses.replace(PLAN, protocols=(request,))).targets
        assert protocol(found, "IDrest_200")["current_base"] == pytest.approx(-0.05, abs=0.003)
        assert found.objectives["IDrest_200.soma.v.current_base"].unit == "nA"


class TestOutliers:
    def recordings(self) -> list[Recording]:
        odd = [dataclasses.replace(item, voltage_mV=item.voltage_mV - 30.0) for item in cell("odd")]
        return [*odd, *[item for place in range(5) for item in cell(f"c{place}", 1.0 + 0.1 * place)]]

    def test_reported_and_kept(self) -> None:
        found = extract(self.recordings(), PLAN).targets
        named = {(outlier.objective, outlier.cell, outlier.sweep, outlier.kept) for outlier in found.outliers}
        assert ("IDrest_200.soma.v.voltage_base", "odd", "IDrest 3", True) in named
        assert {cell for _, cell, _, _ in named} == {"odd"}
        assert found.objectives["IDrest_200.soma.v.voltage_base"].mean == pytest.approx(-75.0, abs=0.2)

    def test_removed_when_asked(self) -> None:
        plan = dataclasses.replace(PLAN, statistics=StatisticsSettings(remove_outliers=True))
        found = extract(self.recordings(), plan).targets
        assert not any(outlier.kept for outlier in found.outliers)
        target = found.objectives["IDrest_200.soma.v.voltage_base"]
        assert (target.mean, target.cells) == (pytest.approx(-70.0, abs=0.2), 5)
        assert found.objectives["IDrest_200.soma.v.Spikecount"].cells == 6
