"""Two services and one job: the first is killed, frozen or stopped, the second goes on. The producer's own counts are the truth.

S3 is moto's server (an emulator that honours conditional puts).
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import events
from detectors.baseline import Baseline
from detectors.profile import Profile
from stream.baselining import load_baseline
from tests.integration.captures import learn
from tests.parts.faulty import FaultyRoad
from tests.parts.moto import REGION, MotoServer
from tests.parts.service import RunningService, newest

START_MS, MINUTE_MS, PER_S = 1_750_000_020_000, 60_000, 20
PER_WINDOW, CHUNK = PER_S * 60, 100
BUCKET, KEY = "states", "driftline/taken.state"
TAKEOVER_S = 15.0


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn(tmp_path_factory.mktemp("training"))


@pytest.fixture
def s3(moto: MotoServer) -> Any:
    client = moto.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


class Traffic:
    """Appends whole windows of events to a followed file, 400 events a second, twenty times as fast as their own time."""

    def __init__(self, folder: Path, windows: int) -> None:
        self.columns, self.windows = events.values(windows * PER_WINDOW, 3), windows
        self._lines = events.capture_lines(self.columns, start_ms=START_MS, events_a_second=PER_S)
        far = START_MS + (windows + 1) * MINUTE_MS
        self._ending = events.capture_lines(events.values(1, 5), start_ms=far, events_a_second=PER_S)
        self.path = folder / "captures" / "a.jsonl"
        self.path.parent.mkdir(parents=True)
        self._thread = threading.Thread(target=self._flow, daemon=True)

    def _append(self, lines: list[bytes]) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))

    def _flow(self) -> None:
        for start in range(0, len(self._lines), CHUNK):
            self._append(self._lines[start : start + CHUNK])
            time.sleep(CHUNK / 400)
        self._append(self._ending)  # an event of a later window: everything before it closes

    def start(self) -> None:
        self._thread.start()

    def write_windows(self, first: int, last: int) -> None:
        self._append(self._lines[first * PER_WINDOW : last * PER_WINDOW])

    def write_end(self) -> None:
        self._append(self._ending)

    def expected(self) -> dict[int, tuple[int, Counter[str]]]:
        """Rows and countries of each window, by the minute of its end."""
        country = self.columns["country"]
        return {
            k: (PER_WINDOW, Counter(country[(k - 1) * PER_WINDOW : k * PER_WINDOW])) for k in range(1, self.windows + 1)
        }


def config(traffic: Traffic, baseline: Path, url: str = "", after: str = "10s", **changes: Any) -> dict[str, Any]:
    s3 = {"bucket": BUCKET, "region": REGION, "endpoint_url": url, "take_over_after": after}
    return {
        "job": "taken",
        "source": {"type": "jsonl", "path": str(traffic.path.parent), "follow": True},
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": str(baseline)}},
        "grace": "2s",
        "idle": "1h",
        "sinks": [{"type": "jsonl", "path": "reports"}],
        "state": {"path": "state.sqlite", "commit_at_least": "1s" if after == "10s" else "1m", **({"s3": s3} if url else {})},
        **changes,
    }


def told(baseline: Baseline, *services: RunningService) -> dict[int, tuple[int, Counter[str]]]:
    """What all services together delivered; fails if one id has two contents."""
    layout = baseline.layout
    place = layout.index["country"]
    out = {}
    for (_, end_ms), report in newest([report for one in services for report in one.reports()]).items():
        counts = Profile.decode(report.profile, layout).counts[layout.bins(place)].tolist()
        seen = dict(zip(layout.features[place].vocabulary, counts, strict=False))
        out[(end_ms - START_MS) // MINUTE_MS] = (report.rows, +Counter(seen))
    return out


def delivered(service: RunningService) -> list[str]:
    return [report.id for report in service.reports()]


def lines_of(service: RunningService, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


@pytest.fixture
def services(tmp_path: Path, moto: MotoServer) -> Iterator[Any]:
    """``services(name, config, *options)`` starts one in a folder of its own; all are killed at the end."""
    running: list[RunningService] = []

    def start(name: str, settings: dict[str, Any], *options: str) -> RunningService:
        one = RunningService(tmp_path / name, settings, moto.env)
        running.append(one)
        one.start(*options)
        return one

    yield start
    for one in running:
        if one.process is not None and one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def until_taken(service: RunningService, within_s: float) -> float:
    began = time.monotonic()
    service.until(lambda: bool(lines_of(service, "started")), within_s)
    return time.monotonic() - began


def test_a_service_on_an_empty_disk_goes_on_at_exact_counts(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    """The second window is open in the counts of the first service; the second service closes it."""
    traffic = Traffic(tmp_path, 4)
    traffic.write_windows(0, 2)
    first = services("a", config(traffic, baseline, moto.url, after="5m"))
    first.until(lambda: first.accepted() == 2 * PER_WINDOW)
    assert first.stop() == 0
    traffic.write_windows(2, 4)
    traffic.write_end()
    second = services("b", config(traffic, baseline, moto.url, after="5m"))
    until_taken(second, 60)  # not after five minutes: a service that was stopped is not waited for
    second.until(lambda: 4 in told(load_baseline(baseline), second))
    assert second.stop() == 0
    assert told(load_baseline(baseline), first, second) == traffic.expected()
    assert set(delivered(first)).isdisjoint(delivered(second))


@pytest.mark.slow
def test_a_standby_takes_over_from_a_service_that_was_killed(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    traffic = Traffic(tmp_path, 10)
    first = services("a", config(traffic, baseline, moto.url))
    traffic.start()
    first.until(lambda: len(first.reports()) >= 2)
    waiting = [services(name, config(traffic, baseline, moto.url), "--standby") for name in "bc"]
    for one in waiting:
        one.until(lambda one=one: bool(lines_of(one, "standby")))
        assert one.metric("driftline_ledger_records") == 0
    first.kill9()
    began = time.monotonic()
    while not (won := [one for one in waiting if lines_of(one, "took over")]):
        assert time.monotonic() - began < TAKEOVER_S
        time.sleep(0.1)
    [second] = won
    [third] = [one for one in waiting if one is not second]
    second.until(lambda: 10 in told(load_baseline(baseline), second))
    assert second.metric("driftline_ledger_imbalance") == 0
    assert not lines_of(third, "took over")
    assert third.stop() == 0, "who waits ends at once and well"
    assert second.stop() == 0
    assert told(load_baseline(baseline), first, second) == traffic.expected()
    assert delivered(third) == []


@pytest.mark.slow
def test_a_service_that_was_frozen_delivers_nothing_after_a_takeover(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    traffic = Traffic(tmp_path, 10)
    first = services("a", config(traffic, baseline, moto.url))
    traffic.start()
    first.until(lambda: len(first.reports()) >= 2)
    second = services("b", config(traffic, baseline, moto.url), "--standby")
    second.until(lambda: bool(lines_of(second, "standby")))
    os.kill(first.process.pid, signal.SIGSTOP)
    assert until_taken(second, 60) < TAKEOVER_S
    before = delivered(first)
    os.kill(first.process.pid, signal.SIGCONT)
    assert first.wait() == 5
    assert "another service" in first.log
    assert delivered(first) == before
    second.until(lambda: 10 in told(load_baseline(baseline), second))
    assert second.stop() == 0
    assert told(load_baseline(baseline), first, second) == traffic.expected()


def test_without_standby_a_second_service_ends(services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path) -> None:
    traffic = Traffic(tmp_path, 1)
    first = services("a", config(traffic, baseline, moto.url))
    first.until(lambda: bool(lines_of(first, "started")))
    second = services("b", config(traffic, baseline, moto.url))
    assert second.wait() == 5
    assert f"s3://{BUCKET}/{KEY} is in use by another service" in second.log
    assert first.stop() == 0


def test_nothing_goes_out_that_is_not_in_s3_and_nothing_is_lost_when_it_comes_back(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    """S3 goes away right after a put, and is away when the commit comes that closes two windows."""

    def put() -> str:
        return str(s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"])

    traffic = Traffic(tmp_path, 4)
    traffic.write_windows(0, 2)
    with FaultyRoad(moto.port) as road:
        service = services("a", config(traffic, baseline, road.url, after="1m"))
        service.until(lambda: service.accepted() == 2 * PER_WINDOW and len(service.reports()) == 1)
        before = put()
        service.until(lambda: put() != before)
        road.fault = "down"
        traffic.write_windows(2, 4)
        service.until(lambda: bool(lines_of(service, "state is not in S3 yet, will be repeated")))
        time.sleep(4.0)
        assert len(service.reports()) == 1
        assert service.accepted() == 2 * PER_WINDOW
        road.fault = ""
        traffic.write_end()
        service.until(lambda: 4 in told(load_baseline(baseline), service))
        assert service.stop() == 0
    assert told(load_baseline(baseline), service) == traffic.expected()
    assert len(set(delivered(service))) == len(delivered(service))


def test_a_state_from_s3_of_another_configuration_is_refused_by_name_and_left_for_the_next(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    traffic = Traffic(tmp_path, 2)
    traffic.write_windows(0, 2)
    first = services("a", config(traffic, baseline, moto.url, after="5m"))
    first.until(lambda: first.accepted() == 2 * PER_WINDOW)
    assert first.stop() == 0
    other = services("b", config(traffic, baseline, moto.url, after="5m", window="30s"))
    assert other.wait() == 4
    assert "window_ms was 60000" in other.log
    assert "--accept-change" in other.log
    third = services("c", config(traffic, baseline, moto.url, after="5m", window="30s"), "--accept-change")
    until_taken(third, 60)  # not after five minutes: who was refused has let go
    assert third.stop() == 0


def test_a_standby_waits_for_the_lock_of_one_disk_too(services: Any, baseline: Path, tmp_path: Path) -> None:
    """Both have one configuration, so one port as well."""
    traffic = Traffic(tmp_path, 4)
    traffic.write_windows(0, 2)
    settings = config(traffic, baseline)
    first = services("a", settings)
    first.until(lambda: first.accepted() == 2 * PER_WINDOW)
    second = RunningService(tmp_path / "a", {**settings, "http": {"port": first.port}})
    second.port = first.port
    second.start("--standby")
    try:
        second.until(lambda: bool(lines_of(second, "standby")))
        first.kill9()
        second.until(lambda: bool(lines_of(second, "took over")), TAKEOVER_S)
        traffic.write_windows(2, 4)
        traffic.write_end()
        second.until(lambda: 4 in told(load_baseline(baseline), second))
        assert second.accepted() == 4 * PER_WINDOW + 1
        assert second.stop() == 0
    finally:
        if second.process is not None and second.process.poll() is None:
            second.kill9()
    assert told(load_baseline(baseline), first) == traffic.expected()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_waits_answers_that_it_is_well_and_ends_at_once_when_it_is_told_to(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path, number: signal.Signals
) -> None:
    traffic = Traffic(tmp_path, 1)
    first = services("a", config(traffic, baseline, moto.url))
    first.until(lambda: bool(lines_of(first, "started")))
    second = services("b", config(traffic, baseline, moto.url), "--standby")
    second.until(lambda: bool(lines_of(second, "standby")))
    assert second.healthy()
    second.process.send_signal(number)
    began = time.monotonic()
    assert second.wait() == 0
    assert time.monotonic() - began < 5
    assert first.stop() == 0
