"""Fixed steps by CoreNEURON, which has one library of mechanisms for the whole of a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase.features.errors import ModelError
from rheobase.features.stimuli import Piece
from rheobase.fitting.cells import compilation
from rheobase.fitting.cells.compilation import compile_mechanisms, load_for_coreneuron, load_mechanisms
from rheobase.fitting.cells.evaluator import CellEvaluator, EvaluationSettings
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.mechanisms import Mechanism
from rheobase.fitting.cells.probe import CostProbe
from rheobase.fitting.cells.simulation import Integrator, SomaClamp
from tests.fitting.cells import small_cell
from tests.fitting.cells.processes import in_new_process


class SolvingSpy:
    """NEURON's ParallelContext, and whether CoreNEURON was to solve each time."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.by_coreneuron: set[bool] = set()

    def psolve(self, time_ms: float) -> None:
        from neuron import coreneuron

        self.by_coreneuron.add(bool(coreneuron.enable))
        self.context.psolve(time_ms)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)


def traces(kind: str) -> list[tuple[float, list[float], list[float]]]:
    """Holding current, times and voltages: held, a step twice from the kept state, a ramp, ended early, at rest."""
    instance = CellInstance(small_cell.model(), coreneuron=kind == "coreneuron")
    instance.set_parameters(small_cell.HIDDEN)
    clamp = SomaClamp(instance, Integrator(kind, time_step_ms=0.05))  # type: ignore[arg-type]
    clamp._parallel = spy = SolvingSpy(clamp._parallel)
    held = clamp.hold(-84.0, 200.0)
    found = [
        held.trace,
        clamp.step(held, 0.3, 50.0, 100.0, 20.0),
        clamp.inject(held, [Piece(20.0, 120.0, 0.0, 0.3)], 150.0),
        clamp.step(held, 0.3, 50.0, 100.0, 20.0),
        clamp.spikes_at(held, 0.3, 200.0),
        clamp.inject(held, [], 2200.0),  # long enough for the sum of the steps to be off by rounding
    ]
    assert spy.by_coreneuron == {kind == "coreneuron"}
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
    assert ramp != their_ramp, "another program has computed it"
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
    """C that only NEURON knows."""
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    monkeypatch.setattr(compilation, "_loaded", {})
    text = (
        "NEURON { SUFFIX onlyneuron RANGE n }\nASSIGNED { n }\nINITIAL {\nVERBATIM\n  n = ifarg(1);\nENDVERBATIM\n}\n"
    )
    mechanism = Mechanism("onlyneuron", text, "onlyneuron.mod", {})
    assert compile_mechanisms([mechanism]).is_file()
    said = r"could not compile the mechanisms for CoreNEURON \(without it: 'integrator: fixed', in a circuit 'core"
    with pytest.raises(ModelError, match=said):
        load_for_coreneuron([mechanism])
    assert "CORENEURONLIB" not in os.environ


def test_the_cost_of_a_candidate_is_that_of_its_integrator() -> None:
    costs = {kind: in_new_process(cost, kind) for kind in ("variable", "fixed", "coreneuron")}
    assert costs["fixed"] > 1.5 * costs["variable"]
    assert costs["coreneuron"] > 1.5 * costs["variable"]


def cost(kind: str) -> float:
    settings = EvaluationSettings(integrator=kind, time_step_ms=0.0025)  # type: ignore[arg-type]
    return CostProbe(small_cell.model(), settings).measure().cpu_seconds_per_simulated_second
