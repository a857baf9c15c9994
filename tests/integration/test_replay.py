"""``driftline replay``: past captures in files and in S3, beside reports of Model Monitor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.machines import BUCKET
from tests.servers.moto import MotoServer
from tests.support import events, jobs
from tests.support.processes import killed_at_end
from tests.unit.stream.test_cli import driftline

pytestmark = pytest.mark.programs
HOURS = 4
DRIFTED = 2
"""The hour, from 0, in which the balance moves by two deviations."""
ROWS = 400
FIRST_MS = 1_795_910_400_000
HOUR_MS = 3_600_000

SLOW = """
import pathlib, time

def preprocess_handler(record):
    pathlib.Path("begun").touch()
    time.sleep(0.5)
    return {}
"""
"""A script with which the captures take minutes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captures of four hours, one of them drifted, and Model Monitor's reports on them."""
    folder = tmp_path_factory.mktemp("replay")
    jobs.learn(folder)
    for hour in range(HOURS):
        columns = events.values(ROWS, 40 + hour)
        if hour == DRIFTED:
            columns["balance"] = [f"{float(value) + 240:.6f}" for value in columns["balance"]]
        start_ms = FIRST_MS + hour * HOUR_MS
        lines = events.capture_lines(columns, start_ms=start_ms, events_a_second=1)
        write(folder / "captures", start_ms, "10-00-000-a.jsonl", b"\n".join(lines))
        found = [{"feature_name": "age", "constraint_check_type": "data_type_check"}]
        content = {"violations": found if hour == 0 else []}
        end_ms = start_ms + HOUR_MS
        write(
            folder / "reports", end_ms, "constraint_violations.json", json.dumps(content).encode()
        )
    config = jobs.config("baseline", source={"type": "kafka", "topic": "none"})
    config["source"]["bootstrap_servers"] = ["127.0.0.1:1"]
    config["sinks"] = [{"type": "jsonl", "path": "untouched"}]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def write(folder: Path, time_ms: int, name: str, content: bytes) -> None:
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    place = folder / "endpoint" / "AllTraffic" / f"{at:%Y/%m/%d/%H}"
    place.mkdir(parents=True)
    (place / name).write_bytes(content)


def replay(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream.cli", "replay", *map(str, arguments)]
    command += ["--config", "config.yaml"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def verdicts(output: str) -> list[list[str]]:
    """The columns of each line that is about a period."""
    lines = [line.split("  ") for line in output.splitlines() if line.startswith("2026-")]
    return [[cell.strip() for cell in line if cell.strip()] for line in lines]


def test_captures_in_files_are_judged_beside_the_reports(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    done = replay(folder, "captures", "--beside", "reports", "--html", "page/verdicts.html")
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) == [
        ["2026-11-29 00:00 - 01:00", "400", "Completed", "1 violation", "age"],
        ["2026-11-29 01:00 - 02:00", "400", "Completed", "Completed"],
        ["2026-11-29 02:00 - 03:00", "400", "1 violation", "Completed", "balance"],
        ["2026-11-29 03:00 - 04:00", "400", "Completed", "Completed"],
    ]
    assert "Findings: 0 of both, 1 only of Model Monitor, 1 only of driftline" in done.stdout
    assert "must be of type Integral, not all" in (folder / "page" / "verdicts.html").read_text()
    added = set(folder.rglob("*")) - set(before)
    assert {path.name for path in added} == {"page", "verdicts.html"}


def test_files_need_not_be_in_order_of_time(folder: Path, tmp_path: Path) -> None:
    captures = sorted((folder / "captures").rglob("*.jsonl"))
    for number, path in enumerate(reversed(captures)):
        (tmp_path / f"{number}.jsonl").write_bytes(path.read_bytes())
    done = replay(folder, tmp_path)
    assert [cells[1:3] for cells in verdicts(done.stdout)] == [
        ["400", "Completed"],
        ["400", "Completed"],
        ["400", "1 violation"],
        ["400", "Completed"],
    ]


def test_only_periods_since_a_time_are_shown(folder: Path) -> None:
    done = replay(folder, "captures", "--since", "2026-11-29T02:00")
    assert [cells[0][:16] for cells in verdicts(done.stdout)] == [
        "2026-11-29 02:00",
        "2026-11-29 03:00",
    ]
    nothing = replay(folder, "captures", "--since", "2030-01-01")
    assert nothing.returncode == 0
    assert "no period has events since 2030-01-01" in nothing.stderr


def test_captures_in_s3_give_the_same_verdicts(folder: Path, moto: MotoServer, s3: Any) -> None:
    for path in sorted(folder.glob("captures/**/*.jsonl")) + sorted(
        folder.glob("reports/**/*.json")
    ):
        s3.upload_file(str(path), BUCKET, path.relative_to(folder).as_posix())
    local = replay(folder, "captures", "--beside", "reports")
    places = (f"s3://{BUCKET}/captures/endpoint/", "--beside", f"s3://{BUCKET}/reports/endpoint/")
    done = replay(folder, *places, "--endpoint-url", moto.url, "--region", "us-east-1")
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) == verdicts(local.stdout)
    later = ("--since", "2026-11-29T02:30", "--endpoint-url", moto.url, "--region", "us-east-1")
    done = replay(folder, *places, *later)
    assert verdicts(done.stdout) == verdicts(local.stdout)[HOURS - 2 :], "whole, from its start"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--since", "soon"), "expected a duration (14d) or a time"),
        (("--beside", "baseline"), "no reports of Model Monitor, such as"),
        (("--schedule", "0.5s"), "whole minutes are needed"),
        (("--model", "other"), "no model 'other'; the models are m"),
    ],
)
def test_wrong_arguments_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(folder)
    done = driftline("replay", "captures", "--config", "config.yaml", *arguments)
    assert done.exit_code == 2
    assert told in done.output.replace("\n", " ")


@pytest.mark.parametrize(("place", "code"), [("nowhere", 3), ("reports", 10)])
def test_captures_that_are_not_there_are_told(folder: Path, place: str, code: int) -> None:
    done = replay(folder, place)
    assert (done.returncode, done.stdout) == (code, "")
    assert place in done.stderr


def test_an_interrupted_replay_shows_nothing(folder: Path) -> None:
    (folder / "slow.py").write_text(SLOW)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["format"] = {"type": "sagemaker", "preprocess": "slow.py", "preprocess_limit": "5s"}
    (folder / "slow.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "stream.cli", "replay", "captures", "--config", "slow.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        killed_at_end(process),
    ):
        deadline_s = time.monotonic() + 60
        while not (folder / "begun").exists() and time.monotonic() < deadline_s:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, ""), errors
