"""The budget of false alarms, and what each feature may spend of it in one window."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.durations import duration_ms

_POSITIVE: Final = r"(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?"
FalseAlarms = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_POSITIVE} per {_POSITIVE}(ms|s|m|h|d)$",
        max_length=40,
        description="a number per a duration: 1 per 30d, 0.5 per 7d",
        extra={"expected": "a number per a duration: 1 per 30d, 0.5 per 7d"},
    ),
]
EARLY_PART: Final = 0.2
"""The part of a window's budget that is reserved for looks into it while it is open."""
WIDTH_PART: Final = 0.01
"""The part of a window's budget for records with a wrong number of columns."""
CONSTRAINT_PART: Final = 0.1
"""The part of a feature's budget for what ``constraints.json`` states of single windows: no values
outside of the domain, none in an empty column. Tests against the baseline have the rest."""
JOINT_PART: Final = 0.1
"""The part of a window's budget for the dependence of features, where it is judged."""
SEGMENTS_PART: Final = 0.5
"""The part of a window's budget for the features of segments, where the baseline has any."""
MOST_ALPHA: Final = 0.5
"""The largest chance of false evidence that a window may have, whatever is asked for."""


def false_alarms_per_ms(text: str) -> float:
    """False alarms a millisecond.

    >>> false_alarms_per_ms("1 per 30d") == 1 / (30 * 86_400_000)
    True
    """
    count, _, duration = text.partition(" per ")
    return float(count) / duration_ms(duration)


def window_alpha(false_alarms: str, every_ms: int, *, early: bool = False) -> float:
    """The chance of false evidence that one window may spend when it closes.

    ``every_ms`` is the time from one window to the next, so that a period has ``period / every_ms``
    of them: with ``window_alpha`` each, the expected number of windows with false evidence in it is
    ``false_alarms``, whatever their dependence. With ``early`` a part is reserved for looks into
    the open window.

    >>> round(window_alpha("1 per 30d", 3_600_000) * 720, 12)
    1.0
    >>> round(window_alpha("1 per 30d", 3_600_000, early=True) * 720, 12)
    0.8
    """
    alpha = min(false_alarms_per_ms(false_alarms) * every_ms, MOST_ALPHA)
    return alpha * (1.0 - EARLY_PART) if early else alpha


def looks_alpha(false_alarms: str, window_ms: int) -> float:
    """The chance of false evidence that all looks into one open window may spend together.

    Of windows that overlap, one of each ``window_ms`` is looked into.

    >>> round(looks_alpha("1 per 30d", 3_600_000) * 720, 12)
    0.2
    """
    return min(false_alarms_per_ms(false_alarms) * window_ms, MOST_ALPHA) * EARLY_PART


def feature_alphas(alpha: float, weights: Floats) -> Floats:
    """What each feature may spend of a window's ``alpha``: in proportion to its weight.

    Zeros where no feature has a weight. The sum is ``alpha`` less :data:`WIDTH_PART`.

    >>> feature_alphas(0.01, np.array([3.0, 1.0, 0.0])).round(6).tolist()
    [0.007425, 0.002475, 0.0]
    """
    total = weights.sum()
    if not total:
        return np.zeros_like(weights)
    alphas: Floats = alpha * (1.0 - WIDTH_PART) * weights / total
    return alphas
