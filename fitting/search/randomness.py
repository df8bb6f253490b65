"""DEAP and BluePyOpt draw from the global generators of Python and numpy: a search lends them its own."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator


class LentRandomness:
    """States of Python's and numpy's global generators that belong to one search.

    Each is lent by itself: to put both aside and back takes a tenth of a millisecond, as long as breeding does.

    Args:
        seed: Seed of both.
    """

    def __init__(self, seed: int) -> None:
        self._python = random.Random(seed).getstate()
        self._numpy = np.random.RandomState(seed % 2**32).get_state()

    @contextlib.contextmanager
    def lent_python(self) -> Iterator[None]:
        """Within it Python's global generator is this search's; behind it it is as it was. For DEAP's operators."""
        python = random.getstate()
        random.setstate(self._python)
        try:
            yield
        finally:
            self._python = random.getstate()
            random.setstate(python)

    @contextlib.contextmanager
    def lent_numpy(self) -> Iterator[None]:
        """The same for numpy's global generator. For DEAP's selections."""
        numpy = np.random.get_state()  # noqa: NPY002 - the global one is what DEAP uses
        np.random.set_state(self._numpy)  # noqa: NPY002
        try:
            yield
        finally:
            self._numpy = np.random.get_state()  # noqa: NPY002
            np.random.set_state(numpy)  # noqa: NPY002
