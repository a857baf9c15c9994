"""``statistics.json`` and ``constraints.json`` compared with files of SageMaker Model Monitor.

Those files are not part of the project; without them these tests are skipped.
"""

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stream.baselining.build import BuiltBaseline, load_baseline, make, make_from_files, write
from stream.baselining.constraints_file import read_constraints
from stream.errors import ConfigError
from tests.support.paths import SHARED

GOLDEN = SHARED / "golden_data_quality_100rows"
CHURN = SHARED / "churn_demo" / "training-dataset-with-header.csv"
OLD = SHARED / "data_quality" / "sdk2019_constraints_string_domains.json"
CATEGORY = "preproc-not-YET-supported-for-csv-json"


def existing(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"component fixtures cannot be had: {path.name} of SageMaker is missing")
    return path


def content(path: Path) -> Any:
    return json.loads(existing(path).read_text())


@pytest.fixture(scope="module")
def golden() -> BuiltBaseline:
    return make_from_files(existing(GOLDEN / "baseline_dataset.csv"), header=False)


@pytest.fixture(scope="module")
def churn() -> BuiltBaseline:
    return make_from_files(existing(CHURN), ["Churn"])


def test_the_statistics_of_a_hundred_rows_are_equal_to_the_last_digit(
    golden: BuiltBaseline,
) -> None:
    assert golden.statistics == content(GOLDEN / "statistics.json")


def test_the_written_file_holds_the_same_numbers(golden: BuiltBaseline, tmp_path: Path) -> None:
    write(golden, tmp_path)
    assert json.loads((tmp_path / "statistics.json").read_text()) == content(
        GOLDEN / "statistics.json"
    )


def test_keys_are_written_in_the_order_of_the_service(golden: BuiltBaseline) -> None:
    assert json.dumps(golden.statistics) == json.dumps(content(GOLDEN / "statistics.json"))
    sagemaker = content(GOLDEN / "constraints.json")
    for key in ("categorical_comparison_threshold", "categorical_drift_method"):
        golden_drift = golden.constraints["monitoring_config"]["distribution_constraints"]
        sagemaker["monitoring_config"]["distribution_constraints"][key] = golden_drift[key]
    assert json.dumps(golden.constraints) == json.dumps(sagemaker)


def test_the_only_public_distribution_of_text_is_written_as_it_was() -> None:
    sagemaker = content(SHARED / "data_quality" / "sdk2019_statistics_string_categorical.json")
    values = [CATEGORY] * 418
    built = make(lambda: [pa.table({"message": values})])
    assert json.dumps(built.statistics) == json.dumps(sagemaker)
    assert built.constraints["features"][0]["string_constraints"] == {"domains": [CATEGORY]}


def test_both_files_alone_are_the_baseline_of_the_rows_behind_them(
    golden: BuiltBaseline, tmp_path: Path
) -> None:
    for name in ("statistics.json", "constraints.json"):
        (tmp_path / name).write_bytes(existing(GOLDEN / name).read_bytes())
    read = load_baseline(tmp_path)
    assert read.layout == golden.baseline.layout
    assert read.profile.counts.tolist() == golden.baseline.profile.counts.tolist()
    assert read.references == golden.baseline.references


def test_files_of_2019_are_a_baseline(tmp_path: Path) -> None:
    statistics = SHARED / "data_quality" / "sdk2019_statistics_string_categorical.json"
    constraints = content(OLD)
    del constraints["features"][1]
    (tmp_path / "statistics.json").write_bytes(existing(statistics).read_bytes())
    (tmp_path / "constraints.json").write_text(json.dumps(constraints))
    read = load_baseline(tmp_path)
    assert read.layout.features[0].vocabulary == (CATEGORY,)
    assert read.profile.counts[read.layout.lone_bins(0)].tolist() == [418]
    assert read.constraints.features["message"].domains == (CATEGORY,)
    assert read.references["message"].categories == {CATEGORY: 418}


def test_the_sketches_of_the_churn_set_are_a_baseline_within_their_error(
    churn: BuiltBaseline, tmp_path: Path
) -> None:
    write(churn, tmp_path)
    (tmp_path / "baseline.msgpack").unlink()
    read, exact = load_baseline(tmp_path, ["Churn"]), churn.baseline
    assert len(read.layout.features) == 70
    for i, feature in enumerate(read.layout.features):
        counts = read.profile.counts[read.layout.bins(i)]
        assert int(counts.sum()) == 2_333
        known = exact.layout.features[i]
        assert (feature.kind, feature.role, feature.low, feature.high) == (
            known.kind,
            known.role,
            known.low,
            known.high,
        )
        assert feature.sketch != known.sketch


def test_the_constraints_of_a_hundred_rows_are_equal(golden: BuiltBaseline) -> None:
    sagemaker = content(GOLDEN / "constraints.json")
    driftline = golden.constraints
    assert driftline["features"] == sagemaker["features"]
    drift = driftline["monitoring_config"].pop("distribution_constraints")
    sagemaker_drift = sagemaker["monitoring_config"].pop("distribution_constraints")
    assert driftline["monitoring_config"] == sagemaker["monitoring_config"]
    newer = {"categorical_comparison_threshold": 0.1, "categorical_drift_method": "LInfinity"}
    assert drift == sagemaker_drift | newer, "the container writes the newer keys since 2026"


def test_constraints_written_by_sagemaker_can_replace_ours(
    golden: BuiltBaseline, tmp_path: Path
) -> None:
    write(golden, tmp_path)
    (tmp_path / "constraints.json").write_bytes(existing(GOLDEN / "constraints.json").read_bytes())
    sagemaker = content(GOLDEN / "constraints.json")
    loaded = load_baseline(tmp_path).constraints
    completeness = {name: feature.completeness for name, feature in loaded.features.items()}
    assert completeness == {
        feature["name"]: feature["completeness"] for feature in sagemaker["features"]
    }
    assert (
        loaded.thresholds.comparison_threshold
        == sagemaker["monitoring_config"]["distribution_constraints"]["comparison_threshold"]
    )
    assert loaded.thresholds.categorical_comparison_threshold is None


def test_constraints_of_another_type_are_refused_with_the_option_that_makes_the_baseline_anew(
    golden: BuiltBaseline, tmp_path: Path
) -> None:
    """That file declares a column of numbers a String, which the SDK's tests expect to fail."""
    write(golden, tmp_path)
    (tmp_path / "constraints.json").write_bytes(
        existing(GOLDEN / "constraints_bad_case.json").read_bytes()
    )
    with pytest.raises(ConfigError, match="--text _c5") as caught:
        load_baseline(tmp_path)
    assert [fault.path for fault in caught.value.faults] == ["features[5].inferred_type"]


def test_a_file_of_2019_is_read_with_its_override_inside_string_constraints() -> None:
    words = pa.table({"message": ["a", "b"], "second_message": ["a", "b"]})
    baseline = make(lambda: [words]).baseline
    loaded = read_constraints(content(OLD), baseline.layout, baseline.columns)
    domain = ("preproc-not-YET-supported-for-csv-json",)
    domains = {name: feature.domains for name, feature in loaded.features.items()}
    assert domains == {"message": domain, "second_message": domain}
    assert all(feature.evaluate for feature in loaded.features.values())
    assert loaded.thresholds.comparison_threshold == 1.0


def test_the_types_and_moments_of_the_churn_set_are_exact(churn: BuiltBaseline) -> None:
    with existing(CHURN).open() as file:
        rows = list(csv.DictReader(file))
    assert churn.statistics["dataset"]["item_count"] == len(rows) == 2_333
    for feature in churn.statistics["features"]:
        texts = [row[feature["name"]] for row in rows]
        numbers = [float(text) for text in texts]
        statistics = feature["numerical_statistics"]
        assert feature["inferred_type"] == (
            "Fractional" if any("." in text for text in texts) else "Integral"
        )
        mean = math.fsum(numbers) / len(numbers)
        std = math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / len(numbers))
        assert statistics["common"] == {"num_present": 2_333, "num_missing": 0}
        assert (statistics["min"], statistics["max"]) == (min(numbers), max(numbers))
        assert statistics["mean"] == pytest.approx(mean, rel=1e-12)
        assert statistics["sum"] == pytest.approx(math.fsum(numbers), rel=1e-12)
        assert statistics["std_dev"] == pytest.approx(std, rel=1e-12)


def test_the_sketch_of_the_churn_set_represents_all_values(churn: BuiltBaseline) -> None:
    """2,333 values do not fit into level 0. An item of level i represents 2**i values, and all of
    them together for exactly 2,333.
    """
    for feature in churn.statistics["features"]:
        kll = feature["numerical_statistics"]["distribution"]["kll"]
        levels = kll["sketch"]["data"]
        assert len(levels) == 2
        assert sum(len(level) * 2**i for i, level in enumerate(levels)) == 2_333
        assert kll["sketch"]["parameters"] == {"c": 0.64, "k": 2048.0}
        assert sum(bucket["count"] for bucket in kll["buckets"]) == 2_333


def test_bucket_counts_of_the_churn_set_are_within_the_rank_error(churn: BuiltBaseline) -> None:
    """Counts come from the sketch; at k = 2,048 its rank error is far below 0.003 at each bound."""
    with existing(CHURN).open() as file:
        minutes = [float(row["Day Mins"]) for row in csv.DictReader(file)]
    feature = next(f for f in churn.statistics["features"] if f["name"] == "Day Mins")
    for bucket in feature["numerical_statistics"]["distribution"]["kll"]["buckets"][:-1]:
        exact = sum(bucket["lower_bound"] <= x < bucket["upper_bound"] for x in minutes)
        assert abs(bucket["count"] - exact) <= 2 * 0.003 * len(minutes)


def test_the_counts_of_the_churn_set_are_exact_unlike_those_of_the_sketch(
    churn: BuiltBaseline,
) -> None:
    baseline = churn.baseline
    with existing(CHURN).open() as file:
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
