"""A job is reopened with another configuration: what continues, closes, or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.profiles.calendar import Calendar
from detectors.profiles.layout import HEAD, INTEGRAL
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from detectors.report import WindowReport
from detectors.statistics.evidence.tallies import tally_layout
from stream.baselining.build import load_baseline, make_from_files, write
from stream.config.load import parse
from stream.delivery.routes import routes_of
from stream.errors import ConfigError, StateIncompatible
from stream.events import (
    Assign,
    DeadLetter,
    DeadLetters,
    DiscoveredPartition,
    ModelKey,
    Partial,
)
from stream.service.job import Job, open_job
from stream.testing.reports import report
from tests.support.records import covered_range

A = ModelKey("a", "AllTraffic")
HOUR_MS = 3_600_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, columns in (("xy", "pxy"), ("x", "px"), ("xyz", "pxyz")):
        rows = "".join(
            ",".join(f"{value:.3f}" for value in rng.normal(size=len(columns))) + "\n"
            for _ in range(300)
        )
        (tmp_path / f"{name}.csv").write_text(",".join(columns) + "\n" + rows)
        write(make_from_files(tmp_path / f"{name}.csv", ["p"]), tmp_path / name)
    return tmp_path


def opened(folder: Path, models: dict[str, Any], *, accept: bool = False, **changes: Any) -> Job:
    defaults = {
        "job": "j",
        "source": {"type": "jsonl", "path": "captures"},
        "format": {"type": "sagemaker"},
        "grace": "0s",
    }
    origin = {"from": "path", "name": "model"}
    return open_job(
        parse({**defaults, "model": origin, "models": models, **changes}, folder), accept
    )


def model(baseline: str, *inputs: str) -> dict[str, Any]:
    return {"baseline": baseline, **({"outputs": ["p"], "inputs": [*inputs]} if inputs else {})}


def send(job: Job, times_ms: list[int], key: ModelKey = A) -> list[WindowReport]:
    """Accept and commit a partial with a row at each time; return the reports."""
    aggregator = job.aggregator
    aggregator.step(DiscoveredPartition("s", 0))
    partition = aggregator.state.partitions["s"]
    layout = aggregator.baselines[key.model].layout
    every = aggregator.settings.every_ms
    profiles: dict[int, Profile] = {}
    for time_ms in times_ms:
        profile = profiles.setdefault(time_ms // every * every, Profile(layout))
        profile.rows += 1
        for start in layout.starts[:-1]:
            profile.counts[[start + INTEGRAL, start + HEAD]] += 1
    assert isinstance(partition.next, int)
    count = len(times_ms)
    mark = max([*times_ms, partition.mark_ms or 0])
    cover = covered_range("s", partition.next, count, mark, claim=partition.claim)
    layouts = {name: baseline.layout.fingerprint for name, baseline in aggregator.baselines.items()}
    outputs = aggregator.step(
        Partial(
            covers=(cover,),
            layouts=layouts,
            profiles=[(key, pane, profile) for pane, profile in profiles.items()],
        )
    )
    assert not [output for output in outputs if isinstance(output, Assign)]
    return finish(job, [output for output in outputs if isinstance(output, WindowReport)])


def finish(job: Job, reports: list[WindowReport]) -> list[WindowReport]:
    job.store.commit(
        job.identity,
        job.aggregator.state,
        job.tables,
        [*job.pending, *reports],
        {"sink": 0},
    )
    assert job.aggregator.state.ledger.imbalance() == {}
    return reports


def closed(job: Job) -> list[tuple[int, int | None, int, str]]:
    """The windows that were closed by the changes since the last run."""
    return [
        (output.start_ms, output.end_ms, output.rows, output.state)
        for output in job.pending
        if isinstance(output, WindowReport)
    ]


def test_a_baseline_may_drop_a_column_that_is_no_longer_named(folder: Path) -> None:
    job = opened(folder, {"a": model("xy", "x", "y")})
    send(job, [60_000, 70_000])
    job.store.close()
    with pytest.raises(StateIncompatible, match="baseline of model 'a'"):
        opened(folder, {"a": model("x", "x")})
    job = opened(folder, {"a": model("x", "x")}, accept=True)
    assert closed(job) == [(60_000, 120_000, 2, "incomplete")]
    assert set(job.aggregator.baselines["a"].layout.index) == {"p", "x"}
    finish(job, [])
    job.store.close()


def test_a_baseline_that_does_not_fit_the_named_columns_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="features y"):
        opened(folder, {"a": model("xy", "x")})


def test_a_column_that_is_named_later_is_learned(folder: Path) -> None:
    opened(folder, {"a": model("xy", "x", "y")}).store.close()
    job = opened(folder, {"a": model("xy", "x", "y")})
    send(job, [60_000])
    job.store.close()
    job = opened(folder, {"a": model("xy", "x", "y", "z")})
    assert job.aggregator.state.models["a"].learning
    job.store.close()


def test_a_model_added_with_another_window_length_is_learned(folder: Path) -> None:
    job = opened(folder, {"a": model("xy")})
    send(job, [60_000, 70_000])
    job.store.close()
    job = opened(folder, {"a": model("xy"), "n": model("learn", "k")}, accept=True, window="30s")
    assert closed(job) == [(60_000, 120_000, 2, "incomplete")]
    assert job.aggregator.state.models["n"].learning
    assert not job.aggregator.state.models["a"].learning
    reports = send(job, [80_000, 100_000, 130_000, 150_000])
    assert [(report.start_ms, report.state) for report in reports] == [
        (60_000, "incomplete"),
        (90_000, "incomplete"),
        (120_000, "ok"),  # one row is judged, too
    ]
    job.store.close()


def test_two_models_with_one_baseline_are_independent(folder: Path) -> None:
    job = opened(folder, {"a": model("xy"), "b": model("xy")})
    send(job, [60_000, 70_000], ModelKey("b", "AllTraffic"))
    send(job, [70_000])
    job.store.close()
    job = opened(folder, {"a": model("xy")})
    assert closed(job) == [(60_000, 120_000, 2, "incomplete")]
    send(job, [80_000])
    job.store.close()
    job = opened(folder, {"a": model("xy")})
    assert closed(job) == []
    reports = [report for report in send(job, [190_000]) if report.state != "no data"]
    assert [(report.model, report.rows) for report in reports] == [("a", 2)]
    job.store.close()


def test_another_source_is_refused_by_name(folder: Path) -> None:
    job = opened(folder, {"a": model("xy")})
    send(job, [60_000])
    job.store.close()
    with pytest.raises(StateIncompatible, match="source was jsonl"):
        opened(
            folder, {"a": model("xy")}, source={"type": "jsonl", "path": "elsewhere"}, accept=True
        )


def test_missing_panes_are_an_imbalance_of_the_ledger(folder: Path) -> None:
    job = opened(folder, {"a": model("xy")})
    send(job, [60_000, 70_000])
    job.store._db.execute("DELETE FROM panes")
    job.store.close()
    job = opened(folder, {"a": model("xy")})
    assert job.aggregator.state.ledger.imbalance() == {"rows in panes": 2}
    job.store.close()


def remembered(job: Job, model: str = "a") -> list[int]:
    """The ends of the windows that later ones of a model are judged together with."""
    layout = tally_layout(job.aggregator.baselines[model])
    history = job.tables.histories.get(ModelKey(model, "AllTraffic"), layout)
    return [window.end_ms for window in history.windows()]


EVIDENCE = {"mode": "evidence"}
XY = {"a": model("xy")}


@pytest.fixture
def stopped(folder: Path) -> Path:
    """The folder of a job that has remembered two windows of its model, and was stopped."""
    job = opened(folder, XY, rules=EVIDENCE)
    send(job, [60_000, 130_000, 190_000])
    assert remembered(job) == [120_000, 180_000]
    job.store.close()
    return folder


def test_a_history_continues_over_a_restart_and_another_mode(stopped: Path) -> None:
    for mode, ends in (("threshold", [120_000, 180_000]), ("evidence", [120_000, 180_000])):
        job = opened(stopped, XY, rules={"mode": mode})
        assert remembered(job) == ends
        finish(job, [])
        job.store.close()
    job = opened(stopped, XY, rules=EVIDENCE)
    send(job, [250_000])
    assert remembered(job) == [120_000, 180_000, 240_000]
    job.store.close()


@pytest.mark.parametrize(
    "changed",
    [
        {"models": {"a": model("xyz")}},
        {"models": XY, "window": "2m"},
        {"models": {"b": model("xy")}},
    ],
    ids=["another baseline", "another window length", "removed"],
)
def test_a_changed_model_begins_with_an_empty_history(
    stopped: Path, changed: dict[str, Any]
) -> None:
    changed = {"rules": EVIDENCE, **changed}
    finished = opened(stopped, accept=True, **changed)
    finish(finished, [])
    finished.store.close()
    job = opened(stopped, XY, rules=EVIDENCE, accept=True)
    assert remembered(job) == []
    assert job.store._db.execute("SELECT count(*) FROM histories").fetchone() == (0,)
    job.store.close()


def test_every_sink_and_the_dead_letters_wait_for_permission_to_deliver(folder: Path) -> None:
    models = {"a": model("xy")}
    reports = folder / "reports"
    job = opened(
        folder,
        models,
        sinks=[{"type": "jsonl", "path": "reports"}],
        dead_letters={"path": "reports/dead.jsonl"},
    )
    refusals: list[bool] = []

    def refuse() -> bool:
        refusals.append(False)
        return False

    routes = routes_of(job.config, job.store, may_deliver=refuse)
    letters = DeadLetters(
        (DeadLetter(partition="p", position=7, reason="undecodable", length=3, sha256="aa"),)
    )
    for route, item in zip(routes, [letters, report()], strict=True):
        assert isinstance(item, route.takes)
        route.courier.offer([(1, item)])
        route.courier.start()
        assert not route.courier.drain(0.3)
        assert refusals
        refusals.clear()
        route.courier.stop(5)
    job.store.close()
    assert [file for file in reports.rglob("*") if file.is_file()] == []


def test_seasons_of_the_stream_are_in_force_again_after_a_restart(folder: Path) -> None:
    season = {"by": ["hour_of_day"], "learn": "1d"}
    models = {"a": {**model("xy"), "season": season}}
    job = opened(folder, models, window="1h")
    for hour in range(24):
        send(job, [hour * HOUR_MS + k for k in range(hour % 3 + 1)])
    job.store.close()
    job = opened(folder, models, window="1h")
    assert job.aggregator._windows.baselines["a"].seasons is None
    send(job, [24 * HOUR_MS, 25 * HOUR_MS, 26 * HOUR_MS])
    learned = job.aggregator._windows.baselines["a"].seasons
    assert learned is not None
    assert {key: profile.rows for key, profile in learned.profiles.items()} == {
        (str(hour),): hour % 3 + 1 for hour in range(24)
    }
    job.store.close()
    job = opened(folder, models, window="1h")
    found = job.aggregator._windows.baselines["a"].seasons
    assert found is not None
    assert found.fingerprint == learned.fingerprint
    job.store.close()
    job = opened(folder, {"a": model("xy")}, window="1h")
    assert job.aggregator._windows.baselines["a"].seasons is None
    job.store.close()


def test_seasons_that_a_baseline_gets_or_loses_are_in_force_after_a_restart(folder: Path) -> None:
    plain = load_baseline(folder / "xy")
    seasons = Seasons(Calendar(by=("month",)), {("1",): plain.profile})
    for given in (None, seasons, None):
        (folder / "xy" / "baseline.msgpack").write_bytes(plain.seasonal(given).encode())
        job = opened(folder, XY)
        send(job, [60_000, 130_000])
        found = job.aggregator._windows.baselines["a"].seasons
        assert (found and found.fingerprint) == (given and given.fingerprint)
        job.store.close()
