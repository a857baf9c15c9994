"""``driftline check --live`` compares what it samples with the baseline, and tries the port."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.servers.base import LOOPBACK
from tests.servers.service import RunningService
from tests.support import events, jobs

PATTERN = "events.jsonl"
JSON = {"type": "json"}
SOURCE = {"type": "jsonl", "path": PATTERN, "follow": True}
Check = Callable[..., tuple[int, str]]
ROWS = 300


def rows(count: int = ROWS) -> list[dict[str, Any]]:
    """Rows like those of the baseline, with the values of their JSON types."""
    columns = events.values(count, 5)
    return [
        {name: json_value(columns[name][k]) for name in columns if columns[name][k] != ""}
        for k in range(count)
    ]


def json_value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def write(folder: Path, documents: Sequence[Mapping[str, Any]], apart_ms: int = 50) -> None:
    """Write events that are ``apart_ms`` apart."""
    lines = [
        json.dumps({"time": jobs.START_MS + k * apart_ms, **document}) + "\n"
        for k, document in enumerate(documents)
    ]
    (folder / PATTERN).write_text("".join(lines))


def settings(**changes: Any) -> dict[str, Any]:
    return {"format": JSON, "time": {"unit": "ms"}, **changes}


def test_a_sample_like_the_baseline_has_no_warning(tmp_path: Path, check_live: Check) -> None:
    write(tmp_path, rows())
    code, text = check_live(SOURCE, [{"type": "jsonl", "path": "reports"}], **settings())
    assert code == 0, text
    assert f"have values in {ROWS} rows" in text
    assert "warning" not in text, text


def test_features_in_an_object_of_their_own_are_a_fault_that_names_the_setting(
    tmp_path: Path, check_live: Check
) -> None:
    nested = [{"request": {"vector": row}, "model_version": "7"} for row in rows()]
    write(tmp_path, nested)
    code, text = check_live(SOURCE, [], **settings())
    assert code == 2
    assert f"none of 19 features has a value in {ROWS} rows" in text
    assert "set `format: {type: json, features: request.vector}`" in text
    format_ = {**JSON, "features": "request.vector", "prediction": "request.vector.score"}
    code, text = check_live(SOURCE, [], **settings(format=format_))
    assert code == 0, text


def test_keys_that_are_no_columns_are_listed_without_values(
    tmp_path: Path, check_live: Check
) -> None:
    write(tmp_path, [{"alpha": 871_234, "beta": "secret-word"}] * ROWS)
    code, text = check_live(SOURCE, [], **settings())
    assert code == 2
    assert "The records have the keys alpha, beta, time" in text
    assert "871" not in text
    assert "secret-word" not in text


def test_a_column_without_a_value_is_named(tmp_path: Path, check_live: Check) -> None:
    name = events.INPUTS[0]
    without = [{key: value for key, value in row.items() if key != name} for row in rows()]
    write(tmp_path, without)
    code, text = check_live(SOURCE, [], **settings())
    assert code == 0, text
    assert f"no value in {ROWS} rows: {name}" in text


def test_a_column_of_another_type_is_named(tmp_path: Path, check_live: Check) -> None:
    name = next(n for n in events.INPUTS if isinstance(rows(1)[0].get(n), int | float))
    write(tmp_path, [{**row, name: "about 7"} for row in rows()])
    code, text = check_live(SOURCE, [], **settings())
    assert code == 0, text
    assert f"columns: '{name}' is" in text
    assert "in the baseline, 0 % here" in text
    assert "about 7" not in text


def test_numbers_that_are_sent_as_json_text_are_named(tmp_path: Path, check_live: Check) -> None:
    write(tmp_path, [{**row, "age": str(row.get("age", 7))} for row in rows()])
    code, text = check_live(SOURCE, [], **settings())
    assert code == 0, text
    assert "numbers that are sent as JSON text: age\n" in text


@pytest.mark.parametrize(
    ("apart_ms", "mode", "warned"),
    [(50, "threshold", False), (2_000, "threshold", True), (2_000, "evidence", False)],
)
def test_traffic_too_small_for_a_verdict_is_told_with_a_window_that_would_do(
    apart_ms: int, mode: str, warned: bool, tmp_path: Path, check_live: Check
) -> None:
    """An event in two seconds is 30 in a window of a minute; 200 need 400 s. Evidence needs no
    least number of rows.
    """
    write(tmp_path, rows(), apart_ms)
    code, text = check_live(SOURCE, [], **settings(rules={"mode": mode}))
    assert code == 0, text
    told = "about 30 events in a window of 1 min, fewer than rules.min_n (100)" in text
    assert told == warned
    assert ("raise window to 10m" in text) == warned


def test_a_taken_port_is_a_fault(tmp_path: Path, check_live: Check) -> None:
    write(tmp_path, rows())
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        code, text = check_live(SOURCE, [], **settings(http={"port": port}))
    assert code == 2
    assert f"fault    http {LOOPBACK}:{port}: Address already in use" in text
    code, text = check_live(SOURCE, [], **settings(http={"port": port}))
    assert code == 0, text
    assert f"http {LOOPBACK}:{port}: the port is free" in text


def test_the_port_of_the_job_that_runs_is_no_fault(
    baseline: Path, tmp_path: Path, check_live: Check
) -> None:
    write(tmp_path, rows())
    job = jobs.config(baseline, **settings(source=SOURCE, job="checked"))
    with RunningService(tmp_path, job) as service:
        service.until(service.healthy)
        code, text = check_live(SOURCE, [], **settings(http={"port": service.port}))
        assert service.stop() == 0
    assert code == 0, text
    assert "Address already in use; this job is running" in text
