"""The commands about published reports: ``driftline reports`` and ``driftline explain``."""

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
    their limits.

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
