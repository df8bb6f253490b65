"""A look at an HDF5 file before it is read: damaged types of text crash the library that reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def check_types(path: Path) -> None:
    """Raise ValueError when a file has sequences of variable length, which no NWB file has.

    A text of variable length whose type was damaged looks like one, and HDF5 (up to 2.0 at least) crashes on it.
    """
    import h5py

    with h5py.File(path, "r") as file:
        _check_attributes(file)
        file.visititems(lambda _, item: _check_item(item))


def _check_item(item: Any) -> None:
    import h5py

    _check_attributes(item)
    if isinstance(item, h5py.Dataset):
        _check_type(item.id.get_type(), item.name)


def _check_attributes(item: Any) -> None:
    import h5py

    for index in range(h5py.h5a.get_num_attrs(item.id)):
        attribute = h5py.h5a.open(item.id, index=index)
        _check_type(attribute.get_type(), f"{item.name}, {attribute.name.decode(errors='replace')}")


def _check_type(kind: Any, where: str) -> None:
    import h5py

    if isinstance(kind, h5py.h5t.TypeVlenID):
        raise ValueError(f"the type of {where} is damaged")
