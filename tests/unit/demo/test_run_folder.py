"""The folder of the demo, its configuration, and its traffic."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from demo.flights import FEATURES, Flights
from demo.incidents import FIVE
from demo.model import NUMBERS, fit
from demo.run_folder import Folder, FolderTaken
from demo.traffic import LENGTH_MS, WINDOW_MS, WINDOWS, Traffic
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
    )


def test_a_replay_serves_each_flight_once_except_those_an_incident_drops(tmp_path: Path) -> None:
    known = flights((WINDOWS + 1) * 10)
    traffic = Traffic(known, fit(known), FIVE, tmp_path)
    written = sum(traffic.write(window) for window in range(WINDOWS + 1))
    outage = next(incident for incident in FIVE if incident.cause == "carrier")
    assert outage.end_ms is not None
    dropped = (outage.end_ms - outage.start_ms) // WINDOW_MS * 10 // 2
    assert written == traffic.events == len(known) - dropped
    assert traffic.count(0, LENGTH_MS) == written
    assert sum(path.read_text().count("\n") for path in tmp_path.rglob("*.jsonl")) == written


def test_the_error_is_that_of_the_served_predictions(tmp_path: Path) -> None:
    known = flights((WINDOWS + 1) * 2)
    traffic = Traffic(known, fit(known), (), tmp_path)
    traffic.write(0)
    assert traffic.rmse(0, WINDOW_MS) == pytest.approx(
        traffic.model.rmse(traffic.flights.between(0, WINDOW_MS))
    )
    assert np.isnan(traffic.rmse(WINDOW_MS, 2 * WINDOW_MS))
