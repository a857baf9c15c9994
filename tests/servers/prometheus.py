"""A real Prometheus (Debian's 2.42) that scrapes given ports of 127.0.0.1 each second."""

import json
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.base import (
    LOOPBACK,
    DependencyMissing,
    Process,
    ServerFailed,
    free_port,
    port_answers,
)

CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: driftline
    static_configs: [{{targets: {targets}}}]
"""


def why_missing() -> str | None:
    """Return why no Prometheus can be started here, or None if one can."""
    return None if shutil.which("prometheus") else "no prometheus (Debian package of that name)"


class PrometheusServer:
    """Prometheus on a free port of 127.0.0.1; it scrapes ``127.0.0.1:port`` for each of
    ``targets``.

    Starts on entry, which waits until each target has been scraped once (``up``); the targets must
    respond before that. Raises DependencyMissing without the binary, ServerFailed if Prometheus
    does not start.
    """

    def __init__(self, *targets: int) -> None:
        if reason := why_missing():
            raise DependencyMissing("prometheus", reason)
        self.dir = Path(tempfile.mkdtemp(prefix="driftline-prometheus-"))
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.targets = [f"{LOOPBACK}:{port}" for port in targets]
        self.process = Process("prometheus", self.dir / "prometheus.log")
        (self.dir / "prometheus.yml").write_text(CONFIG.format(targets=json.dumps(self.targets)))

    def __enter__(self) -> Self:
        command = [
            "prometheus",
            f"--config.file={self.dir / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.dir / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
        ]
        try:
            self.process.start(command, lambda: port_answers(self.port))
            self.wait_for("up == 1", series=len(self.targets))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop Prometheus and remove its files."""
        self.process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query: ``{"metric": labels, "value": [time, text]}`` for
        each series.

        Raises urllib.error.HTTPError if the expression is invalid.
        """
        text = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{text}", timeout=10) as response:
            result = json.load(response)["data"]["result"]
        return list(result)

    def value(self, expression: str) -> float:
        """Return the value of the only series of an expression; raises LookupError otherwise."""
        result = self.query(expression)
        if len(result) != 1:
            raise LookupError(f"{expression}: {len(result)} series instead of 1")
        return float(result[0]["value"][1])

    def wait_for(
        self, expression: str, series: int = 1, timeout_s: float = 30.0
    ) -> list[dict[str, Any]]:
        """Query until at least ``series`` series are returned; raise ServerFailed after
        ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        while len(result := self._query_when_up(expression)) < series:
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"prometheus: {expression} returned {len(result)} series, {series}"
                    f" expected\n{self.process.tail()}"
                )
            time.sleep(0.1)
        return result

    def _query_when_up(self, expression: str) -> list[dict[str, Any]]:
        try:
            return self.query(expression)
        except urllib.error.HTTPError as error:
            if error.code == 503:  # the storage is still being loaded
                return []
            raise
