from __future__ import annotations

import tracemalloc

import numpy as np
import psutil
import pytest

from rheobase.features.errors import RecordingError
from rheobase.features.shelf import Shelf


def test_things_come_back_in_order_under_their_names():
    shelf: Shelf[object] = Shelf()
    for name, thing in (("b", 1.0 / 3.0), ("a", None), ("b", ("x", {"y": -0.0}))):
        shelf.put(name, thing)
    assert shelf.names == ("b", "a")
    assert list(shelf.get("b")) == [1.0 / 3.0, ("x", {"y": -0.0})]
    assert list(shelf.get("a")) == [None]
    assert list(shelf.get("c")) == []


def test_names_that_are_no_utf8():
    shelf: Shelf[str] = Shelf()
    name = b"C\xff1".decode("utf-8", "surrogateescape")  # as a file's name can be
    shelf.put(name, name)
    assert list(shelf.get(name)) == [name]


def test_several_can_be_gone_through_at_once():
    shelf: Shelf[int] = Shelf()
    for number in range(6):
        shelf.put(str(number % 2), number)
    assert list(zip(shelf.get("0"), shelf.get("1"), strict=True)) == [(0, 1), (2, 3), (4, 5)]


def test_memory_does_not_grow():
    shelf: Shelf[np.ndarray] = Shelf()
    before = _resident_kB()
    tracemalloc.start()
    try:
        for number in range(2000):
            shelf.put(f"{number}", np.full(2000, float(number)))
        python_kB = tracemalloc.get_traced_memory()[0] / 1024.0
    finally:
        tracemalloc.stop()
    assert python_kB < 600.0  # the names
    assert _resident_kB() - before < 8000.0  # 32 MB were put
    (back,) = shelf.get("1999")
    assert back[0] == 1999.0


def _resident_kB() -> float:
    return psutil.Process().memory_info().rss / 1024.0


def test_a_full_disk_is_said():
    shelf: Shelf[bytes] = Shelf()
    shelf._file.execute("PRAGMA max_page_count=10")
    with pytest.raises(RecordingError, match=r"cell 7 cannot be kept in a temporary file: .*full.*SQLITE_TMPDIR"):
        shelf.put("cell 7", bytes(100000))
