from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.targets import (
    SCHEMA,
    CellSummary,
    FeatureTarget,
    FeatureTargets,
    ProtocolTargets,
    objective_name,
    read_targets,
    write_targets,
)

TARGETS = FeatureTargets(
    holding_voltage_mV=-84.1,
    threshold_duration_ms=2000.0,
    intrinsic=(FeatureTarget("threshold_current", 0.1 + 0.2, 1e-3, "nA", 5, 5),),
    protocols=(
        ProtocolTargets(
            "IDrest_150", 149.7, 0.31, 2000.0, (FeatureTarget("mean_frequency", 7.25, 1.1, "Hz", 5, 7),),
            MeasurementSettings(-30.0, 0.025, False, (("DerivativeThreshold", 5.0), ("some", "text"))),
        ),
    ),
    junction_potential_mV=14.0,
    cells=(CellSummary("C1", 0.24, -0.03, -84.0, 9, True),),
    notes=("cell C2 left out: µ",),
    settings=MeasurementSettings(-30.0),
)  # fmt: skip


def test_round_trip(tmp_path: Path) -> None:
    write_targets(TARGETS, tmp_path / "targets.json")
    assert read_targets(tmp_path / "targets.json") == TARGETS


def test_objectives() -> None:
    assert list(TARGETS.objectives) == ["threshold_current", "IDrest_150.soma.v.mean_frequency"]
    assert objective_name("bAP", "maximum_voltage", "dend1") == "bAP.dend1.v.maximum_voltage"


@pytest.mark.parametrize(("mean", "std"), [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_targets_are_finite(mean: float, std: float) -> None:
    with pytest.raises(FeatureError, match="the target of x must be finite with a standard deviation above zero, got"):
        FeatureTarget("x", mean, std)


def test_never_a_bare_nan(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_targets(FeatureTargets(math.nan, 1.0, (), ()), path)
    assert not path.exists()


def test_plain_json_with_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    write_targets(TARGETS, path)
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert content["schema"] == SCHEMA
    assert content["protocols"][0]["features"][0]["mean"] == 7.25


def damaged(change: object) -> str:
    content = {"schema": SCHEMA, **json.loads(json.dumps(TARGETS, default=lambda item: item.__dict__))}
    assert isinstance(change, dict)
    return json.dumps({**content, **change})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        "null",
        '{"schema": "rheobase.targets/99"}',
        f'{{"schema": "{SCHEMA}"}}',
        damaged({"intrinsic": 5}),
        damaged({"intrinsic": [{"feature": "x", "mean": 1.0, "std": 0.0}]}),
        damaged({"intrinsic": [{"feature": "x", "mean": "much", "std": 1.0}]}),
        damaged({"intrinsic": [{"nonsense": 1}]}),
        damaged({"protocols": [{}]}),
        damaged({"protocols": {"a": 1}}),
        damaged({"settings": {"efel": [[1, 2, 3]]}}),
        damaged({"settings": {"nonsense": 1, "efel": []}}),
        damaged({"cells": [[]]}),
        damaged({"nonsense": 1}),
    ],
)
def test_damaged_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FeatureError, match=re.escape(str(path))):
        read_targets(path)


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "targets.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(FeatureError, match=r"targets.json is not a JSON file of targets"):
        read_targets(tmp_path / "targets.json")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"the targets file .*targets\.json does not exist"):
        read_targets(tmp_path / "targets.json")
