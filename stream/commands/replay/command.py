"""The command ``driftline replay``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stream.commands.loaded_config import loaded_config
from stream.commands.options import FILE


@click.command(short_help="Judge past captures again, beside the verdicts of Model Monitor.")
@click.argument("captures")
@click.option("--config", type=FILE, required=True, help="Configuration of the job.")
@click.option(
    "--since",
    help="Only periods since then: a duration (14d) or a time (2026-11-29T17:00).",
)
@click.option(
    "--beside", help="Folder or s3:// prefix of Model Monitor's reports, of one schedule."
)
@click.option(
    "--schedule", default="1h", show_default=True, help="The length of the periods that are judged."
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with all of it."
)
@click.option("--model", default="", help="Only this model; needed beside reports, of several.")
@click.option("--region", default="", help="The AWS region; empty: that of the AWS configuration.")
@click.option("--endpoint-url", default="", help="The address of an emulator; empty: AWS.")
def replay(
    captures: str,
    config: Path,
    since: str | None,
    beside: str | None,
    schedule: str,
    html: Path | None,
    model: str,
    region: str,
    endpoint_url: str,
) -> None:
    """Judge past captures as the job of a configuration would, at full speed.

    CAPTURES is a file or folder of events, or an s3:// prefix. They are read with the format, the
    baselines and the rules of the configuration; its source, its state and its sinks are not
    touched. Each period is judged as one window.

    With --beside, the verdicts of Model Monitor on the same periods are shown next to it, and each
    difference is explained. The hour in the path of its reports is read as the one before or after
    it, whichever has the same numbers of rows.

    \b
    Examples:
      driftline replay captures/ --config config.yaml
      driftline replay s3://bucket/datacapture/endpoint/ --config config.yaml \\
        --since 14d --beside s3://bucket/reports/endpoint/schedule/ --html v.html

    \b
    Exit codes:
      0  replayed
      2  captures, reports or configuration cannot be used
      3  the captures cannot be read
     10  no record was found
     11  no record was accepted
    """
    from stream.commands.replay.run import Request, show_replay

    request = Request(
        captures=captures,
        since=since,
        beside=beside or "",
        schedule=schedule,
        html=html,
        model=model,
        region=region,
        endpoint_url=endpoint_url,
    )
    sys.exit(show_replay(loaded_config(config), request))
