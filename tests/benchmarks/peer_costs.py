"""What an evaluation costs in BluePyOpt, part by part."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rheobase.objectives.scores import z_score
from tests.benchmarks.bluepyopt_peer import cpu_s, peer_evaluator
from tests.benchmarks.problems import Problem


class Parts:
    """CPU time by part, taken by wrapping functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Count what a function of a module or class takes."""
        function: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[part] += time.process_time() - begin

        setattr(owner, name, counted)

    def taken(self) -> dict[str, float]:
        """What was counted since the last call."""
        taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken


def peer_costs(problem: Problem, candidates: Sequence[Mapping[str, float]]) -> list[float]:
    """CPU time (s) of each candidate in BluePyOpt as it comes, protocols isolated."""
    peer = peer_evaluator(problem)
    seconds = []
    for candidate in candidates:
        begin = cpu_s()
        peer.evaluate_with_dicts(dict(candidate))
        seconds.append(cpu_s() - begin)
    return seconds


def peer_scores(
    problem: Problem, candidates: Sequence[Mapping[str, float]], absolute_tolerance: float
) -> list[dict[str, float]]:
    """Scores of the features that BluePyOpt measures, as ours are defined: |mean of the values - target| / std.

    Its own are means over spikes of |value - target| / std (eFEL's distance).

    Args:
        problem: What is measured.
        candidates: Parameters of each model.
        absolute_tolerance: Of CVODE; BluePyOpt leaves NEURON's, 1e-3.
    """
    from neuron import h

    peer = peer_evaluator(problem)
    peer.isolate_protocols = False  # the tolerance is this process's
    goals = problem.targets.objectives
    scores = []
    for candidate in candidates:
        h.CVode().atol(absolute_tolerance)
        values = peer.evaluate_with_dicts(dict(candidate), target="values")
        if h.CVode().atol() != absolute_tolerance:
            raise AssertionError("BluePyOpt has set the tolerance itself")
        measured = {name: None if value is None else float(np.mean(value)) for name, value in values.items()}
        scores.append({name: z_score(value, goals[name].mean, goals[name].std) for name, value in measured.items()})
    return scores


def peer_parts(problem: Problem, candidate: Mapping[str, float]) -> dict[str, float]:
    """Parts of one evaluation by BluePyOpt without isolation."""
    peer = peer_evaluator(problem)
    parts = Parts()
    parts.wrap(peer.cell_model, "instantiate", "instantiate")
    parts.wrap(peer.cell_model, "destroy", "instantiate")
    parts.wrap(peer.sim, "run", "integrate")
    parts.wrap(peer.fitness_calculator, "calculate_scores", "features")
    for _ in range(2):  # the first time loads and compiles what later ones find
        parts.taken()
        begin = time.process_time()
        responses = {}
        for protocol in peer.fitness_protocols.values():
            responses.update(protocol.run(peer.cell_model, dict(candidate), sim=peer.sim, isolate=False))
        peer.fitness_calculator.calculate_scores(responses)
    return {"cpu_s": time.process_time() - begin, **parts.taken()}
