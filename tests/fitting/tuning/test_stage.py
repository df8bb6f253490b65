"""Stages and knobs say what is wrong with them."""

import math

import pytest

from rheobase.features.errors import CampaignError, FeatureError
from rheobase.fitting.tuning.recipe import RecipeSettings, rate_limits, standard_recipe
from rheobase.fitting.tuning.stage import Knob, Simulated, TuningStage, in_order
from rheobase.fitting.tuning.targets import TuningTarget, rate_target
from tests.fitting.tuning.toy_circuit import LAYERS, RATES, SIZES, ToyCircuit

RATE = rate_target("L4_E", 3.6, 0.9)
KNOB = Knob("E", ("weight:*_E->L4_E",), effects={"rate:L4_E": 1.0})


def stage(name: str = "one", **changes: object) -> TuningStage:
    return TuningStage(**{"name": name, "free": (KNOB,), "targets": (RATE,), "simulated": Simulated(1000.0), **changes})  # type: ignore[arg-type]


def test_knob_multiplies_what_its_patterns_fit() -> None:
    names = KNOB.matches(ToyCircuit().parameters)
    assert set(names) == {f"weight:{layer.name}_E->L4_E" for layer in LAYERS}


def test_knob_whose_pattern_fits_nothing() -> None:
    with pytest.raises(CampaignError, match=r"'E' multiplies 'weight:A->\*', but the circuit has no such parameter"):
        Knob("E", ("weight:A->*",)).matches(["weight:B->A"])


@pytest.mark.parametrize("bounds", [(0.0, 2.0), (1.5, 2.0), (0.5, math.inf), (2.0, 0.5)])
def test_bounds_lie_on_both_sides_of_one(bounds: tuple[float, float]) -> None:
    with pytest.raises(CampaignError, match="factors on both sides of 1"):
        Knob("E", ("weight:*",), bounds)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ()}, "needs a target"),
        ({"targets": (RATE, RATE)}, "two targets have the same name"),
        ({"budget": 2}, "a budget of 2 simulations is less"),
        ({"seeds": 0}, "one seed or more"),
        ({"proposals": ("annealing",)}, "places come from root, jacobian.*got annealing"),
        ({"proposals": ("root", "jacobian")}, "cannot be mixed"),
        ({"proposals": ("root",), "free": (Knob("E", ("weight:*",)),)}, "each knob acts on one target"),
        ({"simulated": Simulated(100.0, 100.0)}, "nothing is left of 100 ms"),
    ],
)
def test_stages_that_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CampaignError, match=f"stage 'one': .*{message}"):
        stage(**changes)


def test_stages_come_after_what_they_start_from() -> None:
    ordered = in_order([stage("c", after=("b",)), stage("a"), stage("b", after=("a",))])
    assert [one.name for one in ordered] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "got none"),
        ([stage("a"), stage("a")], "different names"),
        ([stage("a", after=("z",))], "'a' comes after 'z'; there are a"),
        ([stage("a", after=("b",)), stage("b", after=("a",))], "wait for each other: a, b"),
    ],
)
def test_graphs_that_cannot_be(stages: list[TuningStage], message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        in_order(stages)


def test_targets_without_a_logarithm_or_a_tolerance() -> None:
    with pytest.raises(CampaignError, match=r"the target of rate:A has no logarithm, got 0 Hz"):
        rate_target("A", 0.0, 1.0)
    with pytest.raises(FeatureError, match="tolerance above zero"):
        TuningTarget("alpha", 1.0, 0.0)


def test_recipe_has_the_seven_steps() -> None:
    circuit = ToyCircuit()
    targets = [*(rate_target(p, r, 0.2 * r) for p, r in RATES.items()), TuningTarget("aperiodic_exponent", 1.2, 0.1)]
    stages = standard_recipe(LAYERS, targets, SIZES, circuit.parameters, RecipeSettings(unconnected_Hz={"L4_E": 9.0}))
    assert [one.name for one in in_order(stages)] == [
        "background", "L4 alone", "L23 alone", "L4 to L23", "L5 alone", "L4 to L5", "L6 alone", "L4 to L6",
        "full circuit", "single projections", "spectrum", "fresh seeds",
    ]  # fmt: skip
    by_name = {one.name: one for one in stages}
    assert not by_name["background"].simulated.connected
    assert by_name["background"].targets[0].target == 9.0
    alone = by_name["L23 alone"].simulated
    assert set(alone.populations) == {"L23_E", "L23_PV", "L23_SST", "L23_VIP"}
    assert alone.replayed["L4_E"] == RATES["L4_E"]
    assert len(alone.replayed) == 12
    bounds = {knob.name: knob.bounds for knob in by_name["L4 to L23"].free}
    assert bounds["E->L4_E"] == (0.9, 1.1)
    assert bounds["E->L23_E"] == (0.2, 5.0)
    assert {target.key for target in by_name["spectrum"].targets if not target.constraint} == {"aperiodic_exponent"}
    assert by_name["fresh seeds"].seeds == 5
    assert not by_name["fresh seeds"].free


def test_recipe_needs_a_rate_for_every_population() -> None:
    with pytest.raises(CampaignError, match="every population needs a rate to be tuned to; L4_PV, L4_SST"):
        standard_recipe(LAYERS, [RATE], SIZES, ToyCircuit().parameters)


def test_only_populations_that_should_have_fired_are_missed() -> None:
    limits = rate_limits([rate_target("A", 0.1, 0.1), rate_target("B", 10.0, 1.0)], {"A": 10, "B": 10})
    assert dict(limits.expected_Hz) == {"B": 10.0}
    assert limits.largest_Hz["A"] == pytest.approx(30.5)


def test_gains_of_a_layer_are_those_of_each_kind_of_connection() -> None:
    """E->E, E->I, I->E and I->I, each gain of one of these, and every weight onto the layer in one of them."""
    circuit = ToyCircuit()
    targets = [rate_target(name, rate, 0.2 * rate) for name, rate in RATES.items()]
    stages = {one.name: one for one in standard_recipe(LAYERS, targets, SIZES, circuit.parameters)}
    inhibitory = {name for layer in LAYERS for name in layer.inhibitory}
    weights = {name for name in circuit.parameters if name.startswith("weight:") and "->L23_" in name}
    found: dict[str, set[str]] = {}
    for knob in stages["L23 alone"].free:
        ends = [name.removeprefix("weight:").split("->") for name in knob.matches(circuit.parameters)]
        (kind,) = {"->".join("I" if end in inhibitory else "E" for end in pair) for pair in ends}
        names = set(knob.matches(circuit.parameters))
        assert not names & found.setdefault(kind, set())
        found[kind] |= names
    assert set(found) == {"E->E", "E->I", "I->E", "I->I"}
    assert set.union(*found.values()) == weights
