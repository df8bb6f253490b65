"""What circuits of others have in common: they are described by names and sizes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.features.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ForeignCircuit:
    """Populations and parameters of a circuit that somebody else simulates.

    Args:
        populations: Number of cells of each population.
        parameters: Names of the parameters that a trial may set.

    Raises:
        ModelError: No populations, or one without cells.
    """

    def __init__(self, populations: Mapping[str, int], parameters: tuple[str, ...]) -> None:
        if not populations or min(populations.values()) < 1:
            raise ModelError(f"a circuit needs populations with at least one cell each, got {dict(populations)}")
        self._populations = dict(populations)
        self._parameters = tuple(parameters)

    @property
    def populations(self) -> Mapping[str, int]:
        """Number of cells of each population."""
        return self._populations

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters that a trial may set."""
        return self._parameters
