"""The aperiodic part as a straight line in log-log, fitted outside the rhythms that are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.signals.parameterisation import FEWEST_BINS, AperiodicFit, bins_to_fit, fit_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.signals.spectrum import Spectrum


def aperiodic_line(
    spectrum: Spectrum, range_Hz: tuple[float, float], without_Hz: Sequence[tuple[float, float]]
) -> AperiodicFit:
    """Least-squares line of log power over log frequency, the bins of some ranges left out.

    It has no threshold and no number of peaks to choose, so it changes smoothly with the spectrum, and it suits
    spectra of few bins; it needs to be told where the rhythms are.

    Args:
        spectrum: Of one channel.
        range_Hz: Where to fit, both ends included.
        without_Hz: What to leave out, ends included, for example [(7, 13)].

    Returns:
        A fit without peaks; its R-squared and error are those of the bins that were used.

    Raises:
        FeatureError: As `parameterise`, for the bins that are left.
    """
    frequencies, power = bins_to_fit(spectrum, range_Hz)
    used = np.ones(len(frequencies), dtype=np.bool_)
    for low, high in without_Hz:
        used &= (frequencies < low) | (frequencies > high)
    if int(used.sum()) < FEWEST_BINS:
        raise FeatureError(
            f"a line needs {FEWEST_BINS} bins, {int(used.sum())} are left between {range_Hz[0]:g} and "
            f"{range_Hz[1]:g} Hz: leave less out, or take a finer resolution_Hz or a wider range"
        )
    return fit_line(frequencies[used], power[used], range_Hz)
