"""A real Prometheus scrapes the page of a sink and of the service's own figures, and holds every
value of it."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import generate_latest

from sinks.base import Published
from sinks.courier import CourierCounts
from sinks.prometheus import Prometheus
from stream.aggregation.ledger import Account, Ledger
from stream.aggregation.state import JobState
from stream.event_time import PartitionState
from stream.events import CoveredRange
from stream.telemetry.metrics import Telemetry
from stream.web.server import HttpServer
from tests.conftest import left_out
from tests.servers.base import PartMissing
from tests.servers.prometheus import PrometheusServer
from tests.support.samples import START_MS, calm, feature, report, signal, silence, violation

ODD = 'of "two"\\\nlines \u00e9'
STATISTICS = [
    "n",
    "missing",
    "nan",
    "inf",
    "mean",
    "std",
    "sum",
    "min",
    "max",
    "outlier_share",
    "psi",
    "ks",
    "l_infinity",
]


class Page:
    """Everything that the service shows, with made figures."""

    def __init__(self) -> None:
        self.telemetry = Telemetry("sample")
        self.sink = Prometheus(per_feature=STATISTICS).open("sample")
        self.telemetry.register(self.sink)
        self.server = HttpServer(self.telemetry.registry, "127.0.0.1", 0, {})

    def fill(self) -> None:
        books = {"t-0": Account(12, {"accepted": 10, "json": 2})}
        ledger = Ledger(
            books,
            {"accepted": 380, "json": 20},
            rows_accepted=10,
            rows_folded=10,
            rows_closed=10,
            gaps=1,
            gap_records=40,
        )
        state = JobState(
            watermark_ms=START_MS,
            partitions={"t-0": PartitionState(1, 12, START_MS, START_MS)},
            ledger=ledger,
        )
        self.telemetry.batch(
            0.01,
            [
                CoveredRange(
                    "p",
                    1,
                    0,
                    12,
                    None,
                    False,
                    12,
                    {"accepted": 12},
                    12,
                    12,
                    bytes={"accepted": 400},
                )
            ],
        )
        self.telemetry.commit(0.02, 1_000, state, {})
        self.telemetry.sinks({"sns": CourierCounts(1, 2, 3, 4, 5, 0.5)}, paused=False)
        odd = report(
            model="odd",
            features=(feature(ODD, sum=1.2345678901234567e107, min=-1e-300),),
            violations=(violation(ODD),),
        )
        items: list[Published] = [
            report(),
            odd,
            silence(model="quiet"),
            signal(),
            signal(1, "recovered"),
        ]
        self.telemetry.told(items)
        self.sink.deliver(items)


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    made.fill()
    made.server.start()
    yield made
    made.server.stop()


def stored(server: PrometheusServer) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All series of driftline, with the labels as they were exported."""
    out = {}
    for one in server.query('{__name__=~"driftline_.*"}'):
        labels = one["metric"]
        name = labels.pop("__name__")
        labels["job"] = labels.pop("exported_job")
        labels.pop("instance")
        out[name, frozenset(labels.items())] = float(one["value"][1])
    return out


def exported(page: Page) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    samples = [sample for family in page.telemetry.registry.collect() for sample in family.samples]
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for sample in samples
        if not sample.name.endswith("_created")
    }


def test_prometheus_holds_every_value_of_the_page(
    page: Page, prometheus: Callable[..., PrometheusServer]
) -> None:
    server = prometheus(page.server.port)
    server.wait_for("driftline_series_left_out")
    wanted, found = exported(page), stored(server)
    found = {key: value for key, value in found.items() if not key[0].endswith("_created")}
    assert len(wanted) > 100
    assert found.keys() == wanted.keys()
    assert [
        key
        for key, value in wanted.items()
        if not math.isclose(found[key], value, rel_tol=1e-15, abs_tol=0)
    ] == []


def test_the_gauges_follow_the_newest_window(
    page: Page, prometheus: Callable[..., PrometheusServer]
) -> None:
    server = prometheus(page.server.port)
    assert server.value('driftline_feature_drift_distance{model="flights",feature="amount"}') == 0.3
    page.sink.deliver([report(1, rows=77, features=(feature(value=0.6), calm()))])
    deadline = time.monotonic() + 15
    while server.value('driftline_window_rows{model="flights"}') != 77:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert server.value('driftline_feature_drift_distance{model="flights",feature="amount"}') == 0.6
    assert server.value('driftline_worst_feature_ratio{model="flights",rank="1"}') == pytest.approx(
        6.0
    )
    assert (
        server.value(
            "max_over_time(driftline_feature_drift_distance{model='flights',feature='amount'}[1m])"
        )
        == 0.6
    )


@pytest.mark.prometheus
def test_names_and_help_texts_pass_the_linter_of_prometheus(page: Page) -> None:
    program = shutil.which("promtool")
    if program is None:
        left_out(PartMissing("prometheus", "no promtool (Debian package prometheus)"))
    command = [str(program), "check", "metrics"]
    linted = subprocess.run(
        command, input=generate_latest(page.telemetry.registry), capture_output=True
    )
    assert (linted.returncode, linted.stderr.decode()) == (0, "")
