"""Causes at an end of the range: values are clipped to a limit, or rows beyond it are lost."""

from __future__ import annotations

from math import log
from typing import Final, NamedTuple

import numpy as np

from detectors.diagnosis.ends import share_below
from detectors.diagnosis.goodness import FITS, goodness
from detectors.diagnosis.number_sides import NumberSides
from detectors.phrases import number, percent
from detectors.statistics.laws import beta_binomial_tail
from detectors.violation import Cause

CHANCE: Final = 3e-4
"""The highest probability that chance alone keeps a window below a limit."""
ODDS: Final = 100.0
"""How many times as probable the named cause must make the count at the limit as the other one."""
CONSERVED: Final = 4.0
"""How far the count at the limit may be from the expected one, in standard errors."""
MOMENT_ERRORS: Final = 2.5
"""The difference of a moment that chance explains, in standard errors: another shape may lack an
end too."""
MOST: Final = 0.7
"""A limit beyond which more of the baseline lies leaves too little to compare."""


class End(NamedTuple):
    """An end beyond which the window has nothing, although the baseline has.

    ``bin``, with ``rows``, holds the limit ``at``; ``share`` of the baseline is beyond it.
    ``clipped`` and ``truncated`` are the rows in the bin that each cause leads one to expect.
    """

    upper: bool
    bin: int
    at: float
    share: float
    rows: int
    clipped: float
    truncated: float


def clipped(sides: NumberSides) -> Cause | None:
    """``clipped`` if what was beyond a limit is now at it, and all else is as before."""
    return _cut(sides, "clipped")


def truncated(sides: NumberSides) -> Cause | None:
    """``truncated`` if rows beyond a limit are gone, and the others are as before."""
    return _cut(sides, "truncated")


def _cut(sides: NumberSides, name: str) -> Cause | None:
    # A feature of codes has single values: what is gone there has vanished.
    if not sides.comparable or sides.feature.kind == "codes":
        return None
    ends = sides.once("ends", lambda: cut_ends(sides))
    if not ends or any(sides.beyond) or any(_odds_name(end) != name for end in ends):
        return None
    if not _rest_fits(sides, ends) or not _moments_fit(sides, name, ends):
        return None
    return _cause(sides, name, ends)


def cut_ends(sides: NumberSides) -> list[End]:
    """The ends of the range beyond which the window lacks values, whatever the cause."""
    return [end for end in (_end(sides, True), _end(sides, False)) if end is not None]


def _end(sides: NumberSides, upper: bool) -> End | None:
    """The upper or lower end, if chance does not explain that nothing is beyond it."""
    n, m = sides.window.n, sides.baseline.n
    at = sides.window.high if upper else sides.window.low
    share = _share_beyond(sides, at, upper)
    # By chance: m/(n + m) for each of the baseline's rows beyond it.
    if not 0 < share < MOST or share * m * log(m / (n + m)) > log(CHANCE):
        return None
    b = int(np.searchsorted(sides.edges, at, side="right"))
    beyond = sides.before[b:] if upper else sides.before[: b + 1]
    clipped = float(beyond.sum()) / m * n
    inside = max(clipped / n - share, 0.0) * n
    return End(
        upper=upper,
        bin=b,
        at=at,
        share=share,
        rows=int(sides.after[b]),
        clipped=clipped,
        truncated=max(inside / (1.0 - share), clipped * 0.02),
    )


def _share_beyond(sides: NumberSides, at: float, upper: bool) -> float:
    """The baseline's share beyond a value."""
    side = sides.baseline.mirrored() if upper else sides.baseline
    return share_below(side, -at if upper else at)


def _odds_name(end: End) -> str:
    """The cause that the count at the limit speaks for, by a ratio of Poisson likelihoods."""
    evidence = end.rows * log(end.clipped / end.truncated) - (end.clipped - end.truncated)
    expected = end.clipped if evidence > 0 else end.truncated
    if abs(end.rows - expected) > CONSERVED * max(expected, 1.0) ** 0.5 + 1.0:
        return ""
    if abs(evidence) < log(ODDS):
        return ""
    return "clipped" if evidence > 0 else "truncated"


def _rest_fits(sides: NumberSides, ends: list[End]) -> bool:
    """Whether the bins between the limits have the shares of the baseline, and none has a spike."""
    first, last = 0, len(sides.after)
    for end in ends:
        first, last = (first, end.bin) if end.upper else (end.bin + 1, last)
    before, after = sides.before[first:last], sides.after[first:last]
    n, m = int(after.sum()), int(before.sum())
    if len(after) < 2 or not n or not m:
        return False
    per_row = sides.per_row - 1.0 / sides.window.n - 1.0 / sides.baseline.n + 1.0 / n + 1.0 / m
    if goodness(before.astype(float), after.astype(float), per_row) < FITS:
        return False
    b = int(np.argmax(after / n - before / m))
    tail = beta_binomial_tail(int(after[b]), n, int(before[b]) + 1, max(m - int(before[b]), 1))
    return tail >= CHANCE / len(after)


def _moments_fit(sides: NumberSides, name: str, ends: list[End]) -> bool:
    """Whether mean and deviation are those of the clipped, or truncated, baseline."""
    low = max((end.at for end in ends if not end.upper), default=-np.inf)
    high = min((end.at for end in ends if end.upper), default=np.inf)
    inside = (sides.middles >= low) & (sides.middles <= high)
    keep = inside.astype(float) if name == "truncated" else np.ones(len(inside))
    moments = sides.moments_of(lambda x: np.clip(x, low, high), keep)
    return sides.has_moments(*moments, errors=MOMENT_ERRORS)


def _cause(sides: NumberSides, name: str, ends: list[End]) -> Cause:
    numbers: dict[str, float | str] = {}
    said: list[str] = []
    for end in ends:
        side = "above" if end.upper else "below"
        numbers[f"share_{side}"] = end.share
        limit = "one" if said else "a limit"
        if sides.expose_values:
            numbers["at" if len(ends) == 1 else f"at_{side}"] = end.at
            limit = f"{'' if said else 'a limit '}{number(end.at, 4)}"
        before = percent(end.share)
        said.append(f"{side} {limit} ({before if said else f'baseline: {before}'})")
    what = "values are clipped: none is" if name == "clipped" else "rows are lost: no value is"
    return Cause(
        name=name,
        words=f"{what} {' or '.join(said)}",
        action="repair_pipeline",
        numbers=numbers,
    )
