"""`driftline explain` of a window that was compared with a season."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.report import WindowReport
from stream.baselining.build import BuiltBaseline, write
from stream.commands.explain import explain
from stream.errors import DataError
from stream.state.archive import SCHEMA, Archive, read_baseline
from stream.testing.baselines import window
from tests.support.seasons import HOUR_MS, cycle_rows, with_cycle

KNOWN = with_cycle(np.random.default_rng(71), 300)
OTHER = with_cycle(np.random.default_rng(72), 300)


def report(known: Baseline = KNOWN) -> WindowReport:
    values = cycle_rows(np.random.default_rng(73), 18, 400)
    at = WindowSpan(model="m", variant="v", start_ms=6 * HOUR_MS, end_ms=7 * HOUR_MS)
    counts = window(known.layout, values)
    return Judge("j", Rules(mode="evidence")).report(at, known, counts, EpisodeState())


def explained(folder: Path, published: WindowReport, known: Baseline) -> tuple[bool, str]:
    write(BuiltBaseline(known, {}, {}, {}), folder / "b")
    (folder / "b" / "constraints.json").unlink()
    (folder / "reports-1.jsonl").write_bytes(msgspec.json.encode(published) + b"\n")
    console = Console(file=io.StringIO(), width=200)
    matches = explain([published.id, "number"], None, folder, folder / "b", console)
    assert isinstance(console.file, io.StringIO)
    return matches, console.file.getvalue()


def test_the_page_names_the_season_and_its_numbers_match(tmp_path: Path) -> None:
    published = report()
    assert published.violations
    matches, page = explained(tmp_path, published, KNOWN)
    assert matches
    assert "compared with hour_of_day 6 (300 rows of the baseline)" in page


def test_a_report_from_before_the_seasons_is_compared_with_the_whole_baseline(
    tmp_path: Path,
) -> None:
    matches, page = explained(tmp_path, report(KNOWN.without_seasons), KNOWN)
    assert matches
    assert "compared with" not in page


def test_another_version_of_the_seasons_is_refused(tmp_path: Path) -> None:
    assert KNOWN.seasons is not None
    halved = KNOWN.seasonal(type(KNOWN.seasons)(KNOWN.seasons.calendar, {}))
    with pytest.raises(DataError, match=f"it needs the seasons {KNOWN.seasons.fingerprint}"):
        explained(tmp_path, report(), halved)
    with pytest.raises(DataError, match="it needs the baseline"):
        explained(tmp_path, report(), OTHER)


def test_the_archive_keeps_each_version_of_the_seasons(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    assert KNOWN.seasons is not None
    seasons = KNOWN.seasons.fingerprint
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(SCHEMA)
        Archive(db).add([KNOWN.without_seasons], [])
        Archive(db).add([KNOWN], [])
    plain = read_baseline(path, KNOWN.fingerprint)
    seasonal = read_baseline(path, KNOWN.fingerprint, seasons)
    assert plain is not None
    assert plain.seasons is None
    assert seasonal is not None
    assert seasonal.seasons is not None
    assert seasonal.seasons.fingerprint == seasons
    assert read_baseline(path, KNOWN.fingerprint, "0" * 16) is None
