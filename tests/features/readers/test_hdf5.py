from __future__ import annotations

import re

import h5py
import numpy as np
import pytest

from rheobase.features.readers.hdf5 import Probe, check_hdf5

PROGRAMS = {
    "crashes": ("sys.stdin.readline(); os.abort()", "HDF5 crashes on it, the file is damaged"),
    "hangs": ("time.sleep(60)", r"HDF5 has not returned from it for 0\.2.* s, the file is damaged"),
    "ends": ("", "HDF5 crashes on it"),
    "objects": ("[print('\"bad type\"', flush=True) for line in sys.stdin]", "bad type"),
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as content:
        content["text"] = "some text"
        content["numbers"] = np.arange(10)
        content["texts"] = np.array(["a", "b"], dtype=h5py.string_dtype())
        content["texts"].attrs["unit"] = "volts"
        content.create_group("group").attrs["empty"] = h5py.Empty("f")
    return path


def test_a_whole_file(file):
    check_hdf5(file)
    check_hdf5(file)


@pytest.mark.parametrize("where", ["attribute", "dataset"])
def test_types_that_a_damaged_text_turns_into(file, where):
    with h5py.File(file, "a") as content:
        if where == "attribute":
            value = np.empty(1, dtype=object)
            value[0] = np.array([1, 2])
            content["group"].attrs.create("x", value, dtype=h5py.vlen_dtype(int))
        else:
            content.create_dataset("group/x", shape=(), dtype=h5py.vlen_dtype(int))
    with pytest.raises(ValueError, match=r"the type of /group(, |/)x is damaged"):
        check_hdf5(file)


def test_no_hdf5(tmp_path):
    (tmp_path / "a.nwb").write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match="file signature not found"):
        check_hdf5(tmp_path / "a.nwb")


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_a_process_that_does_not_come_back(tmp_path, file, name):
    code, message = PROGRAMS[name]
    program = tmp_path / "program.py"
    program.write_text(f"import os, sys, time\nprint('ready', flush=True)\n{code}\n")
    probe = Probe(program, 0.2 if name == "hangs" else 20.0)
    try:
        for _ in range(2):  # it is started again
            assert re.match(message, probe.problem(file))
    finally:
        probe.stop()


@pytest.mark.parametrize("code", ["import nowhere", "import sys; sys.exit()"])
def test_a_program_that_cannot_run_keeps_nobody_from_reading(tmp_path, file, code):
    program = tmp_path / "program.py"
    program.write_text(code)
    assert Probe(program).problem(file) == ""


def test_a_process_that_cannot_be_started(file, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert Probe(file).problem(file) == ""
