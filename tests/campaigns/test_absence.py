"""Whoever waits for workers says so."""

from __future__ import annotations

import re
import time

import pytest

from rheobase.campaigns import absence
from rheobase.campaigns.absence import Absence


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in its only element."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_nothing_is_said_while_somebody_is_there_or_soon_back(clock: list[float]) -> None:
    said: list[str] = []
    watch = Absence(said.append, lambda: "why")
    for second in range(100):
        clock[0] += 1.0
        watch.look(second % 19 == 0)
    assert said == []


def test_a_long_absence_is_said_now_and_then_and_so_is_its_end(clock: list[float]) -> None:
    said: list[str] = []
    watch = Absence(said.append, lambda: "the cluster has no CPU left")
    for _ in range(round(absence.FIRST_AFTER_S + 2.5 * absence.AGAIN_AFTER_S)):
        watch.look(False)
        clock[0] += 1.0
    assert len(said) == 3
    assert re.match(r"No worker for 20 s: the cluster has no CPU left\. Waiting for one", said[0])
    watch.look(True)
    watch.look(True)
    assert said[3:] == ["Workers are there again, after 1520 s"]
    watch.look(False)
    clock[0] += absence.FIRST_AFTER_S
    watch.look(False)
    assert len(said) == 5
