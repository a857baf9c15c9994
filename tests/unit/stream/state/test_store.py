"""The store: a commit that returned survives any crash; one that did not return has no effect."""

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
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from stream.aggregation.panes import PaneId, PeriodId
from stream.aggregation.state import JobState, ModelState
from stream.errors import StateLocked, StateUnreadable, StateUnwritable
from stream.event_time import PartitionState
from stream.events import DeadLetter, DeadLetters, Output
from stream.state.file_lock import FileLock
from stream.state.identity import StateIdentity
from stream.state.store import Store, is_state
from stream.testing.baselines import baseline, normal, window
from stream.testing.quality_reports import awaiting, quality_report
from stream.testing.reports import report, signal
from tests.support.paths import ROOT

BASE = baseline({"x": normal(1, 2_000)})
LAYOUT = BASE.layout
IDENTITY = StateIdentity(
    job="job",
    source="jsonl /captures",
    window_ms=60_000,
    every_ms=60_000,
    configured={"m": BASE.fingerprint},
)
LETTERS = DeadLetters(
    (DeadLetter(partition="p", position=7, reason="undecodable", length=3, sha256="aa"),)
)


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


def loaded(store: Store) -> JobState:
    stored = store.load()
    assert stored is not None
    return stored.state


def test_a_commit_is_read_back_after_the_store_is_reopened(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts())
    items: list[Output] = [report(), LETTERS, signal()]
    numbered = store.commit(IDENTITY, state(), [panes], items, {"a": 0})
    assert [numbered_item.item for numbered_item in numbered] == items
    second = reopened(store)
    assert loaded(second) == state()
    assert second.outbox() == numbered
    assert second.cursors() == {"a": 0}
    assert second.last_seq() == numbered[-1].seq
    kept = second.panes([LAYOUT]).get(pane())
    assert kept is not None
    assert kept.counts.tolist() == counts().counts.tolist()
    second.close()


def test_the_outbox_keeps_the_commit_time_of_an_item(store: Store) -> None:
    before_ms = int(time.time() * 1000)
    [item] = store.commit(IDENTITY, state(), [store.panes([LAYOUT])], [report()], {"a": 0})
    assert before_ms <= item.at_ms <= int(time.time() * 1000)
    second = reopened(store)
    assert [kept.at_ms for kept in second.outbox()] == [item.at_ms]
    second.close()


def test_an_outbox_without_commit_times_counts_as_committed_now(store: Store) -> None:
    store.commit(IDENTITY, state(), [store.panes([LAYOUT])], [report()], {"a": 0})
    store._db.execute("ALTER TABLE outbox DROP COLUMN at_ms")
    before_ms = int(time.time() * 1000)
    second = reopened(store)
    [item] = second.outbox()
    assert (item.item, before_ms <= item.at_ms) == (report(), True)
    [next_item] = second.commit(IDENTITY, state(), [second.panes([LAYOUT])], [report(1)], {"a": 0})
    assert next_item.seq == item.seq + 1
    second.close()


def test_uncommitted_panes_are_lost_on_reopening(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts())
    store.commit(IDENTITY, state(), [panes], [], {})
    panes.put(pane(60_000), counts())
    panes.drop(pane())
    second = reopened(store)
    assert list(second.panes([LAYOUT]).ids()) == [pane()]
    second.close()


def test_a_failed_commit_leaves_positions_and_panes_unchanged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up in the middle of the transaction."""
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts(100))
    store.commit(IDENTITY, state(5), [panes], [report()], {"a": 0})
    panes.put(pane(), counts(900))
    with monkeypatch.context() as patch:

        def full(db: sqlite3.Connection) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr(panes, "write", full)
        with pytest.raises(StateUnwritable, match="disk is full") as caught:
            store.commit(IDENTITY, state(6), [panes], [report(1)], {"a": 1})
    assert caught.value.exit_code == 7
    second = reopened(store)
    assert loaded(second) == state(5)
    assert [item.item for item in second.outbox()] == [report()]
    kept = second.panes([LAYOUT]).get(pane())
    assert kept is not None
    assert kept.rows == 100
    second.close()


def test_a_failed_commit_can_be_repeated_as_a_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts(900))
    with monkeypatch.context() as patch:
        patch.setattr(panes, "write", lambda db: db.execute("no such statement"))
        with pytest.raises(StateUnwritable):
            store.commit(IDENTITY, state(6), [panes], [report()], {"a": 0})
    store.commit(IDENTITY, state(6), [panes], [report()], {"a": 0})
    second = reopened(store)
    kept = second.panes([LAYOUT]).get(pane())
    assert kept is not None
    assert (kept.rows, len(second.outbox())) == (900, 1)
    second.close()


KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from tests.unit.stream.state.test_store import *
store = Store(Path({path!r}))
panes = store.panes([LAYOUT])
panes.put(pane(60_000), counts(700))
write = panes.write
def write_and_die(db):
    write(db)
    os.kill(os.getpid(), 9)
panes.write = write_and_die
store.commit(IDENTITY, state(8), [panes], [report(1)], {{"a": 9}})
"""


def test_a_kill_during_a_commit_leaves_the_previous_commit(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts(100))
    store.commit(IDENTITY, state(5), [panes], [report()], {"a": 0})
    store.close()
    script = KILLED.format(root=str(ROOT), path=str(store.path))
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert result.returncode == -9, result.stderr
    second = Store(store.path)
    assert loaded(second) == state(5)
    assert list(second.panes([LAYOUT]).ids()) == [pane()]
    assert (len(second.outbox()), second.cursors()) == (1, {"a": 0})
    second.close()


def test_an_item_leaves_the_outbox_once_every_sink_has_it(store: Store) -> None:
    panes = store.panes([LAYOUT])
    first, second = store.commit(
        IDENTITY, state(), [panes], [report(0), report(1)], {"a": 0, "b": 0}
    )
    store.commit(IDENTITY, state(), [panes], [], {"a": second.seq, "b": first.seq})
    assert [item.seq for item in store.outbox()] == [second.seq]
    store.commit(IDENTITY, state(), [panes], [], {"a": second.seq, "b": second.seq})
    assert store.outbox() == []
    assert store.last_seq() == second.seq, "numbers are never reused"


def test_the_newest_report_of_each_model_is_kept(store: Store) -> None:
    panes = store.panes([LAYOUT])
    items: list[WindowReport] = [report(0), report(0, model="other"), report(1)]
    store.commit(IDENTITY, state(), [panes], items, {"a": 3})
    newest = {(newest.model, newest.start_ms) for newest in store.newest()}
    assert newest == {("flights", report(1).start_ms), ("other", report(0).start_ms)}


def test_a_state_has_one_owner_at_a_time(store: Store, path: Path) -> None:
    with pytest.raises(StateLocked):
        Store(path)
    store.close()
    Store(path).close()


def test_a_new_store_has_no_stored_state(store: Store) -> None:
    assert store.load() is None


def test_a_state_of_another_version_is_refused(store: Store) -> None:
    other = msgspec.structs.replace(IDENTITY, version=0)
    store.commit(other, state(), [store.panes([LAYOUT])], [], {})
    with pytest.raises(StateUnreadable, match="version 0, expected 1") as caught:
        store.load()
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "content", [b"this is not a database, but long enough to be inspected" * 20, b"\x00" * 4096]
)
def test_a_file_that_is_no_database_is_refused_and_left_unchanged(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StateUnreadable):
        Store(path)
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE meta (a TEXT)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(StateUnreadable, match="another program's database"):
        Store(path)
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnwritable, match="File exists"):
        Store(tmp_path / "file" / "state.sqlite")


def damaged(store: Store, statement: str) -> Store:
    """The same store, reopened after another program ran a statement on its file."""
    store.close()
    db = sqlite3.connect(store.path)
    db.execute(statement)
    db.commit()
    db.close()
    return Store(store.path)


def test_sums_of_periods_are_committed_with_everything_else_and_forgotten_by_a_new_beginning(
    store: Store,
) -> None:
    period = PeriodId("m", "v", LAYOUT.fingerprint, 3_600_000, 0)
    panes, periods = store.panes([LAYOUT]), store.periods([LAYOUT])
    periods.put(period, counts())
    store.commit(IDENTITY, state(), [panes, periods], [], {})
    periods.put(period._replace(start_ms=3_600_000), counts())
    second = reopened(store)
    kept = second.periods([LAYOUT])
    assert list(kept.ids()) == [period]
    found = kept.get(period)
    assert found is not None
    assert found.counts.tolist() == counts().counts.tolist()
    assert list(second.panes([LAYOUT]).ids()) == []
    second.begin("g")
    assert list(second.periods([LAYOUT]).ids()) == []
    second.close()


def test_a_state_without_a_table_of_periods_gets_one(store: Store) -> None:
    store.commit(IDENTITY, state(), [store.panes([LAYOUT])], [], {})
    second = damaged(store, "DROP TABLE periods")
    assert list(second.periods([LAYOUT]).ids()) == []
    assert loaded(second) == state()
    second.close()


def test_a_damaged_period_is_reported(store: Store) -> None:
    period = PeriodId("m", "v", LAYOUT.fingerprint, 3_600_000, 0)
    periods = store.periods([LAYOUT])
    periods.put(period, counts())
    store.commit(IDENTITY, state(), [periods], [], {})
    second = damaged(store, "UPDATE periods SET body = x'c1'")
    with pytest.raises(StateUnreadable, match="a period of model 'm' is damaged"):
        second.periods([LAYOUT]).get(period)
    second.close()


def test_a_damaged_pane_is_reported(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts())
    store.commit(IDENTITY, state(), [panes], [], {})
    second = damaged(store, "UPDATE panes SET body = x'c1'")
    with pytest.raises(StateUnreadable, match="a pane of model 'm' is damaged"):
        second.panes([LAYOUT]).get(pane())
    second.close()


def test_damaged_content_is_refused(store: Store) -> None:
    store.commit(IDENTITY, state(), [store.panes([LAYOUT])], [], {})
    second = damaged(store, "UPDATE meta SET body = x'c1' WHERE name = 'state'")
    with pytest.raises(StateUnreadable, match="its content is damaged"):
        second.load()
    second.close()


def test_panes_include_changes_that_are_not_committed_yet(store: Store) -> None:
    panes = store.panes([LAYOUT])
    panes.put(pane(), counts(100))
    store.commit(IDENTITY, state(), [panes], [], {})
    panes.put(pane(60_000), counts(40))
    assert (sorted(panes.ids()), panes.rows()) == ([pane(), pane(60_000)], 100)
    panes.drop(pane())
    assert list(panes.ids()) == [pane(60_000)]


def test_the_newest_report_is_of_the_latest_window_and_not_a_later_revision(
    store: Store,
) -> None:
    panes = store.panes([LAYOUT])
    store.commit(
        IDENTITY,
        state(),
        [panes],
        [report(2), report(1, revision=1), report(2, revision=1)],
        {"a": 0},
    )
    assert store.newest() == [report(2, revision=1)]


def test_the_state_is_readable_by_its_user_only(store: Store, path: Path) -> None:
    """The state holds vocabularies, which are feature values."""
    store.commit(IDENTITY, state(), [store.panes([LAYOUT])], [], {})
    files = list(path.parent.iterdir())
    assert {file.name for file in files} >= {path.name, f"{path.name}-wal", f"{path.name}.lock"}
    assert [file.name for file in files if file.stat().st_mode & 0o077] == []


def test_an_item_leaves_once_the_sinks_that_take_its_type_have_it(store: Store) -> None:
    """A signal that waits for a sink that is down holds back no reports; the file stays small."""
    panes = store.panes([LAYOUT])
    takes = {"files": (WindowReport, Signal), "topic": (Signal,)}
    last = store.commit(
        IDENTITY,
        state(),
        [panes],
        [signal(0), report(0), report(1)],
        {"files": 0, "topic": 0},
        takes,
    )[-1].seq
    store.commit(IDENTITY, state(), [panes], [LETTERS], {"files": last, "topic": 0}, takes)
    assert [item.item for item in store.outbox()] == [signal(0)]
    store.commit(IDENTITY, state(), [panes], [], {"files": last, "topic": last}, takes)
    assert store.outbox() == []


def test_a_snapshot_is_the_last_commit_and_nothing_after_it(store: Store, tmp_path: Path) -> None:
    """The write-ahead log holds commits that the file does not, memory holds uncommitted panes."""
    panes = store.panes([LAYOUT])
    store.commit(IDENTITY, state(5), [panes], [report()], {"a": 0})
    panes.put(pane(), counts())
    content = store.snapshot()
    assert is_state(content)
    assert not is_state(b"SQLite format 3\0" + bytes(100))
    (tmp_path / "copy.sqlite").write_bytes(content)
    copy = Store(tmp_path / "copy.sqlite")
    assert loaded(copy) == state(5)
    assert [item.item for item in copy.outbox()] == [report()]
    assert list(copy.panes([LAYOUT]).ids()) == []
    copy.close()


def test_a_lock_keeps_its_note_for_the_next_holder_and_outlives_a_store(path: Path) -> None:
    lock = FileLock(path)
    lock.note = "a longer note"
    lock.note = "a note"
    Store(path, lock).close()
    with pytest.raises(StateLocked):
        FileLock(path)
    lock.close()
    lock.close()
    second = FileLock(path)
    assert second.note == "a note"
    second.close()


def test_the_note_of_a_lock_is_replaced_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = FileLock(tmp_path / "state.sqlite")
    lock.note = "the previous owner, with a long name"

    def crash(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "pwrite", crash)
    with pytest.raises(KeyboardInterrupt):
        lock.note = "me"
    assert lock.note == "the previous owner, with a long name"
    monkeypatch.undo()
    lock.note = "me"
    assert lock.note == "me"
    lock.close()


def test_the_newest_quality_is_that_of_all_windows_and_that_of_the_judged_ones(
    store: Store, path: Path
) -> None:
    """Labels come late: the newest window awaits them, while an earlier one has a verdict."""
    outputs = [quality_report(1), awaiting(2), quality_report(1, 2), quality_report(0, 5)]
    store.commit(IDENTITY, state(), [store.panes([LAYOUT])], outputs, {"a": 0})
    assert [item.item for item in store.outbox()] == outputs
    assert store.newest_quality() == [quality_report(1, 2), awaiting(2)]
    store.commit(IDENTITY, state(), [store.panes([LAYOUT])], [quality_report(2)], {"a": 0})
    assert store.newest_quality() == [quality_report(2)]
    store.close()
    again = Store(path)
    assert again.newest_quality() == [quality_report(2)]
    again.begin("second")
    assert again.newest_quality() == []
    again.close()


def test_of_two_reports_on_a_window_in_one_commit_the_later_is_the_newest(store: Store) -> None:
    outputs = [quality_report(3, 4), quality_report(3, 4), quality_report(3, 3), awaiting(3)]
    changed = msgspec.structs.replace(outputs[1], notes=("the last one",))
    other = msgspec.structs.replace(quality_report(1), model="other")
    outputs = [outputs[0], changed, *outputs[2:], other]
    store.commit(IDENTITY, state(), [store.panes([LAYOUT])], outputs, {"a": 0})
    assert store.newest_quality() == [changed, other]


def test_a_sink_that_takes_no_quality_does_not_hold_it_back(store: Store) -> None:
    takes: dict[str, tuple[type, ...]] = {
        "files": (WindowReport, Signal, QualityReport),
        "other": (WindowReport, Signal),
    }
    panes = store.panes([LAYOUT])
    (item,) = store.commit(
        IDENTITY, state(), [panes], [quality_report()], {"files": 0, "other": 0}, takes
    )
    store.commit(IDENTITY, state(), [panes], [], {"files": item.seq, "other": 0}, takes)
    assert store.outbox() == []
