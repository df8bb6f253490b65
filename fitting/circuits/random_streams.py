"""Random numbers that depend on what they are for, and never on which process asks for them or when."""

from __future__ import annotations

import hashlib

import numpy as np


def random_generator(seed: int, *key: int | str) -> np.random.Generator:
    """Numpy's generator for one purpose.

    Args:
        seed: Seed of the simulation (or of the circuit, for what belongs to it).
        key: What it is for, for example ("Poisson", "L4_E", gid, train).
    """
    return np.random.Generator(np.random.PCG64(_hashed((seed, *key), 16)))


def stream_number(seed: int, purpose: str) -> int:
    """First of the three numbers, of 32 bits each, that key a Random123 stream in NEURON."""
    return _hashed((seed, purpose), 4)


def _hashed(key: tuple[int | str, ...], size: int) -> int:
    # int() and str(): numpy's integers must hash as Python's do.
    plain = tuple(part if isinstance(part, str) else int(part) for part in key)
    return int.from_bytes(hashlib.blake2b(repr(plain).encode(), digest_size=size).digest(), "little")
