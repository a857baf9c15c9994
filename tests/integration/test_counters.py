"""Counters of the state continue when the service is restarted; those of the process start at 0."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from stream.telemetry.state_metrics import StateMetrics
from tests.servers.prometheus import PrometheusServer
from tests.servers.service import RunningService
from tests.support import events, jobs
from tests.support.metrics import state
from tests.support.paths import ROOT

EVENTS = 3_000
ACCEPTED = 'sum(driftline_ledger_records_total{outcome="accepted"})'

[IDENTITY, _] = re.findall(
    r"```promql\n(.*?)```", (ROOT / "docs" / "metrics.md").read_text(), re.DOTALL
)


def state_counters() -> set[str]:
    """The counters of the state of a job without labels."""
    metrics = StateMetrics("j")
    metrics.committed(replace(state(), labels=None), {})
    return {f"{family.name}_total" for family in metrics.collect() if family.type == "counter"}


def scraped(service: RunningService) -> dict[tuple[str, ...], float]:
    """The counters of the state, by name and labels; empty before the first commit."""
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=5) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    names = state_counters()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
        if sample.name in names
    }


def config(folder: Path) -> dict[str, Any]:
    source = {"type": "jsonl", "path": str(folder / "captures"), "follow": True}
    return jobs.config(jobs.learn(folder), job="restarted", source=source, grace=None)


def write(folder: Path, name: str, start_ms: int) -> None:
    """Write capture lines from ``start_ms`` on, and two invalid lines."""
    lines = events.capture_lines(events.values(EVENTS), start_ms=start_ms, events_a_second=50)
    (folder / "captures").mkdir(exist_ok=True)
    path = folder / "captures" / f".{name}"
    path.write_bytes(b"\n".join([*lines, b"{}", b"no JSON"]) + b"\n")
    path.rename(folder / "captures" / name)


@pytest.mark.parametrize("end", [RunningService.stop, RunningService.kill9], ids=["stop", "kill9"])
def test_a_restart_does_not_reset_the_counters_of_the_state(
    prometheus: Callable[..., PrometheusServer],
    tmp_path: Path,
    end: Callable[[RunningService], object],
) -> None:
    start_ms = int(time.time() * 1000) - 420_000
    write(tmp_path, "a.jsonl", start_ms)
    with RunningService(tmp_path / "run", config(tmp_path)) as service:
        service.until(lambda: service.accepted() == EVENTS)
        server = prometheus(service.port)
        server.wait_for(f"{ACCEPTED} == {EVENTS}")
        before = scraped(service)
        assert {key[0] for key in before} == state_counters()
        end(service)
        service.start()
        service.until(lambda: service.accepted() > 0)
        after = scraped(service)
        assert after.keys() >= before.keys()
        assert [key for key, value in before.items() if after[key] < value] == []
        records = {key for key in before if "records" in key[0]}
        assert {key: after[key] for key in records} == {key: before[key] for key in records}
        server.wait_for("driftline_records_read_total == 0")
        write(tmp_path, "b.jsonl", start_ms + 1_000 * EVENTS // 50)
        server.wait_for(f"{ACCEPTED} == {2 * EVENTS}")
        assert server.value("driftline_ledger_imbalance") == 0
        assert server.value(IDENTITY) == 0
        assert server.value('driftline_ledger_rows_total{stage="folded"}') == 2 * EVENTS
        for name in state_counters():
            assert server.query(f"resets({name}[5m]) > 0") == [], name
            assert server.query(f"resets({name}[5m]) == 0"), name
        assert server.value("resets(driftline_records_read_total[5m])") == 1
        assert server.value("sum(increase(driftline_ledger_records_total[5m]))") > 0
        assert server.value("changes(driftline_start_timestamp_seconds[5m])") == 1
