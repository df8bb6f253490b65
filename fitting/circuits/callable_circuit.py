"""Any Python function as a circuit."""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rheobase.features.errors import ModelError, RheobaseError
from rheobase.fitting.circuits.foreign_circuit import ForeignCircuit
from rheobase.fitting.circuits.trial_checks import check_response, check_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rheobase.fitting.circuits.circuit import CircuitResponse, Trial


class CallableCircuit(ForeignCircuit):
    """A circuit that a Python function simulates.

    Args:
        function: Takes a trial and returns its response, which must depend on the trial alone. One that does not count
            its CPU time (0) gets what it used.
        populations: Number of cells of each population.
        parameters: Names of the parameters that a trial may set.

    Raises:
        ModelError: No populations, or one without cells.
    """

    def __init__(
        self,
        function: Callable[[Trial], CircuitResponse],
        populations: Mapping[str, int],
        parameters: tuple[str, ...],
    ) -> None:
        super().__init__(populations, parameters)
        self._function = function

    def simulate(self, trial: Trial) -> CircuitResponse:
        """Call the function.

        Raises:
            ModelError: An unknown parameter or population, a function that fails, or a response that does not answer
                the trial.
        """
        check_trial(trial, self._populations, self._parameters)
        name = getattr(self._function, "__qualname__", repr(self._function))
        began = time.process_time()
        try:
            response = self._function(trial)
        except RheobaseError:
            raise
        except Exception as error:
            raise ModelError(f"the function {name} failed: {type(error).__name__}: {error}") from error
        used_s = time.process_time() - began
        check_response(response, trial, self._populations, f"the function {name}")
        return response if response.cpu_seconds else replace(response, cpu_seconds=used_s)


def find_function(path: str) -> Callable[[Trial], CircuitResponse]:
    """A function by its path, "package.module:function".

    Raises:
        ModelError: No such module or function, or something else of that name.
    """
    module, separator, name = path.partition(":")
    if not separator or not module or not name:
        raise ModelError(f"expected the path of a function such as 'package.module:function', got '{path}'")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ModelError(
            f"the module '{module}' of '{path}' cannot be imported: {error}; is its folder on the PYTHONPATH?"
        ) from error
    except AttributeError:
        raise ModelError(f"the module '{module}' has no function '{name}'") from None
    if not callable(found):
        raise ModelError(f"'{path}' is not a function but {type(found).__name__}")
    return found  # type: ignore[no-any-return]
