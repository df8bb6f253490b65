"""What the record of a circuit's campaign depends on, of all that its file says."""

from __future__ import annotations

from typing import Any


def essence_of(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out what changes no trial, and keys that older files could not have where they say nothing.

    Args:
        content: The campaign as plain JSON values; it is changed.
    """
    for key in ("description", "cluster"):
        del content[key]
    if not content["electrodes"]:
        del content["electrodes"]
    _of_targets(content["targets"])
    _of_tuning(content["tuning"])
    if content["circuit"] is not None:
        del content["circuit"]["coreneuron"]  # the spikes are the same
    for population in (content["circuit"] or {}).get("populations", {}).values():
        _of_population(population)
    for stimulus in (content["circuit"] or {}).get("stimuli", {}).values():
        _of_stimulus(stimulus)
    return content


def _of_targets(targets: dict[str, Any]) -> None:
    del targets["source"]
    unitary = targets.pop("unitary")
    limiting = {name: one for name, one in unitary.items() if one["factor"] or one["std"]}
    if limiting:  # the others are for the report alone
        targets["unitary"] = limiting
    _of_signals(targets)
    for key in ("evoked", "distributions"):
        if not targets[key]:
            del targets[key]


def _of_signals(targets: dict[str, Any]) -> None:
    spectrum, evoked = targets["spectrum"], targets["evoked"]
    seen = [one["signal"] for one in (*([spectrum] if spectrum else []), *evoked)]
    if "MEG" not in seen:
        del targets["meg"]
        for one in (*([spectrum] if spectrum else []), *evoked):
            del one["signal"]
    for component in (component for one in evoked for component in one["components"]):
        if component["field"] is None:
            del component["field"]


def _of_tuning(tuning: dict[str, Any]) -> None:
    del tuning["wall_time"]
    if tuning["recipe"]:
        del tuning["recipe"]
    if not tuning["recorded"]:
        del tuning["recorded"]
    for name, stage in tuning["stages"].items():
        given = {key: value for key, value in stage.items() if value not in (None, [])}
        tuning["stages"][name] = given["trials"] if list(given) == ["trials"] else given


def _of_stimulus(stimulus: dict[str, Any]) -> None:
    for key in ("train", "every", "oddball"):
        if stimulus[key] is None:
            del stimulus[key]
    if stimulus["trains"] == 1:
        del stimulus["trains"]


def _of_population(population: dict[str, Any]) -> None:
    if population["template"] is None:
        del population["template"]
    else:  # files may move: their content is compared
        for key in ("file", "morphology", "mechanisms"):
            del population["template"][key]
