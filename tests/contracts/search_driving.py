"""A problem with three parameters and two objectives, and how the contract of searches drives one on it."""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType

import numpy as np

from rheobase.fitting.evaluation import Candidate
from rheobase.fitting.search.interface import Search
from rheobase.fitting.search.space import Dimension
from rheobase.objectives.scores import FAILURE_SCORE

DIMENSIONS = (
    Dimension("g_pas.all", 1e-6, 1e-3, logarithmic=True),
    Dimension("e_pas.all", -95.0, -65.0),
    Dimension("gamma.somatic", 0.0, 1e-9),
)
OBJECTIVES = ("resting_potential", "Step_150.soma.v.mean_frequency")


def scores_of(candidate: Candidate) -> dict[str, float]:
    """Two objectives that pull in different directions; some candidates fail."""
    place = np.array([dimension.position(candidate.parameters[dimension.name]) for dimension in DIMENSIONS])
    if place[2] > 0.9:
        return dict.fromkeys(OBJECTIVES, FAILURE_SCORE)
    return {
        OBJECTIVES[0]: float(10.0 * np.square(place - 0.2).sum()),
        OBJECTIVES[1]: float(10.0 * np.square(place - 0.7).sum()),
    }


def steep_scores_of(candidate: Candidate) -> dict[str, float]:
    """Two objectives that agree, so that totals differ much; some candidates fail."""
    place = np.array([dimension.position(candidate.parameters[dimension.name]) for dimension in DIMENSIONS])
    if place[2] > 0.9:
        return dict.fromkeys(OBJECTIVES, FAILURE_SCORE)
    return {OBJECTIVES[0]: float(10.0 * np.abs(place - 0.3).sum()), OBJECTIVES[1]: float(np.abs(place - 0.3).max())}


def ask_batch(search: Search, most: int) -> list[Candidate]:
    """As many candidates as there are, at most so many."""
    batch: list[Candidate] = []
    while len(batch) < most and (candidate := search.ask()) is not None:
        batch.append(candidate)
    return batch


def run(
    search: Search, evaluations: int, workers: int, order: Callable[[list[Candidate]], list[Candidate]]
) -> list[Candidate]:
    """Candidates in the order asked, told in batches whose order `order` chooses."""
    asked: list[Candidate] = []
    while len(asked) < evaluations:
        batch = ask_batch(search, min(workers, evaluations - len(asked)))
        assert batch, "the search waits for answers though every candidate was told"
        asked.extend(batch)
        for candidate in order(list(batch)):
            search.tell(candidate.number, scores_of(candidate))
    return asked


def as_asked(batch: list[Candidate]) -> list[Candidate]:
    return batch


def backwards(batch: list[Candidate]) -> list[Candidate]:
    return batch[::-1]


def shuffled(batch: list[Candidate]) -> list[Candidate]:
    generator = random.Random(len(batch))
    generator.shuffle(batch)
    return batch


def as_far_as_needed(
    search: Search, candidate: Candidate, scores: Mapping[str, float]
) -> tuple[dict[str, float], bool]:
    """What an evaluation that may end early measures, one objective after another, and whether it was ended."""
    bound = search.bound(candidate.number)
    measured: dict[str, float] = {}
    for name, score in scores.items():
        measured[name] = score
        if bound is not None and len(measured) < len(scores) and bound.excludes(measured):
            return measured, True
    return measured, False


def state_bytes(search: Search) -> int:
    """Memory of everything that can be reached from a search, code apart."""
    seen: set[int] = set()
    total, waiting = 0, [search.__dict__]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType | FunctionType):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        waiting.extend(gc.get_referents(thing))
    return total
