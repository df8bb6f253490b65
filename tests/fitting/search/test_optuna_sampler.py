from __future__ import annotations

import logging
import sys

import numpy as np
import optuna
import pytest

from rheobase.features.errors import CampaignError
from rheobase.fitting.search.algorithm import Outcome, Setup
from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.optuna_sampler import OptunaOptions, OptunaSampler
from tests.fitting.search.driving import FloatArray, cube, minimise, names


def bowl(x: FloatArray) -> list[float]:
    return [float(np.abs(x - 0.3).sum()), float(np.square(x - 0.3).sum())]


@pytest.mark.parametrize("sampler", ["tpe", "cma_es", "nsga2", "nsga3"])
def test_studies_forget(sampler: str) -> None:
    """It goes on as well where it forgets as where it does not, and the study stays small."""

    def run(remembered: int) -> tuple[float, int]:
        settings = SearchSettings(10, options={"remembered": remembered})
        search = make_search(f"optuna_{sampler}", cube(2), names(2), settings, 1)
        values = minimise(search, bowl, 300, 4)
        algorithm = search._algorithm._algorithm  # type: ignore[attr-defined]
        return float(np.median(values[-60:, 0])), len(algorithm._study.trials)

    forgetful, few = run(60)
    whole, all_of_them = run(1000)
    assert few < 130
    assert all_of_them >= 300
    assert forgetful < 3.0 * whole + 0.05


def test_answers_to_an_earlier_study() -> None:
    """Late answers are told to the study that has taken its place."""
    sampler = OptunaSampler(Setup(2, 1, 1, population=4), OptunaOptions(remembered=8), "tpe")
    late = [sampler.propose() for _ in range(3)]
    for _ in range(16):
        sampler.learn(sampler.propose(), Outcome((1.0,), 1.0))
    for proposal in late:
        sampler.learn(proposal, Outcome((0.5,), 0.5, failed=True))
    assert sampler.propose().study == 1


def test_optuna_keeps_quiet_and_its_own_verbosity(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.DEBUG)
    try:
        for sampler in ("tpe", "cma_es", "nsga2", "nsga3"):
            minimise(make_search(f"optuna_{sampler}", cube(1), names(2), SearchSettings(4), 1), bowl, 12)
        assert optuna.logging.get_verbosity() == logging.DEBUG
    finally:
        optuna.logging.set_verbosity(before)
    assert capfd.readouterr().err == ""


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CampaignError, match=r"'optuna_gp' needs torch; pip install 'rheobase\[gp\]'"):
        make_search("optuna_gp", cube(1), names(1), SearchSettings(), 1)
