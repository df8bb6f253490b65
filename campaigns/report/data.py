"""What a report shows, gathered before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from rheobase.campaigns.report.stages import FidelityLine, StageLine
    from rheobase.features.targets import FeatureTargets
    from rheobase.fitting.ensembles.ensemble import Ensemble
    from rheobase.fitting.search.space import Dimension


@dataclass(frozen=True, eq=False)
class RecordedTrace:
    """A recorded sweep under one of the target protocols.

    Attributes:
        cell: The cell.
        sweep: The sweep.
        amplitude_nA: Step above holding (nA).
        time_ms: Time from the onset of the step (ms), shape (samples,).
        voltage_mV: Membrane potential (mV), shape (samples,).
    """

    cell: str
    sweep: str
    amplitude_nA: float
    time_ms: NDArray[np.float64]
    voltage_mV: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ModelTrace:
    """A simulated sweep of one ensemble member.

    Attributes:
        member: The member's place in the ensemble, 0 is the best.
        time_ms: Time from the onset of the step (ms), shape (samples,), not evenly spaced.
        voltage_mV: Membrane potential (mV), shape (samples,).
    """

    member: int
    time_ms: NDArray[np.float64]
    voltage_mV: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything in a report.

    Attributes:
        name: Name of the campaign.
        description: What the campaign says of itself; for surrogate recordings it says so.
        targets: Feature targets.
        dimensions: Free parameters with scale and the widest bounds that a stage had, units beside.
        units: Unit of each free parameter, by name.
        record: One row per evaluation in the order in which they ended: search, number, failure (None or text),
            excluded (its scores are lower bounds), fidelity, cpu_seconds, ended (seconds since 1970), columns
            `parameter.NAME`, `feature.OBJECTIVE`, `score.OBJECTIVE`.
        ensemble: The models chosen.
        recorded: Recorded sweeps by target protocol, for example "IDrest_150".
        simulated: Sweeps of the ensemble's members by target protocol.
        hidden: For surrogate recordings the true parameters of each virtual cell, by free parameter name.
        surrogates: Whether the recordings are surrogates.
        wall_seconds: Time the search ran (s).
        environment: Versions and machine, as rows of (what, value).
        stages: The stages of the search.
        fidelities: What coarser simulations did to the scores.
    """

    name: str
    description: str
    targets: FeatureTargets
    dimensions: tuple[Dimension, ...]
    units: dict[str, str]
    record: pd.DataFrame
    ensemble: Ensemble
    recorded: dict[str, list[RecordedTrace]]
    simulated: dict[str, list[ModelTrace]]
    hidden: dict[str, list[float]]
    surrogates: bool
    wall_seconds: float
    environment: tuple[tuple[str, str], ...]
    stages: tuple[StageLine, ...] = ()
    fidelities: tuple[FidelityLine, ...] = ()
