"""Faults of known causes, drawn anew: what happens to a feature, and which causes are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.random import Generator

from detectors.profiles.baseline import Baseline
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.fold import fold
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, MISSING, STRING
from detectors.statistics.distances.base import Pair
from detectors.violation import Cause
from stream.baselining.build import make

Values: TypeAlias = Any
Draw = Callable[[Generator, int], Values]
Change = Callable[[Generator, Values], Values]

BASELINE_ROWS: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A feature of the baseline, and what happens to it in the window.

    ``right``: the names of causes that are right. ``vague``: names that are not wrong but say less,
    as where two changes give the same distribution. All others are wrong, but ``unknown``.
    ``written``: how numbers are written in the window.
    """

    name: str
    draw: Draw
    change: Change
    right: tuple[str, ...]
    vague: tuple[str, ...] = ()
    written: str = ""


def _normal(mean: float, std: float) -> Draw:
    return lambda r, n: r.normal(mean, std, n)


def _lognormal(mean: float, std: float) -> Draw:
    return lambda r, n: r.lognormal(mean, std, n)


def _gamma(shape: float, scale: float) -> Draw:
    return lambda r, n: r.gamma(shape, scale, n)


def _poisson(mean: float) -> Draw:
    return lambda r, n: r.poisson(mean, n).astype(float)


def _times(factor: float) -> Change:
    return lambda _, x: x * factor


def _plus(offset: float) -> Change:
    return lambda _, x: x + offset


def _value_in(share: float, value: float) -> Change:
    return lambda r, x: np.where(r.random(len(x)) < share, value, x)


def _part(share: float, change: Change) -> Change:
    return lambda r, x: np.where(r.random(len(x)) < share, change(r, x), x)


def _below(limit: float) -> Change:
    return lambda _, x: x[x < limit]


_USUAL: Final = _normal(60, 15)
_WORDS: Final = np.array(["UA", "AA", "DL", "WN", "B6"], dtype=object)
_SHARES: Final = np.array([0.45, 0.3, 0.18, 0.05, 0.02])

_OTHER_SHARES: Final = _SHARES + np.array([-0.2, 0.12, 0.08, 0.0, 0.0])


def _carriers(r: Generator, n: int) -> Values:
    return r.choice(_WORDS, n, p=_SHARES)


def _without(k: int) -> Change:
    kept = np.delete(_SHARES, k)
    return lambda r, w: r.choice(np.delete(_WORDS, k), len(w), p=kept / kept.sum())


def _word_in(share: float, word: str) -> Change:
    return lambda r, w: np.where(r.random(len(w)) < share, word, w)


def _each(change: Callable[[str], str], share: float = 1.0) -> Change:
    return lambda r, w: np.array(
        [change(x) if r.random() < share else x for x in w.tolist()], dtype=object
    )


def _unit(name: str, draw: Draw, change: Change, **more: Any) -> Fault:
    return Fault(name=name, draw=draw, change=change, right=("unit_change",), **more)


FAULTS: Final[tuple[Fault, ...]] = (
    _unit("F to C, N(60, 15)", _USUAL, lambda _, x: (x - 32) / 1.8),
    _unit("C to F, N(15, 8)", _normal(15, 8), lambda _, x: x * 1.8 + 32),
    _unit("C to kelvin", _normal(15, 8), _plus(273.15)),
    _unit("s to ms, lognormal", _lognormal(1, 0.6), _times(1000)),
    _unit("ms to s, lognormal", _lognormal(5, 1), _times(0.001)),
    _unit("s to ms, Pareto 1.5", lambda r, n: 1 + r.pareto(1.5, n), _times(1000)),
    _unit("min to s, gamma", _gamma(2, 10), _times(60)),
    _unit("share to percent, beta(2, 5)", lambda r, n: r.beta(2, 5, n), _times(100)),
    _unit(
        "share to percent, 60 % zeros",
        lambda r, n: r.beta(2, 5, n) * (r.random(n) < 0.4),
        _times(100),
    ),
    _unit(
        "cents to euros, prices",
        lambda r, n: np.floor(r.lognormal(7, 0.5, n)),
        _times(0.01),
        written="whole",
    ),
    _unit("miles to km, gamma", _gamma(3, 5), _times(1.609344), vague=("scaling",)),
    _unit("kg to pounds", _normal(75, 12), _times(2.2046), vague=("scaling",)),
    _unit("decimal shift x10", _lognormal(3, 0.5), _times(10)),
    _unit("g to kg, normal", _normal(500, 80), _times(0.001)),
    _unit("bytes to KiB", _lognormal(10, 1), _times(1 / 1024)),
    Fault(
        name="log taken, lognormal",
        draw=_lognormal(3, 0.5),
        change=lambda _, x: np.log(x),
        right=("log_taken",),
    ),
    _unit("sign changed, gamma", _gamma(2, 10), _times(-1)),
    _unit("sign changed, N(1, 1)", _normal(1, 1), _times(-1), vague=("mean_shift",)),
    Fault(
        name="standardised, N(60, 15)",
        draw=_USUAL,
        change=lambda _, x: (x - 60) / 15,
        right=("standardised",),
    ),
    Fault(
        name="half of the rows in ms",
        draw=_lognormal(1, 0.6),
        change=_part(0.5, _times(1000)),
        right=("mixture_shift",),
    ),
    Fault(name="mean + 1 sigma", draw=_USUAL, change=_plus(15), right=("mean_shift",)),
    Fault(
        name="deviation x2",
        draw=_USUAL,
        change=lambda _, x: 60 + 2 * (x - 60),
        right=("variance_change",),
    ),
    Fault(
        name="clipped at 90 %",
        draw=_USUAL,
        change=lambda _, x: np.minimum(x, 60 + 1.2816 * 15),
        right=("clipped",),
    ),
    Fault(
        name="clipped at 99 %",
        draw=_USUAL,
        change=lambda _, x: np.minimum(x, 60 + 2.326 * 15),
        right=("clipped",),
    ),
    Fault(
        name="top 5 % of the rows lost",
        draw=_USUAL,
        change=_below(60 + 1.645 * 15),
        right=("truncated",),
    ),
    Fault(
        name="frozen at the mean",
        draw=_USUAL,
        change=lambda _, x: np.full(len(x), 60.0),
        right=("frozen",),
    ),
    Fault(
        name="frozen at a usual code",
        draw=_poisson(3),
        change=lambda _, x: np.full(len(x), 3.0),
        right=("frozen",),
        written="whole",
    ),
    Fault(
        name="frozen in 60 % of the rows",
        draw=_USUAL,
        change=_value_in(0.6, 60.0),
        right=("partly_frozen",),
        vague=("default_value",),
    ),
    Fault(
        name="default 0 in 10 %",
        draw=_USUAL,
        change=_value_in(0.1, 0.0),
        right=("default_value",),
    ),
    Fault(name="-999 in 5 %", draw=_USUAL, change=_value_in(0.05, -999.0), right=("sentinel",)),
    Fault(name="nulls 5 %", draw=_USUAL, change=_value_in(0.05, np.nan), right=("null_burst",)),
    Fault(
        name="nulls 100 %",
        draw=_USUAL,
        change=lambda _, x: np.full(len(x), np.nan),
        right=("null_burst",),
    ),
    Fault(
        name="NaN written as text",
        draw=_USUAL,
        change=lambda _, x: x,
        right=("type_change",),
        written="text",
    ),
    Fault(
        name="rounded to whole numbers",
        draw=_USUAL,
        change=lambda _, x: np.round(x),
        right=("rounded",),
    ),
    Fault(
        name="7.0 for 7",
        draw=_poisson(3),
        change=lambda _, x: x,
        right=("type_change",),
        written="fractions",
    ),
    Fault(name="new word 5 %", draw=_carriers, change=_word_in(0.05, "ZZ"), right=("new_value",)),
    Fault(
        name="new word 1.5 %", draw=_carriers, change=_word_in(0.015, "ZZ"), right=("new_value",)
    ),
    *(
        Fault(
            name=f"word of {_SHARES[k]:.0%} gone",
            draw=_carriers,
            change=_without(k),
            right=("vanished_value",),
        )
        for k in (2, 3, 4)
    ),
    Fault(
        name="DL renamed Delta",
        draw=_carriers,
        change=_each(lambda w: "Delta" if w == "DL" else w),
        right=("renamed_value",),
        vague=("new_value",),
    ),
    Fault(
        name="lower case",
        draw=_carriers,
        change=_each(str.lower),
        right=("format_change",),
        vague=("new_value",),
    ),
    Fault(
        name="blank appended, and read away",
        draw=_carriers,
        change=_each(lambda w: w + " "),
        right=("unknown",),
    ),
    Fault(
        name="empty text 5 %",
        draw=_carriers,
        change=_word_in(0.05, ""),
        right=("format_change", "null_burst"),
        vague=("new_value",),
    ),
    Fault(
        name="mix, total variation .2",
        draw=_carriers,
        change=lambda r, w: r.choice(_WORDS, len(w), p=_OTHER_SHARES),
        right=("mix_shift",),
    ),
    Fault(
        name="frozen at one word",
        draw=_carriers,
        change=lambda _, w: np.full(len(w), "UA", dtype=object),
        right=("frozen",),
    ),
)
"""One feature each; :data:`SWAPS` are the others."""

SWAPS: Final[tuple[tuple[str, Draw, Draw, bool], ...]] = (
    ("swapped N(60, 15) and N(5, 2)", _USUAL, _normal(5, 2), True),
    ("swapped N(60, 15) and N(50, 15)", _USUAL, _normal(50, 15), True),
    ("swapped, equal laws", _USUAL, _normal(60, 15), False),
)
"""Two columns that are swapped, and whether that can be seen."""


def _mixed(r: Generator, n: int) -> Values:
    return np.where(r.random(n) < 0.7, r.normal(10, 2, n), r.normal(30, 5, n))


MORE: Final[tuple[Fault, ...]] = (
    _unit("euros to yen x160, lognormal", _lognormal(2, 0.9), _times(160)),
    _unit("x7.5, gamma", _gamma(4, 3), _times(7.5)),
    _unit("/37, Weibull", lambda r, n: 40 * r.weibull(1.4, n), _times(1 / 37)),
    _unit("x1e6, exponential", lambda r, n: r.exponential(3, n), _times(1e6)),
    _unit("F to C, two seasons", lambda r, n: _mixed(r, n) + 40, lambda _, x: (x - 32) / 1.8),
    _unit("kelvin to C, N(290, 9)", _normal(290, 9), _plus(-273.15)),
    _unit("inches to cm, N(66, 4)", _normal(66, 4), _times(2.54), vague=("scaling",)),
    _unit("feet to metres, gamma", _gamma(5, 200), _times(0.3048), vague=("scaling",)),
    _unit("sign changed, lognormal", _lognormal(0, 0.8), _times(-1)),
    _unit("hours to seconds, uniform", lambda r, n: r.uniform(1, 9, n), _times(3600)),
    _unit("x60, whole numbers", _poisson(20), _times(60), written="whole"),
    Fault(
        name="prices up by 30 %, lognormal",
        draw=_lognormal(3, 0.7),
        change=_times(1.3),
        right=("scaling",),
        vague=("unit_change", "mean_shift"),
    ),
    Fault(
        name="x1.1, lognormal",
        draw=_lognormal(3, 0.5),
        change=_times(1.1),
        right=("scaling",),
        vague=("mean_shift",),
    ),
    Fault(name="+ 1,000, N(60, 15)", draw=_USUAL, change=_plus(1000), right=("offset",)),
    Fault(name="- 400, gamma", draw=_gamma(2, 10), change=_plus(-400), right=("offset",)),
    Fault(
        name="mean - .7 sigma, gamma",
        draw=_gamma(9, 2),
        change=_plus(-4.2),
        right=("mean_shift",),
    ),
    Fault(
        name="mean + .5, wider 1.4",
        draw=_USUAL,
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
        draw=_gamma(2, 10),
        change=lambda _, x: np.log1p(x),
        right=("log_taken",),
    ),
    Fault(
        name="log10 taken, lognormal",
        draw=_lognormal(8, 1.0),
        change=lambda _, x: np.log10(x),
        right=("log_taken",),
    ),
    Fault(
        name="exp taken, N(3, .6)",
        draw=_normal(3, 0.6),
        change=lambda _, x: np.exp(x),
        right=("log_taken",),
    ),
    Fault(
        name="standardised, gamma",
        draw=_gamma(3, 40),
        change=lambda _, x: (x - 120) / (40 * 3**0.5),
        right=("standardised",),
    ),
    Fault(
        name="30 % of the rows in F",
        draw=_normal(15, 5),
        change=_part(0.3, lambda _, x: x * 1.8 + 32),
        right=("mixture_shift",),
    ),
    Fault(
        name="20 % of the rows x100, gamma",
        draw=_gamma(4, 3),
        change=_part(0.2, _times(100)),
        right=("mixture_shift",),
    ),
    Fault(
        name="clipped below at 15 %",
        draw=_gamma(3, 5),
        change=lambda _, x: np.maximum(x, 6.7),
        right=("clipped",),
    ),
    Fault(
        name="clipped on both sides, 5 %",
        draw=_USUAL,
        change=lambda _, x: np.clip(x, 35, 85),
        right=("clipped",),
    ),
    Fault(
        name="lowest 20 % of the rows lost",
        draw=_lognormal(3, 0.5),
        change=lambda _, x: x[x > 13.2],
        right=("truncated",),
    ),
    Fault(
        name="top 20 % of the rows lost, gamma",
        draw=_gamma(2, 10),
        change=_below(29.9),
        right=("truncated",),
    ),
    Fault(
        name="median put in, 8 %",
        draw=_lognormal(3, 0.5),
        change=_value_in(0.08, 20.1),
        right=("default_value",),
    ),
    Fault(
        name="-1 in 4 %, gamma",
        draw=_gamma(3, 5),
        change=_value_in(0.04, -1.0),
        right=("sentinel",),
        vague=("default_value",),
    ),
    Fault(
        name="9999 in 3 %",
        draw=_gamma(3, 5),
        change=_value_in(0.03, 9999.0),
        right=("sentinel",),
    ),
    Fault(
        name="99 for a code in 6 %",
        draw=_poisson(3),
        change=_value_in(0.06, 99.0),
        right=("sentinel",),
        vague=("new_value",),
        written="whole",
    ),
    Fault(
        name="default code 0 in 15 %",
        draw=_poisson(4),
        change=_value_in(0.15, 0.0),
        right=("default_value",),
        vague=("mix_shift",),
        written="whole",
    ),
    Fault(
        name="codes of another mean",
        draw=_poisson(3),
        change=lambda r, x: r.poisson(3.8, len(x)).astype(float),
        right=("mix_shift",),
        written="whole",
    ),
    Fault(
        name="rounded to 5, gamma",
        draw=_gamma(4, 10),
        change=lambda _, x: 5 * np.round(x / 5),
        right=("rounded",),
    ),
    Fault(
        name="cut to whole numbers",
        draw=_normal(40, 9),
        change=lambda _, x: np.floor(x),
        right=("rounded",),
    ),
    Fault(
        name="another shape, same moments",
        draw=_USUAL,
        change=lambda r, x: r.uniform(60 - 15 * 3**0.5, 60 + 15 * 3**0.5, len(x)),
        right=("unknown",),
    ),
    Fault(
        name="a new hump",
        draw=_USUAL,
        change=_part(0.25, lambda r, x: r.normal(120, 6, len(x))),
        right=("unknown",),
    ),
    Fault(
        name="gamma of another shape",
        draw=_gamma(2, 10),
        change=lambda r, x: r.gamma(4, 5, len(x)),
        right=("unknown",),
        vague=("scaling", "variance_change"),
    ),
    Fault(
        name="heavier tails",
        draw=_USUAL,
        change=lambda r, x: 60 + 15 * r.standard_t(3, len(x)),
        right=("unknown",),
        vague=("variance_change",),
    ),
    Fault(
        name="calm",
        draw=_gamma(2, 10),
        change=lambda _, x: x,
        right=("unknown",),
    ),
    Fault(
        name="prefix in half of the rows",
        draw=_carriers,
        change=_each(lambda w: f"us:{w}", 0.5),
        right=("format_change",),
        vague=("new_value",),
    ),
    Fault(
        name="title case, 30 %",
        draw=lambda r, n: r.choice(np.array(["red", "green", "blue"], dtype=object), n),
        change=_each(str.title, 0.3),
        right=("format_change",),
        vague=("new_value",),
    ),
    Fault(
        name="two new words, 4 % and 3 %",
        draw=_carriers,
        change=lambda r, w: _word_in(0.03, "Q2")(r, _word_in(0.04, "Q1")(r, w)),
        right=("new_value",),
    ),
    Fault(
        name="the word N/A in 6 %",
        draw=_carriers,
        change=_word_in(0.06, "N/A"),
        right=("format_change", "null_burst"),
        vague=("new_value",),
    ),
    Fault(
        name="WN renamed Southwest",
        draw=_carriers,
        change=_each(lambda w: "Southwest" if w == "WN" else w),
        right=("renamed_value",),
        vague=("new_value",),
    ),
    Fault(
        name="two words gone",
        draw=_carriers,
        change=lambda r, w: r.choice(_WORDS[:3], len(w), p=_SHARES[:3] / _SHARES[:3].sum()),
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


def pair_of(fault: Fault, rng: Generator, rows: int, baseline_rows: int = BASELINE_ROWS) -> Pair:
    """A baseline and a window with the fault."""
    return window_of(fault, baseline_of(fault, rng, baseline_rows), rng, rows)


def baseline_of(fault: Fault, rng: Generator, rows: int = BASELINE_ROWS) -> Baseline:
    """A baseline of the feature before the fault."""
    return _baseline({"x": _as_text(fault.draw(rng, rows), fault.written)})


def window_of(fault: Fault, base: Baseline, rng: Generator, rows: int) -> Pair:
    """A window with the fault, and its baseline."""
    changed = fault.change(rng, fault.draw(rng, rows))
    return Pair(base.profile, fold(base.layout, {"x": _column(changed, fault)}))


def outcome(fault: Fault, cause: Cause) -> str:
    """``right``, ``vague``, ``unknown`` or ``wrong``."""
    if cause.name in fault.right:
        return "right"
    if cause.name == "unknown":
        return "unknown"
    return "vague" if cause.name in fault.vague else "wrong"


def swapped_pair(swap: int, rng: Generator, rows: int, baseline_rows: int = BASELINE_ROWS) -> Pair:
    """Two columns in the baseline, and swapped in the window."""
    _, a, b, _ = SWAPS[swap]
    base = _baseline(
        {"a": _as_text(a(rng, baseline_rows), ""), "b": _as_text(b(rng, baseline_rows), "")}
    )
    window = {"a": Numbers(b(rng, rows)), "b": Numbers(a(rng, rows))}
    return Pair(base.profile, fold(base.layout, window))


def _baseline(columns: dict[str, pa.Array]) -> Baseline:
    return make(lambda: [pa.table(columns)]).baseline


def _as_text(values: Values, written: str) -> pa.Array:
    if values.dtype == object:
        return pa.array(values, pa.string())
    whole = written in ("whole", "fractions")
    return pa.array(values.astype(np.int64) if whole else values).cast(pa.string())


def _column(values: Values, fault: Fault) -> Column:
    if values.dtype == object or values.dtype.kind == "U":
        return Texts(pa.array(values, pa.string()))
    n = len(values)
    if fault.written == "text":
        return Numbers(np.full(n, np.nan), np.full(n, STRING, np.uint8))
    if fault.written == "fractions":
        return Numbers(values, np.full(n, FRACTIONAL, np.uint8))
    if fault.written == "whole":
        slots = np.where(values == np.floor(values), INTEGRAL, FRACTIONAL)
        return Numbers(values, slots.astype(np.uint8))
    if np.isnan(values).any():
        return Numbers(values, np.where(np.isnan(values), MISSING, FRACTIONAL).astype(np.uint8))
    return Numbers(values)
