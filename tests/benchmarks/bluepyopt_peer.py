"""The same problems in plain BluePyOpt: its own evaluator and IBEA, with multiprocessing."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from rheobase.features.targets import FeatureTarget, ProtocolTargets
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.ephys import ephys_model
from tests.benchmarks.problems import AFTER_MS, BEFORE_MS, SETTLE_MS, Problem

_T = TypeVar("_T")


@dataclass(frozen=True)
class PeerRun:
    """What BluePyOpt used, and where it got.

    Attributes:
        evaluations: Number of evaluations.
        cpu_seconds: CPU time of the driver and all processes it started (s).
        wall_seconds: Time by the clock (s).
        best: Parameters of its hall of fame, by its own score.
    """

    evaluations: int
    cpu_seconds: float
    wall_seconds: float
    best: list[dict[str, float]]


def peer_evaluator(problem: Problem) -> Any:
    """BluePyOpt's CellEvaluator with its defaults: protocols isolated in processes of their own, CVODE."""
    from bluepyopt import ephys

    load_mechanisms(problem.model.mechanisms)
    soma = ephys.locations.NrnSeclistCompLocation(name="soma", seclist_name="somatic", sec_index=0, comp_x=0.5)
    onset_ms = SETTLE_MS + BEFORE_MS
    protocols, objectives = {}, []
    for target in problem.targets.protocols:
        amplitude_nA, duration_ms = target.stimulus.level, target.duration_ms
        total_ms = onset_ms + duration_ms + AFTER_MS
        step = ephys.stimuli.NrnSquarePulse(
            step_amplitude=amplitude_nA,
            step_delay=onset_ms,
            step_duration=duration_ms,
            location=soma,
            total_duration=total_ms,
        )
        holding = ephys.stimuli.NrnSquarePulse(
            step_amplitude=target.stimulus.holding_nA,
            step_delay=0.0,
            step_duration=total_ms,
            location=soma,
            total_duration=total_ms,
        )
        recording = ephys.recordings.CompRecording(name=f"{target.name}.soma.v", location=soma, variable="v")
        protocols[target.name] = ephys.protocols.StepProtocol(target.name, step, holding, [recording])
        objectives += [_objective(target, feature, recording.name, onset_ms) for feature in target.features]
    cell = ephys_model(problem.model)
    # Without these NEURON's own would hold: slow channels remember a start at -65 mV for longer than the cell settles.
    for name, value in (("v_init", problem.model.initial_voltage_mV), ("celsius", problem.model.temperature_degC)):
        cell.params[name] = ephys.parameters.NrnGlobalParameter(name, param_name=name, value=value, frozen=True)
    return ephys.evaluators.CellEvaluator(
        cell_model=cell,
        param_names=[parameter.name for parameter in problem.model.free_parameters],
        fitness_protocols=protocols,
        fitness_calculator=ephys.objectivescalculators.ObjectivesCalculator(objectives),
        sim=ephys.simulators.NrnSimulator(),
    )


def _objective(protocol: ProtocolTargets, target: FeatureTarget, recording: str, onset_ms: float) -> Any:
    from bluepyopt import ephys

    name = protocol.objective(target)
    feature = ephys.efeatures.eFELFeature(
        name,
        efel_feature_name=target.feature,
        recording_names={"": recording},
        stim_start=onset_ms,
        stim_end=onset_ms + protocol.duration_ms,
        exp_mean=target.mean,
        exp_std=target.std,
        stimulus_current=protocol.stimulus.level,
        threshold=protocol.settings.spike_threshold_mV,
        interp_step=protocol.settings.interpolation_step_ms,
        int_settings={"strict_stiminterval": True},
        force_max_score=True,
        max_score=250.0,
    )
    return ephys.objectives.SingletonObjective(name, feature)


def alone(function: Callable[..., _T], *arguments: object) -> _T:
    """The result of a function of this module in a fresh process.

    A cell of ours that is still in NEURON would be simulated along with BluePyOpt's, in its time.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(function, *arguments).result()


def run_peer(problem: Problem, seed: int, offspring: int, generations: int, processes: int = 2) -> PeerRun:
    """BluePyOpt's IBEA with its defaults."""
    from bluepyopt.deapext.optimisations import IBEADEAPOptimisation

    _check_nothing_is_there()
    evaluator = peer_evaluator(problem)
    begin, begin_cpu = time.monotonic(), cpu_s()
    # Not multiprocessing.Pool: its processes are daemons, which may not isolate protocols in processes of their own.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as executor:
        optimisation = IBEADEAPOptimisation(
            evaluator=evaluator, seed=seed, offspring_size=offspring, map_function=executor.map
        )
        _, hall, _, _ = optimisation.run(max_ngen=generations)
    names = evaluator.param_names
    return PeerRun(
        evaluations=offspring * (generations + 1),
        cpu_seconds=cpu_s() - begin_cpu,
        wall_seconds=time.monotonic() - begin,
        best=[dict(zip(names, map(float, individual), strict=True)) for individual in hall],
    )


def _check_nothing_is_there() -> None:
    from neuron import h

    there = [section.name() for section in h.allsec()]
    if there:
        raise AssertionError(f"BluePyOpt must have NEURON to itself, there are {', '.join(there[:3])}")


def cpu_s() -> float:
    """CPU time of this process and of those it has started and seen end (s)."""
    ours, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + others.ru_utime + others.ru_stime
