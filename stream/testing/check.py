"""The contract of a check: the laws of its violations."""

from __future__ import annotations

from math import isfinite

import msgspec
import numpy as np
import pytest

from detectors.decisions.catalogue import CHECKS
from detectors.decisions.checks.base import COLUMNS, Check, CheckedWindow, Reported, Stage
from detectors.decisions.rules import Rules
from detectors.decisions.rulings import rule
from detectors.profiles.baseline import Constraint
from detectors.profiles.profile import Profile
from detectors.statistics.measures import measure
from detectors.violation import Violation
from stream.testing.baselines import Values, baseline, texts, window

SECRETS = ("Ms Miller", "[private]", "unseen disease")
ROWS = 4_000


def drawn(seed: int, rows: int = ROWS) -> dict[str, Values]:
    """Two numbers, one of few values, a text with private values, and a text of a closed domain."""
    rng = np.random.default_rng(seed)
    return {
        "amount": rng.lognormal(1, 1, rows),
        "price": rng.uniform(0, 100, rows),
        "code": rng.choice([40.0, 41.0, 42.0], rows, p=[0.6, 0.35, 0.05]),
        "name": rng.choice(SECRETS, rows, p=[0.6, 0.35, 0.05]).tolist(),
        "closed": rng.choice(["a", "b"], rows).tolist(),
    }


CONSTRAINTS = {
    "price": Constraint(completeness=1.0, non_negative=True),
    "closed": Constraint(completeness=1.0, domains=("a", "b")),
}
BASE = baseline(drawn(1, 10_000), CONSTRAINTS)


def checked(
    data: dict[str, Values] | None, *, wrong_width: int = 0, expose_values: bool = False
) -> CheckedWindow:
    """A window as checks see it; without ``data`` it has no rows."""
    profile = window(BASE.layout, data) if data else Profile(BASE.layout)
    measures, rules = measure(BASE, profile), Rules(mode="threshold")
    return CheckedWindow(
        baseline=BASE,
        measures=measures,
        rulings=rule(rules, {}, BASE.constraints, measures, profile.rows),
        rules=rules,
        rows=profile.rows,
        too_narrow=wrong_width,
        too_wide=wrong_width,
        expose_values=expose_values,
    )


def faulty(seed: int) -> dict[str, Values]:
    """A window in which each feature has another fault."""
    rng, data = np.random.default_rng(seed), drawn(seed)
    return {
        "amount": np.where(rng.random(ROWS) < 0.2, np.nan, rng.lognormal(3, 1, ROWS)),
        "price": np.where(rng.random(ROWS) < 0.02, -1.0, rng.uniform(0, 100, ROWS)),
        "code": [None if rng.random() < 0.3 else 40.0 for _ in range(ROWS)],
        "name": texts({"unseen disease": ROWS // 2, "a secret": ROWS // 2}),
        "closed": [("z" if k % 4 else value) for k, value in enumerate(data["closed"])],
    }


def violations(check: Check, window: CheckedWindow, *reported: Violation) -> list[Violation]:
    """All violations of a check, after earlier checks have reported something, or nothing."""
    before = Reported(reported)
    of_features = [check.of_feature(window, i, before) for i in window.checked_features()]
    return [violation for violation in (*of_features, check.of_columns(window)) if violation]


class CheckContract:
    """The laws of a check. A subclass overrides the fixture ``check``::

        from stream.testing.check import CheckContract


        class TestOutliers(CheckContract):
            @pytest.fixture
            def check(self) -> Outliers:
                return Outliers("outlier_check")

    The windows of the contract have a fault in each feature, but perhaps not the one that the check
    looks for. That it finds its own fault is for a test of its own; :func:`checked` and
    :mod:`stream.testing.baselines` build its windows.
    """

    @pytest.fixture
    def check(self) -> Check:
        """The check under test, under the name of its file or entry point."""
        raise NotImplementedError("override the fixture check")

    def test_it_is_found_by_its_name(self, check: Check) -> None:
        """Its file, or an entry point of ``driftline.checks`` that is installed, names it."""
        assert type(CHECKS.get(check.name)) is type(check), (
            f"driftline.checks has no such entry point {check.name!r}: declare it, and install it"
        )

    def test_too_few_rows_are_no_verdict(self, check: Check) -> None:
        few: dict[str, Values] = {
            name: column[: Rules(mode="threshold").min_n - 10] for name, column in faulty(7).items()
        }
        assert violations(check, checked(few, wrong_width=1)) == []

    def test_a_window_like_the_baseline_breaks_nothing(self, check: Check) -> None:
        assert violations(check, checked(drawn(2))) == []

    def test_a_window_without_rows_breaks_nothing(self, check: Check) -> None:
        assert violations(check, checked(None)) == []

    @pytest.mark.parametrize("expose_values", [False, True])
    def test_a_violation_is_complete_and_carries_the_name_of_its_check(
        self, check: Check, expose_values: bool
    ) -> None:
        window = checked(faulty(3), wrong_width=500, expose_values=expose_values)
        for violation in violations(check, window):
            assert violation.check == check.name
            assert violation.feature in (COLUMNS, *BASE.layout.index)
            assert isfinite(violation.value)
            assert isfinite(violation.limit)
            assert violation.n >= Rules(mode="threshold").min_n
            assert violation.description
            assert violation.summary
            assert "\n" not in violation.summary
            assert check.size(violation) >= 0.0
            assert msgspec.json.decode(msgspec.json.encode(violation), type=Violation) == violation

    def test_its_sentences_hold_no_feature_value_unless_that_is_allowed(self, check: Check) -> None:
        for violation in violations(check, checked(faulty(4), wrong_width=500)):
            sentences = violation.description, violation.summary, violation.diagnosis
            for secret in (*SECRETS, "a secret"):
                assert not any(secret in sentence for sentence in sentences)

    def test_the_same_window_gives_the_same_violations(self, check: Check) -> None:
        first, second = (violations(check, checked(faulty(5), wrong_width=500)) for _ in range(2))
        assert first == second

    def test_a_check_for_the_remainder_is_silent_where_something_was_reported(
        self, check: Check
    ) -> None:
        if check.stage is not Stage.REMAINDER:
            return
        window = checked(faulty(6))
        earlier = violations(CHECKS["baseline_drift_check"], window)[0]
        features = {violation.feature for violation in violations(check, window, earlier)}
        assert features <= {COLUMNS}

    def test_its_docstring_says_what_it_reports(self, check: Check) -> None:
        assert len((type(check).__doc__ or "").split()) > 5
