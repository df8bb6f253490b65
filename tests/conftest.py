"""What all rooms share: one Ray runtime for the whole session, started by the first test that asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def ray_runtime() -> Iterator[None]:
    """Ray on this machine with two CPUs, whatever that has; ended with the session."""
    from rheobase.campaigns.ray_pool import ray_cluster

    with ray_cluster("local", 2):
        yield
