from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rheobase.features.extraction import extract
from rheobase.features.recording import Recording
from rheobase.features.requests import ExtractionPlan, FeatureRequest, Level, ProtocolRequest, plain
from rheobase.features.rheobase import RheobaseSettings
from rheobase.features.statistics import SMALLEST_STD, StatisticsSettings
from tests.features.recorded import made_up, rat

NO_FLOOR = StatisticsSettings(smallest_std_fraction=0.0, smallest_std=())
REQUEST = ProtocolRequest("IDrest", (Level(200.0, 20.0),), plain(["Spikecount", "time_to_first_spike"]))
PLAN = ExtractionPlan((REQUEST,), RheobaseSettings(("IDrest",)), statistics=NO_FLOOR)


def cell(name: str, gain: float, counts: tuple[int, ...]) -> list[Recording]:
    """Silent at 0.05 nA, one spike at 0.1 nA, the given counts at 0.2 nA; times the gain."""
    made = [made_up(0.05 * gain, 0, name, sweep="silent"), made_up(0.1 * gain, 1, name, sweep="first")]
    return [*made, *[made_up(0.2 * gain, count, name, sweep=str(place)) for place, count in enumerate(counts)]]


RECORDINGS = [*cell("few", 1.0, (4, 6)), *cell("many", 2.0, (8, 9, 10, 11, 12))]


def test_means_are_the_cells_own() -> None:
    found = extract(RECORDINGS, PLAN)
    few, many = found.cells["few"], found.cells["many"]
    assert list(found.cells) == ["few", "many"]
    assert few.objectives["IDrest_200.soma.v.Spikecount"].mean == 5.0
    assert many.objectives["IDrest_200.soma.v.Spikecount"].mean == 10.0
    assert (few.objectives["IDrest_200.soma.v.Spikecount"].cells, few.protocols[0].features[0].sweeps) == (1, 2)
    assert few.objectives["threshold_current"].mean == pytest.approx(0.1)
    assert many.objectives["threshold_current"].mean == pytest.approx(0.2)
    assert many.protocols[0].amplitude_nA == pytest.approx(0.4)
    assert [summary.name for summary in few.cells] == ["few"]


def test_standard_deviations() -> None:
    """Of the group with two sweeps, of its own with five; intrinsic ones always of the group."""
    found = extract(RECORDINGS, PLAN)
    together = found.targets.objectives
    assert together["IDrest_200.soma.v.Spikecount"].std == pytest.approx(np.std([5.0, 10.0], ddof=1))
    own = {name: targets.objectives["IDrest_200.soma.v.Spikecount"].std for name, targets in found.cells.items()}
    assert own["few"] == together["IDrest_200.soma.v.Spikecount"].std
    assert own["many"] == pytest.approx(np.std([8, 9, 10, 11, 12], ddof=1))
    for targets in found.cells.values():
        assert targets.objectives["threshold_current"].std == together["threshold_current"].std
    fewer = dataclasses.replace(PLAN, statistics=dataclasses.replace(NO_FLOOR, sweeps_for_own_std=2))
    assert extract(RECORDINGS, fewer).cells["few"].objectives["IDrest_200.soma.v.Spikecount"].std == pytest.approx(
        np.std([4, 6], ddof=1)
    )


def test_where_the_group_has_no_target_the_floor_is_the_standard_deviation() -> None:
    """A third cell alone fires fast enough to have an ISI_CV, and three cells are asked for."""
    request = dataclasses.replace(REQUEST, features=plain(["Spikecount", "AP_amplitude"]))
    statistics = StatisticsSettings(minimum_cells=2, smallest_std=(), smallest_std_of=(("AP_amplitude", 3.0),))
    recordings = [*cell("one", 1.0, (0, 0)), *cell("two", 1.0, (4, 6))]
    found = extract(recordings, dataclasses.replace(PLAN, protocols=(request,), statistics=statistics))
    assert [target.feature for target in found.targets.protocols[0].features] == ["Spikecount"]
    spikes, amplitude = found.cells["two"].protocols[0].features
    assert (amplitude.feature, amplitude.std, spikes.mean) == ("AP_amplitude", 3.0, 5.0)
    assert [target.feature for target in found.cells["one"].protocols[0].features] == ["Spikecount"]
    none = dataclasses.replace(statistics, smallest_std_of=(), smallest_std_fraction=0.0)
    found = extract(recordings, dataclasses.replace(PLAN, protocols=(request,), statistics=none))
    assert found.cells["two"].protocols[0].features[1].std == SMALLEST_STD


def test_floors_hold() -> None:
    statistics = StatisticsSettings(smallest_std_of=(("Spikecount", 7.0),))
    found = extract(RECORDINGS, dataclasses.replace(PLAN, statistics=statistics))
    assert {targets.objectives["IDrest_200.soma.v.Spikecount"].std for targets in found.cells.values()} == {7.0}


def test_what_a_request_says_of_a_feature_is_kept() -> None:
    asked = FeatureRequest("Spikecount", "early", measure_in=(0.0, 100.0), weight=2.0)
    plan = dataclasses.replace(PLAN, protocols=(dataclasses.replace(REQUEST, features=(asked,)),))
    (target,) = extract(RECORDINGS, plan).cells["few"].protocols[0].features
    assert (target.name, target.weight, target.window_ms) == ("early", 2.0, (0.0, 100.0))


def test_removed_sweeps_are_not_in_it() -> None:
    recordings = [*cell("odd", 1.0, (5, 40, 6)), *cell("one", 1.0, (5, 5, 6)), *cell("two", 1.0, (4, 5, 6))]
    kept = extract(recordings, PLAN)
    removed = extract(
        recordings, dataclasses.replace(PLAN, statistics=dataclasses.replace(NO_FLOOR, remove_outliers=True))
    )
    name = "IDrest_200.soma.v.Spikecount"
    assert kept.cells["odd"].objectives[name].mean == pytest.approx(17.0)
    assert (removed.cells["odd"].objectives[name].mean, removed.cells["odd"].objectives[name].sweeps) == (5.5, 2)
    assert removed.cells["odd"].objectives["IDrest_200.soma.v.time_to_first_spike"].sweeps in (2, 3)


def test_cells_without_a_sweep_in_a_level_have_no_target_of_it() -> None:
    other = [*cell("other", 1.0, ()), made_up(0.4, 12, "other", sweep="400")]
    both = dataclasses.replace(REQUEST, levels=(Level(200.0, 20.0), Level(400.0, 20.0)))
    found = extract([*cell("few", 1.0, (4, 6)), *other], dataclasses.replace(PLAN, protocols=(both,)))
    assert [protocol.name for protocol in found.targets.protocols] == ["IDrest_200", "IDrest_400"]
    assert [protocol.name for protocol in found.cells["few"].protocols] == ["IDrest_200"]
    assert [protocol.name for protocol in found.cells["other"].protocols] == ["IDrest_400"]


def test_real_cells_average_to_the_group() -> None:
    plan = ExtractionPlan(rheobase=RheobaseSettings(("IDthresh",)))
    found = extract(rat(("IDthresh", "IV")), plan)
    for name, target in found.targets.objectives.items():
        own = [targets.objectives[name] for targets in found.cells.values() if name in targets.objectives]
        assert len(own) == target.cells
        assert np.mean([one.mean for one in own]) == pytest.approx(target.mean), name
        assert all(one.std > 0 and one.unit == target.unit for one in own)
