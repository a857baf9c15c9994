"""The page about metrics names what there is, with its labels, and nothing else; board and alerts
ask for nothing that is not there."""

from __future__ import annotations

import re

import pytest
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from sinks.prometheus import Prometheus
from stream.formats.rows import TOO_NARROW, TOO_WIDE
from stream.outcomes import ADVICE
from stream.readers.reader import CRASHES_READER
from stream.telemetry.metrics import LATE, Telemetry
from tests.packaging import logged
from tests.support.paths import ROOT
from tests.support.samples import report, signal

PAGE = (ROOT / "docs" / "telemetry.md").read_text()


def test_the_page_and_the_registry_have_the_same_metrics() -> None:
    page = PAGE.split("## Metrics")[1]
    told = {
        name: set(filter(None, labels.split(", ")))
        for name, labels in re.findall(r"^\| `(\w+)` \| ([\w, ]*) \|", page, re.MULTILINE)
    }
    registry = Telemetry("j").registry
    metrics = {one for one in registry._collector_to_names if isinstance(one, MetricWrapperBase)}
    there = {
        one._name + ("_total" if isinstance(one, Counter) else ""): set(one._labelnames) - {"job"}
        for one in metrics
    }
    assert told == there


def table(heading: str) -> set[str]:
    """The events in the first column of the table behind a sentence of the page."""
    rows = PAGE.split(heading)[1].split("| --- | --- |")[1].split("\n\n")[0].strip().splitlines()
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])}


def test_the_page_and_the_code_have_the_same_log_lines() -> None:
    written = logged.events()
    assert {
        "started",
        "ready",
        "not ready",
        "window",
        "partitions idle",
        "is the owner alive?",
        "metrics left out",
        "source_unreachable",
        "no_input_files",
    } <= written
    assert table("## Log lines") == written


def test_the_page_and_the_code_give_the_same_advice_for_each_reason() -> None:
    told = PAGE.split("## Why a record is not counted")[1].split("## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", told, re.MULTILINE)) == ADVICE
    assert {CRASHES_READER, TOO_NARROW, TOO_WIDE, *LATE} <= ADVICE.keys()


@pytest.mark.parametrize(
    "asks",
    ["prometheus-rules.yml", "prometheus-rules.test.yml", "grafana/dashboards/driftline.json"],
)
def test_board_and_alerts_ask_for_what_is_exported(asks: str) -> None:
    telemetry, sink = Telemetry("j"), Prometheus(per_feature=["mean"]).open("j")
    telemetry.register(sink)
    sink.deliver([report(), signal()])
    exported = {family.name for family in telemetry.registry.collect()}
    asked = set(re.findall(r"\bdriftline_\w+", (ROOT / "deploy" / asks).read_text()))
    assert len(asked) > 10
    assert {re.sub("_(total|bucket|sum|count)$", "", name) for name in asked} <= exported
