"""The pages about metrics and log events hold exactly what the code exports and logs; board and
alerts use only metrics that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.metrics_core import Metric

from stream.formats.csv_rows import TOO_NARROW, TOO_WIDE
from stream.outcomes import ADVICE, CRASHES_READER
from stream.telemetry.log_events import LATE
from stream.telemetry.metrics import Telemetry
from tests.packaging.logged import logged
from tests.support.metrics import FullPage, state
from tests.support.paths import ROOT

METRICS = (ROOT / "docs" / "metrics.md").read_text()
BOARDS = [f"grafana/dashboards/driftline-{name}.json" for name in ("models", "service")]
EVENTS = (ROOT / "docs" / "log-events.md").read_text()
REASONS = "## Why a record is not counted"
CODE = re.compile(r"(`+) ?(.+?) ?\1(?!`)")
"""A code span of Markdown."""
IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def rows(page: str, columns: int) -> Iterator[list[str]]:
    """The cells of each row of the tables of a page, without their headings."""
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" |")]
        if line.startswith("| `") and len(cells) == columns:
            yield cells


class Documented(NamedTuple):
    """A metric as documented on the page."""

    kind: str
    labels: frozenset[str]


def documented() -> dict[str, Documented]:
    metrics = {}
    for name, kind, labels, meaning, _ in rows(METRICS, 5):
        assert meaning
        metrics[name.strip("`")] = Documented(kind, frozenset(filter(None, labels.split(", "))))
    return metrics


def exported() -> dict[str, Metric]:
    """The families of a registry in which each has a sample, by the names that queries use."""
    families = FullPage().registry.collect()
    return {f"{f.name}_total" if f.type == "counter" else f.name: f for f in families}


def labels_of(family: Metric) -> frozenset[str]:
    assert family.samples, f"{family.name} has no sample in the page of the test"
    return frozenset(label for sample in family.samples for label in sample.labels) - {"job", "le"}


def test_the_page_has_all_metrics_with_their_types_and_labels() -> None:
    assert {name: page.labels for name, page in documented().items()} == {
        name: labels_of(family) for name, family in exported().items()
    }
    assert {name: page.kind.split()[0] for name, page in documented().items()} == {
        name: family.type for name, family in exported().items()
    }


def test_the_page_names_the_counters_that_continue_after_a_restart() -> None:
    """A process that has only committed a stored state exports the counters of the state."""
    restarted = Telemetry("sample")
    restarted.commit(0.02, 1_000, state(), {}, {})
    continued = {
        sample.name
        for family in restarted.registry.collect()
        for sample in family.samples
        if family.type == "counter" and sample.name.endswith("_total") and sample.value
    }
    kinds = {name: page.kind for name, page in documented().items()}
    assert continued == {name for name, kind in kinds.items() if kind == "counter of the state"}


def test_every_metric_has_one_help_text_that_is_a_sentence() -> None:
    for name, family in exported().items():
        assert re.fullmatch(r"[A-Z0-9].{10,}\.", family.documentation), name


def test_the_page_has_all_log_events() -> None:
    page = EVENTS.split(REASONS)[0]
    events = [event for names, _ in rows(page, 2) for _, event in CODE.findall(names)]
    assert len(events) == len(set(events))
    assert set(events) == {entry.event for entry in logged() if entry.event}
    assert {"started", "window_closed", "sink_retrying", "partitions_idle"} <= set(events)


@pytest.mark.parametrize("package", sorted({entry.package for entry in logged()}))
def test_an_event_is_an_identifier_that_can_be_read_from_its_source(package: str) -> None:
    """Events are matched by programs: a stable name in snake_case; everything else is a key."""
    assert [
        (entry.event, entry.where)
        for entry in logged()
        if entry.package == package and not IDENTIFIER.fullmatch(entry.event)
    ] == []


def test_the_page_and_the_code_give_the_same_advice_for_each_reason() -> None:
    page = EVENTS.split(REASONS)[1]
    advice = {reason.strip("`"): text for reason, text in rows(page, 2)}
    assert advice == ADVICE
    assert {CRASHES_READER, TOO_NARROW, TOO_WIDE, *LATE} <= ADVICE.keys()


@pytest.mark.parametrize(
    "file",
    ["prometheus-rules.yml", "prometheus-rules.test.yml", *BOARDS],
)
def test_board_and_alerts_use_metrics_that_exist(file: str) -> None:
    text = (ROOT / "deploy" / file).read_text()
    used = {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"driftline_\w+", text)}
    assert len(used) > 10
    assert used <= exported().keys()


def queries(file: Path) -> list[str]:
    """The expressions of rules or of a board: lines that name a metric, but no texts for people."""
    texts = re.compile(r'^\s*"?(summary|description|definition|query)"?:')
    lines = file.read_text().splitlines()
    return [line for line in lines if "driftline_" in line and not texts.match(line)]


@pytest.mark.parametrize("file", ["prometheus-rules.yml", *BOARDS])
def test_counters_are_queried_by_rate_or_increase_and_gauges_are_not(file: str) -> None:
    """``signals_total`` is also compared with its past, to see the first signal of a series."""
    kinds = {name: page.kind.split()[0] for name, page in documented().items()}
    applied = [
        (function, re.sub("_(bucket|sum|count)$", "", name))
        for line in queries(ROOT / "deploy" / file)
        for function, name in re.findall(r"(?:\b(rate|increase)\()?\b(driftline_\w+)", line)
        if name != "driftline_signals_total"
    ]
    assert applied
    assert [
        (function, name)
        for function, name in applied
        if bool(function) != (kinds[name] in ("counter", "histogram"))
    ] == []
