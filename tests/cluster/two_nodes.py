"""A cluster of two nodes that loses one at work and gets another: run as a script, since Ray starts once a process."""

from __future__ import annotations

import json
import os
import time

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster

from rheobase.campaigns.pool import Task
from rheobase.campaigns.ray_pool import RayPool, ray_cluster
from tests.campaigns.faults import Faulty

_TASKS = 30


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    extra = cluster.add_node(num_cpus=1)
    with ray_cluster(cluster.address, 2):
        pool = RayPool(Faulty, (), 2)
        outcomes: dict[int, object] = {}
        waiting = list(range(_TASKS))
        lost = added = False
        end = time.monotonic() + 150.0
        while len(outcomes) < _TASKS and time.monotonic() < end:
            while waiting and pool.free:
                number = waiting.pop(0)
                pool.submit(Task(number, "slow_square", (number, 0.2), 30.0))
            if len(outcomes) >= 8 and len(pool._running) == 2 and not lost:  # both are at work, one on each node
                cluster.remove_node(extra, allow_graceful=False)
                lost = True
            for outcome in pool.wait(0.5):
                assert outcome.key not in outcomes, "a task came back twice"
                outcomes[outcome.key] = outcome.value if outcome.failure is None else outcome.failure
            if len(outcomes) >= 14 and lost and not added:
                cluster.add_node(num_cpus=1)
                added = True
        pool.close()
        print(
            json.dumps(
                {
                    "right": sum(outcomes.get(number) == number**2 for number in range(_TASKS)),
                    "wrong": [str(value) for key, value in outcomes.items() if value != key**2],
                    "lost": lost,
                    "added": added,
                }
            )
        )
    cluster.shutdown()


if __name__ == "__main__":
    main()
