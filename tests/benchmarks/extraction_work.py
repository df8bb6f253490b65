"""One extraction in a process of its own: by rheobase or by BluePyEfe, timed part by part.

    python tests/benchmarks/extraction_work.py SOFTWARE FOLDER [--processes N] [--detect] [--double]

SOFTWARE is rheobase or bluepyefe; FOLDER holds cells as ../shared/data/rat_l5_pyramidal does. Prints one JSON object,
which extraction.py reads. Started on its own because CPU time and peak memory are those of a process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATTERN = "{cell}/X_{protocol}_ch{channel}_{sweep}.ibw"
JUNCTION_POTENTIAL_mV = 14.0
SPIKE_THRESHOLD_mV = -20.0
INTERPOLATION_STEP_MS = 0.025  # BluePyEfe's default
RHEOBASE_PROTOCOLS = ("IDrest", "IDthresh")

# Onset and offset (ms) as the authors of the recordings state them.
WINDOWS_MS = {"IDrest": (700.0, 2700.0), "IDthresh": (700.0, 2700.0), "IV": (20.0, 1020.0), "APWaveform": (5.0, 55.0)}
# Level and tolerance (% of the rheobase): no sweep lies on the border of a group.
LEVELS_PERCENT = {
    "IDrest": ((100.0, 13.0), (150.0, 15.0), (200.0, 15.0), (250.0, 15.0), (300.0, 12.0)),
    "IDthresh": ((95.0, 6.0), (110.0, 6.6)),
    "IV": ((-100.0, 12.0), (-60.0, 15.0), (-20.0, 15.0)),
    "APWaveform": ((250.0, 40.0),),
}
FEATURES = {
    "IDrest": (
        "mean_frequency", "Spikecount", "time_to_first_spike", "inv_first_ISI", "ISI_CV", "adaptation_index2",
        "AP_amplitude", "AHP_depth", "voltage_base",
    ),
    "IDthresh": ("mean_frequency", "Spikecount", "time_to_first_spike", "AP_amplitude"),
    "IV": (
        "voltage_base", "voltage_deflection", "sag_ratio1", "ohmic_input_resistance_vb_ssse",
        "steady_state_voltage_stimend", "decay_time_constant_after_stim",
    ),
    "APWaveform": ("AP_amplitude", "AP1_amp", "AP2_amp", "AP_duration_half_width", "AHP_depth"),
}  # fmt: skip

Targets = dict[str, dict[str, tuple[float, float, int]]]


class Stopwatch:
    """CPU seconds that calls of functions take; none of them calls another."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Time a function of a module or class from now on, as one part of the whole."""
        function = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            start_s = time.process_time()
            try:
                return function(*given, **named)
            finally:
                self.seconds[part] += time.process_time() - start_s

        setattr(owner, name, timed)

    def watch_iterator(self, owner: Any, name: str, part: str) -> None:
        """Time what a function yields."""
        function = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Iterator[Any]:
            iterator = iter(function(*given, **named))
            ended = object()
            while True:
                start_s = time.process_time()
                item = next(iterator, ended)
                self.seconds[part] += time.process_time() - start_s
                if item is ended:
                    return
                yield item

        setattr(owner, name, timed)


def prepare_rheobase(folder: Path, processes: int, detect: bool) -> tuple[Callable[[], Targets], Stopwatch]:
    """Import everything; the work, and what times its parts when it is done in this process."""
    import efel  # noqa: F401
    import igor2.binarywave  # noqa: F401

    from rheobase.features import cell_measurement, folder_extraction, sweeps
    from rheobase.features.layout import RecordingFolder
    from rheobase.features.measurement import MeasurementSettings
    from rheobase.features.requests import ExtractionPlan, Level, ProtocolRequest, plain
    from rheobase.features.rheobase import RheobaseSettings
    from rheobase.features.statistics import StatisticsSettings
    from rheobase.features.units import factor

    factor("V", "mV")  # the first one reads pint's table of units
    plan = ExtractionPlan(
        protocols=tuple(
            ProtocolRequest(
                protocol,
                tuple(Level(level, tolerance) for level, tolerance in LEVELS_PERCENT[protocol]),
                plain(FEATURES[protocol]),
                window_ms=None if detect else WINDOWS_MS[protocol],
            )
            for protocol in FEATURES
        ),
        rheobase=RheobaseSettings(RHEOBASE_PROTOCOLS),
        intrinsic=(),
        statistics=StatisticsSettings(over="sweeps", smallest_std_fraction=0.0, smallest_std=()),
        settings=MeasurementSettings(SPIKE_THRESHOLD_mV, INTERPOLATION_STEP_MS, strict_stimulus_interval=True),
        junction_potential_mV=JUNCTION_POTENTIAL_mV,
    )
    layout = RecordingFolder(folder, PATTERN, JUNCTION_POTENTIAL_mV, tuple(FEATURES))
    stopwatch = Stopwatch()
    stopwatch.watch_iterator(folder_extraction, "read_cell", "reading")
    stopwatch.watch(cell_measurement, "observe", "detection")
    stopwatch.watch(sweeps, "measure", "features")

    def work() -> Targets:
        found = folder_extraction.extract_folder(layout, plan, processes)
        return {
            protocol.name: {target.label: (target.mean, target.std, target.sweeps or 0) for target in protocol.features}
            for protocol in found.targets.protocols
        }

    return work, stopwatch


def prepare_bluepyefe(folder: Path, scratch: Path, double: bool) -> tuple[Callable[[], Targets], Stopwatch]:
    """Import everything; the work, and what times its parts."""
    import logging

    from bluepyefe import cell, extract, recording
    from bluepyefe.ecode.step import Step
    from bluepyefe.reader import igor_reader

    logging.disable(logging.WARNING)
    files: dict[str, dict[str, list[dict[str, object]]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("*/X_*_ch0_*.ibw")):
        protocol = path.name.split("_")[1]
        if protocol in FEATURES:
            onset_ms, offset_ms = WINDOWS_MS[protocol]
            files[path.parent.name][protocol].append(
                {
                    "i_file": str(path),
                    "v_file": str(path.with_name(path.name.replace("_ch0_", "_ch1_"))),
                    "t_unit": "s",
                    "ton": onset_ms,
                    "toff": offset_ms,
                    "ljp": JUNCTION_POTENTIAL_mV,
                }
            )
    targets = [
        {"efeature": feature, "protocol": protocol, "amplitude": level, "tolerance": tolerance}
        for protocol, features in FEATURES.items()
        for level, tolerance in LEVELS_PERCENT[protocol]
        for feature in features
    ]
    reader = None
    if double:

        def reader(wanted: dict[str, object]) -> list[dict[str, Any]]:
            sweeps: list[dict[str, Any]] = igor_reader(wanted)
            for sweep in sweeps:
                sweep.update({name: sweep[name].astype(float) for name in ("voltage", "current")})
            return sweeps

    settings = {
        "strict_stiminterval": True,
        "Threshold": SPIKE_THRESHOLD_mV,
        "interp_step": INTERPOLATION_STEP_MS,
    }
    stopwatch = Stopwatch()
    stopwatch.watch(cell, "igor_reader", "reading")
    stopwatch.watch(Step, "interpret", "detection")
    stopwatch.watch(Step, "compute_spikecount", "detection")
    stopwatch.watch(recording.Recording, "compute_efeatures", "features")

    def work() -> Targets:
        found, *_ = extract.extract_efeatures(
            str(scratch),
            files,
            targets,
            protocols_rheobase=list(RHEOBASE_PROTOCOLS),
            recording_reader=reader,
            efel_settings=settings,
        )
        return {
            protocol.removesuffix(".0"): {
                entry["feature"]: (*map(float, entry["val"]), entry["n"]) for entry in places["soma"]
            }
            for protocol, places in found.items()
        }

    return work, stopwatch


def peak_MB() -> float:
    """Most memory that this process had resident; not what the one that started it had."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024.0 if sys.platform == "linux" else 1024.0**2)


def cpu_s() -> float:
    """CPU time of this process and of those it has started and awaited (s)."""
    found = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in found)


def main() -> None:
    """Prepare, work, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("software", choices=["rheobase", "bluepyefe"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--detect", action="store_true", help="rheobase finds the stimuli itself")
    parser.add_argument("--double", action="store_true", help="bluepyefe gets the samples in double precision")
    options = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "Agg")
    with tempfile.TemporaryDirectory() as scratch:
        if options.software == "rheobase":
            work, stopwatch = prepare_rheobase(options.folder, options.processes, options.detect)
        else:
            work, stopwatch = prepare_bluepyefe(options.folder, Path(scratch), options.double)
        start_cpu_s, start_s, start_MB = cpu_s(), time.perf_counter(), peak_MB()
        targets = work()
        found = {
            "start_cpu_s": start_cpu_s,
            "cpu_s": cpu_s() - start_cpu_s,
            "wall_s": time.perf_counter() - start_s,
            "start_MB": start_MB,
            "peak_MB": peak_MB(),
            **{f"{part}_cpu_s": stopwatch.seconds[part] for part in ("reading", "detection", "features")},
            "targets": targets,
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
