"""Faults of known causes, drawn anew: what happens to a feature, and which causes are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.random import Generator

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.diagnosis.cause import UNKNOWN
from detectors.diagnosis.unit_change import CONVERSIONS
from detectors.profiles.baseline import Baseline
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.fold import fold
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, MISSING, STRING
from detectors.profiles.profile import Profile
from detectors.violation import Action, Cause
from stream.baselining.build import make

Values: TypeAlias = Any
Draw = Callable[[Generator, int], Values]
Change = Callable[[Generator, Values], Values]

BASELINE_ROWS: Final = 20_000
WINDOW_MS: Final = 60_000


@dataclass(frozen=True)
class Truth:
    """What a fault does to the numbers: ``share`` of the rows become ``factor * x + offset``.

    ``None`` where the fault has no such number.
    """

    factor: float | None = None
    offset: float | None = None
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A feature of the baseline, and what happens to it in the window.

    ``right``: the names of causes that are right. ``vague``: names that are not wrong but say less,
    as where two changes give the same distribution. All others are wrong, but ``unknown``.
    ``written``: how numbers are written in the window. ``actions``: what may be advised besides
    those of the causes that are right; to look is never wrong.
    ``truth``: what the numbers of a cause that is named must not contradict.
    """

    name: str
    draw: Draw
    change: Change
    right: tuple[str, ...]
    vague: tuple[str, ...] = ()
    written: str = ""
    actions: tuple[Action, ...] = ()
    truth: Truth = Truth()

    @property
    def known_truth(self) -> Truth:
        """The numbers that are stated, or else those of the change."""
        if self.truth != Truth():
            return self.truth
        return self.change.truth if isinstance(self.change, Linear) else Truth()

    @property
    def allowed_actions(self) -> frozenset[Action]:
        """What may be advised."""
        return frozenset({"look", *self.actions, *(action_for(name) for name in self.right)})


def action_for(cause: str) -> Action:
    """What a cause asks for, by its name; a person may always be asked to look instead."""
    if cause in ("mean_shift", "variance_change", "mix_shift", "scaling"):
        return "retrain"  # Where growth and another unit look alike, growth is no wrong guess.
    return "look" if cause == "unknown" else "repair_pipeline"


def normal_draw(mean: float, std: float) -> Draw:
    return lambda r, n: r.normal(mean, std, n)


def lognormal_draw(mean: float, std: float) -> Draw:
    return lambda r, n: r.lognormal(mean, std, n)


def gamma_draw(shape: float, scale: float) -> Draw:
    return lambda r, n: r.gamma(shape, scale, n)


def poisson_draw(mean: float) -> Draw:
    return lambda r, n: r.poisson(mean, n).astype(float)


@dataclass(frozen=True)
class Linear:
    """A change of ``share`` of the rows, drawn anew, to ``factor * x + offset``."""

    factor: float = 1.0
    offset: float = 0.0
    share: float = 1.0

    def __call__(self, r: Generator, x: Values) -> Values:
        changed = self.factor * x + self.offset
        return changed if self.share == 1.0 else np.where(r.random(len(x)) < self.share, changed, x)

    @property
    def truth(self) -> Truth:
        """The numbers of this change."""
        return Truth(self.factor, self.offset, self.share)


def times(factor: float) -> Linear:
    return Linear(factor)


def plus(offset: float) -> Linear:
    return Linear(offset=offset)


def value_in(share: float, value: float) -> Change:
    return lambda r, x: np.where(r.random(len(x)) < share, value, x)


def in_part(share: float, change: Change) -> Change:
    if isinstance(change, Linear):
        return Linear(change.factor, change.offset, share)
    return lambda r, x: np.where(r.random(len(x)) < share, change(r, x), x)


def clipped_at(limit: float) -> Change:
    return lambda _, x: x[x < limit]


USUAL: Final = normal_draw(60, 15)
WORDS: Final = np.array(["UA", "AA", "DL", "WN", "B6"], dtype=object)
SHARES: Final = np.array([0.45, 0.3, 0.18, 0.05, 0.02])

OTHER_SHARES: Final = SHARES + np.array([-0.2, 0.12, 0.08, 0.0, 0.0])


def carriers(r: Generator, n: int) -> Values:
    return r.choice(WORDS, n, p=SHARES)


def without_word(k: int) -> Change:
    kept = np.delete(SHARES, k)
    return lambda r, w: r.choice(np.delete(WORDS, k), len(w), p=kept / kept.sum())


def word_in(share: float, word: str) -> Change:
    return lambda r, w: np.where(r.random(len(w)) < share, word, w)


def each_word(change: Callable[[str], str], share: float = 1.0) -> Change:
    return lambda r, w: np.array(
        [change(x) if r.random() < share else x for x in w.tolist()], dtype=object
    )


def unit_fault(name: str, draw: Draw, change: Change, **more: Any) -> Fault:
    return Fault(name=name, draw=draw, change=change, right=("unit_change",), **more)


def baseline_of(fault: Fault, rng: Generator, rows: int = BASELINE_ROWS) -> Baseline:
    """A baseline of the feature before the fault."""
    return baseline_with({"x": as_text(fault.draw(rng, rows), fault.written)})


def window_of(fault: Fault, base: Baseline, rng: Generator, rows: int) -> Profile:
    """The counts of a window with the fault."""
    changed = fault.change(rng, fault.draw(rng, rows))
    return fold(base.layout, {"x": column_of(changed, fault)})


class Said(NamedTuple):
    """What a report and the signals after it say of a window.

    ``causes``: those of the violations. ``signalled``: the names of the causes in the signals, and
    ``actions`` what they advise. All are empty where nothing is violated.
    """

    causes: tuple[Cause, ...]
    signalled: frozenset[str]
    actions: frozenset[Action]

    @property
    def names(self) -> frozenset[str]:
        """The names of all causes that are said."""
        return frozenset(cause.name for cause in self.causes) | self.signalled

    @property
    def cause(self) -> Cause:
        """The cause that is named, ``unknown`` if none is; of several, an arbitrary one."""
        named = [cause for cause in self.causes if cause.name != "unknown"]
        return named[0] if named else UNKNOWN


def said_of(base: Baseline, profile: Profile, expose_values: bool = False) -> Said:
    """What the judge says of a window, by evidence."""
    judge = Judge("causes", Rules(mode="evidence"), expose_values=expose_values)
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=WINDOW_MS)
    report = judge.report(span, base, profile, EpisodeState())
    _, signals = judge.advance(EpisodeState(), report, base)
    return Said(
        causes=tuple(each.cause for each in report.violations if each.cause is not None),
        signalled=frozenset(cause.name for signal in signals for cause in signal.causes),
        actions=frozenset(signal.action for signal in signals),
    )


def said_of_fault(fault: Fault, rng: Generator, rows: int, base: Baseline | None = None) -> Said:
    """What the judge says of a window with the fault."""
    base = base or baseline_of(fault, rng)
    return said_of(base, window_of(fault, base, rng, rows))


def outcome(fault: Fault, said: Said) -> str:
    """``right``, ``vague``, ``unknown``, ``silent`` or ``wrong``.

    ``wrong``: one cause that is named is not that of the fault, or the action is not, or its
    numbers exclude those of the fault, or it names another unit. ``silent``:
    the window violates nothing, as where a fault is too small for its rows. ``negative_values`` is
    no guess: it says that numbers are below 0 where none was, and that no other cause fits.
    """
    named = said.names - {"unknown"}
    if (
        named - {*fault.right, *fault.vague, "negative_values"}
        or said.actions - fault.allowed_actions
        or any(contradicts(cause, fault.known_truth) for cause in said.causes)
    ):
        return "wrong"
    if named & set(fault.right) or (not named and "unknown" in fault.right):
        return "right"
    if named:
        return "vague"
    return "unknown" if said.causes else "silent"


def contradicts(cause: Cause, truth: Truth) -> bool:
    """Whether the ranges of a cause exclude the numbers of a fault, or it names another unit."""
    return any(
        _excludes(cause, name, value, relative)
        for name, value, relative in (
            ("factor", truth.factor, ROUNDED_FACTOR),
            ("offset", truth.offset, ROUNDED_FACTOR),
            ("share", truth.share, 0.0),
        )
        if value is not None and cause.name in OF_NUMBERS
    )


def _excludes(cause: Cause, name: str, value: float, relative: float) -> bool:
    """Whether a number of a cause, or its range, is not that of the fault."""
    numbers = cause.numbers
    # A factor alone adds nothing.
    found = numbers.get(name, 0.0 if name == "offset" else None)
    if not isinstance(found, float):
        return False
    slack = relative * abs(value) + 1e-9
    ends = (float(numbers.get(f"{name}_{end}", found)) for end in ("low", "high"))
    low, high = sorted(ends)
    of_unit = any(example in cause.words for example in EXAMPLES)
    # A unit that is named has exactly its factor, and a range holds what is true.
    exact = of_unit and name != "share" and not _is_range(cause)
    inside = low - slack <= value <= high + slack
    return not inside or (exact and abs(found - value) > slack)


def _is_range(cause: Cause) -> bool:
    """Whether the words have a range, beside which a unit is an example."""
    return "between" in cause.words


OF_NUMBERS: Final = ("unit_change", "mixture_shift", "scaling")
"""The causes whose numbers are those of a :class:`Linear` change."""
ROUNDED_FACTOR: Final = 1e-3
"""How far a factor may be from that of a unit by rounding: 2.2046 is one of pounds."""
EXAMPLES: Final = tuple(conversion.example for conversion in CONVERSIONS)
"""How units are named."""


def baseline_with(columns: dict[str, pa.Array]) -> Baseline:
    return make(lambda: [pa.table(columns)]).baseline


def as_text(values: Values, written: str) -> pa.Array:
    if values.dtype == object:
        return pa.array(values, pa.string())
    whole = written in ("whole", "fractions")
    return pa.array(values.astype(np.int64) if whole else values).cast(pa.string())


def column_of(values: Values, fault: Fault) -> Column:
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
