"""A mean-field model of sixteen populations that answers trials like a circuit, in a few milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.circuit import CircuitResponse
from rheobase.fitting.tuning.recipe import TuningLayer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.circuits.circuit import Trial
    from rheobase.fitting.tuning.stage import TuningStage

LAYERS = tuple(
    TuningLayer(layer, (f"{layer}_E",), tuple(f"{layer}_{kind}" for kind in ("PV", "SST", "VIP")))
    for layer in ("L4", "L23", "L5", "L6")
)
POPULATIONS = tuple(name for layer in LAYERS for name in layer.populations)
SIZES = {name: {"E": 60, "PV": 16, "SST": 12, "VIP": 12}[name.split("_")[1]] for name in POPULATIONS}
# Spontaneous rates of mouse V1 (Hz), rounded (Billeh et al. 2020, Neuron 106:388).
RATES = dict(
    zip(
        POPULATIONS,
        (3.6, 10.5, 3.8, 3.1, 1.5, 7.9, 3.8, 14.7, 5.7, 12.0, 3.9, 11.6, 3.1, 12.3, 10.3, 6.7),
        strict=True,
    )
)
_TO = {
    "E": (0.16, 0.9, 0.6, 0.1),
    "PV": (0.25, 0.9, 0.45, 0.05),
    "SST": (0.25, 0.1, 0.05, 0.5),
    "VIP": (0.2, 0.1, 0.3, 0.0),
}
_SOURCES = ("E", "PV", "SST", "VIP")
_EXPONENT = 1.2


def _strength(source: str, target: str) -> float:
    """Mean input (arbitrary units) for each hertz of the source, negative for inhibition."""
    (layer, kind), (other, onto) = source.split("_"), target.split("_")
    near = 1.0 if layer == other else 0.25 if kind == "E" else 0.0
    size = _TO[onto][_SOURCES.index(kind)] * near
    return size if kind == "E" else -0.25 * size


WEIGHTS = {f"weight:{a}->{b}": _strength(a, b) for b in POPULATIONS for a in POPULATIONS if _strength(a, b) != 0.0}


def _rate(drive: np.ndarray) -> np.ndarray:
    """A soft threshold, then a straight line, up to saturation (Hz)."""
    soft = 0.6 * np.logaddexp(0.0, (drive - 1.0) / 0.6)
    return 250.0 * np.tanh(soft**1.3 * 4.0 / 250.0)


def _drive(rate: float) -> float:
    """The drive at which the rate is reached."""
    from scipy.optimize import brentq

    return float(brentq(lambda drive: float(_rate(np.array(drive))) - rate, -5.0, 60.0))


# What the background has to give so that all populations fire at `RATES`.
BACKGROUND = {
    b: _drive(RATES[b]) - sum(WEIGHTS.get(f"weight:{a}->{b}", 0.0) * RATES[a] for a in POPULATIONS) for b in POPULATIONS
}


@dataclass
class ToyCircuit:
    """Sixteen populations, each with an excitatory background; parameters are hidden factors times those of a trial.

    Attributes:
        hidden: Factors that a trial knows nothing of.
        names: Its populations.
        simulations: How many trials were simulated.
        cell_seconds: Simulated seconds times cells, what a simulation costs.
    """

    hidden: Mapping[str, float] = field(default_factory=dict)
    names: tuple[str, ...] = POPULATIONS
    simulations: int = 0
    cell_seconds: float = 0.0

    @property
    def populations(self) -> Mapping[str, int]:
        return {name: SIZES[name] for name in self.names}

    @property
    def parameters(self) -> tuple[str, ...]:
        weights = (f"weight:{a}->{b}" for b in self.names for a in self.names if f"weight:{a}->{b}" in WEIGHTS)
        return (*weights, *(f"background:{name}" for name in self.names), "modulation:L4_E")

    def factor(self, trial: Trial, name: str) -> float:
        return trial.parameters.get(name, 1.0) * self.hidden.get(name, 1.0)

    def rates(self, trial: Trial) -> dict[str, float]:
        """The fixed point of the simulated populations (Hz), without chance."""
        live = trial.simulated or tuple(name for name in self.names if name not in trial.replayed)
        played = {} if not trial.connected else trial.replayed
        background = np.array([self.factor(trial, f"background:{name}") * BACKGROUND[name] for name in live])
        matrix = np.zeros((len(live), len(live)))
        if trial.connected:
            for row, target in enumerate(live):
                for source in (*live, *played):
                    name = f"weight:{source}->{target}"
                    strength = WEIGHTS.get(name, 0.0) * self.factor(trial, name)
                    if source in played:
                        background[row] += strength * played[source]
                    else:
                        matrix[row, live.index(source)] += strength
        rate = np.zeros(len(live))
        for _ in range(300):
            rate += 0.1 * (_rate(matrix @ rate + background) - rate)
        return dict(zip(live, rate.tolist(), strict=True))

    def simulate(self, trial: Trial) -> CircuitResponse:
        rng = np.random.default_rng(trial.seed)
        rates = self.rates(trial)
        stop, stopped = trial.duration_ms, None
        if trial.limits is not None:
            hot = [name for name, rate in rates.items() if rate > trial.limits.largest_Hz.get(name, np.inf)]
            if hot:
                stopped = f"{hot[0]} fired at {rates[hot[0]]:.0f} Hz"
                stop = trial.dropped_ms + trial.limits.every_ms
        sizes = {name: SIZES[name] for name in rates}
        together = [rate * rng.lognormal(0.0, 0.05) for rate in rates.values()]  # drifts that a population shares
        cells = np.repeat(together, list(sizes.values()))
        counts = rng.poisson(cells * (stop - trial.dropped_ms) / 1000.0)
        times = rng.uniform(trial.dropped_ms, stop, counts.sum())
        units = Units.from_sizes(sizes)
        spikes = SpikeTrains(times, np.repeat(np.arange(cells.size), counts), units, trial.dropped_ms, stop)
        self.simulations += 1
        self.cell_seconds += cells.size * stop / 1000.0
        dipole = self._dipole(trial, rates, rng) if trial.signals and stopped is None else None
        return CircuitResponse(spikes, stopped, dipole, None, stop, cells.size * stop / 1e5)

    def exponent(self, trial: Trial) -> float:
        """Of the dipole's spectrum: the more inhibition, the steeper (Gao et al. 2017, NeuroImage 158:70)."""
        names = [f"weight:{layer.name}_{kind}->{layer.name}_E" for layer in LAYERS for kind in ("PV", "SST")]
        return _EXPONENT + 0.5 * float(np.mean(np.log([self.factor(trial, name) for name in names])))

    def _dipole(self, trial: Trial, rates: Mapping[str, float], rng: np.random.Generator) -> Signal:
        samples = round(trial.duration_ms - trial.dropped_ms)
        frequency = np.maximum(np.fft.rfftfreq(samples, 0.001), 0.5)
        alpha = 3.0 * self.factor(trial, "modulation:L4_E") * np.exp(-0.5 * ((frequency - 10.0) / 1.0) ** 2)
        power = frequency ** -self.exponent(trial) * (1.0 + alpha)
        noise = rng.normal(size=frequency.size)
        phase = np.exp(2j * np.pi * rng.random(frequency.size))
        values = np.fft.irfft(np.sqrt(power) * np.abs(noise) * phase, samples) * np.sqrt(sum(rates.values()))
        return Signal(np.vstack([np.zeros((2, samples)), values]), 1000.0, "nA um", ("x", "y", "z"), trial.dropped_ms)


def measure(response: CircuitResponse, stage: TuningStage) -> dict[str, float | None]:
    """Mean rate of each population and, of a dipole, the exponent outside alpha and the alpha power above it."""
    spikes = response.spikes
    rates = np.bincount(spikes.units.population_of, weights=spikes.counts) / spikes.units.sizes / spikes.duration_s
    values: dict[str, float | None] = {
        f"rate:{name}": float(rate) for name, rate in zip(spikes.units.populations, rates, strict=True)
    }
    if response.dipole is not None:
        from scipy.signal import welch

        frequency, power = welch(response.dipole.values[2], 1000.0, nperseg=1000)
        line = (frequency >= 3.0) & (frequency <= 60.0) & (np.abs(frequency - 10.0) > 3.0)
        slope, level = np.polyfit(np.log(frequency[line]), np.log(power[line]), 1)
        at = np.abs(frequency - 10.0) <= 1.0
        values["aperiodic_exponent"] = float(-slope)
        values["alpha"] = float(np.mean(np.log(power[at]) - level - slope * np.log(frequency[at])))
    return values
