"""Running a function in a process of its own: NEURON's state is global and mechanisms stay loaded for good."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def in_new_process(
    function: Callable[..., Result], *args: object, environment: dict[str, str] | None = None, timeout_s: float = 200.0
) -> Result:
    """What a module-level function returns in a fresh Python process; what it raises is raised here as text."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        ended, value = pool.submit(_run, function, args, environment or {}).result(timeout=timeout_s)
    assert ended, value
    return value


def _run(function: Callable[..., Result], args: tuple[object, ...], environment: dict[str, str]) -> tuple[bool, object]:
    os.environ.update({"NEURON_MODULE_OPTIONS": "-nogui", **environment})
    try:
        return True, function(*args)
    except Exception:
        return False, traceback.format_exc()  # as text: not every exception can be pickled
