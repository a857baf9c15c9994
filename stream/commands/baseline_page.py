"""What `driftline baseline` prints of the columns: a table, and warnings with what to do."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.profiles.baseline import Baseline
from stream.baselining.column_scan import ColumnScan
from stream.baselining.column_summary import ColumnSummary, shown, summaries
from stream.baselining.column_warnings import ColumnWarning
from stream.commands.name_lists import names_in_shell

MOST_ROWS: Final = 40
"""The largest number of columns in the table."""
MOST_ALIKE: Final = 3
"""The largest number of equal warnings that are told one by one."""
MOST_NAMES: Final = 8
"""The largest number of columns that a warning names."""
HEADINGS: Final = ("column", "type", "fits", "missing", "distinct", "values")
NUMBERS: Final = ("fits", "missing", "distinct")
GAP: Final = 2
"""The blanks between two columns of the table."""
LEAST_WIDTH: Final = 12
"""The width to which the values of a column are cut at most."""
_NUMERIC_NAME: Final = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?")


def print_columns(
    scans: Mapping[str, ColumnScan],
    baseline: Baseline,
    warnings: Sequence[ColumnWarning],
    console: Console,
) -> None:
    """Print a table of the columns; of more than 40, first those with a warning."""
    predictions = {f.name for f in baseline.layout.features if f.role == "prediction"}
    rows = summaries(scans)
    kept = _kept(rows, {warning.name for warning in warnings})
    console.print(_table(kept, predictions, console.width))
    if predictions:
        console.print("* prediction", highlight=False)
    if len(kept) < len(rows):
        more = f"and {len(rows) - len(kept):,} more columns, which are in statistics.json"
        console.print(more, highlight=False)
    console.print()


def _table(rows: Sequence[ColumnSummary], predictions: Collection[str], width: int) -> Table:
    """The table; names and values are cut so that a row is a line of the terminal."""
    marked = [f"{shown(row.name)}{' *' if row.name in predictions else ''}" for row in rows]
    lines = [(name, *row[1:]) for name, row in zip(marked, rows, strict=True)]
    widths = [max(map(len, cells)) for cells in zip(HEADINGS, *lines, strict=True)]
    widths[-1] = max(width - sum(widths[:-1]) - GAP * (len(widths) - 1), LEAST_WIDTH)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for heading, cells in zip(HEADINGS, widths, strict=True):
        justify: Literal["left", "right"] = "right" if heading in NUMBERS else "left"
        table.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis", width=cells)
    for line in lines:
        table.add_row(*map(Text, line))
    return table


def _kept(rows: Sequence[ColumnSummary], warned: set[str]) -> list[ColumnSummary]:
    """The rows that are shown, in their order: those with a warning, then the first others."""
    ranked = sorted(rows, key=lambda row: row.name not in warned)
    chosen = {row.name for row in ranked[:MOST_ROWS]}
    return [row for row in rows if row.name in chosen]


def warning_lines(names: Sequence[str], warnings: Sequence[ColumnWarning]) -> list[str]:
    """Return the warnings on columns of these names as lines; many that are alike become one."""
    alike: dict[str, list[ColumnWarning]] = {}
    for warning in warnings:
        alike.setdefault(warning.advice, []).append(warning)
    lines = [line for group in alike.values() for line in _lines(group)]
    numeric = [name for name in names if _NUMERIC_NAME.fullmatch(name)]
    if numeric and len(numeric) == len(names):
        named = ", ".join(f"'{shown(name)}'" for name in numeric[:MOST_NAMES])
        lines.insert(0, f"the columns are named {named}: if these are values, give --no-header")
    return lines


def _lines(warnings: Sequence[ColumnWarning]) -> list[str]:
    """One line for each warning, or one for all."""
    if len(warnings) <= MOST_ALIKE:
        return [_line([warning]) for warning in warnings]
    return [_line(warnings)]


def _line(warnings: Sequence[ColumnWarning]) -> str:
    names = [warning.name for warning in warnings]
    named = ", ".join(f"'{shown(name)}'" for name in names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    advice = warnings[0].advice.replace("NAMES", names_in_shell(names))
    example = f" ('{shown(names[0])}')" if len(names) > 1 else ""
    return f"{named}{more}: {warnings[0].seen}{example}; {advice}"
