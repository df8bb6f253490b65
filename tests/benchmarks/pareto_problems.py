"""Multi-objective problems with known fronts, and DEAP's own loop to compare with."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ParetoProblem:
    """A function of the unit cube.

    Attributes:
        function: Objectives, shape (objectives,), at a place of shape (parameters,).
        parameters: How many there are.
        reference: Reference point of the hypervolume.
        front: Hypervolume of the true front.
    """

    function: Callable[[FloatArray], FloatArray]
    parameters: int
    reference: tuple[float, ...]
    front: float


def zdt1(x: FloatArray) -> FloatArray:
    """Zitzler, Deb & Thiele 2000; front f2 = 1 - sqrt(f1)."""
    g = 1.0 + 9.0 * x[1:].mean()
    return np.array([x[0], g * (1.0 - math.sqrt(x[0] / g))])


def zdt2(x: FloatArray) -> FloatArray:
    """Zitzler, Deb & Thiele 2000; front f2 = 1 - f1^2, not convex."""
    g = 1.0 + 9.0 * x[1:].mean()
    return np.array([x[0], g * (1.0 - (x[0] / g) ** 2)])


def dtlz2(x: FloatArray) -> FloatArray:
    """Deb, Thiele, Laumanns & Zitzler 2002, three objectives; front: the unit sphere."""
    g = float(np.square(x[2:] - 0.5).sum())
    first, second = x[:2] * math.pi / 2.0
    sphere = [math.cos(first) * math.cos(second), math.cos(first) * math.sin(second), math.sin(first)]
    return np.maximum((1.0 + g) * np.array(sphere), 0.0)


PROBLEMS = {
    "ZDT1": ParetoProblem(zdt1, 10, (1.1, 1.1), 1.21 - 1.0 / 3.0),
    "ZDT2": ParetoProblem(zdt2, 10, (1.1, 1.1), 1.21 - 2.0 / 3.0),
    "DTLZ2": ParetoProblem(dtlz2, 7, (1.1, 1.1, 1.1), 1.1**3 - math.pi / 6.0),
}


def hypervolume(points: FloatArray, reference: tuple[float, ...]) -> float:
    """Volume that points, shape (points, objectives), dominate below a reference point."""
    import moocore

    return float(moocore.hypervolume(points, ref=list(reference)))


def deap_nsga2(problem: ParetoProblem, evaluations: int, seed: int, population: int) -> FloatArray:
    """Objectives of everything that DEAP's NSGA-II example evaluates: shape (evaluations, objectives).

    With the operators and settings of its example of NSGA-II: crossover 0.9 with eta 20, mutation of 1/n with eta 20,
    tournament by dominance and crowding.
    """
    from deap import base, tools

    random.seed(seed)
    fitness = type("Fitness", (base.Fitness,), {"weights": (-1.0,) * len(problem.reference)})
    found: list[FloatArray] = []

    class Individual(list[float]):
        fitness: Any

    def evaluated(individual: Individual) -> Individual:
        found.append(problem.function(np.array(individual)))
        individual.fitness = fitness(tuple(found[-1]))
        return individual

    everyone = [evaluated(Individual([random.random() for _ in range(problem.parameters)])) for _ in range(population)]
    everyone = tools.selNSGA2(everyone, population)
    while len(found) < evaluations:
        children = [Individual(parent) for parent in tools.selTournamentDCD(everyone, population)]
        for one, other in zip(children[::2], children[1::2], strict=True):
            if random.random() <= 0.9:
                tools.cxSimulatedBinaryBounded(one, other, 20.0, 0.0, 1.0)
            for child in (one, other):
                tools.mutPolynomialBounded(child, 20.0, 0.0, 1.0, 1.0 / problem.parameters)
        everyone = tools.selNSGA2(everyone + [evaluated(child) for child in children], population)
    return np.array(found[:evaluations])
