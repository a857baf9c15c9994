"""The command line on capture files, as a newcomer runs it: no broker, no cloud.

The producer's own counts are the expected result.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from detectors.profiles.profile import Profile
from detectors.report import WindowReport
from stream.baselining.build import load_baseline
from stream.service.ending import NOTHING_COUNTED, NOTHING_FOUND, NOTHING_JUDGED
from tests.servers.service import RunningService, newest
from tests.support import events, jobs
from tests.support.jobs import MINUTE_MS, PER_S, PER_WINDOW, START_MS, letters, lines_of

TRAIN = events.training_csv(5_000)


def driftline(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stream.cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    (folder / "train.csv").write_text(TRAIN)
    result = driftline(
        "baseline", "train.csv", "--out", "baseline", "--predictions", "score", folder=folder
    )
    assert result.returncode == 0, result.stderr
    assert "5,000 rows, 20 features" in result.stdout
    return folder / "baseline"


def config(baseline: Path, **changes: Any) -> dict[str, Any]:
    source = {"type": "jsonl", "path": "captures"}
    return jobs.config(baseline, **{"source": source, "http": {"port": 0}, **changes})


def write(folder: Path, name: str, lines: list[bytes]) -> None:
    (folder / "captures").mkdir(parents=True, exist_ok=True)
    with (folder / "captures" / name).open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def run_to_end(folder: Path, settings: Mapping[str, Any], code: int = 0) -> RunningService:
    """Run the service until it has read everything and exits with ``code``; return it."""
    with RunningService(folder, settings) as service:
        assert service.wait() == code, service.log
    return service


def wait_for_a_window(service: RunningService) -> None:
    service.until(lambda: '"window_closed"' in service.log)


def by_end(service: RunningService) -> dict[int, WindowReport]:
    return {
        (end - START_MS) // MINUTE_MS: report
        for (_, end), report in newest(service.reports()).items()
    }


def test_calm_traffic_is_counted_completely_without_violations(
    baseline: Path, tmp_path: Path
) -> None:
    write(tmp_path, "a.jsonl", lines_of(4))
    reports = by_end(run_to_end(tmp_path, config(baseline)))
    assert {end: (report.rows, report.state) for end, report in reports.items()} == dict.fromkeys(
        range(1, 5), (PER_WINDOW, "ok")
    )
    assert letters(tmp_path) == []


def test_a_model_of_which_no_feature_may_signal_is_logged_at_the_start(
    baseline: Path, tmp_path: Path
) -> None:
    settings = config(baseline, rules={"mode": "evidence"})
    names = [feature.name for feature in load_baseline(baseline).layout.features]
    (model,) = settings["models"].values()
    model["weights"] = dict.fromkeys(names, 0)
    write(tmp_path, "a.jsonl", lines_of(2))
    service = run_to_end(tmp_path, settings)
    [line] = [line for line in service.log.splitlines() if "model_without_weights" in line]
    assert json.loads(line)["level"] == "warning"


def test_a_schema_with_an_extra_column_is_reported_although_no_row_counts(
    baseline: Path, tmp_path: Path
) -> None:
    """From the third minute on, every request has an extra column: event time advances, and the
    windows report the violation."""
    columns = events.values(6 * PER_WINDOW, 3)
    late = range(2 * PER_WINDOW, 6 * PER_WINDOW)
    plans = [f"{cell},surplus" if k in late else cell for k, cell in enumerate(columns["plan"])]
    write(
        tmp_path,
        "a.jsonl",
        events.capture_lines({**columns, "plan": plans}, start_ms=START_MS, events_a_second=PER_S),
    )
    service = run_to_end(tmp_path, config(baseline))
    reports = by_end(service)
    assert [reports[k].rows for k in sorted(reports)] == [PER_WINDOW, PER_WINDOW, 0, 0, 0, 0]
    assert [[v.check for v in reports[k].violations] for k in sorted(reports)] == [
        [],
        [],
        *[["extra_column_check"]] * 4,
    ]
    [violation] = reports[3].violations
    assert (violation.value, violation.n, violation.overwhelming) == (1.0, PER_WINDOW, True)
    [signal] = service.signals()
    assert (signal.kind, signal.end_ms) == ("opened", START_MS + 3 * MINUTE_MS)
    assert Counter(letter["reason"] for letter in letters(tmp_path)) == {
        "too_many_columns": 4 * PER_WINDOW
    }


BAD: dict[str, bytes] = {
    "undecodable": b"\xff\xfe{",
    "not_an_object": b"[1, 2]",
    "too_few_columns": (
        b'{"captureData":{"endpointInput":{"data":"1,2","encoding":"CSV"},"endpointOutput":{"data":"0.5","encoding":"CSV"}},'
        b'"eventMetadata":{"eventId":"x","inferenceTime":"2025-06-15T15:07:00Z"}}'
    ),
    "unknown_encoding": (
        b'{"captureData":{"endpointInput":{"data":"1","encoding":"PARQUET"},'
        b'"endpointOutput":{"data":"0.5","encoding":"CSV"}},"eventMetadata":{"inferenceTime":"2025-06-15T15:07:00Z"}}'
    ),
    "time_missing": b'{"captureData":{}, "eventMetadata":{}}',
    "time_absurd": b'{"captureData":{}, "eventMetadata":{"inferenceTime":"1812-09-07T00:00:00Z"}}',
}


def test_bad_records_among_good_ones_change_no_count(baseline: Path, tmp_path: Path) -> None:
    lines = lines_of(2)
    random = Random(5)
    write(tmp_path / "clean", "a.jsonl", lines)
    dirty = list(lines)
    for bad in [*BAD.values()] * 10:
        dirty.insert(random.randrange(len(dirty)), bad)
    write(tmp_path / "dirty", "a.jsonl", dirty)
    clean, mixed = (
        by_end(run_to_end(tmp_path / name, config(baseline))) for name in ("clean", "dirty")
    )
    assert {k: report.profile for k, report in mixed.items()} == {
        k: report.profile for k, report in clean.items()
    }
    dead = letters(tmp_path / "dirty")
    assert Counter(letter["reason"] for letter in dead) == dict.fromkeys(BAD, 10)
    assert not any("payload" in letter for letter in dead)
    assert {letter["length"] for letter in dead} == {len(bad) for bad in BAD.values()}


def test_dead_letters_keep_the_payload_if_configured(baseline: Path, tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", [BAD["not_an_object"]])
    run_to_end(
        tmp_path,
        config(baseline, dead_letters={"keep_payload": True}),
        NOTHING_COUNTED,
    )
    assert [letter["payload"] for letter in letters(tmp_path)] == ["WzEsIDJd"]


def test_late_events_cause_a_revision_and_too_late_events_are_dropped(
    baseline: Path, tmp_path: Path
) -> None:
    """100 events a second: a batch of 5,000 is less than a window, so the first window has closed
    when the late events arrive."""
    total = 24_000
    per_window = 6_000
    lines = events.capture_lines(events.values(total, 3), start_ms=START_MS, events_a_second=100)
    within = lines[:25]
    beyond = lines[25:40]
    rest = lines[40:]
    write(tmp_path, "a.jsonl", rest[:15_000] + within + rest[15_000:] + beyond)
    service = run_to_end(tmp_path, config(baseline, lateness="2m"))
    reports = service.reports()
    first = [report for report in reports if report.end_ms == START_MS + MINUTE_MS]
    assert [(report.revision, report.rows) for report in first] == [
        (0, per_window - 40),
        (1, per_window - 40 + 25),
    ]
    assert len({report.id for report in reports}) == len(reports)
    assert sum(report.rows for report in by_end(service).values()) == total - len(beyond)


def test_one_wrong_date_makes_no_other_event_late(baseline: Path, tmp_path: Path) -> None:
    """Old events are replayed from today's files; an event dated 2050 counts at the time when its
    file was written, and does not advance the watermark."""
    lines = lines_of(3)
    lines[700] = re.sub(rb'"inferenceTime":"2025', b'"inferenceTime":"2050', lines[700])
    write(tmp_path, "a.jsonl", lines)
    reports = by_end(run_to_end(tmp_path, config(baseline)))
    assert [reports[k].rows for k in (1, 2, 3)] == [PER_WINDOW - 1, PER_WINDOW, PER_WINDOW]
    assert sum(report.rows for report in reports.values()) == 3 * PER_WINDOW


def test_learned_columns_without_any_value_are_logged(baseline: Path, tmp_path: Path) -> None:
    lines = events.json_lines(events.values(2_000, 3), start_ms=START_MS, events_a_second=PER_S)
    write(tmp_path, "a.jsonl", lines)
    models = {"m": {"baseline": "learn", "outputs": ["score"], "inputs": ["amount", "country"]}}
    payload_format = {"type": "json", "features": "reqest"}
    service = run_to_end(
        tmp_path,
        config(
            baseline,
            format=payload_format,
            models=models,
            time={"unit": "ms"},
            learn={"events": 500},
        ),
        NOTHING_JUDGED,
    )
    [line] = [line for line in service.log.splitlines() if "columns_without_values" in line]
    logged = json.loads(line)
    assert (logged["level"], logged["columns"]) == ("error", ["amount", "country"])


def test_sliding_windows_are_sums_of_panes(baseline: Path, tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", lines_of(2))
    reports = newest(run_to_end(tmp_path, config(baseline, window="60s", every="20s")).reports())
    expected = {START_MS + k * 20_000: PER_S * 20 * min(k, 3, 9 - k) for k in range(1, 9)}
    assert {end: report.rows for (_, end), report in reports.items()} == expected


def test_a_growing_folder_is_followed_through_kills_and_restarts(
    baseline: Path, tmp_path: Path
) -> None:
    """Twelve files appear, each in two writes that cut a line in two; the service is killed four
    times."""
    lines = lines_of(6)
    random = Random(11)
    settings = config(baseline, source={"type": "jsonl", "path": "captures", "follow": True})
    settings.pop("http")
    (tmp_path / "captures").mkdir()
    with RunningService(tmp_path, settings) as service:
        for k in range(12):
            text = b"".join(
                line + b"\n" for line in lines[k * PER_WINDOW // 2 : (k + 1) * PER_WINDOW // 2]
            )
            cut = random.randrange(len(text))
            for piece in (text[:cut], text[cut:]):
                with (tmp_path / "captures" / f"{k:02}.jsonl").open("ab") as file:
                    file.write(piece)
                time.sleep(0.15)
            if k % 3 == 1:
                service.kill9()
                service.start()
        service.until(lambda: service.accepted() == len(lines))
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
        service.start()
        service.until(lambda: service.accepted() == len(lines))
        assert service.metric("driftline_ledger_bytes_total", outcome="accepted") == sum(
            map(len, lines)
        )
        assert service.log.count('"partitions_found"') <= 1
        assert '"count": 1, "ended": 0, "event": "partitions_known"' in service.log
        assert service.stop() == 0
    closed = by_end(service)
    assert {k: closed[k].rows for k in sorted(closed)} == dict.fromkeys(range(1, 6), PER_WINDOW)
    layout = load_baseline(baseline).layout
    produced = events.values(6 * PER_WINDOW, 3)["country"]
    feature = layout.index["country"]
    for k, report in closed.items():
        counts = Profile.decode(report.profile, layout).counts[layout.bins(feature)].tolist()
        seen = dict(zip(layout.features[feature].vocabulary, counts, strict=False))
        assert +Counter(seen) == Counter(produced[(k - 1) * PER_WINDOW : k * PER_WINDOW])


def test_one_job_has_one_owner(baseline: Path, tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", lines_of(1))
    settings = config(baseline, source={"type": "jsonl", "path": "captures", "follow": True})
    settings.pop("http")
    with RunningService(tmp_path, settings) as service:
        service.until(lambda: service.accepted() == PER_WINDOW)
        second = driftline("run", str(service.config))
        assert second.returncode == 5
        assert "in use by another service" in second.stderr
        assert service.stop() == 0


def test_another_window_length_is_refused_for_the_same_state(
    baseline: Path, tmp_path: Path
) -> None:
    write(tmp_path, "a.jsonl", lines_of(1))
    run_to_end(tmp_path, config(baseline))
    with RunningService(tmp_path, config(baseline, window="30s")) as service:
        assert service.wait() == 4
    assert "window was 60000 ms, configured is 30000 ms" in service.log


def test_lines_appended_after_a_run_are_read_by_the_next_run(
    baseline: Path, tmp_path: Path
) -> None:
    lines = lines_of(3)
    write(tmp_path, "a.jsonl", lines[:PER_WINDOW])
    run_to_end(tmp_path, config(baseline))
    write(tmp_path, "a.jsonl", lines[PER_WINDOW:])
    reports = by_end(run_to_end(tmp_path, config(baseline)))
    assert {k: report.rows for k, report in reports.items()} == dict.fromkeys(
        range(1, 4), PER_WINDOW
    )


def test_explain_recomputes_a_report_and_detects_an_altered_one(
    baseline: Path, tmp_path: Path
) -> None:
    columns = events.values(PER_WINDOW, 3)
    cents = {**columns, "amount": [str(float(x) * 100) for x in columns["amount"]]}
    write(
        tmp_path, "a.jsonl", events.capture_lines(cents, start_ms=START_MS, events_a_second=PER_S)
    )
    service = run_to_end(tmp_path, config(baseline))
    [report] = service.reports()
    for feature in ("amount", "country", "flag", "score"):
        result = driftline("explain", report.id, feature, "--config", str(service.config))
        assert result.returncode == 0, result.stdout
        assert "all recomputed values match" in result.stdout
    [file] = (tmp_path / "reports").glob("reports-*.jsonl")
    value = next(feature.value for feature in report.features if feature.name == "amount")
    file.write_text(file.read_text().replace(repr(value), repr((value or 0.0) + 0.5)))
    result = driftline("explain", report.id, "amount", "--config", str(service.config))
    assert result.returncode == 1
    assert "recomputed values differ from the published ones" in result.stdout
    for arguments, named in (
        (("amounts",), "amount"),
        (("amount", "--baseline", "/nowhere"), "/nowhere"),
    ):
        result = driftline("explain", report.id, *arguments, "--config", str(service.config))
        assert result.returncode == 2
        assert named in result.stderr


def test_a_model_that_is_configured_again_reuses_no_report_id(
    baseline: Path, tmp_path: Path
) -> None:
    """Two models share a baseline; the second is removed while its window is open, then added."""
    lines = [
        line[:-1] + b',"model":"%b"}' % (b"ab"[k % 2 : k % 2 + 1])
        for k, line in enumerate(lines_of(4))
    ]
    model = {"baseline": str(baseline)}
    names = {"from": "path", "name": "model"}
    both = config(baseline, model=names, models={"a": model, "b": model})
    settings = [
        {**both, "source": {"type": "jsonl", "path": "captures", "follow": True}},
        {**both, "models": {"a": model}},
        both,
    ]
    cuts = [0, PER_WINDOW * 3 // 2, PER_WINDOW * 2, PER_WINDOW * 4]
    for k, run_config in enumerate(settings):
        write(tmp_path, "a.jsonl", lines[cuts[k] : cuts[k + 1]])
        with RunningService(tmp_path, run_config) as service:
            if k == 0:  # the end of a source would close the window that must stay open
                wait_for_a_window(service)
                assert service.stop() == 0
            else:
                assert service.wait() == 0, service.log
    reports = service.reports()
    assert len({report.id for report in reports}) == len(reports)
    last = newest(reports)
    assert {
        end: (report.rows, report.state) for (model, end), report in last.items() if model == "a"
    } == {START_MS + k * MINUTE_MS: (PER_WINDOW // 2, "ok") for k in range(1, 5)}
    states = [
        last["b", START_MS + k * MINUTE_MS].state
        for k in range(1, 5)
        if ("b", START_MS + k * MINUTE_MS) in last
    ]
    assert states == ["ok", "incomplete", "ok", "ok"]


def test_an_accepted_window_length_closes_open_windows_as_incomplete(
    baseline: Path, tmp_path: Path
) -> None:
    lines = lines_of(4)
    follow = {"type": "jsonl", "path": "captures", "follow": True}
    write(tmp_path, "a.jsonl", lines[: PER_WINDOW * 3 // 2])
    with RunningService(tmp_path, config(baseline, source=follow)) as service:
        wait_for_a_window(service)
        assert service.stop() == 0
    write(tmp_path, "a.jsonl", lines[PER_WINDOW * 3 // 2 :])
    changed = RunningService(tmp_path, config(baseline, window="30s"))
    changed.start("--accept-change")
    assert changed.wait() == 0, changed.log
    reports = changed.reports()
    assert len({report.id for report in reports}) == len(reports)
    by_span = {
        ((r.start_ms - START_MS) // 1000, ((r.end_ms or 0) - START_MS) // 1000): (r.rows, r.state)
        for r in reports
    }
    assert by_span[0, 60] == (PER_WINDOW, "ok")
    assert by_span[60, 120] == (PER_WINDOW // 2, "incomplete")
    assert by_span[90, 120] == (PER_WINDOW // 2, "incomplete")
    assert [by_span[k, k + 30] for k in (120, 150, 180, 210)] == [(PER_WINDOW // 2, "ok")] * 4


def test_a_new_baseline_without_the_prediction_learns_it(tmp_path: Path, baseline: Path) -> None:
    for name, seed in (("first", 1), ("second", 2)):
        columns = events.values(3_000, seed)
        text = [",".join(columns)] + [",".join(row) for row in zip(*columns.values(), strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(text) + "\n")
        built = driftline(
            "baseline", f"{name}.csv", "--out", name, "--exclude", "score", folder=tmp_path
        )
        assert built.returncode == 0
    lines = events.capture_lines(events.values(24_000, 3), start_ms=START_MS, events_a_second=100)
    names = {"outputs": ["score"], "inputs": list(events.INPUTS)}
    for k, name in enumerate(("first", "second")):
        write(tmp_path, "a.jsonl", lines[k * 12_000 : (k + 1) * 12_000])
        settings = config(
            baseline,
            models={"m": {"baseline": str(tmp_path / name), **names}},
            learn={"events": 500},
        )
        service = RunningService(tmp_path, settings)
        service.start("--accept-change")
        assert service.wait() == 0, service.log
    reports = service.reports()
    last = [report for report in reports if report.end_ms == START_MS + 4 * MINUTE_MS][-1]
    assert "score" in {feature.name for feature in last.features}
    assert len({report.baseline for report in reports}) == 4


def test_undelivered_items_set_the_exit_code_and_the_next_run_delivers_them(
    baseline: Path, tmp_path: Path
) -> None:
    write(tmp_path, "a.jsonl", lines_of(1))
    (tmp_path / "reports").write_text("in the way")
    (tmp_path / "elsewhere").mkdir()
    settings = config(baseline, sinks=[{"type": "jsonl", "path": "elsewhere/reports"}])
    (tmp_path / "elsewhere" / "reports").symlink_to("/proc/nowhere")
    with RunningService(tmp_path, settings) as service:
        assert service.wait() == 9
    assert "items_undelivered" in service.log
    (tmp_path / "elsewhere" / "reports").unlink()
    run_to_end(tmp_path, settings)
    assert [report.rows for report in service.reports("elsewhere/reports")] == [PER_WINDOW]


def test_dropped_records_are_logged_by_reason(baseline: Path, tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.jsonl",
        [*lines_of(1), BAD["not_an_object"], BAD["time_absurd"], BAD["time_absurd"]],
    )
    service = run_to_end(tmp_path, config(baseline))
    dropped = [json.loads(line) for line in service.log.splitlines() if "records_dropped" in line]
    assert [line["by_reason"] for line in dropped] == [{"not_an_object": 1, "time_absurd": 2}]
    assert dropped[0]["dead_letters"].endswith("dead-letters-files.jsonl")
    assert "1 not_an_object, 2 time_absurd" in service.log.splitlines()[-1]


def test_a_folder_without_capture_files_is_logged(baseline: Path, tmp_path: Path) -> None:
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures" / "a.json").write_text("{}")
    assert '"event": "no_input_files"' in run_to_end(tmp_path, config(baseline), NOTHING_FOUND).log


def test_reports_and_signals_are_valid_by_their_schemas(baseline: Path, tmp_path: Path) -> None:
    columns = events.values(3 * PER_WINDOW, 3)
    cents = {**columns, "amount": [str(float(x) * 100) for x in columns["amount"]]}
    write(
        tmp_path, "a.jsonl", events.capture_lines(cents, start_ms=START_MS, events_a_second=PER_S)
    )
    run_to_end(tmp_path, config(baseline))
    for schema_name, file in (
        ("report", next((tmp_path / "reports").glob("reports-*"))),
        ("signal", tmp_path / "reports" / "signals.jsonl"),
    ):
        result = driftline("schema", schema_name)
        schema = json.loads(result.stdout)
        Draft202012Validator.check_schema(schema)
        lines = file.read_text().splitlines()
        assert lines
        for line in lines:
            Draft202012Validator(schema).validate(json.loads(line))
        assert not Draft202012Validator(schema).is_valid({**json.loads(lines[0]), "version": 2})
