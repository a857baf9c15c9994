"""The live check of a job: of its source, its sinks, its labels and its state."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from detectors.components import type_of
from sinks.errors import ClientUnusable
from stream.check.findings import Finding, fault_of
from stream.check.http_port import port_finding
from stream.check.labels import live_label_findings
from stream.check.seasons import season_findings
from stream.check.setup import CheckContext, context_of
from stream.check.sinks.jsonl import disk_finding
from stream.check.stored_state import ownership_finding, read_stored_file
from stream.check.stored_state_s3 import examine_object
from stream.config.model import Config
from stream.errors import DriftlineError, SourceUnavailable
from stream.service.quality import with_quality_baselines
from stream.service.reconcile import ConfiguredJob
from stream.state.stored import StoredState
from stream.telemetry.log_setup import LogSetup, style_of
from stream.telemetry.terminal_text import printable

LiveCheck = Callable[[Any, CheckContext], Sequence[Finding]]
"""Examines a source or sink without changing anything. May raise ``SourceUnavailable``,
``ClientUnusable`` and every ``DriftlineError``: each becomes a fault."""
COLOURS: Final = {"ok": "green", "warning": "yellow", "fault": "red"}


def examine(config: Config, on_start: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
    """Yield the findings about source, sinks, labels and state; what is out of reach is a fault.

    ``on_start`` is called with the name of each component before it is checked. Raises as
    ``driftline run`` does for baselines.
    """
    # What a source logs goes to stderr.
    LogSetup("warning", style_of("auto"), config.job).set_up()
    state = f"state {config.state.path}"
    on_start(state)
    stored, state_findings = _stored(config)
    context = context_of(config, stored)
    components = [("sources", config.source), *(("sinks", sink) for sink in config.sinks)]
    for folder, component in components:
        on_start(type_of(component))
        yield from _findings(folder, component, context)
    if config.labels is not None:
        on_start("labels")
        yield from live_label_findings(context)
    yield from state_findings
    if stored is not None:
        complete, quality = with_quality_baselines(config)
        configured = ConfiguredJob(config=complete, baselines=context.baselines, quality=quality)
        yield ownership_finding(state, stored, configured)
        yield from season_findings(config.models, stored)
    yield disk_finding(f"disk of {state}", Path(config.state.path).parent)
    yield port_finding(config.http, Path(config.state.path))


def print_finding(
    finding: Finding, console: Console, shown: Callable[[str], str] = lambda text: text
) -> None:
    """Print a line, and below it the advice; lines are never wrapped.

    ``shown`` returns the text of the finding without secrets.
    """
    text = printable(shown(f"{finding.subject}: {finding.message}"))
    line = Text(f"{finding.level:<8}", style=COLOURS[finding.level])
    line.append(f" {text}", style="default")
    console.print(line, soft_wrap=True, highlight=False)
    if finding.advice:
        advice = printable(shown(finding.advice))
        console.print(Text(f"{'':<8} -> {advice}"), soft_wrap=True, highlight=False)


def _stored(config: Config) -> tuple[StoredState | None, list[Finding]]:
    """The last commit; that of the object in S3 if there is one, as at a start."""
    stored = None
    findings: list[Finding] = []
    try:
        if config.state.s3 is not None:
            stored, findings = examine_object(config.state.s3, config.job)
        return stored or read_stored_file(Path(config.state.path)), findings
    except DriftlineError as error:
        return None, [fault_of(f"state {config.state.path}", error)]


def _findings(folder: str, component: Any, context: CheckContext) -> Sequence[Finding]:
    component_type = type_of(component)
    live_check = live_check_of(folder, component)
    if live_check is None:
        return [Finding(component_type, f"no live check for type {component_type!r}")]
    try:
        return live_check(component, context)
    except SourceUnavailable as error:
        return [fault_of(error.source, error)]
    except ClientUnusable as error:
        return [Finding(component_type, error.problem, "fault", error.advice)]
    except DriftlineError as error:
        return [fault_of(component_type, error)]


def live_check_of(folder: str, component: Any) -> LiveCheck | None:
    """Return the function ``live_check`` of a component, ``None`` if there is none.

    It is in ``stream/check/FOLDER/TYPE.py``, or for a component of another distribution in the
    module that defines the component.
    """
    name = f"stream.check.{folder}.{type_of(component)}"
    own_module = sys.modules[type(component).__module__]
    module = import_module(name) if find_spec(name) else own_module
    live_check: LiveCheck | None = vars(module).get("live_check")
    return live_check
