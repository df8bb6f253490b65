"""What runs on each worker: a supervised simulator that gets one task after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.pool import Outcome
from rheobase.campaigns.supervisor import BuildError, SimulatorDefect, SimulatorLost, SupervisedSimulator
from rheobase.features.errors import RheobaseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.campaigns.pool import Task


class Worker:
    """One supervised simulator; becomes a Ray actor."""

    def __init__(self, factory: Callable[..., object], arguments: tuple[object, ...], memory_limit_GiB: float) -> None:
        self._build = (factory, arguments, memory_limit_GiB)
        self._simulator: SupervisedSimulator | None = None

    def build(self) -> str | None:
        """Build the simulator; the text of an error that a user can mend, or None."""
        try:
            self._simulator = SupervisedSimulator(*self._build)
        except RheobaseError as error:
            return str(error)
        except SimulatorDefect as error:
            return f"the simulator could not be built (a defect): {error}"
        return None

    def run(self, task: Task) -> Outcome:
        """Run one task to its end, whatever that is.

        Raises:
            BuildError: the simulator was lost earlier and cannot be built again.
        """
        value, failure = None, None
        assert self._simulator is not None
        try:
            value = self._simulator.call(task.method, task.arguments, task.limit_s)
        except BuildError:
            raise  # the fault of this worker, not of the task
        except (SimulatorLost, RheobaseError) as error:
            failure = str(error)
        except SimulatorDefect as error:
            failure = f"defect: {error}"
        return Outcome(task.key, value, failure, self._simulator.cpu_seconds)
