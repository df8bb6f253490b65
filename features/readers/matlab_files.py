"""Variables of MATLAB files: text as str, numbers as arrays, structs as dicts, cell and struct arrays as lists."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

# Versions up to 7 are MATLAB's own format, 7.3 is HDF5 behind a header of 512 bytes.
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEADER_BYTES = 512
_NAMES_OF_HDF5 = ("#refs#", "#subsystem#")


def read_variables(path: Path, texts_only: bool = False) -> dict[str, Any]:
    """Variables of a file by name; arrays keep MATLAB's order of dimensions, those of length 1 dropped.

    Args:
        path: File of version 4, 5, 7 or 7.3.
        texts_only: Leave out what is not text, which is then not read.
    """
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES + len(_HDF5_SIGNATURE))
    if start.startswith(_HDF5_SIGNATURE) or start[_HEADER_BYTES:] == _HDF5_SIGNATURE:
        return _read_hdf5(path, texts_only)
    return _read_own_format(path, texts_only)


def describe(variables: dict[str, Any]) -> str:
    """Names and shapes of variables, for messages."""
    return ", ".join(f"{name} ({_kind(value)})" for name, value in variables.items()) or "none"


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return f"struct with {', '.join(value) or 'no field'}"
    if isinstance(value, list):
        return f"{len(value)} x {_kind(value[0])}" if value else "empty"
    shape = np.shape(value)
    return "x".join(str(length) for length in shape) if shape else "a number"


def _read_own_format(path: Path, texts_only: bool) -> dict[str, Any]:
    from scipy.io import loadmat, whosmat

    names = [name for name, _, kind in whosmat(str(path)) if not texts_only or kind == "char"]
    if not names:
        return {}
    content = loadmat(str(path), variable_names=names, simplify_cells=True, verify_compressed_data_integrity=True)
    return {name: _plain(content[name]) for name in names if name in content}


def _plain(value: Any) -> Any:
    """What scipy reads, with lists for cell and struct arrays and str for text."""
    if isinstance(value, dict):
        return {name: _plain(field) for name, field in value.items()}
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object):
        return [_plain(item) for item in np.asarray(value, dtype=object).ravel(order="F")]
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return str(value) if value.ndim == 0 else [str(item) for item in value.ravel()]
    return value


def _read_hdf5(path: Path, texts_only: bool) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        names = [name for name in file if name not in _NAMES_OF_HDF5]
        if texts_only:
            names = [name for name in names if _class_of(file[name]) == "char"]
        return {name: _from_hdf5(file[name], file) for name in names}


def _class_of(item: Any) -> str:
    kind = item.attrs.get("MATLAB_class", b"")
    return kind.decode() if isinstance(kind, bytes) else str(kind)


def _from_hdf5(item: Any, file: Any) -> Any:
    import h5py

    if isinstance(item, h5py.Group):
        fields = {name: item[name] for name in item}
        # The fields of a struct array are references to its elements' values, without a class of their own.
        if fields and all(_holds_references(field) and not _class_of(field) for field in fields.values()):
            columns = {name: _elements(field, file) for name, field in fields.items()}
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return {name: _from_hdf5(field, file) for name, field in fields.items()}
    if "MATLAB_empty" in item.attrs:
        return "" if _class_of(item) == "char" else np.zeros(0)
    if _class_of(item) == "char":
        return "".join(chr(code) for code in np.asarray(item[()]).ravel(order="F" if item.shape[0] == 1 else "C"))
    if _holds_references(item):
        return _elements(item, file)
    values = np.asarray(item[()]).T
    return values.reshape([length for length in values.shape if length != 1]) if math.prod(values.shape) else values


def _holds_references(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset) and h5py.check_ref_dtype(item.dtype) is not None


def _elements(item: Any, file: Any) -> list[Any]:
    return [_from_hdf5(file[reference], file) for reference in np.asarray(item[()]).ravel()]
