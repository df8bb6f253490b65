from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.target_stimuli import ProtocolStimulus
from rheobase.features.targets import CellSummary, FeatureTarget, FeatureTargets, ProtocolTargets
from rheobase.features.targets_file import SCHEMA, read_targets, write_cell_targets, write_targets
from tests.features.example_targets import TARGETS


def test_round_trip(tmp_path: Path) -> None:
    write_targets(TARGETS, tmp_path / "targets.json")
    assert read_targets(tmp_path / "targets.json") == TARGETS


def test_files_of_the_first_version(tmp_path: Path) -> None:
    """As rheobase 0.1 wrote them: single steps in % of the threshold current only."""
    settings = {"spike_threshold_mV": -30.0, "interpolation_step_ms": 0.1, "strict_stimulus_interval": True, "efel": []}
    target = {"feature": "mean_frequency", "mean": 7.25, "std": 1.1, "unit": "Hz", "cells": 5, "sweeps": 7}
    content = {
        "schema": "rheobase.targets/1",
        "holding_voltage_mV": -84.1,
        "threshold_duration_ms": 2000.0,
        "intrinsic": [{**target, "feature": "threshold_current", "unit": "nA"}],
        "protocols": [
            {"name": "IDrest_150", "amplitude_percent": 149.7, "amplitude_nA": 0.31, "duration_ms": 2000.0,
             "features": [target], "settings": settings},
        ],
        "junction_potential_mV": 14.0,
        "cells": [{"name": "C1", "rheobase_nA": 0.24, "holding_current_nA": -0.03, "holding_voltage_mV": -84.0,
                   "sweeps": 9, "bracketed": True}],
        "notes": ["cell C2 left out"],
        "settings": settings,
    }  # fmt: skip
    path = tmp_path / "targets.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_targets(path) == FeatureTargets(
        -84.1,
        2000.0,
        (FeatureTarget("threshold_current", 7.25, 1.1, "nA", 5, 7),),
        (
            ProtocolTargets(
                "IDrest_150",
                ProtocolStimulus.step(149.7, 2000.0),
                0.31,
                (FeatureTarget("mean_frequency", 7.25, 1.1, "Hz", 5, 7),),
                MeasurementSettings(-30.0),
            ),
        ),
        14.0,
        (CellSummary("C1", 0.24, -0.03, -84.0, 9, True),),
        ("cell C2 left out",),
        MeasurementSettings(-30.0),
    )
    del content["protocols"][0]["duration_ms"]  # type: ignore[index]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FeatureError, match=r"targets.json: not the targets that rheobase writes: KeyError.'duration"):
        read_targets(path)


@pytest.mark.parametrize(
    "broken",
    [
        dataclasses.replace(TARGETS, holding_voltage_mV=math.nan),
        dataclasses.replace(TARGETS, outliers=(dataclasses.replace(TARGETS.outliers[0], deviations=math.inf),)),
    ],
)
def test_never_a_bare_nan(broken: FeatureTargets, tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_targets(broken, path)
    assert not path.exists()


def test_plain_json_with_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    write_targets(TARGETS, path)
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert content["schema"] == SCHEMA
    assert content["protocols"][0]["features"][0]["mean"] == 7.25


def test_files_of_cells(tmp_path: Path) -> None:
    other = dataclasses.replace(TARGETS, holding_voltage_mV=-70.0)
    paths = write_cell_targets(
        {"C 1/a": TARGETS, "C_1_a": other, "Zelle ä": TARGETS, "zelle ä": other}, tmp_path / "new"
    )
    assert {cell: path.name for cell, path in paths.items()} == {
        "C 1/a": "targets_C_1_a.json",
        "C_1_a": "targets_C_1_a_2.json",
        "Zelle ä": "targets_Zelle_ä.json",
        "zelle ä": "targets_zelle_ä_2.json",  # also where the disk does not tell upper from lower case
    }
    assert read_targets(paths["C 1/a"]) == TARGETS
    assert read_targets(paths["C_1_a"]) == other


def damaged(**change: object) -> str:
    content = {"schema": SCHEMA, **dataclasses.asdict(TARGETS), **change}
    return json.dumps(content)


def protocol(**change: object) -> str:
    entry: dict[str, Any] = dataclasses.asdict(TARGETS.protocols[0])
    return damaged(protocols=[{**entry, **change}])


def piece(**change: object) -> dict[str, object]:
    return {"pieces": [{"onset_ms": 0.0, "duration_ms": 5.0, "start": 1.0, "end": 1.0, **change}], "unit": "nA"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a JSON file"),
        ("{", "is not a JSON file"),
        ("[" * 100_000, "is not a JSON file"),
        ("[1, 2]", 'expected .*"schema": "rheobase.targets/2"'),
        ("null", "expected .*extract the targets again"),
        ('{"schema": "rheobase.targets/99"}', "expected .*extract the targets again"),
        (f'{{"schema": "{SCHEMA}"}}', "holding_voltage_mV: Field required"),
        (damaged(intrinsic=5), "intrinsic: .* got 5"),
        (damaged(intrinsic=[{"feature": "x", "mean": 1.0, "std": 0.0}]), "the target of x must be finite"),
        (damaged(intrinsic=[{"feature": "x", "mean": "much", "std": 1.0}]), "intrinsic.0.mean: .* got \"much\""),
        (damaged(intrinsic=[{"feature": "x", "mean": "1.0", "std": 1.0}]), "intrinsic.0.mean: .*valid number"),
        (damaged(intrinsic=[{"nonsense": 1}]), "intrinsic.0.feature: Field required"),
        (damaged(protocols=[{}]), "protocols.0.name: Field required"),
        (damaged(protocols={"a": 1}), "protocols: "),
        (damaged(settings={"efel": [[1, 2, 3]]}), "settings.efel.0"),
        (damaged(settings={"efel": [["DerivativThreshold", 5.0]]}), "did you mean DerivativeThreshold"),
        (damaged(settings={"nonsense": 1, "efel": []}), "settings.nonsense: Unexpected keyword argument"),
        (damaged(cells=[[]]), "cells.0"),
        (damaged(nonsense=1), "nonsense: Unexpected keyword argument, got 1"),
        (damaged(holding_voltage_mV=True), "holding_voltage_mV: .*valid number"),
        (damaged(holding_voltage_mV=math.nan), "is not a JSON file of targets: expected finite numbers, got NaN"),
        (damaged(holding_voltage_mV=-math.inf), "expected finite numbers, got -Infinity"),
        (damaged().replace("-84.1", "-1e999"), "holding_voltage_mV: .*finite number"),
        (protocol(stimulus=piece(start=math.nan)), "expected finite numbers, got NaN"),
        (protocol(stimulus=piece(onset_ms=3.0)), "needs at least one piece, the first with onset 0 ms"),
        (protocol(stimulus=piece(duration_ms=0.0)), "last longer than 0 ms"),
        (protocol(stimulus={"pieces": [], "unit": "nA"}), "needs at least one piece"),
        (protocol(stimulus={**piece(), "unit": "pA"}), "protocols.0.stimulus.unit: .*'percent' or 'nA'"),
        (protocol(stimulus=3), "protocols.0.stimulus"),
        (damaged(sites=[{"name": "d", "section_list": "trunk"}]), "sites.0.section_list"),
    ],
)  # fmt: skip
def test_damaged_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FeatureError, match=message) as raised:
        read_targets(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@given(keep=st.integers(0, 3000))
def test_cut_files(keep: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cut") / "targets.json"
    path.write_text(damaged()[:keep], encoding="utf-8")
    with pytest.raises(FeatureError, match=re.escape(str(path))):
        read_targets(path)


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "targets.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(FeatureError, match=r"targets.json is not a JSON file of targets"):
        read_targets(tmp_path / "targets.json")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"the targets file .*targets\.json does not exist"):
        read_targets(tmp_path / "targets.json")
