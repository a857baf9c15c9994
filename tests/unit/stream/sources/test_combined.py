"""Several files as one source: partitions are read in turn, and each reports its end and gaps."""

from __future__ import annotations

import time
from pathlib import Path

from stream.events import Assign, Gap, RawBatch
from stream.sources.base import Reading
from stream.sources.jsonl.source import Jsonl


def opened(*paths: Path, follow: bool = False) -> Reading:
    """Open the files as one source and assign each of them."""
    reading = Jsonl(path=[str(path) for path in paths], follow=follow).open("combined")
    assigns = [
        Assign(claim=1, partition=discovered.partition, next=discovered.start, mark_ms=None)
        for discovered in reading.discover()
    ]
    assert reading.assign(assigns) == []
    return reading


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def test_each_path_is_a_partition_and_partitions_are_read_in_turn(tmp_path: Path) -> None:
    first = written(tmp_path / "a.jsonl", b"a1", b"a2", b"a3")
    second = written(tmp_path / "b.jsonl", b"b1", b"b2")
    reading = opened(first, second)
    batches = [result for _ in range(5) for result in reading.poll(0.0, 1)]
    read = [(Path(b.partition).name, b.values) for b in batches if isinstance(b, RawBatch)]
    assert [(name, value) for name, values in read for value in values] == [
        ("a.jsonl", b"a1"),
        ("b.jsonl", b"b1"),
        ("a.jsonl", b"a2"),
        ("b.jsonl", b"b2"),
        ("a.jsonl", b"a3"),
    ]


def test_the_source_is_finished_once_all_partitions_are(tmp_path: Path) -> None:
    reading = opened(written(tmp_path / "a.jsonl", b"a1"), written(tmp_path / "b.jsonl", b"b1"))
    while not reading.finished:
        results = reading.poll(0.0, 10)
    ends = {result.partition for result in results if isinstance(result, RawBatch)}
    assert ends == {str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")}


def test_a_gap_of_one_partition_ends_the_wait_and_the_others_continue(tmp_path: Path) -> None:
    first = written(tmp_path / "a.jsonl", b"a1")
    second = written(tmp_path / "b.jsonl", b"b1")
    reading = opened(first, second, follow=True)
    for _ in range(2):
        reading.poll(0.0, 10)
    first.unlink()
    began = time.monotonic()
    (gap,) = [result for result in reading.poll(5.0, 10) if isinstance(result, Gap)]
    assert time.monotonic() - began < 4.0
    assert gap.partition == str(first)
    written(second, b"b1", b"b2")
    values = [result.values for result in reading.poll(5.0, 10) if isinstance(result, RawBatch)]
    assert [b"b2"] in values


def test_without_records_a_poll_lasts_for_its_time_out(tmp_path: Path) -> None:
    reading = opened(written(tmp_path / "a.jsonl"), written(tmp_path / "b.jsonl"), follow=True)
    began = time.monotonic()
    reading.poll(0.3, 10)
    assert time.monotonic() - began > 0.2
    reading.close()
