"""Latency of the first reports of live windows by cause, and duration of attempts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from detectors.report import WindowReport
from stream.telemetry.latency import Latency
from stream.testing.reports import signal


def report(start_ms: int, end_ms: int | None, revision: int = 0, state: str = "ok") -> WindowReport:
    name = f"j/m/v/{start_ms}/{end_ms}/{revision}"
    return WindowReport(
        version=1,
        id=name,
        job="j",
        model="m",
        variant="v",
        start_ms=start_ms,
        end_ms=end_ms,
        revision=revision,
        state=state,  # type: ignore[arg-type]
        rows=5,
        baseline="b",
        layout="l",
    )


def test_each_stage_observes_its_seconds_for_first_reports_of_live_windows_only() -> None:
    registry = CollectorRegistry()
    latency = Latency("j", registry, clock=lambda: 100.25)
    latency.begin(2.0, 5.0)
    replayed = report(0, 90_000 - 3_600_000)
    silence = report(30_000, 90_000, state="no data")
    revised = report(30_000, 90_000, revision=1)
    first = report(38_000, 98_000)
    opened = signal(end_ms=97_000)
    items = [first, replayed, silence, revised, "a dead letter", opened]
    latency.committed(items)
    latency.delivered("jsonl", items)
    latency.delivered("sns", items[-1:])

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"job": "j", **labels})

    sums = {
        stage: value("driftline_latency_seconds_sum", stage=stage)
        for stage in ("window_wait", "grace", "verdict")
    }
    assert sums == {"window_wait": 5.0, "grace": 2.0, "verdict": 0.25}
    assert value("driftline_latency_seconds_count", stage="verdict") == 1
    assert value("driftline_delivery_latency_seconds_sum", sink="jsonl") == 0.25 + 1.25
    assert value("driftline_delivery_latency_seconds_sum", sink="sns") == 1.25


def test_attempts_are_observed_by_sink_and_result() -> None:
    registry = CollectorRegistry()
    latency = Latency("j", registry)
    latency.attempted("sns", "retried", 2.0)
    latency.attempted("sns", "retried", 0.5)
    latency.attempted("jsonl", "delivered", 0.002)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(
            f"driftline_sink_attempt_seconds_{name}", {"job": "j", **labels}
        )

    assert value("count", sink="sns", result="retried") == 2
    assert value("sum", sink="sns", result="retried") == 2.5
    assert value("bucket", sink="sns", result="retried", le="1.0") == 1
    assert value("bucket", sink="jsonl", result="delivered", le="0.0025") == 1
    assert value("count", sink="sns", result="delivered") is None
