"""Writing files so that a crash or a full disk costs nothing that was there before."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full or failing disk into one clear message.

    Raises:
        CampaignError: instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        remedy = "free some space" if error.errno in _FULL else "mend that"
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CampaignError(
            f"{path} cannot be written: {reason}. What was recorded before is safe: "
            f"{remedy} and give the same command again"
        ) from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to instead; it takes the place of `path` when the block ends, whole or not at all.

    Raises:
        CampaignError: the disk is full or refuses.
    """
    aside = path.with_name(f"writing-{path.name}")  # libraries tell the format by the suffix
    try:
        with writing(path):
            yield aside
            with aside.open("rb") as written:
                os.fsync(written.fileno())
            aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a crash leaves the old one or the new one, nothing between.

    Raises:
        CampaignError: the disk is full or refuses.
    """
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")
