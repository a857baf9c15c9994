"""The six checks of the SageMaker contract, by name, and driftline's own two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detectors.arrays import Floats
from detectors.decisions.rules import FeatureRules, Rules, Ruling, binomial_excess
from detectors.diagnosis.moved_bins import moved
from detectors.diagnosis.unit_change import diagnosis
from detectors.profiles.baseline import Baseline, Constraint
from detectors.profiles.profile import Profile
from detectors.report import BinShift, Violation
from detectors.statistics.distances import psi
from detectors.statistics.measures import TYPES, Measures

FITS = {"Integral": ("integral",), "Fractional": ("integral", "fractional"), "String": ("string",)}
"""Written types that satisfy a feature's type: whole numbers fit Fractional, numbers do not fit
String."""


COLUMNS = "(columns)"
"""Stands for the feature where all columns together are meant."""


class Checks:
    """All checks of one window. Each feature breaks a check at most once; one cause is told once.

    A loss of values is a ``completeness_check`` and not a drift as well, a wrong type is a
    ``data_type_check`` and not a drift as well, if that cause has the largest part in the distance.
    No check speaks below ``rules.min_n`` rows, and no share is a violation that its own sampling
    noise explains (:func:`detectors.decisions.rules.binomial_excess`).
    """

    def __init__(
        self,
        baseline: Baseline,
        measures: Measures,
        rulings: Sequence[Ruling],
        rules: Rules,
        own: Mapping[str, FeatureRules],
    ) -> None:
        self._baseline, self._measures, self._rulings = baseline, measures, rulings
        self._rules, self._own = rules, own
        self._pair = measures.pair
        self._parts = psi.contributions(measures.pair)
        self._alpha = rules.alpha / max(len(measures.layout.features), 1)
        usual = _fitting(measures.pair.baseline, measures.pair.m)
        required = min(baseline.constraints.thresholds.datatype_check_threshold, rules.type_match)
        self._fit: list[float] = _fitting(measures.pair.window, measures.n).tolist()
        self._fit_required: list[float] = np.fmin(usual, required).tolist()

    def run(self) -> list[Violation]:
        """Violations of all features, in the order of the layout."""
        if not self._baseline.constraints.thresholds.evaluate_constraints:
            return []
        out: list[Violation] = []
        enough, plain = (self._measures.n >= self._rules.min_n).tolist(), Constraint()
        for i, feature in enumerate(self._measures.layout.features):
            constraint = self._baseline.constraints.features.get(feature.name, plain)
            own = self._own.get(feature.name)
            if constraint.evaluate and (own is None or own.enabled) and enough[i]:
                out += self._feature(i, constraint)
        return out

    def _feature(self, i: int, constraint: Constraint) -> list[Violation]:
        found = [
            self.completeness(i, constraint),
            self.data_type(i),
            self.categorical_values(i, constraint),
        ]
        out = [violation for violation in found if violation]
        drift = self.baseline_drift(i)
        if drift and not self._explained(i, {violation.check for violation in out}):
            out.append(drift)
        if not out:
            out += [
                violation
                for violation in (self.vanished_value(i), self.non_negative(i, constraint))
                if violation
            ]
        return out

    def _explained(self, i: int, checks: set[str]) -> bool:
        """True if the largest part of the distance is what another check already tells."""
        start, stop = self._pair.layout.cell_starts[i : i + 2].tolist()
        largest = int(np.argmax(self._parts[start:stop]))
        if largest == stop - start - 2:
            return bool({"completeness_check", "missing_column_check"} & checks)
        return largest == stop - start - 1 and "data_type_check" in checks

    def completeness(self, i: int, constraint: Constraint) -> Violation | None:
        """``completeness_check``: the share of rows with a value is below the baseline's.

        A feature without a single value that the baseline had is a ``missing_column_check``.
        """
        measures, required = self._measures, constraint.completeness
        n, missing, share = (
            float(measures.n[i]),
            float(measures.missing[i]),
            float(measures.completeness[i]),
        )
        if required is None or required - share <= self._rules.completeness_gap:
            return None
        if not binomial_excess(missing, n, 1.0 - required, float(self._pair.m[i]), self._alpha):
            return None
        if share == 0.0:
            text = "The column has no value in any row. " + _no_column(
                measures, len(self._baseline.columns)
            )
            return self._violation(
                i, "missing_column_check", "completeness", share, required, text, "column lost"
            )
        text = f"Value: {share!r} does not meet the constraint requirement! "
        return self._violation(
            i, "completeness_check", "completeness", share, required, text, "null burst"
        )

    def data_type(self, i: int) -> Violation | None:
        """``data_type_check``: too few of the values are written as the baseline's type."""
        share, required = self._fit[i], self._fit_required[i]
        if not share < required:
            return None
        measures, feature = self._measures, self._measures.layout.features[i]
        present, m = float(measures.present[i]), float(self._pair.m[i])
        if not binomial_excess((1.0 - share) * present, present, 1.0 - required, m, self._alpha):
            return None
        text = (
            f"Data type match requirement is not met. Expected data type: {feature.type}, Expected"
            f" match: {required * 100}%. Observed: Only {share * 100}% of data is {feature.type}."
        )
        others = {
            name: int(counts[i])
            for name, counts in measures.types.items()
            if name not in FITS[feature.type]
        }
        others |= {"NaN": int(measures.nan[i]), "infinity": int(measures.inf[i])}
        cause = f"type change: values written as {max(others, key=lambda name: others[name])}"
        return self._violation(i, "data_type_check", "type_match", share, required, text, cause)

    def categorical_values(self, i: int, constraint: Constraint) -> Violation | None:
        """``categorical_values_check``: too few of the values are in the feature's domain."""
        feature, present = self._measures.layout.features[i], float(self._measures.present[i])
        if constraint.domains is None or feature.numeric or present == 0:
            return None
        counts = self._pair.window.counts[self._pair.layout.bins(i)]
        allowed = set(constraint.domains)
        inside = sum(
            int(counts[k]) for k, value in enumerate(feature.vocabulary) if value in allowed
        )
        required = min(
            self._baseline.constraints.thresholds.domain_content_threshold, self._rules.domain_match
        )
        share = inside / present
        if share >= required or not binomial_excess(
            present - inside, present, 1.0 - required, float(self._pair.m[i]), self._alpha
        ):
            return None
        text = f"Value: {share!r} does not meet the constraint requirement! "
        return self._violation(
            i, "categorical_values_check", "domain_match", share, required, text, "new values"
        )

    def baseline_drift(self, i: int) -> Violation | None:
        """``baseline_drift_check``: the deciding distance is above its limit."""
        ruling = self._rulings[i]
        if ruling.verdict != "violation":
            return None
        text = f"Baseline drift distance: {ruling.value!r} exceeds threshold: {ruling.limit!r}"
        return self._violation(
            i,
            "baseline_drift_check",
            ruling.statistic,
            ruling.value,
            ruling.limit,
            text,
            diagnosis(self._pair, i),
            ruling.overwhelming,
        )

    def vanished_value(self, i: int) -> Violation | None:
        """``vanished_value_check``: a word, a code or an atom that should have come often does not
        come at all, however small its share.

        Its expected count must be above ``vanished_n``, and chance must not explain it: with k
        occurrences in the baseline's m rows and none in the window's n, that is ``(m / (n +
        m))**k``, compared with alpha over all cells of the layout.
        """
        if self._rulings[i].verdict != "ok":
            return None
        layout, m, n = self._pair.layout, float(self._pair.m[i]), float(self._measures.n[i])
        bins = layout.lone_bins(i)
        before, after = self._pair.baseline.counts[bins], self._pair.window.counts[bins]
        expected = before / m * n
        sure = before * np.log(m / (n + m)) < np.log(self._rules.alpha / len(self._pair.after))
        gone = (expected > self._rules.vanished_n) & (after == 0) & sure
        if not gone.any():
            return None
        k = int(np.argmax(np.where(gone, expected, 0.0)))
        part, seen = float(self._parts[layout.cell_of[bins[k]]]), int(before[k])
        lost = BinShift(layout.bin_label(i, int(bins[k])), seen / m, 0.0, seen, 0, part)
        value, text = (
            float(expected[k]),
            f"A value with an expected count of {expected[k]:.1f} does not occur.",
        )
        name, limit, cause = layout.features[i].name, self._rules.vanished_n, "a value has vanished"
        return Violation(
            name,
            "vanished_value_check",
            "expected_count",
            value,
            limit,
            int(n),
            text,
            False,
            cause,
            (lost,),
        )

    def non_negative(self, i: int, constraint: Constraint) -> Violation | None:
        """``non_negative_check``: negative values in a feature that the baseline says has none."""
        feature, finite = self._measures.layout.features[i], float(self._measures.finite[i])
        if (
            not constraint.non_negative
            or not feature.numeric
            or finite == 0
            or not self._measures.low[i] < 0
        ):
            return None
        below = int(np.searchsorted(feature.edges, 0.0, side="right"))
        counts = self._pair.window.counts[self._pair.layout.bins(i)]
        share, limit = max(float(counts[:below].sum()), 1.0) / finite, self._rules.negative_share
        if share <= limit or not binomial_excess(
            share * finite, finite, limit, float(self._pair.m[i]), self._alpha
        ):
            return None
        text = f"{share:.4%} of the values are negative."
        return self._violation(
            i, "non_negative_check", "negative_share", share, limit, text, "negative values"
        )

    def _violation(
        self,
        i: int,
        check: str,
        statistic: str,
        value: float,
        limit: float,
        text: str,
        cause: str,
        overwhelming: bool | None = None,
    ) -> Violation:
        if overwhelming is None:
            overwhelming = self._far(check, value, limit, float(self._measures.n[i]), i)
        name, n = self._measures.layout.features[i].name, int(self._measures.n[i])
        return Violation(
            name,
            check,
            statistic,
            value,
            limit,
            n,
            text,
            overwhelming,
            cause,
            moved(self._pair, i, self._parts),
        )

    def _far(self, check: str, value: float, limit: float, n: float, i: int) -> bool:
        """Overwhelming for shares: more than twice the misses that are allowed, 5 % of the rows or
        more beyond them, enough rows, and more than chance explains at ``overwhelming_alpha``.
        """
        if check not in (
            "completeness_check",
            "missing_column_check",
            "data_type_check",
            "categorical_values_check",
        ):
            return False
        lost = limit - value
        return (
            n >= self._rules.overwhelming_n
            and lost > max(0.05, 1.0 - limit)
            and binomial_excess(
                (1.0 - value) * n,
                n,
                1.0 - limit,
                float(self._pair.m[i]),
                self._rules.overwhelming_alpha / max(len(self._rulings), 1),
            )
        )


def _fitting(side: Profile, rows: Floats) -> Floats:
    """Share of the present values that are written as the feature's type; NaN where there is none,
    or no type to fit.
    """
    kinds, starts = [feature.type for feature in side.layout.features], side.layout.starts[:-1]
    fits = np.zeros(len(kinds))
    for kind, names in FITS.items():
        fits += np.array([one == kind for one in kinds], dtype=bool) * sum(
            side.counts[starts + TYPES[name]] for name in names
        )
    present = rows - side.missing
    known = np.array([one in FITS for one in kinds], dtype=bool) & (present > 0)
    return np.where(known, fits / np.where(known, present, 1.0), np.nan)


def columns_violations(
    expected: int, too_narrow: int, too_wide: int, rows: int, rules: Rules
) -> list[Violation]:
    """``missing_column_check`` and ``extra_column_check`` by records whose number of columns did
    not fit.

    ``too_narrow``, ``too_wide``: records of the window that had too few or too many columns and were kept as
    dead letters, while ``rows`` fitted. Told when they are a share above ``1 - type_match`` and at
    least ``min_n`` records were there in all.
    """
    total, limit, out = rows + too_narrow + too_wide, round(1.0 - rules.type_match, 9), []
    for check, bad, word in (
        ("missing_column_check", too_narrow, "fewer"),
        ("extra_column_check", too_wide, "more"),
    ):
        if total >= rules.min_n and bad / total > limit:
            far = bad / total > 0.5 and total >= rules.overwhelming_n
            text = (
                f"{bad} of {total} records have {word} columns than the {expected} of the baseline"
                " constraints."
            )
            out.append(
                Violation(COLUMNS, check, "record_share", bad / total, limit, total, text, far)
            )
    return out


def _no_column(measures: Measures, total: int) -> str:
    empty = int((measures.completeness == 0).sum())
    return (
        "There are missing columns in current dataset. Number of columns in current dataset:"
        f" {total - empty}, Number of columns in baseline constraints: {total}"
    )
