"""Runs that read a bounded source to its end: what they say, and what a second run may read."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from detectors.report import WindowReport
from stream.errors import HttpUnavailable
from stream.service.ending import NOTHING_COUNTED, NOTHING_FOUND, NOTHING_JUDGED
from tests.servers.service import RunningService, newest
from tests.support import jobs
from tests.support.jobs import PER_WINDOW, lines_of
from tests.unit.stream.test_cli import driftline

pytestmark = pytest.mark.programs
STATE = "driftline-files.sqlite"


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jobs.learn(tmp_path_factory.mktemp("training"))


def settings(baseline: Path, **changes: Any) -> dict[str, Any]:
    source = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"]}
    return jobs.config(baseline, **{"source": source, "http": {"port": 0}, **changes})


def run(folder: Path, config: dict[str, Any], *options: str) -> tuple[int, str, list[WindowReport]]:
    """Run to the end; return the exit code, what the run wrote to stderr, and all reports."""
    service = RunningService(folder, config)
    (folder / "log").unlink(missing_ok=True)
    service.start(*options)
    code = service.wait()
    return code, service.log, service.reports()


def remove_state(folder: Path) -> None:
    for path in folder.glob(f"{STATE}*"):
        path.unlink()


def test_after_a_mistake_everything_rejected_is_read_again(baseline: Path, tmp_path: Path) -> None:
    jobs.append(tmp_path, lines_of(2))
    code, text, reports = run(tmp_path, settings(baseline, time={"path": "nowhere"}))
    assert (code, reports) == (NOTHING_COUNTED, [])
    assert f"nothing counted; of {2 * PER_WINDOW:,} records none was accepted" in text
    assert f"{2 * PER_WINDOW:,} time_missing" in text

    code, text, reports = run(tmp_path, settings(baseline))
    assert (code, reports) == (NOTHING_COUNTED, [])
    assert "none_accepted_before" in text
    assert "nothing new: everything was read before" in text
    assert "--from-start" in text

    code, text, reports = run(tmp_path, settings(baseline), "--from-start")
    assert code == 0, text
    assert sum(report.rows for report in newest(reports).values()) == 2 * PER_WINDOW
    assert {report.generation for report in reports} == {""}, "no id was published before"


def test_a_second_run_says_that_nothing_is_new(baseline: Path, tmp_path: Path) -> None:
    jobs.append(tmp_path, lines_of(2))
    assert run(tmp_path, settings(baseline))[0] == 0
    code, text, _ = run(tmp_path, settings(baseline))
    assert code == 0
    assert f"nothing new: everything was read before (state {tmp_path / STATE})" in text
    assert "`driftline run --from-start`, or remove the state" in text


@pytest.mark.parametrize("how", ["from start", "without state", "another state"])
def test_what_is_counted_again_is_a_generation_of_its_own(
    baseline: Path, tmp_path: Path, how: str
) -> None:
    jobs.append(tmp_path, lines_of(3))
    _, _, first = run(tmp_path, settings(baseline))
    jobs.append(tmp_path, lines_of(1, seed=5))  # late: the first window gets another content
    config = settings(baseline, lateness="1h")
    if how == "without state":
        remove_state(tmp_path)
    if how == "another state":
        config["state"] = {"path": "other.sqlite"}
    code, text, reports = run(tmp_path, config, *(["--from-start"] * (how == "from start")))
    assert code == 0, text
    again = [report for report in reports if report.generation]
    assert "generation_begun" in text
    assert len(reports) == len(first) + len(again)
    assert not {report.id for report in again} & {report.id for report in first}
    assert sum(report.rows for report in newest(again).values()) == 4 * PER_WINDOW
    ids = [line.id for line in RunningService(tmp_path, config).signals()]
    assert len(ids) == len(set(ids))

    service = RunningService(tmp_path, config)
    for report in (first[0], again[-1]):
        done = driftline("explain", report.id, "amount", "--config", str(service.config))
        assert done.exit_code == 0, done.output
        assert "all recomputed values match" in done.stdout


def test_a_generation_continues_with_its_state(baseline: Path, tmp_path: Path) -> None:
    lines = lines_of(4)
    jobs.append(tmp_path, lines[: 2 * PER_WINDOW])
    run(tmp_path, settings(baseline))
    run(tmp_path, settings(baseline), "--from-start")
    jobs.append(tmp_path, lines[2 * PER_WINDOW :])
    _, _, reports = run(tmp_path, settings(baseline, lateness="1h"))
    assert len({report.generation for report in reports}) == 2
    of_second = [report for report in reports if report.generation]
    assert sum(report.rows for report in newest(of_second).values()) == 4 * PER_WINDOW


def test_the_state_of_another_job_is_never_forgotten(baseline: Path, tmp_path: Path) -> None:
    jobs.append(tmp_path, lines_of(1))
    config = settings(baseline, state={"path": "state.sqlite"})
    run(tmp_path, config)
    code, text, _ = run(tmp_path, {**config, "job": "other"}, "--from-start")
    assert code == 4
    assert "state: job was files, configured is other" in text
    code, text, _ = run(tmp_path, config)
    assert code == 0
    assert "nothing new" in text


def test_a_source_without_records_has_a_code_of_its_own(baseline: Path, tmp_path: Path) -> None:
    jobs.append(tmp_path, [])
    code, text, _ = run(tmp_path, settings(baseline))
    assert code == NOTHING_FOUND
    assert "nothing found: jsonl " in text


def test_too_few_events_to_judge_have_a_code_of_their_own(baseline: Path, tmp_path: Path) -> None:
    jobs.append(tmp_path, lines_of(1)[:10])
    code, text, reports = run(tmp_path, settings(baseline, rules={"mode": "threshold"}))
    assert code == NOTHING_JUDGED
    assert {report.state for report in reports} == {"insufficient"}
    assert "nothing judged: 10 events accepted, and the windows are 1 'insufficient'" in text


def test_hanging_up_reloads_limits_and_keeps_counting(baseline: Path, tmp_path: Path) -> None:
    lines = lines_of(6)
    follow = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"], "follow": True}
    config = settings(baseline, source=follow, rules={"mode": "threshold", "min_n": 100}, idle="1h")
    with RunningService(tmp_path, config) as service:
        jobs.append(tmp_path, lines[: 2 * PER_WINDOW])
        service.until(lambda: "window_closed" in service.log)
        stricter = {**config, "rules": {"mode": "threshold", "min_n": 100, "limit": 0.0123}}
        service.config.write_text(yaml.safe_dump(stricter))
        service.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
        service.until(lambda: "limits_changed" in service.log)
        service.config.write_text(yaml.safe_dump({**stricter, "rules": {"limt": 1}}))
        service.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
        service.until(lambda: "reload_refused" in service.log)
        jobs.append(tmp_path, lines[2 * PER_WINDOW :], 2 * PER_WINDOW)
        service.until(lambda: len(newest(service.reports())) >= 5)
        assert service.stop() == 0
    limits = [report.limits for report in newest(service.reports()).values()]
    changed = next(line for line in service.log.splitlines() if "limits_changed" in line)
    logged = json.loads(changed)
    assert (limits[0], limits[-1]) == (logged["before"], logged["after"])
    assert {report.rows for report in newest(service.reports()).values()} == {PER_WINDOW}
    assert service.log.count('"event": "started"') == 2, "what is refused interrupts nothing"


def test_watched_files_apply_edited_limits_and_refuse_nonsense_without_a_pause(
    baseline: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(baseline, tmp_path / "baseline"))
    constraints = folder / "constraints.json"
    follow = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"], "follow": True}
    config = settings(folder, source=follow, rules={"mode": "threshold", "min_n": 100}, idle="1h")
    lines = lines_of(6)
    with RunningService(tmp_path, config) as service:

        def replace(path: Path, text: str) -> None:
            """As an editor does, and a ConfigMap: another file under the same name."""
            other = path.with_name("other")
            other.write_text(text)
            other.rename(path)

        def events(name: str) -> list[dict[str, Any]]:
            logged = [json.loads(each) for each in service.log.splitlines() if each[:1] == "{"]
            return [each for each in logged if each["event"] == name]

        jobs.append(tmp_path, lines[: 2 * PER_WINDOW])
        service.until(lambda: bool(events("window_closed")))
        edited, whole = service.config.read_text(), constraints.read_text()
        constraints.write_text(whole[: len(whole) // 2])
        service.until(lambda: len(events("reload_refused")) == 1)
        replace(service.config, edited.replace("min_n: 100", "min_n: 100\n  limit: 0.0123"))
        service.until(lambda: len(events("reload_refused")) == 2)
        constraints.write_text(whole)
        service.until(lambda: len(events("limits_changed")) == 1)
        replace(service.config, edited + "window: 2m\n")
        service.until(lambda: len(events("reload_refused")) == 3)
        jobs.append(tmp_path, lines[2 * PER_WINDOW :], 2 * PER_WINDOW)
        service.until(lambda: len(newest(service.reports())) >= 5)
        assert service.stop() == 0
    refusals = [each["reason"] for each in events("reload_refused")]
    assert all("constraints.json: not JSON" in reason for reason in refusals[:2])
    assert "line" in refusals[0]
    assert refusals[2].startswith("window: only limits are applied")
    assert len(events("started")) == 2, "one more for the limits that changed"
    (changed,) = events("limits_changed")
    limits = [report.limits for report in newest(service.reports()).values()]
    assert (limits[0], limits[-1]) == (changed["before"], changed["after"])
    assert {report.rows for report in newest(service.reports()).values()} == {PER_WINDOW}


def test_constraints_that_cannot_be_obeyed_are_refused_while_counting_goes_on(
    baseline: Path, tmp_path: Path
) -> None:
    """The service keeps the constraints that it has, although their file is wrong now."""
    folder = Path(shutil.copytree(baseline, tmp_path / "baseline"))
    follow = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"], "follow": True}
    config = settings(folder, source=follow, idle="1h")
    lines = lines_of(6)
    with RunningService(tmp_path, config) as service:
        jobs.append(tmp_path, lines[: 2 * PER_WINDOW])
        service.until(lambda: "window_closed" in service.log)
        (folder / "constraints.json").write_text('{"featurs": []}')
        for times in (1, 2):
            service.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            service.until(lambda: service.log.count('"reload_refused"') == times)  # noqa: B023  # called here
        jobs.append(tmp_path, lines[2 * PER_WINDOW :], 2 * PER_WINDOW)
        service.until(lambda: len(newest(service.reports())) >= 5)
        assert service.stop() == 0
    assert {report.rows for report in newest(service.reports()).values()} == {PER_WINDOW}
    assert len({report.limits for report in service.reports()}) == 1
    assert service.log.count('"started"') == 1


def test_two_configurations_of_a_folder_run_side_by_side(baseline: Path, tmp_path: Path) -> None:
    """Without any key that would separate them."""
    jobs.append(tmp_path, lines_of(2))
    follow = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"], "follow": True}
    config = settings(baseline, source=follow, http={}, sinks=[], time={"path": "nowhere"})
    with (
        RunningService(tmp_path, {**config, "job": "one"}) as one,
        RunningService(tmp_path, {**config, "job": "two"}, file="two.yaml") as two,
    ):
        for service in (one, two):
            service.until(lambda: service.log.count('"records_dropped"') == 2)  # noqa: B023  # called here
        assert (one.stop(), two.stop()) == (0, 0)
    names = {path.name for path in tmp_path.iterdir()}
    for job in ("one", "two"):
        assert {f"driftline-{job}.sqlite", f"dead-letters-{job}.jsonl"} <= names
    addresses = re.findall(r'"http": "http://127.0.0.1:(\d+)/metrics"', one.log)
    assert len(set(addresses)) == 2
    assert "http_port_taken" in one.log


def test_a_configured_port_that_is_taken_has_a_code_of_its_own(
    baseline: Path, tmp_path: Path
) -> None:
    jobs.append(tmp_path, lines_of(1))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, text, _ = run(tmp_path, settings(baseline, http={"port": port}))
    assert code == HttpUnavailable.exit_code == 8
    assert f"127.0.0.1:{port}" in text
