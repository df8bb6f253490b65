"""MATLAB files (.mat, versions 4 to 7.3) with a voltage, a current and a sampling interval under plain names.

    voltage_mV    samples x sweeps, or a vector, or a cell array of vectors
    current_nA    the same, or a vector that belongs to every sweep
    time_step_ms  or sampling_Hz, or time_ms (a vector of times)
    cell, protocol, sweep   texts, where there are any; sweep also as a vector of numbers

The same names may be fields of structs or of a struct array, an element a sweep; what stands outside the struct
holds for all of them. Names in upper or lower case, other names and units as `_ROLES` has them; a unit follows the
name after '_' or is a text of its own, voltage_unit. A sampling rate without a unit is in Hz.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.matlab_files import describe, read_variables
from rheobase.features.readers.signals import reading, scale_to, uniform_step
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

# What a variable is called, and a unit of its kind.
_ROLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "voltage": ("mV", ("voltage", "v", "vm", "membrane_potential", "membrane_voltage", "potential", "response")),
    "current": ("nA", ("current", "i", "im", "injected_current", "stimulus", "stim", "command")),
    "time step": ("ms", ("time_step", "dt", "sampling_interval", "sample_interval")),
    "sampling rate": ("Hz", ("sampling", "sampling_rate", "sample_rate", "samplingrate", "samplerate", "fs", "rate")),
    "time": ("ms", ("time", "times", "t")),
    "protocol": ("", ("protocol", "protocol_name", "stimulus_name")),
    "sweep": ("", ("sweep", "sweep_name", "sweep_number")),
    "cell": ("", ("cell", "cell_name", "cell_id")),
}
_DEEPEST_STRUCT = 4


@dataclass(frozen=True, eq=False)
class _Variable:
    """A variable that has a role, and its unit ('': none)."""

    role: str
    name: str
    value: Any
    unit: str


class MatlabReader:
    """Reads MATLAB files through scipy and h5py."""

    suffixes: tuple[str, ...] = (".mat",)

    def cells(self, path: Path) -> set[str | None]:
        """The text `cell` outside of all structs; None when there is none."""
        with reading(path, "a MATLAB file"):
            return {_text(_roles(read_variables(path, texts_only=True), path).get("cell"))}

    def read(self, path: Path) -> Iterator[RawSweep]:
        """Sweeps by column, cell or struct element, numbered from 1 where they have no name.

        Raises:
            RecordingError: Damaged file, no variable that is known as a voltage, a unit that is missing,
                two variables of one kind, or shapes that do not fit.
        """
        with reading(path, "a MATLAB file"):
            variables = read_variables(path)
            cell = _text(_roles(variables, path).get("cell"))
            found = False
            for name, roles in _recordings(variables, {}, path):
                for sweep in _sweeps(name, roles, cell, path):
                    found = True
                    yield sweep
            if not found:
                names = ", ".join(_ROLES["voltage"][1])
                raise RecordingError(
                    f"{path}: no variable is known as a voltage ({names}, with its unit as in 'voltage_mV'); "
                    f"the variables are {describe(variables)}"
                )


def _recordings(
    variables: dict[str, Any], inherited: dict[str, _Variable], path: Path, name: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, _Variable]]]:
    """Variables that belong to one voltage, by role, and the name of the struct that they are in."""
    roles = {**inherited, **_roles(variables, path)}
    if "voltage" in roles:
        yield name, roles
    elif depth < _DEEPEST_STRUCT:
        for field, value in variables.items():
            structs = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
            for index, struct in enumerate(structs):
                if isinstance(struct, dict):
                    own_name = field if isinstance(value, dict) else str(index + 1)
                    yield from _recordings(struct, roles, path, own_name, depth + 1)


def _roles(variables: dict[str, Any], path: Path) -> dict[str, _Variable]:
    texts = {name.lower(): value for name, value in variables.items() if isinstance(value, str)}
    roles: dict[str, _Variable] = {}
    for name, value in variables.items():
        if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value)):
            continue
        for role, (canonical, names) in _ROLES.items():
            unit = _unit_in(name, names, canonical)
            if unit is None:
                continue
            if role in roles:
                raise RecordingError(f"{path}: both '{roles[role].name}' and '{name}' are a {role}; keep one of them")
            unit = unit or texts.get(f"{name.lower()}_unit") or texts.get(f"{name.lower()}_units") or ""
            roles[role] = _Variable(role, name, value, unit)
    return roles


def _unit_in(name: str, names: tuple[str, ...], canonical: str) -> str | None:
    """Unit at the end of a variable's name, '' for a known name without one, None for another name."""
    if name.lower() in names:
        return ""
    stem, _, unit = name.rpartition("_")
    known = stem.lower() in names and canonical and scale_to(unit, canonical) is not None
    return unit if known else None


def _text(variable: _Variable | None) -> str | None:
    return variable.value.strip() or None if variable is not None and isinstance(variable.value, str) else None


def _sweeps(name: str, roles: dict[str, _Variable], cell: str | None, path: Path) -> Iterator[RawSweep]:
    where = f"{path}, '{name}'" if name else str(path)
    times = _numbers(roles["time"], where) if "time" in roles else None
    voltages = _columns(roles["voltage"], times, where)
    currents = _columns(roles["current"], times, where) if "current" in roles else None
    if currents is not None and len(currents) not in (1, len(voltages)):
        raise RecordingError(f"{where}: {len(voltages)} sweeps of voltage, but {len(currents)} of current")
    step_ms = _time_step_ms(roles, times, where)
    names = _names_of(roles.get("sweep"), len(voltages), name, where)
    for index, voltage in enumerate(voltages):
        channels = [Channel(voltage, _unit(roles["voltage"], where), step_ms, roles["voltage"].name)]
        if currents is not None:
            current = currents[0 if len(currents) == 1 else index]
            channels.append(Channel(current, _unit(roles["current"], where), step_ms, roles["current"].name))
        yield RawSweep(tuple(channels), cell, _text(roles.get("protocol")), names[index])


def _names_of(sweep: _Variable | None, count: int, struct: str, where: str) -> list[str]:
    if sweep is None:
        return [struct] if count == 1 and struct else [str(number + 1) for number in range(count)]
    values = sweep.value if isinstance(sweep.value, list) else np.atleast_1d(np.asarray(sweep.value)).ravel().tolist()
    if len(values) != count:
        raise RecordingError(f"{where}: {count} sweeps, but {len(values)} names in '{sweep.name}'")
    return [value.strip() if isinstance(value, str) else f"{float(np.asarray(value)):g}" for value in values]


def _unit(variable: _Variable, where: str) -> str:
    canonical = _ROLES[variable.role][0]
    if not variable.unit and variable.role == "sampling rate":
        return canonical
    if not variable.unit:
        raise RecordingError(
            f"{where}: the {variable.role} '{variable.name}' has no unit; name it '{variable.name}_{canonical}', "
            f"or add a text '{variable.name}_unit'"
        )
    if scale_to(variable.unit, canonical) is None:
        raise RecordingError(f"{where}: expected a unit like {canonical} for '{variable.name}', got '{variable.unit}'")
    return variable.unit


def _numbers(variable: _Variable, where: str) -> NDArray[np.float64]:
    values = np.asarray(variable.value)
    if values.dtype.kind not in "fiu":
        raise RecordingError(f"{where}: expected numbers in '{variable.name}', got {describe({variable.name: values})}")
    return np.atleast_1d(values).astype(np.float64)


def _columns(variable: _Variable, times: NDArray[np.float64] | None, where: str) -> list[NDArray[np.float64]]:
    """Signals of the sweeps in an array of samples x sweeps, or in a cell array."""
    if isinstance(variable.value, list):
        return [_numbers(replace(variable, value=item), where) for item in variable.value]
    values = _numbers(variable, where)
    if values.ndim == 1:
        return [values]
    if values.ndim > 2:
        raise RecordingError(f"{where}: expected samples x sweeps in '{variable.name}', got {values.ndim} dimensions")
    samples = len(times) if times is not None and times.ndim == 1 else max(values.shape)
    if samples != len(values):
        rows, columns = values.shape
        raise RecordingError(
            f"{where}: expected samples x sweeps in '{variable.name}', got {rows} rows and {columns} columns; "
            f"transpose it ({variable.name} = {variable.name}')"
        )
    return [np.ascontiguousarray(column) for column in values.T]


def _time_step_ms(roles: dict[str, _Variable], times: NDArray[np.float64] | None, where: str) -> float:
    known = [role for role in ("time step", "sampling rate", "time") if role in roles]
    if not known:
        raise RecordingError(f"{where}: no sampling interval; add 'time_step_ms', 'sampling_Hz' or 'time_ms'")
    steps = {role: _step_of(roles[role], times, where) for role in known}
    first, step_ms = next(iter(steps.items()))
    for role, other_ms in steps.items():
        if abs(other_ms - step_ms) > 1e-3 * step_ms:
            raise RecordingError(
                f"{where}: '{roles[first].name}' says {step_ms:g} ms between samples, "
                f"'{roles[role].name}' {other_ms:g} ms"
            )
    return step_ms


def _step_of(variable: _Variable, times: NDArray[np.float64] | None, where: str) -> float:
    unit = _unit(variable, where)
    if variable.role == "time" and times is not None:
        try:
            step = uniform_step(times if times.ndim == 1 else times[:, 0])
        except ValueError as error:
            raise RecordingError(f"{where}, '{variable.name}': {error} (times in {unit})") from error
        return float(f"{step * (scale_to(unit, 'ms') or 0.0):.12g}")
    value = _numbers(variable, where)
    if value.size != 1 or not value.ravel()[0] > 0.0:
        raise RecordingError(f"{where}: expected a positive number in '{variable.name}', got {value.ravel()[:3]}")
    number = float(value.ravel()[0])
    if variable.role == "sampling rate":
        return float(f"{1000.0 / (number * (scale_to(unit, 'Hz') or 0.0)):.12g}")
    return float(f"{number * (scale_to(unit, 'ms') or 0.0):.12g}")
