"""A job with its state in S3 keeps exact counts across machines, outages and changes.

S3 is moto's server (an emulator that honours conditional puts).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from stream.baselining.build import load_baseline
from tests.integration.machines import BUCKET
from tests.integration.traffic import (
    KEY,
    Traffic,
    config,
    delivered,
    lines_of,
    reported,
    until_started,
)
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.moto import MotoServer
from tests.support.jobs import PER_WINDOW


def test_a_service_on_an_empty_disk_continues_at_exact_counts(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    """The first service leaves the second window open; the second service closes it."""
    traffic = Traffic(tmp_path, 4)
    traffic.write_windows(0, 2)
    first = services("a", config(traffic, baseline, moto.url, after="5m"))
    first.until(lambda: first.accepted() == 2 * PER_WINDOW)
    assert first.stop() == 0
    traffic.write_windows(2, 4)
    traffic.write_end()
    second = services("b", config(traffic, baseline, moto.url, after="5m"))
    until_started(second, 60)  # not after five minutes: the stopped service has released the state
    second.until(lambda: 4 in reported(load_baseline(baseline), second))
    assert second.stop() == 0
    assert reported(load_baseline(baseline), first, second) == traffic.expected()
    assert set(delivered(first)).isdisjoint(delivered(second))
    acquired = [lines_of(service, "ownership_acquired")[0] for service in (first, second)]
    assert [line["epoch"] for line in acquired] == [1, 2]
    assert not any(lines_of(service, "ownership_taken_over") for service in (first, second)), (
        "the state was new, and then released"
    )


def test_nothing_is_delivered_while_s3_is_down_and_nothing_is_lost(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    """S3 goes down right after a put, and is down for the commit that closes two windows."""

    def put() -> str:
        return str(s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"])

    traffic = Traffic(tmp_path, 4)
    traffic.write_windows(0, 2)
    with FaultyProxy(moto.port) as proxy:
        service = services("a", config(traffic, baseline, proxy.url, after="1m"))
        service.until(lambda: service.accepted() == 2 * PER_WINDOW and len(service.reports()) == 1)
        before = put()
        service.until(lambda: put() != before)
        proxy.fault = "down"
        traffic.write_windows(2, 4)
        service.until(lambda: bool(lines_of(service, "state_put_failed")))
        time.sleep(4.0)
        assert len(service.reports()) == 1
        assert service.accepted() == 2 * PER_WINDOW
        proxy.fault = ""
        traffic.write_end()
        service.until(lambda: 4 in reported(load_baseline(baseline), service))
        assert service.stop() == 0
    assert reported(load_baseline(baseline), service) == traffic.expected()
    assert len(set(delivered(service))) == len(delivered(service))


def test_a_state_in_s3_of_another_configuration_is_refused_and_released(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    traffic = Traffic(tmp_path, 2)
    traffic.write_windows(0, 2)
    first = services("a", config(traffic, baseline, moto.url, after="5m"))
    first.until(lambda: first.accepted() == 2 * PER_WINDOW)
    assert first.stop() == 0
    other = services("b", config(traffic, baseline, moto.url, after="5m", window="30s"))
    assert other.wait() == 4
    assert "window was 60000 ms" in other.log
    assert "--accept-change" in other.log
    third = services(
        "c", config(traffic, baseline, moto.url, after="5m", window="30s"), "--accept-change"
    )
    until_started(third, 60)  # not after five minutes: the refused service has released the state
    assert third.stop() == 0
