"""The whole of NEURON's circuit on a toy: the same trial gives the same spikes, whatever happened before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import ModelError
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.occupancy import vacate
from rheobase.fitting.circuits import backgrounds
from rheobase.fitting.circuits.blueprint import Background, PoissonInput, Projection, SpikeVolleys
from rheobase.fitting.circuits.circuit import CircuitResponse, RateLimits
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from rheobase.fitting.circuits.synapses import SynapseKind
from tests.fitting.circuits.toy_circuit import EXCITING, OUTSIDE, PARAMETERS, blueprint, model, trial


@pytest.fixture(scope="module")
def circuit() -> Iterator[NeuronCircuit]:
    made = NeuronCircuit(blueprint())
    yield made
    made.close()


@pytest.fixture(scope="module")
def response(circuit: NeuronCircuit) -> CircuitResponse:
    return circuit.simulate(trial())


def same(one: CircuitResponse, other: CircuitResponse) -> bool:
    """To the last bit."""
    times = one.spikes.times_ms.tobytes() == other.spikes.times_ms.tobytes()
    return times and one.spikes.unit_of_spike.tobytes() == other.spikes.unit_of_spike.tobytes()


class TestNames:
    def test_populations_and_parameters(self, circuit: NeuronCircuit) -> None:
        assert circuit.populations == {"E": 8, "I": 4}
        assert circuit.parameters == PARAMETERS


class TestRepeatability:
    def test_response(self, response: CircuitResponse) -> None:
        spikes = response.spikes
        assert (spikes.start_ms, spikes.stop_ms, response.simulated_ms) == (20.0, 120.0, 120.0)
        assert response.stopped is response.dipole is response.potential is None
        assert spikes.of("E").counts.sum() > 10
        assert spikes.of("I").counts.sum() > 10
        assert spikes.times_ms.min() >= 20.0
        assert response.cpu_seconds > 0.0

    def test_same_trial_twice(self, circuit: NeuronCircuit, response: CircuitResponse) -> None:
        assert same(circuit.simulate(trial()), response)

    def test_rebuilt(self, circuit: NeuronCircuit, response: CircuitResponse) -> None:
        circuit.close()
        assert same(circuit.simulate(trial()), response)
        assert same(NeuronCircuit(blueprint()).simulate(trial()), response)

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_each_parameter_acts_and_leaves_nothing_behind(
        self, circuit: NeuronCircuit, response: CircuitResponse, name: str
    ) -> None:
        changed = trial(parameters={name: 1.9})
        assert not same(circuit.simulate(changed), response)
        assert same(circuit.simulate(trial(parameters={name: 1.0})), response)

    def test_parameters_set_in_place_are_those_of_a_network_built_with_them(self, circuit: NeuronCircuit) -> None:
        changed = trial(parameters={"weight:E->I": 1.7, "background:E": 0.9, "background:I:tonic": 3.0})
        circuit.simulate(trial(parameters={"weight:E->I": 0.3, "background:E:trains": 2.0}))
        assert same(circuit.simulate(changed), NeuronCircuit(blueprint()).simulate(changed))

    def test_seeds(self, circuit: NeuronCircuit, response: CircuitResponse) -> None:
        assert not same(circuit.simulate(trial(seed=2)), response)
        other_circuit = NeuronCircuit(blueprint(seed=2))
        assert not same(other_circuit.simulate(trial()), response)

    def test_looking_at_it_changes_nothing(self, circuit: NeuronCircuit, response: CircuitResponse) -> None:
        from neuron import h

        limits = RateLimits({"E": 1e4}, after_ms=10.0, every_ms=7.0)
        seen = circuit.simulate(trial(signals=True, electrodes_um=(100.0, 300.0), limits=limits))
        assert same(seen, response)
        assert h.CVode().use_fast_imem() == 0

    def test_a_longer_trial_begins_with_the_shorter(self, circuit: NeuronCircuit, response: CircuitResponse) -> None:
        longer = circuit.simulate(trial(duration_ms=150.0)).spikes
        part = longer.times_ms[longer.times_ms <= 120.0]
        assert part.tobytes() == response.spikes.times_ms.tobytes()

    def test_a_cell_in_between(self, circuit: NeuronCircuit, response: CircuitResponse) -> None:
        CellInstance(model()).close()
        assert same(circuit.simulate(trial()), response)


class TestChance:
    def test_release_is_by_chance_and_by_the_seed(self) -> None:
        """All that is left to chance here is which vesicles the same fibres' spikes release."""
        volleys = SpikeVolleys("thalamus", 6, (30.0, 60.0))
        projection = Projection("thalamus", "E", EXCITING, 0.5, in_degree=4)
        circuit = NeuronCircuit(blueprint(projections=(projection,), backgrounds=(), stimuli=(volleys,)))
        found = [circuit.simulate(trial(seed=seed, signals=True)).dipole for seed in (1, 2, 1)]
        first, second, again = (dipole.values.tobytes() for dipole in found if dipole is not None)
        assert first != second
        assert first == again

    @pytest.mark.parametrize("synapse", [OUTSIDE, EXCITING])
    def test_poisson_trains_are_all_there(self, monkeypatch: pytest.MonkeyPatch, synapse: SynapseKind) -> None:
        """Trains that end on one segment are played as one, unless their contacts remember their spikes."""
        rates: list[float] = []

        def noted(generator: np.random.Generator, rate_Hz: float, *rest: float | None) -> NDArray[np.float64]:
            rates.append(rate_Hz)
            return np.empty(0)

        monkeypatch.setattr(backgrounds, "poisson_times", noted)
        source = PoissonInput(synapse, 0.4, 25, 20.0, ("basal", "apical"))
        NeuronCircuit(blueprint(backgrounds=(Background("E", source),))).simulate(trial(connected=False))
        assert sum(rates) == pytest.approx(8 * 25 * 20.0)
        assert len(rates) == 8 * 25 if synapse is EXCITING else 8 < len(rates) <= 8 * 6


class TestClosing:
    def test_nothing_stays_in_neuron(self, circuit: NeuronCircuit) -> None:
        from neuron import h

        vacate()  # whichever circuit was there
        before = len(list(h.allsec())), h.List("NetCon").count(), h.List("PlayedSpikes").count()
        circuit.simulate(trial(signals=True))
        during = len(list(h.allsec())), h.List("NetCon").count(), h.List("PlayedSpikes").count()
        assert during[0] == before[0] + 8 * 7 + 4 * 3
        assert during[1] > before[1] + 100
        circuit.close()
        assert (len(list(h.allsec())), h.List("NetCon").count(), h.List("PlayedSpikes").count()) == before

    def test_two_circuits_take_turns(self, circuit: NeuronCircuit, response: CircuitResponse) -> None:
        other = NeuronCircuit(blueprint(seed=3))
        first = other.simulate(trial())
        assert same(circuit.simulate(trial()), response)
        assert same(other.simulate(trial()), first)


class TestParts:
    def test_without_connections_a_population_is_the_same_alone(self, circuit: NeuronCircuit) -> None:
        both = circuit.simulate(trial(connected=False))
        for name in ("E", "I"):
            alone = circuit.simulate(trial(connected=False, simulated=(name,))).spikes
            assert alone.units.populations == (name,)
            assert alone.times_ms.tobytes() == both.spikes.of(name).times_ms.tobytes()
            assert len(alone.times_ms) > 5

    def test_the_background_of_others_does_not_matter(self) -> None:
        alone = trial(connected=False, simulated=("E",))
        more = (*blueprint().backgrounds, Background("I", PoissonInput(OUTSIDE, 0.5, 3, 20.0), "more"))
        circuits = (NeuronCircuit(blueprint()), NeuronCircuit(blueprint(backgrounds=more)))
        assert same(*(circuit.simulate(alone) for circuit in circuits))

    def test_replayed_from_its_own_record_a_population_does_what_it_did(self, circuit: NeuronCircuit) -> None:
        whole = circuit.simulate(trial(dropped_ms=0.0))
        replay = trial(dropped_ms=0.0, simulated=("E",), recorded={"I": whole.spikes.of("I")})
        part = circuit.simulate(replay)
        assert part.spikes.times_ms.tobytes() == whole.spikes.of("E").times_ms.tobytes()
        silent = circuit.simulate(trial(dropped_ms=0.0, simulated=("E",)))
        assert not same(part, silent)

    def test_replayed_at_a_rate(self, circuit: NeuronCircuit) -> None:
        silent = circuit.simulate(trial(simulated=("E",), replayed={"I": 0.0}))
        assert same(silent, circuit.simulate(trial(simulated=("E",))))
        excited = trial(simulated=("I",), parameters={"background:I": 0.0, "weight:E->I": 8.0})
        counts = [
            len(circuit.simulate(replace(excited, replayed={"E": rate})).spikes.times_ms) for rate in (0.0, 20.0, 100.0)
        ]
        assert counts == sorted(counts)
        assert counts[0] == 0 < counts[2]

    def test_stimulus(self, circuit: NeuronCircuit, response: CircuitResponse) -> None:
        assert not same(circuit.simulate(trial(parameters={"weight:thalamus->E": 0.0})), response)


class TestSignals:
    def test_dipole_and_potential(self, circuit: NeuronCircuit) -> None:
        response = circuit.simulate(trial(signals=True, electrodes_um=(100.0, 250.0, 400.0)))
        dipole, potential = response.dipole, response.potential
        assert dipole is not None
        assert potential is not None
        for signal, channels in ((dipole, 3), (potential, 3)):
            assert signal.values.shape == (channels, 200)
            assert (signal.sampling_rate_Hz, signal.start_ms) == (2000.0, 20.0)
            assert np.all(signal.values.std(axis=1) > 0.0)
        # Most of the dipole is along the apical dendrites.
        assert dipole.values[2].std() > 3.0 * dipole.values[:2].std(axis=1).max()
        again = circuit.simulate(trial(signals=True, electrodes_um=(100.0, 250.0, 400.0)))
        assert again.dipole is not None
        assert again.dipole.values.tobytes() == dipole.values.tobytes()

    def test_membrane_currents_of_each_cell_add_up_to_zero(self, circuit: NeuronCircuit) -> None:
        from neuron import h

        circuit.simulate(trial())
        network = circuit._network
        assert network is not None
        h.CVode().use_fast_imem(1)
        h.finitialize(-65.0)
        network.context.psolve(40.025)
        for _, cell in network.cells.values():
            currents = np.array([segment.i_membrane_ for segment in cell.segments])
            assert abs(currents.sum()) < 1e-9 * np.abs(currents).sum() + 1e-13
        h.CVode().use_fast_imem(0)


class TestLimits:
    def test_too_many_spikes(self, circuit: NeuronCircuit) -> None:
        limits = RateLimits({"E": 1.0}, after_ms=20.0, every_ms=30.0)
        response = circuit.simulate(trial(limits=limits, signals=True))
        assert response.stopped is not None
        assert response.stopped.startswith("E fired at ")
        assert response.stopped.endswith("more than the limit of 1 Hz")
        assert response.simulated_ms == response.spikes.stop_ms < 120.0
        assert response.dipole is None

    def test_silence(self, circuit: NeuronCircuit) -> None:
        limits = RateLimits({}, after_ms=10.0, every_ms=20.0, silent_ms=40.0, expected_Hz={"E": 50.0, "I": 1.0})
        silent = {name: 0.0 for name in PARAMETERS if not name.startswith("modulation")}
        response = circuit.simulate(trial(parameters=silent, limits=limits))
        assert response.stopped == "E did not fire from 10 to 50 ms, where 8 cells at 50 Hz would have"
        assert response.simulated_ms == 50.0
        assert len(response.spikes.times_ms) == 0

    def test_stopped_within_what_is_dropped(self, circuit: NeuronCircuit) -> None:
        limits = RateLimits({"E": 1.0}, after_ms=0.0, every_ms=40.0)
        response = circuit.simulate(trial(limits=limits, dropped_ms=100.0))
        assert response.stopped is not None
        assert (response.spikes.start_ms, response.spikes.stop_ms) == (0.0, response.simulated_ms)

    def test_voltages_that_are_no_numbers(self, circuit: NeuronCircuit) -> None:
        response = circuit.simulate(trial(parameters={"weight:thalamus->E": 1e308}))
        assert response.stopped is not None
        assert "of a cell of E became NaN before 100 ms" in response.stopped
        circuit.close()


class TestWrongTrials:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"parameters": {"weight:E->X": 1.0}}, "no parameter 'weight:E->X'"),
            ({"parameters": {"weight:E->E": -1.0}}, "'weight:E->E' is a factor, which must not be negative"),
            ({"parameters": {"modulation:E:trains": 2.5}}, "depth of 1.25, which cannot exceed 1; its largest is 2"),
            ({"simulated": ("X",)}, "no population 'X'"),
            ({"simulated": ("E",), "replayed": {"E": 1.0}}, "'E' cannot be simulated and replayed at once"),
            ({"duration_ms": 0.01, "dropped_ms": 0.0}, "lasts a time step of 0.1 ms or longer, got 0.01 ms"),
            ({"limits": RateLimits({"X": 1.0})}, "a limit is for 'X', but the populations are E, I"),
        ],
    )  # fmt: skip
    def test_message(self, circuit: NeuronCircuit, changes: dict[str, object], message: str) -> None:
        with pytest.raises(ModelError, match=message):
            circuit.simulate(trial(**changes))

    def test_recorded_from_another_number_of_cells(self, circuit: NeuronCircuit) -> None:
        trains = SpikeTrains(np.empty(0), np.empty(0, dtype=np.intp), Units.from_sizes({"I": 3}), 0.0, 500.0)
        with pytest.raises(ModelError, match="spikes of 'I' are of 3 units, but it has 4 cells"):
            circuit.simulate(trial(simulated=("E",), recorded={"I": trains}))


class TestWrongBlueprints:
    def test_unknown_source(self) -> None:
        with pytest.raises(ModelError, match="the projection X->E names 'X', which is not there; there are E, I"):
            blueprint(projections=(Projection("X", "E", OUTSIDE, 1.0, in_degree=1),))

    def test_projection_twice(self) -> None:
        one = Projection("E", "E", OUTSIDE, 1.0, in_degree=1)
        with pytest.raises(ModelError, match="two have the name 'E->E': each projection needs its own"):
            blueprint(projections=(one, one))

    def test_delay_shorter_than_a_step(self) -> None:
        with pytest.raises(ModelError, match=r"delay of 0\.05 ms, which is less than the time step of 0\.1 ms"):
            blueprint(projections=(Projection("E", "E", OUTSIDE, 1.0, in_degree=1, delay_ms=0.05),))

    def test_probability_and_in_degree(self) -> None:
        with pytest.raises(ModelError, match="E->E needs either a probability or an in-degree"):
            Projection("E", "E", OUTSIDE, 1.0, probability=0.1, in_degree=1)

    def test_unknown_section_list(self) -> None:
        with pytest.raises(ModelError, match="section lists among somatic, basal, apical, axonal, got dendritic"):
            Projection("E", "E", OUTSIDE, 1.0, probability=0.1, sections=("dendritic",))

    def test_background_on_sections_that_are_not_there(self) -> None:
        lost = (Background("I", PoissonInput(OUTSIDE, 0.5, 3, 20.0, ("apical",))),)
        with pytest.raises(ModelError, match="background of I lies on apical sections, of which interneuron"):
            NeuronCircuit(blueprint(backgrounds=lost)).simulate(trial())
