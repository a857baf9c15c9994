"""``/metrics``, ``/healthz`` and ``/readyz`` over HTTP."""

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


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Scrapes are not logged."""


class HttpServer:
    """Serves a registry in the text format of Prometheus at ``/metrics``, and what is asked for at
    ``/healthz`` and ``/readyz``.

    Binds when it is made; port 0 takes a free one, ``port`` tells which. Raises
    ``SourceUnavailable`` if the port is taken.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        host: str,
        port: int,
        pages: Mapping[str, Callable[[], Readiness]],
    ) -> None:
        self._metrics, self._pages = make_wsgi_app(registry), pages
        try:
            self._server = make_server(host, port, self._answer, _Server, _Quiet)
        except OSError as error:
            advice = "Choose another http.port (0 takes a free one)"
            raise SourceUnavailable(
                f"http {host}:{port}", [error.strerror or str(error)], advice
            ) from error
        self.host, self.port = host, self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port; safe to call when it never started."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            page: Iterable[bytes] = self._metrics(environ, start_response)
            return page
        page_of = self._pages.get(path)
        status, text = (
            page_of()
            if page_of
            else (404, f"not found; there are /metrics, {', '.join(self._pages)}")
        )
        kind = [("Content-Type", "text/plain; charset=utf-8")]
        start_response(f"{status} {HTTPStatus(status).phrase}", kind)
        return [f"{text}\n".encode()]
