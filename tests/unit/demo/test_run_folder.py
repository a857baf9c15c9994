"""The folder of the demo, its configuration, and its traffic."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from demo.flights import FEATURES, MINUTE_MS, Flights
from demo.incidents import FIVE
from demo.labels import DAY_MS, REPORTED_WITHIN_MS, TAXI_MS
from demo.model import NUMBERS, fit
from demo.run_folder import COVERAGE, HORIZON, Folder, FolderTaken
from demo.traffic import LENGTH_MS, WINDOW_MS, WINDOWS, Traffic
from detectors.durations import duration_ms
from stream.config.load import load
from stream.sources.jsonl.source import Jsonl


def test_a_folder_with_other_files_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FolderTaken, match="not created by the demo"):
        Folder(tmp_path).empty()
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_the_files_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out")
    folder.empty()
    folder.log.write_text("old")
    folder.empty()
    assert not folder.log.exists()
    assert folder.captures.is_dir()


def test_the_service_accepts_the_configuration(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.empty()
    folder.write_config(2, 12345)
    config = load(folder.config)
    assert isinstance(config.source, Jsonl)
    assert config.source.path == str(folder.captures)
    assert config.models["flights"].baseline == str(folder.baseline(2))
    assert config.http.port == 12345
    assert config.labels is not None
    assert isinstance(config.labels.source, Jsonl)
    assert config.labels.source.path == str(folder.labels)
    quality = config.models["flights"].quality
    assert quality is not None
    assert quality.baseline == str(folder.quality(2))
    assert quality.judge_at.coverage == COVERAGE


def test_only_the_permanent_incident_outlasts_the_cool_down(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.empty()
    folder.write_config(1, 1)
    cooldown_ms = load(folder.config).rules.cooldown_ms
    for incident in FIVE:
        if incident.end_ms is not None:
            assert incident.end_ms - incident.start_ms < cooldown_ms - 2 * WINDOW_MS
        else:
            assert incident.start_ms + cooldown_ms < LENGTH_MS - 3 * 3_600_000


def test_the_horizon_is_longer_than_the_latest_label_of_nearly_all_flights() -> None:
    eleven_hours_ms = 11 * 60 * MINUTE_MS  # the longest of 327,000 flights was 11.6 h in the air
    assert duration_ms(HORIZON) > DAY_MS + eleven_hours_ms + TAXI_MS + REPORTED_WITHIN_MS


def flights(n: int) -> Flights:
    rng = np.random.default_rng(1)
    columns: dict[str, pa.Array] = {name: pa.array(rng.normal(size=n)) for name in NUMBERS}
    columns |= {
        "dep_delay": pa.array(rng.integers(0, 9, n)),
        "dep_hour": pa.array(rng.integers(5, 24, n)),
    }
    columns |= {"carrier": pa.array(["UA", "DL"] * (n // 2)), "origin": pa.array(["JFK"] * n)}
    return Flights(
        pa.table({name: columns[name] for name in FEATURES}),
        rng.normal(size=n),
        np.zeros(n, np.int64),
        rng.integers(20, 695, n) * MINUTE_MS,
    )


def test_a_replay_serves_each_flight_once_except_those_an_incident_drops(tmp_path: Path) -> None:
    known = flights((WINDOWS + 1) * 10)
    traffic = Traffic(known, fit(known), FIVE, tmp_path / "captures", tmp_path / "labels")
    written = sum(traffic.write(window) for window in range(WINDOWS + 1))
    outage = next(incident for incident in FIVE if incident.cause == "carrier")
    assert outage.end_ms is not None
    dropped = (outage.end_ms - outage.start_ms) // WINDOW_MS * 10 // 2
    assert written == traffic.events == len(known) - dropped
    assert traffic.count(0, LENGTH_MS) == written
    files = (tmp_path / "captures").rglob("*.jsonl")
    assert sum(path.read_text().count("\n") for path in files) == written


def test_the_error_is_that_of_the_served_predictions(tmp_path: Path) -> None:
    known = flights((WINDOWS + 1) * 2)
    traffic = Traffic(known, fit(known), (), tmp_path / "captures", tmp_path / "labels")
    traffic.write(0)
    assert traffic.rmse(0, WINDOW_MS) == pytest.approx(
        traffic.model.rmse(traffic.flights.between(0, WINDOW_MS))
    )
    assert np.isnan(traffic.rmse(WINDOW_MS, 2 * WINDOW_MS))


def test_windows_count_as_labelled_once_the_share_of_their_labels_was_written(
    tmp_path: Path,
) -> None:
    known = flights((WINDOWS + 1) * 10)
    traffic = Traffic(known, fit(known), (), tmp_path / "captures", tmp_path / "labels")
    counts = []
    for window in range(WINDOWS + 1):
        traffic.write(window)
        counts.append(traffic.labelled_windows(0.8))
        end_ms = (window + 1) * WINDOW_MS
        if window % 48 == 0:
            plain = 0
            for first in range(0, end_ms, WINDOW_MS):
                (part,) = traffic.between(first, first + WINDOW_MS)
                plain += sum(part.known_ms < end_ms) >= 0.8 * len(part.flights)
            assert counts[-1] == plain
    assert counts == sorted(counts)
    assert counts[0] == 0 < counts[-1] < WINDOWS


def test_flights_are_labelled_when_their_label_is_known(tmp_path: Path) -> None:
    known = flights((WINDOWS + 1) * 2)
    traffic = Traffic(known, fit(known), (), tmp_path / "captures", tmp_path / "labels")
    for window in range(60):
        traffic.write(window)
    end_ms = 60 * WINDOW_MS
    labelled = sum(len(part) for part in traffic.labelled(0, end_ms))
    times = [
        row["known_at"]
        for path in (tmp_path / "labels").rglob("*.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    ]
    assert 0 < labelled == len(times) < traffic.count(0, end_ms)
