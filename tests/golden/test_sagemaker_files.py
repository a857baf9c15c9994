"""``statistics.json`` and ``constraints.json`` against files that SageMaker Model Monitor wrote
itself.

The files are not part of the project: they lie beside it (``../shared/fixtures``) where conformance
is tested.
"""

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from stream.baselining.build import BuiltBaseline, load_baseline, make_from_files, write
from stream.baselining.sagemaker_files import read_constraints
from tests.support.paths import SHARED

GOLDEN = SHARED / "golden_data_quality_100rows"
CHURN = SHARED / "churn_demo" / "training-dataset-with-header.csv"
OLD = SHARED / "data_quality" / "sdk2019_constraints_string_domains.json"


def real(path: Path) -> Path:
    if not path.exists():
        pytest.skip(
            f"component fixtures cannot be had: no {path.relative_to(SHARED.parents[1])} beside the"
            " project"
        )
    return path


def content(path: Path) -> Any:
    return json.loads(real(path).read_text())


@pytest.fixture(scope="module")
def golden() -> BuiltBaseline:
    return make_from_files(real(GOLDEN / "baseline_dataset.csv"), header=False)


@pytest.fixture(scope="module")
def churn() -> BuiltBaseline:
    return make_from_files(real(CHURN), ["Churn"])


def test_statistics_of_a_hundred_rows_are_reproduced_to_the_last_digit(
    golden: BuiltBaseline,
) -> None:
    assert golden.statistics == content(GOLDEN / "statistics.json")


def test_the_written_file_holds_the_same_numbers(golden: BuiltBaseline, tmp_path: Path) -> None:
    write(golden, tmp_path)
    assert json.loads((tmp_path / "statistics.json").read_text()) == content(
        GOLDEN / "statistics.json"
    )


def test_constraints_of_a_hundred_rows_are_reproduced(golden: BuiltBaseline) -> None:
    theirs, ours = content(GOLDEN / "constraints.json"), golden.constraints
    assert ours["features"] == theirs["features"]
    drift = ours["monitoring_config"].pop("distribution_constraints")
    drift_there = theirs["monitoring_config"].pop("distribution_constraints")
    assert ours["monitoring_config"] == theirs["monitoring_config"]
    newer = {"categorical_comparison_threshold": 0.1, "categorical_drift_method": "LInfinity"}
    assert drift == drift_there | newer, "the keys that the container writes since 2026"


def test_their_constraints_can_take_the_place_of_ours(
    golden: BuiltBaseline, tmp_path: Path
) -> None:
    write(golden, tmp_path)
    (tmp_path / "constraints.json").write_bytes(
        real(GOLDEN / "constraints_bad_case.json").read_bytes()
    )
    theirs = content(GOLDEN / "constraints_bad_case.json")
    loaded = load_baseline(tmp_path).constraints
    assert {name: one.completeness for name, one in loaded.features.items()} == {
        one["name"]: one["completeness"] for one in theirs["features"]
    }
    assert (
        loaded.thresholds.comparison_threshold
        == theirs["monitoring_config"]["distribution_constraints"]["comparison_threshold"]
    )
    assert loaded.thresholds.categorical_comparison_threshold is None


def test_a_file_of_2019_is_read_with_its_override_inside_string_constraints() -> None:
    loaded = read_constraints(content(OLD))
    domain = ("preproc-not-YET-supported-for-csv-json",)
    assert {name: one.domains for name, one in loaded.features.items()} == {
        "message": domain,
        "second_message": domain,
    }
    assert all(one.evaluate for one in loaded.features.values())
    assert loaded.thresholds.comparison_threshold == 1.0


def test_the_churn_set_has_its_types_and_moments(churn: BuiltBaseline) -> None:
    with real(CHURN).open() as file:
        rows = list(csv.DictReader(file))
    assert churn.statistics["dataset"]["item_count"] == len(rows) == 2_333
    for feature in churn.statistics["features"]:
        texts = [row[feature["name"]] for row in rows]
        numbers = [float(text) for text in texts]
        told = feature["numerical_statistics"]
        assert feature["inferred_type"] == (
            "Fractional" if any("." in text for text in texts) else "Integral"
        )
        mean = math.fsum(numbers) / len(numbers)
        std = math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / len(numbers))
        assert told["common"] == {"num_present": 2_333, "num_missing": 0}
        assert (told["min"], told["max"]) == (min(numbers), max(numbers))
        assert told["mean"] == pytest.approx(mean, rel=1e-12)
        assert told["sum"] == pytest.approx(math.fsum(numbers), rel=1e-12)
        assert told["std_dev"] == pytest.approx(std, rel=1e-12)


def test_the_sketch_of_the_churn_set_weighs_what_it_stands_for(churn: BuiltBaseline) -> None:
    """2,333 values no longer fit level 0: items of level i stand for 2**i values, and all of them
    for exactly 2,333."""
    for feature in churn.statistics["features"]:
        kll = feature["numerical_statistics"]["distribution"]["kll"]
        levels = kll["sketch"]["data"]
        assert len(levels) == 2
        assert sum(len(level) * 2**i for i, level in enumerate(levels)) == 2_333
        assert kll["sketch"]["parameters"] == {"c": 0.64, "k": 2048.0}
        assert sum(bucket["count"] for bucket in kll["buckets"]) == 2_333


def test_bucket_counts_of_the_churn_set_are_off_by_a_few_at_most(churn: BuiltBaseline) -> None:
    """Counts come from the sketch, whose rank error at k = 2,048 is far below three per mille a
    bound."""
    with real(CHURN).open() as file:
        minutes = [float(row["Day Mins"]) for row in csv.DictReader(file)]
    feature = next(one for one in churn.statistics["features"] if one["name"] == "Day Mins")
    for bucket in feature["numerical_statistics"]["distribution"]["kll"]["buckets"][:-1]:
        exact = sum(bucket["lower_bound"] <= x < bucket["upper_bound"] for x in minutes)
        assert abs(bucket["count"] - exact) <= 2 * 0.003 * len(minutes)


def test_the_counts_of_the_churn_set_are_exact_although_the_sketch_is_not(
    churn: BuiltBaseline,
) -> None:
    baseline = churn.baseline
    with real(CHURN).open() as file:
        rows = list(csv.DictReader(file))
    assert baseline.columns == tuple(rows[0])
    assert baseline.layout.features[0].role == "prediction"
    for i, feature in enumerate(baseline.layout.features):
        counts = baseline.profile.counts[baseline.layout.bins(i)].tolist()
        bounds = [-math.inf, *feature.edges, math.inf]
        numbers = [float(row[feature.name]) for row in rows]
        if i < 12:
            assert counts == [
                sum(low <= x < high for x in numbers) for low, high in itertools.pairwise(bounds)
            ]
        assert sum(counts) == 2_333
