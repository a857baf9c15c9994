"""Five incidents as data, and the changes that each makes to the requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from demo.flights import Flights

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Incident:
    """A fault that starts at ``start_ms`` and is repaired at ``end_ms`` (``None``: never), in ms
    since the start of the replay.

    A signal detects the incident if it names the feature ``cause``. ``affected`` are the other
    features that change with it: a signal that names one of them is not false. ``change`` turns
    healthy flights into the requests that the endpoint receives during the incident.
    """

    name: str
    story: str
    cause: str
    affected: tuple[str, ...]
    start_ms: int
    end_ms: int | None
    change: Callable[[Flights], Flights]

    @property
    def permanent(self) -> bool:
        """Whether the incident is never repaired, because the world has changed."""
        return self.end_ms is None

    def overlaps(self, start_ms: int, end_ms: int) -> bool:
        """Whether the incident is active at any time in ``[start_ms, end_ms)``."""
        return self.start_ms < end_ms and (self.end_ms is None or start_ms < self.end_ms)

    def active(self, time_ms: int) -> bool:
        """Whether the incident is active at this time."""
        return self.overlaps(time_ms, time_ms + 1)


def _with_column(flights: Flights, name: str, column: pa.ChunkedArray) -> Flights:
    table = flights.features
    return replace(flights, features=table.set_column(table.column_names.index(name), name, column))


def _without_humidity(flights: Flights) -> Flights:
    return _with_column(flights, "humid", pa.chunked_array([pa.nulls(len(flights), pa.float64())]))


def _hour_as_fraction(flights: Flights) -> Flights:
    text = pc.cast(flights.features["dep_hour"], pa.string())
    return _with_column(flights, "dep_hour", pc.binary_join_element_wise(text, ".0", ""))


def _without_united(flights: Flights) -> Flights:
    return flights.where(pc.not_equal(flights.features["carrier"], "UA").to_numpy())


def _celsius(flights: Flights) -> Flights:
    celsius = pc.multiply(pc.subtract(flights.features["temp"], 32.0), 5.0 / 9.0)
    return _with_column(flights, "temp", pc.round(celsius, 1))


def _delay_in_seconds(flights: Flights) -> Flights:
    return _with_column(flights, "dep_delay", pc.multiply(flights.features["dep_delay"], 60))


def _hours(hours: int, minutes: int) -> int:
    return hours * HOUR_MS + minutes * HOUR_MS // 60


FIVE: tuple[Incident, ...] = (
    Incident(
        name="humidity is null",
        story="the weather client loses a field",
        cause="humid",
        affected=("prediction",),
        start_ms=_hours(6, 20),
        end_ms=_hours(9, 20),
        change=_without_humidity,
    ),
    Incident(
        name='dep_hour says "7.0"',
        story="a release writes the hour as a fraction",
        cause="dep_hour",
        affected=(),
        start_ms=_hours(13, 5),
        end_ms=_hours(16, 5),
        change=_hour_as_fraction,
    ),
    Incident(
        name="United is missing",
        story="a partner's feed stops",
        cause="carrier",
        affected=("origin", "distance", "dep_hour", "prediction"),
        start_ms=_hours(20, 15),
        end_ms=_hours(23, 15),
        change=_without_united,
    ),
    Incident(
        name="Celsius",
        story="the weather client changes its unit",
        cause="temp",
        affected=("prediction",),
        start_ms=_hours(27, 10),
        end_ms=_hours(30, 10),
        change=_celsius,
    ),
    Incident(
        name="delay in seconds",
        story="a new departure system, permanently",
        cause="dep_delay",
        affected=("prediction",),
        start_ms=_hours(34, 25),
        end_ms=None,
        change=_delay_in_seconds,
    ),
)
"""Incidents start between two window boundaries, as real ones do."""


def pieces(incidents: Sequence[Incident], flights: Flights) -> list[Flights]:
    """The flights as the endpoint receives them, cut where an incident starts or ends.

    All incidents that are active in a piece are applied to it, so each of its columns has one type.
    Only an incident drops flights.
    """
    received = []
    for start_ms, end_ms in _spans(incidents, flights):
        piece = flights.between(start_ms, end_ms)
        for incident in incidents:
            if incident.active(start_ms):
                piece = incident.change(piece)
        received.append(piece)
    return received


def _spans(incidents: Sequence[Incident], flights: Flights) -> list[tuple[int, int]]:
    if not len(flights):
        return []
    first = int(flights.time_ms[0])
    last = int(flights.time_ms[-1]) + 1
    edges = {
        edge
        for incident in incidents
        for edge in (incident.start_ms, incident.end_ms)
        if edge is not None and first < edge < last
    }
    return list(pairwise([first, *sorted(edges), last]))
