"""Run as a program: reads the texts and attributes of HDF5 files in the place of the process that needs them.

HDF5 crashes on some damaged texts and never returns from others, and neither can be caught. The first line of the
output says that it runs. Then each line of the input is a path (JSON), and each line of the output what is wrong
with the file ('' when nothing is).
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import h5py

_LARGEST = 100_000  # texts in a dataset; larger ones are notebooks that no reader looks at


def look_at(path: str) -> None:
    """Read all attributes, and all datasets that are not numbers.

    Raises:
        ValueError: A sequence of variable length, which no NWB file has and a damaged text turns into.
    """
    with h5py.File(path, "r") as file:
        _look_at(file)
        file.visititems(lambda _, item: _look_at(item))


def _look_at(item: Any) -> None:
    for index in range(h5py.h5a.get_num_attrs(item.id)):
        attribute = h5py.h5a.open(item.id, index=index)
        _check(attribute.get_type(), f"{item.name}, {attribute.name.decode(errors='replace')}")
        with contextlib.suppress(TypeError):  # a type that numpy does not have
            item.attrs[attribute.name]
    if isinstance(item, h5py.Dataset):
        _check(item.id.get_type(), item.name)
        with contextlib.suppress(TypeError):
            if item.dtype.kind not in "fiub" and item.size is not None and item.size <= _LARGEST:
                item[()]


def _check(kind: Any, where: str) -> None:
    if isinstance(kind, h5py.h5t.TypeVlenID):
        raise ValueError(f"the type of {where} is damaged")


def main() -> None:
    """Answer until the input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        answer = ""
        try:
            look_at(json.loads(line))
        except Exception as error:
            answer = str(error) or type(error).__name__
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
