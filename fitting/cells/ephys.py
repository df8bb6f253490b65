"""A cell model in terms of BluePyOpt's ephys classes, which build it in NEURON and export it to hoc."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rheobase.fitting.cells.model import UNIFORM, CellModel, CellParameter

if TYPE_CHECKING:
    from bluepyopt import ephys


def ephys_model(model: CellModel) -> ephys.models.CellModel:
    """BluePyOpt's CellModel: morphology, mechanisms per section list, parameters with their scalers."""
    from bluepyopt import ephys

    locations = {
        name: ephys.locations.NrnSeclistLocation(name, seclist_name=name)
        for name in ("all", "apical", "axonal", "basal", "somatic", "myelinated")
    }
    morphology = ephys.morphologies.NrnFileMorphology(
        str(model.morphology.file()),
        do_replace_axon=model.replace_axon,
        nseg_frequency=model.segment_length_um,
        axon_nseg_frequency=model.segment_length_um,
    )
    return ephys.models.CellModel(
        re.sub(r"\W", "_", model.name),
        morph=morphology,
        mechs=[
            ephys.mechanisms.NrnMODMechanism(f"{name}.{place}", suffix=name, locations=[locations[place]])
            for name, place in insertions(model)
        ],
        params=_ephys_parameters(model, locations),
    )


def insertions(model: CellModel) -> list[tuple[str, str]]:
    """(mechanism, section list) pairs that the parameters ask for, in a fixed order."""
    pairs = {(parameter.mechanism, parameter.section_list) for parameter in model.parameters if parameter.mechanism}
    return sorted((name, place) for name, place in pairs if name is not None)


def _ephys_parameters(model: CellModel, locations: dict[str, Any]) -> list[Any]:
    from bluepyopt import ephys

    scalers = {}
    for distribution in model.distributions:
        inner = {name: f"{{{name}}}" for name in distribution.parameters}
        scalers[distribution.name] = ephys.parameterscalers.NrnSegmentSomaDistanceScaler(
            name=distribution.name,
            distribution=distribution.expression.format(value="{value}", distance="{distance}", **inner),
            dist_param_names=list(distribution.parameters) or None,
        )
    built: list[Any] = []
    for parameter in model.parameters:
        common = {"name": parameter.name, **_value(parameter)}
        if parameter.section_list.startswith("distribution_"):
            scaler = scalers[parameter.section_list.removeprefix("distribution_")]
            built.append(ephys.parameters.MetaParameter(obj=scaler, attr_name=parameter.variable, **common))
        elif parameter.distribution == UNIFORM:
            built.append(
                ephys.parameters.NrnSectionParameter(
                    param_name=parameter.variable, locations=[locations[parameter.section_list]], **common
                )
            )
        else:
            built.append(
                ephys.parameters.NrnRangeParameter(
                    param_name=parameter.variable,
                    locations=[locations[parameter.section_list]],
                    value_scaler=scalers[parameter.distribution],
                    **common,
                )
            )
    # Parameters of distributions come first: BluePyOpt reads them when it spreads the others.
    return sorted(built, key=lambda parameter: not isinstance(parameter, ephys.parameters.MetaParameter))


def _value(parameter: CellParameter) -> dict[str, Any]:
    if parameter.is_free:
        return {"bounds": list(parameter.bounds or ())}
    return {"value": parameter.value, "frozen": True}
