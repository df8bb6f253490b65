"""What the README shows of circuits' files is understood."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from rheobase.campaigns.circuits.schema_stimuli import StimulusKeys
from rheobase.campaigns.circuits.schema_targets import CircuitTargetKeys
from rheobase.campaigns.circuits.schema_tuning import Tuning
from rheobase.campaigns.circuits.stimuli import onsets

README = Path(__file__).parents[3] / "README.md"


def _examples() -> dict[str, Any]:
    """The YAML of the section about circuits, its keys together."""
    section = README.read_text(encoding="utf-8").partition("## Circuits")[2].partition("\n## ")[0]
    found: dict[str, Any] = {}
    for block in re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL):
        found |= YAML(typ="safe").load(block)
    return found


def test_examples_are_understood() -> None:
    examples = _examples()
    targets = CircuitTargetKeys.model_validate({"rates": {"L4_E": "3 Hz"}, **examples["targets"]})
    stimuli = {name: StimulusKeys.model_validate(keys) for name, keys in examples["circuit"]["stimuli"].items()}
    assert {keys.stimulus for keys in targets.evoked} <= set(stimuli)
    assert len(onsets(stimuli["clicks"]).all_ms) == 4
    assert len(onsets(stimuli["tones"]).deviants_ms) == 3
    assert targets.unitary["L4_E->L4_PV"].allowed_factor is not None
    tuning = Tuning.model_validate(examples["tuning"])
    assert tuning.stages["background"].trials == 20
    assert not tuning.stages["full circuit"].is_own
    own = tuning.stages["L4 alone"]
    assert own.is_own
    assert own.replayed == {"L5_E": "recorded", "L23_*": "target", "L6_*": 2.0}
