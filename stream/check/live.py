"""All looks together: each part of a configuration by its own file, told as a table."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import MsgspecError
from rich.console import Console
from rich.text import Text

from detectors.components import type_of
from sinks.errors import ClientUnusable
from stream.check import stored_state_s3 as in_s3
from stream.check.findings import Finding, fault_of
from stream.check.setup import CheckContext, setup_of
from stream.check.sinks.jsonl import room
from stream.check.stored_state import StoredState, belonging, read_stored
from stream.config.model import Config
from stream.errors import DriftlineError, SourceUnavailable
from stream.service.job import identity_of
from stream.telemetry.log_setup import LogSetup, style_of

COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}


def examine(config: Config) -> list[Finding]:
    """What source, sinks and state have to say; a part that cannot be had is a fault among the
    others.

    Raises as ``driftline run`` would for baselines.
    """
    # What a source logs goes to stderr.
    LogSetup("warning", style_of("auto"), config.job).set_up()
    stored, of_state = _stored(config)
    setup = setup_of(config, stored)
    out = _look("sources", config.source, setup)
    for sink in config.sinks:
        out += _look("sinks", sink, setup)
    where = f"state {config.state.path}"
    belongs = (
        [] if stored is None else [belonging(where, stored, identity_of(config, setup.baselines))]
    )
    return [*out, *of_state, *belongs, room(f"room for {where}", Path(config.state.path).parent)]


def tell(findings: Iterable[Finding], console: Console) -> None:
    """A line a finding, and below it what to do; lines are never broken."""
    for one in findings:
        line = Text(f"{one.level:<8}", style=COLOURS[one.level]).append(
            f" {one.where}: {one.what}", style="default"
        )
        console.print(line, soft_wrap=True, highlight=False)
        if one.advice:
            console.print(Text(f"{'':<8} -> {one.advice}"), soft_wrap=True, highlight=False)


def _stored(config: Config) -> tuple[StoredState | None, list[Finding]]:
    """What was committed last: the object in S3 has it if there is one, since it wins at a start."""
    where, stored = f"state {config.state.path}", None
    findings: list[Finding] = []
    try:
        if config.state.s3 is not None:
            stored, findings = in_s3.look(config.state.s3, config.job)
        return stored or read_stored(Path(config.state.path)), findings
    except DriftlineError as error:
        return None, [fault_of(where, error)]
    except MsgspecError as error:
        advice = "Run the version that wrote it, or move the file away to begin anew"
        return None, [Finding(where, f"state of another version: {error}", "fault", advice)]


def _look(folder: str, part: Any, setup: CheckContext) -> list[Finding]:
    kind = type_of(part)
    name = f"stream.check.{folder}.{kind}"
    if find_spec(name) is None:
        return [Finding(kind, "no live check")]
    try:
        found: list[Finding] = import_module(name).look(part, setup)
    except SourceUnavailable as error:
        return [fault_of(error.source, error)]
    except ClientUnusable as error:
        return [Finding(kind, error.what, "fault", error.advice)]
    except DriftlineError as error:
        return [fault_of(kind, error)]
    return found
