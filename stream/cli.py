"""The command line. Commands are thin; the help of each has a sentence and an example."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from rich.console import Console

from stream.commands.backtest.command import backtest
from stream.commands.baseline_command import baseline
from stream.commands.command_group import CommandGroup, complain, keep_secret, without_secrets
from stream.commands.import_command import import_schedule
from stream.commands.options import FILE
from stream.commands.replay.command import replay
from stream.commands.report_commands import explain, reports, windows

if TYPE_CHECKING:
    from stream.check.findings import Finding
    from stream.config.model import Config

    Examination = Callable[[Config, Callable[[str], None]], Iterator[Finding]]


@click.group(cls=CommandGroup)
@click.version_option(package_name="driftline")
def main() -> None:
    """Streaming drift detection and model monitoring for deployed ML models.

    \b
    driftline import schedule.json --out config.yaml
                                                   take over a SageMaker monitoring schedule
    driftline baseline train.csv --out baseline/   summarise the training data
    driftline check config.yaml --live             check configuration, source, sinks
    driftline run config.yaml                      run the service
    driftline reports config.yaml                  list windows and findings
    driftline windows config.yaml --since 24h      list executions by status, also as JSON
    driftline explain --last --config config.yaml  recompute published metrics
    driftline replay captures/ --config config.yaml  judge past events again
    driftline backtest reports/ --config c.yaml    judge past reports by other rules
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A character that the terminal's encoding lacks must not end a command.
            stream.reconfigure(errors="backslashreplace")


@main.command(short_help="Run the service.")
@click.argument("config", type=FILE)
@click.option(
    "--accept-change",
    is_flag=True,
    help=(
        "Continue even though the baseline or window length changed; windows still open are closed"
        " as incomplete. The same for labels: horizon or duplicates (quality windows are reported"
        " as final, and predictions that wait expire), or a model's problem or classes (the quality"
        " of its open windows is forgotten)."
    ),
)
@click.option(
    "--standby",
    is_flag=True,
    help="If another service owns the job, wait and take over when it ends.",
)
@click.option(
    "--from-start",
    is_flag=True,
    help=(
        "Forget positions, counts and episodes, and read everything again that the source still"
        " has. If reports exist, the new ones are another generation, with ids of their own."
    ),
)
@click.option(
    "--live",
    is_flag=True,
    help="Show the newest windows and all signals on stdout, as a table on a terminal.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The lowest level that is logged: info, or warning with --live, unless it is given.",
)
@click.option(
    "--log",
    type=click.Choice(["auto", "json", "console"]),
    default="auto",
    show_default=True,
    help=(
        "Format of the log on stderr: json for programs, console for people; auto: console in a"
        " terminal, else json."
    ),
)
def run(
    config: Path,
    accept_change: bool,
    standby: bool,
    from_start: bool,
    live: bool,
    log_level: Literal["debug", "info", "warning", "error"] | None,
    log: Literal["auto", "json", "console"],
) -> None:
    """Run the service until it is stopped (SIGTERM, Ctrl-C) or its source ends.

    On SIGTERM or Ctrl-C it commits what it has read, gives its sinks 10 seconds to deliver the
    items that wait, commits their progress, and exits. A second signal ends it immediately; the
    next run then resumes from the last commit.

    Edited limits (rules, constraints.json) apply from the next report, within seconds. On SIGHUP it
    reads the configuration again, commits, and continues with all of it. What cannot be used is
    refused as a whole, and the log says why: the service goes on with what it had.

    With labels it also reads their source, and reports the quality of each window of predictions
    as labels come. A source that ends must be read to its end, and that of the labels, too.

    A record is read once, also one that is rejected. After a mistake in the configuration,
    --from-start reads everything again; rejected records cannot be read again by themselves.

    It logs to stderr; NO_COLOR=1 switches colours off.

    \b
    Examples:
      driftline run config.yaml
      driftline run config.yaml --live

    \b
    Exit codes:
      0  stopped, or read to the end of the source; everything delivered
      2  configuration or baseline cannot be used
      3  source cannot be read
      4  state belongs to another configuration
      5  state is in use, or another service has taken over
      6  gap in the source (on_gap: stop)
      7  state cannot be written
      8  HTTP server cannot listen, as its port is in use
      9  stopped with undelivered items: the next run delivers them
     10  source read to its end: no record was found
     11  source read to its end: no record was accepted
     12  source read to its end: no window was judged
    """
    from msgspec import structs

    from stream.baselining.configured import baselines_check
    from stream.baselining.quality.configured import quality_check
    from stream.commands.job_view import RunningJobView
    from stream.commands.usage import wrong_usage
    from stream.config.environment import Environment
    from stream.config.load import load
    from stream.service.process import RunOptions
    from stream.service.process import run as run_service
    from stream.state.earlier_default import with_earlier_state
    from stream.telemetry.log_events import VERDICTS
    from stream.telemetry.log_setup import LogSetup, style_of

    context = click.get_current_context()

    def load_config() -> Config:
        environment = Environment()
        with context.scope(cleanup=False):  # it reloads in another thread
            keep_secret(environment)
        return with_earlier_state(load(config, environment, [baselines_check, quality_check]))

    loaded = load_config()
    if from_start and standby:
        raise wrong_usage("--from-start cannot be combined with --standby.")
    if from_start and getattr(loaded.source, "start", "") == "latest":
        message = "--from-start would read nothing again with `start: latest`: set `earliest`."
        raise wrong_usage(message)
    level = log_level or ("warning" if live else "info")
    # A terminal shows windows and signals once.
    is_shown = live and log_level is None and sys.stderr.isatty()
    logs = LogSetup(level, style_of(log), loaded.job, VERDICTS if is_shown else ())
    options = RunOptions(accept_change=accept_change, standby=standby, from_start=from_start)
    with ExitStack() as cleanup:
        if live:
            view = cleanup.enter_context(
                RunningJobView(
                    loaded.job, Console(highlight=False), has_quality=loaded.labels is not None
                )
            )
            options = structs.replace(options, watch=view.show)
        ending = run_service(loaded, logs, options, load_config, config)
    if ending.text:
        complain(ending.text)
    sys.exit(ending.code)


@main.command(short_help="Check a configuration; with --live its source and sinks too.")
@click.argument("config", type=FILE)
@click.option(
    "--live", is_flag=True, help="Also check the real source, sinks and state; changes nothing."
)
@click.option(
    "--alarms",
    is_flag=True,
    help=(
        "Also list the CloudWatch alarms on metrics of SageMaker Model Monitor, or of these sinks,"
        " whose meaning changes, and what to do; needs cloudwatch:DescribeAlarms, changes nothing."
    ),
)
def check(config: Path, live: bool, alarms: bool) -> None:
    """Check a configuration without network access.

    Checks keys, values, windows, baselines, and the options of source and sinks. All faults are
    reported at once, each with its line. An environment variable that is not set is a warning here,
    so that a configuration can be checked without its secrets; for --live and driftline run it is a
    fault. A configuration without sinks is a warning. The monthly bill of CloudWatch is estimated.

    With --live it also examines the source (permissions, retention, timestamps; from the newest
    records: columns and types against the baseline, out-of-order delay, skew, undecodable records,
    rows of a window), the labels (how many decode, how many find their event, how late they come),
    disks, the HTTP port and AWS accounts, and counts the Prometheus series.

    With --alarms it lists existing CloudWatch alarms that would never or always fire, or read
    other numbers than before, with this configuration.

    \b
    Example:
      driftline check config.yaml --live
      driftline check config.yaml --alarms

    \b
    Exit codes:
      0  no fault
      2  at least one fault; with --live also a source that cannot be reached
    """
    from stream.baselining.configured import baselines_check
    from stream.baselining.quality.configured import quality_check
    from stream.check.offline import summary, warnings
    from stream.config.environment import Environment
    from stream.config.load import load
    from stream.state.earlier_default import with_earlier_state

    environment = Environment(needed=live or alarms)
    keep_secret(environment)
    loaded = with_earlier_state(load(config, environment, [baselines_check, quality_check]))
    for warning in warnings(loaded, environment):
        complain(warning, "warning")
    for line in summary(loaded, with_bills=not live):
        click.echo(line)
    unset = ", ".join(environment.names)
    click.echo(f"{config}: ok{f'; values that need {unset} were not checked' if unset else ''}")
    examinations: list[Examination] = []
    if live:
        from stream.check.live import examine

        examinations.append(examine)
    if alarms:
        from stream.check.alarms.findings import alarm_findings

        examinations.append(alarm_findings)
    _print_findings(loaded, examinations)


def _print_findings(config: Config, examinations: Sequence[Examination]) -> None:
    """Print findings as they arrive; a terminal shows the component that is being checked."""
    from stream.check.live import print_finding

    console = Console(soft_wrap=True)
    status = Console(stderr=True).status("")
    faults = 0

    def show(component: str) -> None:
        status.update(f"checking {component}")
        if sys.stderr.isatty():
            status.start()

    try:
        for finding in chain.from_iterable(examine(config, show) for examine in examinations):
            status.stop()
            print_finding(finding, console, without_secrets)
            faults += finding.level == "fault"
    finally:
        status.stop()
    if faults:
        sys.exit(2)


@main.command(short_help="Print a JSON schema.")
@click.argument(
    "document",
    type=click.Choice(["config", "report", "signal", "quality", "schedule"]),
    default="config",
)
@click.option("--markdown", is_flag=True, help="Print a page for people instead; only for config.")
def schema(document: str, markdown: bool) -> None:
    """Print the JSON schema of the configuration, of a report, or of a signal.

    `report` is the report on the data of a window, `quality` that on the quality of a model,
    `schedule` that on a period of a schedule.

    \b
    Example:
      driftline schema config > config.schema.json
    """
    from stream.commands.schema import schema_of

    if not markdown:
        click.echo(json.dumps(schema_of(document), indent=2))
        return
    if document != "config":
        raise click.BadParameter(f"there is no page for {document}", param_hint="--markdown")
    from stream.commands.configuration_page import configuration_page

    click.echo(configuration_page(), nl=False)


main.add_command(import_schedule)
main.add_command(baseline)
main.add_command(reports)
main.add_command(windows)
main.add_command(explain)
main.add_command(replay)
main.add_command(backtest)

if __name__ == "__main__":
    main()
