from __future__ import annotations

import math

import numpy as np
import pytest

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.model import Distribution
from tests.fitting.cells import small_cell

DISTANCE_um = np.array([0.0, 50.0, 100.0, 400.0])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{value}", [2.0, 2.0, 2.0, 2.0]),
        ("{value} * {distance}", [0.0, 100.0, 200.0, 800.0]),
        ("{value} * (1 + {distance}/100)**2", [2.0, 4.5, 8.0, 50.0]),
        ("{value} * math.exp(-{distance}/100)", [2 * math.exp(-d / 100) for d in DISTANCE_um]),
        ("{value} * exp({distance}*0)", [2.0] * 4),
        ("{value} * ({distance} >= 100)", [0.0, 0.0, 2.0, 2.0]),
        ("{value} * (({distance} > 0) & ({distance} < 400))", [0.0, 2.0, 2.0, 0.0]),
        ("-{value} + 1e-3", [-1.999] * 4),
        ("7", [7.0] * 4),
        (" (-0.8696 + 2.087*math.exp({distance}*0.0031))*{value} ",
         [2 * (-0.8696 + 2.087 * math.exp(0.0031 * d)) for d in DISTANCE_um]),
    ],
)  # fmt: skip
def test_values(expression: str, expected: list[float]) -> None:
    found = Distribution("some", expression).evaluate(2.0, DISTANCE_um)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_own_parameters() -> None:
    distribution = Distribution("decay", "{value} * math.exp(-{distance} / {length}) + {floor}")
    assert distribution.parameters == ("floor", "length")
    distribution.check()
    found = distribution.evaluate(1.0, DISTANCE_um, length=50.0, floor=0.5)
    np.testing.assert_allclose(found, 0.5 + np.exp(-DISTANCE_um / 50.0), rtol=1e-15)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("__import__('os').system('true')", r"may hold arithmetic|names '__import__'|uses"),
        ("__import__", "names '__import__', which is neither"),
        ("open(1)", "names 'open', which is neither"),
        ("math.exp.__class__", "uses 'math.exp.__class__'; known functions: abs, ceil"),
        ("{value}.__class__", "uses 'value.__class__'"),
        ("{value.__class__}", "is not a formula|names"),
        ("{value!r}", "arithmetic and functions of math only, not Constant"),
        ("'1'", "arithmetic and functions of math only, not Constant"),
        ("math.gamma({value})", "uses 'math.gamma'"),
        ("(lambda: 1)()", "not Lambda"),
        ("[1 for x in (1,)]", "not ListComp"),
        ("{value}[0]", "not Subscript"),
        ("{value} if {value} else 1", "not IfExp"),
        ("{value} and 1", "not BoolOp"),
        ("{value}; 1", "is not a formula"),
        ("{value} *", "is not a formula"),
        ("", "is not a formula"),
        ("{value} * {", "is not a formula"),
        ("{value} * }", "is not a formula"),
        ("{0} * {value}", "is not a formula"),
        ("{value} * {distance", "is not a formula"),
        ("{value} / 0", "has no value: .*division by zero"),
        ("{value} / ({distance} - 100)", "is not finite at some distance"),
        ("math.log({distance})", "is not finite at some distance"),
        ("{value}(1)", "has no value"),
        ("math", "has no value"),
        ("(-{value})**0.5", "has no value"),
        ("1.0 * 10.0**10.0**10.0", "has no value|not finite"),
        ("{value} * nonsense", "names 'nonsense'"),
    ],
)  # fmt: skip
def test_refused(expression: str, message: str) -> None:
    with pytest.raises(ModelError, match=rf"(?s)distribution 'some'.*({message})"):
        Distribution("some", expression).check()


def test_free_parameters() -> None:
    model = small_cell.model()
    assert {parameter.name for parameter in model.free_parameters} == set(small_cell.HIDDEN)
    assert [dimension.name for dimension in model.dimensions] == [item.name for item in model.free_parameters]
