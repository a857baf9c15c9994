"""Limits are separate from the baseline: each has a fingerprint of its own."""

from __future__ import annotations

import msgspec
import pytest

from detectors.changes.page_hinkley import PageHinkley
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.limits import Limits, limits_of
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline, Constraint, Constraints, Thresholds
from stream.testing.baselines import baseline, normal, window
from tests.support.paths import ROOT

BASE = baseline({"x": normal(1, 1_000), "y": normal(2, 1_000)})
OF_0_1_0 = ROOT / "tests" / "golden" / "state_0_1_0" / "base" / "baseline.msgpack"
X = PageHinkley(feature="x")
Y = PageHinkley(feature="y")
PLAIN = limits_of(Constraints(), Rules(), {}, [])


@pytest.mark.parametrize(
    "other",
    [
        limits_of(Constraints({"x": Constraint(completeness=0.9)}), Rules(), {}, []),
        limits_of(Constraints({"x": Constraint(domains=("a",))}), Rules(), {}, []),
        limits_of(Constraints({}, Thresholds(comparison_threshold=0.2)), Rules(), {}, []),
        limits_of(Constraints(), Rules(min_n=50), {}, []),
        limits_of(Constraints(), Rules(cooldown="1h"), {}, []),
        limits_of(Constraints(), Rules(), {"x": FeatureRules(limit=0.1)}, []),
        limits_of(Constraints(), Rules(), {}, [X]),
    ],
    ids=["completeness", "domain", "threshold", "rule", "cooldown", "feature", "detector"],
)
def test_every_limit_is_in_the_fingerprint(other: Limits) -> None:
    assert other.fingerprint != PLAIN.fingerprint


def test_order_and_spelling_are_not_in_the_fingerprint() -> None:
    """A file may contain 1 or 1.0, and list features and detectors in any order."""
    features = {"x": FeatureRules(limit=1), "y": FeatureRules(limit=2.0)}
    reordered = {"y": FeatureRules(limit=2), "x": FeatureRules(limit=1.0)}
    limits = limits_of(Constraints(), Rules(), features, [X, Y])
    assert limits.fingerprint == limits_of(Constraints(), Rules(), reordered, [Y, X]).fingerprint


def test_limits_are_unchanged_by_encoding() -> None:
    limits = limits_of(BASE.constraints, Rules(k=1), {"x": FeatureRules(enabled=False)}, [X, Y])
    read = Limits.decode(limits.encode())
    assert (read, read.fingerprint) == (limits, limits.fingerprint)
    assert {detector["type"] for detector in read.change_detectors} == {"page_hinkley"}


def test_data_other_than_limits_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        Limits.decode(msgspec.msgpack.encode([1, 2]))


def test_constraints_are_not_in_the_fingerprint_of_a_baseline() -> None:
    other = BASE.constrained(Constraints({"x": Constraint(completeness=0.1)}))
    assert other.fingerprint == BASE.fingerprint
    assert other.checksum != BASE.checksum


def test_layout_counts_and_columns_are_in_the_fingerprint_of_a_baseline() -> None:
    more_columns = Baseline(BASE.layout, BASE.profile, BASE.constraints, (*BASE.columns, "z"))
    counts = window(BASE.layout, {"x": normal(1, 900), "y": normal(2, 900)})
    other_counts = Baseline(BASE.layout, counts, BASE.constraints, BASE.columns)
    other_layout = baseline({"x": normal(3, 1_000), "y": normal(2, 1_000)})
    baselines = (BASE, more_columns, other_counts, other_layout)
    assert len({base.fingerprint for base in baselines}) == len(baselines)


def test_a_baseline_of_0_1_0_is_read_and_verified() -> None:
    """Its stored fingerprint covers the constraints: it is today's checksum."""
    base = Baseline.decode(OF_0_1_0.read_bytes())
    stored = msgspec.msgpack.decode(OF_0_1_0.read_bytes())["fingerprint"]
    assert stored == base.checksum
    assert base.encode() == OF_0_1_0.read_bytes()


@pytest.mark.parametrize("damaged", ["constraints", "columns"])
def test_a_damaged_baseline_is_refused(damaged: str) -> None:
    wire = msgspec.msgpack.decode(BASE.encode())
    if damaged == "columns":
        wire["columns"] = [*wire["columns"], "z"]
    else:
        wire["constraints"]["thresholds"]["comparison_threshold"] = 0.9
    with pytest.raises(BaselineInvalid, match="checksum"):
        Baseline.decode(msgspec.msgpack.encode(wire))


def test_a_report_names_the_limits_by_which_it_was_judged() -> None:
    """The id does not change: windows of one baseline remain comparable."""
    strict = BASE.constrained(Constraints({"x": Constraint(completeness=1.0)}))
    judge = Judge("j", Rules())
    counts = window(BASE.layout, {"x": normal(5, 500)})
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
    first, second = (judge.report(span, base, counts, EpisodeState()) for base in (BASE, strict))
    assert first.limits == judge.limits("m", BASE.constraints).fingerprint
    assert second.limits == judge.limits("m", strict.constraints).fingerprint
    assert first.limits != second.limits
    assert (first.id, first.baseline) == (second.id, second.baseline)
    assert judge.silence("m", "v", 0, None).limits == "-"
