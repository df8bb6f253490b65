"""The small pyramidal cell of the embedded demo, its hidden parameters, and targets that they meet."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from rheobase.features.measurement import MeasurementSettings
from rheobase.features.target_stimuli import ProtocolStimulus
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from rheobase.fitting.cells.evaluator import EvaluationSettings
from rheobase.fitting.cells.mechanisms import bundled_mechanisms
from rheobase.fitting.cells.model import CellModel, Distribution
from rheobase.fitting.cells.morphology import Morphology, read_morphology
from rheobase.fitting.cells.parameters import ParameterText, build_parameters, used_mechanisms

MORPHOLOGY = Path(__file__).resolve().parents[3] / "campaigns" / "library" / "morphologies" / "small_pyramid.swc"

TEXTS = {
    "cm.all": "1 uF/cm2",
    "Ra.all": "150 ohm cm",
    "e_pas.all": "-80 mV",
    "ena.somatic": "50 mV",
    "ek.somatic": "-85 mV",
    "g_pas.all": "1e-5 to 2e-4 S/cm2",
    "gIhbar_Ih.all": "5e-6 to 5e-4 S/cm2",
    "gNaTgbar_NaTg.somatic": "0.1 to 1 S/cm2",
    "gSKv3_1bar_SKv3_1.somatic": "0.02 to 1 S/cm2",
    "gK_Pstbar_K_Pst.somatic": "1e-3 to 0.2 S/cm2",
    "gImbar_Im.somatic": "5e-5 to 5e-3 S/cm2",
}
HIDDEN = {
    "g_pas.all": 4e-5,
    "gIhbar_Ih.all": 6e-5,
    "gNaTgbar_NaTg.somatic": 0.35,
    "gSKv3_1bar_SKv3_1.somatic": 0.20,
    "gK_Pstbar_K_Pst.somatic": 0.02,
    "gImbar_Im.somatic": 8e-4,
}
OTHER = {
    "g_pas.all": 6e-5,
    "gIhbar_Ih.all": 3e-5,
    "gNaTgbar_NaTg.somatic": 0.5,
    "gSKv3_1bar_SKv3_1.somatic": 0.4,
    "gK_Pstbar_K_Pst.somatic": 0.01,
    "gImbar_Im.somatic": 5e-4,
}

# Short, for these tests; the demo settles for 600 ms.
SETTINGS = EvaluationSettings(settle_ms=300.0, before_step_ms=50.0, after_step_ms=20.0)


def model(
    changes: Mapping[str, str | ParameterText | None] | None = None,
    distributions: Sequence[Distribution] = (),
    morphology: Morphology | None = None,
    replace_axon: bool = False,
    segment_length_um: float = 40.0,
    first: Sequence[str] = (),
) -> CellModel:
    """The demo's cell; `changes` sets parameters (None removes one), `first` names those to be written first."""
    texts: dict[str, str | ParameterText] = dict(TEXTS)
    for name, change in (changes or {}).items():
        texts.pop(name, None)
        if change is not None:
            texts[name] = change
    texts = {name: texts[name] for name in [*first, *(name for name in texts if name not in first)]}
    entries = {
        name: text if isinstance(text, ParameterText) else ParameterText(str(text)) for name, text in texts.items()
    }
    parameters = build_parameters(entries, distributions, bundled_mechanisms())
    return CellModel(
        name="small",
        morphology=morphology or small_morphology(),
        mechanisms=used_mechanisms(parameters, bundled_mechanisms()),
        parameters=parameters,
        distributions=tuple(distributions),
        replace_axon=replace_axon,
        segment_length_um=segment_length_um,
    )


@functools.cache
def small_morphology() -> Morphology:
    return read_morphology(MORPHOLOGY)


def targets() -> FeatureTargets:
    """What HIDDEN does, roughly, with standard deviations as cells of a kind have them."""
    return FeatureTargets(
        holding_voltage_mV=-84.0,
        threshold_duration_ms=200.0,
        intrinsic=(
            FeatureTarget("resting_potential", -78.2, 2.0, "mV"),
            FeatureTarget("input_resistance", 228.5, 20.0, "MOhm"),
            FeatureTarget("holding_current", -0.022, 0.01, "nA"),
            FeatureTarget("threshold_current", 0.102, 0.02, "nA"),
        ),
        protocols=(
            ProtocolTargets(
                "IV_-40", ProtocolStimulus.step(-40.0, 200.0), -0.041,
                (FeatureTarget("voltage_base", -84.0, 1.0, "mV"), FeatureTarget("sag_ratio1", 0.2, 0.05)),
            ),
            ProtocolTargets(
                "IDrest_200", ProtocolStimulus.step(200.0, 200.0), 0.204,
                (
                    FeatureTarget("mean_frequency", 62.4, 5.0, "Hz"),
                    FeatureTarget("time_to_first_spike", 15.3, 5.0, "ms"),
                    FeatureTarget("AP_amplitude", 39.0, 5.0, "mV"),
                ),
            ),
            ProtocolTargets(
                "APWaveform_250", ProtocolStimulus.step(250.0, 50.0), 0.256,
                (FeatureTarget("AP_duration_half_width", 0.86, 0.2, "ms"), FeatureTarget("AHP_depth", 24.0, 4.0, "mV")),
                MeasurementSettings(interpolation_step_ms=0.025),
            ),
        ),
    )  # fmt: skip
