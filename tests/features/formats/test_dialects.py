"""Which format a file is in, from what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.formats.dialects import KINDS, read_any_targets, write_any_targets
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from tests.features.formats.reading import numbers, stimulus, write_json

if TYPE_CHECKING:
    from pathlib import Path

STEP = stimulus((0.0, 500.0, 150.0, 150.0), before_ms=100.0, after_ms=50.0)
TARGETS = FeatureTargets(
    -80.0,
    500.0,
    (FeatureTarget("threshold_current", 0.2, 0.05, "nA"),),
    (ProtocolTargets("Step_150", STEP, 0.3, (FeatureTarget("mean_frequency", 12.0, 2.0, "Hz", sweeps=3),)),),
)
FEATURES = {"Step_150": {"soma.v": [{"feature": "voltage_base", "val": [-80.0, 1.0]}]}}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_recognised(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "table"
    assert write_any_targets(TARGETS, path, kind) == ()
    found = (
        read_any_targets(path / "features.json", path / "protocols.json")
        if kind == "bluepyefe"
        else read_any_targets(path)
    )
    assert numbers(found) == numbers(TARGETS)
    assert found.protocols == TARGETS.protocols


def test_a_file_with_protocols_of_its_own_takes_no_other(tmp_path: Path) -> None:
    write_any_targets(TARGETS, tmp_path / "targets.json", "rheobase")
    with pytest.raises(FeatureError, match=r"holds its protocols itself; leave .*p.json out"):
        read_any_targets(tmp_path / "targets.json", tmp_path / "p.json")


def test_features_need_their_protocols(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"f.json holds features only; give the file of their protocols with it"):
        read_any_targets(write_json(tmp_path / "f.json", FEATURES))


@pytest.mark.parametrize("content", [[], {}, 5, {"a": 1}, {"a": {"b": 1}}, "text"])
def test_other_json_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"f.json: expected rheobase's targets, BluePyEfe's or the older"):
        read_any_targets(write_json(tmp_path / "f.json", content))


@pytest.mark.parametrize("protocols", [FEATURES, {}, [], {"Main": {}}, {"Step_150": 3}])
def test_other_protocols_are_refused(protocols: object, tmp_path: Path) -> None:
    paths = write_json(tmp_path / "f.json", FEATURES), write_json(tmp_path / "p.json", protocols)
    with pytest.raises(FeatureError, match=r"p.json.*: expected (protocols by name|an object)"):
        read_any_targets(*paths)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"the table .*nothing.json does not exist"):
        read_any_targets(tmp_path / "nothing.json")
    with pytest.raises(FeatureError, match="is not a JSON file"):
        read_any_targets(tmp_path)
    (tmp_path / "torn.json").write_text('{"Step_150": {"soma', encoding="utf-8")
    with pytest.raises(FeatureError, match=r"torn.json is not a JSON file"):
        read_any_targets(tmp_path / "torn.json")


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"Step_150": {}, "Step_150": {}}', encoding="utf-8")
    with pytest.raises(FeatureError, match="the key 'Step_150' stands twice in one object"):
        read_any_targets(tmp_path / "f.json")


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="is a folder; give the file to write"):
        write_any_targets(TARGETS, tmp_path, "bluepyemodel")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FeatureError, match=r"cannot write to .*file"):
        write_any_targets(TARGETS, tmp_path / "file", "bluepyefe")
