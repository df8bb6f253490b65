"""Ion-channel mechanisms measured one at a time in NEURON, each time in a fresh process.

A test process calls two functions:

* `compiled_library` compiles the .mod files of a folder and loads nothing;
* `run_in_neuron` runs one function in a new process with NEURON and that library loaded. NEURON can load a
  mechanism only once per process and keeps global state (celsius, sections), so nothing else touches it.

The remaining functions call NEURON and are meant for the inside of that process. They can be handed to
`run_in_neuron` directly, or be called by a test's own module-level function that is:

    library = compiled_library(folder, only=("Ih",))
    states = run_in_neuron(library, steady_state, "Ih", ("m",), np.arange(-120.0, 61.0), 34.0)
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from filelock import FileLock
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Result = TypeVar("Result")

RESTING_CALCIUM_mM = 5e-5
# Large enough to hold the membrane potential to a few ulp against any channel over the steps taken here.
CLAMPING_CAPACITANCE_uF_per_cm2 = 1e12
# Relaxations are sampled after each of these, and the best conditioned sample gives the time constant.
RELAXATION_STEPS_ms = (0.003, 0.03, 0.3, 3.0, 30.0, 300.0, 3000.0)


class ClampRecording(NamedTuple):
    """A voltage-clamp sweep, sampled from the first instant of the test potential."""

    time_ms: FloatArray
    current_mA_per_cm2: FloatArray
    states: dict[str, FloatArray]


# ---------------------------------------------------------------------------- in the test process


def compiled_library(mod_folder: Path, only: Iterable[str] = ()) -> Path:
    """Compile the .mod files of a folder and return the shared library's path, loading nothing.

    The build lives in the system's temporary folder under a name made from the sources and NEURON's version,
    so that it is made once (also under xdist, by a lock) and made again whenever a source changes.

    Args:
        mod_folder: Folder holding the .mod files.
        only: File stems to compile, e.g. `("NaTg", "Ih")`; all files of the folder when empty.

    Raises:
        FileNotFoundError: A named file, or every file, is missing.
        RuntimeError: nrnivmodl failed; the message holds its output.
    """
    names = sorted(only) or sorted(path.stem for path in mod_folder.glob("*.mod"))
    sources = {name: (mod_folder / f"{name}.mod").read_bytes() for name in names}
    if not sources:
        raise FileNotFoundError(f"expected .mod files in {mod_folder}, found none")
    digest = hashlib.sha256(importlib.metadata.version("neuron").encode() + sys.version.encode())
    for name, source in sources.items():
        digest.update(name.encode() + b"\0" + source + b"\0")
    cache = Path(tempfile.gettempdir()) / f"rheobase-test-mechanisms-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    build = cache / digest.hexdigest()[:20]
    with FileLock(f"{build}.lock", timeout=600):
        if not (build / "complete").exists():
            shutil.rmtree(build, ignore_errors=True)
            (build / "mod").mkdir(parents=True)
            for name, source in sources.items():
                (build / "mod" / f"{name}.mod").write_bytes(source)
            _nrnivmodl(build)
            (build / "complete").touch()
    return _library_in(build)


def run_in_neuron(library: Path, script: Callable[..., Result], *args: object, timeout_s: float = 300.0) -> Result:
    """Run `script(*args)` in a fresh process in which NEURON has loaded `library`.

    Args:
        library: What `compiled_library` returned.
        script: A module-level function; it, its arguments and its result are pickled.
        args: Positional arguments of the script.
        timeout_s: Longest time to wait (s).

    Returns:
        What the script returned. What it raised is raised here.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_with_library, library, script, args).result(timeout=timeout_s)


def _with_library(library: Path, script: Callable[..., Result], args: tuple[object, ...]) -> Result:
    os.chdir(library.parent.parent / "mod")  # NEURON loads a library it finds in the working folder by itself
    os.environ.pop("NRN_NMODL_PATH", None)
    os.environ["NEURON_MODULE_OPTIONS"] = "-nogui"
    from neuron import h

    if not h.nrn_load_dll(str(library)):
        raise RuntimeError(f"NEURON could not load {library}")
    h.load_file("stdrun.hoc")
    return script(*args)


def _nrnivmodl(build: Path) -> None:
    beside_python = Path(sys.executable).parent / "nrnivmodl"
    command = str(beside_python) if beside_python.exists() else "nrnivmodl"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([command, "mod"], cwd=build, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"nrnivmodl failed in {build}:\n{done.stdout}\n{done.stderr}")


def _library_in(build: Path) -> Path:
    found = [*build.glob("*/libnrnmech.so"), *build.glob("*/libnrnmech.dylib")]
    if not found:
        raise RuntimeError(f"nrnivmodl left no libnrnmech in {build}")
    return found[0]


# ---------------------------------------------------------------------------- in the NEURON process


def compartment(
    suffixes: Sequence[str], parameters: Mapping[str, float] | None = None, name: str = "compartment"
) -> Any:
    """A cylinder of 10 um by 10 um with the mechanisms inserted; keep the returned Section alive.

    Args:
        suffixes: Mechanisms to insert.
        parameters: Range variables by full name, e.g. `{"gIhbar_Ih": 1e-4}`; unknown names raise.
        name: Name of the section.
    """
    from neuron import h

    section = h.Section(name=name)
    section.L = section.diam = 10.0
    section.nseg = 1
    for suffix in suffixes:
        section.insert(suffix)
    for variable, value in (parameters or {}).items():
        if not hasattr(section(0.5), variable):
            raise KeyError(f"{variable} is no range variable of {suffixes}")
        setattr(section(0.5), variable, value)
    return section


def steady_state(
    suffix: str,
    state_names: Sequence[str],
    voltages_mV: ArrayLike,
    celsius_degC: float,
    cai_mM: float = RESTING_CALCIUM_mM,
    parameters: Mapping[str, float] | None = None,
) -> dict[str, FloatArray]:
    """States (or any other range variable of the mechanism) right after finitialize at each voltage.

    Args:
        suffix: The mechanism.
        state_names: Names without the suffix, e.g. `("m", "h")`.
        voltages_mV: Membrane potentials (mV), shape (n,).
        celsius_degC: Temperature (degC).
        cai_mM: Internal calcium (mM).
        parameters: Range variables by full name, e.g. `{"vshiftm_NaTg": 5.0}`.

    Returns:
        For each name an array of shape (n,).
    """
    sections = _held_compartments(suffix, voltages_mV, celsius_degC, cai_mM, parameters)
    return {name: _read(sections, suffix, name) for name in state_names}


def calcium_steady_state(
    suffix: str,
    state_names: Sequence[str],
    cai_mM: ArrayLike,
    celsius_degC: float,
    voltage_mV: float = -65.0,
    parameters: Mapping[str, float] | None = None,
) -> dict[str, FloatArray]:
    """As `steady_state`, over internal calcium concentrations (mM) at one voltage (mV)."""
    values: dict[str, list[float]] = {name: [] for name in state_names}
    for concentration in np.asarray(cai_mM, dtype=float):
        one = steady_state(suffix, state_names, [voltage_mV], celsius_degC, float(concentration), parameters)
        for name in state_names:
            values[name].append(float(one[name][0]))
    return {name: np.array(series) for name, series in values.items()}


def time_constants(
    suffix: str,
    state_names: Sequence[str],
    voltages_mV: ArrayLike,
    celsius_degC: float,
    cai_mM: float = RESTING_CALCIUM_mM,
    parameters: Mapping[str, float] | None = None,
    perturbation: float = 0.1,
) -> dict[str, FloatArray]:
    """Time constants (ms) from one step of relaxation back to the steady state at held voltage.

    Exact to rounding (about 1e-11) for a first-order gate solved by cnexp, whose step is exponential. A gate
    solved otherwise, or coupled to others, has no single time constant and should not be measured this way.

    Args:
        suffix: The mechanism.
        state_names: Gates, e.g. `("m", "h")`; each is perturbed alone.
        voltages_mV: Membrane potentials (mV), shape (n,).
        celsius_degC: Temperature (degC).
        cai_mM: Internal calcium (mM).
        parameters: Range variables by full name.
        perturbation: Displacement from the steady state, towards 0.5.

    Returns:
        For each gate an array of shape (n,).
    """
    from neuron import h

    sections = _held_compartments(suffix, voltages_mV, celsius_degC, cai_mM, parameters)
    held_mV = np.array([section(0.5).v for section in sections])
    measured: dict[str, FloatArray] = {}
    for name in state_names:
        best = np.full(len(sections), np.nan)
        distance_from_unity = np.full(len(sections), np.inf)
        for step_ms in RELAXATION_STEPS_ms:
            for section, voltage in zip(sections, held_mV, strict=True):
                section.v = float(voltage)
            h.finitialize()
            rest = _read(sections, suffix, name)
            displaced = rest + np.where(rest < 0.5, perturbation, -perturbation)
            for section, value in zip(sections, displaced, strict=True):
                setattr(section(0.5), f"{name}_{suffix}", float(value))
            h.dt = step_ms
            h.fadvance()
            remaining = (_read(sections, suffix, name) - rest) / (displaced - rest)
            usable = (remaining > 1e-6) & (remaining < 1.0 - 1e-9)
            exponent = np.where(usable, -np.log(np.where(usable, remaining, 0.5)), np.inf)
            distance = np.where(usable, np.abs(np.log(np.where(usable, exponent, 1.0))), np.inf)
            better = distance < distance_from_unity
            best[better] = step_ms / exponent[better]
            distance_from_unity = np.minimum(distance, distance_from_unity)
        drift_mV = np.abs(np.array([section(0.5).v for section in sections]) - held_mV).max()
        if drift_mV > 1e-6:
            raise RuntimeError(f"{suffix}: the held voltage drifted by {drift_mV} mV")
        measured[name] = best
    return measured


def clamp(
    suffix: str,
    conductance_name: str,
    holding_mV: float,
    test_mV: float,
    duration_ms: float,
    celsius_degC: float,
    current_name: str,
    reversal_mV: Mapping[str, float] | None = None,
    state_names: Sequence[str] = (),
    parameters: Mapping[str, float] | None = None,
    cai_mM: float = RESTING_CALCIUM_mM,
    conductance_S_per_cm2: float = 1e-3,
    dt_ms: float = 0.005,
) -> ClampRecording:
    """A single-electrode voltage clamp of a single compartment, from a holding to a test potential at t = 0.

    The electrode's resistance (1 ohm) leaves an error of the order of 1e-6 mV.

    Args:
        suffix: The mechanism.
        conductance_name: Its maximal conductance, without the suffix, e.g. `"gNaTgbar"`.
        holding_mV: Potential at which the states start in steady state (mV).
        test_mV: Potential from t = 0 on (mV).
        duration_ms: Length of the sweep (ms).
        celsius_degC: Temperature (degC).
        current_name: Range variable recorded, by full name: `"ina"`, or `"ihcn_Ih"`.
        reversal_mV: Ion reversal potentials by range variable, e.g. `{"ena": 50.0}`, held through the sweep.
        state_names: States recorded, without the suffix.
        parameters: Other range variables by full name.
        cai_mM: Internal calcium (mM).
        conductance_S_per_cm2: Value given to the maximal conductance (S/cm2).
        dt_ms: Fixed step (ms).

    Returns:
        The sweep, n + 1 samples from t = 0 (the holding state, already at the test potential) to the end.
    """
    from neuron import h

    values = {f"{conductance_name}_{suffix}": conductance_S_per_cm2, **(parameters or {})}
    section = compartment([suffix], values)
    h.celsius = celsius_degC
    _set_calcium([section], cai_mM)
    electrode = h.SEClamp(section(0.5))
    electrode.rs = 1e-6
    electrode.dur1 = 1e9
    electrode.amp1 = test_mV
    h.dt = dt_ms
    h.finitialize(holding_mV)
    _set_reversals(section, reversal_mV)
    section.v = test_mV
    n_steps = round(duration_ms / dt_ms)
    current = np.empty(n_steps + 1)
    states = {name: np.empty(n_steps + 1) for name in state_names}
    for step in range(n_steps + 1):
        if step > 0:
            h.fadvance()
        h.fcurrent()  # a step leaves the currents of its beginning
        current[step] = getattr(section(0.5), current_name)
        for name, trace in states.items():
            trace[step] = getattr(section(0.5), f"{name}_{suffix}")
    return ClampRecording(dt_ms * np.arange(n_steps + 1, dtype=np.float64), current, states)


def _held_compartments(
    suffix: str,
    voltages_mV: ArrayLike,
    celsius_degC: float,
    cai_mM: float,
    parameters: Mapping[str, float] | None,
) -> list[Any]:
    """One compartment per voltage, initialised there and held by its capacitance."""
    from neuron import h

    h.celsius = celsius_degC
    sections = []
    for index, voltage in enumerate(np.asarray(voltages_mV, dtype=float)):
        section = compartment([suffix], parameters, name=f"held_{suffix}_{index}")
        section.cm = CLAMPING_CAPACITANCE_uF_per_cm2
        section.v = float(voltage)
        sections.append(section)
    _set_calcium(sections, cai_mM)
    h.finitialize()
    return sections


def _read(sections: Sequence[Any], suffix: str, name: str) -> FloatArray:
    return np.array([getattr(section(0.5), f"{name}_{suffix}") for section in sections])


def _set_calcium(sections: Sequence[Any], cai_mM: float) -> None:
    from neuron import h

    for section in sections:
        if hasattr(section(0.5), "cai"):
            h.cai0_ca_ion = cai_mM
            section.cai = cai_mM


def _set_reversals(section: Any, reversal_mV: Mapping[str, float] | None) -> None:
    for variable, value in (reversal_mV or {}).items():
        setattr(section(0.5), variable, value)
