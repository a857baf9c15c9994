"""Replays captures, compares them with the reports of Model Monitor, and shows the result."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import structs
from rich.console import Console

from detectors.durations import duration_ms
from stream.commands.command_group import INTERRUPTED, complain
from stream.commands.replay.comparison import compared
from stream.commands.replay.job import Replayed, replay, replayed_config
from stream.commands.replay.model_monitor import MonitorRun, monitor_runs
from stream.commands.replay.page import Heading, write_page
from stream.commands.replay.progress import HOUR_MS, progress_bar, span_of
from stream.commands.replay.text import print_periods
from stream.commands.time_options import DURATION, since
from stream.commands.usage import wrong_option
from stream.config.model import Config
from stream.formats.base import NameConfig
from stream.sources.base import Source
from stream.sources.jsonl.source import Jsonl
from stream.sources.s3.source import S3

SHORTEST_MS: Final = 60_000
WIDTH: Final = 160
"""The width of the table where the output is not a terminal."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of ``driftline replay``; empty texts where an option is not given."""

    captures: str
    since: str | None = None
    beside: str = ""
    schedule: str = "1h"
    html: Path | None = None
    model: str = ""
    region: str = ""
    endpoint_url: str = ""


def show_replay(config: Config, request: Request) -> int:
    """Replay, print the verdicts and write the page; returns the exit code.

    Raises ``click.UsageError`` for wrong options, and the errors of the source, of the reports and
    of the page.
    """
    config = _of_model(config, request)
    since_ms = since(request.since, time.time())
    runs = _runs(request)
    if (ms := _schedule_ms(request.schedule)) % SHORTEST_MS:
        raise wrong_option("--schedule", f"whole minutes are needed, found {ms} ms")
    from_ms = None if since_ms is None else _read_from_ms(config, since_ms, ms)
    source = source_of(request, from_ms)
    span = span_of(request.captures, since_ms, round(time.time() * 1000))
    with (
        tempfile.TemporaryDirectory(prefix="driftline-replay-") as folder,
        progress_bar(span) as progress,
    ):
        job = replayed_config(config, source, request.schedule, Path(folder))
        done = replay(job, since_ms, progress)
    if done.interrupted:
        complain("interrupted: nothing is shown, since the last period may lack events")
        return INTERRUPTED
    if not done.reports:
        _complain_of_nothing(done, request)
        return done.ending.code
    _show(config, request, done, runs, since_ms)
    return 0


def _read_from_ms(config: Config, since_ms: int, schedule_ms: int) -> int:
    """Return where the captures are read from, so that the period at ``since_ms`` is complete.

    The hour in which reading begins may lack events, and so may the grace after its first event:
    both are before the period.
    """
    start_ms = since_ms // schedule_ms * schedule_ms
    return max(start_ms - duration_ms(config.grace or S3.default_grace) - HOUR_MS, 0)


def source_of(request: Request, from_ms: int | None = None) -> Source:
    """Return the bounded source of the captures.

    Of those in S3, the hours that end before ``from_ms`` are not read.
    """
    if not request.captures.startswith("s3://"):
        return Jsonl(path=request.captures)
    parts = urlsplit(request.captures)
    return S3(
        bucket=parts.netloc,
        prefix=parts.path.lstrip("/"),
        start_at=None if from_ms is None else datetime.fromtimestamp(from_ms / 1000, UTC),
        region=request.region,
        endpoint_url=request.endpoint_url,
    )


def _of_model(config: Config, request: Request) -> Config:
    """Return the configuration that is replayed; the asked model must be one of its models."""
    if request.model and request.model not in config.models:
        names = ", ".join(config.models)
        raise wrong_option("--model", f"no model {request.model!r}; the models are {names}")
    if request.beside and not request.model and len(config.models) > 1:
        names = ", ".join(config.models)
        raise wrong_option("--model", f"needed with --beside, since there are several: {names}")
    return _variants_together(config) if request.beside else config


def _variants_together(config: Config) -> Config:
    """Return the configuration that counts all variants of a model as one, as Model Monitor does.

    Each of its reports is on all of them, and none on a variant alone.
    """
    if config.variant.source == "const":
        return config
    complain("the variants are counted together, as those of Model Monitor's reports are")
    return structs.replace(config, variant=NameConfig(name="AllTraffic"))


def _schedule_ms(text: str) -> int:
    if not DURATION.fullmatch(text):
        raise wrong_option("--schedule", f"{text!r} is no duration, such as 1h")
    return duration_ms(text)


def _runs(request: Request) -> list[MonitorRun]:
    if not request.beside:
        return []
    return monitor_runs(request.beside, request.region, request.endpoint_url)


def _console() -> Console:
    """The console of stdout; wide where that is not a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def _complain_of_nothing(done: Replayed, request: Request) -> None:
    since_then = f" since {request.since}" if request.since else ""
    complain(done.ending.text or f"{request.captures}: no period has events{since_then}")


def _show(
    config: Config,
    request: Request,
    done: Replayed,
    runs: Sequence[MonitorRun],
    since_ms: int | None,
) -> None:
    reports = [report for report in done.reports if request.model in ("", report.model)]
    periods = compared(reports, runs, since_ms)
    print_periods(periods, bool(request.beside), _console())
    if request.html is not None:
        heading = Heading(
            source=request.captures,
            mode=config.rules.mode,
            beside=request.beside,
            version=version("driftline"),
        )
        write_page(request.html, heading, periods)
        complain(f"wrote {request.html}")
