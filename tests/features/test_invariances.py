"""What must not change the targets: units, order, a shift in time, the sampling, holding and junction potential."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.extraction import extract
from rheobase.features.joining import FoundSweep, join
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.recording import Channel, Recording
from rheobase.features.requests import ExtractionPlan, Level, ProtocolRequest, plain
from rheobase.features.rheobase import RheobaseSettings
from rheobase.features.targets import FeatureTargets
from tests.features.recorded import made_up, rat

NAMES = ("mean_frequency", "Spikecount", "voltage_base", "time_to_first_spike", "AHP_depth", "ISI_CV")
PLAN = ExtractionPlan(
    protocols=(
        ProtocolRequest("IDrest", (Level(150.0, 20.0), Level(200.0, 20.0)), plain(NAMES)),
        ProtocolRequest("IV", (Level(-50.0),), (), features_below=plain(["voltage_base", "voltage_deflection"])),
    ),
    rheobase=RheobaseSettings(("IDrest",)),
)
VOLTAGE_UNITS = {"mV": 1.0, "V": 1e-3, "uV": 1e3}
CURRENT_UNITS = {"nA": 1.0, "pA": 1e3, "A": 1e-9, "mA": 1e-6}


def cell(name: str = "cell", gain: float = 1.0) -> list[Recording]:
    """A cell with a rheobase of 0.1 nA times the gain."""
    steps = ((0.05, 0), (0.1, 1), (0.15, 4), (0.2, 8))
    made = [
        made_up(gain * amplitude, spikes, name, sweep=str(place)) for place, (amplitude, spikes) in enumerate(steps)
    ]
    return [*made, made_up(-0.05 * gain, 0, name, "IV"), made_up(-0.1 * gain, 0, name, "IV", "1")]


def close(found: FeatureTargets, reference: FeatureTargets, **tolerance: float) -> None:
    assert list(found.objectives) == list(reference.objectives)
    for name, target in found.objectives.items():
        assert target.mean == pytest.approx(reference.objectives[name].mean, **tolerance), name
        assert target.std == pytest.approx(reference.objectives[name].std, **tolerance), name


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(12)))
def test_order_of_sweeps(order: list[int]) -> None:
    recordings = [*cell("one"), *cell("two", 1.5)]
    reference = extract(recordings, PLAN)
    found = extract([recordings[place] for place in order], PLAN)
    assert found.targets == reference.targets  # to the last bit
    assert found.cells == reference.cells
    assert found.sweeps == reference.sweeps


@settings(max_examples=10, deadline=None)
@given(voltage=st.sampled_from(sorted(VOLTAGE_UNITS)), current=st.sampled_from(sorted(CURRENT_UNITS)))
def test_units(voltage: str, current: str) -> None:
    converted = []
    for item in cell():
        channels = (
            Channel(CURRENT_UNITS[current] * item.current_nA, current, item.time_step_ms),
            Channel(VOLTAGE_UNITS[voltage] * item.voltage_mV, voltage, item.time_step_ms),
        )
        converted.append(join([FoundSweep(item.cell, item.protocol, item.sweep, channels, Path("file"))]))
    close(extract(converted, PLAN).targets, extract(cell(), PLAN).targets, rel=1e-6, abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(earlier_ms=st.integers(0, 700))
def test_a_longer_time_before_the_step(earlier_ms: int) -> None:
    """Features are timed from the step, not from the start of the sweep."""
    later = [
        dataclasses.replace(
            item,
            voltage_mV=np.concatenate((np.full(10 * earlier_ms, item.voltage_mV[0]), item.voltage_mV)),
            current_nA=np.concatenate((np.full(10 * earlier_ms, item.current_nA[0]), item.current_nA)),
        )
        for item in cell()
    ]
    # eFEL's baseline is the last tenth of the time before the step; its edge moves by a sample of the step.
    close(extract(later, PLAN).targets, extract(cell(), PLAN).targets, rel=0.01, abs=0.2)


@pytest.mark.parametrize("factor", [2, 3])
def test_finer_sampling(factor: int) -> None:
    """Samples put between those of real recordings on straight lines."""
    recordings = rat(("IDrest", "IV"), ("C060112A3", "C060114A5"))
    finer = []
    for item in recordings:
        places = np.arange(factor * len(item.voltage_mV)) / factor
        finer.append(
            dataclasses.replace(
                item,
                time_step_ms=item.time_step_ms / factor,
                voltage_mV=np.interp(places, np.arange(len(item.voltage_mV)), item.voltage_mV),
                current_nA=np.interp(places, np.arange(len(item.current_nA)), item.current_nA),
            )
        )
    close(extract(finer, PLAN).targets, extract(recordings, PLAN).targets, rel=0.02, abs=0.02)


@settings(max_examples=10, deadline=None)
@given(offset=st.floats(-15.0, 15.0))
def test_a_junction_potential_shifts_voltages_and_nothing_else(offset: float) -> None:
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


@settings(max_examples=5, deadline=None)
@given(offset=st.floats(0.0, 30.0))
def test_a_constant_offset_and_its_correction_cancel(offset: float) -> None:
    """An amplifier that adds a constant, and the same constant given as junction potential."""
    corrected = [
        join(
            [
                FoundSweep(
                    item.cell,
                    item.protocol,
                    item.sweep,
                    (
                        Channel(item.current_nA, "nA", item.time_step_ms),
                        Channel(item.voltage_mV + offset, "mV", item.time_step_ms),
                    ),
                    Path("file"),
                )
            ],
            junction_potential_mV=offset,
        )
        for item in cell()
    ]
    close(extract(corrected, PLAN).targets, extract(cell(), PLAN).targets, rel=1e-9, abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(holding_nA=st.floats(0.05, 0.5))
def test_holding_current_is_not_part_of_the_step(holding_nA: float) -> None:
    held = [dataclasses.replace(item, current_nA=item.current_nA + holding_nA) for item in cell()]
    reference, found = extract(cell(), PLAN).targets, extract(held, PLAN).targets
    assert found.objectives["holding_current"].mean == pytest.approx(holding_nA)
    assert found.objectives["threshold_current"].mean == pytest.approx(reference.objectives["threshold_current"].mean)
    # Every current is above zero now, or all but one level: an I-V curve is not extrapolated.
    assert holding_nA < 0.101 or "resting_potential" not in found.objectives
    for name in reference.objectives:
        if "." in name:
            assert found.objectives[name].mean == pytest.approx(reference.objectives[name].mean, abs=1e-6), name
