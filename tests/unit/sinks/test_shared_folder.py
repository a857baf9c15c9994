"""Two services share a folder: at each step of one, the other one acts or has been killed."""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sinks import day_files, jsonl
from sinks.day_files import compress, files_of, is_added, remove_if_added
from sinks.errors import SinkRetry
from sinks.jsonl import ATTEMPTS, Jsonl, append
from stream.testing.reports import report
from tests.support.day_files import lines_of_days

DAY = "reports-2025-06-15.jsonl"
"""The day of :func:`stream.testing.reports.report`."""


def line(name: str) -> bytes:
    return json.dumps({"id": name}).encode() + b"\n"


def ids(folder: Path) -> list[str]:
    """The ids of all lines, as often as they are there."""
    return sorted(json.loads(content)["id"] for content in lines_of_days(folder, "reports"))


class Killed(BaseException):
    """The other service ends here; its locks are released, as those of any process that ends."""


def killed_before_the_removal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other service compresses the file, and is killed before it removes it."""

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Killed):
            compress(path)
    assert path.exists()


def removing(path: Path, times: int) -> Callable[[Any, int], None]:
    """A lock before which the other service compresses and removes the file, so many times."""
    lock, left = fcntl.flock, list(range(times))
    acts = threading.Lock()

    def locked_late(descriptor: Any, operation: int) -> None:
        if left and acts.acquire(blocking=False):
            left.pop()
            assert compress(path)
            acts.release()
        lock(descriptor, operation)

    return locked_late


@pytest.mark.parametrize("times", [1, 2, ATTEMPTS - 1])
def test_no_line_goes_to_a_file_that_was_removed_after_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    append(tmp_path / DAY, line("a"))
    monkeypatch.setattr(fcntl, "flock", removing(tmp_path / DAY, times))
    append(tmp_path / DAY, line("b"))
    assert ids(tmp_path) == ["a", "b"]


def test_what_finds_its_file_removed_at_each_attempt_is_not_delivered_and_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = Jsonl(path=str(tmp_path)).open("sample")
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", removing(tmp_path / DAY, ATTEMPTS))
        with pytest.raises(SinkRetry) as raised:
            delivery.deliver([report()])
    assert raised.value.delivered == 0
    delivery.deliver([report()])
    assert ids(tmp_path) == [report().id]


@pytest.mark.parametrize("before", [[], ["first"]], ids=["first", "added"])
@pytest.mark.parametrize("then", ["append", "compress", "both", "start"])
def test_the_lines_of_a_killed_service_are_compressed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: list[str], then: str
) -> None:
    """It was killed between the two files, and the other one comes first."""
    path = tmp_path / DAY
    for name in before:
        append(path, line(name))
        assert compress(path)
    append(path, line("a"))
    killed_before_the_removal(path, monkeypatch)
    expected = [*before, "a"]
    if then in ("append", "both"):
        append(path, line("late"))
        expected.append("late")
    if then in ("compress", "both"):
        assert compress(path)
    if then == "start":
        assert remove_if_added(path)
    assert ids(tmp_path) == sorted(expected)


def test_a_killed_service_that_starts_last_removes_nothing_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DAY
    append(path, line("a"))
    killed_before_the_removal(path, monkeypatch)
    append(path, line("b"))
    assert not remove_if_added(path)
    assert ids(tmp_path) == ["a", "b"]


def test_a_line_that_is_being_written_is_not_taken_for_a_torn_one(tmp_path: Path) -> None:
    """One service has written half of its line, and the other one waits until it is whole."""
    path, whole = tmp_path / DAY, line("a")
    others = [
        threading.Thread(target=append, args=(path, line("b")), daemon=True),
        threading.Thread(target=compress, args=(path,), daemon=True),
        threading.Thread(target=remove_if_added, args=(path,), daemon=True),
    ]
    with path.open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(whole[:5])
        for thread in others:
            thread.start()
        others[0].join(0.2)
        assert path.read_bytes() == whole[:5]
        file.write(whole[5:])
    for thread in others:
        thread.join(30)
    assert ids(tmp_path) == ["a", "b"]


def test_the_torn_line_of_a_killed_service_costs_no_line_of_the_other(tmp_path: Path) -> None:
    path = tmp_path / DAY
    path.write_bytes(line("a") + line("torn")[:5])
    append(path, line("b"))
    path.write_bytes(path.read_bytes() + line("torn")[:-1])  # all of it but its end
    append(path, line("c"))
    assert path.read_bytes().splitlines() == [
        b'{"id": "a"}',
        b'{"id"',
        b'{"id": "b"}',
        b'{"id": "torn"}',
        b'{"id": "c"}',
    ]


def test_an_empty_file_is_removed_and_adds_nothing(tmp_path: Path) -> None:
    """A service was killed after it had created the file."""
    path = tmp_path / DAY
    archive = gzip.compress(line("a")) + gzip.compress(b"")
    (tmp_path / f"{DAY}.gz").write_bytes(archive)
    path.touch()
    with path.open("rb") as file:
        assert not is_added(file, path)
    append(path, line("b"))
    assert path.read_bytes() == line("b")
    path.write_bytes(b"")
    assert compress(path)
    assert not path.exists()
    assert (tmp_path / f"{DAY}.gz").read_bytes() == archive


def test_signals_are_never_removed_for_a_compressed_file_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "signals.jsonl"
    append(path, line("a"))
    (tmp_path / "signals.jsonl.gz").write_bytes(gzip.compress(line("a")))
    append(path, line("b"))
    assert path.read_bytes() == line("a") + line("b")


def test_without_locks_lines_are_appended_and_no_file_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    path = tmp_path / DAY
    append(path, line("a"))
    assert not compress(path)
    append(path, line("b"))
    assert path.read_bytes() == line("a") + line("b")


def test_a_late_file_beside_a_compressed_one_is_not_read_for_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DAY
    append(path, line("a"))
    assert compress(path)
    append(path, line("later"))
    monkeypatch.setattr(day_files, "_ends_with", pytest.fail)
    monkeypatch.setattr(zlib, "crc32", pytest.fail)
    append(path, line("latest"))
    monkeypatch.undo()
    assert ids(tmp_path) == ["a", "later", "latest"]
    assert [file.name for file in files_of(tmp_path, ["reports"])] == [DAY, f"{DAY}.gz"]


def test_a_job_is_found_in_a_day_that_is_closed_and_begun_anew_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, open_file = tmp_path / DAY, day_files.opened
    append(path, b'{"job": "first"}\n')

    def opened_late(file: Path) -> Any:
        monkeypatch.setattr(jsonl, "opened", open_file)
        assert compress(path)
        append(path, b'{"job": "second"}\n')
        return open_file(file)

    monkeypatch.setattr(jsonl, "opened", opened_late)
    assert Jsonl(path=str(tmp_path)).has_reports_of("first")
