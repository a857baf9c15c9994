"""Reading ``statistics.json`` of SageMaker Model Monitor: what is passed over, what is a fault."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.statistics_file import Statistics
from stream.baselining.statistics_file import load_statistics, read_statistics
from stream.errors import ConfigError


def numbers(**changes: Any) -> dict[str, Any]:
    kll = {
        "buckets": [{"lower_bound": 1.0, "upper_bound": 3.0, "count": 3.0}],
        "sketch": {"parameters": {"c": 0.64, "k": 2048.0}, "data": [[1.0, 2.0, 3.0]]},
    }
    content = {
        "common": {"num_present": 3, "num_missing": 1},
        "mean": 2.0,
        "sum": 6.0,
        "std_dev": 0.816496580927726,
        "min": 1.0,
        "max": 3.0,
        "distribution": {"kll": kll},
    }
    return {"name": "x", "inferred_type": "Integral", "numerical_statistics": content | changes}


def text(**changes: Any) -> dict[str, Any]:
    buckets = [{"value": "a", "count": 2}, {"value": "b", "count": 1}]
    content = {
        "common": {"num_present": 3, "num_missing": 0},
        "distinct_count": 2.0,
        "distribution": {"categorical": {"buckets": buckets}},
    }
    return {"name": "t", "inferred_type": "String", "string_statistics": content | changes}


def file(*features: Any) -> dict[str, Any]:
    return {"version": 0.0, "dataset": {"item_count": 4}, "features": list(features)}


def faults(data: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_statistics(data)
    return [str(fault) for fault in caught.value.faults]


def test_a_file_is_read_as_it_stands() -> None:
    read = read_statistics(file(numbers(), text(), {"name": "u", "inferred_type": "Unknown"}))
    assert msgspec.to_builtins(read) == file(
        numbers(), text(), {"name": "u", "inferred_type": "Unknown"}
    )


def test_keys_of_2026_are_read_and_later_ones_are_passed_over() -> None:
    newer = numbers(approximate_num_distinct_values=3, completeness=0.75, skewness={"a": 1})
    newer["numerical_statistics"]["common"]["num_invalid"] = 7
    newer["hint"] = "later"
    read = read_statistics(file(newer) | {"generated_by": "2031"})
    found = read.features[0].numerical_statistics
    assert not isinstance(found, msgspec.UnsetType)
    assert (found.approximate_num_distinct_values, found.completeness) == (3.0, 0.75)


@pytest.mark.parametrize("absent", [None, "NaN", float("nan"), float("inf")])
def test_a_number_that_is_not_there_is_null(absent: object) -> None:
    read = read_statistics(file(numbers(mean=absent, std_dev=absent)))
    found = read.features[0].numerical_statistics
    assert not isinstance(found, msgspec.UnsetType)
    assert (found.mean, found.std_dev, found.sum) == (None, None, 6.0)


def test_items_that_are_no_finite_number_are_left_out() -> None:
    kll = {"sketch": {"data": [[1.0, None, float("nan")], []]}}
    read = read_statistics(file(numbers(distribution={"kll": kll})))
    found = read.features[0].numerical_statistics
    assert not isinstance(found, msgspec.UnsetType)
    assert not isinstance(found.distribution, msgspec.UnsetType)
    assert found.distribution.kll.sketch.data == [[1.0], []]


def test_whole_numbers_may_be_written_with_a_point() -> None:
    read = read_statistics(file(text(common={"num_present": 3.0, "num_missing": 0.0})))
    found = read.features[0].string_statistics
    assert not isinstance(found, msgspec.UnsetType)
    assert (found.common.num_present, found.distinct_count) == (3, 2.0)


def test_all_faults_are_told_with_path_and_feature() -> None:
    wrong = numbers(mean="two", common={"num_missing": -1})
    wrong["numerical_statistics"]["distribution"]["kll"]["sketch"]["data"] = [[1.0, "b"]]
    found = faults(file(wrong, text(), text(), {"name": "n", "inferred_type": "Integral"}, 7))
    assert sorted(fault.split(":")[0] for fault in found) == [
        "features[0].numerical_statistics.common.num_missing",
        "features[0].numerical_statistics.common.num_present",
        "features[0].numerical_statistics.distribution.kll.sketch.data[0][1]",
        "features[0].numerical_statistics.mean",
        "features[2].name",
        "features[3].numerical_statistics",
        "features[4]",
    ]
    assert all("(feature 'x')" in fault for fault in found if fault.startswith("features[0]"))


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (numbers(min=5.0), "5.0 is larger than max, 3.0"),
        (numbers(std_dev=-1.0), "expected a number >= 0"),
        (numbers(common={"num_present": 30, "num_missing": 0}), "it stands for 3 values"),
        (text(common={"num_present": 1, "num_missing": 0}), "it stands for 3 values"),
        (
            text(distribution={"categorical": {"buckets": [{"value": 1, "count": 1}] * 2}}),
            "'1' twice",
        ),
        ({"name": "t", "inferred_type": "Text"}, "unknown value 'Text'"),
    ],
)
def test_what_contradicts_itself_is_a_fault(feature: dict[str, Any], expected: str) -> None:
    (found,) = faults(file(feature))
    assert expected in found


def test_a_sketch_of_thousands_of_levels_is_a_fault() -> None:
    """The weight of its last level has more digits than a number in memory."""
    sketch = {"parameters": {"c": 0.64, "k": 2048.0}, "data": [[1.0]] * 2_000}
    (found,) = faults(file(numbers(distribution={"kll": {"buckets": [], "sketch": sketch}})))
    assert "and num_present is 3" in found


def test_statistics_of_a_models_quality_are_named_as_such() -> None:
    (found,) = faults({"version": 0.0, "dataset": {}, "regression_metrics": {}})
    assert "quality.baseline" in found
    assert "no object" in faults([1])[0]
    assert "no feature" in faults(file())[0]


def test_a_file_that_is_not_json_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "statistics.json"
    for content, expected in (
        (b"{", "not JSON"),
        (b"[" * 100_000, "nested"),
        (b"\xff", "not JSON"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=expected) as caught:
            load_statistics(path)
        assert caught.value.file == str(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_statistics(tmp_path / "absent.json")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "statistics.json"
    path.write_text("\ufeff" + json.dumps(file(text())), encoding="utf-8")
    assert isinstance(load_statistics(path), Statistics)
