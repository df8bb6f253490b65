"""Stages of tuning: what is free, what is simulated, what is wanted, and when it is reached."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rheobase.features.errors import CampaignError
from rheobase.fitting.search.factory import search_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.fitting.circuits.circuit import RateLimits
    from rheobase.fitting.tuning.targets import TuningTarget

ROOT = "root"
JACOBIAN, SAMPLED, PROBE = "jacobian", "jacobian_sampled", "probe"


@dataclass(frozen=True)
class Knob:
    """One factor that multiplies some parameters of a circuit together.

    Attributes:
        name: Its name, for example "L4 E->E".
        parameters: Names of the parameters, or patterns with * and ? for several ("weight:L4_E->L4_*").
        bounds: Smallest and largest factor, relative to what earlier stages reached.
        effects: Expected slope of the targets that it acts on, by key: change of the logarithm of a rate (or of the
            value itself) for that of the factor's logarithm. It guides the first steps, until slopes are measured.
        coupling: Whether it couples populations, as gains of weights do and backgrounds do not: a stage that gets
            nowhere begins again with couplings lowered.
    """

    name: str
    parameters: tuple[str, ...]
    bounds: tuple[float, float] = (0.25, 4.0)
    effects: Mapping[str, float] = field(default_factory=dict)
    coupling: bool = True

    def __post_init__(self) -> None:
        low, high = self.bounds
        if not 0.0 < low < high < math.inf or not low <= 1.0 <= high:
            raise CampaignError(
                f"the bounds of '{self.name}' are factors on both sides of 1, the value so far, got {low:g} to {high:g}"
            )

    @property
    def log_bounds(self) -> tuple[float, float]:
        """Natural logarithms of the bounds."""
        return math.log(self.bounds[0]), math.log(self.bounds[1])

    def matches(self, names: Iterable[str]) -> tuple[str, ...]:
        """The parameters of a circuit that it multiplies.

        Raises:
            CampaignError: one of its patterns fits none of them.
        """
        names = tuple(names)
        for pattern in self.parameters:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise CampaignError(
                    f"'{self.name}' multiplies '{pattern}', but the circuit has no such parameter; "
                    f"it has {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
                )
        return tuple(name for name in names if any(fnmatchcase(name, pattern) for pattern in self.parameters))


@dataclass(frozen=True)
class Simulated:
    """What a stage simulates for each trial.

    Attributes:
        duration_ms: How long (ms).
        dropped_ms: Transient at the start that is not measured (ms).
        populations: Populations with cells; empty for all.
        replayed: Mean rate (Hz) of the populations that are played instead.
        recorded: Spike trains of populations that are played from records, by name.
        connected: Whether there are projections.
        limits: When a hopeless trial is stopped; None for never.
        signals: Whether the current dipole is recorded.
    """

    duration_ms: float
    dropped_ms: float = 0.0
    populations: tuple[str, ...] = ()
    replayed: Mapping[str, float] = field(default_factory=dict)
    recorded: Mapping[str, SpikeTrains] = field(default_factory=dict)
    connected: bool = True
    limits: RateLimits | None = None
    signals: bool = False


@dataclass(frozen=True)
class TuningStage:
    """A stage of tuning.

    A place is first simulated with one seed. Where no target is off by more than its tolerance and the noise, more
    seeds follow, `seeds` altogether; where the means are within all tolerances, it is confirmed on `confirming_seeds`
    further ones. It is accepted when the means over these alone are within all tolerances, and those over all seeds; it
    gets more seeds, twice as many at most, as long as the noise leaves this open. The place that a stage starts from
    gets two seeds in any case, four where there are targets beside rates, to know the noise.

    Attributes:
        name: Its name.
        free: The factors to be found; none to score what was reached anew.
        targets: What is wanted; others are ignored.
        simulated: What is simulated.
        seeds: Seeds of a place that looks good, before it is confirmed.
        confirming_seeds: Further seeds.
        budget: Largest number of simulations; at least what an acceptance takes.
        patience: Places without progress beyond the noise after which it begins again with couplings halved, then
            quartered, where bounds allow, and is given up after that; None: 10 and half the number of knobs.
        proposals: Where places come from, in turn: "jacobian", "jacobian_sampled", "probe", or any search of
            fitting/search ("optuna_tpe", "optuna_cma_es", ...); ("root",) where each knob acts on one target alone.
        after: Names of earlier stages that it starts from.
        required: Whether what comes after it is pointless if it is not met.
    """

    name: str
    free: tuple[Knob, ...]
    targets: tuple[TuningTarget, ...]
    simulated: Simulated
    seeds: int = 1
    confirming_seeds: int = 2
    budget: int = 100
    patience: int | None = None
    proposals: tuple[str, ...] = (JACOBIAN, SAMPLED, JACOBIAN, "optuna_tpe")
    after: tuple[str, ...] = ()
    required: bool = False

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise CampaignError(f"stage '{self.name}': {problem}")

    @property
    def patience_places(self) -> int:
        """Places without progress after which it begins again."""
        return self.patience if self.patience is not None else 10 + len(self.free) // 2


def _problem(stage: TuningStage) -> str | None:
    if not stage.targets:
        return "it needs a target at least"
    for kind, names in (("knobs", [k.name for k in stage.free]), ("targets", [t.key for t in stage.targets])):
        if len(set(names)) < len(names):
            return f"two {kind} have the same name, got {', '.join(names)}"
    if stage.seeds < 1 or stage.confirming_seeds < 0:
        return f"expected one seed or more, got {stage.seeds} and {stage.confirming_seeds} to confirm"
    if stage.budget < stage.seeds + stage.confirming_seeds:
        return f"a budget of {stage.budget} simulations is less than the seeds that it takes to accept anything"
    if not 0.0 <= stage.simulated.dropped_ms < stage.simulated.duration_ms:
        return f"nothing is left of {stage.simulated.duration_ms:g} ms without {stage.simulated.dropped_ms:g} ms"
    unknown = set(stage.proposals) - {ROOT, JACOBIAN, SAMPLED, PROBE, *search_names()}
    if unknown or not stage.proposals:
        return (
            f"places come from {ROOT}, {JACOBIAN}, {SAMPLED}, {PROBE} or a search ({', '.join(search_names())}), got "
            f"{', '.join(sorted(unknown)) or 'nothing'}"
        )
    if ROOT in stage.proposals:
        return _root_problem(stage)
    return None


def _root_problem(stage: TuningStage) -> str | None:
    if stage.proposals != (ROOT,):
        return "root finding cannot be mixed with other proposals"
    keys = sorted(target.key for target in stage.targets)
    acted_on = sorted(key for knob in stage.free for key in knob.effects)
    if keys != acted_on or any(len(knob.effects) != 1 for knob in stage.free):
        return "for root finding each knob acts on one target, and each target has one knob (`effects` of the knobs)"
    return None


def in_order(stages: Sequence[TuningStage]) -> tuple[TuningStage, ...]:
    """Stages in an order in which each comes after those that it starts from; else as they were given.

    Raises:
        CampaignError: no stages, two of one name, an unknown name in `after`, a circle.
    """
    names = [stage.name for stage in stages]
    if not stages or len(set(names)) < len(names):
        raise CampaignError(f"expected stages of different names, got {', '.join(names) or 'none'}")
    for stage in stages:
        for name in stage.after:
            if name not in names:
                raise CampaignError(f"stage '{stage.name}' comes after '{name}'; there are {', '.join(names)}")
    ordered: dict[str, TuningStage] = {}
    while len(ordered) < len(stages):
        ready = [stage for stage in stages if stage.name not in ordered and set(stage.after) <= ordered.keys()]
        if not ready:
            circle = [name for name in names if name not in ordered]
            raise CampaignError(f"these stages wait for each other: {', '.join(circle)}")
        ordered[ready[0].name] = ready[0]
    return tuple(ordered.values())
