"""Every query of the Grafana board returns a series on a real Prometheus while the service runs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.servers.kafka import KafkaBroker
from tests.servers.prometheus import PrometheusServer
from tests.servers.service import RunningService
from tests.support import events, jobs
from tests.support.paths import ROOT

BOARD = ROOT / "deploy" / "grafana" / "dashboards" / "driftline.json"
LOGS_ONLY = {"Lag"}
"""Panels that are empty for a source of files."""


def queries() -> list[tuple[str, str]]:
    board = json.loads(BOARD.read_text())
    return [
        (panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]
    ]


def with_variables_selected(expression: str) -> str:
    """The expression that Grafana sends when all values of every variable are selected."""
    return re.sub(r"\$(job|model|feature)", ".*", expression.replace("$__rate_interval", "10s"))


def config(folder: Path, source: dict[str, Any]) -> dict[str, Any]:
    sinks = [{"type": "prometheus"}, {"type": "jsonl", "path": "reports"}]
    return jobs.config(jobs.learn(folder), job="board", source=source, sinks=sinks, grace=None)


def lines(count: int) -> list[bytes]:
    """Events of the last seven minutes, 50 per second."""
    return events.capture_lines(
        events.values(count), start_ms=int(time.time() * 1000) - 420_000, events_a_second=50
    )


def test_each_query_of_the_board_returns_a_series(
    prometheus: Callable[..., PrometheusServer], tmp_path: Path
) -> None:
    captures = tmp_path / "captures"
    captures.mkdir()
    (captures / "a.jsonl").write_bytes(b"\n".join(lines(20_000)) + b"\n")
    source = {"type": "jsonl", "path": str(captures), "follow": True}
    with RunningService(tmp_path / "run", config(tmp_path, source)) as service:
        service.until(lambda: service.metric("driftline_window_rows") > 0)
        server = prometheus(service.port)
        for title, expression in queries():
            if title not in LOGS_ONLY:
                assert server.wait_for(with_variables_selected(expression), timeout_s=30), title


def test_panels_about_a_log_return_a_series_for_each_partition(
    kafka: KafkaBroker,
    make_topic: Callable[..., str],
    prometheus: Callable[..., PrometheusServer],
    tmp_path: Path,
) -> None:
    topic = make_topic(2)
    kafka.produce(
        topic,
        [(k % 2, None, line, [], int(time.time() * 1000)) for k, line in enumerate(lines(200))],
    )
    source = {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}
    with RunningService(tmp_path / "run", config(tmp_path, source)) as service:
        service.until(lambda: service.accepted() == 200)
        server = prometheus(service.port)
        for title, expression in queries():
            if title in LOGS_ONLY:
                result = server.wait_for(
                    with_variables_selected(expression), series=2, timeout_s=30
                )
                partitions = {series["metric"]["partition"] for series in result}
                assert partitions == {f"{topic}-0", f"{topic}-1"}


def test_each_panel_has_a_title_a_description_and_a_unit() -> None:
    board = json.loads(BOARD.read_text())
    assert board["editable"] is False
    names = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert names["datasource"]["type"] == "datasource"
    assert all(names[name]["refresh"] == 2 for name in ("job", "model", "feature"))
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(
            "$__rate_interval" in target["expr"]
            for target in panel["targets"]
            if "rate(" in target["expr"]
        )
