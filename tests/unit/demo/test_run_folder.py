"""The demonstration's folder, its configuration, and its traffic."""

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


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FolderTaken, match="not made by the demo"):
        Folder(tmp_path).empty()
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_what_an_earlier_run_left_is_cleared(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out")
    folder.empty()
    folder.log.write_text("old")
    folder.empty()
    assert not folder.log.exists()
    assert folder.captures.is_dir()


def test_the_configuration_is_one_that_the_service_takes(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.empty()
    folder.write_config(2, 12345)
    config = load(folder.config)
    assert isinstance(config.source, Jsonl)
    assert config.source.path == str(folder.captures)
    assert config.models["flights"].baseline == str(folder.baseline(2))
    assert config.http.port == 12345


def test_no_incident_that_is_repaired_outlasts_the_cool_down(tmp_path: Path) -> None:
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


def test_a_whole_replay_asks_about_each_flight_once_but_those_that_vanished(tmp_path: Path) -> None:
    known = flights((WINDOWS + 1) * 10)
    traffic = Traffic(known, fit(known), FIVE, tmp_path)
    written = sum(traffic.write(window) for window in range(WINDOWS + 1))
    gone_ms = next(one for one in FIVE if one.cause == "carrier")
    assert gone_ms.end_ms is not None
    vanished = (gone_ms.end_ms - gone_ms.start_ms) // WINDOW_MS * 10 // 2
    assert written == traffic.events == len(known) - vanished
    assert traffic.count(0, LENGTH_MS) == written
    assert sum(path.read_text().count("\n") for path in tmp_path.rglob("*.jsonl")) == written


def test_the_error_is_that_of_the_answers_which_were_given(tmp_path: Path) -> None:
    known = flights((WINDOWS + 1) * 2)
    traffic = Traffic(known, fit(known), (), tmp_path)
    traffic.write(0)
    assert traffic.rmse(0, WINDOW_MS) == pytest.approx(
        traffic.model.rmse(traffic.flights.between(0, WINDOW_MS))
    )
    assert np.isnan(traffic.rmse(WINDOW_MS, 2 * WINDOW_MS))
