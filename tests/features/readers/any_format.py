"""One made-up recording in every format that is read, for tests that hold for all of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import numpy as np
from scipy.io import savemat

from tests.features.readers.abf_files import set_epochs, write_abf
from tests.features.readers.acquisition_files import write_axograph, write_edr, write_spike2, write_wcp
from tests.features.readers.heka_files import Series, write_heka
from tests.features.readers.igor_waves import wave_bytes
from tests.features.readers.matlab_files import write_matlab_73
from tests.features.readers.nwb_files import write_nwb_1

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLES = 256
PATTERN = "{cell}_{protocol}_{sweep}_{channel}.*"


@dataclass(frozen=True)
class Signals:
    """Voltage (mV) and current (pA) of shape (sweeps, samples), and what the file says about them."""

    voltage: NDArray[np.float64]
    current: NDArray[np.float64]
    step_ms: float = 0.05
    voltage_unit: str = "mV"

    def channels(self) -> dict[str, NDArray[np.float64]]:
        return {self.voltage_unit: self.voltage, "pA": self.current}


def good_signals(sweeps: int = 2) -> Signals:
    step = np.where((np.arange(SAMPLES) > 80) & (np.arange(SAMPLES) < 180), 50.0, 0.0)
    current = step * np.arange(1, sweeps + 1)[:, None]
    return Signals(-70.0 + 0.1 * current + np.sin(np.arange(SAMPLES) / 9.0), current)


def _igor(version: int) -> Callable[[Path, Signals], None]:
    def write(folder: Path, signals: Signals) -> None:
        for channel, (unit, values) in enumerate(signals.channels().items()):
            content = wave_bytes(values.ravel().astype(np.float32), unit, signals.step_ms, "ms", version)
            (folder / f"C1_IV_1_{channel}.ibw").write_bytes(content)

    return write


def _abf(folder: Path, signals: Signals) -> None:
    write_abf(folder / "C1_IV_1_0.abf", signals.channels(), 1000.0 * signals.step_ms)


def _abf_epochs(folder: Path, signals: Signals) -> None:
    path = folder / "C1_IV_1_0.abf"
    write_abf(path, {signals.voltage_unit: signals.voltage}, 1000.0 * signals.step_ms, "pA")
    set_epochs(path, [(1, 0.0, 0.0, 77, 0), (1, 50.0, 50.0, 99, 0)], 0.0)


def _csv(folder: Path, signals: Signals) -> None:
    head = f"sweep,time (ms),voltage ({signals.voltage_unit}),current (pA)\n"
    rows = [
        f"{sweep},{sample * signals.step_ms:.9g},{voltage!r},{current!r}\n"
        for sweep in range(len(signals.voltage))
        for sample, (voltage, current) in enumerate(
            zip(signals.voltage[sweep].tolist(), signals.current[sweep].tolist(), strict=True)
        )
    ]
    (folder / "C1_IV_1_0.csv").write_text(head + "".join(rows))


def _matlab(version: str) -> Callable[[Path, Signals], None]:
    def write(folder: Path, signals: Signals) -> None:
        variables = {
            "voltage": signals.voltage.T,
            "voltage_unit": signals.voltage_unit,
            "current_pA": signals.current.T,
        }
        variables["time_step_ms"] = signals.step_ms
        if version == "7.3":
            write_matlab_73(folder / "C1_IV_1_0.mat", variables)
        else:
            savemat(folder / "C1_IV_1_0.mat", variables, format=version, do_compression=version == "5")

    return write


def _nwb(folder: Path, signals: Signals) -> None:
    """The groups that pynwb would write, without pynwb: it is slow, and refuses what is wrong."""
    with h5py.File(folder / "C1_IV_1_0.nwb", "w") as file:
        _object(file, "NWBFile", nwb_version="2.7.0")
        for name, value in {
            "session_description": "s",
            "identifier": "i",
            "session_start_time": "2020-01-01T00:00:00Z",
        }.items():
            file[name] = value
        file["timestamps_reference_time"] = "2020-01-01T00:00:00Z"
        file["file_create_date"] = np.array(["2020-01-01T00:00:00Z"], dtype=h5py.string_dtype())
        for group in ("acquisition", "analysis", "processing", "stimulus/presentation", "stimulus/templates"):
            file.create_group(group)
        device = _object(file.create_group("general/devices/amplifier"), "Device")
        electrode = _object(file.create_group("general/intracellular_ephys/electrode"), "IntracellularElectrode")
        electrode["description"] = "patch"
        electrode["device"] = h5py.SoftLink(device.name)
        for sweep in range(len(signals.voltage)):
            for place, kind, values, unit, stated in (
                ("acquisition/v", "CurrentClampSeries", 1e-3 * signals.voltage[sweep], "volts", signals.voltage_unit),
                (
                    "stimulus/presentation/i",
                    "CurrentClampStimulusSeries",
                    1e-12 * signals.current[sweep],
                    "amperes",
                    "pA",
                ),
            ):
                series = _object(file.create_group(f"{place}{sweep}"), kind, sweep_number=np.uint32(sweep))
                series.attrs.update(description="d", comments="c", stimulus_description="IV")
                data = series.create_dataset("data", data=values)
                data.attrs.update(
                    unit=unit if stated in ("mV", "pA") else stated, conversion=1.0, resolution=-1.0, offset=0.0
                )
                start = series.create_dataset("starting_time", data=0.0)
                start.attrs.update(rate=1000.0 / signals.step_ms, unit="seconds")
                series["gain"] = 1.0
                series["electrode"] = h5py.SoftLink(electrode.name)


def _object(group: h5py.Group, kind: str, **attributes: object) -> h5py.Group:
    digits = f"{zlib.crc32(group.name.encode()):012d}"
    group.attrs.update(
        namespace="core", neurodata_type=kind, object_id=f"00000000-0000-4000-8000-{digits}", **attributes
    )
    return group


def _nwb_1(folder: Path, signals: Signals) -> None:
    sweeps = [
        {"response": 1e-3 * voltage, "stimulus": 1e-12 * current, "experiment": (0, len(voltage)), "name": "IV"}
        for voltage, current in zip(signals.voltage, signals.current, strict=True)
    ]
    for sweep in sweeps:
        if signals.voltage_unit != "mV":
            sweep["response_unit"] = signals.voltage_unit
        sweep["rate"] = 1000.0 / signals.step_ms
    write_nwb_1(folder / "C1_IV_1_0.nwb", sweeps)


def _heka(folder: Path, signals: Signals) -> None:
    unit = {"mV": "V"}.get(signals.voltage_unit, signals.voltage_unit)
    traces = {unit: 1e-3 * signals.voltage, "A": 1e-12 * signals.current}
    write_heka(folder / "C1_IV_1_0.dat", {"E-1": [Series("IV", traces)]}, signals.step_ms)


def _acquisition(suffix: str, writer: Callable[..., None]) -> Callable[[Path, Signals], None]:
    return lambda folder, signals: writer(folder / f"C1_IV_1_0{suffix}", signals.channels(), signals.step_ms)


# How each format is written; those with samples of 16 bits have no NaN.
WRITERS: dict[str, Callable[[Path, Signals], None]] = {
    "igor 2": _igor(2),
    "igor 5": _igor(5),
    "abf": _abf,
    "abf epochs": _abf_epochs,
    "csv": _csv,
    "mat 4": _matlab("4"),
    "mat 5": _matlab("5"),
    "mat 7.3": _matlab("7.3"),
    "nwb": _nwb,
    "nwb 1": _nwb_1,
    "heka": _heka,
    "wcp": _acquisition(".wcp", write_wcp),
    "edr": _acquisition(".edr", write_edr),
    "axograph": _acquisition(".axgx", write_axograph),
    "spike2": _acquisition(".smr", write_spike2),
}
ONE_SWEEP = {"igor 2", "igor 5", "edr"}
WITH_NAN = {"igor 2", "igor 5", "csv", "mat 4", "mat 5", "mat 7.3", "nwb", "nwb 1", "heka", "axograph"}
