"""The record keeps every evaluation, whatever happens to the process or the disk."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.record import (
    ROWS_PER_FILE,
    EvaluationRecord,
    RecordedEvaluation,
    read_frame,
    read_frames,
)
from rheobase.features.errors import CampaignError
from tests.campaigns.processes import Running
from tests.campaigns.rows import OBJECTIVES, PARAMETERS, row

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def _open(folder: Path) -> EvaluationRecord:
    return EvaluationRecord(folder, PARAMETERS, OBJECTIVES)


def _abandon(record: EvaluationRecord) -> None:
    """What a crash does: nothing is flushed, nothing compacted."""
    os.close(os.dup(record._stream.fileno()))


def _filled(folder: Path, count: int, first: int = 0) -> EvaluationRecord:
    record = _open(folder)
    for number in range(first, first + count):
        record.append(row(number))
    return record


def _numbers(folder: Path) -> list[int]:
    record = _open(folder)
    return [entry.number for entry in record.rows()]


def test_rows_come_back_as_they_were_from_the_tail_and_from_parquet(tmp_path: Path) -> None:
    record = _filled(tmp_path, 3)
    record.compact()
    record.append(row(3))
    assert len(record) == 4
    assert list(record.rows()) == [row(number) for number in range(4)]
    _abandon(record)
    again = _open(tmp_path)
    assert len(again) == 4
    assert list(again.rows()) == [row(number) for number in range(4)]
    again.append(row(4))
    again.close()
    assert (tmp_path / "tail.jsonl").read_bytes() == b""
    assert list(_open(tmp_path).rows()) == [row(number) for number in range(5)]


def test_every_row_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    record = _open(tmp_path)
    for number in range(5):
        record.append(row(number))
        assert len((tmp_path / "tail.jsonl").read_bytes().splitlines()) == number + 1


def test_both_ways_of_reading_give_the_same_table(tmp_path: Path) -> None:
    record = _filled(tmp_path, 5)
    record.compact()
    for number in range(5, 8):
        record.append(row(number))
    table, seen = record.frame(), read_frame(tmp_path)
    assert seen is not None
    assert list(table["number"]) == list(seen["number"]) == list(range(8))
    for column in table.columns:
        for here, there in zip(table[column], seen[column], strict=True):
            assert here == there or ((here in (None,) or here != here) and (there is None or there != there)), column


def test_features_that_no_row_has_are_columns_all_the_same(tmp_path: Path) -> None:
    _open(tmp_path).append(row(1))  # failed before its second feature
    seen = read_frame(tmp_path)
    assert seen is not None
    assert seen[f"feature.{OBJECTIVES[1]}"].isna().all()


def test_a_line_torn_at_any_byte_costs_only_its_own_row(tmp_path: Path) -> None:
    tail = tmp_path / "tail.jsonl"
    _filled(tmp_path, 3)
    whole = tail.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for cut in range(1, last + 1):
        tail.write_bytes(whole[:-cut])
        seen = read_frame(tmp_path)
        assert seen is not None
        assert list(seen["number"]) == [0, 1], f"{cut} bytes missing"
        record = _open(tmp_path)
        assert list(record.rows()) == [row(0), row(1)], f"{cut} bytes missing"
        record.append(row(2))
        assert _numbers(tmp_path) == [0, 1, 2], f"{cut} bytes missing"


def test_crash_between_parquet_and_the_end_of_the_tail(tmp_path: Path) -> None:
    tail = tmp_path / "tail.jsonl"
    record = _filled(tmp_path, 4)
    copies = tail.read_bytes()
    record.compact()
    tail.write_bytes(copies)  # as if the process had ended before it emptied the tail
    seen = read_frame(tmp_path)
    assert seen is not None
    assert list(seen["number"]) == [0, 1, 2, 3]
    again = _open(tmp_path)
    assert len(again) == 4
    # The same once more, with new rows behind the copies: the second time the last file does not hold the first.
    again.append(row(4))
    content = tail.read_bytes()
    again.compact()
    tail.write_bytes(content)
    assert _numbers(tmp_path) == [0, 1, 2, 3, 4]
    assert len(_open(tmp_path)) == 5


def test_leftovers_of_an_interrupted_write_are_removed(tmp_path: Path) -> None:
    _filled(tmp_path, 2).close()
    (tmp_path / "writing-part-000001.parquet").write_bytes(b"PAR1 torn")
    assert _numbers(tmp_path) == [0, 1]
    assert not list(tmp_path.glob("writing-*"))


@pytest.mark.parametrize("damage", ["footer", "data"])
def test_damaged_parquet_is_named(tmp_path: Path, damage: str) -> None:
    _filled(tmp_path, 50).close()
    part = tmp_path / "part-000000.parquet"
    content = bytearray(part.read_bytes())
    if damage == "footer":
        content = content[: len(content) // 2]
    else:
        content[8:300] = bytes(292)
    part.write_bytes(content)
    with pytest.raises(CampaignError, match=r"part-000000\.parquet is damaged .*restore it from a backup"):
        _numbers(tmp_path)
    with pytest.raises(CampaignError, match=r"part-000000\.parquet is damaged"):
        read_frame(tmp_path)


def test_a_part_that_was_removed_is_not_written_over(tmp_path: Path) -> None:
    for first in (0, 2, 4):
        _filled(tmp_path, 2, first).close()
    (tmp_path / "part-000001.parquet").unlink()
    _filled(tmp_path, 2, 6).close()
    assert _numbers(tmp_path) == [0, 1, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "damaged", [b"\0\0\0\0", b'{"search": "search"}', b"[1, 2]", b"3", b'{"search":"search","number":1', b""]
)
def test_a_damaged_line_in_the_middle_is_named_and_its_remedy_helps(tmp_path: Path, damaged: bytes) -> None:
    tail = tmp_path / "tail.jsonl"
    _filled(tmp_path, 4)
    lines = tail.read_bytes().splitlines()
    lines[1] = damaged
    tail.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(CampaignError, match=r"tail\.jsonl, line 2 is damaged .*remove that line and those below it"):
        _open(tmp_path)
    with pytest.raises(CampaignError, match=r"tail\.jsonl, line 2 is damaged"):
        read_frame(tmp_path)
    tail.write_bytes(b"\n".join(lines[:1]) + b"\n")
    assert _numbers(tmp_path) == [0]


def test_a_record_of_other_objectives_is_refused(tmp_path: Path) -> None:
    _filled(tmp_path / "parquet", 2).close()
    _filled(tmp_path / "tail", 2)
    for folder in (tmp_path / "parquet", tmp_path / "tail"):
        with pytest.raises(CampaignError, match=r"with features that the campaign does not have now \(threshold_c"):
            EvaluationRecord(folder, PARAMETERS, [OBJECTIVES[1], "IV_-40.soma.v.sag_ratio1"])
        with pytest.raises(CampaignError, match=r"with parameters that the campaign does not have now \(gNaTgbar"):
            EvaluationRecord(folder, PARAMETERS[:1], OBJECTIVES)


@pytest.mark.parametrize("place", ["parameters", "features", "scores"])
def test_names_that_the_record_does_not_know_are_refused(tmp_path: Path, place: str) -> None:
    record = _filled(tmp_path, 1)
    with pytest.raises(ValueError, match=r"only parameters and objectives that the record knows, got sag_ratio1 too"):
        record.append(dataclasses.replace(row(1), **{place: {"sag_ratio1": 1.0}}))
    record.append(row(1))
    assert _numbers(tmp_path) == [0, 1]


def _stage_rows() -> list[RecordedEvaluation]:
    """What stages write: one that frees and scores a part, one at another fidelity, one that excludes."""
    early = dataclasses.replace(
        row(0), search="passive", parameters={PARAMETERS[0]: 1e-5}, features={}, scores={OBJECTIVES[0]: 1.5}
    )
    coarse = dataclasses.replace(row(1), fidelity="100 um")
    return [early, coarse, dataclasses.replace(row(2), scores={OBJECTIVES[1]: 9.0}, excluded=True), row(3)]


@pytest.mark.parametrize("compacted", [True, False])
def test_rows_of_stages_keep_what_they_have(tmp_path: Path, compacted: bool) -> None:
    record = _open(tmp_path)
    for entry in _stage_rows():
        record.append(entry)
    if compacted:
        record.compact()
    assert list(record.rows()) == _stage_rows()
    assert list(_open(tmp_path).rows()) == _stage_rows()
    assert [entry.number for entry in record.rows("search")] == [1, 2, 3]
    assert list(record.rows("none")) == []
    for table in (record.frame(), read_frame(tmp_path)):
        assert table is not None
        assert list(table["excluded"]) == [False, False, True, False]
        assert list(table["fidelity"]) == ["", "100 um", "", ""]
        assert list(table[f"parameter.{PARAMETERS[1]}"].isna()) == [True, False, False, False]
        assert list(table[f"score.{OBJECTIVES[0]}"].isna()) == [False, False, True, False]


def _as_written_before(folder: Path, first: int) -> None:
    """Take the later columns out of a record's files, as if an earlier version had written them."""
    import pyarrow.parquet

    part = folder / "part-000000.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(part).drop_columns(["excluded", "fidelity"]), part)
    lines = []
    for number in range(first, first + 2):
        content = vars(row(number)).copy()
        del content["excluded"], content["fidelity"]
        lines.append(json.dumps(content, separators=(",", ":")) + "\n")
    (folder / "tail.jsonl").write_text("".join(lines), encoding="utf-8")


def test_records_of_earlier_versions_are_read_and_go_on(tmp_path: Path) -> None:
    _filled(tmp_path, 3).close()
    _as_written_before(tmp_path, 3)
    seen = read_frame(tmp_path)
    assert seen is not None
    assert list(seen["number"]) == list(range(5))
    record = _open(tmp_path)
    record.append(dataclasses.replace(row(5), excluded=True, fidelity="coarse"))
    assert list(record.rows())[:5] == [row(number) for number in range(5)]
    record.close()
    seen = read_frame(tmp_path)
    assert seen is not None
    assert seen["excluded"].dtype == bool
    assert list(seen["excluded"]) == [False] * 5 + [True]
    assert list(seen["fidelity"]) == [""] * 5 + ["coarse"]


def test_the_table_has_the_columns_of_all_files(tmp_path: Path) -> None:
    """Targets were changed twice; what was measured at each time can be scored anew."""
    _filled(tmp_path, 2).close()
    more = [*OBJECTIVES, "IV_-40.soma.v.sag_ratio1"]
    record = EvaluationRecord(tmp_path, PARAMETERS, more)
    record.append(dataclasses.replace(row(2), features={more[2]: 0.9}, scores=dict.fromkeys(more, 1.0)))
    assert list(record.rows())[:2] == [row(0), row(1)]
    record.close()
    other = EvaluationRecord(tmp_path, PARAMETERS, [*more, "new"])
    other.append(dataclasses.replace(row(3), features={"new": 5.0}, scores={"new": 2.0}))
    table = read_frame(tmp_path)
    assert table is not None
    assert list(table["feature.threshold_current"][:2]) == [0.0, 0.1]
    assert table["feature.IV_-40.soma.v.sag_ratio1"].isna().tolist() == [True, True, False, True]
    assert table["feature.new"].isna().tolist() == [True, True, True, False]
    pieces = list(read_frames(tmp_path))
    assert [len(piece) for piece in pieces] == [2, 1, 1]
    assert [number for piece in pieces for number in piece["number"]] == [0, 1, 2, 3]


def test_opening_reads_no_data_of_earlier_files(tmp_path: Path) -> None:
    _filled(tmp_path, 50).close()
    _filled(tmp_path, 5, 50).close()
    part = tmp_path / "part-000000.parquet"
    content = bytearray(part.read_bytes())
    content[8:300] = bytes(292)
    part.write_bytes(content)
    record = _open(tmp_path)
    record.append(row(55))
    assert len(record) == 56
    with pytest.raises(CampaignError, match=r"part-000000\.parquet is damaged"):
        list(record.rows())


def test_thousands_of_rows_go_to_parquet_by_themselves(tmp_path: Path) -> None:
    count = 2 * ROWS_PER_FILE + 300
    record = _filled(tmp_path, count)
    assert len(list(tmp_path.glob("part-*.parquet"))) == 2
    assert len((tmp_path / "tail.jsonl").read_bytes().splitlines()) == 300
    assert len(record) == count
    assert [entry.number for entry in record.rows()] == list(range(count))
    _abandon(record)
    again = _open(tmp_path)
    assert list(again.rows())[1500] == row(1500)
    assert len(again) == count


def test_who_reads_the_tail_reads_it_to_its_end_though_it_moves_into_parquet(tmp_path: Path) -> None:
    record = _filled(tmp_path, 5)
    whole = (tmp_path / "tail.jsonl").read_bytes()
    with (tmp_path / "tail.jsonl").open("rb", buffering=0) as reader:
        begin = reader.read(100)
        record.compact()
        for number in range(5, 12):
            record.append(row(number))
        assert begin + reader.read() == whole
    assert _numbers(tmp_path) == list(range(12))


def test_readers_miss_nothing_while_another_writes(tmp_path: Path) -> None:
    record = _filled(tmp_path, 1)
    done = threading.Event()

    def write() -> None:
        for number in range(1, 1200):
            record.append(row(number))
            if number % 7 == 0:
                record.compact()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not done.is_set():
        before = len(record) - 1  # the row that is being counted may be on its way
        frame = read_frame(tmp_path)
        assert frame is not None
        assert frame["number"].is_unique
        assert len(frame) >= before, "rows vanished while they moved into Parquet"
        seen += 1
    writer.join()
    assert seen > 3
    frame = read_frame(tmp_path)
    assert frame is not None
    assert sorted(frame["number"]) == list(range(1200))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_a_number_is_refused_and_leaves_no_trace(tmp_path: Path, value: float) -> None:
    record = _filled(tmp_path, 1)
    bad = dataclasses.replace(row(1), features={OBJECTIVES[0]: value})
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.append(bad)
    record.append(row(1))
    assert _numbers(tmp_path) == [0, 1]


def test_an_empty_folder_has_no_table(tmp_path: Path) -> None:
    assert read_frame(tmp_path) is None
    assert read_frame(tmp_path / "none") is None
    assert len(_open(tmp_path / "new")) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def _fill_until_refused(record: EvaluationRecord) -> int:
    for number in range(len(record), 10_000):
        try:
            record.append(row(number))
        except CampaignError as error:
            assert "No space left on device" in str(error)  # noqa: PT017 - the number counts too
            assert "What was recorded before is safe: free some space and give the same command again" in str(error)  # noqa: PT017
            return number
    raise AssertionError("the disk never was full")


def test_a_full_disk_says_so_and_costs_nothing(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(20_000))
    folder = small_disk / "record"
    record = _open(folder)
    last = _fill_until_refused(record)
    assert (folder / "tail.jsonl").read_bytes().endswith(b"\n"), "half a line was left"
    record.close()  # there is no room for Parquet either
    seen = read_frame(folder)
    assert seen is not None
    assert list(seen["number"]) == list(range(last))
    assert _numbers(folder) == list(range(last)), "a full disk cannot be read"
    ballast.unlink()
    again = _open(folder)
    again.append(row(last))
    again.close()
    assert list(_open(folder).rows()) == [row(number) for number in range(last + 1)]


def test_the_same_record_goes_on_when_there_is_room_again(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(20_000))
    record = _open(small_disk / "record")
    last = _fill_until_refused(record)
    ballast.unlink()
    record.append(row(last))
    assert _numbers(small_disk / "record") == list(range(last + 1))


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from tests.campaigns.rows import OBJECTIVES, PARAMETERS, row
from rheobase.campaigns.record import EvaluationRecord
from rheobase.features.errors import CampaignError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
record = EvaluationRecord(Path(sys.argv[1]), PARAMETERS, OBJECTIVES)
try:
    for number in range(100):
        record.append(row(number))
except CampaignError as error:
    print(number, error, file=sys.stderr)
    record.close()
    sys.exit(2)
"""


def test_a_limit_of_file_size_is_a_full_disk(tmp_path: Path) -> None:
    writer = Running(tmp_path, cwd=ROOT, command=(sys.executable, "-c", _LIMITED))
    assert writer.wait() == 2, writer.error
    number, _, message = writer.error.partition(" ")
    assert "tail.jsonl cannot be written: File too large. What was recorded before is safe: free some space" in message
    assert 5 < int(number) < 20
    assert _numbers(tmp_path) == list(range(int(number)))


def test_lines_are_plain_json(tmp_path: Path) -> None:
    _filled(tmp_path, 1)
    content = json.loads((tmp_path / "tail.jsonl").read_text(encoding="utf-8"))
    assert content == dataclasses.asdict(row(0))
    assert RecordedEvaluation(**content) == row(0)
