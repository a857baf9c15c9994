"""Sockets that a broker refused are closed at once, not by the garbage collector."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import kafka
import pytest
from kafka import errors as kafka_errors

from stream.sources.kafka.client_log import logged_errors
from stream.sources.kafka.sockets import socket_settings
from tests.servers.base import LOOPBACK, free_port


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def open_sockets() -> int:
    """The sockets of this process; the folder itself is open only while it is listed."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum("socket:" in str(link.readlink()) for link in links if link.is_symlink())


@pytest.mark.usefixtures("no_collector")
def test_refused_connections_leave_no_socket() -> None:
    before = open_sockets()
    with logged_errors(), pytest.raises(kafka_errors.KafkaError):
        kafka.KafkaAdminClient(
            bootstrap_servers=f"{LOOPBACK}:{free_port()}",
            bootstrap_timeout_ms=1_500,
            reconnect_backoff_ms=10,
            reconnect_backoff_max_ms=20,
            **socket_settings({}),
        )
    time.sleep(0.2)
    assert open_sockets() - before <= 3  # those with which the client's own thread is woken


@pytest.mark.parametrize("option", ["proxy_url", "socks5_proxy"])
def test_a_proxy_of_the_user_is_kept(option: str) -> None:
    assert socket_settings({option: "socks5://proxy:1080"}) == {}
