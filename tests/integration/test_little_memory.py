"""Readers that run out of memory at one line: it becomes a dead letter, or is named in the
error; all other lines count.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stream.config.load import parse
from stream.errors import SourceUnavailable
from stream.events import DeadLetter
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
"""Bytes of a text; counting it needs many times as much memory."""
LONG = 60_000_000
"""Bytes of a line that the limited memory does not suffice to fetch."""
EVERYTHING = {START_MS + k * MINUTE_MS: PER_WINDOW for k in range(1, WINDOWS + 1)}
ALL_BUT_ONE = {
    end_ms: rows - (end_ms - MINUTE_MS <= BIG_MS < end_ms) for end_ms, rows in EVERYTHING.items()
}


def with_wide_text() -> list[bytes]:
    """Lines, one of which has a country with a very long name."""
    lines = lines_of(WINDOWS)
    country = b"," + events.values(len(lines), 3)["country"][BIG].encode() + b","
    assert lines[BIG].count(country) == 1
    lines[BIG] = lines[BIG].replace(country, b"," + b"x" * WIDE + b",")
    return lines


def run(folder: Path, lines: list[bytes], monkeypatch: pytest.MonkeyPatch, *, limited: bool) -> int:
    """Distribute the lines over three files, and run the service to their end."""
    folder.mkdir(exist_ok=True)
    for k, name in enumerate("abc"):
        (folder / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines[k::3]))
    for name, value in small_memory.NO_RESERVES.items():
        monkeypatch.setenv(name, value)
    source = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"]}
    settings = config(learn(folder), source=source, readers=2, http={"port": 0}, lateness="1d")
    reader = small_memory.serve if limited else serve
    return Service(parse(settings, folder), serve=reader).run()


def rows(folder: Path) -> dict[int, int]:
    reports = newest(RunningService(folder, {}).reports())
    return {end_ms: report.rows for (_, end_ms), report in reports.items()}


def letters(folder: Path) -> list[DeadLetter]:
    path = folder / "dead-letters-files.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=DeadLetter) for line in lines]


@pytest.mark.slow
def test_a_line_that_needs_more_memory_than_there_is_becomes_the_only_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The record is long enough that a ``MemoryError`` on it alone is its own fault."""
    lines = with_wide_text()
    small = tmp_path / "small"
    large = tmp_path / "large"
    assert run(small, lines, monkeypatch, limited=True) == 0
    assert "reader_replaced" not in "".join(capfd.readouterr())
    dead = [(letter.reason, letter.length) for letter in letters(small)]
    assert dead == [("fails_decoding", len(lines[BIG]))]
    assert rows(small) == ALL_BUT_ONE
    assert run(large, lines, monkeypatch, limited=False) == 0
    assert (rows(large), letters(large)) == (EVERYTHING, []), "with enough memory it counts"


@pytest.mark.slow
def test_a_line_too_large_to_fetch_is_named_until_there_is_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_of(WINDOWS)
    lines[BIG] = b"x" * LONG
    offset = sum(len(line) + 1 for line in lines[BIG % 3 : BIG : 3])
    with pytest.raises(SourceUnavailable, match="Give the readers more memory") as error:
        run(tmp_path, lines, monkeypatch, limited=True)
    path = tmp_path / f"{'abc'[BIG % 3]}.jsonl"
    position = (path.name, offset)
    assert error.value.causes == (
        f"readers crash whenever they fetch the next record of {path}, at {position}",
    )
    assert letters(tmp_path) == []
    assert run(tmp_path, lines, monkeypatch, limited=False) == 0
    dead = [(letter.position, letter.reason != "crashes_reader") for letter in letters(tmp_path)]
    assert dead == [(position, True)]
    assert rows(tmp_path) == ALL_BUT_ONE
