"""Surrogate recordings: a hidden model recorded as a cell would be, noise and junction potential included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.features.recording import Recording
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.simulation import SomaClamp
from rheobase.fitting.cells.threshold import find_threshold_current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.cells.model import CellModel

_SPIKE_THRESHOLD_mV = -20.0


@dataclass(frozen=True)
class SurrogateStep:
    """Steps that a virtual cell is recorded under.

    Attributes:
        protocol: Name of the protocol.
        levels_percent: Amplitudes in % of the cell's own threshold current.
        duration_ms: Length of the steps (ms).
        sampling_kHz: Sampling rate (kHz).
    """

    protocol: str
    levels_percent: tuple[float, ...]
    duration_ms: float
    sampling_kHz: float


@dataclass(frozen=True)
class SurrogatePlan:
    """How virtual cells are recorded.

    Attributes:
        steps: The protocols.
        holding_voltage_mV: True voltage that a holding current keeps the cell at (mV).
        junction_potential_mV: Added to the voltage, as an uncorrected amplifier does (mV).
        noise_mV: Standard deviation of the voltage noise (mV).
        settle_ms: Time to come to rest before the sweeps (ms).
    """

    steps: tuple[SurrogateStep, ...]
    holding_voltage_mV: float
    junction_potential_mV: float
    noise_mV: float
    settle_ms: float = 1000.0


class SurrogateRecorder:
    """Records virtual cells of one model.

    Args:
        model: The cell.
        plan: How it is recorded.
    """

    def __init__(self, model: CellModel, plan: SurrogatePlan) -> None:
        self._plan = plan
        self._instance = CellInstance(model)
        self._clamp = SomaClamp(self._instance, spike_threshold_mV=_SPIKE_THRESHOLD_mV)

    def record(self, cell: str, parameters: Mapping[str, float], seed: int) -> list[Recording]:
        """All sweeps of one virtual cell.

        Args:
            cell: Its name.
            parameters: Its true parameters.
            seed: Seed of its noise.

        Raises:
            ModelError: the hidden model does not spike.
        """
        self._instance.set_parameters(parameters)
        held = self._clamp.hold(self._plan.holding_voltage_mV, self._plan.settle_ms)
        longest = max(step.duration_ms for step in self._plan.steps)

        def spikes(amplitude_nA: float) -> bool:
            trace = self._clamp.spikes_at(held, amplitude_nA, longest)
            return trace.spikes(_SPIKE_THRESHOLD_mV) > 0

        threshold = find_threshold_current(spikes, first_guess_nA=0.1, largest_nA=5.0, precision=0.01)
        if threshold is None:
            raise ModelError(
                f"the hidden model of {cell} does not spike up to 5 nA; change recordings.surrogates.hidden"
            )
        generator = np.random.default_rng(seed)
        recordings = []
        for step in self._plan.steps:
            for number, level in enumerate(step.levels_percent):
                before, after = 100.0, 100.0
                amplitude = threshold * level / 100.0
                trace = self._clamp.step(held, amplitude, before, step.duration_ms, after)
                time_step = 1.0 / step.sampling_kHz
                time = np.arange(round((before + step.duration_ms + after) / time_step)) * time_step
                voltage = np.interp(time, trace.time_ms, trace.voltage_mV) + self._plan.junction_potential_mV
                current = np.full(len(time), held.holding_current_nA)
                current[(time >= before) & (time < before + step.duration_ms)] += amplitude
                recordings.append(
                    Recording(
                        cell=cell,
                        protocol=step.protocol,
                        sweep=str(number),
                        time_step_ms=time_step,
                        voltage_mV=voltage + generator.normal(0.0, self._plan.noise_mV, len(time)),
                        current_nA=current + generator.normal(0.0, 1e-3, len(time)),  # 1 pA, an amplifier's monitor
                        source="surrogate",
                    )
                )
        return recordings
