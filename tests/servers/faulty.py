"""A road to an HTTP server on which requests and answers get lost, as a test says."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self

from tests.servers.base import LOOPBACK

Fault = Literal["", "down", "answer lost", "answer cut"]


class FaultyRoad:
    """Listens on a free port of 127.0.0.1 and forwards to ``port``; ``url`` is what a client gets.

    ``fault`` says what happens to each request from now on: ``down`` (it is not forwarded),
    ``answer lost`` (it is, and the connection ends without an answer), ``answer cut`` (the answer
    ends inside its headers); ``only`` restricts that to one method. ``times``: after so many faults
    all is well again. ``met`` counts them.
    """

    def __init__(self, port: int) -> None:
        road = self

        class Request(_Request):
            def forward(self) -> None:
                road.carry(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward

        self._to = port
        self._server = ThreadingHTTPServer((LOOPBACK, 0), Request)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._changing = threading.Lock()
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self.fault: Fault = ""
        self.only = ""
        self.times: int | None = None
        self.met = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def carry(self, request: _Request) -> None:
        """Take one request to the server, and its answer back."""
        fault = self._fault(request.command)
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if fault != "down":
            connection = http.client.HTTPConnection(LOOPBACK, self._to, timeout=30)
            connection.request(request.command, request.path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
        if fault:
            request.close_connection = True
            request.wfile.write(
                b"HTTP/1.1 200 OK\r\nx-amz-request-id: 1\r\n" if fault == "answer cut" else b""
            )
            return
        request.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                request.send_header(name, value)
        length = (
            answer.getheader("Content-Length") if request.command == "HEAD" else str(len(content))
        )
        request.send_header("Content-Length", length or "0")
        request.end_headers()
        request.wfile.write(content)

    def _fault(self, method: str) -> Fault:
        with self._changing:
            if not self.fault or self.only not in ("", method) or self.times == 0:
                return ""
            self.times = None if self.times is None else self.times - 1
            self.met += 1
            return self.fault


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Nothing is logged."""
