from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from rheobase.features.errors import ModelError, RecordingError
from rheobase.fitting.circuits.circuit import RateLimits, Trial
from rheobase.fitting.circuits.command_circuit import CommandCircuit, ExternalCommand
from rheobase.fitting.circuits.trial_files import read_response, write_trial
from tests.contracts.circuits import CircuitContract, same_spikes
from tests.fitting.circuits import poisson_circuit
from tests.fitting.circuits.poisson_circuit import PARAMETERS, SIZES

SCRIPT = Path(poisson_circuit.__file__)


def command(what: str, folder: Path | None = None, time_limit_s: float = 60.0) -> CommandCircuit:
    external = ExternalCommand((sys.executable, str(SCRIPT), what), time_limit_s, folder)
    return CommandCircuit(external, SIZES, PARAMETERS)


class TestCommandCircuit(CircuitContract):
    strong = "background:E"

    def build(self) -> CommandCircuit:
        return command("answer")


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_folders_of_trials_are_removed_when_all_went_well(tmp_path: Path) -> None:
    command("answer", tmp_path / "trials").simulate(Trial({}, 1, 100.0))
    assert list((tmp_path / "trials").iterdir()) == []


def test_a_command_that_fails_shows_the_end_of_its_errors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="exit code 3") as caught:
        command("fail", tmp_path).simulate(Trial({}, 1, 100.0))
    assert "segmentation of the third population failed" in str(caught.value)
    (folder,) = tmp_path.iterdir()
    assert str(folder) in str(caught.value)
    assert json.loads((folder / "trial.json").read_text())["seed"] == 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")
def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ModelError, match="took longer than 2 s") as caught:
        command("hang", tmp_path, time_limit_s=2.0).simulate(Trial({}, 1, 100.0))
    assert time.monotonic() - began < 20.0
    assert "waiting for a licence" in str(caught.value)
    child = int(next(tmp_path.glob("*/child.txt")).read_text())
    assert not is_running(child)
    assert child != os.getpid()


_SIMULATING = """
import sys
from pathlib import Path
from rheobase.fitting.circuits.circuit import Trial
from tests.fitting.circuits.test_command_circuit import command
command("hang", Path(sys.argv[1]), 600.0).simulate(Trial({}, 1, 100.0))
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")
def test_what_a_command_started_ends_with_the_one_that_waits_for_it(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    waiting = subprocess.Popen([sys.executable, "-c", _SIMULATING, str(tmp_path)], cwd=root)
    try:
        until = time.monotonic() + 60.0
        while not [path for path in tmp_path.glob("*/child.txt") if path.read_text()] and time.monotonic() < until:
            time.sleep(0.1)
        child = int(next(tmp_path.glob("*/child.txt")).read_text())
        assert is_running(child)
    finally:
        waiting.kill()
        waiting.wait()
    until = time.monotonic() + 10.0
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_running(child)


def test_a_command_that_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"ended without writing .*spikes\.h5"):
        command("nothing", tmp_path).simulate(Trial({}, 1, 100.0))


def test_a_command_may_stop_early_and_count_its_own_time() -> None:
    response = command("silent").simulate(Trial({}, 1, 300.0, 100.0, signals=True))
    assert (response.stopped, response.simulated_ms, response.cpu_seconds) == ("nobody fired", 50.0, 12.5)
    assert (response.spikes.start_ms, response.spikes.stop_ms) == (0.0, 50.0)
    assert response.spikes.counts.tolist() == [0] * 25
    assert response.dipole is None


def test_refuses_what_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no command 'no-such-simulator' that can be run"):
        ExternalCommand(("no-such-simulator",))
    with pytest.raises(ModelError, match="a command and a time limit"):
        ExternalCommand(())
    with pytest.raises(ModelError, match="time limit above 0 s"):
        ExternalCommand((sys.executable,), 0.0)
    broken = tmp_path / "broken"
    broken.write_text("no program")
    broken.chmod(0o755)
    with pytest.raises(ModelError, match="cannot be started"):
        CommandCircuit(ExternalCommand((str(broken),)), SIZES, PARAMETERS).simulate(Trial({}, 1, 100.0))
    with pytest.raises(ModelError, match="at least one cell"):
        CommandCircuit(ExternalCommand((sys.executable,)), {}, ())


def test_everything_that_a_command_needs_is_in_the_folder(tmp_path: Path) -> None:
    recorded = command("answer").simulate(Trial({}, 3, 200.0)).spikes
    trial = Trial(
        {"background:E": 0.5}, 7, 200.0, 50.0, ("E",), recorded={"I": recorded}, connected=False,
        limits=RateLimits({"E": 60.0}), signals=True, electrodes_um=(100.0,),
    )  # fmt: skip
    content = json.loads(write_trial(trial, SIZES, PARAMETERS, tmp_path).read_text())
    assert content["schema"] == "rheobase.trial/1"
    assert content["parameters"] == {"background:E": 0.5, "background:I": 1.0}
    assert (content["seed"], content["duration_ms"], content["dropped_ms"]) == (7, 200.0, 50.0)
    assert (content["populations"], content["simulated"], content["replayed"]) == (SIZES, ["E"], {})
    assert content["limits"]["largest_Hz"] == {"E": 60.0}
    assert (content["connected"], content["signals"], content["electrodes_um"]) == (False, True, [100.0])
    with h5py.File(tmp_path / content["recorded"]) as file:
        assert list(file["spikes"]) == ["I"]
        assert len(file["spikes/I/timestamps"]) == len(recorded.of("I").times_ms)
    with h5py.File(tmp_path / content["nodes"]) as file:
        assert file["nodes/E/node_id"][()].tolist() == list(range(20))
        assert list(file["nodes"]) == ["E"]


def written(tmp_path: Path, trial: Trial) -> Path:
    """A folder with a whole answer."""
    path = write_trial(trial, SIZES, PARAMETERS, tmp_path)
    poisson_circuit.main("answer", path)
    return tmp_path


def test_arrays_may_be_hdf5(tmp_path: Path) -> None:
    trial = Trial({}, 1, 200.0, 50.0, signals=True)
    folder = written(tmp_path, trial)
    numpy_dipole = read_response(trial, SIZES, folder)
    with np.load(folder / "arrays.npz") as arrays, h5py.File(folder / "arrays.h5", "w") as file:
        for name in arrays.files:
            file[name] = arrays[name]
    (folder / "arrays.npz").unlink()
    hdf5_dipole = read_response(trial, SIZES, folder)
    assert numpy_dipole.dipole is not None
    assert hdf5_dipole.dipole is not None
    assert np.array_equal(numpy_dipole.dipole.values, hdf5_dipole.dipole.values)
    assert same_spikes(numpy_dipole.spikes, hdf5_dipole.spikes)


def test_damaged_answers_are_named(tmp_path: Path) -> None:
    trial = Trial({}, 1, 200.0, signals=True)
    folder = written(tmp_path, trial)
    np.savez(folder / "arrays.npz", dipole=np.zeros((2, 200)), sampling_rate_Hz=1000.0)
    with pytest.raises(ModelError, match=r"need 'dipole' of the shape \(3, samples\), got the shape \(2, 200\)"):
        read_response(trial, SIZES, folder)
    np.savez(folder / "arrays.npz", dipole=np.zeros((3, 200)))
    with pytest.raises(ModelError, match="need 'sampling_rate_Hz'"):
        read_response(trial, SIZES, folder)
    (folder / "arrays.npz").write_bytes(b"no arrays")
    with pytest.raises(ModelError, match="cannot be read as arrays"):
        read_response(trial, SIZES, folder)
    (folder / "arrays.npz").unlink()
    with pytest.raises(ModelError, match=r"neither arrays\.npz nor arrays\.h5"):
        read_response(trial, SIZES, folder)
    for text, message in (
        ("[1]", "expected an object"),
        ('{"simulated_ms": 100}', "were to be simulated, it says 100 ms"),
        ('{"stopped": "late", "simulated_ms": 900}', "it says 900 ms"),
    ):
        (folder / "response.json").write_text(text)
        with pytest.raises(ModelError, match=message):
            read_response(trial, SIZES, folder)
    (folder / "response.json").unlink()
    with h5py.File(folder / "spikes.h5", "a") as file:
        file["spikes/E/node_ids"][0] = 20
    with pytest.raises(RecordingError, match="node 20 of 'E' has spikes"):
        read_response(trial, SIZES, folder)
