"""The command line: thin; each command says what it does, with an example."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from detectors.errors import DetectorError
from stream.errors import DriftlineError

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLACE = click.Path(exists=True, path_type=Path)


class CommandGroup(click.Group):
    """A group whose commands end with a message and an exit code instead of a traceback when the
    fault is known.
    """

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DriftlineError as error:
            click.echo(f"driftline: {error}", err=True)
            ctx.exit(error.exit_code)
        except DetectorError as error:
            click.echo(f"driftline: {error}", err=True)
            ctx.exit(2)


@click.group(cls=CommandGroup)
@click.version_option(package_name="driftline")
def main() -> None:
    """Tells within seconds that the world has moved away from what a model was trained on.

    \b
    driftline baseline train.csv --out baseline/    what the model was trained on
    driftline check config.yaml                     is the configuration right?
    driftline run config.yaml                       watch
    driftline explain REPORT-ID FEATURE             why is this number what it is?
    """


@main.command(short_help="Make a baseline from training data.")
@click.argument("train", type=PLACE)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to.",
)
@click.option(
    "--predictions",
    default="",
    metavar="NAMES",
    help="Columns that the endpoint answers, separated by commas.",
)
@click.option("--exclude", default="", metavar="NAMES", help="Columns to leave out.")
@click.option(
    "--columns", default="", metavar="NAMES", help="Names of the columns of a CSV, in order."
)
@click.option("--no-header", is_flag=True, help="The CSV has no header row.")
@click.option("--force", is_flag=True, help="Replace a constraints.json that was edited.")
def baseline(
    train: Path,
    out: Path,
    predictions: str,
    exclude: str,
    columns: str,
    no_header: bool,
    force: bool,
) -> None:
    """Make a baseline from training data: CSV, Parquet or JSON lines; a file or a folder.

    Writes statistics.json and constraints.json as SageMaker Model Monitor does, and
    baseline.msgpack with the exact counts. Edit constraints.json to change what is required of a
    feature.

    \b
    driftline baseline train.csv --out baseline/ --predictions prediction
    """
    from stream.baselining.build import make_from_files, refuse_edited, write
    from stream.baselining.training_data import TrainingData

    if not force:
        refuse_edited(out)
    size = 2 * TrainingData(train).size
    with _progress() as bar:
        task = bar.add_task(f"reading {train.name} twice", total=size)
        made = make_from_files(
            train,
            _split(predictions),
            header=not no_header,
            columns=_split(columns),
            exclude=_split(exclude),
            progress=lambda count: bar.advance(task, count),
        )
        write(made, out)
    features = made.baseline.layout.features
    click.echo(
        f"{made.baseline.profile.rows} rows, {len(features)} features, fingerprint"
        f" {made.baseline.fingerprint}: {out}"
    )


@main.command(short_help="Run the service.")
@click.argument("config", type=FILE)
@click.option(
    "--accept-change",
    is_flag=True,
    help="Go on although baseline or window have changed; open windows close as incomplete.",
)
@click.option(
    "--standby",
    is_flag=True,
    help="If another service owns the job, wait and take over when it ends.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
@click.option(
    "--log",
    type=click.Choice(["auto", "json", "console"]),
    default="auto",
    show_default=True,
    help=(
        "How lines on stderr look: json for programs, console for people. auto: console in a"
        " terminal, else json."
    ),
)
def run(
    config: Path,
    accept_change: bool,
    standby: bool,
    log_level: Literal["debug", "info", "warning", "error"],
    log: Literal["auto", "json", "console"],
) -> None:
    """Run the service until it is stopped (SIGTERM, Ctrl-C) or its source ends.

    At SIGTERM or Ctrl-C it commits what it has read, gives its sinks 10 seconds to deliver what
    waits, commits how far they came, and ends. A second one ends it at once; the next run then goes
    on from the last commit.

    It logs to stderr; colours of a terminal can be switched off with NO_COLOR=1.

    \b
    Exit codes:
      0  ended
      2  configuration or baseline cannot be used
      3  source cannot be read
      4  state belongs to another configuration
      5  state is in use, or another service has taken over
      6  gap in the source (on_gap: stop)
      7  state cannot be written
      9  ended, but a sink still lacks items: the next run delivers them
    """
    from stream.config.load import load
    from stream.service.process import run as run_service
    from stream.telemetry.log_setup import LogSetup, style_of

    loaded = load(config)
    sys.exit(
        run_service(loaded, LogSetup(log_level, style_of(log), loaded.job), accept_change, standby)
    )


@main.command(short_help="Check a configuration; with --live its source and sinks too.")
@click.argument("config", type=FILE)
@click.option(
    "--live", is_flag=True, help="Ask the real source and sinks too; nothing is changed anywhere."
)
def check(config: Path, live: bool) -> None:
    """Check a configuration without network: keys, windows, baselines, and what each source and
    sink can tell.

    An environment variable that the configuration names and that is not set is a warning: whoever
    checks need not have the passwords. With --live, and for driftline run, it is a fault. A
    configuration without sinks is a warning.

    With --live it also looks at the topic (rights, kind of time, retention; from the newest
    records: disorder, skew, what cannot be read), at disks and accounts, counts the Prometheus
    series, and works out the CloudWatch bill. Exit code 2 if something is a fault; a source that
    does not answer is one.
    """
    from stream.check.offline import check as check_without_network
    from stream.check.offline import warnings
    from stream.config.environment import Environment
    from stream.config.load import load

    variables = Environment(needed=live)
    loaded = load(config, variables)
    for warning in warnings(loaded, variables):
        click.echo(f"warning: {warning}", err=True)
    for line in check_without_network(loaded, variables):
        click.echo(line)
    click.echo(
        f"{config}: ok"
        + (
            f", as far as can be said without {', '.join(variables.names)}"
            if variables.names
            else ""
        )
    )
    if live:
        from stream.check.live import examine, tell

        findings = examine(loaded)
        tell(findings, Console(soft_wrap=True))
        if any(one.level == "fault" for one in findings):
            sys.exit(2)


@main.command(short_help="Print a JSON schema.")
@click.argument("what", type=click.Choice(["config", "report", "signal"]), default="config")
def schema(what: str) -> None:
    """Print the JSON schema of the configuration, of a window report, or of a signal."""
    from stream.commands.schema import schema_of

    click.echo(json.dumps(schema_of(what), indent=2))


@main.command(short_help="Rebuild the published numbers of a feature.")
@click.argument("report-id")
@click.argument("feature")
@click.option(
    "--config", type=FILE, help="Configuration of the job: it says where reports and baselines are."
)
@click.option("--reports", type=PLACE, help="Folder or file with reports of the jsonl sink.")
@click.option(
    "--baseline", "folder", type=PLACE, help="Folder of the baseline that the report names."
)
def explain(
    report_id: str, feature: str, config: Path | None, reports: Path | None, folder: Path | None
) -> None:
    """Rebuild the published numbers of one feature from the counts kept in its report.

    REPORT-ID is the id of a report: in a log line "window", or "report" in a signal.

    \b
    driftline explain REPORT-ID dep_delay --config config.yaml

    Exit code 1 if a number that comes out differs from the published one.
    """
    from stream.commands.explain import explain as rebuild

    sys.exit(0 if rebuild(report_id, feature, config, reports, folder, Console()) else 1)


def _progress() -> Progress:
    """A bar on a terminal that is gone at the end, however that comes; nothing elsewhere."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    return Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    )


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


if __name__ == "__main__":
    main()
