"""Limits on the connections of the HTTP server, so that clients cannot exhaust the process."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from stream.errors import HttpUnavailable

CONNECTIONS: Final = 64
"""The largest number of open connections; each is a file descriptor that sources need too."""
CONNECTION_S: Final = 30.0
"""The longest time from the opening of a connection, or from its last response, to a response."""


class TimedConnection(H11Protocol):
    """A connection that is closed if a request or its response takes longer than 30 seconds.

    The library closes connections that are idle after a response, but waits for a first request,
    and for a client that does not read, for ever.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin the time of the first request."""
        super().connection_made(transport)
        self._limit()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer."""
        self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin the time of the next request."""
        self._timer.cancel()
        self._limit()
        super().on_response_complete()

    def _limit(self) -> None:
        self._timer = self.loop.call_later(CONNECTION_S, self.transport.abort)


class _LimitedSocket(socket.socket):
    """A listening socket with at most ``CONNECTIONS`` open connections.

    Beyond that the oldest is shut down: a probe or a scrape is always among the newest, and
    connections that send nothing cannot lock it out. This holds for connections in a TLS handshake
    too, which the library does not know yet.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: list[socket.socket] = []

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and shut down the oldest if there are too many."""
        connection, address = super().accept()
        self._open = [other for other in self._open if other.fileno() >= 0]
        self._open.append(connection)
        for oldest in self._open[:-CONNECTIONS]:
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        return connection, address


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ``HttpUnavailable`` if the address cannot be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = _LimitedSocket(family, kind, protocol)
    except OSError as error:
        raise _unavailable(host, port, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(CONNECTIONS)
    except OSError as error:
        listening.close()
        raise _unavailable(host, port, error) from error
    return listening


def _unavailable(host: str, port: int, error: OSError) -> HttpUnavailable:
    advice = "Choose another http.port (0 takes a free one), or correct http.host"
    return HttpUnavailable(f"http {host}:{port}", [error.strerror or str(error)], advice)
