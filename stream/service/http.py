"""Opens the HTTP server of a service at the configured port, or near the default one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stream.errors import HttpUnavailable
from stream.web.server import HttpServer

DEFAULT_PORT: Final = 9108
DEFAULT_PORTS: Final = 10
"""The number of ports from the default one on that are tried."""


def open_http(configured: int | None, open_at: Callable[[int], HttpServer], log: Any) -> HttpServer:
    """Return the server, which does not serve yet; ``open_at`` opens it at a port.

    If no port is configured and the default one is in use, as by another job of the machine, the
    next free one is taken, with a warning. Raises :class:`~stream.errors.HttpUnavailable`.
    """
    if configured is not None:
        return open_at(configured)
    refused: list[HttpUnavailable] = []
    for port in range(DEFAULT_PORT, DEFAULT_PORT + DEFAULT_PORTS):
        try:
            server = open_at(port)
        except HttpUnavailable as error:
            refused.append(error)
            continue
        if refused:
            advice = "set http.port, so that the address of the metrics is known"
            log.warning("http_port_taken", port=port, reason=str(refused[0]), advice=advice)
        return server
    raise refused[0]
