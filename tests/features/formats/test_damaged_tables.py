"""Tables with anything in the place of any value: a target, a note or an error that names the file."""

from __future__ import annotations

import copy
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rheobase.features.errors import FeatureError
from rheobase.features.formats.dialects import KINDS, read_any_targets, write_any_targets
from rheobase.features.sites import RecordingSite
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from tests.features.formats.reading import stimulus, write_json

TARGETS = FeatureTargets(
    -80.0,
    500.0,
    (FeatureTarget("resting_potential", -75.0, 3.0, "mV"), FeatureTarget("threshold_current", 0.2, 0.05, "nA")),
    (
        ProtocolTargets(
            "sAHP_250",
            stimulus((0.0, 9.0, 40.0, 40.0), (9.0, 9.0, 250.0, 250.0), (18.0, 9.0, 40.0, 40.0), before_ms=9.0),
            0.5,
            (
                FeatureTarget("Spikecount", 12.0, 2.0, sweeps=3, name="early", window_ms=(0.0, 5.0)),
                FeatureTarget("maximum_voltage", 12.0, 2.0, "mV", location="dend1"),
            ),
        ),
    ),
    sites=(RecordingSite("dend1", "apical", 100.0),),
)
ODD: list[Any] = [None, math.nan, math.inf, "x", "", -1, 0, True, 10**400, 1e-300, [], [1], {}, {"a": 1}, 2.5]


def written(kind: str) -> list[Any]:
    """The JSON of the targets' files in a format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        write_any_targets(TARGETS, path, kind)
        files = [path / "features.json", path / "protocols.json"] if kind == "bluepyefe" else [path]
        return [json.loads(file.read_text("utf-8")) for file in files]


def places(value: Any, keys: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys of all values below a value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in entries for found in ((*keys, key), *places(inner, (*keys, key)))]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100, deadline=None)
@given(data=some.data())
def test_damaged_tables(kind: str, data: some.DataObject) -> None:
    contents = copy.deepcopy(written(kind))
    *keys, last = data.draw(some.sampled_from(places(contents)).filter(lambda found: len(found) > 1))
    holder: Any = contents
    for key in keys:
        holder = holder[key]
    if data.draw(some.booleans()):
        holder[last] = data.draw(some.sampled_from(ODD))
    else:
        del holder[last]
    with tempfile.TemporaryDirectory() as folder:
        files = [write_json(Path(folder) / f"{number}.json", content) for number, content in enumerate(contents)]
        try:
            targets = read_any_targets(files[0], files[1] if len(files) > 1 else None)
        except FeatureError as error:
            assert folder in str(error)  # noqa: PT017
            return
        write_any_targets(targets, Path(folder) / "out.json", "rheobase")
        assert "NaN" not in (Path(folder) / "out.json").read_text("utf-8")
