"""Made-up rows of a record."""

from __future__ import annotations

import numpy as np

from rheobase.campaigns.record import RecordedEvaluation

PARAMETERS = ("g_pas.all", "gNaTgbar_NaTg.somatic")
OBJECTIVES = ("threshold_current", "IDrest_200.soma.v.mean_frequency")


def row(number: int, total: float | None = None) -> RecordedEvaluation:
    """A row as a search without parallel workers would write it: odd ones fail in their second feature."""
    generator = np.random.default_rng([11, number])
    scores = generator.uniform(0, 5, 2) if total is None else np.array([total / 2, total / 2])
    failed = number % 2 == 1
    return RecordedEvaluation(
        search="search",
        number=number,
        asked=2 * number,
        told=2 * number + 1,
        parameters={"g_pas.all": float(generator.uniform(1e-5, 1e-4)), "gNaTgbar_NaTg.somatic": 0.1 + 1e-6 * number},
        features={"threshold_current": 0.1 * number} | ({} if failed else {OBJECTIVES[1]: 12.5}),
        scores=dict(zip(OBJECTIVES, map(float, scores), strict=True)),
        failure="threshold_current: no spike up to 5 nA" if failed else None,
        cpu_seconds=0.25,
        ended=1.7e9 + number,
    )
