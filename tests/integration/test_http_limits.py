"""The service keeps reading and answers probes, whatever clients of its HTTP server do."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from tests.servers.base import LOOPBACK
from tests.servers.service import RunningService
from tests.support.jobs import PER_WINDOW, append, config, learn, lines_of

FILES = 256
"""The largest number of descriptors that the service may open."""


def test_idle_connections_leave_the_descriptors_that_reading_needs(tmp_path: Path) -> None:
    """With more silent connections than descriptors, new files are read and probes answered."""
    lines = lines_of(2)
    append(tmp_path, lines[:PER_WINDOW])
    with (
        ExitStack() as clients,
        RunningService(
            tmp_path, config(learn(tmp_path)), before=["prlimit", f"--nofile={FILES}"]
        ) as service,
    ):
        service.until(lambda: service.accepted() == PER_WINDOW)
        for _ in range(FILES + 100):
            clients.enter_context(socket.create_connection((LOOPBACK, service.port), timeout=5))
        append(tmp_path, lines[PER_WINDOW:])
        service.until(lambda: service.healthy() and service.accepted() == 2 * PER_WINDOW)
        assert service.stop() == 0
