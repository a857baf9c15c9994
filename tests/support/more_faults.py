"""Further faults: other distributions, other factors, and changes that look like faults."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from tests.support.cause_faults import (
    SHARES,
    USUAL,
    WORDS,
    Fault,
    Linear,
    Values,
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
    word_in,
)


def _mixed(r: Generator, n: int) -> Values:
    return np.where(r.random(n) < 0.7, r.normal(10, 2, n), r.normal(30, 5, n))


MORE: Final[tuple[Fault, ...]] = (
    unit_fault("euros to yen x160, lognormal", lognormal_draw(2, 0.9), times(160)),
    unit_fault("x7.5, gamma", gamma_draw(4, 3), times(7.5)),
    unit_fault("/37, Weibull", lambda r, n: 40 * r.weibull(1.4, n), times(1 / 37)),
    unit_fault("x1e6, exponential", lambda r, n: r.exponential(3, n), times(1e6)),
    unit_fault("F to C, two seasons", lambda r, n: _mixed(r, n) + 40, Linear(1 / 1.8, -32 / 1.8)),
    unit_fault("kelvin to C, N(290, 9)", normal_draw(290, 9), plus(-273.15)),
    unit_fault("inches to cm, N(66, 4)", normal_draw(66, 4), times(2.54), vague=("scaling",)),
    unit_fault("feet to metres, gamma", gamma_draw(5, 200), times(0.3048), vague=("scaling",)),
    unit_fault("sign changed, lognormal", lognormal_draw(0, 0.8), times(-1)),
    unit_fault("hours to seconds, uniform", lambda r, n: r.uniform(1, 9, n), times(3600)),
    unit_fault("x60, whole numbers", poisson_draw(20), times(60), written="whole"),
    Fault(
        name="prices up by 30 %, lognormal",
        draw=lognormal_draw(3, 0.7),
        change=times(1.3),
        right=("scaling",),
        vague=("unit_change", "mean_shift"),
    ),
    Fault(
        name="x1.1, lognormal",
        draw=lognormal_draw(3, 0.5),
        change=times(1.1),
        right=("scaling",),
        vague=("mean_shift",),
    ),
    Fault(name="+ 1,000, N(60, 15)", draw=USUAL, change=plus(1000), right=("offset",)),
    Fault(name="- 400, gamma", draw=gamma_draw(2, 10), change=plus(-400), right=("offset",)),
    Fault(
        name="mean - .7 sigma, gamma",
        draw=gamma_draw(9, 2),
        change=plus(-4.2),
        right=("mean_shift",),
    ),
    Fault(
        name="mean + .5, wider 1.4",
        draw=USUAL,
        change=lambda _, x: 67.5 + 1.4 * (x - 60),
        right=("mean_shift", "variance_change"),
    ),
    Fault(
        name="deviation x.5, two humps",
        draw=_mixed,
        change=lambda _, x: 16 + 0.5 * (x - 16),
        right=("variance_change",),
    ),
    Fault(
        name="log1p taken, gamma",
        draw=gamma_draw(2, 10),
        change=lambda _, x: np.log1p(x),
        right=("log_taken",),
    ),
    Fault(
        name="log10 taken, lognormal",
        draw=lognormal_draw(8, 1.0),
        change=lambda _, x: np.log10(x),
        right=("log_taken",),
    ),
    Fault(
        name="exp taken, N(3, .6)",
        draw=normal_draw(3, 0.6),
        change=lambda _, x: np.exp(x),
        right=("log_taken",),
    ),
    Fault(
        name="standardised, gamma",
        draw=gamma_draw(3, 40),
        change=lambda _, x: (x - 120) / (40 * 3**0.5),
        right=("standardised",),
    ),
    Fault(
        name="30 % of the rows in F",
        draw=normal_draw(15, 5),
        change=in_part(0.3, Linear(1.8, 32)),
        right=("mixture_shift",),
    ),
    Fault(
        name="20 % of the rows x100, gamma",
        draw=gamma_draw(4, 3),
        change=in_part(0.2, times(100)),
        right=("mixture_shift",),
    ),
    Fault(
        name="clipped below at 15 %",
        draw=gamma_draw(3, 5),
        change=lambda _, x: np.maximum(x, 6.7),
        right=("clipped",),
    ),
    Fault(
        name="clipped on both sides, 5 %",
        draw=USUAL,
        change=lambda _, x: np.clip(x, 35, 85),
        right=("clipped",),
    ),
    Fault(
        name="lowest 20 % of the rows lost",
        draw=lognormal_draw(3, 0.5),
        change=lambda _, x: x[x > 13.2],
        right=("truncated",),
    ),
    Fault(
        name="top 20 % of the rows lost, gamma",
        draw=gamma_draw(2, 10),
        change=clipped_at(29.9),
        right=("truncated",),
    ),
    Fault(
        name="median put in, 8 %",
        draw=lognormal_draw(3, 0.5),
        change=value_in(0.08, 20.1),
        right=("default_value",),
    ),
    Fault(
        name="-1 in 4 %, gamma",
        draw=gamma_draw(3, 5),
        change=value_in(0.04, -1.0),
        right=("sentinel",),
        vague=("default_value",),
    ),
    Fault(
        name="9999 in 3 %",
        draw=gamma_draw(3, 5),
        change=value_in(0.03, 9999.0),
        right=("sentinel",),
    ),
    Fault(
        name="99 for a code in 6 %",
        draw=poisson_draw(3),
        change=value_in(0.06, 99.0),
        right=("sentinel",),
        vague=("new_value",),
        written="whole",
    ),
    Fault(
        name="default code 0 in 15 %",
        draw=poisson_draw(4),
        change=value_in(0.15, 0.0),
        right=("default_value",),
        vague=("mix_shift",),
        written="whole",
    ),
    Fault(
        name="codes of another mean",
        draw=poisson_draw(3),
        change=lambda r, x: r.poisson(3.8, len(x)).astype(float),
        right=("mix_shift",),
        written="whole",
    ),
    Fault(
        name="rounded to 5, gamma",
        draw=gamma_draw(4, 10),
        change=lambda _, x: 5 * np.round(x / 5),
        right=("rounded",),
    ),
    Fault(
        name="cut to whole numbers",
        draw=normal_draw(40, 9),
        change=lambda _, x: np.floor(x),
        right=("rounded",),
    ),
    Fault(
        name="another shape, same moments",
        draw=USUAL,
        change=lambda r, x: r.uniform(60 - 15 * 3**0.5, 60 + 15 * 3**0.5, len(x)),
        right=("unknown",),
    ),
    Fault(
        name="a new hump",
        draw=USUAL,
        change=in_part(0.25, lambda r, x: r.normal(120, 6, len(x))),
        right=("unknown",),
    ),
    Fault(
        name="gamma of another shape",
        draw=gamma_draw(2, 10),
        change=lambda r, x: r.gamma(4, 5, len(x)),
        right=("unknown",),
        vague=("scaling", "variance_change"),
        actions=("retrain",),
    ),
    Fault(
        name="heavier tails",
        draw=USUAL,
        change=lambda r, x: 60 + 15 * r.standard_t(3, len(x)),
        right=("unknown",),
        vague=("variance_change",),
        actions=("retrain",),
    ),
    Fault(
        name="calm",
        draw=gamma_draw(2, 10),
        change=lambda _, x: x,
        right=("unknown",),
    ),
    Fault(
        name="prefix in half of the rows",
        draw=carriers,
        change=each_word(lambda w: f"us:{w}", 0.5),
        right=("format_change",),
        vague=("new_value",),
    ),
    Fault(
        name="title case, 30 %",
        draw=lambda r, n: r.choice(np.array(["red", "green", "blue"], dtype=object), n),
        change=each_word(str.title, 0.3),
        right=("format_change",),
        vague=("new_value",),
    ),
    Fault(
        name="two new words, 4 % and 3 %",
        draw=carriers,
        change=lambda r, w: word_in(0.03, "Q2")(r, word_in(0.04, "Q1")(r, w)),
        right=("new_value",),
    ),
    Fault(
        name="the word N/A in 6 %",
        draw=carriers,
        change=word_in(0.06, "N/A"),
        right=("format_change", "null_burst"),
        vague=("new_value",),
    ),
    Fault(
        name="WN renamed Southwest",
        draw=carriers,
        change=each_word(lambda w: "Southwest" if w == "WN" else w),
        right=("renamed_value",),
        vague=("new_value",),
    ),
    Fault(
        name="two words gone",
        draw=carriers,
        change=lambda r, w: r.choice(WORDS[:3], len(w), p=SHARES[:3] / SHARES[:3].sum()),
        right=("vanished_value",),
    ),
    Fault(
        name="mix of 30 words",
        draw=lambda r, n: np.array([f"w{k}" for k in r.geometric(0.15, n)], dtype=object),
        change=lambda r, w: np.array([f"w{k}" for k in r.geometric(0.25, len(w))], dtype=object),
        right=("mix_shift",),
        vague=("vanished_value",),
    ),
)
"""Faults of other distributions and factors, and changes that no cause fits."""
