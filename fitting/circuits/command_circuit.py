"""An external command as a circuit: any simulator, with MPI, on Slurm, in any language.

Each trial has a folder of its own, in which the command is run with the path of `trial.json` as its last argument.
What it finds there and has to write there is described in fitting/circuits/trial_files.py.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.foreign_circuit import ForeignCircuit
from rheobase.fitting.circuits.trial_checks import check_response, check_trial
from rheobase.fitting.circuits.trial_files import read_response, write_trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.circuits.circuit import CircuitResponse, Trial

_LINES_SHOWN = 15
_SECONDS_TO_END = 5.0


@dataclass(frozen=True)
class ExternalCommand:
    """How a trial is simulated.

    Attributes:
        arguments: The command and its arguments, before the path of the trial; paths must be absolute, since it is run
            in the folder of its trial.
        time_limit_s: It is ended after this time, with all processes that it started (s).
        folder: Where the folders of trials are made; None for the system's folder for temporary files. Those of
            trials that failed are kept, the others removed.
    """

    arguments: tuple[str, ...]
    time_limit_s: float = 3600.0
    folder: Path | None = None

    def __post_init__(self) -> None:
        if not self.arguments or not self.time_limit_s > 0.0:
            raise ModelError(
                f"expected a command and a time limit above 0 s, got '{' '.join(self.arguments)}' and "
                f"{self.time_limit_s} s"
            )
        if shutil.which(self.arguments[0]) is None:
            raise ModelError(
                f"there is no command '{self.arguments[0]}' that can be run: give its absolute path, or put it on the "
                "PATH (and make it executable)"
            )


class CommandCircuit(ForeignCircuit):
    """A circuit that an external command simulates.

    Args:
        command: How.
        populations: Number of cells of each population.
        parameters: Names of the parameters that a trial may set.

    Raises:
        ModelError: No populations, or one without cells.
    """

    def __init__(self, command: ExternalCommand, populations: Mapping[str, int], parameters: tuple[str, ...]) -> None:
        super().__init__(populations, parameters)
        self._command = command

    def simulate(self, trial: Trial) -> CircuitResponse:
        """Run the command and read what it wrote.

        Raises:
            ModelError: An unknown parameter or population; a command that fails or takes too long, with the end of
                what it wrote to stderr; missing or wrong files.
        """
        check_trial(trial, self._populations, self._parameters)
        if self._command.folder is not None:
            self._command.folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="trial-", dir=self._command.folder))
        path = write_trial(trial, self._populations, self._parameters, folder)
        cpu_seconds = _run(self._command, path)
        response = read_response(trial, self._populations, folder)
        check_response(response, trial, self._populations, f"the command, in {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        return response if response.cpu_seconds else replace(response, cpu_seconds=cpu_seconds)


def _run(command: ExternalCommand, trial: Path) -> float:
    """Run the command to its end; CPU time of it and all it waited for (s)."""
    arguments = [*command.arguments, str(trial)]
    before = _cpu_seconds_of_children()
    with (trial.parent / "stdout.txt").open("wb") as output, (trial.parent / "stderr.txt").open("wb") as errors:
        try:
            # A session of its own: what it starts can be ended with it.
            process = subprocess.Popen(
                arguments,
                cwd=trial.parent,
                stdout=output,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise ModelError(f"the command '{' '.join(arguments)}' cannot be started: {error}") from error
        guard = _guard(process)
        try:
            process.wait(command.time_limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            raise ModelError(
                f"the command '{' '.join(arguments)}' took longer than {command.time_limit_s:g} s and was ended; raise "
                f"its time limit or find out what it waits for. {_end_of_errors(trial.parent)}"
            ) from None
        except BaseException:
            _end(process)
            raise
        finally:
            guard.kill()
            guard.communicate()
    if process.returncode != 0:
        raise ModelError(
            f"the command '{' '.join(arguments)}' failed with exit code {process.returncode}. "
            f"{_end_of_errors(trial.parent)}"
        )
    return _cpu_seconds_of_children() - before


def _guard(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """A process that ends the command, with all that it started, as soon as this one is gone, however that happens.

    It waits for a line that nobody writes; when this process ends, its input does.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", f"read line; kill -s KILL -- -{process.pid}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started: first kindly, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):  # nothing is left
            break
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _end_of_errors(folder: Path) -> str:
    lines = (folder / "stderr.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LINES_SHOWN:]
    said = "Its last lines on stderr:\n" + "\n".join(lines) if lines else "It wrote nothing to stderr"
    return f"{said}\nIts files are in {folder}"


def _cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
