"""A cell built once in NEURON, its parameters then set in place for every candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import load_for_coreneuron, load_mechanisms
from rheobase.fitting.cells.ephys import ephys_model, insertions
from rheobase.fitting.cells.mechanisms import ramp_clamp
from rheobase.fitting.cells.occupancy import is_inside, leave, occupy, vacate
from rheobase.fitting.cells.parameter_targets import ParameterTargets
from rheobase.fitting.cells.sites import find_segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.features.sites import RecordingSite
    from rheobase.fitting.cells.model import CellModel


class CellInstance:
    """The one cell in the NEURON of this process: building another, or a circuit, closes it.

    Args:
        model: What to build.
        coreneuron: Whether CoreNEURON is to compute it, which takes all mechanisms of the process from one library.

    Raises:
        ModelError: the morphology, a mechanism or a parameter that NEURON refuses.
    """

    def __init__(self, model: CellModel, *, coreneuron: bool = False) -> None:
        from bluepyopt import ephys

        vacate()
        if coreneuron:
            load_for_coreneuron((*model.mechanisms, ramp_clamp()))
        load_mechanisms(model.mechanisms)
        self.model = model
        self.simulator = ephys.simulators.NrnSimulator()
        self.h = self.simulator.neuron.h
        self._ephys = ephys_model(model)
        occupy(self)
        try:
            self._ephys.instantiate_morphology(sim=self.simulator)
            self.cell: Any = self._ephys.icell
            for mechanism in self._ephys.mechanisms:
                mechanism.instantiate(sim=self.simulator, icell=self.cell)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"NEURON cannot build the model '{model.name}': {error}") from error
        self.soma = self.cell.soma[0]
        self._check_section_lists()
        self._targets = ParameterTargets(self)

    def set_parameters(self, free_values: Mapping[str, float]) -> None:
        """Set every parameter: the frozen ones to their values, the free ones as given.

        All are set each time, so what an earlier candidate left cannot show through.

        Args:
            free_values: Value of each free parameter, by name.

        Raises:
            ModelError: a free parameter without a value, or a name that is not one; a cell that is closed.
        """
        if not is_inside(self):
            raise ModelError(
                f"the cell '{self.model.name}' is no longer in NEURON, which holds one cell per process here: "
                "it was closed, or another was built since; build it again, or use a process for each"
            )
        self._targets.set(free_values)

    def reference(self, variable: str, site: RecordingSite | None = None) -> Any:
        """Pointer to a variable at a place, for recording.

        Args:
            variable: As NEURON spells it: "v", "cai", "ica".
            site: The place; None: the middle of the soma.

        Raises:
            ModelError: there is no such place in the model, or no such variable there.
        """
        segment = self.soma(0.5) if site is None else find_segment(self, site)
        try:
            return getattr(segment, f"_ref_{variable}")
        except (AttributeError, NameError, LookupError, ValueError) as error:
            raise ModelError(
                f"{self.model.name}: there is no '{variable}' at '{site.name if site else 'soma'}' ({segment}); "
                "insert a mechanism that has it there, or leave out the features measured from it"
            ) from error

    def _check_section_lists(self) -> None:
        for name, place in insertions(self.model):
            if sum(1 for _ in getattr(self.cell, place)) == 0:
                raise ModelError(
                    f"'{name}' is to be inserted in the {place} sections, of which "
                    f"{self.model.morphology.name} has none"
                    + (" once the axon is replaced" if place == "myelinated" else "")
                )

    def close(self) -> None:
        """Remove the cell from NEURON; it cannot be used any more."""
        if not is_inside(self):
            return
        leave(self)
        cell = self._ephys.icell
        if cell is not None:
            for section in list(cell.all):
                self.h.delete_section(sec=section)
            self._ephys.destroy(sim=self.simulator)
