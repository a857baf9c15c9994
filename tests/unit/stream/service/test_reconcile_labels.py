"""The reconciliation of a stored state with other labels: what is applied, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from stream.errors import StateIncompatible
from stream.events import ForgetQuality, RestartJoin
from stream.service.reconcile import ConfiguredJob, reconcile
from stream.state.stored import StoredState
from tests.unit.stream.service.test_reconcile import job, stored

BINARY: dict[str, Any] = {
    "problem": "binary",
    "prediction": "x",
    "limits": {"f1": {"min": 0.8}},
}
NUMBERS: dict[str, Any] = {**BINARY, "problem": "regression", "limits": {"mae": {"max": 1.0}}}
LABELS: dict[str, Any] = {
    "source": {"type": "jsonl", "path": "labels"},
    "format": {"type": "ground_truth"},
    "horizon": "5d",
}


def measured(quality: dict[str, Any] | None = None, **labels: Any) -> ConfiguredJob:
    """The job with labels; a ``quality`` of its own, and other keys of ``labels``."""
    model = {"baseline": "folder", "quality": quality or BINARY}
    return job(models={"m": model}, labels={**LABELS, **labels})


def after_a_run() -> StoredState:
    """The state that a run of the job with its first labels left."""
    return stored(measured())


@pytest.mark.parametrize(
    "then",
    [
        measured(horizon="120h"),
        measured(sample=0.5),
        measured({**BINARY, "limits": {"f1": {"min": 0.5}}, "judge_at": {"coverage": 0.1}}),
        measured({**BINARY, "positive": "1.0"}),
    ],
)
def test_what_keeps_the_meaning_of_the_join_is_applied(then: ConfiguredJob) -> None:
    assert reconcile(then, after_a_run()).label_changes == ()


@pytest.mark.parametrize(
    ("then", "field", "change"),
    [
        (measured(horizon="3d"), "labels", RestartJoin()),
        (measured(duplicates="first"), "labels", RestartJoin()),
        (measured(join="event_id"), "labels", RestartJoin()),
        (measured(NUMBERS), "quality of model 'm'", ForgetQuality("m")),
        (
            measured({**BINARY, "positive": "no", "negative": "yes"}),
            "quality of model 'm'",
            ForgetQuality("m"),
        ),
    ],
)
def test_another_meaning_is_refused_until_it_is_accepted(
    then: ConfiguredJob, field: str, change: ForgetQuality | RestartJoin
) -> None:
    with pytest.raises(StateIncompatible, match="--accept-change") as caught:
        reconcile(then, after_a_run())
    assert caught.value.field == field
    assert reconcile(then, after_a_run(), accept_change=True).label_changes == (change,)


def test_a_model_that_is_no_longer_measured_is_forgotten_without_a_question() -> None:
    measured_too: dict[str, dict[str, Any]] = {
        "m": {"baseline": "folder"},
        "n": {"baseline": "folder", "quality": BINARY},
    }
    baselines = {**job().baselines, "n": job().baselines["m"]}
    then = job(baselines, measured_too, labels=LABELS)
    assert reconcile(then, after_a_run()).label_changes == (ForgetQuality("m"),)


@pytest.mark.parametrize("accept_change", [False, True])
def test_another_source_of_labels_is_refused_in_any_case(accept_change: bool) -> None:
    then = measured(source={"type": "jsonl", "path": "other"})
    with pytest.raises(StateIncompatible) as caught:
        reconcile(then, after_a_run(), accept_change)
    assert caught.value.field == "labels.source"


def test_a_job_that_reads_no_labels_any_more_keeps_what_it_knows_of_them() -> None:
    before = after_a_run()
    plan = reconcile(job(), before)
    assert plan.label_changes == ()
    assert (plan.identity.labels, plan.identity.join) == (
        before.identity.labels,
        before.identity.join,
    )
