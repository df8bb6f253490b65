from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import ModelError
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.callable_circuit import CallableCircuit, find_function
from rheobase.fitting.circuits.circuit import CircuitResponse, Trial
from tests.contracts.circuits import CircuitContract
from tests.fitting.circuits import poisson_circuit
from tests.fitting.circuits.poisson_circuit import PARAMETERS, SIZES


def simulate(trial: Trial) -> CircuitResponse:
    """Poisson neurons."""
    names = [name for name in SIZES if not trial.simulated or name in trial.simulated]
    content = {
        "simulated": names,
        "parameters": {name: trial.parameters.get(name, 1.0) for name in PARAMETERS},
        "seed": trial.seed,
        "duration_ms": trial.duration_ms,
        "electrodes_um": trial.electrodes_um,
    }
    spikes = poisson_circuit.poisson_spikes(content)
    first = np.cumsum([0, *(SIZES[name] for name in names)])
    trains = SpikeTrains(
        np.concatenate([spikes[name][0] for name in names]),
        np.concatenate([spikes[name][1] + offset for name, offset in zip(names, first, strict=False)]),
        Units.from_sizes({name: SIZES[name] for name in names}),
        0.0,
        trial.duration_ms,
    )
    response = CircuitResponse(trains.between(trial.dropped_ms, trial.duration_ms), simulated_ms=trial.duration_ms)
    arrays = poisson_circuit.signals(content)
    first_sample = round(trial.dropped_ms)
    if trial.signals:
        dipole = Signal(arrays["dipole"][:, first_sample:], 1000.0, "nA um", ("x", "y", "z"), trial.dropped_ms)
        response = replace(response, dipole=dipole)
    if trial.electrodes_um:
        channels = tuple(str(depth) for depth in trial.electrodes_um)
        potential = Signal(arrays["potential"][:, first_sample:], 1000.0, "mV", channels, trial.dropped_ms)
        response = replace(response, potential=potential)
    return response


class TestCallableCircuit(CircuitContract):
    strong = "background:E"

    def build(self) -> CallableCircuit:
        return CallableCircuit(simulate, SIZES, PARAMETERS)


def answered_by(function: Callable[[Trial], CircuitResponse], trial: Trial | None = None) -> CircuitResponse:
    return CallableCircuit(function, SIZES, PARAMETERS).simulate(trial or Trial({}, 1, 300.0))


def test_a_function_that_fails_is_named() -> None:
    def broken(trial: Trial) -> CircuitResponse:
        raise ZeroDivisionError("no cells")

    with pytest.raises(ModelError, match="broken failed: ZeroDivisionError: no cells"):
        answered_by(broken)

    def refusing(trial: Trial) -> CircuitResponse:
        raise ModelError("not today")

    with pytest.raises(ModelError, match=r"^not today$"):
        answered_by(refusing)


def test_a_response_that_does_not_answer_is_refused() -> None:
    def other_cells(trial: Trial) -> CircuitResponse:
        return simulate(replace(trial, simulated=("E",)))

    with pytest.raises(ModelError, match=r"other_cells: expected spikes of E \(20\), I \(5\), got E \(20\)"):
        answered_by(other_cells)
    with pytest.raises(ModelError, match="expected spikes from 100 to 300 ms, got those from 0 to 300 ms"):
        answered_by(lambda trial: simulate(replace(trial, dropped_ms=0.0)), Trial({}, 1, 300.0, 100.0))
    with pytest.raises(ModelError, match="dipole is missing"):
        answered_by(lambda trial: simulate(replace(trial, signals=False)), Trial({}, 1, 300.0, signals=True))
    with pytest.raises(ModelError, match="potential at 2 electrodes: expected 2 channels, got 1"):
        answered_by(
            lambda trial: simulate(replace(trial, electrodes_um=(0.0,))), Trial({}, 1, 300.0, electrodes_um=(0.0, 9.0))
        )

    def late_dipole(trial: Trial) -> CircuitResponse:
        response = simulate(trial)
        assert response.dipole is not None
        return replace(response, dipole=replace(response.dipole, start_ms=50.0))

    with pytest.raises(ModelError, match="expected 300 ms from 0 ms on, got 300 ms from 50 ms on"):
        answered_by(late_dipole, Trial({}, 1, 300.0, signals=True))


def test_trials_that_cannot_be() -> None:
    recorded = simulate(Trial({}, 1, 100.0)).spikes
    for trial, message in (
        (Trial({}, 1, 300.0, simulated=("E",), replayed={"I": -1.0}), "rate of 'I' must be 0 Hz or more"),
        (Trial({}, 1, 300.0, simulated=("E",), recorded={"I": recorded}), "cover 0 to 100 ms"),
        (
            Trial({}, 1, 100.0, simulated=("E",), recorded={"I": recorded}, replayed={"I": 1.0}),
            "'I' is replayed both",
        ),
        (Trial({}, 1, float("inf")), "trial drops"),
    ):
        with pytest.raises(ModelError, match=message):
            answered_by(simulate, trial)


def test_a_function_is_found_by_its_path() -> None:
    assert find_function("tests.fitting.circuits.test_callable_circuit:simulate").__name__ == "simulate"
    for path, message in (
        ("os.path", "expected the path of a function"),
        ("no_such_module_at_all:run", "cannot be imported"),
        ("os.path:no_such_function", "has no function 'no_such_function'"),
        ("os:sep", "is not a function but str"),
    ):
        with pytest.raises(ModelError, match=message):
            find_function(path)


def test_a_circuit_needs_cells() -> None:
    for sizes in ({}, {"E": 0}):
        with pytest.raises(ModelError, match="at least one cell"):
            CallableCircuit(simulate, sizes, ())
