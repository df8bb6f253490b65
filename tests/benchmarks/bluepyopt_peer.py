"""The same problems in plain BluePyOpt: its own evaluator and IBEA, with multiprocessing."""

from __future__ import annotations

import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from rheobase.features.targets import FeatureTarget, ProtocolTargets
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.ephys import ephys_model
from tests.benchmarks.problems import AFTER_MS, BEFORE_MS, SETTLE_MS, Problem


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
    return ephys.evaluators.CellEvaluator(
        cell_model=ephys_model(problem.model),
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


def run_peer(problem: Problem, seed: int, offspring: int, generations: int, processes: int = 2) -> PeerRun:
    """BluePyOpt's IBEA with its defaults."""
    from bluepyopt.deapext.optimisations import IBEADEAPOptimisation

    evaluator = peer_evaluator(problem)
    begin, begin_cpu = time.monotonic(), _cpu_s()
    # Not multiprocessing.Pool: its processes are daemons, which may not isolate protocols in processes of their own.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as executor:
        optimisation = IBEADEAPOptimisation(
            evaluator=evaluator, seed=seed, offspring_size=offspring, map_function=executor.map
        )
        _, hall, _, _ = optimisation.run(max_ngen=generations)
    names = evaluator.param_names
    return PeerRun(
        evaluations=offspring * (generations + 1),
        cpu_seconds=_cpu_s() - begin_cpu,
        wall_seconds=time.monotonic() - begin,
        best=[dict(zip(names, map(float, individual), strict=True)) for individual in hall],
    )


def _cpu_s() -> float:
    ours, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + others.ru_utime + others.ru_stime
