"""Segments from the training file to the signal and its explanation."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from stream.cli import main
from stream.config.faults import unknown_name
from stream.testing.baselines import Values
from tests.support.segments import rows

MINUTE_MS = 60_000
START_MS = 1_750_000_020_000
WINDOW_ROWS = 1_000
CONFIG: dict[str, Any] = {
    "job": "j",
    "source": {"type": "jsonl", "path": "events", "follow": False},
    "format": {"type": "json", "features": "request"},
    "time": {"path": "time", "unit": "ms"},
    "model": {"from": "const", "name": "prices"},
    "models": {"prices": {"baseline": "baseline/", "segments": [{"by": "country", "most": 9}]}},
    "window": "60s",
    "rules": {"mode": "evidence"},
    "sinks": [{"type": "jsonl", "path": "reports/"}],
    "http": {"port": 0},
}


def events(windows: int, shift: float = 1.0) -> list[str]:
    """Rows of so many minutes; from the third one on, the areas of one country have moved."""
    rng = np.random.default_rng(11)
    lines = []
    for k in range(windows):
        frame = rows(rng, WINDOW_ROWS, {"BR": shift} if k >= 2 else None)
        for i, row in enumerate(zip(*frame.values(), strict=True)):
            time = START_MS + k * MINUTE_MS + i * MINUTE_MS // WINDOW_ROWS
            request = dict(zip(frame, row, strict=True))
            lines.append(json.dumps({"time": time, "request": request}))
    return lines


def write_csv(path: Path, data: dict[str, Values]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(data)
        writer.writerows(zip(*data.values(), strict=True))


def driftline(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), catch_exceptions=False)


def reports(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("reports/*reports*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "train.csv", rows(np.random.default_rng(1), 20_000))
    made = driftline("baseline", "train.csv", "--out", "baseline/", "--segment", "country")
    assert made.exit_code == 0, made.output
    assert "segments: 9 values of country, and all others" in made.output
    (tmp_path / "events").mkdir()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path


def test_a_job_names_the_segment_that_moved_once_also_if_it_is_started_again(job: Path) -> None:
    lines = events(6)
    for k, part in enumerate((lines[:4_000], lines[4_000:])):
        (job / "events" / f"{k}.jsonl").write_text("\n".join(part) + "\n")
        assert driftline("run", "config.yaml").exit_code == 0
    (signal,) = (
        json.loads(line) for line in (job / "reports" / "signals.jsonl").read_text().splitlines()
    )
    (feature,) = signal["features"]
    assert feature.startswith("area where country = value #")
    found = reports(job)
    assert [bool(each["violations"]) for each in found[:2]] == [False, False]
    assert {v["segment"] for each in found for v in each["violations"]} == {
        feature.removeprefix("area where ")
    }
    explained = driftline("explain", found[-1]["id"], "--config", "config.yaml")
    assert "the segments that moved most" in explained.output
    assert explained.exit_code == 0, explained.output
    assert "all recomputed values match" in explained.output
    assert "…" not in explained.output
    named = driftline("explain", found[-1]["id"], feature, "--config", "config.yaml")
    assert named.exit_code == 0, named.output
    masked = feature.removeprefix("area where country = ")
    assert f"country: {masked} is BR\n" in named.output
    other = "area where plan = pro"
    unknown = driftline("explain", found[-1]["id"], other, "--config", "config.yaml")
    assert unknown.exit_code == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda segment: segment.update(rows=segment["rows"] + 1),
        lambda segment: segment["finding"].update(p_value=segment["finding"]["p_value"] / 2),
        lambda segment: segment["finding"].update(effect=segment["finding"]["effect"] + 0.001),
        lambda segment: segment.update(feature="rooms"),
    ],
)
def test_a_segment_whose_numbers_are_not_those_of_its_counts_differs(
    job: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    (job / "events" / "0.jsonl").write_text("\n".join(events(8, shift=0.5)) + "\n")
    assert driftline("run", "config.yaml").exit_code == 0
    found = reports(job)
    # Half a deviation in 50 rows is found over several windows together.
    moved = [each for each in found if each["segments"][0]["violates"]]
    assert max(each["segments"][0]["finding"]["horizon"] for each in moved) > 1
    for each in found:
        assert driftline("explain", each["id"], "--config", "config.yaml").exit_code == 0, each
    (segment,) = (each for each in moved[-1]["segments"] if each["violates"])
    change(segment)
    (file,) = job.glob("reports/*reports*.jsonl")
    file.write_text("".join(json.dumps(each) + "\n" for each in found))
    explained = driftline("explain", moved[-1]["id"], "--config", "config.yaml")
    assert explained.exit_code == 1
    assert "differs" in explained.output
    assert "recomputed values differ from the published ones" in explained.output


def test_a_baseline_that_lacks_the_segments_is_refused_with_the_command_that_makes_it(
    job: Path,
) -> None:
    other = {"baseline": "baseline/", "segments": [{"by": "area"}]}
    (job / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "models": {"prices": other}}))
    checked = driftline("check", "config.yaml")
    assert checked.exit_code != 0
    assert "models.prices.segments" in checked.output
    assert "--segment area --most-segments 50" in checked.output
    (job / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "rules": {"mode": "threshold"}}))
    assert "segments are judged in rules.mode evidence" in driftline("check", "config.yaml").output


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["zz"], "unknown column 'zz'"),
        (["country", "country"], "column 'country' is named more than once"),
    ],
)
def test_segments_of_a_column_that_is_unknown_or_named_twice_are_refused(
    job: Path, names: list[str], words: str
) -> None:
    model = {"baseline": "baseline/", "segments": [{"by": name} for name in names]}
    (job / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "models": {"prices": model}}))
    checked = driftline("check", "config.yaml")
    assert checked.exit_code == 2
    assert words in checked.output
    assert "--segment" not in checked.output


def test_names_of_columns_cannot_control_the_terminal(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    names = ["a\x1b[2J", "b\nc", "d"]
    numbers = rng.normal(size=500)
    text = rng.choice(["x", "y"], 500)
    write_csv(tmp_path / "t.csv", dict(zip(names, (numbers, text, numbers + 1.0), strict=True)))
    made = driftline(
        *("baseline", str(tmp_path / "t.csv"), "--out", str(tmp_path / "b")),
        *("--joint", "all", "--segment", "b\nc"),
    )
    assert made.exit_code == 0, made.output
    assert "\x1b[2J" not in made.output
    assert "counted in pairs: a\\x1b[2J, b\\nc, d" in made.output
    assert "segments: 2 values of b\\nc, and all others" in made.output
    assert "\\x1b" in unknown_name("", "column", "zz", names).reason
    assert "\x1b" not in unknown_name("", "column", "zz", names).reason


def test_a_column_of_many_values_is_no_segment(job: Path) -> None:
    made = driftline("baseline", "train.csv", "--out", "other/", "--segment", "area")
    assert made.exit_code != 0
    assert "has no values that return" in made.output
