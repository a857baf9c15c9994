"""Damaged states end in an error with a documented exit code, never in another exception."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detectors.quality.counts import QualityCounts
from stream.aggregation.panes import PaneId
from stream.aggregation.quality_panes import QualityPane, QualityPaneId
from stream.aggregation.state import JobState, ModelState
from stream.errors import StateLocked, StateUnreadable, StateUnwritable
from stream.events import DeadLetter, DeadLetters, Output, SeenIds
from stream.labels.store import Slice
from stream.state.identity import StateIdentity
from stream.state.labels.join_store import JoinSizes
from stream.state.store import Store
from stream.testing.baselines import baseline, normal, window
from stream.testing.reports import report, signal
from tests.support.waiting import DAY_MS, random_ids, waiting

BASE = baseline({"x": normal(1, 2_000)})
LAYOUT = BASE.layout
PANE = PaneId("m", "v", LAYOUT.fingerprint, 60_000)
IDENTITY = StateIdentity(
    job="job",
    source="jsonl /captures",
    window_ms=60_000,
    every_ms=60_000,
    configured={"m": BASE.fingerprint},
)
DAY, NEXT_DAY = (Slice("predictions", start_ms, DAY_MS) for start_ms in (0, DAY_MS))
WAITING_IDS = np.sort(random_ids(np.random.default_rng(1), 300))
QUALITY_PANE = QualityPaneId("m", "v", 60_000)
LETTER = DeadLetter(partition="p", position=7, reason="undecodable", length=3, sha256="aa")
COLUMNS = [
    ("meta", "body"),
    ("panes", "body"),
    ("panes", "start_ms"),
    ("newest", "body"),
    ("outbox", "body"),
    ("outbox", "kind"),
    ("outbox", "at_ms"),
    ("cursors", "seq"),
    ("cursors", "sink"),
    ("baselines", "body"),
    ("ids", "body"),
    ("ids", "slice_ms"),
    ("waiting_slices", "number"),
    ("waiting_slices", "kind"),
    ("waiting_slices", "start_ms"),
    ("waiting_slices", "length_ms"),
    ("waiting_new", "number"),
    ("waiting_new", "body"),
    ("waiting_runs", "number"),
    ("waiting_runs", "slice"),
    ("waiting_runs", "row_count"),
    ("waiting_runs", "firsts"),
    ("waiting_runs", "filter"),
    ("waiting_1", "block"),
    ("waiting_1", "body"),
    ("quality_panes", "start_ms"),
    ("quality_panes", "body"),
]
"""The columns that hold something to decode."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A state with something in every table."""
    path = tmp_path_factory.mktemp("state") / "whole.sqlite"
    with closing(Store(path)) as store:
        store.keep([BASE], [])
        panes = store.panes([LAYOUT])
        panes.put(PANE, window(LAYOUT, {"x": normal(3, 500)}))
        ids = store.ids()
        ids.add(SeenIds("p", 0, bytes(16)))
        joins = store.joins(JoinSizes(run_rows=200))
        joins.add(DAY, waiting(DAY, WAITING_IDS))
        joins.add(NEXT_DAY, waiting(NEXT_DAY, WAITING_IDS[:20]))
        quality = store.quality_panes()
        quality.put(QUALITY_PANE, QualityPane(counts=QualityCounts(np.arange(2), np.ones(2, int))))
        state = JobState(models={"m": ModelState(BASE.fingerprint)})
        outputs: list[Output] = [report(), signal(), DeadLetters((LETTER,))]
        store.commit(IDENTITY, state, [panes, ids, joins, quality], outputs, {"sink": 0})
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def read_everything(path: Path) -> None:
    """Open a state and read all that a service reads from it."""
    with closing(Store(path)) as store:
        store.load()
        store.outbox()
        store.newest()
        store.cursors()
        store.last_seq()
        panes = store.panes([LAYOUT])
        panes.rows()
        for pane in panes.ids():
            panes.get(pane)
        ids = store.ids()
        ids.of("p")
        joins = store.joins()
        for slice_ in joins.slices():
            joins.find(slice_, WAITING_IDS)
        quality = store.quality_panes()
        for quality_pane in quality.starting_before(1 << 60):
            quality.get(quality_pane)


def assert_told(path: Path) -> None:
    """Assert that reading the state works or raises one of the documented errors."""
    with suppress(StateUnreadable, StateUnwritable):
        read_everything(path)


def test_the_whole_state_is_readable(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "job.sqlite"
    path.write_bytes(whole)
    read_everything(path)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_damaged_content_is_told(table: str, column: str, whole: bytes, tmp_path: Path) -> None:
    """Each value of the column is replaced by garbage, cut, or changed in one bit."""
    generator = random.Random(f"{table} {column}")
    intact = tmp_path / "intact.sqlite"
    intact.write_bytes(whole)
    with closing(sqlite3.connect(intact)) as db:
        (value,) = db.execute(f"SELECT {column} FROM {table}").fetchone()
    body = value if isinstance(value, bytes) else str(value).encode()
    replacements: list[object] = [b"", b"\xc1", b"\x90", "a text", -1, 1e308, b"\xff" * 300]
    for _ in range(6):
        flipped = bytearray(body)
        flipped[generator.randrange(len(body))] ^= 1 << generator.randrange(8)
        replacements += [bytes(flipped), body[: generator.randrange(len(body))]]
    for number, replacement in enumerate(replacements):
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(whole)
        with closing(sqlite3.connect(path)) as db, suppress(sqlite3.IntegrityError), db:
            db.execute(f"UPDATE {table} SET {column} = ?", (replacement,))
        assert_told(path)


def changed_pane(field: int, value: object) -> Callable[[bytes], bytes]:
    """A change of one field of an encoded profile."""

    def change(body: bytes) -> bytes:
        fields = msgspec.msgpack.decode(body)
        fields[field] = value
        return msgspec.msgpack.encode(fields)

    return change


@pytest.mark.parametrize("size", [10 << 30, -1, 0, 1])
def test_the_size_that_a_pane_states_is_not_allocated(
    size: int, whole: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "job.sqlite"
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as db, db:
        (body,) = db.execute("SELECT body FROM panes").fetchone()
        fields = msgspec.msgpack.decode(body)
        sizes = [k for k, field in enumerate(fields) if field == LAYOUT.size * 8 + 32]
        assert len(sizes) == 1
        db.execute("UPDATE panes SET body = ?", (changed_pane(sizes[0], size)(body),))
    with pytest.raises(StateUnreadable, match="a pane of model 'm' is damaged"):
        read_everything(path)


@pytest.mark.parametrize("flips", [1, 20])
def test_flipped_bits_anywhere_in_the_file_are_told(
    flips: int, whole: bytes, tmp_path: Path
) -> None:
    generator = random.Random(flips)
    for number in range(25):
        content = bytearray(whole)
        for _ in range(flips):
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(content)
        assert_told(path)


@pytest.mark.parametrize("length", [0, 1, 100, 4_096])
def test_a_truncated_file_is_refused(length: int, whole: bytes, tmp_path: Path) -> None:
    """An empty file too: it is not a new job, whose file is never empty."""
    path = tmp_path / "job.sqlite"
    path.write_bytes(whole[:length])
    with pytest.raises((StateUnreadable, StateUnwritable)):
        read_everything(path)


def test_a_folder_or_a_dead_link_in_place_of_the_state_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/nonexistent/state")
    for name in ("folder", "link"):
        with pytest.raises((StateUnreadable, StateUnwritable)):
            Store(tmp_path / name)


def test_a_state_without_its_log_of_an_earlier_one_starts_anew(
    whole: bytes, tmp_path: Path
) -> None:
    """A removed state does not come back from the write-ahead log that was left."""
    path = tmp_path / "job.sqlite"
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute("UPDATE meta SET body = body")
        db.commit()
        log = Path(f"{path}-wal").read_bytes()
    path.unlink()
    Path(f"{path}-wal").write_bytes(log)
    with closing(Store(path)) as store:
        assert store.load() is None


def second_owner(path: Path) -> str:
    """What a second process that opens the state gets: its exit code is that of the error."""
    child = os.fork()
    if child == 0:
        try:
            Store(path)
        except StateLocked as error:
            os._exit(error.exit_code)
        os._exit(0)
    return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def test_a_second_owner_is_refused_by_whichever_name_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "job.sqlite"
    with closing(Store(path)):
        (tmp_path / "symbolic").symlink_to(path)
        os.link(path, tmp_path / "hard")
        (tmp_path / "folder").symlink_to(tmp_path)
        names = [path, tmp_path / "symbolic", tmp_path / "hard", tmp_path / "folder" / "job.sqlite"]
        assert [second_owner(name) for name in names] == ["5"] * 4
        Path(f"{path}.lock").unlink()
        assert second_owner(path) == "5"
    assert second_owner(path) == "0"


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM waiting_1 WHERE block = (SELECT max(block) FROM waiting_1)",
        "UPDATE waiting_1 SET body = substr(body, 29)",
        "UPDATE waiting_1 SET body = substr(body, 1, length(body) - 28)",
        "UPDATE waiting_1 SET body = zeroblob(length(body))",
        "DROP TABLE waiting_1",
        "DELETE FROM waiting_slices WHERE number = 1",
        "DELETE FROM waiting_slices WHERE number = 2",
        "UPDATE waiting_new SET body = substr(body, 2)",
        "UPDATE waiting_runs SET row_count = row_count + 1",
        "UPDATE waiting_runs SET firsts = substr(firsts, 9)",
        "UPDATE waiting_runs SET filter = x''",
    ],
)
def test_waiting_rows_that_do_not_fit_together_are_told(
    change: str, whole: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "job.sqlite"
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(change)
    with pytest.raises(StateUnreadable):
        read_everything(path)
