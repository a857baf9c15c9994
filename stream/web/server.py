"""The HTTP server of ``/metrics``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from hmac import compare_digest
from http import HTTPStatus
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stream.errors import HttpUnavailable
from stream.web.connections import CONNECTIONS, TimedConnection, listen
from stream.web.readiness import Readiness

Page = Callable[[], Readiness]


class HttpServer:
    """Serves a registry in the text format of Prometheus at ``/metrics``, and ``pages`` by path.

    Binds when it is created. With port 0 a free one is used, which ``port`` holds. Raises
    ``HttpUnavailable`` if the port is in use, or if the certificate cannot be read.

    With ``certificate`` and ``key`` it serves HTTPS. With ``token``, ``/metrics`` requires the
    header ``Authorization: Bearer TOKEN``, and pages answer without it with their status alone, so
    that probes need no secret.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        host: str,
        port: int,
        pages: Mapping[str, Page],
        *,
        token: str = "",
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._token = token.encode()
        self._pages = pages
        metrics = _Metrics(make_asgi_app(registry), self._is_authorized)
        self._config = uvicorn.Config(
            Starlette(
                routes=[
                    Route("/metrics", metrics),
                    *(Route(path, self._page(page)) for path, page in pages.items()),
                ],
                exception_handlers={int(HTTPStatus.NOT_FOUND): self._not_found},
            ),
            http=TimedConnection,
            loop="asyncio",
            ws="none",
            lifespan="off",
            backlog=CONNECTIONS,
            timeout_graceful_shutdown=1,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
        )
        self._load(f"http {host}:{port}")
        self._socket = listen(host, port)
        self._scheme = "https" if certificate else "http"
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(self._config)
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)

    @property
    def address(self) -> str:
        """The URL of the server."""
        return f"{self._scheme}://{self.host}:{self.port}"

    def start(self) -> None:
        """Start to serve requests."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and release the port; safe to call on a server that never started."""
        if self._thread.is_alive():
            self._server.should_exit = True
            self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def _load(self, name: str) -> None:
        try:
            self._config.load()
        except OSError as error:  # of the certificate: ssl.SSLError is one
            advice = "Correct http.tls: the certificate and its key, as PEM files"
            raise HttpUnavailable(name, [error.strerror or str(error)], advice) from error

    def _is_authorized(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        is_bearer = scheme.lower() == "bearer"
        return not self._token or (is_bearer and compare_digest(token.encode(), self._token))

    def _page(self, page: Page) -> Callable[[Request], PlainTextResponse]:
        async def respond(request: Request) -> PlainTextResponse:
            status, text = page()
            if not self._is_authorized(request.headers):
                text = HTTPStatus(status).phrase
            return PlainTextResponse(f"{text}\n", status)

        return respond  # type: ignore[return-value]

    async def _not_found(self, _request: Request, _error: Exception) -> PlainTextResponse:
        paths = ", ".join(("/metrics", *self._pages))
        return PlainTextResponse(f"not found; there are {paths}\n", int(HTTPStatus.NOT_FOUND))


class _Metrics:
    """The application of ``/metrics`` for requests that are authorized."""

    def __init__(self, metrics: ASGIApp, is_authorized: Callable[[Headers], bool]) -> None:
        self._metrics = metrics
        self._is_authorized = is_authorized

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_authorized(Headers(scope=scope)):
            await self._metrics(scope, receive, send)
            return
        text = "expected the header `Authorization: Bearer TOKEN` with the token of http.token\n"
        headers = {"WWW-Authenticate": "Bearer"}
        response = PlainTextResponse(text, int(HTTPStatus.UNAUTHORIZED), headers)
        await response(scope, receive, send)
