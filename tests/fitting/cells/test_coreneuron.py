"""Fixed steps by CoreNEURON, which has one library of mechanisms for the whole of a process."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import ModelError
from rheobase.features.stimuli import Piece
from rheobase.fitting.cells import compilation
from rheobase.fitting.cells.compilation import load_for_coreneuron, load_mechanisms
from rheobase.fitting.cells.evaluator import CellEvaluator, EvaluationSettings
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.mechanisms import Mechanism, ramp_clamp
from rheobase.fitting.cells.simulation import Integrator, SomaClamp
from tests.fitting.cells import small_cell
from tests.fitting.cells.processes import in_new_process


def traces(kind: str) -> list[tuple[float, list[float], list[float]]]:
    """Holding current, times and voltages: held, a step twice from the kept state, a ramp, ended early, at rest."""
    model = small_cell.model()
    if kind == "coreneuron":
        load_for_coreneuron([*model.mechanisms, ramp_clamp()])
    instance = CellInstance(model)
    instance.set_parameters(small_cell.HIDDEN)
    clamp = SomaClamp(instance, Integrator(kind, time_step_ms=0.05))  # type: ignore[arg-type]
    held = clamp.hold(-84.0, 200.0)
    found = [
        held.trace,
        clamp.step(held, 0.3, 50.0, 100.0, 20.0),
        clamp.inject(held, [Piece(20.0, 120.0, 0.0, 0.3)], 150.0),
        clamp.step(held, 0.3, 50.0, 100.0, 20.0),
        clamp.spikes_at(held, 0.3, 200.0),
        clamp.inject(held, [], 2200.0),  # long enough for the sum of the steps to be off by rounding
    ]
    return [(held.holding_current_nA, trace.time_ms.tolist(), trace.voltage_mV.tolist()) for trace in found]


def scores(kind: str) -> dict[str, float]:
    """Scores of the small cell's hidden conductances."""
    settings = EvaluationSettings(settle_ms=300.0, integrator=kind, time_step_ms=0.05)  # type: ignore[arg-type]
    model, targets = small_cell.model(), small_cell.targets()
    return CellEvaluator(model, targets, settings).evaluate(small_cell.HIDDEN).scores


def after_others() -> str:
    load_mechanisms(small_cell.model().mechanisms[:1])
    try:
        load_for_coreneuron(small_cell.model().mechanisms)
    except ModelError as error:
        return str(error)
    return "no error"


def test_traces_are_those_of_neuron_to_the_last_bit() -> None:
    """But for a ramp, whose current it rounds in another way."""
    ours, theirs = in_new_process(traces, "coreneuron"), in_new_process(traces, "fixed")
    (_, _, ramp), (_, _, their_ramp) = ours.pop(2), theirs.pop(2)
    assert ours == theirs
    np.testing.assert_allclose(ramp, their_ramp, rtol=0.0, atol=1e-6)
    assert max(ramp) > -20.0, "it fires"
    voltages = [np.array(voltage) for _, _, voltage in ours]
    assert max(voltages[1]) > 0.0, "the step makes it fire"
    np.testing.assert_array_equal(voltages[1], voltages[2])
    assert len(voltages[3]) < 0.9 * 200.0 / 0.05, "it ends soon after the first spike"


def test_scores_are_those_of_neuron_to_the_last_bit() -> None:
    found = in_new_process(scores, "coreneuron")
    assert found == in_new_process(scores, "fixed")
    assert max(found.values()) < 20.0


def test_a_process_that_has_others_says_so() -> None:
    said = in_new_process(after_others)
    assert "CoreNEURON takes the mechanisms of a process from one library, and this process has loaded" in said
    assert "start a new process" in said


def test_what_does_not_compile_for_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    monkeypatch.setattr(compilation, "_loaded", {})
    text = "NEURON { SUFFIX broken }\nBREAKPOINT { this is no NMODL }\n"
    with pytest.raises(ModelError, match=r"nrnivmodl could not compile the mechanisms"):
        load_for_coreneuron([Mechanism("broken", text, "broken.mod", {})])
    assert "CORENEURONLIB" not in os.environ
