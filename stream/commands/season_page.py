"""What `driftline baseline --season` prints: the rows of each season, and what they suffice for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table

from detectors.phrases import counted
from detectors.profiles.calendar import Key
from detectors.profiles.seasons import LEAST_ROWS, Seasons

MOST_LINES: Final = 60
"""The largest number of seasons in the table; of more, those with few rows are shown."""
OWN: Final = "its own rows"


def print_seasons(seasons: Seasons, console: Console) -> None:
    """Print a table of the seasons with their rows, and a sentence on those with few."""
    lines = list(_lines(seasons))
    few = [line for line in lines if line[2] != OWN]
    shown = (lines if len(lines) <= MOST_LINES else few)[:MOST_LINES]
    if shown:
        console.print(_table(seasons, shown))
    if len(shown) < len(lines):
        console.print(f"and {counted(len(lines) - len(shown), 'more season')}", highlight=False)
    with_rows = len(lines) - len(few)
    sentence = f"{with_rows} of {counted(len(lines), 'season')} have {LEAST_ROWS} rows or more"
    console.print(f"{sentence}, version {seasons.fingerprint}", highlight=False, soft_wrap=True)
    console.print()


def _lines(seasons: Seasons) -> Iterator[tuple[Key, int, str]]:
    """Each possible season: its key, its rows, and what a window in it is compared with."""
    for key in seasons.calendar.possible():
        pool = seasons.pool_of(key)
        rows = sum(seasons.profiles[each].rows for each in pool)
        known = seasons.profiles.get(key)
        compared = f"{rows:,} rows of {seasons.words_of(key)}" if pool else "the whole baseline"
        yield key, known.rows if known else 0, OWN if pool == (key,) else compared


def _table(seasons: Seasons, lines: list[tuple[Key, int, str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for part in seasons.calendar.by:
        table.add_column(part)
    table.add_column("rows", justify="right")
    table.add_column("a window is compared with")
    for key, rows, compared in lines:
        table.add_row(*key, f"{rows:,}", compared)
    return table
