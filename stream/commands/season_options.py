"""The options of `driftline baseline` about seasons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from stream.commands.options import FOLDER

Command = Callable[..., Any]
UNITS: Final = ("iso", "s", "ms", "us", "ns")
"""What a time may be written in, as ``time.unit`` of the configuration."""
OF_SEASONS: Final = ("season", "time", "time_unit", "timezone", "holidays", "model")
"""The arguments of the command that :class:`stream.commands.season_choice.SeasonOptions` takes."""


def season_options(command: Command) -> Command:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: Final = (
    click.option(
        "--season",
        multiple=True,
        metavar="PARTS",
        help=(
            "Keep the counts of each season too: hour_of_day, weekday, weekend, month, or several;"
            " the first parts are the coarser ones where rows are few."
        ),
    ),
    click.option("--time", metavar="NAME", help="With --season: the column of the time of a row."),
    click.option(
        "--time-unit",
        type=click.Choice(UNITS),
        help="With --season: what times are written in; iso unless it is given.",
    ),
    click.option(
        "--timezone",
        metavar="ZONE",
        help="With --season: whose hours and days count, such as Europe/Berlin; else UTC.",
    ),
    click.option(
        "--holidays",
        metavar="PLACE",
        help="With --season: whose holidays are days of their own: DE, or a part of it: DE-BY.",
    ),
    click.option(
        "--from-reports",
        type=FOLDER,
        help="With --season: take the seasons from these reports; TRAIN is the baseline.",
    ),
    click.option(
        "--model", metavar="NAME", help="With --from-reports: the model, if reports are of several."
    ),
)
