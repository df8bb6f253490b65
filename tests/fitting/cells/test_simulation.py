from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest

from rheobase.features.stimuli import Piece
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.simulation import Integrator, SimulationError, SomaClamp, Trace
from tests.fitting.cells import small_cell
from tests.fitting.cells.processes import in_new_process


@pytest.fixture
def clamp() -> SomaClamp:
    instance = CellInstance(small_cell.model())
    instance.set_parameters(small_cell.HIDDEN)
    return SomaClamp(instance)


def spike_times(trace: Trace) -> np.ndarray:
    rising = np.flatnonzero((trace.voltage_mV[:-1] <= -20.0) & (trace.voltage_mV[1:] > -20.0))
    return np.asarray(trace.time_ms[rising])


def test_a_step_from_a_kept_state_is_repeatable_to_the_last_bit(clamp: SomaClamp) -> None:
    held = clamp.hold(-84.0, 300.0)
    first = clamp.step(held, 0.3, 50.0, 200.0, 20.0)
    clamp.step(held, -0.2, 10.0, 30.0, 0.0)
    clamp.settle(0.1, 50.0)
    again = clamp.step(held, 0.3, 50.0, 200.0, 20.0)
    np.testing.assert_array_equal(again.time_ms, first.time_ms)
    np.testing.assert_array_equal(again.voltage_mV, first.voltage_mV)
    assert first.spikes(-20.0) > 5


def test_a_step_from_a_kept_state_is_that_of_one_run(clamp: SomaClamp) -> None:
    """Spike times within 0.1 ms, CVODE's own error at its tolerance; restarted, it takes other time steps."""
    precise = SomaClamp(clamp._instance, Integrator(absolute_tolerance=1e-6))
    settled = precise.settle(-0.02, 300.0)
    kept = precise.step(settled, 0.3, 50.0, 200.0, 20.0)
    precise._initialize(-0.02)
    electrode = precise._steps[0]
    electrode.delay, electrode.dur, electrode.amp = 350.0, 200.0, 0.3
    precise._cvode.re_init()
    whole = precise._run(570.0)
    assert len(spike_times(kept)) == len(spike_times(whole)) > 5
    np.testing.assert_allclose(spike_times(kept), spike_times(whole) - 300.0, rtol=0.0, atol=0.1)
    quiet = np.arange(1.0, 49.0)
    before = np.interp(quiet + 300.0, whole.time_ms, whole.voltage_mV)
    np.testing.assert_allclose(np.interp(quiet, kept.time_ms, kept.voltage_mV), before, atol=1e-3)


@pytest.mark.parametrize("voltage_mV", [-90.0, -84.0, -75.0])
def test_the_holding_current_keeps_the_cell_at_the_voltage(clamp: SomaClamp, voltage_mV: float) -> None:
    held = clamp.hold(voltage_mV, 600.0)
    assert held.voltage_mV == pytest.approx(voltage_mV, abs=0.01)
    released = clamp.step(held, 0.0, 100.0, 0.0, 400.0)
    assert np.abs(released.voltage_mV - voltage_mV).max() < 0.1
    assert clamp.settle(held.holding_current_nA, 2000.0).voltage_mV == pytest.approx(voltage_mV, abs=0.1)


def test_times_and_plateau(clamp: SomaClamp) -> None:
    held = clamp.hold(-84.0, 300.0)
    trace = clamp.step(held, -0.05, 20.0, 100.0, 30.0)
    assert 0.0 <= trace.time_ms[0] < 1.0
    assert trace.time_ms[-1] == pytest.approx(150.0, abs=1e-9)
    during = trace.voltage_mV[(trace.time_ms > 60.0) & (trace.time_ms < 119.0)]
    assert during.max() < -88.0
    assert np.abs(trace.voltage_mV[trace.time_ms < 20.0] + 84.0).max() < 0.1


def test_stops_soon_after_the_spike(clamp: SomaClamp) -> None:
    held = clamp.hold(-84.0, 300.0)
    trace = clamp.spikes_at(held, 0.5, 2000.0)
    assert trace.spikes(-20.0) >= 1
    assert trace.time_ms[-1] < 60.0


def test_a_silent_cell_is_followed_to_the_end(clamp: SomaClamp) -> None:
    held = clamp.hold(-84.0, 300.0)
    trace = clamp.spikes_at(held, 0.02, 500.0)
    assert trace.spikes(-20.0) == 0
    assert trace.time_ms[-1] == pytest.approx(505.0, abs=1e-6)


@pytest.mark.parametrize("name", ["g_pas.all", "gNaTgbar_NaTg.somatic"])
def test_parameters_that_cannot_be_integrated(name: str, clamp: SomaClamp) -> None:
    clamp._instance.set_parameters({**small_cell.HIDDEN, name: math.nan})
    with pytest.raises(SimulationError, match=r"NEURON could not|NaN"):
        clamp.hold(-84.0, 100.0)
    clamp._instance.set_parameters(small_cell.HIDDEN)
    assert clamp.hold(-84.0, 100.0).voltage_mV == pytest.approx(-84.0, abs=0.01)


def ectopic_complaint(kind: str = "variable", limit: float = 2.0) -> str:
    """What is said of a cut-off, excitable dendrite that fires under its own leak while the soma is silent."""
    changes = {
        "gNaTgbar_NaTg.apical": "2 S/cm2", "gSKv3_1bar_SKv3_1.apical": "1 S/cm2", "ena.apical": "50 mV",
        "ek.apical": "-85 mV", "e_pas.apical": "-20 mV", "g_pas.apical": "1e-3 S/cm2", "Ra.apical": "1e6 ohm cm",
        "gNaTgbar_NaTg.somatic": "0 S/cm2",
    }  # fmt: skip
    model = small_cell.model(changes)
    instance = CellInstance(model, coreneuron=kind == "coreneuron")
    instance.set_parameters({parameter.name: small_cell.HIDDEN[parameter.name] for parameter in model.free_parameters})
    clamp = SomaClamp(instance, Integrator(kind, time_step_ms=0.05), ectopic_limit=limit)  # type: ignore[arg-type]
    try:
        settled = clamp.settle(0.0, 100.0)
        clamp.spikes_at(settled, 0.01, 2000.0)
    except SimulationError as error:
        return str(error)
    return "it was simulated to the end"


@pytest.mark.parametrize("kind", ["variable", "fixed", "coreneuron"])
def test_ectopic_spikes_end_a_simulation(kind: str) -> None:
    said = in_new_process(ectopic_complaint, kind)
    assert re.fullmatch(r"ectopic: axon or dendrites fired \d+ times, the soma 0 times", said), said


def test_ectopic_spikes_are_let_be_without_a_limit() -> None:
    assert in_new_process(ectopic_complaint, "variable", math.inf) == "it was simulated to the end"


def test_spikes_that_run_into_the_dendrites_are_not_ectopic(clamp: SomaClamp) -> None:
    """Three more than the limit times the soma's are: with a limit of zero every fourth spike of a dendrite is one."""
    held = clamp.hold(-84.0, 300.0)
    assert clamp.step(held, 0.3, 10.0, 500.0, 10.0).spikes(-20.0) > 5
    strict = SomaClamp(clamp._instance, ectopic_limit=0.0)
    held = strict.hold(-84.0, 300.0)
    with pytest.raises(SimulationError, match=r"ectopic: axon or dendrites fired \d+ times, the soma [1-9]\d* times"):
        strict.step(held, 0.3, 10.0, 500.0, 10.0)


@pytest.mark.parametrize("time_step_ms", [0.0625, 0.08, 0.1])
def test_fixed_steps_end_nearest_to_the_end(clamp: SomaClamp, time_step_ms: float) -> None:
    """Whatever the total is: it need not be a multiple of the step."""
    fixed = SomaClamp(clamp._instance, Integrator("fixed", time_step_ms=time_step_ms))
    held = fixed.hold(-84.0, 50.03)
    for total_ms in (100.0, 100.04, 100.07, 100.08):
        trace = fixed.inject(held, [], total_ms)
        assert trace.time_ms[-1] == pytest.approx(total_ms, abs=1.01 * time_step_ms)


def step_piece(onset_ms: float, offset_ms: float, amplitude_nA: float) -> Piece:
    return Piece(onset_ms, offset_ms, amplitude_nA, amplitude_nA)


def test_levels_add_up_where_they_should(clamp: SomaClamp) -> None:
    """Two adjoining pieces of one amplitude are one step; a second, lower level ends where it should."""
    held = clamp.hold(-84.0, 300.0)
    whole = clamp.inject(held, [step_piece(20.0, 120.0, -0.05)], 150.0)
    halves = clamp.inject(held, [step_piece(20.0, 70.0, -0.05), step_piece(70.0, 120.0, -0.05)], 150.0)
    grid = np.arange(0.0, 150.0, 0.5)
    of_whole, of_halves = (np.interp(grid, trace.time_ms, trace.voltage_mV) for trace in (whole, halves))
    assert np.abs(of_whole - of_halves).max() < 0.05
    levels = clamp.inject(held, [step_piece(20.0, 70.0, -0.05), step_piece(70.0, 120.0, -0.1)], 150.0)
    of_levels = np.interp(grid, levels.time_ms, levels.voltage_mV)
    assert np.abs(of_levels - of_whole)[grid < 70.0].max() < 0.05
    assert (of_levels - of_whole)[(grid > 100.0) & (grid < 120.0)].max() < -3.0


def test_a_ramp_is_what_a_fine_staircase_is(clamp: SomaClamp) -> None:
    held = clamp.hold(-84.0, 300.0)
    ramp = clamp.inject(held, [Piece(20.0, 120.0, 0.0, -0.1)], 150.0)
    edges = np.linspace(20.0, 120.0, 201)
    middle = np.interp(0.5 * (edges[1:] + edges[:-1]), [20.0, 120.0], [0.0, -0.1])
    stairs = [step_piece(a, b, level) for a, b, level in zip(edges[:-1], edges[1:], middle, strict=True)]
    staircase = clamp.inject(held, stairs, 150.0)
    grid = np.arange(0.0, 150.0, 1.0)
    of_ramp, of_staircase = (np.interp(grid, trace.time_ms, trace.voltage_mV) for trace in (ramp, staircase))
    assert of_ramp.min() < -90.0
    assert np.abs(of_ramp - of_staircase).max() < 0.1


def test_a_watch_ends_a_simulation_and_changes_nothing_before(clamp: SomaClamp) -> None:
    class AfterThreeSpikes:
        def ends(self, elapsed_ms: float, spike_times_ms: Sequence[float]) -> bool:  # noqa: ARG002
            return len(spike_times_ms) >= 3

    held = clamp.hold(-84.0, 300.0)
    whole = clamp.step(held, 0.3, 50.0, 400.0, 20.0)
    ended = clamp.step(held, 0.3, 50.0, 400.0, 20.0, AfterThreeSpikes())
    assert whole.complete
    assert not ended.complete
    assert 3 <= ended.spikes(-20.0) < whole.spikes(-20.0)
    np.testing.assert_array_equal(ended.voltage_mV, whole.voltage_mV[: len(ended.voltage_mV)])


def test_the_fixed_step_converges_to_the_variable_one(clamp: SomaClamp) -> None:
    precise = SomaClamp(clamp._instance, Integrator(absolute_tolerance=1e-6))
    reference = spike_times(precise.step(precise.hold(-84.0, 300.0), 0.3, 50.0, 100.0, 0.0))
    errors = []
    for time_step_ms in (0.05, 0.025, 0.0125):
        fixed = SomaClamp(clamp._instance, Integrator("fixed", time_step_ms=time_step_ms))
        held = fixed.hold(-84.0, 300.0)
        trace = fixed.step(held, 0.3, 50.0, 100.0, 0.0)
        assert np.diff(trace.time_ms).max() == pytest.approx(time_step_ms)
        assert len(spike_times(trace)) == len(reference) > 3
        errors.append(np.abs(spike_times(trace) - reference).max())
    assert errors[2] < 0.6 * errors[0]  # first order
    assert errors[2] < 0.5
