"""Ensembles: models that reach the targets, as different from each other as the search found them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import RheobaseError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SCHEMA = "rheobase.ensemble/1"


class EnsembleError(RheobaseError):
    """An ensemble that cannot be chosen or read."""


@dataclass(frozen=True)
class Member:
    """One model of an ensemble.

    Attributes:
        number: Number of its evaluation in its search.
        parameters: Value of each free parameter, by name.
        features: What it measures, by objective.
        scores: Its scores (standard deviations), by objective.
        total: Sum of the scores, each times its weight.
        worst: Largest score of a feature with a weight above zero.
        accepted: Whether its worst score is within the campaign's limit.
        search: Name of the search that evaluated it.
    """

    number: int
    parameters: dict[str, float]
    features: dict[str, float]
    scores: dict[str, float]
    total: float
    worst: float
    accepted: bool
    search: str = "search"


@dataclass(frozen=True)
class Ensemble:
    """The models chosen from a campaign's record; the first is the best.

    Attributes:
        name: Name of the campaign.
        largest_score: Limit of the worst score of an accepted model (standard deviations).
        accepted_in_record: How many models of the whole record are accepted.
        members: The models chosen.
    """

    name: str
    largest_score: float
    accepted_in_record: int
    members: tuple[Member, ...]


def select_diverse(positions: NDArray[np.float64], totals: NDArray[np.float64], size: int, best: int = 1) -> list[int]:
    """Indices of models spread over the parameter space, the best ones first.

    Greedy: each further model is the one farthest from those already chosen (Gonzalez 1985).

    Args:
        positions: Models in the unit cube of the free parameters, shape (models, parameters).
        totals: Sum of scores, lower is better, shape (models,).
        size: How many to choose at most.
        best: How many of the best are chosen wherever they lie, one at least.
    """
    chosen: list[int] = np.argsort(totals, kind="stable")[: min(best, size)].tolist()
    nearest = np.full(len(totals), np.inf)
    for index in chosen:
        nearest = np.minimum(nearest, np.linalg.norm(positions - positions[index], axis=1))
    while len(chosen) < min(size, len(totals)):
        farthest = int(np.argmax(nearest))
        if nearest[farthest] == 0.0:  # only copies of chosen ones are left
            break
        chosen.append(farthest)
        nearest = np.minimum(nearest, np.linalg.norm(positions - positions[farthest], axis=1))
    return chosen


def write_ensemble(ensemble: Ensemble, path: Path) -> None:
    """Write an ensemble as JSON."""
    content = {"schema": SCHEMA, **asdict(ensemble)}
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_ensemble(path: Path) -> Ensemble:
    """Read what `write_ensemble` wrote.

    Raises:
        EnsembleError: no such file, or not an ensemble.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("schema", None) != SCHEMA:
            raise EnsembleError(f'{path}: expected \'"schema": "{SCHEMA}"\'')
        members = tuple(Member(**entry) for entry in content.pop("members"))
        return Ensemble(members=members, **content)
    except FileNotFoundError:
        raise EnsembleError(f"the ensemble {path} does not exist; it is written when a campaign has ended") from None
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise EnsembleError(f"{path} is not an ensemble of rheobase: {error}") from error
