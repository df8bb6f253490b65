"""The standard recipe: background, layers one by one, the whole circuit, single projections, spectrum, fresh seeds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.circuit import RateLimits
from rheobase.fitting.tuning.effects import BACKGROUND_SLOPE, EXCITATION_SLOPE, INHIBITION_SLOPE
from rheobase.fitting.tuning.stage import JACOBIAN, PROBE, ROOT, SAMPLED, Knob, Simulated, TuningStage
from rheobase.fitting.tuning.targets import TuningTarget, rate_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.fitting.circuits.blueprint import CircuitBlueprint

FRESH_SEEDS = "fresh seeds"
_SILENT_MS = 400.0
_SURELY = 10.0  # so many spikes are expected that none at all is no chance


@dataclass(frozen=True)
class TuningLayer:
    """Populations that are tuned together.

    Attributes:
        name: Name of the layer.
        excitatory: Its excitatory populations.
        inhibitory: Its inhibitory populations.
    """

    name: str
    excitatory: tuple[str, ...]
    inhibitory: tuple[str, ...]

    @property
    def populations(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.excitatory, *self.inhibitory)


@dataclass(frozen=True)
class RecipeSettings:
    """What may be chosen of the recipe.

    Attributes:
        duration_ms: Length of the trials (ms).
        dropped_ms: Transient at their start (ms).
        spectrum_ms: Length of the trials with a spectrum or evoked responses (ms).
        recorded: Spike trains of populations, played while they are not simulated; others are played at their targets.
        rest_ms: Stimuli come after this in those trials, so nothing is stopped then (ms); None: without stimuli.
        unconnected_Hz: Rate of each population with the background alone (Hz); the target itself of those not named.
        seeds: Seeds of a place that looks good.
        confirming_seeds: Seeds that confirm it.
        final_seeds: Seeds of the last scoring, 5 at least for a spread.
        background_bounds: Smallest and largest factor of the background.
        layer_bounds: Of gains while their layer is tuned.
        tuned_bounds: Of gains tuned before, while the next layer is.
        circuit_bounds: Of all gains in the full circuit.
        projection_bounds: Of single projections, and of backgrounds beside them.
        aimed_tolerance: Part of the tolerances that the stages before the last aim at: what is only just met with some
            seeds is not with others.
        budget: Largest number of simulations of a stage.
        proposals: Where places come from (see `TuningStage`).
        stopping: Whether trials that run away or fall silent are stopped.
        spectrum_knobs: What is free for the spectrum; none for modulations of the background, I->E of all layers and
            the weights of `stimuli`.
        stimuli: Stimuli that responses are wanted to.
        kept: Backgrounds that stay as described: those that do not excite, or stand for lost projections.
    """

    duration_ms: float = 2000.0
    dropped_ms: float = 500.0
    spectrum_ms: float = 4000.0
    recorded: Mapping[str, SpikeTrains] = field(default_factory=dict)
    rest_ms: float | None = None
    unconnected_Hz: Mapping[str, float] = field(default_factory=dict)
    seeds: int = 2
    confirming_seeds: int = 3
    final_seeds: int = 5
    background_bounds: tuple[float, float] = (0.1, 10.0)
    layer_bounds: tuple[float, float] = (0.2, 5.0)
    tuned_bounds: tuple[float, float] = (0.9, 1.1)
    circuit_bounds: tuple[float, float] = (0.5, 2.0)
    projection_bounds: tuple[float, float] = (0.67, 1.5)
    aimed_tolerance: float = 0.7
    budget: int = 80
    proposals: tuple[str, ...] = (JACOBIAN, SAMPLED, JACOBIAN, PROBE)
    stopping: bool = True
    spectrum_knobs: tuple[Knob, ...] = ()
    stimuli: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def layers_of(blueprint: CircuitBlueprint, order: Sequence[str] = ()) -> tuple[TuningLayer, ...]:
    """Layers of a circuit; a population is inhibitory if its synapses are.

    Args:
        blueprint: The circuit.
        order: Names of the layers in the order of tuning; none: as populations come.

    Raises:
        CampaignError: an order that is not that of the circuit's layers.
    """
    names = list(dict.fromkeys(population.layer for population in blueprint.populations))
    check_order(order, names)
    inhibitory = {p.source for p in blueprint.projections if not p.synapse.is_excitatory}
    layers = []
    for name in order or names:
        members = [population.name for population in blueprint.populations if population.layer == name]
        excitatory = tuple(one for one in members if one not in inhibitory)
        layers.append(TuningLayer(name, excitatory, tuple(one for one in members if one in inhibitory)))
    return tuple(layers)


def check_order(order: Sequence[str], layers: Sequence[str]) -> None:
    """An order of tuning names all layers once; none is any order.

    Raises:
        CampaignError: it does not.
    """
    if order and sorted(order) != sorted(layers):
        raise CampaignError(f"the layers to tune are {', '.join(order)}, but the circuit has {', '.join(layers)}")


def standard_recipe(
    layers: Sequence[TuningLayer],
    targets: Sequence[TuningTarget],
    sizes: Mapping[str, int],
    parameters: Sequence[str],
    settings: RecipeSettings = RecipeSettings(),
) -> tuple[TuningStage, ...]:
    """The stages of the recipe.

    1. "background": each population alone to its unconnected rate, by root finding, all in the same simulations.
    2. "L4 alone": the layer simulated, all others replayed at their target rates. Free are for each of its populations
       the gain of all excitation and that of all inhibition that it receives: E->E, I->E, E->I and I->I, these two by
       type of interneuron, so no gain moves two kinds of connection. Inputs from other layers belong to the same gains.
    3. "L4 to L23": the layers so far together, those tuned before within `tuned_bounds`.
    4. "full circuit": all gains.
    5. "single projections": each projection and each background by itself, within narrow bounds.
    6. "spectrum": where there are targets beside rates, of spectra or of evoked responses; rates become constraints.
    7. "fresh seeds": the result scored anew.

    Stages before the last only prepare: if one of them is not met, the next goes on from its best place. Whether the
    tuning has succeeded is decided by the last, with the whole tolerances and seeds that nothing was chosen by.

    Args:
        layers: The layers, in the order of tuning.
        targets: All targets; a rate for each population.
        sizes: Number of cells of each population.
        parameters: Names of the circuit's parameters (see `CircuitBlueprint`).
        settings: What may be chosen.

    Raises:
        CampaignError: a population without a rate target.
    """
    recipe = _Recipe(tuple(layers), tuple(targets), sizes, tuple(parameters), settings)
    stages = [recipe.background()]
    for n in range(len(layers)):
        stages.append(recipe.layer_alone(n))
        if n > 0:
            stages.append(recipe.layers_together(n, stages[-1].name))
    stages.append(recipe.full_circuit(stages[-1].name))
    stages.append(recipe.single_projections())
    if recipe.spectral:
        stages.append(recipe.spectrum())
    stages.append(recipe.fresh_seeds(stages[-1].name))
    return tuple(stages)


class _Recipe:
    """What the stages have in common."""

    def __init__(
        self,
        layers: tuple[TuningLayer, ...],
        targets: tuple[TuningTarget, ...],
        sizes: Mapping[str, int],
        parameters: tuple[str, ...],
        settings: RecipeSettings,
    ) -> None:
        self.layers, self.sizes, self.parameters, self.settings = layers, sizes, parameters, settings
        self.rates = {t.population: t for t in targets if t.name == "rate" and t.population is not None}
        self.spectral = tuple(target for target in targets if target.name != "rate")
        self.populations = tuple(name for layer in layers for name in layer.populations)
        missing = [name for name in self.populations if name not in self.rates]
        if missing:
            raise CampaignError(f"every population needs a rate to be tuned to; {', '.join(missing)} has none")

    def background(self) -> TuningStage:
        targets, knobs = [], []
        for name in self.populations:
            rate = self.rates[name]
            wanted = self.settings.unconnected_Hz.get(name, rate.target)
            names = self._backgrounds(name)
            if names:
                targets.append(rate_target(name, wanted, rate.tolerance / rate.target * wanted))
                effects = {targets[-1].key: BACKGROUND_SLOPE}
                knobs.append(
                    Knob(f"background {name}", names, self.settings.background_bounds, effects, coupling=False)
                )
        if not knobs:
            raise CampaignError("no population has a background that could be tuned")
        simulated = replace(self._simulated(self.populations), connected=False, limits=None)
        stage = self._stage("background", knobs, targets, simulated, ())
        return replace(stage, proposals=(ROOT,))

    def layer_alone(self, n: int) -> TuningStage:
        layer = self.layers[n]
        knobs = self._gains(layer, self.settings.layer_bounds)
        simulated = self._simulated(layer.populations)
        return self._stage(f"{layer.name} alone", knobs, self._rates(layer.populations), simulated, ("background",))

    def layers_together(self, n: int, alone: str) -> TuningStage:
        tuned = [knob for layer in self.layers[:n] for knob in self._gains(layer, self.settings.tuned_bounds)]
        knobs = [*tuned, *self._gains(self.layers[n], self.settings.layer_bounds)]
        populations = tuple(name for layer in self.layers[: n + 1] for name in layer.populations)
        before = self._together(n - 1)
        simulated = self._simulated(populations)
        return self._stage(self._together(n), knobs, self._rates(populations), simulated, (before, alone))

    def full_circuit(self, before: str) -> TuningStage:
        knobs = [knob for layer in self.layers for knob in self._gains(layer, self.settings.circuit_bounds)]
        targets = self._rates(self.populations)
        return self._stage("full circuit", knobs, targets, self._simulated(self.populations), (before,))

    def single_projections(self) -> TuningStage:
        bounds = self.settings.projection_bounds
        knobs = []
        for target in self.populations:
            key = self.rates[target].key
            for source, slope in self._sources():
                names = self._present(f"weight:{source}->{target}")
                if names:
                    knobs.append(Knob(f"{source}->{target}", names, bounds, {key: slope / 4.0}))
            names = self._backgrounds(target)
            if names:
                knobs.append(Knob(f"background {target}", names, bounds, {key: 1.0}, coupling=False))
        targets = self._narrowed(self._rates(self.populations))
        simulated = self._simulated(self.populations)
        stage = self._stage("single projections", knobs, targets, simulated, ("full circuit",))
        return replace(stage, patience=25)

    def spectrum(self) -> TuningStage:
        targets = [*self.spectral, *(replace(rate, constraint=True) for rate in self._rates(self.populations))]
        simulated = self._for_all_targets()
        knobs = self.settings.spectrum_knobs or self._spectrum_knobs()
        return self._stage("spectrum", knobs, self._narrowed(targets), simulated, ("single projections",))

    def fresh_seeds(self, before: str) -> TuningStage:
        targets = [*self._rates(self.populations), *self.spectral]
        stage = self._stage(FRESH_SEEDS, (), targets, self._for_all_targets(), (before,))
        return replace(stage, seeds=self.settings.final_seeds, confirming_seeds=0)

    def _together(self, n: int) -> str:
        first = self.layers[0].name
        return f"{first} alone" if n == 0 else f"{first} to {self.layers[n].name}"

    def _stage(
        self,
        name: str,
        knobs: Sequence[Knob],
        targets: Sequence[TuningTarget],
        simulated: Simulated,
        after: tuple[str, ...],
    ) -> TuningStage:
        chosen = self.settings
        return TuningStage(
            name,
            tuple(knobs),
            tuple(targets),
            simulated,
            seeds=chosen.seeds,
            confirming_seeds=chosen.confirming_seeds,
            budget=max(chosen.budget, chosen.final_seeds),
            proposals=chosen.proposals,
            after=after,
        )

    def _simulated(self, populations: Sequence[str]) -> Simulated:
        absent = [name for name in self.populations if name not in populations]
        recorded = {name: self.settings.recorded[name] for name in absent if name in self.settings.recorded}
        replayed = {name: self.rates[name].target for name in absent if name not in recorded}
        limits = rate_limits(self._rates(populations), self.sizes) if self.settings.stopping else None
        chosen = tuple(populations) if absent else ()
        return Simulated(self.settings.duration_ms, self.settings.dropped_ms, chosen, replayed, recorded, limits=limits)

    def _for_all_targets(self) -> Simulated:
        """All populations, as long as it takes: with signals where some target is not one of a population."""
        simulated = self._simulated(self.populations)
        if all(target.population is not None for target in self.spectral):
            return simulated
        simulated = replace(simulated, duration_ms=self.settings.spectrum_ms, signals=True)
        if simulated.limits is None or self.settings.rest_ms is None:
            return simulated
        return replace(simulated, limits=replace(simulated.limits, until_ms=self.settings.rest_ms))

    def _rates(self, populations: Sequence[str]) -> list[TuningTarget]:
        return [self.rates[name] for name in populations]

    def _narrowed(self, targets: Sequence[TuningTarget]) -> list[TuningTarget]:
        return [replace(target, tolerance=target.tolerance * self.settings.aimed_tolerance) for target in targets]

    def _present(self, *patterns: str) -> tuple[str, ...]:
        return tuple(name for name in self.parameters if any(fnmatchcase(name, pattern) for pattern in patterns))

    def _backgrounds(self, population: str) -> tuple[str, ...]:
        names = self._present(f"background:{population}", f"background:{population}:*")
        return tuple(name for name in names if name not in self.settings.kept)

    def _sources(self) -> list[tuple[str, float]]:
        """Every population and the slope of a rate with its weights."""
        excitatory = [(name, EXCITATION_SLOPE) for layer in self.layers for name in layer.excitatory]
        return [*excitatory, *((name, INHIBITION_SLOPE) for layer in self.layers for name in layer.inhibitory)]

    def _gains(self, layer: TuningLayer, bounds: tuple[float, float]) -> list[Knob]:
        knobs = []
        for target in layer.populations:
            key = self.rates[target].key
            for kind, slope in (("E", EXCITATION_SLOPE), ("I", INHIBITION_SLOPE)):
                sources = [name for name, effect in self._sources() if effect == slope]
                names = self._present(*(f"weight:{source}->{target}" for source in sources))
                if names:
                    knobs.append(Knob(f"{kind}->{target}", names, bounds, {key: slope}))
        return knobs

    def _spectrum_knobs(self) -> tuple[Knob, ...]:
        bounds = self.settings.circuit_bounds
        knobs = [Knob(name, (name,), bounds, coupling=False) for name in self._present("modulation:*")]
        for layer in self.layers:
            names = {f"I->{name}" for name in layer.excitatory}
            knobs += [knob for knob in self._gains(layer, bounds) if knob.name in names]
        for stimulus in self.settings.stimuli:
            weights = self._present(f"weight:{stimulus}->*")
            if weights:
                knobs.append(Knob(f"{stimulus}->", weights, self.settings.layer_bounds))
        for name in self.populations:
            background = self._backgrounds(name)
            if background:
                narrow = self.settings.projection_bounds
                knobs.append(
                    Knob(f"background {name}", background, narrow, {self.rates[name].key: 1.0}, coupling=False)
                )
        return tuple(knobs)


def rate_limits(targets: Sequence[TuningTarget], sizes: Mapping[str, int]) -> RateLimits:
    """When a trial is hopeless.

    A population is at five times its target and 30 Hz more, or silent where many spikes are expected.

    Args:
        targets: Rates of the simulated populations.
        sizes: Number of cells of each.
    """
    rates = {t.population: t.target for t in targets if t.population is not None}
    expected = {name: rate for name, rate in rates.items() if rate * sizes[name] * _SILENT_MS / 1000.0 >= _SURELY}
    return RateLimits(
        largest_Hz={name: 5.0 * rate + 30.0 for name, rate in rates.items()},
        silent_ms=_SILENT_MS if expected else 0.0,
        expected_Hz=expected,
    )
