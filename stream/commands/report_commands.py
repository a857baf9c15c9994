"""The commands about published reports: ``driftline reports``, ``windows`` and ``explain``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from stream.commands.options import EXISTING_FOLDER, FILE, FILE_OR_FOLDER, progress_bar


@click.command(short_help="List the windows that were reported.")
@click.argument("config", type=FILE, required=False)
@click.option("--config", "named_config", type=FILE, help="The same as the argument CONFIG.")
@click.option(
    "--reports", type=FILE_OR_FOLDER, help="Folder or file with reports of the jsonl sink."
)
@click.option("--model", default="", help="Only windows of this model.")
@click.option("--violations", is_flag=True, help="Only windows with violations.")
@click.option(
    "--last",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Number of windows; 0: all.",
)
def reports(
    config: Path | None,
    named_config: Path | None,
    reports: Path | None,
    model: str,
    violations: bool,
    last: int,
) -> None:
    """List the windows of a job with their times (UTC), states and findings, the newest last.

    Each window is listed once, with its newest revision, and with the quality of the model where it
    is measured. The findings are the worst features first; without violations, those closest to
    their limits. `driftline windows` lists the same windows for programs, and the periods of
    schedules, with the statuses of Model Monitor.

    \b
    Example:
      driftline reports config.yaml --violations

    \b
    Exit codes:
      0  listed
      2  the reports cannot be found or read
    """
    from stream.commands.reports import ReportsFilter, list_reports

    wanted = ReportsFilter(model=model, violations=violations, last=last)
    with progress_bar() as bar:
        list_reports(config or named_config, reports, wanted, Console(), bar)


@click.command(short_help="List windows, or periods of a schedule, by their status.")
@click.argument("config", type=FILE, required=False)
@click.option("--config", "named_config", type=FILE, help="The same as the argument CONFIG.")
@click.option(
    "--reports", type=FILE_OR_FOLDER, help="Folder or file with reports of the jsonl sink."
)
@click.option(
    "--since",
    help="Only what ended since then: a duration before now (24h) or a time (2026-11-29T17:00).",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    help="Only this state (violations, no-data) or status (CompletedWithViolations); repeatable.",
)
@click.option(
    "--schedule",
    is_flag=False,
    flag_value="all",
    default="",
    help="The periods of a schedule, such as 1h, instead of windows; without a value: of all.",
)
@click.option("--model", default="", help="Only this model.")
@click.option("--variant", default="", help="Only this variant.")
@click.option(
    "--last",
    type=click.IntRange(min=0),
    help="Number of executions; 0: all. Default: all with --since, else 20.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def windows(
    config: Path | None,
    named_config: Path | None,
    reports: Path | None,
    since: str | None,
    states: tuple[str, ...],
    schedule: str,
    model: str,
    variant: str,
    last: int | None,
    as_json: bool,
) -> None:
    """List executions as Model Monitor would: with status, violations, and the worst of them.

    An execution is a window, or with --schedule a period whose windows were judged as a whole.
    Each is listed once, with its newest revision, the newest last; times are UTC. `driftline
    reports` shows people more of each window: its findings, the quality of the model, signals.
    Where no jsonl sink has files, the lines of a sink s3 are read from its bucket.

    \b
    Status                  state of a window
      Completed               ok
      CompletedWithViolations violations; no inputs
      NoData                  no data
      Incomplete              incomplete
      Insufficient            insufficient
      Learning                learning

    \b
    Examples:
      driftline windows config.yaml --since 24h --state violations
      driftline windows config.yaml --schedule 1h --json | jq -r .status

    \b
    Exit codes:
      0  listed, also if nothing matches
      2  the reports cannot be found or read
    """
    from stream.commands.windows import WindowsRequest, list_windows

    request = WindowsRequest(
        model=model, variant=variant, since=since, states=states, schedule=schedule, last=last
    )
    with progress_bar() as bar:
        list_windows(
            config or named_config, reports, request, Console(), as_json=as_json, progress=bar
        )


@click.command(short_help="Recompute the published metrics of a feature.")
@click.argument("target", nargs=-1, metavar="[ID | MODEL TIME] [FEATURE]")
@click.option(
    "--last", is_flag=True, help="The newest window that has violations, instead of an id."
)
@click.option(
    "--config", type=FILE, help="Configuration of the job, which names the reports and baselines."
)
@click.option(
    "--reports", type=FILE_OR_FOLDER, help="Folder or file with reports of the jsonl sink."
)
@click.option(
    "--baseline",
    "folder",
    type=EXISTING_FOLDER,
    help="Folder of the baseline that the report names.",
)
def explain(
    target: tuple[str, ...],
    last: bool,
    config: Path | None,
    reports: Path | None,
    folder: Path | None,
) -> None:
    """Recompute the published metrics of one feature from the counts in its report.

    ID is the id of a report or of a signal: in the log, in an alert, or in a message. Or name the
    window by MODEL and TIME (UTC: 2026-11-25T07:01, or 07:01 of the newest day), as in the list of
    `driftline reports`. Without FEATURE it is the worst one. Shows each metric with its formula,
    limit and noise floor, and the bins that moved. Below it is the quality of the model in the
    window, if it is measured: metrics with intervals, coverage of the labels, confusion matrix.

    \b
    Examples:
      driftline explain --last --config config.yaml
      driftline explain flights 07:01 dep_delay --config config.yaml

    \b
    Exit codes:
      0  all recomputed values match
      1  a recomputed value differs from the published one
      2  the report or its baseline cannot be found or read
    """
    from stream.commands.explain import explain as recompute

    with progress_bar() as bar:
        matches = recompute(
            target,
            config=config,
            reports=reports,
            folder=folder,
            console=Console(),
            progress=bar,
            last=last,
        )
    sys.exit(0 if matches else 1)
