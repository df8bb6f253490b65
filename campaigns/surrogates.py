"""The surrogate stage: virtual cells of a hidden parameter set, recorded into NWB files."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import bar
from rheobase.campaigns.writing import writing
from rheobase.features.errors import CampaignError, UnitError
from rheobase.features.nwb_writer import write_nwb
from rheobase.features.units import parse_quantity
from rheobase.fitting.cells.surrogates import SurrogatePlan, SurrogateRecorder, SurrogateStep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rheobase.campaigns.folder import CampaignFolder
    from rheobase.campaigns.pool import Pool
    from rheobase.campaigns.schema import Campaign, Surrogates
    from rheobase.fitting.cells.model import CellModel, CellParameter

HIDDEN_FILE = "hidden_parameters.json"
_HIDDEN = ("recordings", "surrogates", "hidden")
_LIMIT_S = 600.0


def make_surrogates(
    campaign: Campaign,
    model: CellModel,
    folder: CampaignFolder,
    open_pool: Callable[..., Pool],
    stop: Callable[[], bool],
) -> bool:
    """Record the virtual cells; the folder appears only when all of them are done.

    Returns:
        Whether they are; False when stopped.

    Raises:
        CampaignError: the hidden parameters are not the model's free ones.
    """
    config = campaign.surrogates
    assert config is not None
    cells = hidden_parameters(campaign, config, model)
    aside = folder.path / "recordings.writing"
    pool = open_pool(
        SurrogateRecorder,
        (model, _plan(config, campaign.junction_potential)),
    )
    progress = bar("virtual cells", len(cells), "cells")
    try:
        with writing(aside):
            shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
            aside.mkdir()
            with campaign.blamed("recordings", "surrogates"):
                if not _record_all(cells, pool, campaign.seed, aside, progress, stop):
                    return False
            (aside / HIDDEN_FILE).write_text(json.dumps(cells, indent=1), encoding="utf-8")
            aside.rename(folder.surrogates)
    finally:
        progress.close()
        pool.close()
    return True


def hidden_parameters(campaign: Campaign, config: Surrogates, model: CellModel) -> dict[str, dict[str, float]]:
    """True parameters of each virtual cell: log-normal around the hidden set, within the bounds.

    Raises:
        CampaignError: a name that is not a free parameter, one that is missing, or a value out of bounds.
    """
    free = {parameter.name: parameter for parameter in model.free_parameters}
    if set(free) != set(config.hidden):
        missing, unknown = sorted(set(free) - set(config.hidden)), sorted(set(config.hidden) - set(free))
        raise CampaignError(
            f"{campaign.where(*_HIDDEN)}: expected a value for each free parameter; "
            f"missing: {', '.join(missing) or 'none'}; not free: {', '.join(unknown) or 'none'}"
        )
    centre = {
        name: _hidden_value(free[name], text, campaign.where(*_HIDDEN, name)) for name, text in config.hidden.items()
    }
    generator = np.random.default_rng([campaign.seed, 1])
    cells = {}
    for number in range(config.cells):
        factors = np.exp(generator.normal(0.0, config.spread / 100.0, len(centre)))
        values = {}
        for (name, value), factor in zip(centre.items(), factors, strict=True):
            low, high = free[name].bounds or (value, value)
            values[name] = float(min(max(value * factor, low), high))
        cells[f"virtual_{number + 1}"] = values
    return cells


def read_hidden(folder: CampaignFolder) -> dict[str, dict[str, float]]:
    """True parameters of the virtual cells, empty for real recordings."""
    path = folder.surrogates / HIDDEN_FILE
    if not path.exists():
        return {}
    content: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _hidden_value(parameter: CellParameter, text: str, where: str) -> float:
    try:
        value = float(text) if parameter.unit == "" else parse_quantity(text, parameter.unit)
    except ValueError:
        raise CampaignError(f"{where}: expected a number without a unit, got '{text}'") from None
    except UnitError as error:
        raise CampaignError(f"{where}: {error}") from error
    low, high = parameter.dimension.low, parameter.dimension.high
    if not low <= value <= high:
        raise CampaignError(f"{where}: {text} is outside the bounds {low:g} to {high:g} {parameter.unit}")
    return value


def _plan(config: Surrogates, junction_potential_mV: float) -> SurrogatePlan:
    steps = tuple(
        SurrogateStep(name, protocol.levels, protocol.duration, protocol.sampling)
        for name, protocol in config.protocols.items()
    )
    return SurrogatePlan(steps, config.holding_voltage, junction_potential_mV, config.noise)


def _record_all(
    cells: dict[str, dict[str, float]],
    pool: Pool,
    seed: int,
    folder: Path,
    progress: Any,
    stop: Callable[[], bool],
) -> bool:
    names = list(cells)
    waiting = list(range(len(names)))
    done = 0
    while done < len(names):
        if stop():
            return False
        while waiting and pool.free:
            number = waiting.pop(0)
            name = names[number]
            noise_seed = int(np.random.SeedSequence([seed, 2, number]).generate_state(1)[0])
            pool.submit(Task(number, "record", (name, cells[name], noise_seed), _LIMIT_S))
        for outcome in pool.wait(1.0):
            name = names[outcome.key]
            if outcome.failure is not None:
                raise CampaignError(f"{name} could not be recorded: {outcome.failure}")
            description = "SURROGATE: simulated by rheobase from a hidden parameter set, not a recording of a neuron"
            write_nwb(folder / f"{name}.nwb", name, outcome.value, description)
            progress.update()
            done += 1
    return True
