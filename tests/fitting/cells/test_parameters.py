# ruff: noqa: E501 - a case of a table per line
from __future__ import annotations

import pytest

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.mechanisms import bundled_mechanisms
from rheobase.fitting.cells.model import CellParameter, Distribution
from rheobase.fitting.cells.parameters import ParameterText, build_parameters, used_mechanisms
from rheobase.fitting.search.space import Dimension

DECAY = Distribution("decay", "{value} * math.exp(-{distance} / {length})")


def build(*distributions: Distribution, **texts: str | ParameterText) -> tuple[CellParameter, ...]:
    """Parameters from keyword arguments, '__' for the dot."""
    entries = {
        name.replace("__", "."): text if isinstance(text, ParameterText) else ParameterText(text)
        for name, text in texts.items()
    }
    return build_parameters(entries, distributions, bundled_mechanisms())


def test_frozen_and_free() -> None:
    frozen, free = build(Ra__all="100 ohm cm", gNaTgbar_NaTg__axonal="0.1 to 3 S/cm2")
    assert frozen == CellParameter("Ra", "all", "ohm cm", 100.0)
    assert free == CellParameter("gNaTgbar_NaTg", "axonal", "S/cm2", bounds=(0.1, 3.0), mechanism="NaTg")
    assert free.dimension == Dimension("gNaTgbar_NaTg.axonal", 0.1, 3.0)
    assert free.is_free
    assert not frozen.is_free
    with pytest.raises(ModelError, match=r"the parameter Ra\.all is frozen; it has no bounds"):
        _ = frozen.dimension


def test_units_are_converted() -> None:
    (parameter,) = build(gNaTgbar_NaTg__somatic="10 to 3000 mS/cm2")
    assert parameter.bounds == (0.01, 3.0)
    (parameter,) = build(e_pas__all="-0.08 V")
    assert parameter.value == -80.0


def test_numbers_without_unit() -> None:
    frozen, free = build(
        gamma_CaDynamics_E2__somatic="0.05",
        gamma_CaDynamics_E2__axonal=ParameterText("0.0005 to 0.05", logarithmic=True),
    )[::-1]
    assert frozen.value == 0.05
    assert free.bounds == (0.0005, 0.05)
    assert free.logarithmic


def test_order_of_application_is_all_before_the_lists() -> None:
    built = build(
        g_pas__myelinated="1e-5 S/cm2", g_pas__somatic="1e-5 S/cm2", g_pas__basal="1e-5 S/cm2",
        g_pas__axonal="1e-5 S/cm2", g_pas__apical="1e-5 S/cm2", g_pas__all="1e-5 S/cm2",
    )  # fmt: skip
    assert [parameter.section_list for parameter in built] == [
        "all",
        "apical",
        "axonal",
        "basal",
        "somatic",
        "myelinated",
    ]


def test_used_mechanisms() -> None:
    built = build(
        g_pas__all="1e-5 S/cm2", gIhbar_Ih__all="1e-5 S/cm2", gImbar_Im__apical="1e-5 S/cm2", cm__all="1 uF/cm2"
    )
    assert [mechanism.name for mechanism in used_mechanisms(built, bundled_mechanisms())] == ["Ih", "Im"]


def test_parameters_of_a_distribution() -> None:
    built = build(
        DECAY, gIhbar_Ih__apical=ParameterText("1e-5 to 1e-4 S/cm2", distribution="decay"),
        length__distribution_decay="10 to 500",
    )  # fmt: skip
    assert [parameter.name for parameter in built] == ["gIhbar_Ih.apical", "length.distribution_decay"]
    assert built[1].bounds == (10.0, 500.0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gNaTgbar_NaTg", "1 S/cm2", r"^gNaTgbar_NaTg: expected a name like gNaTgbar_NaTg\.somatic: the variable, a dot"),
        ("cm.somatc", "1 uF/cm2", r"'somatc' is not a section list \(did you mean 'somatic'\?\); expected one of all, apical"),
        ("gNaTgbr_NaTg.somatic", "1 S/cm2", r"mechanism 'NaTg' has no parameter 'gNaTgbr_NaTg' \(did you mean 'gNaTgbar_NaTg'\?\); it has gNaTgbar_NaTg, "),
        ("gbar_nonsense.all", "1 S/cm2", r"no mechanism declares 'gbar_nonsense'.*known mechanisms: .*Ih.*model\.mechanisms: FOLDER"),
        ("Raa.all", "1 ohm cm", r"no mechanism declares 'Raa' \(did you mean 'Ra'\?\)"),
        ("cm.all", "1", r"^cm\.all: '1' has no unit: write '1 uF/cm2'"),
        ("cm.all", "1 mV", r"^cm\.all: expected a unit like uF/cm2, got 'mV'"),
        ("cm.all", "much", r"^cm\.all: expected a number and a unit"),
        ("cm.all", "1 to 2", r"^cm\.all: '1 to 2' has no unit"),
        ("cm.all", "2 to 1 uF/cm2", r"^cm\.all: the lower bound must be below the upper one, got '2 to 1 uF/cm2'"),
        ("cm.all", "1 to 1 uF/cm2", r"^cm\.all: the lower bound must be below the upper one"),
        ("gamma_CaDynamics_E2.all", "1 mV", r"has no unit: expected a plain number or a range of numbers, got '1 mV'"),
        ("gamma_CaDynamics_E2.all", "0.5 to 0.1", r"the lower bound must be below the upper one, got '0\.5 to 0\.1'"),
        ("gamma_CaDynamics_E2.all", "nan", r"expected a plain number or a range of numbers, got 'nan'"),
        ("gamma_CaDynamics_E2.all", "0 to inf", r"expected a plain number or a range of numbers, got 'inf'"),
        ("x.distribution_decay", "1", r"no distribution 'decay' with a parameter '\{x\}' is defined"),
        ("x.distribution_nonsense", "1", r"no distribution 'nonsense' with a parameter '\{x\}' is defined"),
    ],
)  # fmt: skip
def test_messages(name: str, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_parameters({name: ParameterText(text)}, (DECAY,), bundled_mechanisms())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ParameterText("1 uF/cm2", logarithmic=True), r"^cm\.all: a frozen value has no scale; remove 'scale' or give a range"),
        (ParameterText("0 to 1 uF/cm2", logarithmic=True), r"^cm\.all: a logarithmic scale needs a lower bound above zero"),
        (ParameterText("1 uF/cm2", distribution="dacey"), r"'dacey' is not defined \(did you mean 'decay'\?\); defined: uniform, decay"),
        (ParameterText("1 uF/cm2", distribution="decay"), r"^distribution 'decay' needs a value or a range for the parameter 'length\.distribution_decay'"),
    ],
)  # fmt: skip
def test_messages_on_scale_and_distribution(text: ParameterText, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_parameters({"cm.all": text}, (DECAY,), bundled_mechanisms())


def test_axial_resistivity_cannot_vary_within_a_section() -> None:
    flat = Distribution("flat", "{value}")
    with pytest.raises(ModelError, match=r"^Ra\.all: NEURON has one axial resistivity per section"):
        build(flat, Ra__all=ParameterText("100 ohm cm", distribution="flat"))
