"""MATLAB files of version 7.3 made up for tests: HDF5 with MATLAB's attributes behind its header of 512 bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def write_matlab_73(path: Path, variables: dict[str, Any]) -> None:
    """Variables: arrays, numbers, texts, dicts (structs), lists of dicts (struct arrays), lists (cell arrays)."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            _write(file, file, name, value)
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file, made up".ljust(124, b" ") + b"\x00\x02IM"
    path.write_bytes(bytes(content))


def _write(file: Any, group: Any, name: str, value: Any) -> None:
    if isinstance(value, dict):
        struct = group.create_group(name)
        struct.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, item in value.items():
            _write(file, struct, field, item)
    elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
        struct = group.create_group(name)
        struct.attrs["MATLAB_class"] = np.bytes_("struct")
        for field in value[0]:
            struct.create_dataset(field, data=_references(file, [item[field] for item in value]), dtype=h5py.ref_dtype)
    elif isinstance(value, list):
        cells = group.create_dataset(name, data=_references(file, value), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    elif isinstance(value, str):
        text = group.create_dataset(name, data=np.array([[ord(letter)] for letter in value], dtype=np.uint16))
        text.attrs["MATLAB_class"] = np.bytes_("char")
    else:
        numbers = group.create_dataset(name, data=np.atleast_2d(np.asarray(value, dtype=np.float64)).T)
        numbers.attrs["MATLAB_class"] = np.bytes_("double")


def _references(file: Any, values: list[Any]) -> Any:
    hidden = file.require_group("#refs#")
    references = np.empty((1, len(values)), dtype=h5py.ref_dtype)
    for index, value in enumerate(values):
        name = f"r{len(hidden)}"
        _write(file, hidden, name, value)
        references[0, index] = hidden[name].ref
    return references
