from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.fitting.ensembles.ensemble import (
    Ensemble,
    EnsembleError,
    Member,
    read_ensemble,
    select_diverse,
    write_ensemble,
)

MEMBER = Member(17, {"g_pas.all": 0.1 + 0.2}, {"threshold_current": 0.1}, {"threshold_current": 0.5}, 0.5, 0.5, True)


class TestSelection:
    def test_best_first_then_the_farthest(self) -> None:
        positions = np.array([[0.5, 0.5], [0.0, 0.0], [1.0, 1.0], [0.52, 0.5], [1.0, 0.0]])
        assert select_diverse(positions, np.array([2.0, 3.0, 4.0, 1.0, 5.0]), 3) == [3, 1, 2]

    def test_copies_are_left_out(self) -> None:
        positions = np.array([[0.1, 0.2]] * 5 + [[0.9, 0.9]] * 5)
        assert select_diverse(positions, np.arange(10.0), 10) == [0, 5]

    def test_nothing_to_choose_from(self) -> None:
        assert select_diverse(np.empty((0, 3)), np.empty(0), 5) == []

    def test_spread_beats_the_best_ones(self) -> None:
        generator = np.random.default_rng(1)
        positions = generator.random((300, 4))
        totals = np.linalg.norm(positions - 0.5, axis=1)
        chosen = positions[select_diverse(positions, totals, 10)]
        best = positions[np.argsort(totals)[:10]]
        assert smallest_distance(chosen) > 3.0 * smallest_distance(best)

    @given(count=st.integers(1, 30), size=st.integers(1, 40), best=st.integers(1, 12), seed=st.integers(0, 99))
    def test_properties(self, count: int, size: int, best: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        positions, totals = generator.random((count, 3)), generator.random(count)
        chosen = select_diverse(positions, totals, size, best)
        assert len(chosen) == len(set(chosen)) == min(size, count)
        first = min(best, size, count)
        assert chosen[:first] == np.argsort(totals)[:first].tolist()


def smallest_distance(positions: np.ndarray) -> float:
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    return float(distances[np.triu_indices(len(positions), 1)].min())


def test_round_trip(tmp_path: Path) -> None:
    ensemble = Ensemble("demo", 3.0, 12, (MEMBER,))
    write_ensemble(ensemble, tmp_path / "ensemble.json")
    assert read_ensemble(tmp_path / "ensemble.json") == ensemble
    assert json.loads((tmp_path / "ensemble.json").read_text())["schema"] == "rheobase.ensemble/1"


def test_never_a_bare_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_ensemble(Ensemble("demo", math.nan, 0, ()), tmp_path / "ensemble.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": "x"}',
        '{"schema": "rheobase.ensemble/1"}',
        '{"schema": "rheobase.ensemble/1", "members": [1]}',
    ],
)
def test_damaged_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "ensemble.json"
    path.write_text(text)
    with pytest.raises(EnsembleError, match=re.escape(str(path))):
        read_ensemble(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EnsembleError, match=r"ensemble\.json does not exist; it is written when a campaign has ended"):
        read_ensemble(tmp_path / "ensemble.json")
