"""Compiling mechanisms once per machine, and loading them once per process."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.mechanisms import Mechanism, content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

_CORENEURON_LIBRARY = "CORENEURONLIB"  # where NEURON looks for it
_loaded: dict[str, str] = {}  # mechanism name -> hash of its text; a library stays in its process for good

_outside: dict[str, str] = {}  # those that CoreNEURON has


def cache_folder() -> Path:
    """Where compiled mechanisms are kept: $RHEOBASE_CACHE, or the user's cache folder."""
    chosen = os.environ.get("RHEOBASE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rheobase"


def compile_mechanisms(mechanisms: Iterable[Mechanism], *, coreneuron: bool = False) -> Path:
    """Shared library of the mechanisms, from the cache or compiled into it.

    Args:
        mechanisms: In any order.
        coreneuron: Whether there is to be a library for CoreNEURON beside it.

    The key is the content of all files, NEURON's version and the kind of machine; processes that want the same
    library at once wait for the first of them.

    Raises:
        ModelError: no C++ compiler, or the compiler's complaint about a file.
    """
    chosen = tuple(sorted(mechanisms, key=lambda item: item.name))
    kind = (content_hash(chosen), version("neuron"), platform.machine(), sys.platform)
    key = hashlib.sha256("\0".join((*kind, "coreneuron") if coreneuron else kind).encode()).hexdigest()[:24]
    folder = cache_folder() / "mechanisms" / key
    library_record = folder / "library"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not library_record.is_file():  # written last, so a compilation that was killed starts afresh
            shutil.rmtree(folder, ignore_errors=True)
            library = _compile(chosen, folder, coreneuron)
            library_record.write_text(str(library.relative_to(folder)))
        return folder / library_record.read_text()


def _compile(mechanisms: tuple[Mechanism, ...], folder: Path, coreneuron: bool) -> Path:
    compilers = [(os.environ.get("CXX") or "c++").split()[0], "c++", "g++"]
    if not any(map(shutil.which, compilers)) or shutil.which("make") is None:
        raise ModelError(
            "compiling ion channels needs a C++ compiler and make, and there is none: install them "
            "(Debian, Ubuntu: apt install g++ make; Fedora: dnf install gcc-c++ make; macOS: xcode-select --install)"
        )
    sources = folder / "mod"
    sources.mkdir(parents=True)
    for mechanism in mechanisms:
        (sources / f"{mechanism.name}.mod").write_text(mechanism.text, encoding="utf-8")
    nrnivmodl = Path(sys.executable).parent / "nrnivmodl"
    command = str(nrnivmodl) if nrnivmodl.exists() else shutil.which("nrnivmodl")
    if command is None:
        raise ModelError("nrnivmodl, which comes with NEURON, is not on the PATH; reinstall the package neuron")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    words = [command, *(["-coreneuron"] if coreneuron else []), "mod"]
    run = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    libraries = sorted(folder.glob("*/libnrnmech.*")) + sorted(folder.glob("*/.libs/libnrnmech.*"))
    if run.returncode != 0 or not libraries or (coreneuron and not _twins(libraries[0])):
        complaint = "\n".join((run.stdout + run.stderr).strip().splitlines()[-12:])
        files = ", ".join(mechanism.source for mechanism in mechanisms)
        wanted = (
            " for CoreNEURON (without it: 'integrator: fixed', in a circuit 'coreneuron: false')" if coreneuron else ""
        )
        raise ModelError(f"nrnivmodl could not compile the mechanisms{wanted} ({files}):\n{complaint}")
    return libraries[0]


def load_mechanisms(mechanisms: Iterable[Mechanism]) -> None:
    """Make the mechanisms known to the NEURON of this process; what it has already is not loaded twice.

    Raises:
        ModelError: the process has another mechanism of the same name, which NEURON cannot exchange.
    """
    from neuron import h

    missing = []
    for mechanism in mechanisms:
        own_hash = content_hash((mechanism,))
        if _loaded.get(mechanism.name) == own_hash:
            continue
        if mechanism.name in _loaded or hasattr(h, mechanism.name):
            raise ModelError(
                f"this process has already loaded another mechanism named '{mechanism.name}' than {mechanism.source}; "
                "NEURON cannot exchange it: start a new process (and remove x86_64/ from the working folder, "
                "which NEURON loads by itself)"
            )
        missing.append(mechanism)
    if not missing:
        return
    library = compile_mechanisms(missing)
    h.nrn_load_dll(str(library))
    for mechanism in missing:
        _loaded[mechanism.name] = content_hash((mechanism,))


def load_for_coreneuron(mechanisms: Iterable[Mechanism]) -> None:
    """Make mechanisms known to the NEURON of this process and to its CoreNEURON, which has one library for all.

    Args:
        mechanisms: All that the process will need; loading the same again, or some of them, does nothing.

    Raises:
        ModelError: the process has loaded others before, or they do not compile for CoreNEURON.
    """
    from neuron import h

    mechanisms = tuple(mechanisms)
    wanted = {mechanism.name: content_hash((mechanism,)) for mechanism in mechanisms}
    if _outside and wanted.items() <= _outside.items():
        return
    before = sorted({*_loaded, *(name for name in wanted if hasattr(h, name))})
    if before:
        raise ModelError(
            "CoreNEURON takes the mechanisms of a process from one library, and this process has loaded "
            f"{', '.join(before)} before: start a new process (and remove x86_64/ from the working folder, which "
            "NEURON loads by itself)"
        )
    library = compile_mechanisms(mechanisms, coreneuron=True)
    os.environ[_CORENEURON_LIBRARY] = str(_twins(library)[0])
    h.nrn_load_dll(str(library))
    _loaded.update(wanted)
    _outside.update(wanted)


def _twins(library: Path) -> list[Path]:
    """CoreNEURON's library beside NEURON's."""
    return sorted(library.parent.glob("libcorenrnmech.*")) + sorted(library.parent.parent.glob("libcorenrnmech.*"))
