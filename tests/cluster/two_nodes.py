"""A cluster that loses one node at work, then the other, and gets a new one: a script, as Ray starts once a process."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster

from rheobase.campaigns import absence
from rheobase.campaigns.pool import Task
from rheobase.campaigns.ray_pool import RayPool, ray_cluster
from tests.campaigns.faults import Faulty

if TYPE_CHECKING:
    from collections.abc import Iterator

_TASKS = 30


def story(cluster: Cluster, pool: RayPool, said: list[str], done: dict[int, object]) -> Iterator[str]:
    """What happens to the cluster: goes on to the next event each time that it is asked."""
    first, second = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    while len(done) < 8 or len(pool._running) < 2:  # both at work, one on each node
        yield "begun"
    cluster.remove_node(first, allow_graceful=False)
    while len(done) < 14:
        yield "one lost"
    cluster.remove_node(second, allow_graceful=False)
    while not said:
        yield "all lost"
    cluster.add_node(num_cpus=1)
    while True:
        yield "one added"


def main() -> None:
    absence.FIRST_AFTER_S = 3.0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    with ray_cluster(cluster.address, 2):
        said: list[str] = []
        done: dict[int, object] = {}
        pool = RayPool(Faulty, (), 2, say=said.append)
        events = story(cluster, pool, said, done)
        state = ""
        waiting = list(range(_TASKS))
        end = time.monotonic() + 150.0
        while len(done) < _TASKS and time.monotonic() < end:
            while waiting and pool.free:
                number = waiting.pop(0)
                pool.submit(Task(number, "slow_square", (number, 0.2), 30.0))
            state = next(events)
            for outcome in pool.wait(0.5):
                assert outcome.key not in done, "a task came back twice"
                done[outcome.key] = outcome.value if outcome.failure is None else outcome.failure
        pool.close()
        right = sum(done.get(number) == number**2 for number in range(_TASKS))
        wrong = [str(value) for key, value in done.items() if value != key**2]
        print(json.dumps({"right": right, "wrong": wrong, "state": state, "said": said}))
    cluster.shutdown()


if __name__ == "__main__":
    main()
