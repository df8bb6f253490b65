"""The number of processes changes no bit of the response."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import hashlib, json, sys
sys.path[:0] = [{root!r}, {package!r}]
from neuron import h
h.nrnmpi_init()
from rheobase.fitting.circuits.circuit import RateLimits
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from tests.fitting.circuits.toy_circuit import blueprint, trial
context = h.ParallelContext()
asked = trial(signals=True, electrodes_um=(100.0, 300.0))
circuit = NeuronCircuit(blueprint())
response = circuit.simulate(asked)
limited = circuit.simulate(trial(limits=RateLimits({{"E": 1.0}}, after_ms=10.0, every_ms=30.0)))
arrays = (response.spikes.times_ms, response.spikes.unit_of_spike, response.dipole.values, response.potential.values)
found = [int(context.nhost()), len(response.spikes.times_ms), limited.stopped]
found += [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]
if context.id() == 0:
    open(sys.argv[1], "w").write(json.dumps(found))
context.barrier()
h.quit()
"""


def mpi_library() -> str | None:
    """An MPI library for NEURON, which looks for it under its development name alone."""
    if found := os.environ.get("MPI_LIB_NRN_PATH"):
        return found
    return find_library("mpi") or find_library("mpich")


def simulate(processes: int, folder: Path, library: str, launcher: str) -> list[object]:
    script, result = folder / "script.py", folder / f"result{processes}.json"
    script.write_text(SCRIPT.format(root=str(ROOT), package=str(ROOT / ".dev")))
    environment = {
        **os.environ, "MPI_LIB_NRN_PATH": library, "NEURON_MODULE_OPTIONS": "-nogui", "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }  # fmt: skip
    command = [launcher, "-n", str(processes), sys.executable, str(script), str(result)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(result.read_text())
    assert found[0] == processes
    return list(found[1:])


def test_one_and_two_processes(tmp_path: Path) -> None:
    library, launcher = mpi_library(), shutil.which("mpiexec")
    if library is None or launcher is None:
        pytest.skip("needs MPI (Debian, Ubuntu: apt install openmpi-bin)")
    alone, both = (simulate(processes, tmp_path, library, launcher) for processes in (1, 2))
    assert alone == both
    assert isinstance(alone[0], int)
    assert alone[0] > 20
    assert "more than the limit of 1 Hz" in str(alone[1])
