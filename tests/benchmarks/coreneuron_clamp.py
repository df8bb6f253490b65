"""Cells run by CoreNEURON, for tests/benchmarks/integrators.py only: whole runs at a fixed step.

The settled state is made once by NEURON and handed over with every run, as CoreNEURON has no SaveState of its own.
What evaluations of ours need beside is lost: a run is not looked at, so that it cannot be ended at the first spike or by
a bound.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase.fitting.cells import compilation, simulation

if TYPE_CHECKING:
    from rheobase.fitting.cells.mechanisms import Mechanism


def use_coreneuron() -> None:
    """From here on cells of this process are compiled for, and run by, CoreNEURON."""
    compilation.compile_mechanisms = _compile  # type: ignore[assignment]
    simulation.SomaClamp._run = _run  # type: ignore[method-assign]


def _compile(mechanisms: Iterable[Mechanism]) -> Path:
    folder = Path(os.environ.get("RHEOBASE_CORENEURON") or tempfile.mkdtemp(prefix="rheobase-coreneuron-"))
    machine = next(iter(folder.glob("*/libcorenrnmech.so")), None)
    if machine is None:
        sources = folder / "mod"
        sources.mkdir(parents=True, exist_ok=True)
        for mechanism in mechanisms:
            (sources / f"{mechanism.name}.mod").write_text(mechanism.text, encoding="utf-8")
        scripts = Path(sys.executable).parent
        environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"}
        subprocess.run(
            [str(scripts / "nrnivmodl"), "-coreneuron", "mod"],
            cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        machine = next(iter(folder.glob("*/libcorenrnmech.so")))
    os.environ["CORENEURONLIB"] = str(machine)
    return machine.with_name("libnrnmech.so")


def _run(clamp: Any, duration_ms: float, watch: object = None) -> simulation.Trace:
    """In place of `SomaClamp._run`."""
    import numpy as np
    from neuron import coreneuron

    del watch
    h = clamp._h
    clamp._ectopic.clear()  # APCount is unknown to CoreNEURON
    begin = float(h.t)
    coreneuron.enable = True
    coreneuron.verbose = 0
    context = h.ParallelContext()
    context.set_maxstep(10)
    context.psolve(begin + duration_ms)
    coreneuron.enable = False
    time, voltage = np.array(clamp._time), np.array(clamp._voltage)
    if not np.isfinite(voltage).all():
        raise simulation.SimulationError("the membrane potential became NaN")
    sites = {name: np.array(vector) for name, vector in clamp._sites.items()}
    return simulation.Trace(time - begin, voltage, sites)
