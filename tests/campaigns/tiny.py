"""A campaign of seconds: the demo with two virtual cells, three free parameters and a handful of evaluations."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from rheobase.campaigns.loading import LIBRARY_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

TINY = """\
rheobase: 1
name: tiny
seed: 3
recordings:
  junction_potential: 14 mV
  surrogates:
    cells: 2
    hidden:
      g_pas.all: 4e-5 S/cm2
      gNaTgbar_NaTg.somatic: 0.35 S/cm2
      gSKv3_1bar_SKv3_1.somatic: 0.20 S/cm2
    spread: 5 %
    noise: 0.05 mV
    holding_voltage: -84 mV
    protocols:
      IV: {levels: [-40 %, -20 %, 20 %, 40 %], duration: 150 ms}
      IDthresh: {levels: [90 %, 98 %, 102 %, 110 %], duration: 150 ms}
      IDrest: {levels: [150 %, 200 %], duration: 150 ms}
features:
  rheobase_protocols: [IDthresh]
  protocols:
    IDrest:
      levels: [200 %]
      features: [mean_frequency, AP_amplitude]
model:
  morphology: morphologies/small_pyramid.swc
  axon: keep
  temperature: 34 degC
  parameters:
    cm.all: 1 uF/cm2
    Ra.all: 150 ohm cm
    e_pas.all: -80 mV
    ena.somatic: 50 mV
    ek.somatic: -85 mV
    g_pas.all: {value: 1e-5 to 2e-4 S/cm2, scale: logarithmic}
    gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2
    gSKv3_1bar_SKv3_1.somatic: 0.02 to 1 S/cm2
evaluation:
  settle: 300 ms
search:
  population: 6
  deterministic: true
  evaluations: 18
ensemble:
  size: 3
  largest_score: 5
"""


def write_tiny(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the campaign, with pieces of its text replaced, and its morphology; returns the file."""
    text = TINY
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the campaign"
        text = text.replace(old, new)
    shutil.copytree(LIBRARY_FOLDER / "morphologies", folder / "morphologies", dirs_exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path
