"""The five incidents: what they change, when, and what they leave alone."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from demo.flights import FEATURES, Flights
from demo.incidents import FIVE, HOUR_MS, Incident, pieces

HALF_HOUR_MS = HOUR_MS // 2


def two_days() -> Flights:
    """A flight each half hour for 48 hours, UA and DL in turn."""
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
    return Flights(pa.table({name: columns[name] for name in FEATURES}), np.zeros(n), times)


def column(name: str, feature: str) -> tuple[list[object], list[object]]:
    """The feature in the flights during the incident of this name, before and after its change."""
    incident = next(one for one in FIVE if one.name == name)
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


def test_no_flight_of_united_is_left_and_all_others_are() -> None:
    before, after = column("United is gone", "carrier")
    assert after == ["DL"] * before.count("DL")


def test_water_boils_at_100_degrees() -> None:
    assert set(column("Celsius", "temp")[1]) == {100.0}


def test_a_minute_has_60_seconds() -> None:
    before, after = column("delay in seconds", "dep_delay")
    assert list(after) == [60 * int(str(value)) for value in before]


@pytest.mark.parametrize("incident", FIVE, ids=lambda one: one.name)
def test_features_that_are_not_named_stay_as_they_are(incident: Incident) -> None:
    healthy = two_days()
    changed = incident.change(healthy).features
    for name in set(FEATURES) - {incident.cause, *incident.touched}:
        kept = changed[name].to_pylist()
        assert kept == healthy.features[name].to_pylist() or len(kept) < len(healthy)


def test_pieces_of_a_healthy_time_are_the_flights_themselves() -> None:
    quiet = two_days().between(0, 6 * HOUR_MS)
    (piece,) = pieces(FIVE, quiet)
    assert piece.features.equals(quiet.features)


def test_a_window_in_which_an_incident_begins_is_cut_there() -> None:
    flights = two_days()
    incident = replace(FIVE[0], start_ms=2 * HOUR_MS, end_ms=4 * HOUR_MS)
    before, during, after = pieces((incident,), flights)
    assert [len(before), len(during), len(after)] == [4, 4, 88]
    assert before.features["humid"].null_count == after.features["humid"].null_count == 0
    assert during.features["humid"].null_count == 4


def test_no_two_incidents_meet_and_quiet_hours_lie_between() -> None:
    for one, other in pairwise(FIVE):
        assert one.end_ms is not None
        assert other.start_ms - one.end_ms >= 3 * HOUR_MS
    assert [one.for_good for one in FIVE] == [False, False, False, False, True]
