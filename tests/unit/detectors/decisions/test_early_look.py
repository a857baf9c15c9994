from __future__ import annotations

import numpy as np
import pytest

from detectors.decisions.early_look import LEAST_ROWS, look
from detectors.early_finding import EarlyFinding
from detectors.statistics.evidence.early import EProcess
from detectors.statistics.evidence.early_starts import EarlyStarts
from detectors.statistics.evidence.tallies import TallyLayout
from stream.testing.baselines import Values, baseline, window

ROWS = 20_000
ALPHA = 1e-7


class Window:
    """An open window of two features, one look a second."""

    def __init__(self, lost_before: int = 0) -> None:
        self.random = np.random.default_rng(4)
        a: list[float | None] = self.random.normal(60, 15, ROWS).tolist()
        b: list[float | None] = self.random.normal(0, 1, ROWS).tolist()
        a[:lost_before] = [None] * lost_before
        self.baseline = baseline({"a": a, "b": b})
        self.layout = TallyLayout(self.baseline)
        self.process = EProcess(self.layout, np.ones(2))
        self.starts = EarlyStarts(0, self.layout.size, 60)
        self.tallies = np.zeros(self.layout.size, np.int64)
        self.seconds = 0

    def second(self, a: Values, *, effect: float = 0.02) -> tuple[EarlyFinding, ...]:
        """A second with these values of ``a`` and calm ones of ``b``, and the look after it."""
        b = self.random.normal(0, 1, len(a)).tolist()
        self.tallies = self.tallies + self.layout.tallies(
            window(self.baseline.layout, {"a": a, "b": b}).counts
        )
        limits = np.full(2, effect)
        found = look(self.process, self.tallies, self.starts, np.full(2, ALPHA), limits)
        self.seconds += 1
        self.starts.add(1_000 * self.seconds, self.tallies)
        return found

    def calm(self, rows: int = 1_000) -> list[float | None]:
        values: list[float | None] = self.random.normal(60, 15, rows).tolist()
        return values


def test_a_calm_window_gives_nothing() -> None:
    opened = Window()
    assert [opened.second(opened.calm()) for _ in range(20)] == [()] * 20


@pytest.mark.parametrize(
    ("fault", "subject"),
    [
        (lambda x: [(value - 32) / 1.8 for value in x], "drift"),
        (lambda x: [60.0] * len(x), "drift"),
        (lambda x: [None] * len(x), "missing"),
        (lambda x: [float("nan")] * len(x), "invalid"),
    ],
)
def test_a_broken_feature_is_found_by_the_next_look(fault, subject) -> None:  # type: ignore[no-untyped-def]
    opened = Window()
    for _ in range(12):
        assert opened.second(opened.calm()) == ()
    (found,) = opened.second(fault(opened.calm()))
    assert (found.feature, found.subject) == ("a", subject)
    assert (found.n, found.since_ms) == (1_000, 12_000)
    assert found.log_e_value >= found.needed == pytest.approx(-np.log(ALPHA))


def test_half_a_deviation_and_few_missing_values_are_found_within_two_looks() -> None:
    shifted, lossy = Window(), Window()
    for opened in (shifted, lossy):
        for _ in range(12):
            assert opened.second(opened.calm()) == ()
    found = [shifted.second([x + 7.5 for x in shifted.calm() if x is not None]) for _ in range(2)]
    assert found[-1][0].subject == "drift"
    found = [lossy.second([None] * 50 + lossy.calm(950)) for _ in range(2)]
    assert found[-1][0].subject == "missing"


def test_two_missing_values_are_evidence_enough_but_too_few_to_say() -> None:
    opened = Window()
    assert opened.second([None, None]) == ()
    assert opened.second([None] * (LEAST_ROWS - 3)) == ()
    assert opened.second([None])[0].n == LEAST_ROWS


def test_fewer_missing_values_than_before_are_no_finding() -> None:
    opened = Window(lost_before=ROWS // 4)
    assert [opened.second(opened.calm()) for _ in range(3)] == [()] * 3


def test_an_effect_below_the_limit_is_no_finding() -> None:
    small, asked = Window(), Window()
    shifted = [x + 3.75 for x in small.calm(4_000) if x is not None]
    assert small.second(shifted, effect=0.2) == ()
    assert asked.second(shifted, effect=0.02)[0].feature == "a"
