"""A pool in the process itself: no Ray, and answers in whatever order a test wants."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from rheobase.campaigns.pool import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Callable


class InlinePool:
    """Workers that answer when they are waited for.

    Args:
        target: What tasks are sent to.
        workers: How many tasks are taken at once.
        seed: Of the order in which tasks end; None: the order in which they were submitted.
        fail: Says for a task why it fails, or None.
    """

    def __init__(
        self,
        target: object,
        workers: int = 1,
        seed: int | None = None,
        fail: Callable[[Task], str | None] = lambda _: None,
    ) -> None:
        self._target = target
        self._workers = workers
        self._random = None if seed is None else random.Random(seed)
        self._fail = fail
        self._tasks: list[Task] = []
        self.most_at_once = 0
        self.closed = False
        self.submitted: list[int] = []

    @property
    def free(self) -> int:
        return self._workers - len(self._tasks)

    def submit(self, task: Task) -> None:
        assert self.free > 0, "a task for a busy worker"
        self._tasks.append(task)
        self.submitted.append(task.key)
        self.most_at_once = max(self.most_at_once, len(self._tasks))

    def wait(self, timeout_s: float) -> list[Outcome]:
        """One or several of the tasks, in shuffled order; sometimes none, as when the time is over."""
        del timeout_s
        if not self._tasks:
            return []
        if self._random is None:
            return [self._run(self._tasks.pop(0))]
        self._random.shuffle(self._tasks)
        ending = self._random.randint(0, len(self._tasks))
        ended, self._tasks = self._tasks[:ending], self._tasks[ending:]
        return [self._run(task) for task in ended]

    def close(self) -> None:
        self.closed = True

    def _run(self, task: Task) -> Outcome:
        failure = self._fail(task)
        if failure is not None:
            return Outcome(task.key, None, failure, 1.5)
        return Outcome(task.key, getattr(self._target, task.method)(*task.arguments), None, 0.25)
