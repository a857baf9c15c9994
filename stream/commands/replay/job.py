"""Runs a configured job over past captures, without its state and its sinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final

import msgspec
import pyarrow as pa
from msgspec import structs

from detectors.durations import Duration, duration_ms
from detectors.schedule_report import ScheduleReport
from sinks.base import Delivery, Published, Sink
from stream.config.model import Config, DeadLetterConfig, HttpConfig, ModelConfig, StateConfig
from stream.service.ending import Ending
from stream.service.process import Process, RunOptions
from stream.sources.base import Source
from stream.state.store import Outgoing
from stream.telemetry.log_setup import LogSetup

LATENESS: Final = "90d"
"""Files need not be in order of time: events this late still count in their period."""
Progress = Callable[[ScheduleReport], None]


class Periods(Sink, frozen=True, tag="replayed_periods"):
    """Asks the job for the reports of a schedule, and delivers them nowhere."""

    takes: ClassVar = ()

    schedule: Duration = "1h"
    """The length of a period."""

    def schedules_ms(self) -> tuple[int, ...]:
        """Return the schedule."""
        return (duration_ms(self.schedule),)

    def open(self, job: str) -> Delivery:
        """Open a delivery that takes nothing."""
        return NoDelivery()


class NoDelivery(Delivery):
    """The running half of a sink that takes nothing."""

    def deliver(self, items: Sequence[Published]) -> None:
        """Deliver nothing."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The newest report on each period in order of time, and how the run ended.

    ``interrupted``: it was stopped before the end of the captures.
    """

    reports: tuple[ScheduleReport, ...]
    ending: Ending
    interrupted: bool = False


def replayed_config(config: Config, source: Source, schedule: Duration, folder: Path) -> Config:
    """Return the job that reads ``source`` to its end and reports each period of the schedule.

    Windows are as long as a period, since each window costs a commit. Rules, baselines, format and
    columns stay. State and dead letters go to ``folder``; there are no sinks and no labels.
    """
    return structs.replace(
        config,
        source=source,
        window=schedule,
        every=None,
        lateness=LATENESS,
        sinks=[Periods(schedule=schedule)],
        labels=None,
        models={name: _of_data(model) for name, model in config.models.items()},
        state=StateConfig(path=str(folder / "state.sqlite")),
        dead_letters=DeadLetterConfig(path=str(folder / "dead-letters.jsonl")),
        http=HttpConfig(port=0),
    )


def replay(config: Config, since_ms: int | None, progress: Progress) -> Replayed:
    """Run a job of :func:`replayed_config`; ``progress`` is called with each report.

    Only the periods that end after ``since_ms`` are returned.
    """
    newest: dict[tuple[str, str, int], ScheduleReport] = {}

    def watch(items: Sequence[Outgoing]) -> None:
        for item in items:
            if isinstance(item, ScheduleReport) and (since_ms is None or item.end_ms > since_ms):
                newest[item.model, item.variant, item.start_ms] = item
                progress(item)

    logs = LogSetup(level="error", style="console", job=config.job)
    logs.set_up()
    pa.enable_signal_handlers(False)  # as in a service
    process = Process(config, logs, RunOptions(watch=watch), lambda: config)
    ending = process.run()
    in_order = sorted(newest.values(), key=lambda report: (report.start_ms, report.model))
    return Replayed(reports=tuple(in_order), ending=ending, interrupted=process.stopped)


def _of_data(model: ModelConfig) -> ModelConfig:
    return structs.replace(model, quality=None)
