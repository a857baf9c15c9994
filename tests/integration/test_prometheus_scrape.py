"""A real Prometheus scrapes the metrics of a sink and of the service, with every value and type."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import generate_latest

from stream.testing.reports import calm, feature, report
from stream.web.server import HttpServer
from tests.conftest import skip_or_fail
from tests.servers.base import DependencyMissing
from tests.servers.prometheus import PrometheusServer
from tests.support.metrics import FullPage

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by name and labels."""


@pytest.fixture
def page() -> FullPage:
    return FullPage()


@pytest.fixture
def port(page: FullPage) -> Iterator[int]:
    """The port at which the page is served."""
    server = HttpServer(page.registry, "127.0.0.1", 0, {})
    server.start()
    yield server.port
    server.stop()


def stored(server: PrometheusServer) -> Series:
    """All series of driftline in Prometheus, with the labels that were exported."""
    series_by_name = {}
    for series in server.query('{__name__=~"driftline_.*"}'):
        labels = series["metric"]
        name = labels.pop("__name__")
        labels["job"] = labels.pop("exported_job")
        labels.pop("instance")
        if not name.endswith("_created"):
            series_by_name[name, frozenset(labels.items())] = float(series["value"][1])
    return series_by_name


def exported(page: FullPage) -> Series:
    """All series of the page."""
    samples = [sample for family in page.registry.collect() for sample in family.samples]
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for sample in samples
        if not sample.name.endswith("_created")
    }


def test_prometheus_holds_every_value_of_the_page(
    page: FullPage, port: int, prometheus: Callable[..., PrometheusServer]
) -> None:
    server = prometheus(port)
    server.wait_for("driftline_series_left_out")
    expected = exported(page)
    scraped = stored(server)
    assert len(expected) > 100
    assert scraped.keys() == expected.keys()
    assert [
        key
        for key, value in expected.items()
        if not math.isclose(scraped[key], value, rel_tol=1e-15, abs_tol=0)
    ] == []


def test_prometheus_stores_the_type_of_every_metric(
    page: FullPage, port: int, prometheus: Callable[..., PrometheusServer]
) -> None:
    server = prometheus(port)
    server.wait_for("driftline_series_left_out")
    with urllib.request.urlopen(f"{server.url}/api/v1/metadata", timeout=10) as response:
        metadata = json.load(response)["data"]
    scraped = {
        name.removesuffix("_total"): entries[0]["type"]
        for name, entries in metadata.items()
        if name.startswith("driftline_") and not name.endswith("_created")
    }
    assert scraped == {family.name: family.type for family in page.registry.collect()}


def test_the_gauges_follow_the_newest_window(
    page: FullPage, port: int, prometheus: Callable[..., PrometheusServer]
) -> None:
    server = prometheus(port)
    assert server.value('driftline_feature_drift_distance{model="flights",feature="amount"}') == 0.3
    page.sink.deliver([report(1, rows=77, features=(feature(value=0.6), calm()))])
    deadline = time.monotonic() + 15
    while server.value('driftline_window_rows{model="flights"}') != 77:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert server.value('driftline_feature_drift_distance{model="flights",feature="amount"}') == 0.6
    worst = server.value('driftline_worst_feature_ratio{model="flights",rank="1"}')
    assert worst == pytest.approx(6.0)
    distance = "driftline_feature_drift_distance{model='flights',feature='amount'}"
    assert server.value(f"max_over_time({distance}[1m])") == 0.6


@pytest.mark.prometheus
def test_names_and_help_texts_pass_the_linter_of_prometheus(page: FullPage) -> None:
    program = shutil.which("promtool")
    if program is None:
        skip_or_fail(DependencyMissing("prometheus", "no promtool (Debian package prometheus)"))
    command = [str(program), "check", "metrics"]
    linted = subprocess.run(command, input=generate_latest(page.registry), capture_output=True)
    assert (linted.returncode, linted.stderr.decode()) == (0, "")
