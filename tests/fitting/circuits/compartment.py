"""One compartment held at a voltage, with NEURON's fixed time step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.circuits.mechanisms import circuit_mechanisms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Compartment:
    """A leak of 1 S/cm2 holds the voltage: a synapse of some nS moves it by less than 1e-4 mV."""

    def __init__(self, voltage_mV: float = -70.0, time_step_ms: float = 0.1) -> None:
        from neuron import h

        load_mechanisms(circuit_mechanisms())
        self.voltage_mV = voltage_mV
        self.time_step_ms = time_step_ms
        self.section = h.Section(name="compartment")
        self.section.L = self.section.diam = 20.0
        self.section.insert("pas")
        self.section.g_pas, self.section.e_pas = 1.0, voltage_mV

    @property
    def segment(self) -> Any:
        return self.section(0.5)

    def start(self) -> None:
        from neuron import h

        h.CVode().active(0)
        h.dt = self.time_step_ms
        h.finitialize(self.voltage_mV)

    def run(self, duration_ms: float, recorded: Sequence[Any]) -> NDArray[np.float64]:
        """Values of the pointers at 0, dt, 2 dt, ... up to the duration: (pointers, times)."""
        from neuron import h

        vectors = [h.Vector().record(pointer) for pointer in recorded]
        self.start()
        for _ in range(round(duration_ms / self.time_step_ms)):
            h.fadvance()
        return np.array([np.array(vector) for vector in vectors])
