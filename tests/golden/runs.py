"""Three ways through the same files: the service, straight; with a crash after every few items;
with other readers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from detectors.report import Signal, WindowReport
from stream.config.model import Config
from stream.events import Assign, EndOfInput, Gap, Item, Output, Tick
from stream.readers import reader as readers
from stream.readers.in_process import InProcessReader
from stream.readers.worker import serve
from stream.readers.worker_handle import Serve
from stream.service.job import open_job
from stream.service.service import Service
from stream.sources.base import Reading
from stream.telemetry.log_setup import LogSetup
from tests.golden.replay import START_MS, Told

NOW = Tick(START_MS + 3_600_000)
SINK = "golden"


def served(config: Config, serve: Serve = serve) -> Told:
    """What the service delivers, run to the end of its source."""
    assert Service(config, logs=LogSetup("error"), serve=serve).run() == 0
    (folder,) = (sink.path for sink in config.sinks)  # type: ignore[attr-defined]  # the sink is the one that writes files
    return written(str(folder))


def written(folder: str) -> Told:
    """All lines that the sink for files has written."""
    lines = chain.from_iterable(
        path.read_bytes().splitlines() for path in sorted(Path(folder).glob("reports-*.jsonl"))
    )
    told = Path(folder) / "signals.jsonl"
    signals = told.read_bytes().splitlines() if told.exists() else []
    reports = [msgspec.json.decode(line, type=WindowReport) for line in lines]
    return Told(reports, [msgspec.json.decode(line, type=Signal) for line in signals])


def serve_few(pipe: Connection, setup: bytes) -> None:
    """A reader process whose batches are small."""
    readers.MOST_RECORDS = 100  # type: ignore[misc]  # a process of its own
    serve(pipe, setup)


class Life:
    """One process of a job, driven by hand: the real store, aggregator and reader, from what is
    committed to the next crash."""

    def __init__(self, config: Config) -> None:
        self._job = open_job(config)
        self._reading: Reading = config.source.open(config.job)
        self._readers = InProcessReader(config, self._reading, lambda took_s, covers: None)
        self._readers.use(self._job.aggregator.baselines)
        self._waiting: list[Output] = list(self._job.pending)
        self._assign(self._job.aggregator.resume())
        for found in self._reading.discover():
            self._step(found)

    def _assign(self, assigns: list[Assign]) -> None:
        for gap in self._readers.assign(assigns) if assigns else []:
            self._step(gap)

    def _step(self, item: Item) -> None:
        out = self._job.aggregator.step(item)
        self._assign([one for one in out if isinstance(one, Assign)])
        self._waiting += [one for one in out if not isinstance(one, Assign)]

    @property
    def finished(self) -> bool:
        """True when the source is read to its end."""
        return self._readers.finished

    def items(self) -> Iterator[int]:
        """Read on, a partial and a look at the clock at a time, up to the end of the source."""
        count = 0
        while not self.finished:
            for item in self._readers.read(0.0):
                assert not isinstance(item, Gap)
                self._step(item)
            self._step(NOW)
            count += 1
            yield count
        self._step(EndOfInput())

    def commit(self) -> None:
        """One transaction. Nothing leaves the outbox, so that it holds all that was ever told."""
        job = self._job
        off = job.aggregator.state.ledger.imbalance()
        assert not off, f"the ledger is off by {off}"
        job.store.commit(job.identity, job.aggregator.state, job.panes, self._waiting, {SINK: 0})
        self._waiting = []

    def crash(self) -> list[WindowReport | Signal]:
        """Forget what was not committed; returns the whole outbox."""
        said = [
            one.item
            for one in self._job.store.outbox()
            if isinstance(one.item, WindowReport | Signal)
        ]
        self._reading.close()
        self._job.store.close()
        return said


def crashed(config: Config, every: int) -> tuple[Told, int]:
    """Lives of ``every`` items each, the last half of which are not committed; and how many lives
    that took."""
    for lives in range(1, 1_000):
        life = Life(config)
        for count in life.items():
            if count == every - every // 2:
                life.commit()
            if count == every and not life.finished:
                break
        else:
            life.commit()
            said = life.crash()
            reports = [one for one in said if isinstance(one, WindowReport)]
            return Told(reports, [one for one in said if isinstance(one, Signal)]), lives
        life.crash()
    raise AssertionError("it gets nowhere")
