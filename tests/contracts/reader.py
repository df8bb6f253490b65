"""Tests that every reader of recordings passes; a reader's own test class inherits from `ReaderContract`."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.features.errors import RecordingError
from rheobase.features.readers import Reader, cells_in, read_sweeps, reader_for
from rheobase.features.readers.signals import in_unit, quantity_of

if TYPE_CHECKING:
    from pathlib import Path


class ReaderContract:
    """A subclass gives `reader` and the fixture `recording_file`, a file of current clamp that it can read."""

    reader: Reader

    @pytest.fixture
    def recording_file(self, tmp_path: Path) -> Path:
        raise NotImplementedError

    def truncated(self, content: bytes, share: float) -> bytes:
        """The first part of a file, cut so that it shows."""
        return content[: int(len(content) * share)]

    def test_is_a_reader(self) -> None:
        assert isinstance(self.reader, Reader)
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in self.reader.suffixes)

    def test_is_found_by_the_suffix_in_any_case(self, recording_file: Path) -> None:
        assert isinstance(reader_for(recording_file), type(self.reader))
        assert isinstance(reader_for(recording_file.with_suffix(recording_file.suffix.upper())), type(self.reader))

    def test_signals_are_whole(self, recording_file: Path) -> None:
        sweeps = list(read_sweeps(recording_file))
        assert sweeps
        for channel in (channel for sweep in sweeps for channel in sweep.channels):
            assert channel.values.dtype == np.float64
            assert channel.values.ndim == 1
            assert len(channel.values) > 0
            assert np.isfinite(channel.values).all()
            assert 0.001 <= channel.time_step_ms <= 1.0

    def test_cells_are_those_of_the_sweeps(self, recording_file: Path) -> None:
        assert cells_in(recording_file) == {sweep.cell for sweep in read_sweeps(recording_file)}

    def test_units_are_carried(self, recording_file: Path) -> None:
        for channel in (channel for sweep in read_sweeps(recording_file) for channel in sweep.channels):
            if quantity_of(channel.unit) == "voltage":
                assert -200.0 < np.median(in_unit(channel.values, channel.unit, "mV")) < 100.0
            else:
                assert quantity_of(channel.unit) == "current"
                assert np.abs(in_unit(channel.values, channel.unit, "nA")).max() < 10.0

    def test_reads_the_same_twice(self, recording_file: Path) -> None:
        for first, second in zip(read_sweeps(recording_file), read_sweeps(recording_file), strict=True):
            assert (first.cell, first.protocol, first.sweep) == (second.cell, second.protocol, second.sweep)
            for one, other in zip(first.channels, second.channels, strict=True):
                np.testing.assert_array_equal(one.values, other.values)

    def test_missing_file(self, recording_file: Path) -> None:
        path = recording_file.with_stem("elsewhere")
        with pytest.raises(RecordingError, match=re.escape(f"{path}: there is no such file")):
            list(self.reader.read(path))

    def test_empty_file(self, recording_file: Path) -> None:
        recording_file.write_bytes(b"")
        with pytest.raises(RecordingError, match=f"{re.escape(str(recording_file))} cannot be read .*is empty"):
            list(self.reader.read(recording_file))

    @pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.7, 0.98])
    def test_truncated_file(self, recording_file: Path, share: float) -> None:
        recording_file.write_bytes(self.truncated(recording_file.read_bytes(), share))
        with pytest.raises(RecordingError, match=re.escape(str(recording_file))):
            list(self.reader.read(recording_file))

    @pytest.mark.parametrize("garbage", [b"\x00", b"\xff" * 4096, b"hello, world\n" * 100, bytes(range(256)) * 64])
    def test_garbage(self, recording_file: Path, garbage: bytes) -> None:
        recording_file.write_bytes(garbage)
        with pytest.raises(RecordingError, match=re.escape(str(recording_file))):
            list(self.reader.read(recording_file))

    @pytest.mark.parametrize("seed", range(12))
    def test_damaged_bytes_raise_nothing_but_recording_errors(self, recording_file: Path, seed: int) -> None:
        random = np.random.default_rng(seed)
        content = bytearray(recording_file.read_bytes())
        for position in random.integers(0, len(content), size=4):
            content[position] ^= 1 << int(random.integers(8))
        recording_file.write_bytes(bytes(content))
        with contextlib.suppress(RecordingError):
            assert list(self.reader.read(recording_file))
