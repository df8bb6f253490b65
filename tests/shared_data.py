"""Recordings and other data that lie beside the checkout, in ../shared/data, and are too large to be in it."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def shared(*parts: str) -> Path:
    """Path of a file or folder of ../shared/data; skips the test when it is not there."""
    path = _FOLDER.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs ../shared/data/{'/'.join(parts)}, which is not beside this checkout")
    return path
