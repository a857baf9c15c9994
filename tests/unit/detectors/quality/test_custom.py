"""Metrics of the user's own classes: merged, withdrawn, stored, and failing alone."""

import numpy as np
import pytest

from detectors.quality.attributes import AttributesInvalid, decode_attributes, encode_attributes
from detectors.quality.base import Metric
from detectors.quality.config import QualityConfig
from detectors.quality.counts import QualityCounts
from detectors.quality.custom import CustomMetricInvalid
from detectors.quality.problem import custom_faults, problem_of
from tests.unit.detectors.quality.cases import random_rows, rows_of

MODULE = "tests.unit.detectors.quality.custom_classes"


def config(name: str) -> QualityConfig:
    return QualityConfig(problem="binary", custom={"cost": f"{MODULE}:{name}"})


def cost_of(name: str, *parts: QualityCounts) -> Metric:
    known = problem_of(config(name))
    stored = [QualityCounts.decode(part.encode()) for part in parts]
    metrics = known.measure(known.merge(stored), ("0", "1"), 0.95).metrics
    return next(metric for metric in metrics if metric.name == "cost")


def tallied(name: str) -> list[QualityCounts]:
    rows = rows_of([0, 1, 1, 0, 0], [1, 0, 1, 0, 1])
    return problem_of(config(name)).tally(rows, np.array([0, 0, 1, 1, 3]), 4)


def test_a_metric_is_summed_over_groups_and_parts() -> None:
    cost = cost_of("Cost", *tallied("Cost"))
    assert (cost.value, cost.larger_is, cost.n) == ((10 + 1 + 10) / 5, "worse", 5)


def test_groups_without_rows_have_no_state() -> None:
    assert [sorted(part.custom) for part in tallied("Cost")] == [["cost"], ["cost"], [], ["cost"]]


def test_arrays_dictionaries_and_wide_integers_survive_storage() -> None:
    assert cost_of("ByLabel", *tallied("ByLabel")).value == 2.0


def test_withdrawn_rows_are_taken_away() -> None:
    known = problem_of(config("Cost"))
    rows = random_rows("binary", 100, 1)
    zeros = np.zeros(100, np.int64)
    [added] = known.tally(rows, zeros, 1)
    [taken] = known.tally(rows._replace(weight=-rows.weight), zeros, 1)
    assert cost_of("Cost", added, added, taken) == cost_of("Cost", added)
    assert cost_of("Cost", added, taken).reason == "value() returned None"


def test_the_order_of_parts_does_not_change_the_bytes() -> None:
    known, parts = problem_of(config("ByLabel")), tallied("ByLabel")
    assert known.merge(parts).encode() == known.merge(parts[::-1]).encode()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("FailsAtUpdate", "update() raised ValueError"),
        ("ExitsAtUpdate", "update() raised SystemExit"),
        (
            "KeepsAllRows",
            "the state after update() cannot be stored: it has more than 1,048,576 bytes",
        ),
        ("ChangesTheRows", "update() raised ValueError"),
        ("FailsAtMerge", "merge() raised KeyError"),
        ("FailsAtValue", "value() raised ZeroDivisionError"),
        ("NotANumber", "value() returned no finite number"),
        ("BecomesASet", "the state after update() cannot be stored: seen is of type set"),
    ],
)
def test_a_metric_that_fails_is_undefined_and_the_others_stand(name: str, reason: str) -> None:
    parts = tallied(name)
    cost = cost_of(name, *parts)
    assert (cost.value, cost.reason) == (None, reason)
    known = problem_of(config(name))
    rows = known.measure(known.merge(parts), ("0", "1"), 0.95).rows
    assert rows == 5


def test_counts_from_before_the_metric_was_configured_leave_it_undefined() -> None:
    [counts] = problem_of(QualityConfig(problem="binary")).tally(
        rows_of([1], [1]), np.zeros(1, np.int64), 1
    )
    assert cost_of("Cost", counts).reason == "no labels since the metric was configured"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("mycompany", "it must be named as package.module:Class"),
        ("no_such_module_here:Cost", "it cannot be imported: ModuleNotFoundError"),
        (f"{MODULE}:Missing", f"{MODULE} has no Missing"),
        (f"{MODULE}:A_NUMBER", "it is not a class"),
        (f"{MODULE}:WithoutValue", "it has no method value"),
        (f"{MODULE}:NeedsAnArgument", "NeedsAnArgument() raised TypeError"),
        (f"{MODULE}:StartsWithASet", "its state cannot be stored: seen is of type set"),
    ],
)
def test_a_class_that_cannot_be_used_is_named_with_the_reason(path: str, reason: str) -> None:
    faulty = QualityConfig(problem="binary", custom={"cost": path})
    with pytest.raises(CustomMetricInvalid) as error:
        problem_of(faulty)
    assert (error.value.name, error.value.path) == ("cost", path)
    assert error.value.reason.startswith(reason)
    [fault] = custom_faults(faulty)
    assert fault.key == "custom.cost"
    assert reason in fault.message


def test_a_usable_class_has_no_fault() -> None:
    assert list(custom_faults(config("Cost"))) == []


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1.5: 2}, object(), np.array(["text"]), np.array([object()]), 1j, [{"a": {3}}]],
)
def test_values_that_cannot_be_stored_are_refused_with_their_place(value: object) -> None:
    with pytest.raises(AttributesInvalid, match="^attribute"):
        encode_attributes({"attribute": value})


@pytest.mark.parametrize("kind", ["<f8", ">f4", "<i2", "u1", "?"])
def test_arrays_keep_their_type_and_shape(kind: str) -> None:
    array = np.arange(12).astype(kind).reshape(3, 4)[:, ::2]
    found = decode_attributes(encode_attributes({"array": array}))["array"]
    assert found.tolist() == array.tolist()
    assert found.dtype == np.dtype(kind).newbyteorder("<")
    found[0, 0] = 1  # it can be changed
