"""Faults that are often met, and the causes that are right for each."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from detectors.profiles.columns import Numbers
from detectors.profiles.fold import fold
from detectors.statistics.distances.base import Pair
from tests.support.cause_faults import (
    BASELINE_ROWS,
    OTHER_SHARES,
    SHARES,
    USUAL,
    WORDS,
    Draw,
    Fault,
    Linear,
    as_text,
    baseline_with,
    carriers,
    clipped_at,
    each_word,
    gamma_draw,
    in_part,
    lognormal_draw,
    normal_draw,
    plus,
    poisson_draw,
    times,
    unit_fault,
    value_in,
    without_word,
    word_in,
)

FAULTS: Final[tuple[Fault, ...]] = (
    unit_fault("F to C, N(60, 15)", USUAL, Linear(1 / 1.8, -32 / 1.8)),
    unit_fault("C to F, N(15, 8)", normal_draw(15, 8), Linear(1.8, 32)),
    unit_fault("C to kelvin", normal_draw(15, 8), plus(273.15)),
    unit_fault("s to ms, lognormal", lognormal_draw(1, 0.6), times(1000)),
    unit_fault("ms to s, lognormal", lognormal_draw(5, 1), times(0.001)),
    unit_fault("s to ms, Pareto 1.5", lambda r, n: 1 + r.pareto(1.5, n), times(1000)),
    unit_fault("min to s, gamma", gamma_draw(2, 10), times(60)),
    unit_fault("share to percent, beta(2, 5)", lambda r, n: r.beta(2, 5, n), times(100)),
    unit_fault(
        "share to percent, 60 % zeros",
        lambda r, n: r.beta(2, 5, n) * (r.random(n) < 0.4),
        times(100),
    ),
    unit_fault(
        "cents to euros, prices",
        lambda r, n: np.floor(r.lognormal(7, 0.5, n)),
        times(0.01),
        written="whole",
    ),
    unit_fault("miles to km, gamma", gamma_draw(3, 5), times(1.609344), vague=("scaling",)),
    unit_fault("kg to pounds", normal_draw(75, 12), times(2.2046), vague=("scaling",)),
    unit_fault("decimal shift x10", lognormal_draw(3, 0.5), times(10)),
    unit_fault("g to kg, normal", normal_draw(500, 80), times(0.001)),
    unit_fault("bytes to KiB", lognormal_draw(10, 1), times(1 / 1024)),
    Fault(
        name="log taken, lognormal",
        draw=lognormal_draw(3, 0.5),
        change=lambda _, x: np.log(x),
        right=("log_taken",),
    ),
    unit_fault("sign changed, gamma", gamma_draw(2, 10), times(-1)),
    unit_fault("sign changed, N(1, 1)", normal_draw(1, 1), times(-1), vague=("mean_shift",)),
    Fault(
        name="standardised, N(60, 15)",
        draw=USUAL,
        change=lambda _, x: (x - 60) / 15,
        right=("standardised",),
    ),
    Fault(
        name="half of the rows in ms",
        draw=lognormal_draw(1, 0.6),
        change=in_part(0.5, times(1000)),
        right=("mixture_shift",),
    ),
    Fault(name="mean + 1 sigma", draw=USUAL, change=plus(15), right=("mean_shift",)),
    Fault(
        name="deviation x2",
        draw=USUAL,
        change=lambda _, x: 60 + 2 * (x - 60),
        right=("variance_change",),
    ),
    Fault(
        name="clipped at 90 %",
        draw=USUAL,
        change=lambda _, x: np.minimum(x, 60 + 1.2816 * 15),
        right=("clipped",),
    ),
    Fault(
        name="clipped at 99 %",
        draw=USUAL,
        change=lambda _, x: np.minimum(x, 60 + 2.326 * 15),
        right=("clipped",),
    ),
    Fault(
        name="top 5 % of the rows lost",
        draw=USUAL,
        change=clipped_at(60 + 1.645 * 15),
        right=("truncated",),
    ),
    Fault(
        name="frozen at the mean",
        draw=USUAL,
        change=lambda _, x: np.full(len(x), 60.0),
        right=("frozen",),
    ),
    Fault(
        name="frozen at a usual code",
        draw=poisson_draw(3),
        change=lambda _, x: np.full(len(x), 3.0),
        right=("frozen",),
        written="whole",
    ),
    Fault(
        name="frozen in 60 % of the rows",
        draw=USUAL,
        change=value_in(0.6, 60.0),
        right=("partly_frozen",),
        vague=("default_value",),
    ),
    Fault(
        name="default 0 in 10 %",
        draw=USUAL,
        change=value_in(0.1, 0.0),
        right=("default_value",),
    ),
    Fault(name="-999 in 5 %", draw=USUAL, change=value_in(0.05, -999.0), right=("sentinel",)),
    Fault(name="nulls 5 %", draw=USUAL, change=value_in(0.05, np.nan), right=("null_burst",)),
    Fault(
        name="nulls 100 %",
        draw=USUAL,
        change=lambda _, x: np.full(len(x), np.nan),
        right=("null_burst",),
    ),
    Fault(
        name="NaN written as text",
        draw=USUAL,
        change=lambda _, x: x,
        right=("type_change",),
        written="text",
    ),
    Fault(
        name="rounded to whole numbers",
        draw=USUAL,
        change=lambda _, x: np.round(x),
        right=("rounded",),
    ),
    Fault(
        name="7.0 for 7",
        draw=poisson_draw(3),
        change=lambda _, x: x,
        right=("type_change",),
        written="fractions",
    ),
    Fault(name="new word 5 %", draw=carriers, change=word_in(0.05, "ZZ"), right=("new_value",)),
    Fault(name="new word 1.5 %", draw=carriers, change=word_in(0.015, "ZZ"), right=("new_value",)),
    *(
        Fault(
            name=f"word of {SHARES[k]:.0%} gone",
            draw=carriers,
            change=without_word(k),
            right=("vanished_value",),
        )
        for k in (2, 3, 4)
    ),
    Fault(
        name="DL renamed Delta",
        draw=carriers,
        change=each_word(lambda w: "Delta" if w == "DL" else w),
        right=("renamed_value",),
        vague=("new_value",),
    ),
    Fault(
        name="lower case",
        draw=carriers,
        change=each_word(str.lower),
        right=("format_change",),
        vague=("new_value",),
    ),
    Fault(
        name="blank appended, and read away",
        draw=carriers,
        change=each_word(lambda w: w + " "),
        right=("unknown",),
    ),
    Fault(
        name="empty text 5 %",
        draw=carriers,
        change=word_in(0.05, ""),
        right=("format_change", "null_burst"),
        vague=("new_value",),
    ),
    Fault(
        name="mix, total variation .2",
        draw=carriers,
        change=lambda r, w: r.choice(WORDS, len(w), p=OTHER_SHARES),
        right=("mix_shift",),
    ),
    Fault(
        name="frozen at one word",
        draw=carriers,
        change=lambda _, w: np.full(len(w), "UA", dtype=object),
        right=("frozen",),
    ),
)
"""One feature each; :data:`SWAPS` are the others."""

SWAPS: Final[tuple[tuple[str, Draw, Draw, bool], ...]] = (
    ("swapped N(60, 15) and N(5, 2)", USUAL, normal_draw(5, 2), True),
    ("swapped N(60, 15) and N(50, 15)", USUAL, normal_draw(50, 15), True),
    ("swapped, equal laws", USUAL, normal_draw(60, 15), False),
)
"""Two columns that are swapped, and whether that can be seen."""


def swapped_pair(swap: int, rng: Generator, rows: int, baseline_rows: int = BASELINE_ROWS) -> Pair:
    """Two columns in the baseline, and swapped in the window."""
    _, a, b, _ = SWAPS[swap]
    base = baseline_with(
        {"a": as_text(a(rng, baseline_rows), ""), "b": as_text(b(rng, baseline_rows), "")}
    )
    window = {"a": Numbers(b(rng, rows)), "b": Numbers(a(rng, rows))}
    return Pair(base.profile, fold(base.layout, window))
