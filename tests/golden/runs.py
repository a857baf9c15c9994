"""Three runs over the same files: the service without interruption, with a crash after every few
items, and with other readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from stream.aggregation.label_ledger import LabelLedger
from stream.config.model import Config
from stream.events import Assign, EndOfInput, Gap, Item, Output, Tick
from stream.labels.rows import LabelRange
from stream.readers import reader as readers
from stream.readers.in_process import InProcessReader
from stream.readers.worker import serve
from stream.readers.worker_handle import Serve
from stream.service.job import open_job
from stream.service.label_feed import LabelFeed
from stream.service.service import Service
from stream.sources.base import Reading
from stream.state.store import Store
from stream.telemetry.log_setup import LogSetup
from tests.golden.replay import START_MS, Results
from tests.support.day_files import lines_of_days

NOW = Tick(START_MS + 3_600_000)
SINK = "golden"
MAX_PROCESSES = 1_000


def run_service(config: Config, serve: Serve = serve) -> Results:
    """Run the service to the end of its source; return what it delivered."""
    assert Service(config, logs=LogSetup("error"), serve=serve).run() == 0
    (folder,) = (sink.path for sink in config.sinks)  # type: ignore[attr-defined]  # a jsonl sink
    return delivered(Path(folder))


def delivered(folder: Path) -> Results:
    """Return all reports and signals that the jsonl sink has written."""
    reports, quality, schedules = (
        lines_of_days(folder, kind) for kind in ("reports", "quality", "executions")
    )
    path = folder / "signals.jsonl"
    signals = path.read_bytes().splitlines() if path.exists() else []
    return Results(
        [msgspec.json.decode(line, type=WindowReport) for line in reports],
        [msgspec.json.decode(line, type=Signal) for line in signals],
        [msgspec.json.decode(line, type=QualityReport) for line in quality],
        [msgspec.json.decode(line, type=ScheduleReport) for line in schedules],
    )


def serve_small_batches(pipe: Connection, setup: bytes) -> None:
    """A reader process whose batches are small."""
    readers.MAX_RECORDS = 100  # type: ignore[misc]  # in a process of its own
    serve(pipe, setup)


class JobProcess:
    """One process of a job, driven by the test, from the last commit to the next crash.

    Store, aggregator and reader are the real ones.
    """

    def __init__(self, config: Config) -> None:
        self._job = open_job(config)
        self._reading: Reading = config.source.open(config.job)
        self._readers = InProcessReader(config, self._reading, lambda took_s, covers: None)
        self._readers.use(self._job.aggregator.baselines)
        self._labels = None
        if config.labels is not None:
            self._label_reading = config.labels.source.open(config.job)
            self._labels = LabelFeed(config, self._label_reading)
        self._waiting: list[Output] = list(self._job.pending)
        self._assign(self._job.aggregator.resume())
        for discovered in self._reading.discover():
            self._step(discovered)
        state = self._job.aggregator.state.labels
        if self._labels is not None and state is not None:
            for item in self._labels.discover(state):
                self._step(item)

    @property
    def finished(self) -> bool:
        """Whether the sources are read to their ends."""
        return self._readers.finished and (self._labels is None or self._labels.finished)

    @property
    def label_ledger(self) -> LabelLedger:
        """The ledger of the labels, of a job that has them."""
        assert self._job.aggregator.state.labels is not None
        return self._job.aggregator.state.labels.ledger

    def turns(self, events_of: int = 1, labels_of: int = 1) -> Iterator[int]:
        """Read partials and the clock in turn, up to the end of the sources; yield the turn's
        number.

        Events are read in every ``events_of``-th turn, labels in every ``labels_of``-th.
        """
        count = 0
        while not self.finished:
            for item in self._readers.read(0.0) if count % events_of == 0 else []:
                assert not isinstance(item, Gap)
                self._step(item)
            for label_item in self._labels.read() if self._labels and not count % labels_of else []:
                self._step(label_item)
            self._step(NOW)
            count += 1
            yield count
        self._step(EndOfInput())

    def commit(self) -> None:
        """Commit; no item is ever removed from the outbox, so that it holds all outputs."""
        job = self._job
        off = job.aggregator.state.ledger.imbalance()
        assert not off, f"the ledger is off by {off}"
        if job.aggregator.state.labels is not None:
            off = self.label_ledger.imbalance()
            assert not off, f"the label ledger is off by {off}"
        job.store.commit(
            job.identity,
            job.aggregator.state,
            job.tables,
            self._waiting,
            {SINK: 0},
        )
        self._waiting = []

    def crash(self) -> Results:
        """Discard what is not committed; return the whole outbox."""
        items = [entry.item for entry in self._job.store.outbox()]
        self._reading.close()
        if self._labels is not None:
            self._label_reading.close()
        self._job.store.close()
        return Results(
            [item for item in items if isinstance(item, WindowReport)],
            [item for item in items if isinstance(item, Signal)],
            [item for item in items if isinstance(item, QualityReport)],
            [item for item in items if isinstance(item, ScheduleReport)],
        )

    def _step(self, item: Item | LabelRange) -> None:
        outputs = self._job.aggregator.step(item)
        self._assign([output for output in outputs if isinstance(output, Assign)])
        self._waiting += [output for output in outputs if not isinstance(output, Assign)]

    def _assign(self, assigns: Sequence[Assign]) -> None:
        of_events = [assign for assign in assigns if not assign.of_labels]
        of_labels = [assign for assign in assigns if assign.of_labels]
        for gap in self._readers.assign(of_events) if of_events else []:
            self._step(gap)
        for item in self._labels.assign(of_labels) if self._labels and of_labels else []:
            self._step(item)


def run_with_crashes(
    config: Config, turns: int, events_of: int = 1, labels_of: int = 1
) -> tuple[Results, int]:
    """Run processes of ``turns`` turns each; the second half of the turns is not committed.

    Returns the results, and the number of processes.
    """
    for processes in range(1, MAX_PROCESSES):
        process = JobProcess(config)
        for turn in process.turns(events_of, labels_of):
            if turn == turns - turns // 2:
                process.commit()
            if turn == turns and not process.finished:
                break
        else:
            process.commit()
            return process.crash(), processes
        process.crash()
    raise AssertionError("the job makes no progress")


def label_ledger(config: Config) -> LabelLedger:
    """Return the ledger of the labels in the committed state of a job."""
    store = Store(Path(config.state.path))
    try:
        stored = store.load()
        assert stored is not None
        assert stored.state.labels is not None
        return stored.state.labels.ledger
    finally:
        store.close()
