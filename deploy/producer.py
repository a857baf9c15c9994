"""Serves made-up flights into a Kafka topic, and breaks their features now and then.

Each event is a capture of SageMaker Model Monitor with the columns of ``config.compose.yaml``.
After a calm start, each incident lasts a minute and is followed by two calm minutes. The image of
driftline has all that this script imports.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from kafka import KafkaProducer

CALM_START_S = 40
"""Long enough to learn the baseline and to close calm windows."""
INCIDENT_S = 60
PAUSE_S = 120
TICK_S = 0.1
CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "WN")

Flight = dict[str, float | str | None]


def flight(rng: random.Random) -> Flight:
    """Return the features of a request: miles, scheduled hour, minutes, Fahrenheit."""
    return {
        "carrier": rng.choices(CARRIERS, (18, 17, 16, 15, 10, 8, 6, 4))[0],
        "origin": rng.choices(("EWR", "JFK", "LGA"), (4, 3, 3))[0],
        "distance": round(rng.gammavariate(2.0, 500.0)),
        "dep_hour": rng.randint(5, 23),
        "dep_delay": round(rng.expovariate(1 / 12) - 6),
        "temp": round(rng.gauss(57.0, 15.0), 1),
    }


def delay_in_seconds(served: Flight) -> None:
    """A client sends the delay in seconds instead of minutes."""
    served["dep_delay"] = 60 * float(served["dep_delay"] or 0)


def no_temperature(served: Flight) -> None:
    """The weather service does not respond for half of the requests."""
    if float(served["distance"] or 0) % 2:
        served["temp"] = None


def temperature_in_celsius(served: Flight) -> None:
    """A client sends degrees Celsius instead of Fahrenheit."""
    served["temp"] = round((float(served["temp"] or 0) - 32) / 1.8, 1)


INCIDENTS: tuple[Callable[[Flight], None], ...] = (
    delay_in_seconds,
    no_temperature,
    temperature_in_celsius,
)


def incident_at(seconds: float) -> Callable[[Flight], None] | None:
    """Return the incident at a time since the start, ``None`` while all is calm.

    >>> incident_at(10), incident_at(45).__name__, incident_at(110), incident_at(225).__name__
    (None, 'delay_in_seconds', None, 'no_temperature')
    """
    number, since_s = divmod(seconds - CALM_START_S, INCIDENT_S + PAUSE_S)
    if number < 0 or since_s >= INCIDENT_S:
        return None
    return INCIDENTS[int(number) % len(INCIDENTS)]


def capture(served: Flight, number: int, time_s: float) -> bytes:
    """Return the capture of one request and its response."""
    request = ",".join("" if value is None else str(value) for value in served.values())
    predicted = round(float(served["dep_delay"] or 0) - 5 + 0.002 * float(served["distance"] or 0))
    sides = {
        "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": request},
        "endpointOutput": {
            "observedContentType": "text/csv",
            "mode": "OUTPUT",
            "data": str(predicted),
        },
    }
    moment = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
    metadata = {"eventId": f"flight-{number}-{time_s}", "inferenceTime": moment}
    data = {side: {**entry, "encoding": "CSV"} for side, entry in sides.items()}
    event = {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(event).encode()


def produce(bootstrap: str, topic: str, events_a_second: int) -> None:
    """Send events until the process is stopped."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    partitions = sorted(producer.partitions_for(topic))
    rng = random.Random(2013)
    start_s = time.time()
    current = None
    for tick in itertools.count():
        time.sleep(max(0.0, start_s + tick * TICK_S - time.time()))
        incident = incident_at(tick * TICK_S)
        if incident is not current:
            current = incident
            text = (incident.__doc__ or "").splitlines()[0] if incident else "All is calm."
            print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)
        for k in range(round(events_a_second * TICK_S)):
            served = flight(rng)
            if incident is not None:
                incident(served)
            event = capture(served, tick * events_a_second + k, time.time())
            producer.send(topic, event, partition=partitions[k % len(partitions)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", default="kafka:9092")
    parser.add_argument("--topic", default="captures")
    parser.add_argument("--events-a-second", type=int, default=200)
    given = parser.parse_args()
    produce(given.bootstrap, given.topic, given.events_a_second)
