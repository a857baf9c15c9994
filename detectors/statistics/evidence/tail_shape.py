"""Exact tests of the shape of both tails: whether the outermost values lie further out."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.binning import TAIL_SHARES
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.share_tests import (
    SCREEN,
    effect_of_rise,
    rise_is_suspect,
    risen,
)
from detectors.statistics.evidence.tallies import NAMES, OUTER_SHARES

LEAST_WIDER: Final = 4.0
"""An outer part is at least so many times as wide as the tails that are tested within it."""
ENDS: Final = ("low", "high")


def _outer(share: float) -> int:
    """The narrowest outer part that is wide enough for a tail, by position."""
    return max(k for k, outer in enumerate(OUTER_SHARES) if outer >= LEAST_WIDER * share)


TESTED: Final = tuple(
    (f"{end}_tail_{k}", f"{end}_outer_{_outer(share)}")
    for end in ENDS
    for k, share in enumerate(TAIL_SHARES)
)
"""The tallies of each test: the tail, and the outer part that it lies in."""
_TAIL, _PART = ([NAMES.index(name) for name in names] for names in zip(*TESTED, strict=True))


class TailShapeTests:
    """Tests whether the outer part of an end holds more of its values in the tail.

    Of the n values beyond the m outermost of the baseline, k lie beyond the j outermost. Given n,
    the law of k is that of :class:`~.share_tests.ShareTests`, exactly and whatever the distribution
    is: all orders of the n + m values are equally likely. Where large values grow, the outer part
    hardly gains values and the tail gains what the rest of the outer part loses, so this finds a
    heavier tail sooner than the share of all values does. 1 where a part has no value, and where
    the bins are too wide to tell the tail from its outer part.

    The effect is that within the outer part times the root of the part's share, the geometric mean
    of both sides: no more than the Hellinger distance of the whole. Source: Wilks 1942.
    """

    names: ClassVar[tuple[str, ...]] = tuple(
        f"{end}_tail_shape_{k}" for end in ENDS for k in range(len(TAIL_SHARES))
    )

    def outcome(self, pooled: Pooled) -> Outcome:
        layout = pooled.layout
        after, before = layout.several(pooled.sums, NAMES), layout.several(pooled.before, NAMES)
        k, n = (after[of].astype(np.float64) for of in (_TAIL, _PART))
        # Those of a mixture of seasons are made whole on the side that says less.
        j, m = np.ceil(before[_TAIL]), np.floor(before[_PART])
        j, m = np.broadcast_to(j, k.shape), np.broadcast_to(m, n.shape)
        p_value, effect, direction = np.ones_like(k), np.zeros_like(k), np.zeros_like(k)
        found = np.nonzero(rise_is_suspect(k, n, j, m, pooled.factor, SCREEN))
        factor = pooled.factor[found[1:]]
        counts = (k[found], n[found], j[found], m[found])
        p_value[found] = risen(*counts, factor)
        effect[found] = effect_of_rise(*counts, factor) * self._root_of_share(pooled, n, m)[found]
        direction[found] = 1.0
        return Outcome(p_value=p_value, effect=effect, direction=direction)

    def _root_of_share(self, pooled: Pooled, n: Floats, m: Floats) -> Floats:
        """The root of the geometric mean of an outer part's shares on both sides."""
        with np.errstate(invalid="ignore", divide="ignore"):
            root: Floats = np.sqrt(np.sqrt(n / pooled.n * (m / pooled.m)))
        return root
