"""An HTTP proxy that loses requests and responses on demand."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self

from tests.servers.base import LOOPBACK

Fault = Literal["", "down", "response lost", "response cut"]


class FaultyProxy:
    """Listens on a free port of 127.0.0.1 and forwards to ``port``; ``url`` is for clients.

    ``fault`` applies to each request from now on: ``down`` (it is not forwarded), ``response lost``
    (it is forwarded, and the connection closes without a response), ``response cut`` (the response
    ends inside its headers). ``only`` restricts the fault to one method, ``times`` to that number
    of requests. ``faults_met`` counts the requests to which a fault was applied.
    """

    def __init__(self, port: int) -> None:
        proxy = self

        class Request(_Request):
            def forward(self) -> None:
                proxy.carry(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward

        self._target = port
        self._server = ThreadingHTTPServer((LOOPBACK, 0), Request)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._changing = threading.Lock()
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self.fault: Fault = ""
        self.only = ""
        self.times: int | None = None
        self.faults_met = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def carry(self, request: _Request) -> None:
        """Forward one request to the server and return the response, or lose either of them."""
        fault = self._next_fault(request.command)
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if fault == "down":
            request.close_connection = True
            return
        response, content = self._forward(request, body)
        if fault:
            request.close_connection = True
            cut = b"HTTP/1.1 200 OK\r\nx-amz-request-id: 1\r\n" if fault == "response cut" else b""
            request.wfile.write(cut)
            return
        _send(request, response, content)

    def _forward(self, request: _Request, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self._target, timeout=30)
        connection.request(request.command, request.path, body, dict(request.headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    def _next_fault(self, method: str) -> Fault:
        with self._changing:
            if not self.fault or self.only not in ("", method) or self.times == 0:
                return ""
            self.times = None if self.times is None else self.times - 1
            self.faults_met += 1
            return self.fault


def _send(request: _Request, response: http.client.HTTPResponse, content: bytes) -> None:
    request.send_response_only(response.status)
    for name, value in response.getheaders():
        if name.lower() not in ("transfer-encoding", "connection", "content-length"):
            request.send_header(name, value)
    of_head = request.command == "HEAD"
    length = response.getheader("Content-Length") if of_head else str(len(content))
    request.send_header("Content-Length", length or "0")
    request.end_headers()
    request.wfile.write(content)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Log nothing."""
