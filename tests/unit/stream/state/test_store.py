"""The store: what a commit returned from is there after any crash, what it did not return from
never was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from detectors.profiles.profile import Profile
from detectors.report import Signal, WindowReport
from stream.aggregation.panes import PaneId
from stream.aggregation.state import JobState, ModelState
from stream.errors import StateIncompatible, StateLocked, StateUnwritable
from stream.event_time import PartitionState
from stream.events import DeadLetter, DeadLetters, Output
from stream.state.file_lock import FileLock
from stream.state.store import StateIdentity, Store, is_ours, read_baseline
from tests.support.made import baseline, normal, window
from tests.support.paths import ROOT
from tests.support.samples import report, signal

BASE = baseline({"x": normal(1, 2_000)})
LAYOUT = BASE.layout
WHO = StateIdentity("job", "jsonl /captures", 60_000, 60_000, configured={"m": BASE.fingerprint})
LETTERS = DeadLetters((DeadLetter("p", 7, "undecodable", 3, "aa"),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "job.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path)
    yield opened
    opened.close()


def pane(start_ms: int = 0) -> PaneId:
    return PaneId("m", "v", LAYOUT.fingerprint, start_ms)


def counts(rows: int = 500, seed: int = 3) -> Profile:
    return window(LAYOUT, {"x": normal(seed, rows)})


def state(next_: int = 5) -> JobState:
    return JobState(
        partitions={"p": PartitionState(1, next_, 99)},
        models={"m": ModelState(BASE.fingerprint)},
        closed_ms=60_000,
    )


def reopened(store: Store) -> Store:
    store.close()
    return Store(store.path)


def test_a_commit_is_there_after_opening_anew(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts())
    items: list[Output] = [report(), LETTERS, signal()]
    numbered = store.commit(WHO, state(), panes, items, {"a": 0})
    assert [one.item for one in numbered] == items
    again = reopened(store)
    assert again.load(WHO) == state()
    assert again.outbox() == numbered
    assert again.cursors() == {"a": 0}
    assert again.last_seq() == numbered[-1].seq
    kept = again.panes([LAYOUT]).get(pane())
    assert kept is not None
    assert kept.counts.tolist() == counts().counts.tolist()
    again.close()


def test_the_outbox_keeps_when_an_item_was_committed(store: Store) -> None:
    before = int(time.time() * 1000)
    [one] = store.commit(WHO, state(), store.panes([LAYOUT]), [report()], {"a": 0})
    assert before <= one.at_ms <= int(time.time() * 1000)
    again = reopened(store)
    assert [kept.at_ms for kept in again.outbox()] == [one.at_ms]
    again.close()


def test_the_outbox_of_an_older_driftline_counts_as_committed_now(store: Store) -> None:
    store.commit(WHO, state(), store.panes([LAYOUT]), [report()], {"a": 0})
    store._db.execute("ALTER TABLE outbox DROP COLUMN at_ms")
    before = int(time.time() * 1000)
    again = reopened(store)
    [one] = again.outbox()
    assert (one.item, before <= one.at_ms) == (report(), True)
    assert [
        kept.seq
        for kept in again.commit(WHO, state(), again.panes([LAYOUT]), [report(1)], {"a": 0})
    ] == [one.seq + 1]
    again.close()


def test_what_was_not_committed_never_was(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts())
    store.commit(WHO, state(), panes, [], {})
    panes.put(pane(60_000), counts())
    panes.drop(pane())
    again = reopened(store)
    assert list(again.panes([LAYOUT]).ids()) == [pane()]
    again.close()


def test_a_commit_that_fails_leaves_everything_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full in the middle of the transaction: positions and panes stay together."""
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts(100))
    store.commit(WHO, state(5), panes, [report()], {"a": 0})
    panes.put(pane(), counts(900))
    with monkeypatch.context() as patch:

        def full(db: sqlite3.Connection) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr(panes, "write", full)
        with pytest.raises(StateUnwritable, match="disk is full") as caught:
            store.commit(WHO, state(6), panes, [report(1)], {"a": 1})
    assert caught.value.exit_code == 7
    again = reopened(store)
    assert again.load(WHO) == state(5)
    assert [one.item for one in again.outbox()] == [report()]
    kept = again.panes([LAYOUT]).get(pane())
    assert kept is not None
    assert kept.rows == 100
    again.close()


def test_a_failed_commit_can_be_repeated_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts(900))
    with monkeypatch.context() as patch:
        patch.setattr(panes, "write", lambda db: db.execute("no such statement"))
        with pytest.raises(StateUnwritable):
            store.commit(WHO, state(6), panes, [report()], {"a": 0})
    store.commit(WHO, state(6), panes, [report()], {"a": 0})
    again = reopened(store)
    kept = again.panes([LAYOUT]).get(pane())
    assert kept is not None
    assert (kept.rows, len(again.outbox())) == (900, 1)
    again.close()


KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from tests.unit.stream.state.test_store import *
store = Store(Path({path!r}))
panes = store.panes([LAYOUT])
panes.put(pane(60_000), counts(700))
real = panes.write
def write_and_die(db):
    real(db)
    os.kill(os.getpid(), 9)
panes.write = write_and_die
store.commit(WHO, state(8), panes, [report(1)], {{"a": 9}})
"""


def test_a_kill_in_the_middle_of_a_commit_leaves_the_one_before(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts(100))
    store.commit(WHO, state(5), panes, [report()], {"a": 0})
    store.close()
    script = KILLED.format(root=str(ROOT), path=str(store.path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert done.returncode == -9, done.stderr
    again = Store(store.path)
    assert again.load(WHO) == state(5)
    assert (list(again.panes([LAYOUT]).ids()), len(again.outbox()), again.cursors()) == (
        [pane()],
        1,
        {"a": 0},
    )
    again.close()


def test_the_outbox_lets_go_of_what_every_sink_has(store: Store) -> None:
    panes = store.panes([LAYOUT])
    first, second = store.commit(WHO, state(), panes, [report(0), report(1)], {"a": 0, "b": 0})
    store.commit(WHO, state(), panes, [], {"a": second.seq, "b": first.seq})
    assert [one.seq for one in store.outbox()] == [second.seq]
    store.commit(WHO, state(), panes, [], {"a": second.seq, "b": second.seq})
    assert store.outbox() == []
    assert store.last_seq() == second.seq, "numbers are never given twice"


def test_the_newest_report_of_each_model_is_kept(store: Store) -> None:
    panes = store.panes([LAYOUT])
    items: list[WindowReport] = [report(0), report(0, model="other"), report(1)]
    store.commit(WHO, state(), panes, items, {"a": 3})
    assert {(one.model, one.start_ms) for one in store.newest()} == {
        ("flights", report(1).start_ms),
        ("other", report(0).start_ms),
    }


def test_a_state_has_one_owner_at_a_time(store: Store, path: Path) -> None:
    with pytest.raises(StateLocked):
        Store(path)
    store.close()
    Store(path).close()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"job": "other"}, "job"),
        ({"source": "kafka events"}, "source"),
        ({"window_ms": 1}, "window_ms"),
        ({"every_ms": 1}, "every_ms"),
        ({"version": 0}, "version"),
    ],
)
def test_a_state_of_another_configuration_is_refused_by_name(
    store: Store, change: dict[str, object], field: str
) -> None:
    store.commit(WHO, state(), store.panes([LAYOUT]), [], {})
    with pytest.raises(StateIncompatible, match=f"state: {field}( was|: expected)") as caught:
        store.load(msgspec.structs.replace(WHO, **change))
    assert (caught.value.field, caught.value.exit_code) == (field, 4)


def test_another_baseline_is_refused_unless_the_change_is_accepted(store: Store) -> None:
    store.commit(WHO, state(), store.panes([LAYOUT]), [], {})
    other = msgspec.structs.replace(WHO, configured={"m": "feedface"})
    with pytest.raises(StateIncompatible, match="--accept-change"):
        store.load(other)
    assert store.load(other, accept_change=True) == state()


@pytest.mark.parametrize(
    "content", [b"this is no database at all, but long enough to be looked at" * 20, b"\x00" * 4096]
)
def test_a_file_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StateIncompatible):
        Store(path)
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE meta (a TEXT)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(StateIncompatible, match="another program's database"):
        Store(path)
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnwritable, match="File exists"):
        Store(tmp_path / "file" / "state.sqlite")


def damaged(store: Store, statement: str) -> Store:
    """The same store opened again after somebody else has run a statement on it."""
    store.close()
    db = sqlite3.connect(store.path)
    db.execute(statement)
    db.commit()
    db.close()
    return Store(store.path)


def test_a_damaged_pane_is_told(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts())
    store.commit(WHO, state(), panes, [], {})
    again = damaged(store, "UPDATE panes SET body = x'c1'")
    with pytest.raises(StateIncompatible, match="unreadable"):
        again.panes([LAYOUT]).get(pane())
    again.close()


def test_damaged_content_is_refused(store: Store) -> None:
    store.commit(WHO, state(), store.panes([LAYOUT]), [], {})
    again = damaged(store, "UPDATE meta SET body = x'c1' WHERE name = 'state'")
    with pytest.raises(StateIncompatible, match="unreadable"):
        again.load(WHO)
    again.close()


def test_baselines_are_kept_and_read_beside_the_owner(
    store: Store, path: Path, tmp_path: Path
) -> None:
    store.keep_baseline(BASE)
    store.keep_baseline(BASE)
    found = read_baseline(path, BASE.fingerprint)
    assert found is not None
    assert found.fingerprint == BASE.fingerprint
    assert read_baseline(path, "feedface") is None
    assert read_baseline(tmp_path / "none", BASE.fingerprint) is None


def test_panes_are_told_with_what_is_not_committed_yet(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts(100))
    store.commit(WHO, state(), panes, [], {})
    panes.put(pane(60_000), counts(40))
    assert (sorted(panes.ids()), panes.rows()) == ([pane(), pane(60_000)], 100)
    panes.drop(pane())
    assert list(panes.ids()) == [pane(60_000)]


def test_the_newest_report_is_the_latest_window_and_no_revision_of_an_earlier_one(
    store: Store,
) -> None:
    panes = store.panes([LAYOUT])
    store.commit(
        WHO, state(), panes, [report(2), report(1, revision=1), report(2, revision=1)], {"a": 0}
    )
    assert store.newest() == [report(2, revision=1)]


def test_the_state_is_readable_by_its_user_alone(store: Store, path: Path) -> None:
    """It holds vocabularies: feature values."""
    store.commit(WHO, state(), store.panes([LAYOUT]), [], {})
    assert {one.name for one in path.parent.iterdir()} >= {
        path.name,
        f"{path.name}-wal",
        f"{path.name}.lock",
    }
    assert [one.name for one in path.parent.iterdir() if one.stat().st_mode & 0o077] == []


def test_an_item_leaves_when_all_sinks_that_take_it_have_it(store: Store) -> None:
    """A sink that waits with a signal keeps no reports in the file: it would grow for as long as
    that sink is down."""
    panes, takes = store.panes([LAYOUT]), {"files": (WindowReport, Signal), "topic": (Signal,)}
    last = store.commit(
        WHO, state(), panes, [signal(0), report(0), report(1)], {"files": 0, "topic": 0}, takes
    )[-1].seq
    store.commit(WHO, state(), panes, [LETTERS], {"files": last, "topic": 0}, takes)
    assert [one.item for one in store.outbox()] == [signal(0)]
    store.commit(WHO, state(), panes, [], {"files": last, "topic": last}, takes)
    assert store.outbox() == []


def test_a_snapshot_is_the_last_commit_and_nothing_after_it(store: Store, tmp_path: Path) -> None:
    """It is taken while the log of SQLite holds commits that the file does not, and panes in memory
    that nobody committed."""
    panes = store.panes([LAYOUT])
    store.commit(WHO, state(5), panes, [report()], {"a": 0})
    panes.put(pane(), counts())
    content = store.snapshot()
    assert is_ours(content)
    assert not is_ours(b"SQLite format 3\0" + bytes(100))
    (tmp_path / "copy.sqlite").write_bytes(content)
    copy = Store(tmp_path / "copy.sqlite")
    assert copy.load(WHO) == state(5)
    assert ([one.item for one in copy.outbox()], list(copy.panes([LAYOUT]).ids())) == (
        [report()],
        [],
    )
    copy.close()


def test_a_lock_keeps_a_note_for_its_next_holder_and_is_passed_on_by_a_store(path: Path) -> None:
    lock = FileLock(path)
    lock.note = "a longer note"
    lock.note = "a note"
    Store(path, lock).close()
    with pytest.raises(StateLocked):
        FileLock(path)
    lock.close()
    lock.close()
    again = FileLock(path)
    assert again.note == "a note"
    again.close()


def test_the_note_of_a_lock_is_replaced_and_never_empty_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = FileLock(tmp_path / "state.sqlite")
    lock.note = "the owner before, with a long name"

    def crash(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "pwrite", crash)
    with pytest.raises(KeyboardInterrupt):
        lock.note = "me"
    assert lock.note == "the owner before, with a long name"
    monkeypatch.undo()
    lock.note = "me"
    assert lock.note == "me"
    lock.close()
