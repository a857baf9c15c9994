"""The command ``driftline backtest``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stream.commands.loaded_config import loaded_config
from stream.commands.options import EXISTING_FOLDER, FILE, FILE_OR_FOLDER


@click.command(short_help="Judge past reports again, by other rules.")
@click.argument("reports", type=FILE_OR_FOLDER)
@click.option("--config", type=FILE, required=True, help="Configuration with the rules to try.")
@click.option(
    "--incidents", type=FILE, help="YAML or CSV of known incidents: model, from, to, name."
)
@click.option("--tune", default="", help="Search settings within a rate, like 'at most 2 a week'.")
@click.option("--model", default="", help="Only this model.")
@click.option(
    "--baseline",
    "baselines",
    type=EXISTING_FOLDER,
    multiple=True,
    help="Folder of a baseline that earlier reports were judged by; may be repeated.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with a timeline."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def backtest(
    reports: Path,
    config: Path,
    incidents: Path | None,
    tune: str,
    model: str,
    baselines: tuple[Path, ...],
    html: Path | None,
    as_json: bool,
) -> None:
    """Judge the windows of past reports again, by the rules of a configuration.

    REPORTS is the folder of a jsonl sink, or one file of it. No event is read: each report holds
    the counts of its window. The windows are judged in order of time, as when they were first
    reported, each with the windows before it; the signals are those that the job would have sent.

    With --incidents it tells which of them are found, how long after their start, and how many
    signals are about none. Entries of the file have `model`, `from`, `to` (UTC) and `name`.

    With --tune a grid of settings is tried (`effect` and `false_alarms` in the mode evidence, else
    `limit`), and the quietest one is named that finds every incident and stays within the rate of
    signals that are about none.

    \b
    Examples:
      driftline backtest reports/ --config config.yaml
      driftline backtest reports/ --config config.yaml \\
        --incidents incidents.yaml --tune "at most 2 a week" --html page.html

    \b
    Exit codes:
      0  judged
      2  reports, incidents or configuration cannot be used
    130  interrupted: nothing is shown
    """
    from stream.commands.backtest.run import BacktestRequest, show_backtest

    request = BacktestRequest(
        reports=reports,
        incidents=incidents,
        tune=tune,
        html=html,
        json=as_json,
        model=model,
        baselines=baselines,
    )
    sys.exit(show_backtest(loaded_config(config), request))
