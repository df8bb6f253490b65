"""Unitary postsynaptic potentials of projections, simulated as they are measured in paired recordings.

The postsynaptic cell alone, without any background, is held at a voltage by a constant current; one presynaptic spike
then reaches all contacts of a connection at once. Release is its mean, the first after a long silence. Pairs differ in
the model of the cell and in where the contacts lie; connections whose conductance varies get its mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.occupancy import is_inside, leave, occupy, vacate
from rheobase.fitting.circuits.cell_building import CircuitCell
from rheobase.fitting.circuits.mechanisms import circuit_mechanisms
from rheobase.fitting.circuits.random_streams import random_generator
from rheobase.fitting.circuits.receptors import Contact, place_receptors

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.circuits.blueprint import CellVariant, CircuitBlueprint, Projection

_FOREVER_MS = 1e9
_CLAMP_MOHM, _OPEN_MOHM = 0.01, 1e12
# A cell whose dendrites or axon fire while its soma is clamped drifts away as soon as it is let go.
_LARGEST_DRIFT_MV = 5.0
_LATEST_PEAK = 0.9  # of the time after the spike


@dataclass(frozen=True)
class PairedRecording:
    """How unitary potentials are measured.

    Attributes:
        excitatory_holding_mV: Voltage that the soma is held at where the synapse excites (mV).
        inhibitory_holding_mV: The same where it inhibits (mV): above its reversal potential, and low enough that few
            cells fire.
        settle_ms: Time that the cell has to settle (ms).
        after_ms: Time after the spike in which the peak is looked for (ms).
        variants: Most models of a population that are measured.
        places: Choices of contacts on each.
        seed: Of these choices.
    """

    excitatory_holding_mV: float = -70.0
    inhibitory_holding_mV: float = -60.0
    settle_ms: float = 300.0
    after_ms: float = 100.0
    variants: int = 5
    places: int = 4
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.variants, self.places) < 1 or min(self.settle_ms, self.after_ms) <= 0.0:
            raise ModelError(
                "a paired recording needs at least one model and one choice of contacts, and times above zero, got "
                f"{self.variants}, {self.places}, {self.settle_ms:g} and {self.after_ms:g} ms"
            )


DEFAULT_RECORDING = PairedRecording()


@dataclass(frozen=True)
class UnitaryPotential:
    """What one spike of a presynaptic cell does to a postsynaptic one.

    Attributes:
        projection: Name of the projection.
        amplitudes_mV: Peak of each pair, negative where it hyperpolarises (mV).
        left_out: Number of pairs without an amplitude: the cell fired, did not stay near this holding voltage, or went
            on leaving it until the end of the time in which the peak is looked for.
        holding_mV: The voltage (mV).
    """

    projection: str
    amplitudes_mV: tuple[float, ...]
    left_out: int
    holding_mV: float

    @property
    def mean_mV(self) -> float | None:
        """Mean over pairs (mV); None if all were left out."""
        return float(np.mean(self.amplitudes_mV)) if self.amplitudes_mV else None

    @property
    def median_mV(self) -> float | None:
        """Median over pairs (mV); None if all were left out."""
        return float(np.median(self.amplitudes_mV)) if self.amplitudes_mV else None

    @property
    def std_mV(self) -> float | None:
        """Standard deviation between pairs (mV); None with fewer than two."""
        return float(np.std(self.amplitudes_mV, ddof=1)) if len(self.amplitudes_mV) > 1 else None


def unitary_potentials(
    blueprint: CircuitBlueprint,
    parameters: Mapping[str, float],
    recording: PairedRecording = DEFAULT_RECORDING,
    chosen: Collection[str] | None = None,
) -> tuple[UnitaryPotential, ...]:
    """Unitary potentials of the projections of a circuit, in their order.

    It closes whatever is in the NEURON of this process. The result depends on nothing but its arguments.

    Args:
        blueprint: The circuit.
        parameters: Value of each parameter that is not 1, as in a trial; those of weights count.
        recording: How to measure.
        chosen: Names of the projections that are measured; None: all.

    Raises:
        ModelError: a cell that cannot be built, or without a place for the contacts.
    """
    vacate()
    projections = [one for one in blueprint.projections if chosen is None or one.name in chosen]
    pairs: dict[str, list[float | None]] = {projection.name: [] for projection in projections}
    for population in blueprint.populations:
        onto = [projection for projection in projections if projection.target == population.name]
        for number, variant in enumerate(population.variants[: recording.variants] if onto else ()):
            cell = _HeldCell(variant, blueprint, recording)
            try:
                for projection in onto:
                    gain = parameters.get(f"weight:{projection.name}", 1.0)
                    pairs[projection.name] += cell.amplitudes(projection, gain, number)
            finally:
                cell.close()
    return tuple(_summary(projection, pairs[projection.name], recording) for projection in projections)


def _summary(
    projection: Projection, amplitudes: Sequence[float | None], recording: PairedRecording
) -> UnitaryPotential:
    measured = tuple(amplitude for amplitude in amplitudes if amplitude is not None)
    return UnitaryPotential(
        projection.name, measured, len(amplitudes) - len(measured), _holding_mV(projection, recording)
    )


def _holding_mV(projection: Projection, recording: PairedRecording) -> float:
    return recording.excitatory_holding_mV if projection.synapse.is_excitatory else recording.inhibitory_holding_mV


@dataclass(frozen=True)
class _Held:
    """A cell that has settled: NEURON's state, the current that holds it (nA), and its voltage without a spike (mV)."""

    holding_mV: float
    state: Any
    current_nA: float
    undisturbed_mV: NDArray[np.float64]


class _HeldCell:
    """A postsynaptic cell, alone in NEURON."""

    def __init__(self, variant: CellVariant, blueprint: CircuitBlueprint, recording: PairedRecording) -> None:
        load_mechanisms([*circuit_mechanisms(), *variant.model.mechanisms])
        from neuron import h

        self._h: Any = h
        self._blueprint, self._recording, self._name = blueprint, recording, variant.name
        self._cell = CircuitCell(variant, "unitary")
        occupy(self)
        middle = self._cell.soma(0.5)
        self._clamp, self._electrode = h.SEClamp(middle), h.IClamp(middle)
        self._clamp.dur1 = self._electrode.dur = _FOREVER_MS
        self._electrode.delay = 0.0
        self._voltage = h.Vector().record(middle._ref_v)
        # Receptors stay: they conduct nothing until a spike comes, and NEURON's saved states know them.
        self._receptors: list[Any] = []

    def close(self) -> None:
        """Take the cell out of NEURON."""
        if is_inside(self):
            leave(self)
        del self._clamp, self._electrode, self._voltage
        self._receptors.clear()
        del self._cell

    def amplitudes(self, projection: Projection, gain: float, number: int) -> list[float | None]:
        """Peak of the potential of each choice of contacts (mV); None where it cannot be measured.

        Args:
            projection: What the contacts are like.
            gain: Factor of their conductance.
            number: Which model of its population the cell is.
        """
        self._receptors.clear()
        pairs = [
            self._place(
                projection, gain, random_generator(self._recording.seed, "pair", projection.name, number, place)
            )
            for place in range(self._recording.places)
        ]
        held = self._hold(_holding_mV(projection, self._recording))
        return [self._amplitude(held, netcons) for netcons in pairs]

    def _amplitude(self, held: _Held, netcons: Sequence[Any]) -> float | None:
        if np.abs(held.undisturbed_mV - held.holding_mV).max() > _LARGEST_DRIFT_MV:
            return None
        disturbed_mV = self._follow(held, netcons)
        if disturbed_mV.max() > self._blueprint.spike_threshold_mV:
            return None
        difference = disturbed_mV - held.undisturbed_mV
        peak = int(np.argmax(np.abs(difference)))
        # A constant current may hold a cell where the least push sends it away: that is no postsynaptic potential.
        return float(difference[peak]) if peak < _LATEST_PEAK * len(difference) else None

    def _place(self, projection: Projection, gain: float, generator: np.random.Generator) -> list[Any]:
        """The contacts of one connection, as connecting chooses them."""
        places = self._cell.shape.stretches(projection.sections, projection.distances_um)
        if not len(places.section):
            near, far = projection.distances_um
            raise ModelError(
                f"{projection.name}: {self._name} has no {' or '.join(projection.sections)} section from {near:g} to "
                f"{far:g} um from the soma for its contacts; choose other sections or distances"
            )
        section, position = places.choose(generator, projection.contacts)
        kind = replace(projection.synapse, release_sites=0)
        netcons = []
        for number, (where, at) in enumerate(zip(section.tolist(), position.tolist(), strict=True)):
            site = place_receptors(self._cell.segment(where, at), kind)
            netcon = self._h.NetCon(None, site.point_process)
            site.connect(netcon, Contact(1e-3 * gain * projection.conductance_nS, number))
            self._receptors.append(site.point_process)
            netcons.append(netcon)
        return netcons

    def _hold(self, voltage_mV: float) -> _Held:
        """Clamp the voltage until the cell has settled; then the same current holds it."""
        h, recording = self._h, self._recording
        h.cvode_active(0)
        h.celsius = self._blueprint.temperature_degC
        h.dt, h.steps_per_ms = self._blueprint.time_step_ms, 1.0 / self._blueprint.time_step_ms
        self._clamp.rs, self._clamp.amp1, self._electrode.amp = _CLAMP_MOHM, voltage_mV, 0.0
        h.finitialize(voltage_mV)
        h.continuerun(recording.settle_ms)
        state, current_nA = h.SaveState(), float(self._clamp.i)
        state.save()
        held = _Held(voltage_mV, state, current_nA, np.empty(0))
        return replace(held, undisturbed_mV=self._follow(held, []))

    def _follow(self, held: _Held, netcons: Sequence[Any]) -> NDArray[np.float64]:
        """Voltage after a spike along these, every time step (mV)."""
        h = self._h
        h.finitialize()
        held.state.restore()
        # A saved state knows the clamp as switched on: it is made to pass no current instead.
        self._clamp.rs, self._electrode.amp = _OPEN_MOHM, held.current_nA
        for netcon in netcons:
            netcon.event(h.t)
        self._voltage.resize(0)
        h.continuerun(h.t + self._recording.after_ms)
        return np.array(self._voltage)
