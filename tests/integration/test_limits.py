"""Limits changed between two runs apply from the next window, and nothing is reset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream.cli import main
from stream.config.load import parse
from stream.service.service import Service
from tests.servers.service import RunningService
from tests.support import events
from tests.support.jobs import (
    MINUTE_MS,
    PER_S,
    PER_WINDOW,
    START_MS,
    append,
    config,
    learn,
    lines_of,
    rows,
)

HALF = PER_WINDOW // 2
FILES = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"]}


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return learn(tmp_path)


def edit(baseline: Path, feature: str, **changes: Any) -> None:
    """Edit the constraints of a feature, as a user does in ``constraints.json``."""
    path = baseline / "constraints.json"
    content = json.loads(path.read_text())
    next(part for part in content["features"] if part["name"] == feature).update(changes)
    path.write_text(json.dumps(content))


def explained(service: RunningService, report_id: str, feature: str) -> str:
    arguments = ["explain", report_id, feature, "--config", str(service.config)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_edited_constraints_judge_the_open_window_and_old_reports_stay_explainable(
    baseline: Path, tmp_path: Path
) -> None:
    """The second window is half full when the service is stopped and its limits are edited."""
    lines = lines_of(4)
    append(tmp_path, lines[: PER_WINDOW + HALF])
    with RunningService(tmp_path, config(baseline, idle="1h")) as service:
        service.until(lambda: len(rows(service)) == 1 and service.accepted() == PER_WINDOW + HALF)
        assert service.stop() == 0
    edit(baseline, "country", string_constraints={"domains": ["DE", "FR"]})
    append(tmp_path, lines[PER_WINDOW + HALF :], PER_WINDOW + HALF)
    changed = config(baseline, idle="1h", rules={"mode": "threshold", "min_n": 50})
    with RunningService(tmp_path, changed) as service:
        service.until(lambda: len(rows(service)) == 3)
        assert service.stop() == 0
    assert rows(service) == dict.fromkeys(range(1, 4), PER_WINDOW)
    first, second, third = service.reports()
    checks = [[v.check for v in report.violations] for report in (first, second, third)]
    assert checks == [[], ["categorical_values_check"], ["categorical_values_check"]]
    assert first.baseline == second.baseline == third.baseline
    assert first.limits != second.limits == third.limits
    assert (first.rules["min_n"], second.rules["min_n"]) == (100, 50)
    [change] = [json.loads(line) for line in service.log.splitlines() if "limits_changed" in line]
    assert (change["model"], change["before"], change["after"]) == (
        "m",
        first.limits,
        second.limits,
    )
    for report in (first, second):
        assert "all recomputed values match" in explained(service, report.id, "country")


def test_an_explanation_without_the_state_reports_that_the_limits_are_not_kept(
    baseline: Path, tmp_path: Path
) -> None:
    append(tmp_path, lines_of(1))
    settings = config(baseline, source=FILES, http={"port": 0})
    assert Service(parse(settings, tmp_path)).run() == 0
    [report] = RunningService(tmp_path, {}).reports()
    arguments = [report.id, "country", "--reports", str(tmp_path / "reports")]
    result = CliRunner().invoke(main, ["explain", *arguments, "--baseline", str(baseline)])
    assert result.exit_code == 0, result.output
    assert f"limits {report.limits} are not kept here" in result.output


def test_the_memory_of_violations_and_an_open_episode_outlive_changed_limits(
    baseline: Path, tmp_path: Path
) -> None:
    """Amounts are in cents from the third window on; two violations of three open an episode. The
    limits change after the first violation, and again while the episode is open.
    """
    values = events.values(6 * PER_WINDOW, 3)
    cents = [
        str(float(amount) * 100) if number >= 2 * PER_WINDOW else amount
        for number, amount in enumerate(values["amount"])
    ]
    lines = events.capture_lines(
        {**values, "amount": cents}, start_ms=START_MS, events_a_second=PER_S
    )
    policy = {"mode": "threshold", "k": 2, "of": 3, "overwhelming_n": 1_000_000}
    kinds = []
    for first, last, min_n in ((0, 3, 100), (3, 4, 90), (4, 6, 80)):
        append(tmp_path, lines[first * PER_WINDOW : last * PER_WINDOW], first * PER_WINDOW)
        rules = {**policy, "min_n": min_n}
        settings = config(baseline, source=FILES, http={"port": 0}, rules=rules)
        assert Service(parse(settings, tmp_path)).run() == 0
        signals = RunningService(tmp_path, {}).signals()
        kinds.append([signal.kind for signal in signals])
    assert kinds == [[], ["opened"], ["opened"]]
    assert signals[0].first_violation_ms == START_MS + 2 * MINUTE_MS
    assert len({report.limits for report in RunningService(tmp_path, {}).reports()}) == 3
