"""Files that are renamed, linked, rotated, replaced, refilled or compressed while they are
followed, or while the service is down: each line is read once, or a gap tells that lines are lost.
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.sources.jsonl.position import REMEMBERED
from tests.unit.stream.sources.jsonl.following import Follower, list_at_each_poll


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    list_at_each_poll(monkeypatch)


@pytest.fixture(params=["running", "down"])
def change(request: pytest.FixtureRequest) -> Callable[[Follower, Callable[[], object]], None]:
    """Change files while the follower runs, or between two runs."""

    def apply(follower: Follower, edit: Callable[[], object]) -> None:
        time.sleep(0.02)  # the time of a change is as coarse as the kernel's clock
        edit()
        if request.param == "down":
            follower.restart()

    return apply


Change = Callable[[Follower, Callable[[], object]], None]


def numbered(start: int, stop: int) -> list[str]:
    return [f'{{"line": {k}, "text": "as long as a line may be"}}' for k in range(start, stop)]


def put(path: Path, start: int, stop: int) -> None:
    """Append numbered lines."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in numbered(start, stop))


def test_a_file_renamed_to_a_later_name_is_not_read_again(tmp_path: Path, change: Change) -> None:
    put(tmp_path / "a.jsonl", 0, 50)
    follower = Follower(tmp_path)
    follower.read()

    def edit() -> None:
        (tmp_path / "a.jsonl").rename(tmp_path / "b.jsonl")
        put(tmp_path / "b.jsonl", 50, 60)
        put(tmp_path / "c.jsonl", 60, 90)

    change(follower, edit)
    follower.read()
    assert (follower.lines, follower.gaps) == (numbered(0, 90), [])


def test_a_passed_file_renamed_to_a_later_name_is_not_read_again(
    tmp_path: Path, change: Change
) -> None:
    for k in range(5):
        put(tmp_path / f"{k}.jsonl", 10 * k, 10 * k + 10)
    follower = Follower(tmp_path)
    follower.read()
    change(follower, lambda: (tmp_path / "1.jsonl").rename(tmp_path / "9.jsonl"))
    follower.read()
    assert (follower.lines, follower.gaps) == (numbered(0, 50), [])


@pytest.mark.parametrize("name", ["0.jsonl", "b.jsonl", "x/y.jsonl"])
def test_another_link_to_a_file_is_passed_over(tmp_path: Path, change: Change, name: str) -> None:
    put(tmp_path / "a.jsonl", 0, 50)
    put(tmp_path / "aa.jsonl", 50, 60)
    (tmp_path / "x").mkdir()
    follower = Follower(tmp_path)
    follower.read()
    change(follower, lambda: os.link(tmp_path / "a.jsonl", tmp_path / name))
    follower.read()
    put(tmp_path / "z.jsonl", 60, 70)
    follower.read()
    assert (follower.lines, follower.gaps) == (numbered(0, 70), [])


@pytest.mark.parametrize("single", [True, False], ids=["file", "folder"])
def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(
    tmp_path: Path, change: Change, single: bool
) -> None:
    """As logrotate does: renamed with lines that were not read yet, and a new file in its place."""
    live = tmp_path / "in" / "app.jsonl"
    put(live, 0, 50)
    follower = Follower(live if single else live.parent)
    follower.read()

    def edit() -> None:
        put(live, 50, 60)
        live.rename(live.with_name("app.jsonl.1" if single else "app-1.jsonl"))
        put(live, 60, 160)

    change(follower, edit)
    follower.read()
    assert (follower.lines, follower.gaps) == (numbered(0, 160), [])


def test_a_chain_of_rotated_files_is_read_once(tmp_path: Path, change: Change) -> None:
    live = tmp_path / "app.jsonl"
    put(live, 0, 10)
    follower = Follower(tmp_path)
    follower.read()
    for turn in range(1, 6):
        last = 10 * turn

        def rotate(last: int = last) -> None:
            put(live, last, last + 5)
            for k in range(7, 0, -1):
                if (older := tmp_path / f"app-{k}.jsonl").exists():
                    older.rename(tmp_path / f"app-{k + 1}.jsonl")
            live.rename(tmp_path / "app-1.jsonl")
            put(live, last + 5, last + 10)

        change(follower, rotate)
        follower.read()
    assert (follower.lines, follower.gaps) == (numbered(0, 60), [])


def test_a_file_replaced_by_another_one_is_told_and_the_new_one_is_read(
    tmp_path: Path, change: Change
) -> None:
    """The old content is gone; the new one is longer than what was read, under the same name."""
    path = tmp_path / "a.jsonl"
    put(path, 0, 50)
    follower = Follower(path)
    follower.read()

    def edit() -> None:
        path.unlink()
        put(path, 1000, 1200)

    change(follower, edit)
    assert follower.read() == numbered(1000, 1200) or follower.lines == [
        *numbered(0, 50),
        *numbered(1000, 1200),
    ]
    assert len(follower.gaps) == 1


def test_a_file_truncated_and_refilled_beyond_its_length_is_told(
    tmp_path: Path, change: Change
) -> None:
    path = tmp_path / "a.jsonl"
    put(path, 0, 50)
    follower = Follower(path)
    follower.read()

    def edit() -> None:
        os.truncate(path, 0)
        put(path, 1000, 1200)

    change(follower, edit)
    follower.read()
    assert follower.lines == [*numbered(0, 50), *numbered(1000, 1200)]
    [gap] = follower.gaps
    assert "overwritten" in gap


@pytest.mark.parametrize("position", [0, 3, 14])
def test_a_passed_file_that_grows_is_read_on(tmp_path: Path, change: Change, position: int) -> None:
    for k in range(15):
        put(tmp_path / f"{k:02d}.jsonl", 10 * k, 10 * k + 10)
    put(tmp_path / "last.jsonl", 150, 160)
    follower = Follower(tmp_path)
    follower.read()
    change(follower, lambda: put(tmp_path / f"{position:02d}.jsonl", 160, 167))
    put(tmp_path / "last.jsonl", 167, 170)
    follower.read()
    assert (sorted(follower.lines), follower.gaps) == (sorted(numbered(0, 170)), [])


def test_a_file_that_appears_under_an_earlier_name_is_read(tmp_path: Path, change: Change) -> None:
    put(tmp_path / "m.jsonl", 0, 10)
    follower = Follower(tmp_path)
    follower.read()
    (tmp_path / "outside").mkdir()
    put(tmp_path / "outside" / "a.txt", 10, 20)
    os.utime(tmp_path / "outside" / "a.txt", (1e9, 1e9))

    def edit() -> None:
        (tmp_path / "outside" / "a.txt").rename(tmp_path / "a.jsonl")
        put(tmp_path / "b.jsonl", 20, 30)
        put(tmp_path / "m.jsonl", 30, 40)

    change(follower, edit)
    follower.read(max_records=7)
    assert (sorted(follower.lines), follower.gaps) == (sorted(numbered(0, 40)), [])


def test_files_read_in_between_are_read_once_over_a_kill_at_any_record(tmp_path: Path) -> None:
    put(tmp_path / "m.jsonl", 0, 10)
    follower = Follower(tmp_path)
    follower.read()
    time.sleep(0.02)
    for k in range(1, 6):
        put(tmp_path / f"a{k}.jsonl", 10 * k, 10 * k + 10)
    put(tmp_path / "m.jsonl", 60, 70)
    for _ in range(200):
        before = len(follower.lines)
        for result in follower.reading.poll(0.0, 3):
            follower._take(result)
        follower.restart()
        if len(follower.lines) == before == 70:
            break
    assert (sorted(follower.lines), follower.gaps) == (sorted(numbered(0, 70)), [])


def test_a_change_while_down_that_the_position_does_not_remember_is_told(tmp_path: Path) -> None:
    for k in range(REMEMBERED + 20):
        put(tmp_path / f"{k:04d}.jsonl", k, k + 1)
    follower = Follower(tmp_path)
    assert len(follower.read()) == REMEMBERED + 20
    time.sleep(0.02)
    put(tmp_path / "0003.jsonl", 900, 901)
    follower.restart()
    follower.read()
    follower.restart()
    [gap] = follower.gaps
    assert gap.startswith("0003.jsonl came or changed")
    assert len(follower.lines) == REMEMBERED + 20


def test_a_deleted_passed_file_is_no_gap(tmp_path: Path, change: Change) -> None:
    """Old files are removed when they are no longer needed."""
    for k in range(5):
        put(tmp_path / f"{k}.jsonl", 10 * k, 10 * k + 10)
    follower = Follower(tmp_path)
    follower.read()
    change(follower, (tmp_path / "1.jsonl").unlink)
    put(tmp_path / "9.jsonl", 50, 60)
    follower.read()
    assert (follower.lines, follower.gaps) == (numbered(0, 60), [])


@pytest.mark.parametrize("which", ["passed", "current"])
def test_a_file_that_is_compressed_in_place_is_not_read_again(
    tmp_path: Path, change: Change, which: str
) -> None:
    put(tmp_path / "a.jsonl", 0, 50)
    follower = Follower(tmp_path)
    follower.read()
    if which == "passed":
        put(tmp_path / "b.jsonl", 50, 60)
        follower.read()

    def edit() -> None:
        if which == "current":
            put(tmp_path / "a.jsonl", 50, 60)
        data = (tmp_path / "a.jsonl").read_bytes()
        (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data))
        (tmp_path / "a.jsonl").unlink()

    change(follower, edit)
    follower.read()
    put(tmp_path / "c.jsonl", 60, 70)
    follower.read()
    assert (follower.lines, follower.gaps) == (numbered(0, 70), [])


def test_a_position_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", 0, 10)
    put(tmp_path / "b.jsonl", 10, 30)
    offset = sum(len(line) + 1 for line in numbered(10, 20))
    follower = Follower(tmp_path, position=("b.jsonl", offset))
    assert follower.read() == numbered(20, 30)
    put(tmp_path / "b.jsonl", 30, 40)
    follower.restart()
    assert follower.read() == numbered(30, 40)
    assert follower.gaps == []
