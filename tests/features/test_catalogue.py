from __future__ import annotations

import re
from pathlib import Path

import pytest
from efel import units

from rheobase.features.catalogue import (
    CURRENT_FEATURES,
    SPIKE_SHAPE_FEATURES,
    check_feature_name,
    feature_names,
    unit,
)
from rheobase.features.errors import FeatureError
from rheobase.features.units import parse_quantity

LIBRARY = Path(__file__).resolve().parents[2] / "campaigns" / "library"


def test_known_names() -> None:
    words = {word for path in LIBRARY.glob("*.yaml") for word in re.findall(r"[A-Za-z]\w+", path.read_text())}
    of_library = words & set(feature_names())
    assert len(of_library) >= 8
    for name in of_library | SPIKE_SHAPE_FEATURES | CURRENT_FEATURES:
        check_feature_name(name)
    assert len(set(feature_names())) == len(feature_names()) > 150


@pytest.mark.parametrize(
    ("name", "hint"),
    [("AP_amplitud", "did you mean AP_amplitude"), ("meanfrequency", "mean_frequency"), ("qqqqq", "eFEL's list")],
)
def test_unknown_names(name: str, hint: str) -> None:
    with pytest.raises(FeatureError, match=f"there is no feature '{name}'; .*{hint}"):
        check_feature_name(name)
    with pytest.raises(FeatureError, match=f"there is no feature '{name}'"):
        unit(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AP_amplitude", "mV"),
        ("mean_frequency", "Hz"),
        ("time_to_first_spike", "ms"),
        ("ohmic_input_resistance", "MOhm"),
        ("AP_rise_rate", "V/s"),
        ("AP_phaseslope", "ms-1"),
        ("current_base", "nA"),
        ("sag_ratio1", ""),
        ("ISI_CV", ""),
        ("Spikecount", ""),  # the rest is what eFEL's table lacks
        ("ISIs", "ms"),
        ("voltage", "mV"),
        ("current", "nA"),
        ("depol_block", ""),
    ],
)
def test_units(name: str, expected: str) -> None:
    assert unit(name) == expected


def test_every_feature_has_a_unit_that_can_be_parsed() -> None:
    for name in feature_names():
        if unit(name):
            assert parse_quantity(f"2 {unit(name)}", unit(name)) == 2.0, name


def test_what_we_fill_in_is_still_missing_in_efel() -> None:
    for name in ("ISIs", "Spikecount", "Spikecount_stimint", "current", "depol_block", "is_not_stuck", "time"):
        with pytest.raises(KeyError, match=name):
            units.get_unit(name)
