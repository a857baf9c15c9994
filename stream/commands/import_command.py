"""The command ``driftline import``: a configuration for a schedule of SageMaker Model Monitor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stream.commands.command_group import complain
from stream.commands.usage import wrong_option, wrong_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.migration.documents import Document
    from stream.migration.monitoring import MonitoringSchedule, Quality

DOCUMENT: Final = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@click.command("import", short_help="Write a configuration for a SageMaker monitoring schedule.")
@click.argument("files", type=DOCUMENT, nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The configuration to write.",
)
@click.option(
    "--definition",
    "definitions",
    type=DOCUMENT,
    multiple=True,
    help="The description of the job definition that the schedule names; may be repeated.",
)
@click.option(
    "--endpoint-config",
    "endpoints",
    type=DOCUMENT,
    multiple=True,
    help="The description of the endpoint's configuration, which says where the captures are.",
)
@click.option(
    "--captures",
    metavar="s3://...",
    help="The folder of the captures, instead of --endpoint-config.",
)
@click.option("--force", is_flag=True, help="Replace a configuration that exists.")
def import_schedule(
    files: tuple[Path, ...],
    out: Path,
    definitions: tuple[Path, ...],
    endpoints: tuple[Path, ...],
    captures: str | None,
    force: bool,
) -> None:
    """Write a configuration for a monitoring schedule of SageMaker, and print what is left to do.

    FILES are what `aws sagemaker describe-monitoring-schedule` prints, and the descriptions of the
    definition and of the endpoint's configuration, in any number of files; - reads stdin. Nothing
    is asked of AWS.

    A schedule on data quality gives source, format, baseline and sinks, one on model quality the
    labels and the quality too. Both of one endpoint become one configuration. What a schedule does
    not state is FILL IN, with a warning; what has no counterpart is a comment with the reason.

    \b
    Examples:
      aws sagemaker describe-monitoring-schedule \\
          --monitoring-schedule-name churn-hourly > schedule.json
      aws sagemaker describe-data-quality-job-definition \\
          --job-definition-name churn-definition > definition.json
      driftline import schedule.json --definition definition.json \\
          --captures s3://b/datacapture/ --out config.yaml
      driftline import schedule.json definition.json endpoint-config.json \\
          --out config.yaml

    \b
    Exit codes:
      0  written; warnings name what is to be completed
      2  the files do not describe a schedule that driftline can follow
    """
    from stream.migration.captures import captures_of
    from stream.migration.configuration import written
    from stream.migration.monitoring import monitorings, place_of

    if out.exists() and not force:
        raise wrong_option("--out", f"{out} exists: name another file, or replace it with --force")
    given = place_of(captures)
    if captures is not None and given is None:
        raise wrong_option(
            "--captures", f"{captures!r} is no address: expected s3://BUCKET/FOLDER/"
        )
    documents = _documents([*files, *definitions, *endpoints])
    found = monitorings(documents)
    data, model = _one(found, "DataQuality"), _one(found, "ModelQuality")
    if data and model and data.endpoint != model.endpoint:
        raise wrong_usage(
            f"The schedules are of two endpoints, {data.endpoint} and {model.endpoint}: import each"
            " by itself."
        )
    made = written(data, model, captures_of(found[0], documents, given))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(made.text, encoding="utf-8")
    for warning in made.warnings:
        complain(warning, "warning")
    _print_steps(out, made.commands)


def _documents(paths: Sequence[Path]) -> list[Document]:
    """Return the documents of all files; one given twice is read once."""
    from stream.errors import DataError
    from stream.migration.documents import documents_of

    found: list[Document] = []
    for path in dict.fromkeys(paths):
        name = "standard input" if str(path) == "-" else str(path)
        try:
            content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
            found += documents_of(content.decode("utf-8-sig"), name)
        except OSError as error:
            raise DataError(name, f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise DataError(name, "is no text in UTF-8: expected JSON, as aws prints it") from None
    return found


def _one(found: Sequence[MonitoringSchedule], quality: Quality) -> MonitoringSchedule | None:
    fitting = [monitoring for monitoring in found if monitoring.quality == quality]
    if len(fitting) > 1:
        names = ", ".join(monitoring.name for monitoring in fitting)
        raise wrong_usage(f"Several schedules of one kind ({names}): import each by itself.")
    return fitting[0] if fitting else None


def _print_steps(out: Path, commands: Sequence[tuple[str, str]]) -> None:
    click.echo(f"wrote {out}. Next, in the folder of it:")
    purpose = ""
    check = ("The configuration", f"driftline check {out.name}")
    for what, command in (*commands, check, ("The service", f"driftline run {out.name}")):
        if what != purpose:
            click.echo(f"\n# {what}")
            purpose = what
        click.echo(command)
