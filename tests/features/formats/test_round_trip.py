"""Any targets, written as BluePyEfe or BluePyEModel have them and read again, keep every number."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from rheobase.features.formats.bluepyefe import read_bluepyefe, write_bluepyefe
from rheobase.features.formats.bluepyemodel import read_bluepyemodel, write_bluepyemodel
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.sites import RecordingSite
from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece, Unit
from rheobase.features.targets import INTRINSIC_UNITS, FeatureTarget, FeatureTargets, ProtocolTargets
from tests.features.formats.reading import acting, numbers

NAMES = (
    "IDrest_150", "IV_-40.5", "APWaveform_300", "Ramp_200", "sAHP_250", "HyperDepol_-160", "DeHyperpol_-40",
    "SpikeRecMultiSpikes_600", "PosCheops_300", "bAP", "LongDC", "H40S8_all",
)  # fmt: skip
MEASURED = {"mean_frequency": "Hz", "voltage_base": "mV", "Spikecount": "", "AP_amplitude": "mV", "ISI_CV": ""}
SITES = (
    RecordingSite("dend1", "apical", 208.25, "apical_trunk"),
    RecordingSite("ais", "axonal", section=1, position=0.25),
)
TRIES = settings(max_examples=60, deadline=None, derandomize=True)

times_ms = some.floats(0.1, 3000.0).map(lambda value: round(value, 4))
gaps_ms = some.one_of(some.just(0.0), times_ms)
values = some.floats(-1e3, 1e3).map(lambda value: value + 0.0)
deviations = some.floats(1e-6, 1e3)
levels = some.floats(-1000.0, 1000.0).map(lambda value: round(value, 6) + 0.0)
counts = some.integers(0, 200)
windows = some.one_of(some.none(), some.tuples(some.floats(-50.0, 0.0), some.floats(0.1, 900.0)).map(
    lambda window: (round(window[0], 4) + 0.0, round(window[1], 4))
))  # fmt: skip
measurements = some.builds(
    MeasurementSettings,
    some.sampled_from([-20.0, -30.0, -55.5]),
    some.sampled_from([0.1, 0.025]),
    some.booleans(),
    some.sampled_from([(), (("max_spike_skip", 3),), (("sahp_start", 4.5), ("voltage_base_mode", "median"))]),
)


@some.composite
def pieces(draw: some.DrawFn) -> tuple[TargetPiece, ...]:
    """Up to six pieces; often with equal times and levels, as real stimuli have them."""
    length = draw(some.integers(1, 6))
    duration_ms, gap_ms, level = draw(times_ms), draw(gaps_ms), draw(levels)
    onset_ms, made = 0.0, []
    for _ in range(length):
        own_ms = draw(some.sampled_from([duration_ms, draw(times_ms)]))
        start = draw(some.sampled_from([level, 0.0, draw(levels)]))
        end = draw(some.sampled_from([start, level, draw(levels)]))
        made.append(TargetPiece(onset_ms, own_ms, start, end))
        onset_ms = round(onset_ms + own_ms + draw(some.sampled_from([gap_ms, 0.0])), 4)
    return tuple(made)


@some.composite
def stimuli(draw: some.DrawFn) -> ProtocolStimulus:
    unit: Unit = draw(some.sampled_from(get_args(Unit)))
    return ProtocolStimulus(
        draw(pieces()),
        unit,
        window_ms=draw(windows),
        before_ms=draw(times_ms),
        after_ms=draw(times_ms),
        holding_nA=draw(levels) if unit == "nA" else None,
    )


@some.composite
def protocols(draw: some.DrawFn, name: str) -> ProtocolTargets:
    injected = draw(stimuli())
    features = some.builds(
        lambda feature, mean, std, cells, sweeps, place, weight, label, window_ms, how: FeatureTarget(
            feature, mean, std, MEASURED[feature], cells, sweeps, place, "v", weight, label, window_ms, how
        ),
        some.sampled_from(sorted(MEASURED)),
        values,
        deviations,
        counts,
        counts,
        some.sampled_from(["soma", *(site.name for site in SITES)]),
        some.floats(0.0, 10.0),
        some.sampled_from(["", "early", "late"]),
        windows,
        some.one_of(some.none(), measurements),
    )
    chosen = draw(some.lists(features, min_size=1, max_size=4, unique_by=lambda each: (each.location, each.label)))
    amplitude_nA = injected.level if injected.unit == "nA" else draw(levels)
    return ProtocolTargets(name, injected, amplitude_nA, tuple(chosen), draw(measurements))


@some.composite
def any_targets(draw: some.DrawFn) -> FeatureTargets:
    names = draw(some.lists(some.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    kinds = draw(some.lists(some.sampled_from(sorted(INTRINSIC_UNITS)), unique=True))
    intrinsic = tuple(
        FeatureTarget(kind, draw(some.floats(0.01, 100.0)), draw(deviations), unit, draw(counts), draw(counts))
        for kind, unit in INTRINSIC_UNITS.items()
        if kind in kinds
    )
    chosen = tuple(draw(protocols(name)) for name in names)
    # Of a stimulus of 0 % the tables cannot tell how many nA that was.
    assume(all(any(piece.start or piece.end for piece in one.stimulus.pieces) for one in chosen))
    return FeatureTargets(draw(values), draw(times_ms), intrinsic, chosen, sites=SITES)


def through_bluepyefe(targets: FeatureTargets) -> FeatureTargets:
    with tempfile.TemporaryDirectory() as folder:
        write_bluepyefe(targets, Path(folder))
        return read_bluepyefe(Path(folder) / "features.json", Path(folder) / "protocols.json")


def through_bluepyemodel(targets: FeatureTargets) -> FeatureTargets:
    with tempfile.TemporaryDirectory() as folder:
        write_bluepyemodel(targets, Path(folder) / "model.json")
        return read_bluepyemodel(Path(folder) / "model.json")


def check_same(targets: FeatureTargets, reread: FeatureTargets) -> None:
    assert numbers(reread) == numbers(targets)
    assert reread.holding_voltage_mV == targets.holding_voltage_mV
    before, after = acting(targets), acting(reread)
    assert {name: found[:2] for name, found in after.items()} == {name: found[:2] for name, found in before.items()}
    for name, found in after.items():
        assert found[2] == pytest.approx(before[name][2], abs=1e-6), name
        assert found[3] == before[name][3], name
    for one, other in zip(targets.protocols, reread.protocols, strict=True):
        check_same_stimulus(one, other)


def check_same_stimulus(one: ProtocolTargets, other: ProtocolTargets) -> None:
    assert (other.name, other.stimulus.unit, other.stimulus.holding_nA) == (
        one.name,
        one.stimulus.unit,
        one.stimulus.holding_nA,
    )
    assert other.amplitude_nA == pytest.approx(one.amplitude_nA, rel=1e-9)
    assert other.stimulus.level == pytest.approx(one.stimulus.level, rel=1e-9)
    for name in ("before_ms", "after_ms"):
        assert getattr(other.stimulus, name) == pytest.approx(getattr(one.stimulus, name), abs=1e-6)
    for mine, theirs in zip(one.stimulus.pieces, other.stimulus.pieces, strict=True):
        assert (theirs.onset_ms, theirs.duration_ms) == pytest.approx((mine.onset_ms, mine.duration_ms), abs=1e-6)
        assert (theirs.start, theirs.end) == pytest.approx((mine.start, mine.end), rel=1e-9, abs=1e-7)


@TRIES
@given(any_targets())
def test_through_bluepyefe(targets: FeatureTargets) -> None:
    reread = through_bluepyefe(targets)
    check_same(targets, reread)
    for name, target in targets.objectives.items():
        if name not in ("holding_current", "threshold_current"):  # of which BluePyEfe keeps no number of cells
            assert (reread.objectives[name].cells, reread.objectives[name].sweeps) == (target.cells, target.sweeps)
    assert through_bluepyefe(reread) == reread


@TRIES
@given(any_targets())
def test_through_bluepyemodel(targets: FeatureTargets) -> None:
    reread = through_bluepyemodel(targets)
    check_same(targets, reread)
    for name, target in targets.objectives.items():
        assert reread.objectives[name].sweeps == (target.sweeps or target.cells)
    assert through_bluepyemodel(reread) == reread
