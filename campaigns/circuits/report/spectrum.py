"""The spectrum of the circuit against that of recordings: its amplitude is free, so curves are laid on each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.circuits.report.looks import ticks_in_decades
from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rheobase.campaigns.circuits.report.data import CircuitReportData, MeasuredSpectrum, SpectrumTarget

    Numbers = NDArray[np.float64]

_BANDS = ("#eef2f6", "#e3e9ef")
_LOWEST_HZ, _HIGHEST_HZ = 1.0, 100.0


def spectrum_figure(data: CircuitReportData) -> Figure | None:
    """The spectrum against its target; None where no run has one."""
    if not has_spectrum(data):
        return None
    with drawing.style():
        figure = drawing.new_figure(0.78 * drawing.PAGE_WIDTH_IN, 3.9)
        axes = figure.subplots()
        draw_spectrum(axes, data)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return figure


def has_spectrum(data: CircuitReportData) -> bool:
    """Whether there is a spectrum of the model with any power to be shown."""
    return bool(_mean(data) or _seeds(data))


def _mean(data: CircuitReportData) -> MeasuredSpectrum | None:
    return data.spectrum if data.spectrum is not None and _curve(data.spectrum)[0].size else None


def _seeds(data: CircuitReportData) -> list[MeasuredSpectrum]:
    return [run.spectrum for run in data.runs if run.spectrum is not None and _curve(run.spectrum)[0].size]


def draw_spectrum(axes: Axes, data: CircuitReportData) -> None:
    """Mean spectrum, those of single seeds, the target shifted to the same height, bands, and aperiodic lines."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    target = data.spectrum_target
    mean, seeds = _mean(data), _seeds(data)
    for place, one in enumerate(seeds):
        axes.plot(
            *_curve(one), color=drawing.MEMBERS, linewidth=0.7, zorder=3,
            label=("single seeds" if len(seeds) > 1 else "one seed") if place == 0 else None,
        )  # fmt: skip
    shown = mean or seeds[0]
    if mean is not None:
        axes.plot(*_curve(shown), color=drawing.BEST, linewidth=1.7, zorder=5, label=f"model, mean of {len(data.runs)}")
    if target is not None:
        _draw_target(axes, target, shown)
    _draw_line(axes, target, shown)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*_range_Hz(shown))
    _fit_height(axes, [shown, *seeds])
    if target is not None:
        _shade_bands(axes, target)
    axes.set_xlabel("Frequency (Hz)")
    axes.set_ylabel(f"Power ({shown.spectrum.unit.replace('^2', '²').replace('uV', 'µV')})")
    ticks_in_decades(axes.xaxis, *axes.get_xlim())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _power_of_ten(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _curve(measured: MeasuredSpectrum) -> tuple[Numbers, Numbers]:
    spectrum = measured.spectrum
    power = spectrum.single_power
    used = (spectrum.frequencies_Hz > 0.0) & (power > 0.0)
    return spectrum.frequencies_Hz[used], power[used]


def _range_Hz(measured: MeasuredSpectrum) -> tuple[float, float]:
    frequencies_Hz, _ = _curve(measured)
    return max(float(frequencies_Hz[0]), _LOWEST_HZ), min(float(frequencies_Hz[-1]), _HIGHEST_HZ)


def _fit_height(axes: Axes, shown: list[MeasuredSpectrum]) -> None:
    low_Hz, high_Hz = axes.get_xlim()
    powers = [power[(f >= low_Hz) & (f <= high_Hz)] for f, power in map(_curve, shown)]
    together = np.concatenate(powers)
    if together.size:
        axes.set_ylim(float(together.min()) / 1.5, float(together.max()) * 4.0)


def _height(measured: MeasuredSpectrum, frequencies_Hz: Numbers) -> float:
    """Mean log10 power over some frequencies."""
    known_Hz, power = _curve(measured)
    return float(np.mean(np.interp(np.log10(frequencies_Hz), np.log10(known_Hz), np.log10(power))))


def _draw_target(axes: Axes, target: SpectrumTarget, shown: MeasuredSpectrum) -> None:
    if target.shape is not None:
        frequencies_Hz = np.array(target.shape.frequencies_Hz)
        shape = np.array(target.shape.log10_power)
        shifted = 10.0 ** (shape - shape.mean() + _height(shown, frequencies_Hz))
        axes.plot(frequencies_Hz, shifted, color=drawing.RECORDING, linewidth=1.4, zorder=4, label="target")
    else:
        grid_Hz = np.geomspace(*target.fitted_Hz, 60)
        lines = [_power_law(shown, grid_Hz, target.exponent + sign * target.exponent_tolerance) for sign in (-1, 0, 1)]
        axes.fill_between(grid_Hz, lines[0], lines[2], color="#c9c9c4", linewidth=0, zorder=2)
        axes.plot(
            grid_Hz, lines[1], color=drawing.RECORDING, linewidth=1.2, zorder=4,
            label=f"target exponent {drawing.number(target.exponent)} ± {drawing.number(target.exponent_tolerance)}",
        )  # fmt: skip
    if target.peak_Hz is not None:
        ends = (target.peak_Hz - target.peak_tolerance_Hz, target.peak_Hz + target.peak_tolerance_Hz)
        axes.axvspan(*ends, ymax=0.03, color=drawing.RECORDING, linewidth=0, zorder=6)
        axes.plot(
            [], [], "s", color=drawing.RECORDING, markersize=4.0,
            label=f"target peak {drawing.number(target.peak_Hz)} ± {drawing.number(target.peak_tolerance_Hz)} Hz",
        )  # fmt: skip


def _power_law(shown: MeasuredSpectrum, grid_Hz: Numbers, exponent: float) -> Numbers:
    log = -exponent * np.log10(grid_Hz)
    return np.asarray(10.0 ** (log - log.mean() + _height(shown, grid_Hz)))


def _draw_line(axes: Axes, target: SpectrumTarget | None, shown: MeasuredSpectrum) -> None:
    """The aperiodic line that was fitted to the model, and its peak."""
    if shown.exponent is not None and shown.offset_log10 is not None:
        grid_Hz = np.geomspace(*(target.fitted_Hz if target is not None else _range_Hz(shown)), 60)
        axes.plot(
            grid_Hz, 10.0 ** (shown.offset_log10 - shown.exponent * np.log10(grid_Hz)), color=drawing.BEST,
            linewidth=1.0, linestyle=(0, (4, 2)), zorder=6, label=f"model's exponent {drawing.number(shown.exponent)}",
        )  # fmt: skip
    frequencies_Hz, power = _curve(shown)
    if shown.peak_Hz is not None:
        height = float(np.interp(shown.peak_Hz, frequencies_Hz, power))
        axes.plot(
            [shown.peak_Hz], [height * 1.35], "v", color=drawing.BEST, markersize=5.5, zorder=7,
            label=f"model's peak {drawing.number(shown.peak_Hz)} Hz",
        )  # fmt: skip


def _shade_bands(axes: Axes, target: SpectrumTarget) -> None:
    low_Hz, high_Hz = axes.get_xlim()
    for place, band in enumerate(sorted(target.bands, key=lambda one: one.low_Hz)):
        start, stop = max(band.low_Hz, low_Hz), min(band.high_Hz, high_Hz)
        if start < stop:
            axes.axvspan(start, stop, color=_BANDS[place % 2], linewidth=0, zorder=0)
            axes.text(
                (start * stop) ** 0.5, 0.985, band.name, transform=axes.get_xaxis_transform(), ha="center", va="top",
                fontsize=7.5, color=drawing.QUIET,
            )  # fmt: skip


def _power_of_ten(value: float) -> str:
    power = round(math.log10(value)) if value > 0.0 else 0
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
