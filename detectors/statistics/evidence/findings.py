"""The findings of all tests on one window: what each feature may spend, and the strongest of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints, Mask
from detectors.finding import SMALLEST, EvidenceFinding, Subject
from detectors.statistics.evidence.base import Outcome, Pooled, Tests
from detectors.statistics.evidence.horizons import HORIZONS
from detectors.statistics.evidence.likelihood_ratio import LikelihoodRatio
from detectors.statistics.evidence.score_tests import ScoreTests
from detectors.statistics.evidence.share_tests import ShareTests
from detectors.statistics.evidence.spike import SpikeTest
from detectors.statistics.evidence.tail_shape import TailShapeTests

KINDS: Final[tuple[Tests, ...]] = (
    LikelihoodRatio(),
    ScoreTests(),
    ShareTests(),
    TailShapeTests(),
    SpikeTest(),
)
TESTS: Final = tuple(name for kind in KINDS for name in kind.names)
"""The names of all tests."""
SUBJECT_OF: Final[dict[str, Subject]] = {
    "missing": "missing",
    "mistyped": "type",
    "nan": "invalid",
    "infinite": "invalid",
    "unseen": "unseen",
}
"""What a test is about, where that is not the distribution of the values (``drift``)."""
SUBJECTS: Final[tuple[Subject, ...]] = ("drift", "missing", "type", "invalid", "unseen")
OF_DISTRIBUTION: Final = 0.5
"""The part of a feature's budget for the tests of its distribution as a whole."""
OF_TAIL_SHAPE: Final = 0.15
"""The part for the tests of the shape of its tails."""
OF_SPIKE: Final = 0.05
"""The part for the test of a spike, which judges one horizon. The tests of shares have the rest."""


def allowed_p_values(alpha: float) -> dict[str, float]:
    """The p-value up to which each test may speak at each horizon, for a feature's budget.

    ``alpha`` is the chance of false evidence on the feature in one window. It is divided among the
    tests and the horizons (Bonferroni): whatever their dependence, the chance is at most ``alpha``.
    """
    shares, shape, spike = ShareTests.names, TailShapeTests.names, SpikeTest.names
    others = [name for name in TESTS if name not in (*shares, *shape, *spike)]
    parts = (
        (others, OF_DISTRIBUTION),
        (shares, 1.0 - OF_DISTRIBUTION - OF_TAIL_SHAPE - OF_SPIKE),
        (shape, OF_TAIL_SHAPE),
        (spike, OF_SPIKE),
    )
    return {
        name: alpha * part / len(names) / horizons_of(name)
        for names, part in parts
        for name in names
    }


def horizons_of(test: str) -> int:
    """The number of horizons that a test judges."""
    return 1 if test in SpikeTest.names else len(HORIZONS)


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """How each feature is judged, in arrays of one entry a feature.

    ``alpha``: the chance of false evidence that it may spend in this window. ``effect_limit``: the
    smallest effect worth a signal. ``windows``: the number of windows, the newest included, that it
    may be judged over.
    """

    alpha: Floats
    effect_limit: Floats
    windows: Ints


def outcome_of(pooled: Pooled) -> Outcome:
    """What all :data:`TESTS` say, in their order."""
    outcomes = [kind.outcome(pooled) for kind in KINDS]
    return Outcome(
        p_value=np.concatenate([outcome.p_value for outcome in outcomes]),
        effect=np.concatenate([outcome.effect for outcome in outcomes]),
        direction=np.concatenate([outcome.direction for outcome in outcomes]),
    )


def findings(pooled: Pooled, judged: Allowance) -> list[dict[str, EvidenceFinding]]:
    """The strongest finding of each feature on its drift, and on other subjects that hold.

    By subject, see :data:`SUBJECTS`. A finding that is large enough comes before one that is not,
    then the one with the strongest p-value for what it was allowed.
    """
    return Results(pooled, judged, outcome_of(pooled)).found


class Results:
    """The outcomes of all tests, in arrays ``[tests, horizons, features]``.

    ``holds``: which of them are evidence of a drift that is large enough.
    """

    def __init__(self, pooled: Pooled, judged: Allowance, outcome: Outcome) -> None:
        parts = allowed_p_values(1.0)
        self._rows = pooled.after("rows")
        self._limit = judged.effect_limit
        self._p = outcome.p_value
        self._effect = outcome.effect
        self._direction = outcome.direction
        self._allowed = np.array([parts[test] for test in TESTS])[:, None] * judged.alpha
        self._horizons = np.array(HORIZONS[: len(pooled.sums)])
        self._unjudged = self._horizons[:, None] > judged.windows[None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            self._strength = self._p / self._allowed[:, None, :]
        self.holds: Mask = (self._strength <= 1.0) & ~(self._effect < self._limit) & ~self._unjudged

    @cached_property
    def any_holds(self) -> bool:
        """Whether any finding holds; that is known without one."""
        return bool(self.holds.any())

    @cached_property
    def found(self) -> list[dict[str, EvidenceFinding]]:
        """The findings of each feature by subject, see :func:`findings`."""
        found: list[dict[str, EvidenceFinding]] = [{} for _ in self._limit]
        for subject in SUBJECTS:
            for i, finding in self._strongest(subject, always=subject == "drift"):
                found[i][subject] = finding
        return found

    def spent(self, i: int) -> float:
        """The largest share of what a test of feature ``i`` was allowed that it spent, at most 1.

        ``allowed / p``, over all tests and the horizons that are judged.
        """
        strongest = np.where(self._unjudged[:, i], np.inf, self._strength[:, :, i]).min()
        return float(1.0 / max(strongest, 1.0))

    @cached_property
    def _rank(self) -> Floats:
        """What the strongest finding has least of, ``[tests, horizons, features]``.

        Findings that hold are ranked by strength. The others follow by the digits of the p-value
        over those allowed: by strength, a test that may spend much would come first with p = 1.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            digits = np.log(np.maximum(self._p, SMALLEST)) / np.log(self._allowed[:, None, :])
        rank = np.where(self.holds, self._strength - 1.0, 1.0 / (1.0 + np.maximum(digits, 0.0)))
        return np.where(self._unjudged, np.inf, rank)

    def _strongest(self, subject: str, *, always: bool) -> Iterator[tuple[int, EvidenceFinding]]:
        """The strongest finding of each feature on a subject; ``always``: also if it fails."""
        tests = [k for k, test in enumerate(TESTS) if subject_of(test) == subject]
        rank = np.concatenate(self._rank[tests])
        best = np.argmin(rank, axis=0)
        speaks = self.holds[tests].any(axis=(0, 1)) | always
        for i in np.flatnonzero(speaks).tolist():
            k, h = divmod(int(best[i]), len(self._horizons))
            yield i, self._finding(tests[k], h, i)

    def _finding(self, k: int, h: int, i: int) -> EvidenceFinding:
        return EvidenceFinding(
            subject=subject_of(TESTS[k]),
            test=TESTS[k],
            horizon=int(self._horizons[h]),
            n=int(self._rows[h, i]),
            p_value=float(self._p[k, h, i]),
            allowed=float(self._allowed[k, i]),
            effect=float(self._effect[k, h, i]),
            effect_limit=float(self._limit[i]),
            direction=int(self._direction[k, h, i]),
        )


def subject_of(test: str) -> Subject:
    """What a test is about: one of :data:`SUBJECTS`."""
    return SUBJECT_OF.get(test, "drift")
