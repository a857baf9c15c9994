"""The five incidents: their changes, their times, and the features that they leave unchanged."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from demo.flights import FEATURES, Flights
from demo.incidents import FIVE, HOUR_MS, Incident, pieces

HALF_HOUR_MS = HOUR_MS // 2


def two_days() -> Flights:
    """A flight every half hour for 48 hours, of UA and DL in turn."""
    n = 96
    columns = {name: pa.array([float(i) for i in range(n)]) for name in FEATURES}
    columns |= {
        name: pa.array(range(n), pa.int64()) for name in ("dep_hour", "dep_delay", "distance")
    }
    columns |= {
        "carrier": pa.array(["UA", "DL"] * (n // 2)),
        "origin": pa.array(["JFK"] * n),
        "temp": pa.array([212.0] * n),
    }
    times = np.arange(n, dtype=np.int64) * HALF_HOUR_MS
    table = pa.table({name: columns[name] for name in FEATURES})
    return Flights(table, np.zeros(n), times, np.zeros(n, np.int64))


def column(name: str, feature: str) -> tuple[list[object], list[object]]:
    """A feature of the flights during an incident, before and after its change."""
    incident = next(incident for incident in FIVE if incident.name == name)
    healthy = two_days().between(incident.start_ms, incident.end_ms or 48 * HOUR_MS)
    return healthy.features[feature].to_pylist(), incident.change(healthy).features[
        feature
    ].to_pylist()


def test_humidity_is_null_in_each_flight() -> None:
    _, after = column("humidity is null", "humid")
    assert after == [None] * 6


def test_the_hour_is_written_as_a_fraction() -> None:
    before, after = column('dep_hour says "7.0"', "dep_hour")
    assert after == [f"{hour}.0" for hour in before]


def test_all_flights_except_those_of_united_remain() -> None:
    before, after = column("United is missing", "carrier")
    assert after == ["DL"] * before.count("DL")


def test_the_temperature_is_in_celsius() -> None:
    assert set(column("Celsius", "temp")[1]) == {100.0}


def test_the_delay_is_in_seconds() -> None:
    before, after = column("delay in seconds", "dep_delay")
    assert list(after) == [60 * int(str(value)) for value in before]


@pytest.mark.parametrize("incident", FIVE, ids=lambda incident: incident.name)
def test_an_incident_changes_only_the_features_that_it_names(incident: Incident) -> None:
    healthy = two_days()
    changed = incident.change(healthy).features
    for name in set(FEATURES) - {incident.cause, *incident.affected}:
        kept = changed[name].to_pylist()
        assert kept == healthy.features[name].to_pylist() or len(kept) < len(healthy)


def test_healthy_flights_are_one_unchanged_piece() -> None:
    quiet = two_days().between(0, 6 * HOUR_MS)
    (piece,) = pieces(FIVE, quiet)
    assert piece.features.equals(quiet.features)


def test_flights_are_cut_where_an_incident_starts_and_ends() -> None:
    flights = two_days()
    incident = replace(FIVE[0], start_ms=2 * HOUR_MS, end_ms=4 * HOUR_MS)
    before, during, after = pieces((incident,), flights)
    assert [len(before), len(during), len(after)] == [4, 4, 88]
    assert before.features["humid"].null_count == after.features["humid"].null_count == 0
    assert during.features["humid"].null_count == 4


def test_three_quiet_hours_separate_two_incidents() -> None:
    for earlier, later in pairwise(FIVE):
        assert earlier.end_ms is not None
        assert later.start_ms - earlier.end_ms >= 3 * HOUR_MS
    assert [incident.permanent for incident in FIVE] == [False, False, False, False, True]
