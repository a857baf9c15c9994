"""Every query of the Grafana board finds something on a real Prometheus while the service runs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from benchmarks import events
from stream import baselining
from tests.parts.prometheus import PrometheusServer
from tests.parts.service import RunningService

BOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards" / "driftline.json"


def queries() -> list[tuple[str, str]]:
    board = json.loads(BOARD.read_text())
    return [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]


def plain(expression: str) -> str:
    """The expression as Grafana sends it when all of every variable is chosen."""
    return re.sub(r"\$(job|model|feature)", ".*", expression.replace("$__rate_interval", "10s"))


def test_each_query_of_the_board_finds_a_series(prometheus: Callable[..., PrometheusServer], tmp_path: Path) -> None:
    made = baselining.make(lambda: [pa.table(events.values(5_000, 4))], events.OUTPUTS)
    baselining.write(made, tmp_path / "baseline")
    captures = tmp_path / "captures"
    captures.mkdir()
    lines = events.capture_lines(events.values(20_000), start_ms=int(time.time() * 1000) - 420_000, events_a_second=50)
    (captures / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    config = {
        "job": "board",
        "source": {"type": "jsonl", "path": str(captures), "follow": True},
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": str(tmp_path / "baseline")}},
        "sinks": [{"type": "prometheus"}, {"type": "jsonl", "path": "reports"}],
    }
    with RunningService(tmp_path / "run", config) as service:
        service.until(lambda: service.metric("driftline_window_rows") > 0)
        server = prometheus(service.port)
        for title, expression in queries():
            assert server.wait_for(plain(expression), timeout_s=30), title


def test_the_board_says_what_it_shows() -> None:
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
        assert all("$__rate_interval" in target["expr"] for target in panel["targets"] if "rate(" in target["expr"])
