from __future__ import annotations

import pytest

from rheobase.fitting.circuits.unitary import unitary_potentials
from rheobase.fitting.circuits.unitary_gains import gain_ranges
from rheobase.objectives.limits import DataLimits, judge_limits
from tests.fitting.circuits.test_unitary import AMPA, GABA, RECORDING, ball, blueprint, projection

CIRCUIT = blueprint((ball(),), projection("E", "I", AMPA), projection("I", "E", GABA))
# Excitation saturates: four times the potential takes more than four times the gain.
LIMITS_MV = {"E->I": (0.3, 12.0), "I->E": (0.2, 2.5)}


def test_potentials_at_the_ends_of_a_range_are_its_limits() -> None:
    ranges = gain_ranges(CIRCUIT, LIMITS_MV, RECORDING)
    for name, limits in LIMITS_MV.items():
        found = ranges[name]
        assert found is not None
        for gain, limit in zip((found.smallest, found.largest), limits, strict=True):
            (potential,) = unitary_potentials(CIRCUIT, {f"weight:{name}": gain}, RECORDING, (name,))
            assert potential.mean_mV is not None
            assert abs(potential.mean_mV) == pytest.approx(limit, rel=0.03)
            assert judge_limits("size", abs(potential.mean_mV), DataLimits(*limits)).met, (
                "a gain at its limit is within"
            )
            if limit > 2.0:  # in proportion to the gain it would be further off
                assert gain > 1.02 * limit / abs(found.described_mV)


def test_narrow_limits_leave_a_range() -> None:
    (size,) = (one.mean_mV for one in unitary_potentials(CIRCUIT, {}, RECORDING, ("I->E",)))
    assert size is not None
    found = gain_ranges(CIRCUIT, {"I->E": (0.998 * abs(size), 1.002 * abs(size))}, RECORDING)["I->E"]
    assert found is not None
    assert 0.997 < found.smallest < found.largest < 1.003


def test_only_the_chosen_are_measured() -> None:
    assert set(gain_ranges(CIRCUIT, {"I->E": (0.2, 2.0)}, RECORDING)) == {"I->E"}


def test_what_cannot_be_measured_has_no_range() -> None:
    silent = blueprint((ball(),), projection("E", "I", AMPA, conductance_nS=0.0))
    assert gain_ranges(silent, {"E->I": (0.2, 2.0)}, RECORDING) == {"E->I": None}
