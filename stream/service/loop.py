"""The main loop of the service: reads items, steps the aggregator, commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from stream.events import (
    Assign,
    BaselineInstalled,
    EndOfInput,
    Gap,
    Item,
    OfLabels,
    Output,
    Partial,
    PartitionsExpired,
    SeasonsLearned,
    Tick,
)
from stream.labels.rows import LabelRange
from stream.service.commit import Committer
from stream.service.startup import RunningJob
from stream.telemetry.metrics import Telemetry
from stream.web.liveness import Liveness

INTERNAL: Final = (Assign, BaselineInstalled, SeasonsLearned)
"""The outputs that are not delivered."""
POLL_S: Final = 0.2
TICK_S: Final = 0.5
DISCOVER_S: Final = 2.0
MARK_ADVICE: Final = (
    "If the clock is right, earlier events of this partition are too late: remove the state, or use"
    " another `job`, to count them"
)


class Loop:
    """Passes items from the readers, the source and the clock to the aggregator.

    Of its outputs, assignments go to the readers, and everything else into the next commit.
    """

    def __init__(
        self,
        running: RunningJob,
        committer: Committer,
        telemetry: Telemetry,
        liveness: Liveness,
        clock: Callable[[], float],
    ) -> None:
        self._job = running.job
        self._reading = running.reading
        self._readers = running.readers
        self._labels = running.labels
        self._routes = running.routes
        self._committer = committer
        self._telemetry = telemetry
        self._liveness = liveness
        self._clock = clock
        self._ticked_s = self._discovered_s = 0.0
        self._full: list[str] = []

    @property
    def progress(self) -> str:
        """The progress of the job in one line, for the log."""
        ledger = self._job.aggregator.state.ledger
        lost = "".join(f", {count} {name}" for name, count in ledger.lost().items())
        accepted = ledger.total("accepted")
        open_rows = ledger.rows_in_panes
        return f"{accepted} events accepted{lost}, {open_rows} rows still open to late events"

    def begin(self) -> None:
        """Take the changes since the last run, assign the partitions, and discover new ones."""
        self._take(self._job.pending)
        self._assign(self._job.aggregator.resume())
        self._report_marks()
        self._discover()

    def _report_marks(self) -> None:
        """Log partitions whose mark is ahead of the clock: no event before the mark is counted.

        No record moves a mark that far; an earlier version may have committed it.
        """
        job = self._job.aggregator
        latest_ms = int(self._clock() * 1000) + job.settings.tolerance_ms
        for name, partition in job.state.partitions.items():
            if partition.mark_ms is not None and partition.mark_ms > latest_ms:
                self._telemetry.log.error(
                    "mark_ahead_of_clock",
                    partition=name,
                    ahead_s=(partition.mark_ms - latest_ms) // 1000,
                    advice=MARK_ADVICE,
                )

    def run(self, stop: threading.Event) -> None:
        """Read and commit until ``stop`` is set or the source ends; then commit once more."""
        while not stop.is_set():
            self._liveness.beat()
            if self._is_paused():
                stop.wait(POLL_S)
            else:
                self._read()
            self._follow_clock()
            self._committer.commit_if_due()
            if self._is_finished() and not self._full:
                break
        if not stop.is_set():
            self._step(EndOfInput())
        self._committer.commit()

    def _is_finished(self) -> bool:
        """Return whether all bounded sources are read to their ends."""
        return self._readers.finished and (self._labels is None or self._labels.finished)

    def _is_paused(self) -> bool:
        """Return whether a lossless sink has no room for more items."""
        before = self._full
        self._full = [route.courier.name for route in self._routes if route.courier.full]
        if self._full and not before:
            self._telemetry.log.warning("reading_paused", sinks=self._full)
        elif before and not self._full:
            self._telemetry.log.info("reading_resumed")
        return bool(self._full)

    def _read(self) -> None:
        labels_wait = self._labels is not None and self._labels.busy
        for item in self._readers.read(0.0 if labels_wait else POLL_S):
            if isinstance(item, Partial):
                self._telemetry.partial(item)
            self._step(item)
        for label_item in self._labels.read() if self._labels else []:
            self._step(label_item)

    def _follow_clock(self) -> None:
        now_s = time.monotonic()
        if now_s - self._ticked_s >= TICK_S:
            self._ticked_s = now_s
            self._step(Tick(int(self._clock() * 1000)))
            self._check_readiness()
            counts = {route.courier.name: route.courier.counts for route in self._routes}
            self._telemetry.sinks(counts, bool(self._full))
        if now_s - self._discovered_s >= DISCOVER_S:
            self._discover()

    def _check_readiness(self) -> None:
        partitions = self._job.aggregator.state.partitions
        now_ms, trouble = int(self._clock() * 1000), self._reading.trouble
        changed = self._liveness.check(partitions, now_ms, self._full, trouble)
        if changed is not None:
            is_ready = changed.status == HTTPStatus.OK
            self._telemetry.log.info("ready" if is_ready else "not_ready", state=changed.text)
        self._telemetry.iteration(self._liveness.silent_s)

    def _discover(self) -> None:
        """Add new partitions, and expire ended ones that the source no longer has.

        All new partitions are assigned together, so that the source looks up their positions once.
        """
        self._discovered_s = time.monotonic()
        aggregator = self._job.aggregator
        discovered = self._reading.discover()
        self._telemetry.unreadable(self._reading.unreadable())
        self._take([output for item in discovered for output in aggregator.step(item)])
        for item_of_labels in self._discovered_labels():
            self._step(item_of_labels)
        partitions = aggregator.state.partitions
        ended = [name for name, partition in partitions.items() if partition.ended]
        if expired := self._reading.expired(ended):
            self._step(PartitionsExpired(tuple(expired)))

    def _discovered_labels(self) -> list[OfLabels]:
        state = self._job.aggregator.state.labels
        return self._labels.discover(state) if self._labels and state else []

    def _step(self, item: Item | LabelRange) -> None:
        self._take(self._job.aggregator.step(item))
        if isinstance(item, OfLabels) and isinstance(item.item, Gap):
            item = item.item
        if isinstance(item, Gap):
            lost = "unknown" if item.lost is None else item.lost
            partition = item.partition
            reason = item.reason
            self._telemetry.log.error("gap", partition=partition, lost=lost, reason=reason)

    def _take(self, outputs: Sequence[Output]) -> None:
        self._assign([output for output in outputs if isinstance(output, Assign)])
        for output in outputs:
            if isinstance(output, BaselineInstalled):
                self._install(output)
            if isinstance(output, SeasonsLearned):
                self._freeze(output)
        self._committer.add([output for output in outputs if not isinstance(output, INTERNAL)])

    def _assign(self, assigns: Sequence[Assign]) -> None:
        of_events = [assign for assign in assigns if not assign.of_labels]
        of_labels = [assign for assign in assigns if assign.of_labels]
        for gap in self._readers.assign(of_events) if of_events else []:
            self._step(gap)
        for item in self._labels.assign(of_labels) if self._labels and of_labels else []:
            self._step(item)

    def _freeze(self, learned: SeasonsLearned) -> None:
        """Archive frozen seasons of the stream, which reports name from now on, and tell it."""
        self._job.store.keep([learned.baseline], [])
        seasons = learned.baseline.seasons
        if seasons is not None:
            self._telemetry.log.warning(
                "seasons_learned",
                model=learned.model,
                seasons=seasons.fingerprint,
                keys=len(seasons.profiles),
                learned_s=learned.learned_ms // 1000,
            )
        self._committer.add([], urgent=True)

    def _install(self, installed: BaselineInstalled) -> None:
        """Continue with a learned baseline."""
        model = installed.model
        baseline = installed.baseline
        log = self._telemetry.log
        self._job.install(model, baseline)
        self._readers.use(self._job.aggregator.baselines)
        features = len(baseline.layout.features)
        log.warning(
            "baseline_installed",
            model=model,
            fingerprint=baseline.fingerprint,
            features=features,
        )
        known = {feature.name for feature in baseline.layout.features if feature.type != "Unknown"}
        empty = [name for name in baseline.columns if name not in known]
        if empty:
            advice = "check their paths in `format`"
            log.error("columns_without_values", model=model, columns=empty, advice=advice)
        self._committer.add([], urgent=True)
