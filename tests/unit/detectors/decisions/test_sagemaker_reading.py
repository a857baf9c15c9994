"""The six checks of SageMaker Model Monitor: strict shares, its own distance, its sentences."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline, Constraint, Constraints, Thresholds
from detectors.profiles.binning import text_feature
from detectors.profiles.columns import Numbers
from detectors.profiles.distinct import of_texts, shortened
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, MISSING, STRING, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.reading import CellReading
from detectors.profiles.reference import Reference
from detectors.report import WindowReport
from detectors.violation import Violation
from stream.commands.judged_again import judged_again
from stream.testing.baselines import Values, baseline, normal, texts, window
from tests.support.values import window_with_values

COMPAT = Rules(mode="sagemaker-compat")
SPAN = WindowSpan(model="m", variant="A", start_ms=0, end_ms=60_000)
NUMBERS = [float(value) for value in range(500)]
TRAINING: dict[str, Values] = {
    "whole": NUMBERS,
    "part": [value + 0.5 for value in NUMBERS],
    "word": texts({"a": 300, "b": 200}),
}


def of_training(
    constraints: dict[str, Constraint] | None = None, thresholds: Thresholds | None = None
) -> Baseline:
    base = baseline(TRAINING, constraints, thresholds)
    base.references.update(
        whole=Reference(levels=(tuple(NUMBERS),)),
        part=Reference(levels=(tuple(value + 0.5 for value in NUMBERS),)),
        word=Reference(categories={"a": 300, "b": 200}),
    )
    return base


BASE = of_training()


def judged(
    data: dict[str, Values],
    base: Baseline = BASE,
    rules: Rules = COMPAT,
    own: dict[str, FeatureRules] | None = None,
    span: WindowSpan = SPAN,
) -> WindowReport:
    judge = Judge("j", rules, {"m": own or {}}, expose_values=True)
    return judge.report(span, base, window_with_values(base.layout, data), EpisodeState())


def written(values: list[float], slots: list[int]) -> Profile:
    """A window whose feature ``whole`` has these values, written as these types."""
    profile = window(
        BASE.layout, {"whole": Numbers(np.array(values, float), np.array(slots, np.uint8))}
    )
    found = window_with_values(
        BASE.layout, {"whole": [v for v, s in zip(values, slots, strict=True) if s >= INTEGRAL]}
    )
    profile.values.update(found.values)
    return profile


def types_of(profile: Profile, base: Baseline = BASE) -> list[Violation]:
    report = Judge("j", COMPAT).report(SPAN, base, profile, EpisodeState())
    return [each for each in report.violations if each.check == "data_type_check"]


def test_the_same_rows_as_the_baseline_violate_nothing() -> None:
    report = judged(TRAINING)
    assert (report.state, report.violations, report.notes) == ("ok", (), ())
    assert [feature.verdict for feature in report.features] == ["ok"] * 3
    whole, _, word = (feature.sagemaker for feature in report.features)
    assert whole is not None
    assert word is not None
    assert (whole.method, whole.distance, whole.n, whole.m) == ("Robust", 0.0, 500.0, 500.0)
    assert (word.method, word.uncorrected, word.n) == ("LInfinity", 0.0, 500.0)
    assert report.features[0].distances["psi"] is not None, "both numbers are reported"


def test_one_fraction_in_1977_whole_numbers_violates_with_the_sentence_of_the_service() -> None:
    slots = [FRACTIONAL] * 7 + [INTEGRAL] * 1_970
    (violation,) = types_of(written([0.1] * 7 + [1.0] * 1_970, slots))
    assert violation.description == (
        "Data type match requirement is not met. Expected data type: Integral, Expected match:"
        " 100.0%. Observed: Only 99.64592817400101% of data is Integral."
    )
    assert (violation.feature, violation.value, violation.limit) == ("whole", 1970 / 1977, 1.0)
    assert (violation.diagnosis, violation.overwhelming) == (
        "values are written as fractional numbers",
        False,
    )


def test_a_share_of_201_in_321() -> None:
    (violation,) = types_of(
        written([0.5] * 120 + [1.0] * 201, [FRACTIONAL] * 120 + [INTEGRAL] * 201)
    )
    assert "Only 62.616822429906534% of data is Integral." in violation.description


def test_the_share_is_one_of_present_values_and_the_threshold_itself_is_enough() -> None:
    half = of_training(thresholds=Thresholds(datatype_check_threshold=0.5))
    slots = [INTEGRAL, STRING, MISSING, MISSING]
    assert types_of(written([1.0, np.nan, np.nan, np.nan], slots), half) == []
    (violation,) = types_of(written([1.0, np.nan, np.nan], [INTEGRAL, STRING, STRING]), half)
    assert "Expected match: 50.0%. Observed: Only 33.33333333333333% of data" in (
        violation.description
    )


def test_whole_numbers_fit_fractions_and_nan_and_infinities_fit_no_number() -> None:
    assert judged({**TRAINING, "part": NUMBERS}).violations == ()
    report = judged({**TRAINING, "part": [0.5, 1.5, np.nan, np.inf]})
    assert [(each.feature, each.value) for each in report.violations] == [("part", 0.5)]


def test_numbers_do_not_fit_text_and_booleans_do() -> None:
    base = of_training({"word": Constraint(completeness=1.0)})
    report = judged({**TRAINING, "word": texts({"a": 1, "1.5": 1, "7": 1, "true": 1})}, base)
    (violation,) = [each for each in report.violations if each.check == "data_type_check"]
    assert (violation.feature, violation.value) == ("word", 0.5)
    assert violation.description.endswith("Observed: Only 50.0% of data is String.")


def test_completeness_violates_below_the_constraint_also_without_any_value() -> None:
    base = of_training({"part": Constraint(completeness=0.5)})
    assert judged({**TRAINING, "part": [1.5, None]}, base).violations == ()
    (violation,) = judged({**TRAINING, "part": [1.5, None, None]}, base).violations
    assert (violation.check, violation.description) == (
        "completeness_check",
        "Value: 0.3333333333333333 does not meet the constraint requirement! ",
    )
    (violation,) = judged({**TRAINING, "part": [None] * 3}, base).violations
    assert (violation.check, violation.description) == (
        "completeness_check",
        "Value: 0.0 does not meet the constraint requirement! ",
    )


def test_a_single_value_outside_of_the_domain_violates() -> None:
    base = of_training({"word": Constraint(completeness=1.0, domains=("a", "b", "c"))})
    assert judged({**TRAINING, "word": texts({"a": 300, "b": 199, "c": 1})}, base).violations == ()
    (violation,) = judged(
        {**TRAINING, "word": texts({"a": 300, "b": 199, "d": 1})}, base
    ).violations
    assert (violation.check, violation.value) == ("categorical_values_check", 0.998)
    assert violation.description == "Value: 0.998 does not meet the constraint requirement! "


def test_the_domain_is_exact_where_a_hash_would_pass_other_values() -> None:
    base = of_training({"word": Constraint(domains=("a", "b", *(f"new {i}" for i in range(16))))})
    others = texts({f"other {i}": 1 for i in range(400)})
    report = judged({**TRAINING, "word": [*texts({"a": 100}), *others]}, base)
    (violation,) = [each for each in report.violations if each.check == "categorical_values_check"]
    assert violation.value == 0.2


def test_a_domain_is_read_as_the_values_are_counted() -> None:
    """Blanks around a value, other spellings of a boolean, and the end of a long text."""
    long = "x" * 2_000
    word = text_feature("word", "feature", {"a": 300, long: 200}, CellReading(missing=("NA",)))
    base = Baseline(Layout((word,)), Profile(Layout((word,))), Constraints(), ("word",))
    domain = Constraint(domains=(" a", long, "NA"))
    kept = shortened(pa.array(["a", long, long[:-1] + "y"], pa.string()))
    profile = window(base.layout, {"word": texts({"a": 1, long: 1, long[:-1] + "y": 1})})
    profile.add_values(0, of_texts(kept, np.array([1, 1, 1])))
    report = Judge("j", COMPAT).report(
        SPAN, base.constrained(Constraints({"word": domain})), profile, EpisodeState()
    )
    assert [each.value for each in report.violations] == [2 / 3]


def test_drift_has_the_distance_of_the_service_and_its_sentence() -> None:
    moved = [value + 250.0 for value in NUMBERS]
    (violation,) = judged({**TRAINING, "whole": moved}).violations
    distance = 0.5 - 1.8 * (1_000 / 250_000) ** 0.5
    assert (violation.feature, violation.check, violation.statistic) == (
        "whole",
        "baseline_drift_check",
        "Robust",
    )
    assert violation.value == pytest.approx(distance, abs=1e-12)
    assert violation.description == (
        f"Baseline drift distance: {violation.value!r} exceeds threshold: 0.1"
    )


def test_a_frozen_feature_is_not_seen_by_the_service_and_is_by_driftline() -> None:
    frozen: dict[str, Values] = {**TRAINING, "whole": [7.0] * 500}
    assert judged(frozen).state == "ok"
    assert [each.check for each in judged(frozen, rules=Rules()).violations] == [
        "baseline_drift_check"
    ]


def test_text_drifts_by_its_counts() -> None:
    report = judged({**TRAINING, "word": texts({"a": 100, "b": 400})})
    (violation,) = report.violations
    assert violation.statistic == "LInfinity"
    assert violation.value == pytest.approx(0.4 - 1.8 * (1_000 / 250_000) ** 0.5, abs=1e-12)


def test_a_p_value_violates_below_its_threshold() -> None:
    base = of_training(
        thresholds=Thresholds(
            categorical_drift_method="ChiSquared", categorical_comparison_threshold=0.05
        )
    )
    assert judged(TRAINING, base).violations == ()
    (violation,) = judged({**TRAINING, "word": texts({"a": 250, "b": 250})}, base).violations
    assert violation.statistic == "ChiSquared"
    assert violation.description.startswith("Baseline drift p-value: 5.0")
    assert violation.description.endswith("E-6 is below threshold: 0.05")


def test_switches_of_the_file_and_of_the_configuration() -> None:
    bad: dict[str, Values] = {
        "whole": [value + 250.5 for value in NUMBERS],
        "part": [None] * 500,
        "word": texts({"1": 500}),
    }
    everything = judged(bad)
    assert Counter(each.check for each in everything.violations) == {
        "data_type_check": 2,
        "baseline_drift_check": 2,
        "completeness_check": 1,
    }
    off = of_training(thresholds=Thresholds(evaluate_constraints=False))
    assert judged(bad, off).violations == ()
    without = judged(bad, of_training(thresholds=Thresholds(perform_comparison=False)))
    assert {each.check for each in without.violations} == {"data_type_check", "completeness_check"}
    one = judged(bad, of_training({"whole": Constraint(evaluate=False)}))
    assert {each.feature for each in one.violations} == {"part", "word"}
    own = judged(bad, own={"word": FeatureRules(enabled=False)})
    assert {each.feature for each in own.violations} == {"whole", "part"}


def test_one_row_has_a_verdict_and_none_has_not() -> None:
    one = judged({"whole": [0.5], "part": [0.5], "word": texts({"a": 1})})
    assert (one.state, one.rows, [each.feature for each in one.violations]) == (
        "violations",
        1,
        ["whole"],
    )
    empty = Judge("j", COMPAT).report(SPAN, BASE, Profile(BASE.layout), EpisodeState())
    assert (empty.state, empty.violations, empty.notes) == ("insufficient", (), ("0 rows",))


def test_columns_are_counted_by_most_of_the_records() -> None:
    def columns(narrow: int, wide: int) -> list[Violation]:
        span = WindowSpan(
            model="m", variant="A", start_ms=0, end_ms=1, too_narrow=narrow, too_wide=wide
        )
        return [each for each in judged(TRAINING, span=span).violations if not each.moved]

    assert columns(500, 0) == columns(0, 500) == columns(400, 400) == []
    (missing,) = columns(501, 0)
    (extra,) = columns(0, 501)
    assert (missing.check, missing.feature) == ("missing_column_check", "(columns)")
    assert missing.description == (
        "There are missing columns in current dataset. Number of columns in current dataset: fewer"
        " than 3, Number of columns in baseline constraints: 3"
    )
    assert (extra.check, "more than 3" in extra.description) == ("extra_column_check", True)


def test_requests_that_were_not_captured_are_missing_values() -> None:
    base = of_training()
    report = judged({"whole": [None], "part": [None], "word": [None]}, base)
    assert report.state == "violations"
    assert {each.check for each in report.violations} == {"completeness_check"}


def test_two_windows_of_three_open_an_episode() -> None:
    judge, state = Judge("j", COMPAT), EpisodeState()
    data: dict[str, Values] = {**TRAINING, "whole": [0.5] * 500}
    signals = []
    for k in range(2):
        span = WindowSpan(model="m", variant="A", start_ms=k * 60_000, end_ms=(k + 1) * 60_000)
        state, raised = judge.advance(state, judged(data, span=span), BASE)
        signals.append([signal.kind for signal in raised])
    assert signals == [[], ["opened"]]


def test_a_window_that_did_not_keep_its_values_says_so_and_is_checked_otherwise() -> None:
    profile = window(BASE.layout, {**TRAINING, "whole": [0.5] * 500})
    report = Judge("j", COMPAT).report(SPAN, BASE, profile, EpisodeState())
    assert [each.check for each in report.violations] == ["data_type_check"]
    profile.merge(window_with_values(BASE.layout, TRAINING))
    half = Judge("j", COMPAT).report(SPAN, BASE, profile, EpisodeState())
    for each in (report, half):
        assert each.features[0].sagemaker is None
        assert each.notes == (
            "no distance of SageMaker: the values of the window were not kept from its start",
        )


def test_driftlines_reading_has_the_distance_in_the_report_on_a_period_and_not_in_a_window() -> (
    None
):
    profile = window_with_values(BASE.layout, {**TRAINING, "whole": [0.5] * 500})
    judge = Judge("j", Rules())
    alone = judge.report(SPAN, BASE, profile, EpisodeState())
    period = judge.scheduled(SPAN, 60_000, BASE, profile)
    compat = Judge("j", COMPAT).report(SPAN, BASE, profile, EpisodeState())
    assert [each.sagemaker for each in alone.features] == [None] * 3
    assert alone.violations == period.violations
    assert [each.distances for each in alone.features] == [
        each.distances for each in period.features
    ]
    distances = [each.sagemaker and each.sagemaker.uncorrected for each in period.features]
    assert distances == [499 / 500, 0.0, 0.0]
    assert [each.sagemaker for each in period.features] == [
        each.sagemaker for each in compat.features
    ]


def test_a_baseline_without_sketches_says_so() -> None:
    report = judged(TRAINING, baseline(TRAINING))
    assert report.notes == (
        "no distance of SageMaker for 2 numeric features: the baseline has no sketch, make it anew",
    )


def test_the_window_is_judged_again_from_its_report() -> None:
    data: dict[str, Values] = {**TRAINING, "whole": normal(1, 3_000), "word": texts({"z": 40})}
    report = judged({name: column[:40] for name, column in data.items()})
    again = judged_again(report, BASE)
    assert len(report.violations) == 4
    assert (again.violations, again.features) == (report.violations, report.features)


def test_a_report_holds_the_values_of_its_window_up_to_a_size() -> None:
    generator = np.random.default_rng(3)
    held = {}
    for features in (20, 40):
        names = [f"f{i}" for i in range(features)]
        base = baseline({name: [0.0, 0.5] * 200 for name in names})
        data = {name: generator.normal(size=2_048) for name in names}
        profile = window_with_values(base.layout, data)
        report = Judge("j", COMPAT).report(SPAN, base, profile, EpisodeState())
        held[features] = len(Profile.decode(report.profile, base.layout).values)
        assert len(msgspec.json.encode(report)) < 1_300_000
    assert held == {20: 20, 40: 0}


def test_a_window_without_a_value_needs_none_and_one_without_a_baseline_has_no_note() -> None:
    nothing: dict[str, Values] = dict.fromkeys(TRAINING, [None] * 9)
    report = judged(nothing)
    assert report.notes == ()
    assert [violation.check for violation in report.violations] == ["completeness_check"] * 3
    distances = [found.sagemaker and found.sagemaker.distance for found in report.features]
    assert distances == [None] * 3
    assert all(found.sagemaker is None for found in judged(nothing, rules=Rules(min_n=1)).features)
    learning = Baseline(Layout(()), Profile(Layout(())), Constraints(), ())
    rows = Profile(learning.layout)
    rows.rows = 40
    assert Judge("j", COMPAT).report(SPAN, learning, rows, EpisodeState()).notes == ()
