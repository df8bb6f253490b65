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

    Args:
        seed: Seed of both.
    """

    def __init__(self, seed: int) -> None:
        self._python = random.Random(seed).getstate()
        self._numpy = np.random.RandomState(seed % 2**32).get_state()

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Within it the global generators are this search's; behind it they are as they were."""
        python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one is what DEAP uses
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002
        try:
            yield
        finally:
            self._python, self._numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
