"""The HTTP server of ``/metrics``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from stream.errors import SourceUnavailable
from stream.web.readiness import Readiness

Page = Callable[[], Readiness]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True


class _SilentRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Do nothing: requests are not logged."""


class HttpServer:
    """Serves a registry in the text format of Prometheus at ``/metrics``, and ``pages`` by path.

    Binds when it is created. With port 0 a free one is used, which ``port`` holds. Raises
    ``SourceUnavailable`` if the port is in use.
    """

    def __init__(
        self, registry: CollectorRegistry, host: str, port: int, pages: Mapping[str, Page]
    ) -> None:
        self._metrics = make_wsgi_app(registry)
        self._pages = pages
        try:
            self._server = make_server(host, port, self._respond, _Server, _SilentRequestHandler)
        except OSError as error:
            advice = "Choose another http.port (0 takes a free one)"
            raise SourceUnavailable(
                f"http {host}:{port}", [error.strerror or str(error)], advice
            ) from error
        self.host = host
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    @property
    def address(self) -> str:
        """The URL of the server."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start to serve requests."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and release the port; safe to call on a server that never started."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            metrics: Iterable[bytes] = self._metrics(environ, start_response)
            return metrics
        status, text = self._pages.get(path, self._not_found)()
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [f"{text}\n".encode()]

    def _not_found(self) -> Readiness:
        paths = ", ".join(("/metrics", *self._pages))
        return Readiness(int(HTTPStatus.NOT_FOUND), f"not found; there are {paths}")
