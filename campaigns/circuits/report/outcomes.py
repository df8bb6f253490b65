"""Every target held against the runs with unseen seeds: what the verdict, the tables and the figures go by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.campaigns.report.drawing import number, spread
from rheobase.objectives.noise import Repeated, over_seeds
from rheobase.objectives.objective import Judged

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.report.data import CircuitReportData, UnitaryPotential

_IN_WORDS = {
    "rate": "rate",
    "aperiodic_exponent": "aperiodic exponent",
    "alpha_peak": "alpha peak",
    "alpha_peak_height": "height of an alpha peak",
    "spectral_shape": "distance from the spectrum's shape",
    "rate_distribution": "distance from the distribution of rates",
    "cv_isi": "CV of interspike intervals",
    "fraction_silent": "fraction of silent cells",
    **{band: f"relative {band} power" for band in ("delta", "theta", "alpha", "beta", "gamma")},
}


@dataclass(frozen=True)
class Outcome:
    """A target, and what came of it.

    Attributes:
        what: The target, for example "rate of L4_E".
        met: Whether it is met.
        value: What the model does, with its unit.
        wanted: What it should do, with its unit.
        seeds: From the smallest to the largest value of a single seed; "–" where there are none.
        deviation: |value - target| / tolerance; infinite for a value that is not there.
    """

    what: str
    met: bool
    value: str
    wanted: str
    seeds: str
    deviation: float


def rate_outcomes(data: CircuitReportData) -> dict[str, Repeated]:
    """Mean rate over seeds of each population with a target, in the order of the populations."""
    known = [entry.name for entry in data.populations if entry.name in data.rates]
    return {name: _rate(data, name) for name in [*known, *(name for name in data.rates if name not in known)]}


def _rate(data: CircuitReportData, population: str) -> Repeated:
    target = data.rates[population]
    values = [run.rates_Hz.get(population) for run in data.runs] or [None]
    return over_seeds(
        [[Judged("rate", value, target.mean_Hz, target.tolerance_Hz, "Hz", population)] for value in values]
    )[0]


def unitary_met(entry: UnitaryPotential) -> bool | None:
    """Whether a unitary potential is within its factor of the measured one; None where it is no target."""
    if entry.measured_mV is None or entry.factor is None:
        return None
    if entry.model_mV is None or not math.isfinite(entry.model_mV) or entry.model_mV == 0.0:
        return False
    return abs(math.log(abs(entry.model_mV / entry.measured_mV))) <= math.log(entry.factor)


def outcomes(data: CircuitReportData) -> tuple[Outcome, ...]:
    """All targets: rates, then the others, then unitary potentials."""
    repeated = [*rate_outcomes(data).values(), *data.others]
    unitary = [(entry, unitary_met(entry)) for entry in data.unitary]
    return (*map(outcome, repeated), *(_unitary(entry, met) for entry, met in unitary if met is not None))


def outcome(repeated: Repeated) -> Outcome:
    """One target that is judged over seeds, in words."""
    judged = repeated.judged
    there = judged.value is not None and math.isfinite(judged.value)
    what = _IN_WORDS.get(judged.name, judged.name.replace("_", " ").replace(".", " "))
    return Outcome(
        what=what if judged.population is None else f"{what} of {judged.population}",
        met=judged.met,
        value=f"{number(judged.value)} {judged.unit}".strip()
        if there
        else "not measured"
        if _unknown(repeated)
        else "none",
        wanted=_wanted(judged),
        seeds=spread([value for value in repeated.per_seed if value is not None]),
        deviation=abs(judged.deviation) if there else math.inf,
    )


def _unknown(repeated: Repeated) -> bool:
    """A peak that is not there is a result; anything else without a value was not measured."""
    return repeated.judged.name != "alpha_peak" or not repeated.per_seed


def _wanted(judged: Judged) -> str:
    if judged.target == 0.0:
        return f"at most {number(judged.tolerance)} {judged.unit}".strip()
    return f"{number(judged.target)} ± {number(judged.tolerance, 2)} {judged.unit}".strip()


def _unitary(entry: UnitaryPotential, met: bool) -> Outcome:
    measured, factor, model = entry.measured_mV or math.nan, entry.factor or math.nan, entry.model_mV
    there = model is not None and math.isfinite(model) and model != 0.0
    ratio = abs(math.log(abs(model / measured))) / math.log(factor) if model is not None and there else math.inf
    return Outcome(
        what=f"unitary potential of {entry.source} onto {entry.target}",
        met=met,
        value=f"{number(model)} mV" if there else "not measured",
        wanted=f"{number(measured)} mV within a factor of {number(factor)}",
        seeds="–",
        deviation=ratio,
    )
