"""Names of features in older tables, and those that are none of eFEL's."""

from __future__ import annotations

from rheobase.features.catalogue import feature_names, unit

# Numbered features of eFEL before 5.4, which were means over the traces of one protocol.
RENAMED = {
    "E2": "amp_drop_first_second",
    "E3": "amp_drop_first_last",
    "E4": "amp_drop_second_last",
    "E5": "max_amp_difference",
    "E6": "AP1_amp",  # the mean of AP_amplitude of which only the first spike's was kept
}

# Features that eFEL took from several traces at once and no longer has.
REMOVED = {
    "BPAPatt2": "use maximum_voltage_from_voltagebase at a site 620 um up the dendrite",
    "BPAPatt3": "use maximum_voltage_from_voltagebase at a site 800 um up the dendrite",
    "BPAPHeightLoc1": "use maximum_voltage_from_voltagebase at a site in the dendrite",
    "BPAPHeightLoc2": "use maximum_voltage_from_voltagebase at a site in the dendrite",
    "BPAPAmplitudeLoc1": "use AP_amplitude_from_voltagebase at a site in the dendrite",
    "BPAPAmplitudeLoc2": "use AP_amplitude_from_voltagebase at a site in the dendrite",
    "E39": "it was the slope of the f-I curve",
    "E39_cod": "it was the coefficient of determination of the f-I curve",
    "check_AISInitiation": "it compared the first spikes of two sites",
}

# What BluePyOpt-based tools search for before the rest: (kind of protocol, feature) -> its name here.
_KINDS = {
    "RMP": "rest", "RMPProtocol": "rest",
    "Rin": "resistance", "RinProtocol": "resistance",
    "RinHoldCurrent": "holding", "RinHoldcurrent": "holding", "SearchHoldingCurrent": "holding",
    "Threshold": "threshold", "ThresholdDetection": "threshold", "SearchThresholdCurrent": "threshold",
}  # fmt: skip
_ROLES = {
    ("rest", "voltage_base"): "resting_potential",
    ("rest", "steady_state_voltage_stimend"): "resting_potential",
    ("resistance", "ohmic_input_resistance_vb_ssse"): "input_resistance",
    ("resistance", "voltage_base"): "holding_voltage",
    ("holding", "voltage_base"): "holding_voltage",
    ("holding", "steady_state_voltage_stimend"): "holding_voltage",
    ("holding", "bpo_holding_current"): "holding_current",
    ("threshold", "bpo_threshold_current"): "threshold_current",
}


def role(protocol: str, feature: str) -> str | None:
    """Which property of the cell itself a feature is: one of INTRINSIC_UNITS, or "holding_voltage".

    Args:
        protocol: Its protocol, with or without an amplitude behind the last "_".
        feature: The feature.

    Returns:
        None for a feature of an ordinary protocol.
    """
    return _ROLES.get((_KINDS.get(without_level(protocol), ""), feature))


def without_level(protocol: str) -> str:
    """Name of a protocol without the amplitude behind its last "_"."""
    name, _, level = protocol.rpartition("_")
    try:
        float(level)
    except ValueError:
        return protocol
    return name


def why_unknown(feature: str) -> str | None:
    """Why a feature cannot be measured; None when eFEL has it."""
    if feature in feature_names():
        return None
    return f"eFEL no longer has this feature; {REMOVED[feature]}" if feature in REMOVED else "eFEL has no such feature"


def unit_of(feature: str, variable: str) -> str:
    """Unit of a feature of a variable of the simulation: eFEL's own are for voltages."""
    of_voltage = unit(feature)
    if variable == "v" or of_voltage != "mV":
        return of_voltage
    if variable.endswith(("i", "o")):  # NEURON's concentrations inside and outside: cai, nao
        return "mM"
    return "mA/cm2" if variable.startswith("i") else ""
