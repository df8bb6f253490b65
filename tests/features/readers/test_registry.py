from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from rheobase.features import readers
from rheobase.features.errors import RecordingError
from rheobase.features.readers import read_sweeps, reader_for
from rheobase.features.recording import Channel, RawSweep


class SpecialReader:
    suffixes = (".special", ".csv")

    def read(self, path: Path):
        if path.stat().st_size < 3:
            raise ValueError("too small")
        yield RawSweep((Channel(np.array([np.nan]), "mV", 0.1, "v"),))


def test_readers_load_no_library_before_they_read():
    libraries = {"igor2", "pyabf", "pynwb", "hdmf", "h5py", "pint", "scipy", "pandas", "neo", "myokit"}
    modules = "rheobase.features.readers, rheobase.features.layout, rheobase.features.nwb_writer"
    script = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert not libraries & set(loaded.split())


class NoReader:
    pass


@pytest.fixture
def install(monkeypatch):
    def install(name: str) -> None:
        found = [EntryPoint("special", f"{__name__}:{name}", readers.ENTRY_POINT_GROUP)]
        monkeypatch.setattr(readers, "entry_points", lambda group: found if group == readers.ENTRY_POINT_GROUP else [])
        readers._third_party.cache_clear()

    yield install
    readers._third_party.cache_clear()


def test_third_party_readers_join(install):
    install("SpecialReader")
    assert type(reader_for(Path("a.special"))).__name__ == "SpecialReader"
    assert ".special" in readers.known_suffixes()


def test_the_readers_of_rheobase_come_first(install):
    install("SpecialReader")
    assert type(reader_for(Path("a.csv"))).__name__ == "TableReader"


def test_third_party_readers_are_loaded_only_when_needed(install):
    install("NotThere")
    reader_for(Path("a.csv"))
    with pytest.raises(RecordingError, match=r"the reader 'special' .*cannot be loaded: .*NotThere.*uninstall"):
        reader_for(Path("a.special"))


def test_what_is_no_reader(install):
    install("NoReader")
    with pytest.raises(RecordingError, match=r"the reader 'special' .* lacks suffixes or read"):
        reader_for(Path("a.special"))


def test_samples_and_errors_of_third_party_readers_are_checked(install, tmp_path):
    install("SpecialReader")
    path = tmp_path / "a.special"
    path.write_bytes(b"12")
    with pytest.raises(RecordingError, match=r"a\.special cannot be read as a \.special file: too small"):
        list(read_sweeps(path))
    path.write_bytes(b"123")
    with pytest.raises(RecordingError, match=r"a\.special, channel 'v'.*1 samples are not numbers"):
        list(read_sweeps(path))


def test_an_unknown_suffix(install):
    install("SpecialReader")
    with pytest.raises(RecordingError, match=r"no reader for files ending in '\.xyz'; the known endings are \.abf, "):
        reader_for(Path("a.xyz"))
