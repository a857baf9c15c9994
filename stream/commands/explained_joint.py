"""The dependence of features for `driftline explain`: each pair as recomputed and as published."""

from __future__ import annotations

from math import isclose
from typing import Final

from rich.console import Console
from rich.text import Text

from detectors.joint_report import JointReport, PairReport
from detectors.phrases import counted, escaped, number
from stream.commands.explain_page import narrow_table

NOT_JUDGED: Final = "no pair was judged: too few rows, or features that drifted by themselves"
NUMBERS: Final = ("before", "after", "n", "p_value", "effect")
"""The numbers of a pair that follow from the counts of the window and of the baseline."""


def print_joint(console: Console, published: JointReport, recomputed: JointReport) -> bool:
    """Print the pairs of a report beside those of its counts; returns true if all match.

    Which pairs are judged depends on the windows before: that, and what each may spend, is shown as
    it was published.
    """
    console.print(Text(escaped(f"counted in pairs: {', '.join(published.features)}")))
    for pair in published.unjudged:
        line = f"not judged: {pair.first}, {pair.second}: {pair.reason}"
        console.print(Text(escaped(line)), soft_wrap=True)
    if not published.pairs:
        console.print(Text(NOT_JUDGED))
        return True
    judged, drifted = counted(published.judged, "pair"), f"{published.drifted:,}"
    spend = number(published.budget, 3)
    console.print(Text(f"{judged} judged, {drifted} drifted; together they may spend {spend}"))
    again = {(pair.first, pair.second): pair for pair in recomputed.pairs}
    numbers = ("before", "after", "rows", "p", "allowed", "effect", "limit")
    table = narrow_table(("pair", "measure"), numbers)
    all_match = True
    for each in published.pairs:
        matches = _matches(each, again.get((each.first, each.second)))
        mark = "differs" if not matches else "drift" if each.holds else ""
        table.add_row(*_cells(each), mark, style=None if matches else "red")
        all_match &= matches
    console.print(table)
    return all_match


def _matches(published: PairReport, recomputed: PairReport | None) -> bool:
    if recomputed is None or recomputed.measure != published.measure:
        return False
    sides = [[getattr(pair, name) for name in NUMBERS] for pair in (published, recomputed)]
    return all(
        before == after
        or (before is not None and after is not None and isclose(before, after, rel_tol=1e-9))
        for before, after in zip(*sides, strict=True)
    )


def _cells(pair: PairReport) -> list[str]:
    before, after = ("-" if x is None else number(x) for x in (pair.before, pair.after))
    return [
        escaped(f"{pair.first}, {pair.second}"),
        "Cramer's V" if pair.measure == "cramers_v" else "correlation",
        before,
        after,
        f"{pair.n:,}",
        number(pair.p_value, 1) if pair.p_value else "0",
        f"{pair.allowed:.1g}",
        number(pair.effect),
        number(pair.effect_limit),
    ]
