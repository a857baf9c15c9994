"""Further faults: odd units, part of the rows, from mid-window on, and two at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from tests.support.cause_faults import (
    USUAL,
    WORDS,
    Change,
    Fault,
    Linear,
    Truth,
    Values,
    carriers,
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


def from_middle(change: Change) -> Change:
    """The change in the second half of the rows."""

    def changed(r: Generator, x: Values) -> Values:
        half = len(x) // 2
        return np.concatenate((x[:half], change(r, x[half:])))

    return changed


def both(first: Change, second: Change) -> Change:
    """One change after another."""
    return lambda r, x: second(r, first(r, x))


HOURS: Final = np.array([1, 1, 1, 1, 2, 4, 7, 9, 8, 6, 5, 5, 6, 6, 5, 5, 6, 8, 9, 7, 5, 3, 2, 1.0])


def hours(r: Generator, n: int) -> Values:
    return r.choice(24, n, p=HOURS / HOURS.sum()).astype(float)


def rainfall(r: Generator, n: int) -> Values:
    return r.gamma(2, 3, n) * (r.random(n) < 0.7)


def flags(r: Generator, n: int) -> Values:
    return r.choice(np.array(["true", "false"], dtype=object), n, p=[0.3, 0.7])


def _wrapped(_: Generator, x: Values) -> Values:
    return np.where(x > 32_767, x - 65_536, x)


def _sent_again(r: Generator, x: Values) -> Values:
    return r.choice(x[:20], len(x))


FURTHER: Final[tuple[Fault, ...]] = (
    unit_fault("degrees to radians, uniform", lambda r, n: r.uniform(0, 360, n), times(0.0174533)),
    unit_fault("inches to metres, N(66, 4)", normal_draw(66, 4), times(0.0254)),
    unit_fault("F to kelvin, N(60, 15)", USUAL, Linear(5 / 9, 459.67 * 5 / 9)),
    Fault(
        name="gallons to litres, gamma",
        draw=gamma_draw(3, 12),
        change=times(4.546),
        right=("unit_change", "scaling"),
    ),
    Fault(
        name="sign changed in 30 %, gamma",
        draw=gamma_draw(4, 10),
        change=in_part(0.3, times(-1)),
        right=("mixture_shift", "unknown"),
    ),
    Fault(
        name="30 % of the rows / 100, lognormal",
        draw=lognormal_draw(5, 0.7),
        change=in_part(0.3, times(0.01)),
        right=("mixture_shift",),
    ),
    Fault(
        name="30 % of the rows x160, lognormal",
        draw=lognormal_draw(2, 0.9),
        change=in_part(0.3, times(160)),
        right=("mixture_shift", "unknown"),
    ),
    Fault(
        name="30 % of the rows + 1 sigma",
        draw=USUAL,
        change=in_part(0.3, plus(15)),
        right=("unknown",),
        vague=("mean_shift", "variance_change"),
        actions=("retrain",),
    ),
    Fault(
        name="x60 from mid-window on, gamma",
        draw=gamma_draw(2, 10),
        change=from_middle(times(60)),
        right=("mixture_shift",),
        truth=Truth(60.0, 0.0, 0.5),
    ),
    Fault(
        name="log taken from mid-window on",
        draw=lognormal_draw(6, 0.8),
        change=from_middle(lambda _, x: np.log(x)),
        right=("unknown",),
    ),
    Fault(
        name="frozen from mid-window on",
        draw=lognormal_draw(3, 0.5),
        change=from_middle(lambda _, x: np.full(len(x), x[0])),
        right=("partly_frozen", "default_value"),
    ),
    Fault(
        name="nulls 10 %, and x1000",
        draw=lognormal_draw(1, 0.6),
        change=both(times(1000), value_in(0.1, np.nan)),
        right=("null_burst", "unit_change"),
        truth=Truth(1000.0, 0.0),
    ),
    Fault(
        name="nulls 30 %, and wider x1.6",
        draw=USUAL,
        change=both(lambda _, x: 60 + 1.6 * (x - 60), value_in(0.3, np.nan)),
        right=("null_burst", "variance_change"),
    ),
    Fault(
        name="clipped at 80 % in 30 % of the rows",
        draw=USUAL,
        change=in_part(0.3, lambda _, x: np.minimum(x, 72.6)),
        right=("clipped", "unknown"),
        vague=("default_value",),
    ),
    Fault(
        name="-1 and 9999, 4 % each",
        draw=gamma_draw(3, 5),
        change=both(value_in(0.04, -1.0), value_in(0.04, 9999.0)),
        right=("sentinel", "unknown"),
    ),
    Fault(
        name="zeros lost, 30 % of the rows",
        draw=rainfall,
        change=lambda _, x: x[x > 0],
        right=("truncated", "vanished_value", "unknown"),
    ),
    Fault(
        name="another time zone, + 5 hours",
        draw=hours,
        change=lambda _, x: (x + 5) % 24,
        right=("unknown",),
        vague=("mix_shift",),
        written="whole",
    ),
    Fault(
        name="two words changed places",
        draw=carriers,
        change=each_word(lambda w: {"UA": "DL", "DL": "UA"}.get(w, w)),
        right=("unknown",),
        vague=("mix_shift",),
    ),
    Fault(
        name="20 rows sent again and again",
        draw=gamma_draw(3, 5),
        change=_sent_again,
        right=("unknown",),
    ),
    Fault(
        name="16-bit overflow, lognormal",
        draw=lognormal_draw(9.6, 0.7),
        change=_wrapped,
        right=("unknown",),
    ),
    Fault(
        name="rounded to .25, gamma",
        draw=gamma_draw(2, 1),
        change=lambda _, x: np.round(x * 4) / 4,
        right=("rounded",),
    ),
    Fault(
        name="true and false written as 1 and 0, and read as before",
        draw=flags,
        change=each_word(lambda w: "1" if w == "true" else "0"),
        right=("unknown",),
    ),
    Fault(
        name="a fifth upper, a fifth with a prefix",
        draw=lambda r, n: r.choice(np.array(["red", "green", "blue"], dtype=object), n),
        change=both(each_word(str.upper, 0.2), each_word(lambda w: f"c-{w}", 0.2)),
        right=("format_change", "new_value"),
    ),
    Fault(
        name="new word 5 %, and a word of 18 % gone",
        draw=carriers,
        change=both(
            lambda r, w: np.where(w == "DL", r.choice(WORDS[:2], len(w)), w), word_in(0.05, "ZZ")
        ),
        right=("new_value", "vanished_value"),
    ),
    Fault(
        name="upper half spread x1.5",
        draw=USUAL,
        change=lambda _, x: np.where(x > 60, 60 + 1.5 * (x - 60), x),
        right=("unknown",),
        vague=("mean_shift", "variance_change"),
        actions=("retrain",),
    ),
    Fault(
        name="codes one higher",
        draw=poisson_draw(4),
        change=plus(1),
        right=("mean_shift", "unknown", "vanished_value"),
        vague=("mix_shift",),
        written="whole",
    ),
)
"""Faults that were written after the causes, and measured as they were."""
