"""NWB files made up for tests: of version 2 with pynwb, of Allen's version 1 with h5py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pynwb import NWBHDF5IO, NWBFile
from pynwb.icephys import CurrentClampStimulusSeries

from rheobase.features.readers import read_sweeps

VOLTAGE = np.linspace(-0.07, -0.06, 50)
CURRENT = np.full(50, 1e-10)


class File:
    """An NWB file in the making."""

    def __init__(self):
        date = datetime(2020, 1, 1, tzinfo=UTC)
        self.content = NWBFile(session_description="test", identifier="test", session_start_time=date)
        self.device = self.content.create_device(name="amplifier")
        self.electrode = self.add_electrode("electrode")

    def add_electrode(self, name: str):
        return self.content.create_icephys_electrode(name=name, description="patch", device=self.device)

    def add(self, kind, name, values, **more):
        more = {"electrode": self.electrode, "rate": 1e4, "starting_time": 0.0, **more}
        if "timestamps" in more:
            more.pop("rate"), more.pop("starting_time")
        series = kind(name=name, data=np.asarray(values), **more)
        stimulus = kind is CurrentClampStimulusSeries
        (self.content.add_stimulus if stimulus else self.content.add_acquisition)(series)
        return series

    def read(self, path: Path):
        return list(read_sweeps(self.write(path)))

    def write(self, path: Path) -> Path:
        with NWBHDF5IO(str(path), mode="w") as io:
            io.write(self.content)
        return path


def write_nwb_1(path: Path, sweeps: list[dict[str, Any]], pipeline_version: str | None = "1.1") -> None:
    """Allen's file of sweeps: voltage and current as stored, the part that is the experiment, and the stimulus."""
    with h5py.File(path, "w") as file:
        file["nwb_version"] = "NWB-1.0.5"
        if pipeline_version is not None:
            file["general/generated_by"] = np.array([b"pipeline", b"mies", b"version", pipeline_version.encode()])
        for number, sweep in enumerate(sweeps):
            series = {
                "response": f"acquisition/timeseries/Sweep_{number}",
                "stimulus": f"stimulus/presentation/Sweep_{number}",
            }
            for side, place in series.items():
                group = file.create_group(place)
                data = group.create_dataset("data", data=np.asarray(sweep[side], dtype=np.float32))
                data.attrs["unit"] = np.bytes_(sweep.get(f"{side}_unit", "Volts" if side == "response" else "Amps"))
                data.attrs["conversion"] = sweep.get(f"{side}_conversion", 1.0)
                group.create_dataset("starting_time", data=0.0).attrs["rate"] = sweep.get("rate", 20000.0)
            if "name" in sweep:
                file[f"{series['stimulus']}/aibs_stimulus_name"] = np.bytes_(sweep["name"])
            parts = {f"Sweep_{number}": (0, len(sweep["response"]))}
            if "experiment" in sweep:
                parts[f"Experiment_{number}"] = sweep["experiment"]
            for epoch, (start, count) in parts.items():
                for side, place in series.items():
                    group = file.create_group(f"epochs/{epoch}/{side}")
                    group["idx_start"], group["count"] = start, count
                    group["timeseries"] = h5py.SoftLink(f"/{place}")
