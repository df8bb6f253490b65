"""What the runner needs of its workers, whatever they run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Task:
    """A call of a method of the object that every worker has built.

    Attributes:
        key: Comes back with the result.
        method: Name of the method.
        arguments: Its arguments.
        limit_s: CPU time after which the worker gives up on it (s).
    """

    key: int
    method: str
    arguments: tuple[object, ...]
    limit_s: float


@dataclass(frozen=True)
class Outcome:
    """What came of a task: a value, or the reason why there is none ("timeout: ...", "memory: ...", "crash: ...").

    Attributes:
        key: The task's key.
        value: What the method returned.
        failure: Why it returned nothing.
        cpu_seconds: CPU time that it took on the worker, as far as that was seen (s).
    """

    key: int
    value: Any
    failure: str | None
    cpu_seconds: float


class Pool(Protocol):
    """Workers that take tasks as they become free."""

    @property
    def free(self) -> int:
        """Number of workers without a task."""

    def submit(self, task: Task) -> None:
        """Give a task to a free worker."""

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Tasks that ended, at least one unless the time is over first."""

    def close(self) -> None:
        """End all workers."""
