"""Every search can be the source of a stage's places, beside measured steps or alone, and repeats a record."""

from __future__ import annotations

import dataclasses

import pytest

from rheobase.fitting.search.factory import search_names
from rheobase.fitting.tuning.stage import Knob
from rheobase.fitting.tuning.tuning import tune
from tests.fitting.tuning.test_gain_limits import Driven, measure, stage

KNOBS = (Knob("A->A", ("weight:A->A",), (0.2, 5.0)), Knob("B->A", ("weight:B->A",), (0.2, 5.0)))
WITHOUT_TORCH = [name for name in search_names() if name != "optuna_gp"]


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_a_search_alone_finds_what_two_gains_can_do(name: str) -> None:
    sampled = dataclasses.replace(stage(9.0, *KNOBS), proposals=(name,), budget=60, patience=60)
    tuned = tune(Driven(), [sampled], 3, measure)
    assert tuned.met, tuned.sentences
    (progress,) = tuned.stages
    assert progress.origins[name].places > 1
    again = tune(Driven(), [sampled], 3, measure, record=tuned.record)
    assert again.parameters == tuned.parameters


def test_the_gaussian_process_too() -> None:
    pytest.importorskip("torch", reason="needs rheobase[gp]")
    sampled = dataclasses.replace(stage(9.0, *KNOBS), proposals=("optuna_gp",), budget=60, patience=60)
    assert tune(Driven(), [sampled], 3, measure).met
