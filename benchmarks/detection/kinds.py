"""Kinds of features, and drifts of them, in numpy alone: each peer's environment draws the same.

Numbers are floats, and NaN is a missing one. Texts are positions in the kind's words, and -1 is a
missing one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Random = np.random.Generator
Draw = Callable[[Random, int], Values]


class Kind(NamedTuple):
    """The law of a feature: ``draw(random, n)`` gives n independent values."""

    name: str
    draw: Draw
    words: tuple[str, ...] = ()
    integral: bool = False


class PlantedDrift(NamedTuple):
    """A drift of one kind: ``change(random, values, window)`` gives what the values become.

    ``window`` is the number of windows since the drift began, of each value. ``written_as`` is the
    type in which numbers are written from then on, if that has changed.
    """

    name: str
    kind: str
    change: Callable[[Random, Values, Values], Values]
    written_as: str = ""


def zipf(count: int) -> Values:
    """Shares in proportion to 1, 1/2, 1/3, ..."""
    weights: Values = 1.0 / np.arange(1.0, count + 1.0)
    shares: Values = weights / weights.sum()
    return shares


def choice(shares: Sequence[float] | Values) -> Draw:
    """A draw of positions with these shares."""
    ends = np.cumsum(np.asarray(shares, np.float64))
    ends[-1] = 1.0
    return lambda random, n: np.searchsorted(ends, random.random(n), side="right")


def _zeros(random: Random, n: int) -> Values:
    values = random.gamma(2.0, 10.0, n)
    values[random.random(n) < 0.6] = 0.0
    return values


def _missing(random: Random, n: int) -> Values:
    values = random.normal(50.0, 10.0, n)
    values[random.random(n) < 0.3] = np.nan
    return values


def _bimodal(random: Random, n: int) -> Values:
    return random.normal(0.0, 1.0, n) + 6.0 * (random.random(n) < 0.3)


def _words(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{k:05d}" for k in range(count))


FIVE: Final = np.array([0.45, 0.30, 0.18, 0.05, 0.02])
_RARE: Final = (0.6, 0.2, 0.1, 0.05, 0.03, 0.01, 0.007, 0.003)
_ZIP: Final = choice(zipf(1000))
KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("normal", lambda r, n: r.normal(0.0, 1.0, n)),
        Kind("fahrenheit", lambda r, n: r.normal(60.0, 15.0, n)),
        Kind("seconds", lambda r, n: r.lognormal(1.0, 0.6, n)),
        Kind("lognormal", lambda r, n: r.lognormal(3.0, 1.0, n)),
        Kind("uniform", lambda r, n: r.random(n)),
        Kind("bimodal", _bimodal),
        Kind("zeros60", _zeros),
        Kind("codes", lambda r, n: r.poisson(3.0, n).astype(np.float64), integral=True),
        Kind("counts", lambda r, n: r.poisson(50.0, n).astype(np.float64), integral=True),
        Kind("pareto", lambda r, n: 1.0 + r.pareto(1.5, n)),
        Kind("prices", lambda r, n: np.floor(r.lognormal(3.0, 0.5, n)) + 0.99),
        Kind("missing30", _missing),
        Kind("constant", lambda r, n: np.full(n, 7.0), integral=True),
        Kind("bool", choice((0.8, 0.2)), ("false", "true")),
        Kind("bool.rare", choice((0.995, 0.005)), ("false", "true")),
        Kind("text3", choice((0.5, 0.3, 0.2)), ("a", "b", "c")),
        Kind("text5", choice(FIVE), ("a", "b", "c", "d", "e", "new")),
        Kind("text.rare", choice(_RARE), _words("r", 8)),
        Kind("text100", choice(zipf(100)), _words("w", 100)),
        Kind("zip1k", choice(zipf(1000)), _words("1", 1000)),
        Kind("zip1k.flat", choice(np.full(1000, 1e-3)), _words("z", 1000)),
        Kind("zip1k.num", lambda r, n: 10_000.0 + 37.0 * _ZIP(r, n), integral=True),
        Kind("user50k", choice(np.full(50_000, 2e-5)), _words("u", 50_000)),
        Kind("user50k.zipf", choice(zipf(50_000)), _words("v", 50_000)),
    )
}
EVERYDAY: Final = (
    "normal", "lognormal", "uniform", "bimodal", "zeros60", "codes", "counts", "pareto", "prices",
    "missing30", "constant", "bool", "bool.rare", "text3", "text.rare", "text100", "normal",
    "lognormal", "codes", "text3",
)  # fmt: skip
"""Twenty features of everyday kinds."""
IDENTIFIERS: Final = ("zip1k", "zip1k.flat", "zip1k.num", "user50k", "user50k.zipf")
"""Columns of many values; a timestamp is added to them by the row of identifiers."""


def names_of(kinds: Sequence[str]) -> list[str]:
    """A name for each feature: its kind, and a number among those of its kind."""
    return [f"{kind}#{list(kinds[:k]).count(kind)}" for k, kind in enumerate(kinds)]


Q99_LOGNORMAL: Final = float(np.exp(3.0 + 2.3263478740408408))


def _some(share: float, value: float) -> Callable[[Random, Values, Values], Values]:
    """A share of the values becomes one value."""
    return lambda r, x, _: np.where(r.random(len(x)) < share, value, x)


def _drawn(shares: Sequence[float] | Values) -> Callable[[Random, Values, Values], Values]:
    """The values are drawn with other shares."""
    draw = choice(np.asarray(shares) / np.sum(shares))
    return lambda r, x, _: draw(r, len(x))


def _mix(distance: float) -> Values:
    shares: Values = FIVE + np.array([-distance, 0.6 * distance, 0.4 * distance, 0.0, 0.0])
    return shares


def _shift(size: float) -> PlantedDrift:
    return PlantedDrift(f"shift {size}", "normal", lambda r, x, _: x + size)


def _scale(factor: float) -> PlantedDrift:
    return PlantedDrift(f"scale x{factor}", "normal", lambda r, x, _: x * factor)


DRIFTS: Final = {
    drift.name: drift
    for drift in (
        *map(_shift, (0.1, 0.25, 0.5, 1.0)),
        *map(_scale, (1.2, 1.5, 2.0)),
        PlantedDrift(
            "top 1 % doubled", "lognormal", lambda r, x, _: np.where(x > Q99_LOGNORMAL, 2 * x, x)
        ),
        *(PlantedDrift(f"nulls {k} %", "normal", _some(k / 100, np.nan)) for k in (1, 2, 5)),
        PlantedDrift("sentinel -999 in 2 %", "fahrenheit", _some(0.02, -999.0)),
        PlantedDrift(
            "x 1000 in 2 %",
            "fahrenheit",
            lambda r, x, _: np.where(r.random(len(x)) < 0.02, 1000.0 * x, x),
        ),
        *(PlantedDrift(f"new value {k} %", "text5", _some(k / 100, 5)) for k in (1, 5)),
        PlantedDrift("5 % value gone", "text5", _drawn(FIVE * [1, 1, 1, 0, 1])),
        PlantedDrift("2 % value gone", "text5", _drawn(FIVE * [1, 1, 1, 1, 0])),
        *(PlantedDrift(f"mix TV {tv}", "text5", _drawn(_mix(tv))) for tv in (0.05, 0.1, 0.2)),
        PlantedDrift("unit F to C", "fahrenheit", lambda r, x, _: (x - 32.0) / 1.8),
        PlantedDrift("unit s to ms", "seconds", lambda r, x, _: 1000.0 * x),
        PlantedDrift("frozen at the mean", "normal", lambda r, x, _: np.zeros(len(x))),
        PlantedDrift("integers as floats", "codes", lambda r, x, _: x, "float"),
        PlantedDrift("ramp .02 a window", "normal", lambda r, x, window: x + 0.02 * (window + 1)),
    )
}


def is_text(kind: str) -> bool:
    """Whether the values of a kind are texts."""
    return bool(KINDS[kind].words)


def present(kind: str, values: Values) -> Values:
    """The values that are not missing."""
    return values[values >= 0] if is_text(kind) else values[~np.isnan(values)]


class DriftTrial(NamedTuple):
    """One trial of a drift: its seed and numbers, from which every method draws the same."""

    drift: str
    n: int
    m: int
    base: int
    repeat: int
    most: int
    """The number of windows after which a drift that was not found counts as never found."""

    def reference(self, seed: int) -> Values:
        """The values of the baseline; the same for all trials of the same ``base``."""
        kind = KINDS[DRIFTS[self.drift].kind]
        return kind.draw(np.random.default_rng([seed, 1, self.base, self.n]), self.m)

    def windows(self, seed: int) -> Iterator[tuple[int, Values]]:
        """The drifted values, some windows at a time, with the number of the first one."""
        drift = DRIFTS[self.drift]
        step = max(4, min(32, 4_000 // self.n))
        random = np.random.default_rng([seed, 2, self.base, self.repeat, self.n])
        for first in range(0, self.most, step):
            count = min(step, self.most - first)
            values = KINDS[drift.kind].draw(random, self.n * count)
            window = first + np.repeat(np.arange(count), self.n)
            yield first, drift.change(random, values, window)
