"""Toxiproxy: a TCP proxy that delays, truncates and resets connections."""

import contextlib
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.base import (
    LOOPBACK,
    DependencyMissing,
    Process,
    cache_dir,
    free_port,
    port_answers,
)

VERSION = "2.5.0"
MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"


def binary() -> Path:
    """Return the path where ``python -m tests.servers.setup`` installs it; the module names its
    program ``server``.
    """
    return cache_dir() / f"toxiproxy-{VERSION}" / "server"


def why_missing() -> str | None:
    """Return why Toxiproxy cannot be started here, or None if it can."""
    return None if binary().exists() else "not built: python -m tests.servers.setup (needs go)"


class Toxiproxy:
    """A proxy on 127.0.0.1 in front of one port, started on entry, stopped on exit; clients connect
    to ``port``.

    Raises DependencyMissing if it is not built, ServerFailed if it does not start.
    """

    def __init__(self, upstream_port: int) -> None:
        if reason := why_missing():
            raise DependencyMissing("toxiproxy", reason)
        self.dir = Path(tempfile.mkdtemp(prefix="driftline-toxiproxy-"))
        self.port = free_port()
        self._api_port = free_port()
        self._upstream = upstream_port
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.process = Process("toxiproxy", self.dir / "toxiproxy.log")

    def __enter__(self) -> Self:
        command = [str(binary()), "-host", LOOPBACK, "-port", str(self._api_port)]
        self.process.start(command, lambda: port_answers(self._api_port))
        ends = {"listen": f"{LOOPBACK}:{self.port}", "upstream": f"{LOOPBACK}:{self._upstream}"}
        self._request("POST", "/proxies", {"name": "p", "enabled": True, **ends})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    @contextlib.contextmanager
    def toxic(self, kind: str, **attributes: int) -> Iterator[None]:
        """Disturb all responses inside the block: ``latency``, ``timeout``, ``reset_peer``,
        ``limit_data``, ``bandwidth`` or ``slicer``.
        """
        self._request(
            "POST", "/proxies/p/toxics", {"name": "t", "type": kind, "attributes": attributes}
        )
        try:
            yield
        finally:
            self._request("DELETE", "/proxies/p/toxics/t", None)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Close the port and cut all connections inside the block."""
        self._request("POST", "/proxies/p", {"enabled": False})
        try:
            yield
        finally:
            self._request("POST", "/proxies/p", {"enabled": True})

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> None:
        url = f"http://{LOOPBACK}:{self._api_port}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            response.read()
