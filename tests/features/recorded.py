"""The recordings beside the checkout, read once per test session, and recordings made up for tests."""

from __future__ import annotations

import functools

import numpy as np

from rheobase.features.layout import RecordingFolder, read_recordings
from rheobase.features.recording import Recording
from tests.shared_data import shared

RAT_CELLS = ("C060109A3", "C060112A3", "C060114A5", "C060114A6", "C060116A1")


def rat(
    protocols: tuple[str, ...], cells: tuple[str, ...] = RAT_CELLS, junction_mV: float = 14.0
) -> tuple[Recording, ...]:
    """Sweeps of the thick-tufted layer 5 cells."""
    shared("rat_l5_pyramidal")
    return _rat(protocols, cells, junction_mV)


def igor(junction_mV: float = 14.0) -> tuple[Recording, ...]:
    """Sweeps of B6, B8 and B95."""
    shared("igor_waves")
    return _igor(junction_mV)


@functools.cache
def _rat(protocols: tuple[str, ...], cells: tuple[str, ...], junction_mV: float) -> tuple[Recording, ...]:
    pattern = "{cell}-SR-C1/X_{protocol}_ch{channel}_{sweep}.ibw"
    folder = RecordingFolder(shared("rat_l5_pyramidal"), pattern, junction_mV, protocols=protocols, cells=cells)
    return tuple(read_recordings(folder))


@functools.cache
def _igor(junction_mV: float) -> tuple[Recording, ...]:
    pattern = "{cell}/{cell}_Ch{channel}_{protocol}_{sweep}.ibw"
    return tuple(read_recordings(RecordingFolder(shared("igor_waves"), pattern, junction_mV)))


def made_up(
    amplitude_nA: float,
    spikes: int = 0,
    cell: str = "cell",
    protocol: str = "IDrest",
    sweep: str = "0",
    resistance_MOhm: float = 100.0,
    rest_mV: float = -70.0,
    holding_nA: float = 0.0,
    duration_ms: float = 200.0,
    spike_mV: float = 100.0,
) -> Recording:
    """A cell of one resistance that fires a given number of spikes, 100 ms before and after the step, at 10 kHz."""
    time_step_ms = 0.1
    time_ms = np.arange(round((200.0 + duration_ms) / time_step_ms)) * time_step_ms
    during = (time_ms >= 100.0) & (time_ms < 100.0 + duration_ms)
    current_nA = np.where(during, holding_nA + amplitude_nA, holding_nA)
    voltage_mV = (
        rest_mV + resistance_MOhm * holding_nA + np.where(during, min(amplitude_nA * resistance_MOhm, 15.0), 0.0)
    )
    for number in range(spikes):
        onset_ms = 100.0 + duration_ms * (number + 0.5) / (spikes + 0.5)
        voltage_mV = voltage_mV + spike_mV * np.exp(-np.square((time_ms - onset_ms) / 0.5))
    return Recording(cell, protocol, sweep, time_step_ms, voltage_mV, current_nA, f"{cell}_{protocol}_{sweep}")
