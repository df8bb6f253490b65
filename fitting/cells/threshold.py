"""The threshold current of a model: the smallest step that makes it spike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_STRIDE = 1.25  # the guess is usually near: a small stride first, doubled in logarithm while it fails


def find_threshold_current(
    spikes: Callable[[float], bool], first_guess_nA: float, largest_nA: float, precision: float
) -> float | None:
    """Smallest spiking step (nA), found by bracketing around a guess and bisection.

    Args:
        spikes: Whether a step of this amplitude (nA, above holding) makes the cell spike.
        first_guess_nA: Where to look first (nA), above zero.
        largest_nA: Where to give up (nA).
        precision: Width of the final bracket relative to its upper end.

    Returns:
        The upper, spiking end of the bracket; None when the largest step does not make it spike.
    """
    smallest_nA = first_guess_nA * 1e-3
    guess = min(first_guess_nA, largest_nA)
    stride = _FIRST_STRIDE
    if spikes(guess):
        upper, lower = guess, guess / stride
        while lower > smallest_nA and spikes(lower):
            stride = stride * stride
            upper, lower = lower, lower / stride
    else:
        lower, upper = guess, min(guess * stride, largest_nA)
        while not spikes(upper):
            if upper >= largest_nA:
                return None
            stride = stride * stride
            lower, upper = upper, min(upper * stride, largest_nA)
    while upper - lower > precision * upper:
        middle = 0.5 * (lower + upper)
        if spikes(middle):
            upper = middle
        else:
            lower = middle
    return upper
