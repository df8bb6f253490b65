"""CoreNEURON gives the spikes of NEURON."""

from __future__ import annotations

from tests.fitting.cells.processes import in_new_process
from tests.fitting.cells.test_coreneuron import SolvingSpy
from tests.fitting.circuits.toy_circuit import blueprint, trial

Found = list[list[tuple[float, int]]]


def simulated(coreneuron: bool) -> Found:
    """Spikes of a trial, of one with other parameters and seed, stimuli and replay, and of one with its EEG."""
    from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit

    circuit = NeuronCircuit(blueprint(), coreneuron=coreneuron)
    changed = {"weight:E->I": 1.7, "background:E": 0.9, "background:I:tonic": 3.0, "modulation:E:trains": 0.5}
    trials = (
        trial(),
        trial(parameters=changed, seed=2, duration_ms=250.0),
        trial(simulated=("E",), replayed={"I": 20.0}),
        trial(signals=True),
        trial(),
    )
    found = []
    for one in trials:
        circuit.simulate(one)  # builds what it needs
        assert circuit._network is not None
        circuit._network.context = spy = SolvingSpy(circuit._network.context)
        found.append(circuit.simulate(one).spikes)
        assert spy.by_coreneuron == {coreneuron and not one.signals}
        circuit._network.context = spy.context
    return [list(zip(one.times_ms.tolist(), one.unit_of_spike.tolist(), strict=True)) for one in found]


def test_spikes_are_those_of_neuron_to_the_last_bit() -> None:
    expected = in_new_process(simulated, False)
    assert in_new_process(simulated, True) == expected
    assert all(len(spikes) > 10 for spikes in expected)
    assert expected[0] == expected[4]


def after_a_cell() -> str:
    from rheobase.features.errors import ModelError
    from rheobase.fitting.cells.compilation import load_mechanisms
    from rheobase.fitting.cells.mechanisms import bundled_mechanisms
    from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit

    load_mechanisms([bundled_mechanisms()["Ih"]])
    try:
        NeuronCircuit(blueprint(), coreneuron=True)
    except ModelError as error:
        return str(error)
    return "no error"


def test_a_process_with_other_mechanisms_says_so() -> None:
    assert "this process has loaded Ih before: start a new process" in in_new_process(after_a_cell)
