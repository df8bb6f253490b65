from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import UnitError
from rheobase.features.units import CANONICAL_UNITS, factor, parse_quantity, parse_range

WRITTEN = {
    "mV": ("mV", "V", "uV", "volts"),
    "nA": ("nA", "pA", "uA", "A", "amperes"),
    "ms": ("ms", "s", "us", "min"),
    "MOhm": ("MOhm", "MΩ", "Ohm", "kohm", "GOhm"),
    "um": ("um", "µm", "mm", "nm"),
    "S/cm2": ("S/cm2", "mS/cm2", "S/cm^2", "pS/um2", "S cm-2", "S/m2"),
    "uF/cm2": ("uF/cm2", "µF/cm²", "F/m2", "μF/cm2"),
    "ohm cm": ("ohm cm", "ohm*cm", "Ω cm", "kOhm cm", "ohm m"),
    "mM": ("mM", "uM", "mol/l", "mmol/l"),
    "Hz": ("Hz", "kHz", "1/s"),
    "%": ("%",),
}
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda number: number == 0 or abs(number) > 1e-9)


def test_every_kind_of_quantity_is_tested_here():
    assert set(WRITTEN) == set(CANONICAL_UNITS.values())


@pytest.mark.parametrize(("canonical", "unit"), [(key, unit) for key, units in WRITTEN.items() for unit in units])
@settings(max_examples=20, deadline=None)
@given(number=NUMBERS)
def test_a_written_quantity_comes_back(canonical, unit, number):
    if unit == "1/s":  # a unit starts with a letter or a sign
        unit = "s^-1"
    value = parse_quantity(f"{number!r} {unit}", canonical)
    assert value == pytest.approx(number * factor(unit, canonical), rel=1e-14)
    assert parse_quantity(f"{value!r} {canonical}", canonical) == value
    assert parse_quantity(f"  {number!r}{unit} ", canonical) == value


@pytest.mark.parametrize(
    ("text", "canonical", "expected"),
    [
        ("119 pA", "nA", 0.119),
        ("0.1 A", "nA", 1e8),
        ("1 A", "nA", 1e9),
        ("-70mV", "mV", -70.0),
        (".5 mV", "mV", 0.5),
        ("5. mV", "mV", 5.0),
        ("+3 mV", "mV", 3.0),
        ("1e-5 S/cm2", "S/cm2", 1e-5),
        ("1 S/m2", "S/cm2", 1e-4),
        ("0.01 F/m2", "uF/cm2", 1.0),
        ("1 ohm m", "ohm cm", 100.0),
        ("150 %", "%", 150.0),
        ("2 min", "ms", 120000.0),
    ],
)
def test_quantities_are_exact(text, canonical, expected):
    assert parse_quantity(text, canonical) == expected


@pytest.mark.parametrize(
    ("unit", "canonical", "expected"),
    [("A", "nA", 1e9), ("pA", "nA", 1e-3), ("V", "mV", 1e3), ("uV", "mV", 1e-3), ("us", "ms", 1e-3), ("mV", "mV", 1)],
)
def test_factors_are_whole_powers_of_ten(unit, canonical, expected):
    assert factor(unit, canonical) == expected


@pytest.mark.parametrize(
    ("value", "canonical", "message"),
    [
        ("14", "mV", "'14' has no unit: write '14 mV' if that is what is meant"),
        (14, "mV", "expected a quantity with its unit, such as '1 mV', got 14"),
        (True, "mV", "such as '1 mV', got True"),
        (None, "mV", "such as '1 mV', got None"),
        ("14 pA", "mV", "expected a unit like mV, got 'pA'"),
        ("14 mv", "mV", "'mv' is not a unit that rheobase knows"),
        ("fourteen mV", "mV", "expected a number and a unit, such as '1 mV', got 'fourteen mV'"),
        ("nan mV", "mV", "expected a number and a unit"),
        ("1,5 mV", "mV", "',5 mV' is not a unit"),
        ("1e400 mV", "mV", "expected a finite quantity in mV"),
        ("1 mV to 2 mV", "mV", "is not a unit"),
        ("14 %", "mV", "expected a unit of mV, got '%'"),
        ("14 mV", "%", "expected a value in %, got the unit 'mV'"),
        ("1 V/s", "mV", "expected a unit like mV, got 'V/s'"),
        ("1 mV; x", "mV", "'mV; x'"),
        ("", "mV", "expected a number and a unit"),
    ],
)
def test_what_is_no_quantity(value, canonical, message):
    with pytest.raises(UnitError, match=message):
        parse_quantity(value, canonical)


@pytest.mark.parametrize(
    ("text", "canonical", "expected"),
    [
        ("1e-5 to 1e-3 S/cm2", "S/cm2", (1e-5, 1e-3)),
        ("100 pA to 1 nA", "nA", (0.1, 1.0)),
        ("-90 to -50 mV", "mV", (-90.0, -50.0)),
        ("-90mV  to  -50mV ", "mV", (-90.0, -50.0)),
        ("10 % to 90 %", "%", (10.0, 90.0)),
    ],
)
def test_ranges(text, canonical, expected):
    assert parse_range(text, canonical) == expected


@settings(max_examples=100, deadline=None)
@given(low=NUMBERS, high=NUMBERS)
def test_a_written_range_comes_back_or_is_refused(low, high):
    text = f"{low!r} to {high!r} nA"
    if low < high:
        assert parse_range(text, "nA") == (low, high)
    else:
        with pytest.raises(UnitError, match="the lower bound must be below the upper one"):
            parse_range(text, "nA")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1 to 2", "'1 to 2' has no unit: write '1 to 2 mV'"),
        ("1 mV to 2", "has no unit"),
        ("1 nA to 2 mV", "expected a unit like mV, got 'nA'"),
        ("1 mV", "expected a range with its unit, such as '0 to 1 mV'"),
        ("1-2 mV", "expected a range"),
        ([1, 2], "expected a range"),
        ("2 to 1 mV", "the lower bound must be below"),
        ("1 to 1 mV", "the lower bound must be below"),
    ],
)
def test_what_is_no_range(value, message):
    with pytest.raises(UnitError, match=message):
        parse_range(value, "mV")


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=30), canonical=st.sampled_from(sorted(WRITTEN)))
def test_any_text_is_a_finite_quantity_or_a_unit_error(text, canonical):
    for value in (text, f"1 {text}"):
        with contextlib.suppress(UnitError):
            assert math.isfinite(parse_quantity(value, canonical))
