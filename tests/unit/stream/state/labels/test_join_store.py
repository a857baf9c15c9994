"""The store of waiting rows equals lists in memory, through commits, failures and reopening."""

from __future__ import annotations

import copy
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.errors import StateUnwritable
from stream.labels.rows import LABEL, PREDICTION, Rows
from stream.labels.store import JoinStore, Slice
from stream.state.labels import runs
from stream.state.labels.join_store import JoinSizes, SqliteJoinStore
from stream.state.store import Store
from tests.support.paths import ROOT
from tests.support.stores import MemoryJoinStore
from tests.support.waiting import DAY_MS, commit, random_ids, waiting

SMALL = JoinSizes(run_rows=300, memory_rows=900, merged_rows=4_000)
MONDAY = Slice("predictions", 0, DAY_MS)
LONG = Slice("predictions", -60 * DAY_MS, 60 * DAY_MS)
SLICES = [
    MONDAY,
    LONG,
    Slice("predictions", 1_750_000_000_000, DAY_MS),
    Slice("labels", 0, DAY_MS),
    Slice("labels", DAY_MS, 1 << 33),
]
EXTREMES = np.array([0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1], np.uint64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path)
    yield opened
    opened.close()


def content(joins: JoinStore, slice_: Slice, ids: NDArray[np.uint64]) -> list[bytes]:
    """The found rows in bytes, sorted; their type and order are asserted."""
    rows = joins.find(slice_, ids)
    assert rows.dtype == (PREDICTION if slice_.kind == "predictions" else LABEL)
    assert rows.flags.c_contiguous
    assert (rows["id"][1:] >= rows["id"][:-1]).all()
    return sorted(row.tobytes() for row in rows)


def assert_equal(joins: JoinStore, expected: JoinStore, ids: NDArray[np.uint64]) -> None:
    assert set(joins.slices()) == set(expected.slices())
    for slice_ in SLICES:
        assert content(joins, slice_, ids) == content(expected, slice_, ids)


class Trial:
    """Random operations on both stores."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.choice = random.Random(seed)
        self.generator = np.random.default_rng(seed)
        self.expected = MemoryJoinStore()
        self.committed = MemoryJoinStore()
        self.store = Store(path)
        self.joins = self.store.joins(SMALL)
        self.ids = np.unique(np.concatenate([EXTREMES, random_ids(self.generator, 1_500)]))

    def add(self) -> None:
        slice_ = self.choice.choice(SLICES)
        ids = self.generator.choice(self.ids[::2], self.choice.choice([1, 30, 200, 700]))
        if self.choice.random() < 0.2:
            ids = np.repeat(ids[:1], 400)
        rows = waiting(slice_, ids, self.generator)
        self.joins.add(slice_, rows)
        self.expected.add(slice_, rows)
        rows["id"] = 0  # the store has its own copy

    def drop(self) -> None:
        if self.choice.random() < 0.3:
            slice_ = self.choice.choice(SLICES)
            self.joins.drop(slice_)
            self.expected.drop(slice_)

    def find(self) -> None:
        number = self.choice.choice([0, 1, 5, 300])
        ids = np.unique(self.generator.choice(self.ids, number))
        assert_equal(self.joins, self.expected, ids)

    def commit(self) -> None:
        commit(self.store, self.joins)
        self.committed = copy.deepcopy(self.expected)

    def fail(self) -> None:
        with self.store._transaction() as db:
            self.joins.write(db)
            db.execute("ROLLBACK")
            db.execute("BEGIN")

    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.path)
        self.joins = self.store.joins(SMALL)
        self.expected = copy.deepcopy(self.committed)


@pytest.mark.parametrize("seed", range(8))
def test_random_operations_equal_lists_in_memory(
    path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "READ_BLOCKS", 1 + seed % 3)
    trial = Trial(path, seed)
    weights = {"add": 6, "drop": 1, "find": 4, "commit": 4, "fail": 1, "reopen": 1}
    for name in trial.choice.choices(list(weights), list(weights.values()), k=150):
        getattr(trial, name)()
    assert_equal(trial.joins, trial.expected, trial.ids)
    trial.commit()
    trial.reopen()
    assert_equal(trial.joins, trial.expected, trial.ids)
    trial.store.close()


def filled(store: Store, number: int, each: int = 320) -> tuple[SqliteJoinStore, Rows]:
    """A store after commits of ``each`` rows."""
    joins = store.joins(SMALL)
    rows = waiting(MONDAY, random_ids(np.random.default_rng(5), number * each))
    for part in np.split(rows, number):
        joins.add(MONDAY, part)
        commit(store, joins)
    return joins, rows


def assert_has(joins: SqliteJoinStore, rows: Rows) -> None:
    """Assert that Monday has exactly these rows."""
    found = content(joins, MONDAY, np.unique(rows["id"]))
    assert found == sorted(row.tobytes() for row in rows)
    assert joins.rows() == len(rows)


def test_a_slice_has_few_runs(store: Store) -> None:
    """Of 50 runs of 320 rows, twelve are merged into one of 3,840 at most."""
    joins, rows = filled(store, 50)
    assert_has(joins, rows)
    sizes = [run.rows for run in joins._slices[MONDAY].runs]
    assert max(sizes) <= SMALL.merged_rows
    assert len(sizes) <= 3 * len(rows) / SMALL.merged_rows + 6


def test_one_commit_merges_what_it_is_allowed_to(store: Store) -> None:
    """With 40 runs left unmerged, each commit merges 4,000 rows and at most one run more."""
    joins = store.joins(JoinSizes(run_rows=300, memory_rows=900, merged_rows=0))
    rows = waiting(MONDAY, random_ids(np.random.default_rng(5), 40 * 320))
    for part in np.split(rows, 40):
        joins.add(MONDAY, part)
        commit(store, joins)
    joins = store.joins(SMALL)
    runs_left = []
    for _ in range(6):
        commit(store, joins)
        runs_left.append(len(joins._slices[MONDAY].runs))
        assert_has(joins, rows)
    assert runs_left[0] >= 40 - 2 * 12 + 2
    assert runs_left[-1] <= 7


def test_the_rows_in_memory_are_bounded(store: Store) -> None:
    joins = store.joins(SMALL)
    for day in range(30):
        slice_ = Slice("predictions", day * DAY_MS, DAY_MS)
        joins.add(slice_, waiting(slice_, random_ids(np.random.default_rng(day), 100)))
        commit(store, joins)
        held = sum(len(content.memory) for content in joins._slices.values())
        assert held <= SMALL.memory_rows
    assert joins.rows() == 3_000


def test_uncommitted_rows_are_lost_on_reopening(store: Store, path: Path) -> None:
    joins, rows = filled(store, 3)
    joins.add(MONDAY, waiting(MONDAY, EXTREMES))
    assert len(joins.find(MONDAY, EXTREMES)) == len(EXTREMES)
    store.close()
    second = Store(path)
    assert_has(second.joins(), rows)
    second.close()


def tables(store: Store) -> set[str]:
    names = store._db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'waiting%'")
    return {name for (name,) in names}


FIXED = {"waiting_slices", "waiting_new", "waiting_runs"}


def test_a_dropped_slice_leaves_the_file_in_bounded_steps(store: Store) -> None:
    """A commit removes 40 blocks: the 12,800 rows of 89 blocks take three."""
    joins, rows = filled(store, 40)
    assert tables(store) == {*FIXED, "waiting_1"}
    joins.drop(MONDAY)
    assert list(joins.slices()) == []
    left: list[int] = []
    while tables(store) != FIXED:
        commit(store, joins)
        joins.add(MONDAY, rows[:1])
        assert len(joins.find(MONDAY, np.unique(rows["id"]))) == len(left) + 1
        left.append(len(tables(store)))
    assert left == [4, 4, 3]
    empty = "SELECT count(*) FROM waiting_runs"
    assert store._db.execute(empty).fetchone() == (0,)


def test_a_dropped_slice_of_an_ended_process_leaves_the_file(store: Store, path: Path) -> None:
    joins, _ = filled(store, 40)
    joins.drop(MONDAY)
    commit(store, joins)
    store.close()
    second = Store(path)
    joins = second.joins(SMALL)
    joins.add(MONDAY, waiting(MONDAY, random_ids(np.random.default_rng(9), 500)))
    for _ in range(3):
        commit(second, joins)
    assert tables(second) == {*FIXED, "waiting_2"}
    assert joins.rows() == 500
    second.close()


def test_a_generation_begins_without_waiting_rows(store: Store) -> None:
    filled(store, 5)
    store.begin("second")
    assert list(store.joins().slices()) == []
    assert tables(store) == FIXED


def test_a_time_outside_of_its_slice_is_refused(store: Store) -> None:
    joins = store.joins()
    rows = waiting(MONDAY, EXTREMES)
    for time_ms in (-1, DAY_MS):
        rows["time_ms"][2] = time_ms
        with pytest.raises(ValueError, match="rows with times from"):
            joins.add(MONDAY, rows)
    assert list(joins.slices()) == []


def test_a_full_disk_leaves_everything_as_it_was(store: Store, path: Path) -> None:
    """The failed commit may be repeated once there is space, and rows are found meanwhile."""
    joins, rows = filled(store, 11)
    more = waiting(MONDAY, random_ids(np.random.default_rng(7), 40_000))
    joins.add(MONDAY, more)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages + 40}")
    for _ in range(2):
        with pytest.raises(StateUnwritable, match="full"):
            commit(store, joins)
        assert_has(joins, np.concatenate([rows, more]))
    store._db.execute("PRAGMA max_page_count=1000000")
    commit(store, joins)
    assert_has(joins, np.concatenate([rows, more]))
    store.close()
    second = Store(path)
    assert_has(second.joins(SMALL), np.concatenate([rows, more]))
    second.close()


LIMITED = """
import resource, sys
sys.path.insert(0, {root!r})
from tests.unit.stream.state.labels.test_join_store import *
store = Store(Path({path!r}))
joins = store.joins(SMALL)
rows = waiting(MONDAY, random_ids(np.random.default_rng(5), 3520))
more = waiting(MONDAY, random_ids(np.random.default_rng(7), 40_000))
joins.add(MONDAY, more)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
try:
    commit(store, joins)
except StateUnwritable:
    assert_has(joins, np.concatenate([rows, more]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    commit(store, joins)
    print("repeated")
store.close()
"""


def run(script: str, path: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", script.format(root=str(ROOT), path=str(path))]
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


def test_a_write_that_fails_in_the_log_can_be_repeated(store: Store, path: Path) -> None:
    """The process may write no file beyond 400,000 bytes, until the commit has failed."""
    _, rows = filled(store, 11)
    store.close()
    result = run(LIMITED, path)
    assert (result.returncode, result.stdout) == (0, b"repeated\n"), result.stderr
    second = Store(path)
    more = waiting(MONDAY, random_ids(np.random.default_rng(7), 40_000))
    assert_has(second.joins(SMALL), np.concatenate([rows, more]))
    second.close()


KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from tests.unit.stream.state.labels.test_join_store import *
store = Store(Path({path!r}))
joins = store.joins(SMALL)
joins.add(MONDAY, waiting(MONDAY, EXTREMES.repeat(100)))
joins._merge = lambda db, rows: (SqliteJoinStore._merge(joins, db, rows), os.kill(os.getpid(), 9))
commit(store, joins)
"""


def test_a_kill_in_a_commit_that_merges_leaves_the_last_commit(store: Store, path: Path) -> None:
    _, rows = filled(store, 12)
    assert len(store.joins(SMALL)._slices[MONDAY].runs) == 4
    store.close()
    assert run(KILLED, path).returncode == -9
    second = Store(path)
    assert_has(second.joins(SMALL), rows)
    second.close()
