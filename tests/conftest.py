"""Fixtures for the real components, and the promise that none is left out in silence.

A test that asks for a component which this machine does not have is skipped by name with the reason
and counted in the last lines; with ``DRIFTLINE_REQUIRE=all`` it fails instead.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from tests.servers import linters
from tests.servers.base import PartMissing
from tests.servers.kafka import GUARDED, KafkaBroker
from tests.servers.kinesis import KinesisEmulator
from tests.servers.microburst import Microburst
from tests.servers.ministack import Ministack
from tests.servers.moto import MotoServer
from tests.servers.prometheus import PrometheusServer
from tests.servers.toxiproxy import Toxiproxy

MARKERS = {
    "kafka": "needs a real Apache Kafka broker",
    "moto": "needs moto's server (CloudWatch, SNS, SQS)",
    "prometheus": "needs a real Prometheus",
    "linters": "needs docker-compose and hadolint",
    "kinesis": "needs kinesis-local (an emulator)",
    "microburst": "needs microburst (AWS errors by name)",
    "ministack": "needs ministack (an emulator)",
    "toxiproxy": "needs Toxiproxy (network faults)",
}
FIXTURES = {
    "kafka": "kafka",
    "own_kafka": "kafka",
    "guarded_kafka": "kafka",
    "moto": "moto",
    "prometheus": "prometheus",
    "linter": "linters",
    "kinesis": "kinesis",
    "microburst": "microburst",
    "ministack": "ministack",
    "toxiproxy_before": "toxiproxy",
}
SKIP = re.compile(r"component (\w+) cannot be had: (.*)", re.DOTALL)

MakeTopic = Callable[..., str]
Part = TypeVar("Part")


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning} (set by itself from the fixtures)")
    config.addinivalue_line("markers", "slow: takes more than about ten seconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in FIXTURES:
                item.add_marker(FIXTURES[fixture])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if found := SKIP.search(text):
            counts[found[1], found[2].strip()] += 1
    for (name, reason), tests in sorted(counts.items()):
        terminalreporter.write_line(
            f"components skipped: {name} ({reason}) {tests} tests", yellow=True
        )


def left_out(missing: PartMissing) -> None:
    """Skip the test, or fail it under DRIFTLINE_REQUIRE=all."""
    text = f"component {missing.part} cannot be had: {missing.reason}"
    if os.environ.get("DRIFTLINE_REQUIRE") == "all":
        pytest.fail(f"{text} (DRIFTLINE_REQUIRE=all)", pytrace=False)
    pytest.skip(text)


def running(make: Callable[[], AbstractContextManager[Part]]) -> Iterator[Part]:
    """A component for as long as a fixture lives; without it the test is left out."""
    with ExitStack() as stack:
        try:
            part = stack.enter_context(make())
        except PartMissing as missing:
            left_out(missing)
        yield part


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    """One broker for the whole run; isolate by topic name, and never stop this one."""
    yield from running(KafkaBroker)


@pytest.fixture
def own_kafka() -> Iterator[KafkaBroker]:
    """A broker of the test's own, for tests that stop or kill it."""
    yield from running(KafkaBroker)


@pytest.fixture(scope="module")
def guarded_kafka() -> Iterator[KafkaBroker]:
    """A new broker with ACLs; see :data:`tests.servers.kafka.GUARDED`."""
    yield from running(lambda: KafkaBroker(settings=GUARDED))


@pytest.fixture
def make_topic(kafka: KafkaBroker, request: pytest.FixtureRequest) -> Iterator[MakeTopic]:
    """``make_topic(partitions=1, configs=None)`` creates a topic named after the test, returns its
    name."""
    made: list[str] = []

    def make(partitions: int = 1, configs: dict[str, str] | None = None) -> str:
        stem = re.sub(r"[^\w.-]", "_", request.node.name)[:180]
        made.append(f"{stem}-{os.urandom(3).hex()}")
        kafka.create_topic(made[-1], partitions, configs)
        return made[-1]

    yield make
    present = set(kafka.admin.list_topics())
    for name in made:
        if name in present:
            kafka.delete_topic(name)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    """moto's server for the whole run; tests should take ``moto``, which is empty at the start."""
    yield from running(MotoServer)


@pytest.fixture
def moto(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> MotoServer:
    """moto's server, emptied, with its fake credentials in the environment of this process."""
    for name, value in moto_server.env.items():
        monkeypatch.setenv(name, value)
    moto_server.reset()
    return moto_server


@pytest.fixture(scope="session")
def kinesis_emulator() -> Iterator[KinesisEmulator]:
    """kinesis-local for the whole run; tests should take ``kinesis``."""
    yield from running(KinesisEmulator)


@pytest.fixture
def kinesis(kinesis_emulator: KinesisEmulator, monkeypatch: pytest.MonkeyPatch) -> KinesisEmulator:
    """kinesis-local, with its credentials in the environment of this process; isolate by stream
    name."""
    for name, value in kinesis_emulator.env.items():
        monkeypatch.setenv(name, value)
    return kinesis_emulator


@pytest.fixture
def make_stream(kinesis: KinesisEmulator) -> Iterator[Callable[..., str]]:
    """``make_stream(shards=1)`` creates a stream of the test's own, returns its name."""
    made: list[str] = []

    def make(shards: int = 1) -> str:
        made.append(f"stream-{os.urandom(6).hex()}")
        kinesis.create(made[-1], shards)
        return made[-1]

    yield make
    present = set(kinesis.client.list_streams()["StreamNames"])
    for name in made:
        if name in present:
            kinesis.delete(name)


@pytest.fixture
def toxiproxy_before() -> Iterator[Callable[[int], Toxiproxy]]:
    """``toxiproxy_before(port)`` is a proxy with network faults in front of a port."""
    with ExitStack() as stack:

        def start(port: int) -> Toxiproxy:
            try:
                return stack.enter_context(Toxiproxy(port))
            except PartMissing as missing:
                left_out(missing)
                raise

        yield start


@pytest.fixture
def toxiproxy(kinesis: KinesisEmulator, toxiproxy_before: Callable[[int], Toxiproxy]) -> Toxiproxy:
    """A proxy with network faults in front of kinesis-local."""
    return toxiproxy_before(kinesis.port)


@pytest.fixture
def microburst(kinesis: KinesisEmulator) -> Iterator[Microburst]:
    """A proxy with errors by name in front of kinesis-local."""
    yield from running(lambda: Microburst(kinesis.url))


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    """ministack for the whole run; isolate by stream name."""
    yield from running(Ministack)


@pytest.fixture
def prometheus() -> Iterator[Callable[..., PrometheusServer]]:
    """``prometheus(port, ...)`` starts a server that scrapes these ports; they must answer already."""
    with ExitStack() as stack:

        def start(*ports: int) -> PrometheusServer:
            try:
                return stack.enter_context(PrometheusServer(*ports))
            except PartMissing as missing:
                left_out(missing)
                raise

        yield start


@pytest.fixture
def linter() -> Callable[[str], Path]:
    """``linter("hadolint")`` or ``linter("docker-compose")`` is the path of that program."""

    def find(name: str) -> Path:
        try:
            return linters.program(name)
        except PartMissing as missing:
            left_out(missing)
            raise

    return find
