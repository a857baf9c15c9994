"""Fixtures for real servers, and the order in which worker processes run the tests.

A test whose server or tool is missing on this machine is skipped with the reason, and counted in
the last lines; with ``DRIFTLINE_REQUIRE=all`` it fails instead.
"""

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
import structlog
from _pytest.nodeid import coerce_node_id
from hypothesis import settings

from tests.servers import linters
from tests.servers.base import DependencyMissing
from tests.servers.kafka import GUARDED, KafkaBroker, RunningBroker
from tests.servers.kinesis import KinesisEmulator
from tests.servers.microburst import Microburst
from tests.servers.ministack import Ministack
from tests.servers.moto import MotoServer
from tests.servers.prometheus import PrometheusServer
from tests.servers.shared import shared_broker
from tests.servers.toxiproxy import Toxiproxy

MARKERS = {
    "kafka": "needs a real Apache Kafka broker",
    "moto": "needs moto's server (CloudWatch, SNS, SQS, S3)",
    "prometheus": "needs a real Prometheus",
    "alertmanager": "needs a real Alertmanager",
    "linters": "needs docker-compose and hadolint",
    "kinesis": "needs kinesis-local (an emulator)",
    "microburst": "needs microburst (named AWS errors)",
    "ministack": "needs ministack (an emulator)",
    "toxiproxy": "needs Toxiproxy (network faults)",
}
FIXTURES = {
    "kafka": "kafka",
    "own_kafka": "kafka",
    "guarded_kafka": "kafka",
    "moto_server": "moto",
    "prometheus": "prometheus",
    "linter": "linters",
    "kinesis_emulator": "kinesis",
    "microburst_proxy": "microburst",
    "ministack": "ministack",
    "toxiproxy_before": "toxiproxy",
}
LONG = ("tests/integration/", "tests/soak/", "tests/golden/", "tests/fuzz/", "tests/simulation/")
"""Folders of tests that take seconds rather than milliseconds."""
MISSING = re.compile(r"(\w+) is missing: (.*)", re.DOTALL)

MakeTopic = Callable[..., str]
Server = TypeVar("Server")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell ignores Ctrl-C in what it starts in the background, and children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("driftline", deadline=None)  # a busy machine is no failure
    settings.load_profile("driftline")
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning} (set automatically from fixtures)")
    config.addinivalue_line("markers", "server: needs any of the above (set automatically)")
    config.addinivalue_line("markers", "programs: runs other programs; make quick leaves it out")
    config.addinivalue_line("markers", "slow: takes more than about ten seconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in {FIXTURES[fixture] for fixture in fixtures_of(item) if fixture in FIXTURES}:
            item.add_marker(name)
        if any(item.get_closest_marker(name) for name in MARKERS):
            item.add_marker("server")
    if "PYTEST_XDIST_WORKER" in os.environ:
        schedule(items)


def fixtures_of(item: pytest.Item) -> Sequence[str]:
    """The names of all fixtures that a test uses; none for a doctest."""
    return getattr(item, "fixturenames", ())


def schedule(items: list[pytest.Item]) -> None:
    """Order and group the tests for ``--dist loadgroup --no-loadscope-reorder``.

    The slowest tests start first, so that none of them keeps a single worker busy at the end; tests
    that wait for servers follow. Tests that share a fixture of their module stay on one worker, so
    that it is set up once.
    """
    for item in items:
        if not is_slow(item) and shares_module_fixture(item):
            put_in_group(item, item.location[0])
    items.sort(key=lambda item: (not is_slow(item), not is_long(item)))


def put_in_group(item: pytest.Item, group: str) -> None:
    """Let all tests of a group run on one worker.

    xdist knows a group by what follows the ``@`` in the id of a test. The marker of xdist 3.8 does
    not put it there: pytest 9.2 no longer reads the attribute that xdist sets.
    """
    item._id = coerce_node_id(f"{item.nodeid}@{group}")


def is_slow(item: pytest.Item) -> bool:
    """Whether a test takes more than about ten seconds."""
    return item.get_closest_marker("slow") is not None


def is_long(item: pytest.Item) -> bool:
    """Whether a test probably takes seconds rather than milliseconds."""
    return item.get_closest_marker("server") is not None or item.location[0].startswith(LONG)


def shares_module_fixture(item: pytest.Item) -> bool:
    """Whether a test uses a fixture that its module sets up once."""
    fixtures = getattr(item, "_fixtureinfo", None)
    chains = fixtures.name2fixturedefs.values() if fixtures else ()
    return any(fixture.scope == "module" for chain in chains for fixture in chain)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if missing := MISSING.search(text):
            counts[missing[1], missing[2].strip()] += 1
    for (name, reason), tests in sorted(counts.items()):
        terminalreporter.write_line(f"skipped {tests} tests without {name}: {reason}", yellow=True)


def skip_or_fail(missing: DependencyMissing) -> None:
    """Skip the test, or fail it under DRIFTLINE_REQUIRE=all."""
    text = f"{missing.name} is missing: {missing.reason}"
    if os.environ.get("DRIFTLINE_REQUIRE") == "all":
        pytest.fail(f"{text} (DRIFTLINE_REQUIRE=all)", pytrace=False)
    pytest.skip(text)


def running(start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    """A server that runs for the lifetime of a fixture; if it is missing, the test is skipped."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(start())
        except DependencyMissing as missing:
            skip_or_fail(missing)
        yield server


@pytest.fixture(autouse=True)
def _default_logging() -> Iterator[None]:
    """Undo the log set-up of commands that were run in this process."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """One broker for the whole run, shared by all workers; isolate by topic name."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    yield from running(lambda: shared_broker(folder))


@pytest.fixture
def own_kafka() -> Iterator[KafkaBroker]:
    """A broker for one test, which may stop or kill it."""
    yield from running(KafkaBroker)


@pytest.fixture(scope="module")
def guarded_kafka() -> Iterator[KafkaBroker]:
    """A broker with ACLs; see :data:`tests.servers.kafka.GUARDED`."""
    yield from running(lambda: KafkaBroker(settings=GUARDED))


@pytest.fixture
def make_topic(kafka: RunningBroker, request: pytest.FixtureRequest) -> Iterator[MakeTopic]:
    """``make_topic(partitions=1, configs=None)`` creates a topic named after the test and returns
    its name.
    """
    names: list[str] = []

    def make(partitions: int = 1, configs: dict[str, str] | None = None) -> str:
        stem = re.sub(r"[^\w.-]", "_", request.node.name)[:180]
        names.append(f"{stem}-{os.urandom(3).hex()}")
        kafka.create_topic(names[-1], partitions, configs)
        return names[-1]

    yield make
    present = set(kafka.admin.list_topics())
    for name in names:
        if name in present:
            kafka.delete_topic(name)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    """moto's server for the whole run; tests should use ``moto``, which is empty at first."""
    yield from running(MotoServer)


@pytest.fixture
def moto(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> MotoServer:
    """moto's server, emptied, with its fake credentials in this process's environment."""
    for name, value in moto_server.env.items():
        monkeypatch.setenv(name, value)
    moto_server.reset()
    return moto_server


@pytest.fixture(scope="session")
def kinesis_emulator() -> Iterator[KinesisEmulator]:
    """kinesis-local for the whole run; tests should use ``kinesis``."""
    yield from running(KinesisEmulator)


@pytest.fixture
def kinesis(kinesis_emulator: KinesisEmulator, monkeypatch: pytest.MonkeyPatch) -> KinesisEmulator:
    """kinesis-local, with its credentials in this process's environment; isolate by stream name."""
    for name, value in kinesis_emulator.env.items():
        monkeypatch.setenv(name, value)
    return kinesis_emulator


@pytest.fixture
def make_stream(kinesis: KinesisEmulator) -> Iterator[Callable[..., str]]:
    """``make_stream(shards=1)`` creates a stream for one test and returns its name."""
    names: list[str] = []

    def make(shards: int = 1) -> str:
        names.append(f"stream-{os.urandom(6).hex()}")
        kinesis.create(names[-1], shards)
        return names[-1]

    yield make
    present = set(kinesis.client.list_streams()["StreamNames"])
    for name in names:
        if name in present:
            kinesis.delete(name)


@pytest.fixture
def toxiproxy_before() -> Iterator[Callable[[int], Toxiproxy]]:
    """``toxiproxy_before(port)`` starts a proxy with network faults in front of a port."""
    with ExitStack() as stack:

        def start(port: int) -> Toxiproxy:
            try:
                return stack.enter_context(Toxiproxy(port))
            except DependencyMissing as missing:
                skip_or_fail(missing)
                raise

        yield start


@pytest.fixture
def toxiproxy(kinesis: KinesisEmulator, toxiproxy_before: Callable[[int], Toxiproxy]) -> Toxiproxy:
    """A proxy with network faults in front of kinesis-local."""
    return toxiproxy_before(kinesis.port)


@pytest.fixture(scope="session")
def microburst_proxy(kinesis_emulator: KinesisEmulator) -> Iterator[Microburst]:
    """microburst for the whole run; tests should use ``microburst``, which has no rules yet."""
    yield from running(lambda: Microburst(kinesis_emulator.url))


@pytest.fixture
def microburst(kinesis: KinesisEmulator, microburst_proxy: Microburst) -> Microburst:
    """A proxy in front of kinesis-local that returns named AWS errors."""
    microburst_proxy.clear()
    return microburst_proxy


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    """ministack for the whole run; isolate by stream name."""
    yield from running(Ministack)


@pytest.fixture
def prometheus() -> Iterator[Callable[..., PrometheusServer]]:
    """``prometheus(port, ...)`` starts a server that scrapes these ports, which must respond
    already."""
    with ExitStack() as stack:

        def start(*ports: int) -> PrometheusServer:
            try:
                return stack.enter_context(PrometheusServer(*ports))
            except DependencyMissing as missing:
                skip_or_fail(missing)
                raise

        yield start


@pytest.fixture
def linter() -> Callable[[str], Path]:
    """``linter("hadolint")`` or ``linter("docker-compose")`` returns the path of that program."""

    def find(name: str) -> Path:
        try:
            return linters.program(name)
        except DependencyMissing as missing:
            skip_or_fail(missing)
            raise

    return find
