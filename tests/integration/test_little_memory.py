"""Readers run out of memory at one line, really: it ends as a dead letter, or is named; all other
lines count."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stream.config.load import parse
from stream.errors import SourceUnavailable
from stream.events import DeadLetter
from stream.readers.pool import ReaderPool
from stream.readers.worker import serve
from stream.service.service import Service
from tests.servers import small_memory
from tests.servers.service import RunningService, newest
from tests.support import events
from tests.support.jobs import (
    MINUTE_MS,
    PER_S,
    PER_WINDOW,
    START_MS,
    config,
    learn,
    lines_of,
)

WINDOWS = 3
BIG = WINDOWS * PER_WINDOW // 2
BIG_MS = START_MS + BIG * 1000 // PER_S
WIDE = 10_000_000
"""Bytes of a text that takes many times as much while it is counted."""
LONG = 60_000_000
"""Bytes of a line that cannot even be read."""
EVERYTHING = {START_MS + k * MINUTE_MS: PER_WINDOW for k in range(1, WINDOWS + 1)}
ALL_BUT_ONE = {end: rows - (end - MINUTE_MS <= BIG_MS < end) for end, rows in EVERYTHING.items()}


def with_wide_text() -> list[bytes]:
    """One event has a country whose name is very long."""
    lines = lines_of(WINDOWS)
    country = events.values(len(lines), 3)["country"][BIG].encode()
    assert lines[BIG].count(b"," + country + b",") == 1
    lines[BIG] = lines[BIG].replace(b"," + country + b",", b"," + b"x" * WIDE + b",")
    return lines


def run(folder: Path, lines: list[bytes], monkeypatch: pytest.MonkeyPatch, *, limited: bool) -> int:
    """The service to the end of three files, between which the lines are dealt."""
    folder.mkdir(exist_ok=True)
    for k, name in enumerate("abc"):
        (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines[k::3]))
    for name, value in small_memory.NO_RESERVES.items():
        monkeypatch.setenv(name, value)
    source = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"]}
    monkeypatch.setattr(
        ReaderPool.__init__, "__defaults__", (small_memory.serve if limited else serve,)
    )
    settings = config(learn(folder), source=source, readers=2, http={"port": 0}, lateness="1d")
    return Service(parse(settings, folder)).run()


def rows(folder: Path) -> dict[int, int]:
    return {
        end: report.rows
        for (_, end), report in newest(RunningService(folder, {}).reports()).items()
    }


def letters(folder: Path) -> list[DeadLetter]:
    path = folder / "dead-letters.jsonl"
    return (
        [msgspec.json.decode(line, type=DeadLetter) for line in path.read_bytes().splitlines()]
        if path.exists()
        else []
    )


@pytest.mark.slow
def test_a_line_that_takes_more_memory_than_there_is_becomes_the_one_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Memory that is refused is a ``MemoryError`` in the reader; that ends it like any death."""
    lines = with_wide_text()
    assert run(tmp_path / "small", lines, monkeypatch, limited=True) == 0
    told = "".join(capfd.readouterr())
    assert "MemoryError" in told
    assert (told.count("exit_code=1 "), told.count("reader died")) == (6, 6)
    assert [(one.reason, one.length) for one in letters(tmp_path / "small")] == [
        ("crashes_reader", len(lines[BIG]))
    ]
    assert rows(tmp_path / "small") == ALL_BUT_ONE
    assert run(tmp_path / "large", lines, monkeypatch, limited=False) == 0
    assert (rows(tmp_path / "large"), letters(tmp_path / "large")) == (EVERYTHING, []), (
        "with memory it counts"
    )


@pytest.mark.slow
def test_a_line_that_does_not_even_fit_into_memory_is_named_and_read_by_a_reader_that_has_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_of(WINDOWS)
    lines[BIG] = b"x" * LONG
    at = sum(len(line) + 1 for line in lines[BIG % 3 : BIG : 3])
    with pytest.raises(SourceUnavailable, match="Give the readers more memory") as caught:
        run(tmp_path, lines, monkeypatch, limited=True)
    path = tmp_path / f"{'abc'[BIG % 3]}.jsonl"
    assert caught.value.causes == (
        f"readers die whenever they ask for the next record of {path}, at ('{path.name}', {at})",
    )
    assert letters(tmp_path) == []
    assert run(tmp_path, lines, monkeypatch, limited=False) == 0
    assert [(one.position, one.reason != "crashes_reader") for one in letters(tmp_path)] == [
        ((path.name, at), True)
    ]
    assert rows(tmp_path) == ALL_BUT_ONE
