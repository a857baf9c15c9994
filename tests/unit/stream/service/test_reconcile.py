"""The reconciliation of a stored state with a configuration: a table of every kind of change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from detectors.profiles.baseline import Baseline, Constraint, Constraints, Thresholds
from detectors.profiles.reference import Reference
from detectors.quality.baseline import QualityBaseline
from stream.aggregation.state import JobState, ModelState
from stream.baselining.build import empty_baseline
from stream.config.load import parse
from stream.errors import BaselineMismatch, StateIncompatible
from stream.events import RemoveModel, ReplaceBaseline
from stream.service.reconcile import (
    ConfiguredJob,
    Reconciliation,
    judge_of,
    reconcile,
    replacements,
)
from stream.state.stored import StoredState
from stream.testing.baselines import baseline, normal

BASE = baseline({"x": normal(1, 500), "y": normal(2, 500)})
OTHER = baseline({"x": normal(3, 500), "y": normal(4, 500)})
EMPTY = empty_baseline()
STRICT = BASE.constrained(Constraints({"x": Constraint(completeness=0.5)}))
WIDER = BASE.constrained(
    Constraints(BASE.constraints.features, Thresholds(comparison_threshold=0.2))
)

LEARNED: dict[str, Any] = {"baseline": "learn", "inputs": ["x", "y"], "outputs": []}
FOLDER: dict[str, Any] = {"baseline": "folder"}
DETECTOR = {"type": "page_hinkley", "feature": "x"}


def job(
    baselines: Mapping[str, Baseline] | None = None,
    models: Mapping[str, dict[str, Any]] | None = None,
    **keys: Any,
) -> ConfiguredJob:
    """A configured job; a model is learned if its baseline is empty."""
    baselines = {"m": BASE} if baselines is None else baselines
    own = {name: FOLDER if base.columns else LEARNED for name, base in baselines.items()}
    config: dict[str, Any] = {
        "job": "j",
        "source": {"type": "jsonl", "path": "captures"},
        "format": {"type": "sagemaker"},
        "model": {"from": "path", "name": "model"},
        "models": {**own, **(models or {})},
    }
    return ConfiguredJob(config=parse({**config, **keys}, Path()), baselines=baselines)


def stored(
    configured: ConfiguredJob,
    before: StoredState | None = None,
    learned: Mapping[str, Baseline] | None = None,
) -> StoredState:
    """The stored state after a run of this job, in which baselines were ``learned``."""
    plan = reconcile(configured, before, accept_change=True)
    baselines = {**plan.in_force, **replacements(plan.changes), **(learned or {})}
    judge = judge_of(configured.config)
    limits = {name: judge.limits(name, base.constraints) for name, base in baselines.items()}
    fingerprints = {name: of_model.fingerprint for name, of_model in limits.items()}
    models = {
        name: ModelState(base.fingerprint, learning=not base.columns)
        for name, base in baselines.items()
    }
    return StoredState(
        identity=replace(plan.identity, limits={**plan.identity.limits, **fingerprints}),
        state=JobState(models=models),
        baselines=baselines,
        limits=limits,
    )


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A configured job, a stored state, and the expected reconciliation."""

    stored: StoredState | None
    job: ConfiguredJob
    refused: str = ""
    """The field that is refused without ``--accept-change``."""
    changes: tuple[str, ...] = ()
    closing_ms: int | None = None
    learning: tuple[str, ...] = ()
    limits_changed: tuple[str, ...] = ()


RUN = stored(job())
TWO = job({"m": BASE, "n": OTHER})
CASES = {
    "new job": Case(stored=None, job=job()),
    "new job that learns": Case(stored=None, job=job({"m": EMPTY}), learning=("m",)),
    "restart": Case(stored=RUN, job=job()),
    "changed baseline": Case(
        stored=RUN,
        job=job({"m": OTHER}),
        refused="baseline of model 'm'",
        changes=("replace m",),
    ),
    "changed window": Case(stored=RUN, job=job(window="30s"), refused="window", closing_ms=60_000),
    "changed step": Case(stored=RUN, job=job(every="30s"), refused="every", closing_ms=60_000),
    "changed window and baseline": Case(
        stored=RUN,
        job=job({"m": OTHER}, window="30s"),
        refused="window",
        changes=("replace m",),
        closing_ms=60_000,
    ),
    "model added": Case(stored=RUN, job=TWO),
    "learned model added": Case(stored=RUN, job=job({"m": BASE, "n": EMPTY}), learning=("n",)),
    "model removed": Case(stored=stored(TWO), job=job(), changes=("remove n",)),
    "model still removed": Case(
        stored=stored(job(), stored(TWO)), job=job(), changes=("remove n",)
    ),
    "model added again": Case(stored=stored(job(), stored(TWO)), job=TWO),
    "model added again with another baseline": Case(
        stored=stored(job(), stored(TWO)),
        job=job({"m": BASE, "n": BASE}),
        refused="baseline of model 'n'",
        changes=("replace n",),
    ),
    "one model replaced by another": Case(stored=RUN, job=job({"n": BASE}), changes=("remove m",)),
    "still learning": Case(
        stored=stored(job({"m": EMPTY})), job=job({"m": EMPTY}), learning=("m",)
    ),
    "learned model continues": Case(
        stored=stored(job({"m": EMPTY}), learned={"m": BASE}), job=job({"m": EMPTY})
    ),
    "learned, then configured": Case(
        stored=stored(job({"m": EMPTY}), learned={"m": BASE}),
        job=job({"m": OTHER}),
        refused="baseline of model 'm'",
        changes=("replace m",),
    ),
    "learned, then the same baseline configured": Case(
        stored=stored(job({"m": EMPTY}), learned={"m": BASE}),
        job=job(),
        refused="baseline of model 'm'",
        changes=("replace m",),
    ),
    "configured, then learned": Case(
        stored=RUN,
        job=job({"m": EMPTY}),
        refused="baseline of model 'm'",
        changes=("replace m, learning",),
        learning=("m",),
        limits_changed=("m",),
    ),
    "column named later": Case(
        stored=RUN,
        job=job(models={"m": {**FOLDER, "inputs": ["x", "y", "z"], "outputs": []}}),
        learning=("m",),
    ),
    "changed completeness": Case(stored=RUN, job=job({"m": STRICT}), limits_changed=("m",)),
    "changed threshold": Case(stored=RUN, job=job({"m": WIDER}), limits_changed=("m",)),
    "changed rule": Case(stored=RUN, job=job(rules={"min_n": 50}), limits_changed=("m",)),
    "changed rule of a feature": Case(
        stored=RUN,
        job=job(models={"m": {**FOLDER, "features": {"x": {"effect": 0.3}}}}),
        limits_changed=("m",),
    ),
    "added change detector": Case(
        stored=RUN,
        job=job(models={"m": {**FOLDER, "change_detectors": [DETECTOR]}}),
        limits_changed=("m",),
    ),
    "changed limits of one of two models": Case(
        stored=stored(TWO), job=job({"m": STRICT, "n": OTHER}), limits_changed=("m",)
    ),
    "changed limits and changed window": Case(
        stored=RUN,
        job=job({"m": STRICT}, window="30s"),
        refused="window",
        closing_ms=60_000,
        limits_changed=("m",),
    ),
    "changed baseline that the state has not kept": Case(
        stored=replace(RUN, baselines={}), job=job({"m": OTHER}), refused="baseline of model 'm'"
    ),
    "state of 0.1.0, which has no limits": Case(
        stored=replace(RUN, identity=replace(RUN.identity, limits={}), limits={}),
        job=job({"m": STRICT}),
    ),
}


def described(plan: Reconciliation) -> tuple[str, ...]:
    """A description of each change of a plan."""
    return tuple(
        f"remove {change.model}"
        if isinstance(change, RemoveModel)
        else f"replace {change.model}{', learning' if change.learning else ''}"
        for change in plan.changes
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_changes_are_those_of_the_table(case: Case) -> None:
    plan = reconcile(case.job, case.stored, accept_change=bool(case.refused))
    assert described(plan) == case.changes
    assert (None if plan.closing is None else plan.closing.window_ms) == case.closing_ms
    assert plan.learning == case.learning
    assert tuple(change.model for change in plan.limits_changes) == case.limits_changed


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_only_incomparable_counts_need_accept_change(case: Case) -> None:
    if not case.refused:
        reconcile(case.job, case.stored)
        return
    with pytest.raises(StateIncompatible, match="--accept-change") as caught:
        reconcile(case.job, case.stored)
    assert caught.value.field == case.refused


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_after_a_run_the_same_configuration_changes_nothing(case: Case) -> None:
    repeated = reconcile(case.job, stored(case.job, case.stored))
    assert not replacements(repeated.changes)
    assert (repeated.closing, repeated.limits_changes) == (None, ())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_limit_that_a_report_may_name_is_kept(case: Case) -> None:
    """Windows close under the baselines in force before the changes and after them."""
    plan = reconcile(case.job, case.stored, accept_change=True)
    kept = {limits.fingerprint for limits in plan.limits}
    judge = judge_of(case.job.config)
    for baselines in (plan.in_force, replacements(plan.changes)):
        for name, base in baselines.items():
            assert judge.limits(name, base.constraints).fingerprint in kept
    named = {plan.identity.limits[name] for name in case.job.config.models}
    assert named <= kept


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_stored_state_is_not_modified(case: Case) -> None:
    before = None if case.stored is None else case.stored.state.encode()
    reconcile(case.job, case.stored, accept_change=True)
    assert (None if case.stored is None else case.stored.state.encode()) == before


@pytest.mark.parametrize("accept_change", [False, True])
@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"job": "other"}, "job"),
        ({"source": {"type": "jsonl", "path": "elsewhere"}}, "source"),
    ],
)
def test_another_job_or_source_is_refused_in_any_case(
    keys: dict[str, Any], field: str, accept_change: bool
) -> None:
    with pytest.raises(StateIncompatible, match=f"state: {field} was ") as caught:
        reconcile(job(**keys), RUN, accept_change)
    assert (caught.value.field, caught.value.exit_code) == (field, 4)


def test_a_refusal_names_both_values_and_what_to_do() -> None:
    with pytest.raises(StateIncompatible) as caught:
        reconcile(job(window="30s"), RUN)
    assert str(caught.value) == (
        "state: window was 60000 ms, configured is 30000 ms. `--accept-change` closes the"
        " open windows as incomplete and continues with the new one"
    )
    with pytest.raises(StateIncompatible) as caught:
        reconcile(job({"m": EMPTY}), RUN)
    assert (caught.value.stored, caught.value.configured) == (BASE.fingerprint, "learned")


def test_a_stored_baseline_that_does_not_fit_the_named_columns_is_refused() -> None:
    learned = stored(job({"m": EMPTY}), learned={"m": BASE})
    one_column = job({"m": EMPTY}, {"m": {**LEARNED, "inputs": ["x"]}})
    with pytest.raises(BaselineMismatch, match="features y"):
        reconcile(one_column, learned)


def test_models_of_the_state_keep_their_order_and_new_ones_follow() -> None:
    plan = reconcile(job({"a": BASE, "m": BASE, "n": OTHER}), stored(TWO))
    assert list(plan.in_force) == ["m", "n", "a"]


def test_the_identity_keeps_the_fingerprints_of_removed_models() -> None:
    before = stored(TWO)
    plan = reconcile(job(), before)
    assert plan.identity.configured == {"m": BASE.fingerprint, "n": OTHER.fingerprint}
    assert plan.identity.limits == before.identity.limits


def test_a_model_that_continues_is_judged_by_the_constraints_of_its_folder() -> None:
    plan = reconcile(job({"m": STRICT}), RUN)
    assert plan.in_force["m"].fingerprint == BASE.fingerprint
    assert plan.in_force["m"].constraints == STRICT.constraints


def test_a_model_that_continues_has_the_references_of_its_folder() -> None:
    references = {"x": Reference(levels=((1.0, 2.0),))}
    plan = reconcile(job({"m": BASE.referenced(references)}), RUN)
    assert plan.in_force["m"].references == references
    stored_with = stored(job({"m": BASE.referenced(references)}))
    assert reconcile(job(), stored_with).in_force["m"].references == {}


def test_a_learned_model_is_judged_by_the_constraints_that_were_learned() -> None:
    plan = reconcile(job({"m": EMPTY}), stored(job({"m": EMPTY}), learned={"m": STRICT}))
    assert plan.in_force["m"].constraints == STRICT.constraints


def test_learned_columns_keep_their_constraints_when_those_of_the_folder_change() -> None:
    folder = baseline({"x": normal(1, 500)})
    own = {"m": {**FOLDER, "inputs": ["x", "y"], "outputs": []}}
    constraints = {"x": Constraint(completeness=0.9), "y": Constraint(completeness=0.8)}
    joined = BASE.constrained(Constraints(constraints))
    edited = folder.constrained(Constraints({"x": Constraint(completeness=0.1)}))
    before = stored(job({"m": folder}, own), learned={"m": joined})
    in_force = reconcile(job({"m": edited}, own), before).in_force["m"]
    completeness = {
        name: constraint.completeness for name, constraint in in_force.constraints.features.items()
    }
    assert completeness == {"x": 0.1, "y": 0.8}


def test_a_constraint_deleted_from_the_folder_is_not_restored() -> None:
    without_y = BASE.constrained(Constraints({"x": Constraint(completeness=1.0)}))
    plan = reconcile(job({"m": without_y}), RUN)
    assert set(plan.in_force["m"].constraints.features) == {"x"}


@pytest.mark.parametrize("then", [job({"m": OTHER}), job({"n": OTHER})], ids=["replace", "remove"])
def test_the_last_windows_of_a_baseline_keep_its_last_constraints(then: ConfiguredJob) -> None:
    """The archive has the baseline with its first constraints, which have been edited since."""
    edited = stored(job({"m": STRICT}), RUN)
    archived = replace(edited, baselines={"m": BASE})
    plan = reconcile(then, archived, accept_change=True)
    assert plan.in_force["m"].constraints == STRICT.constraints


def test_a_baseline_of_0_1_0_keeps_its_own_constraints_when_it_is_replaced() -> None:
    old = replace(RUN, identity=replace(RUN.identity, limits={}), limits={})
    plan = reconcile(job({"m": OTHER}), old, accept_change=True)
    assert plan.in_force["m"].constraints == BASE.constraints


def test_a_change_of_limits_names_both_fingerprints() -> None:
    [change] = reconcile(job({"m": STRICT}), RUN).limits_changes
    assert (change.model, change.before) == ("m", RUN.identity.limits["m"])
    assert change.after == judge_of(job().config).limits("m", STRICT.constraints).fingerprint
    assert change.after != change.before


def test_only_models_with_another_baseline_are_replaced() -> None:
    [change] = reconcile(job({"m": BASE, "n": BASE}), stored(TWO), accept_change=True).changes
    assert change == ReplaceBaseline("n", BASE)


def with_labels(quality: dict[str, Any] | None, **keys: Any) -> ConfiguredJob:
    """A job with labels, and the quality of its only model."""
    labels: dict[str, Any] = {
        "source": {"type": "jsonl", "path": "labels"},
        "format": {"type": "ground_truth"},
        "horizon": keys.pop("horizon", "30d"),
    }
    models = {"m": FOLDER | ({"quality": quality} if quality else {})}
    other = {"n": FOLDER | {"quality": {"problem": "regression", "prediction": "x"}}}
    return job({"m": BASE, "n": BASE}, models=models | other, labels=labels, **keys)


BINARY = {"problem": "binary", "prediction": "x"}
MULTICLASS = {"problem": "multiclass", "prediction": "x"}


def label_changes(configured: ConfiguredJob, before: StoredState) -> list[str]:
    """The changes of the join, which need ``--accept-change``."""
    plan = reconcile(configured, before, accept_change=True)
    return [getattr(change, "model", "join") for change in plan.label_changes]


def test_a_horizon_in_another_unit_is_the_same() -> None:
    before = stored(with_labels(BINARY))
    assert label_changes(with_labels(BINARY, horizon="720h"), before) == []
    assert reconcile(with_labels(BINARY, horizon="720h"), before).label_changes == ()


@pytest.mark.parametrize(
    ("configured", "field", "changes"),
    [
        (with_labels(BINARY, horizon="31d"), "labels", ["join"]),
        (with_labels(MULTICLASS), "quality of model 'm'", ["m"]),
        (with_labels(BINARY | {"positive": "0"}), "quality of model 'm'", ["m"]),
    ],
)
def test_a_changed_join_or_quality_is_refused_with_its_field(
    configured: ConfiguredJob, field: str, changes: list[str]
) -> None:
    before = stored(with_labels(BINARY))
    with pytest.raises(StateIncompatible) as error:
        reconcile(configured, before)
    assert error.value.field == field
    assert label_changes(configured, before) == changes


def test_other_classes_of_a_quality_baseline_are_refused() -> None:
    def of_classes(*names: str) -> ConfiguredJob:
        of_m = QualityBaseline(
            problem="multiclass", rows=1, metrics={}, constraints={}, classes=names
        )
        return replace(with_labels(MULTICLASS), quality={"m": of_m})

    before = stored(of_classes("a", "b"))
    assert label_changes(of_classes("a", "b"), before) == []
    with pytest.raises(StateIncompatible, match="classes 'a', 'b', 'c'"):
        reconcile(of_classes("a", "b", "c"), before)


def test_windows_that_changed_while_there_were_no_labels_make_all_quality_useless() -> None:
    labelled = stored(with_labels(BINARY))
    without = job({"m": BASE, "n": BASE}, window="30s")
    between = stored(without, labelled)
    assert label_changes(without, labelled) == []
    assert label_changes(with_labels(BINARY, window="30s"), between) == ["m", "n", "join"]
    with pytest.raises(StateIncompatible, match="labels"):
        reconcile(with_labels(BINARY, window="30s"), between)
