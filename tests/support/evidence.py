"""Baselines and windows on which the tests of windows are tested."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.baseline import Baseline
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.findings import KINDS, TESTS
from detectors.statistics.evidence.horizons import History
from detectors.statistics.evidence.tallies import TallyLayout
from stream.testing.baselines import Values, baseline, texts, window

WORDS = np.array(["red", "green", "blue", "new"])


def drawn(seed: int, rows: int) -> dict[str, Values]:
    """Numbers of many values, codes, words, and numbers of which some are missing."""
    rng = np.random.default_rng(seed)
    holes: list[float | None] = rng.normal(0, 1, rows).tolist()
    holes[:: 7 if rows > 7 else 1] = [None] * len(holes[:: 7 if rows > 7 else 1])
    return {
        "number": rng.normal(50, 10, rows),
        "codes": rng.binomial(4, 0.4, rows).astype(float),
        "words": WORDS[rng.choice(3, rows, p=[0.6, 0.3, 0.1])].tolist(),
        "holes": holes,
    }


def known(seed: int = 1, rows: int = 4_000) -> Baseline:
    """A baseline of the features of :func:`drawn`."""
    return baseline(drawn(seed, rows))


def counts_of(known: Baseline, data: Mapping[str, Values]) -> Ints:
    """The counts of a window of these values."""
    return window(known.layout, dict(data)).counts


def pooled_of(known: Baseline, counts: Ints, factor: Floats | None = None) -> Pooled:
    """The sums of one window that no other one comes before."""
    layout = TallyLayout(known)
    ones = np.ones(layout.features)
    sums = History().sums(0, layout.tallies(counts))
    return Pooled(layout, sums, ones if factor is None else factor, counts)


def outcome_of(pooled: Pooled, test: str) -> tuple[Floats, Floats, Floats]:
    """P-values, effects and directions of one test, ``[horizons, features]`` each."""
    for kind in KINDS:
        if test in kind.names:
            k, outcome = kind.names.index(test), kind.outcome(pooled)
            return outcome.p_value[k], outcome.effect[k], outcome.direction[k]
    raise KeyError(f"{test} is none of {TESTS}")


def repeated(**counts: int) -> list[str | None]:
    """Words, each repeated by its count."""
    return texts(counts)


def all_outcomes(pooled: Pooled) -> list[Outcome]:
    """What every kind of test says."""
    return [kind.outcome(pooled) for kind in KINDS]
