"""The bins that hold the values of a domain, which may be wider than what the baseline has seen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Ints
from detectors.profiles.columns import NUMBER
from detectors.profiles.hashing import bins_beyond
from detectors.profiles.layout import HASHED_BINS, HEAD, Feature, Layout
from detectors.profiles.reading import BLANKS
from detectors.profiles.vocabulary import known_texts, trims

REMEMBERED: Final = 4_096
"""The number of domains whose bins are remembered: every window asks for them again."""
MAX_ADDED_BINS: Final = HASHED_BINS // 4
"""The largest number of hashed bins that a domain may allow: each also allows other values."""


@lru_cache(maxsize=REMEMBERED)
def allowed_bins(layout: Layout, i: int, domain: tuple[str, ...]) -> Ints:
    """The slots of the bins of feature ``i`` that hold the values of a domain, each once.

    A value that the baseline does not have lies in a hashed bin, which holds one in 64 of all other
    new values too. A rare value allows those that share its bin. Numbers without a bin of their own
    are left out.

    >>> from detectors.profiles.binning import text_feature
    >>> words = Layout((text_feature("t", "feature", {"a": 2, "b": 1}),))
    >>> allowed_bins(words, 0, ("b", "new")).tolist() == [HEAD + 1, HEAD + 2 + 59]
    True
    """
    feature = layout.features[i]
    bins = _number_bins(feature, domain) if feature.numeric else _text_bins(feature, domain)
    slots = int(layout.starts[i]) + HEAD + np.unique(bins[bins >= 0])
    allowed = np.intersect1d(slots, layout.lone_bins(i)) if feature.numeric else slots
    allowed.flags.writeable = False
    return allowed


@lru_cache(maxsize=REMEMBERED)
def known_bins(layout: Layout, i: int, domain: tuple[str, ...]) -> Ints:
    """The slots of :func:`allowed_bins` that hold a single value, which the baseline has."""
    return np.intersect1d(allowed_bins(layout, i, domain), layout.lone_bins(i))


def added_bins(layout: Layout, i: int, domain: tuple[str, ...]) -> Ints:
    """The slots of :func:`allowed_bins` that hold several values; none for numbers."""
    return np.setdiff1d(allowed_bins(layout, i, domain), layout.lone_bins(i))


def domain_problem(feature: Feature, domain: tuple[str, ...]) -> str:
    """Why the counts of a feature cannot decide about a domain; empty if they can.

    A value is named by its position, from 0.
    """
    layout = Layout((feature,))
    if not feature.numeric:
        added = int(layout.unseen[added_bins(layout, 0, domain) - HEAD].sum())
        reason = f"{added} values that the baseline does not have, at most {MAX_ADDED_BINS} allowed"
        return reason if added > MAX_ADDED_BINS else ""
    lone = set((layout.lone_bins(0) - HEAD).tolist())
    reasons = [
        (position, reason)
        for position, value in enumerate(domain)
        if (reason := _number_problem(feature, value, lone))
    ]
    if not reasons:
        return ""
    position, reason = reasons[0]
    others = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"value [{position}]{others} {reason}"


def _number_problem(feature: Feature, value: str, lone: set[int]) -> str:
    """Why the counts of a numeric feature do not know a value; empty if they do."""
    if not re.match(NUMBER, value) or not np.isfinite(float(value)):
        return "is not a number, and the baseline counted numbers"
    if re.match(r"[-+]?0[0-9]", value):
        return "has leading zeros, and the baseline counted numbers, which have none"
    if int(_number_bins(feature, [value])[0]) not in lone:
        return "has no bin of its own: the baseline counted it together with other numbers"
    return ""


def _number_bins(feature: Feature, domain: Sequence[str]) -> Ints:
    """The bin of each number; -1 for anything else."""
    edges = np.asarray(feature.edges)
    numbers = np.array(
        [float(v) if re.match(NUMBER, v) and "(" not in v else np.nan for v in domain]
    )
    bins = np.searchsorted(edges, numbers, side="right")
    return np.where(np.isfinite(numbers), bins, -1)


def _text_bins(feature: Feature, domain: Sequence[str]) -> Ints:
    """The bin of each text: its own, that of rare values, a hashed one; -1 for a missing marker."""
    known = known_texts(feature)
    bins = dict(zip(known.texts, known.bins.tolist(), strict=True))
    texts = [text.strip(BLANKS) if trims(feature) else text for text in domain]
    others = bins_beyond(feature, pa.array(texts, pa.string())).tolist()
    return np.array([bins.get(t, other) for t, other in zip(texts, others, strict=True)], np.int64)
