"""Spike trains that populations are replayed with, from files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.features.activity.nwb_units import UnitColumns, read_nwb_spike_trains
from rheobase.features.activity.sonata import read_sonata_spikes
from rheobase.features.activity.tables import SpikeColumns, read_spike_table
from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.replaying import trains_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.schema_stages import RecordedKeys
    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.fitting.tuning.stage import TuningStage

_TABLES, _SONATA, _NWB = (".csv", ".tsv", ".txt"), (".h5", ".hdf5"), (".nwb",)


def read_recorded(campaign: CircuitCampaign, sizes: Mapping[str, int]) -> dict[str, SpikeTrains]:
    """Recorded trains of each population that has some, as many as it has cells.

    Args:
        campaign: The campaign.
        sizes: Number of cells of each population.

    Raises:
        RheobaseError: a population that does not exist, or a file that cannot be read; the message names the key.
    """
    found = {}
    for name, keys in campaign.tuning.recorded.items():
        with campaign.blamed("tuning", "recorded", name):
            if name not in sizes:
                raise CampaignError(f"'{name}' is no population; there are {', '.join(sizes)}")
            found[name] = trains_for(name, sizes[name], _read(name, keys), campaign.seed)
    return found


def check_lengths(campaign: CircuitCampaign, stages: Iterable[TuningStage]) -> None:
    """Check that recorded trains last as long as the trials that they are played in.

    Raises:
        CampaignError: one that does not.
    """
    for stage in stages:
        for name, trains in stage.simulated.recorded.items():
            if trains.stop_ms < stage.simulated.duration_ms:
                raise CampaignError(
                    f"{campaign.where('tuning', 'recorded', name)}: its trains last {trains.stop_ms:g} ms, but a trial "
                    f"of stage '{stage.name}' lasts {stage.simulated.duration_ms:g} ms; give longer ones, or shorten "
                    "the trials (tuning.duration)"
                )


def _read(name: str, keys: RecordedKeys) -> SpikeTrains:
    population, path = keys.population or name, keys.file
    if not path.is_file():
        raise CampaignError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix in _NWB:
        return read_nwb_spike_trains(path, UnitColumns(keys.populations), keys.observed).of(population)
    if suffix not in (*_SONATA, *_TABLES):
        known = ", ".join((*_SONATA, *_TABLES, *_NWB))
        raise CampaignError(f"{path}: spike trains are read from {known}, got '{path.suffix}'")
    if keys.observed is None:
        raise CampaignError(f"{path} does not say from when to when it was recorded; give 'observed: 0 s to 60 s'")
    if suffix in _SONATA:
        return read_sonata_spikes(path, keys.observed).of(population)
    columns = SpikeColumns(keys.time, keys.unit, keys.populations)
    return read_spike_table(path, columns, keys.observed).of(population)
