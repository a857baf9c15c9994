"""A baseline of ``statistics.json`` alone: layout and counts from sketches, and their error."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from detectors.arrays import Floats
from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.rules import Rules
from detectors.decisions.rulings import rule
from detectors.decisions.violations import violations_of
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.fold import fold
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.sagemaker.sketch import Levels, capacity, distinct_items
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.distances.base import Pair
from detectors.statistics.measures import measure
from detectors.violation import Violation
from stream.baselining.build import constraints_were_edited, load_baseline, make, write
from stream.baselining.sketched import sketched
from stream.baselining.statistics_file import read_statistics
from stream.testing.baselines import Values, column

ALPHA = 0.01


def table(**columns: Sequence[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def from_files(folder: Path, columns: pa.Table, predictions: Sequence[str] = ()) -> Baseline:
    """The baseline of the two JSON files that are written for these rows."""
    write(make(lambda: [columns], predictions), folder)
    (folder / "baseline.msgpack").unlink()
    return load_baseline(folder, predictions)


def violations(baseline: Baseline, data: dict[str, Values]) -> list[Violation]:
    features = baseline.layout.features
    window = fold(baseline.layout, {f.name: column(data[f.name], f.numeric) for f in features})
    measures = measure(baseline, window)
    rules = Rules()
    return violations_of(
        CheckedWindow(
            baseline=baseline,
            measures=measures,
            rulings=rule(rules, {}, baseline.constraints, measures, window.rows),
            rules=rules,
            rows=window.rows,
        )
    )


def numbers_file(values: Floats, levels: Levels | None, buckets: object = ()) -> dict[str, Any]:
    sketch = {} if levels is None else {"sketch": {"data": levels}}
    content = {
        "common": {"num_present": len(values), "num_missing": 0},
        "mean": float(values.mean()),
        "sum": float(values.sum()),
        "std_dev": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "distribution": {"kll": {"buckets": buckets, **sketch}},
    }
    feature = {"name": "x", "inferred_type": "Fractional", "numerical_statistics": content}
    return {"dataset": {"item_count": len(values)}, "features": [feature]}


def compacted(values: Floats, rng: np.random.Generator) -> list[list[float]]:
    """The levels of a KLL sketch as deequ makes it: a full level is sorted, half of it moves up."""
    levels = [np.empty(0)]
    start = 0
    while start < len(values):
        room = max(capacity(len(levels) - 1) - len(levels[0]), 1)
        levels[0] = np.concatenate((levels[0], values[start : start + room]))
        start += room
        h = 0
        while h < len(levels) and len(levels[h]) >= capacity(len(levels) - 1 - h):
            if h + 1 == len(levels):
                levels.append(np.empty(0))
            ordered = np.sort(levels[h])
            even = len(ordered) // 2 * 2
            levels[h + 1] = np.append(levels[h + 1], ordered[:even][rng.integers(2) :: 2])
            levels[h] = ordered[even:]
            h += 1
    return [level.tolist() for level in levels]


def test_up_to_2048_rows_give_the_bins_and_counts_of_the_training_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = table(
        answer=[str(k % 2) for k in range(1_500)],
        amount=[repr(x) for x in rng.lognormal(size=1_500).tolist()],
        code=[str(int(x)) for x in rng.poisson(3, 1_500)],
        count=[str(int(x)) if x > 2 else None for x in rng.poisson(60, 1_500)],
        word=[f"w{k % 7}" for k in range(1_500)],
        flag=["true", "false", "true"] * 500,
        empty=[None] * 1_500,
    )
    trained = make(lambda: [rows], ["answer"]).baseline
    read = from_files(tmp_path, rows, ["answer"])
    assert read.layout == trained.layout
    assert read.profile.counts.tolist() == trained.profile.counts.tolist()
    np.testing.assert_allclose(read.profile.sums, trained.profile.sums, rtol=1e-9, atol=1e-6)
    assert read.profile.low.tolist() == trained.profile.low.tolist()
    assert read.profile.high.tolist() == trained.profile.high.tolist()
    assert (read.columns, read.constraints) == (trained.columns, trained.constraints)
    assert read.references == trained.references
    assert read.layout.features[0].role == "prediction"


def test_a_sketch_of_several_levels_gives_shares_within_its_rank_error() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=50_000)
    levels = compacted(values, rng)
    layout, profile, notes = sketched(read_statistics(numbers_file(values, levels)))
    (feature,) = layout.features
    assert not isinstance(feature.sketch, msgspec.UnsetType)
    assert 1e-4 < feature.sketch.rank < 1e-3
    assert feature.sketch.weight == 2.0 ** (len(levels) - 1) / 50_000
    assert (feature.low, feature.high) == (values.min(), values.max())
    assert (feature.center, feature.scale) == (values.mean(), values.std())
    assert int(profile.counts[layout.bins(0)].sum()) == 50_000
    exact = fold(layout, {"x": column(values, True)})
    pair = Pair(exact, profile)
    assert float(np.max(np.abs(pair.f - pair.g))) < 5 * feature.sketch.rank
    assert notes == ()


def test_codes_know_their_extremes_also_where_the_sketch_lost_them() -> None:
    values = np.array([0.0] + [5.0] * 6_000 + [7.0] * 3_000 + [9.0])
    levels = compacted(values, np.random.default_rng(3))
    assert distinct_items(levels).values.tolist() == [5.0, 7.0, 9.0]
    layout, profile, _ = sketched(read_statistics(numbers_file(values, levels)))
    (feature,) = layout.features
    assert feature.kind == "codes"
    assert list(feature.single_values.values()) == [0.0, 5.0, 7.0, 9.0]
    assert profile.counts[layout.lone_bins(0)].tolist() == [1, 5_999, 3_001, 1]


def exceeding(before: Profile, after: Profile) -> dict[str, bool]:
    pair = Pair(before, after)
    return {
        name: bool(DISTANCES[name].distances(pair)[0] > DISTANCES[name].noise(pair, ALPHA)[0])
        for name in ("psi", "hellinger", "jensen_shannon", "ks", "wasserstein")
    }


def recast(profile: Profile, layout: Layout) -> Profile:
    other = Profile(layout)
    other.rows, other.counts, other.sums = profile.rows, profile.counts, profile.sums
    other.low, other.high = profile.low, profile.high
    return other


def test_healthy_windows_violate_no_more_often_than_with_exact_counts() -> None:
    """Codes of 20,000 rows against windows of 100,000: one item in 20 stands for a rare code.

    With the noise of exact counts about a fifth of the healthy windows are beyond a noise that 1 %
    of them should exceed.
    """
    rng = np.random.default_rng(4)
    with_error: Counter[str] = Counter()
    without_error: Counter[str] = Counter()
    trials = 40
    for _ in range(trials):
        values = rng.poisson(2, 20_000).astype(float)
        file = numbers_file(values, compacted(values, rng))
        layout, profile, _ = sketched(read_statistics(file))
        window = fold(layout, {"x": column(rng.poisson(2, 100_000).astype(float), True)})
        with_error.update(exceeding(profile, window))
        features = [msgspec.structs.replace(f, sketch=msgspec.UNSET) for f in layout.features]
        plain = Layout(tuple(features))
        without_error.update(exceeding(recast(profile, plain), recast(window, plain)))
    assert max(with_error.values()) <= 2
    assert without_error["psi"] >= 4


def test_a_rare_flag_keeps_its_error_in_wasserstein_too() -> None:
    """The sketch of 100,000 rows with 300 ones is off by up to an item of weight 64."""
    rng = np.random.default_rng(8)
    values = (rng.permutation(100_000) < 300).astype(float)
    layout, profile, _ = sketched(read_statistics(numbers_file(values, compacted(values, rng))))
    exact = fold(layout, {"x": column(values, True)})
    law = DISTANCES["wasserstein"]
    error = float(law.distances(Pair(profile, exact))[0])
    assert 0.0 < error < float(law.noise(Pair(profile, exact), ALPHA)[0])
    plain = Layout((msgspec.structs.replace(layout.features[0], sketch=msgspec.UNSET),))
    sides = recast(profile, plain), recast(exact, plain)
    assert law.noise(Pair(*sides), ALPHA)[0] < law.noise(Pair(profile, exact), ALPHA)[0]


def test_a_single_level_is_exact_and_adds_no_noise() -> None:
    values = np.random.default_rng(5).normal(size=2_000)
    levels = [values.tolist()]
    layout, profile, _ = sketched(read_statistics(numbers_file(values, levels)))
    pair = Pair(profile, profile)
    assert layout.features[0].sketch is msgspec.UNSET
    assert (pair.rank_variance.tolist(), pair.cell_variance.tolist()) == ([0.0], [0.0])


def test_a_rare_code_of_a_sketch_is_not_missed() -> None:
    """One item of weight 512 may be a value that occurred once: its absence says nothing."""
    levels = [[], [], [], [], [], [], [], [], [], [0.0] * 1_279 + [7.0]]
    values = np.array([0.0] * (1_279 * 512) + [7.0] * 512)
    layout, profile, _ = sketched(read_statistics(numbers_file(values, levels)))
    baseline = Baseline(layout, profile, Constraints(), ("x",))
    assert violations(baseline, {"x": np.zeros(100_000)}) == []
    counted = Layout((msgspec.structs.replace(layout.features[0], sketch=msgspec.UNSET),))
    exact = Baseline(counted, recast(profile, counted), Constraints(), ("x",))
    (found,) = violations(exact, {"x": np.zeros(100_000)})
    assert found.check == "vanished_value_check"


def test_without_a_sketch_the_ten_buckets_are_compared() -> None:
    rng = np.random.default_rng(6)
    values = rng.uniform(0, 10, 1_000)
    bounds = np.linspace(values.min(), values.max(), 11)
    counts, _ = np.histogram(values, bounds)
    ends = zip(bounds[:-1], bounds[1:], counts, strict=True)
    buckets = [
        {"lower_bound": float(low), "upper_bound": float(high), "count": float(count)}
        for low, high, count in ends
    ]
    layout, profile, notes = sketched(read_statistics(numbers_file(values, None, buckets)))
    assert notes == ("'x' has no sketch and is compared in ten buckets",)
    assert int(profile.counts[layout.bins(0)].sum()) == 1_000

    def psi(window: Floats) -> tuple[float, float]:
        pair = Pair(profile, fold(layout, {"x": column(window, True)}))
        law = DISTANCES["psi"]
        return float(law.distances(pair)[0]), float(law.noise(pair, 0.001)[0])

    value, noise = psi(rng.uniform(0, 10, 1_000))
    assert value < noise
    value, noise = psi(rng.uniform(3, 13, 1_000))
    assert value > 4 * noise


@pytest.fixture
def many_words(tmp_path: Path) -> Baseline:
    words = [f"word {k:05}" for k in range(3_000)]
    return from_files(tmp_path, table(word=words, n=[str(k % 5) for k in range(3_000)]))


def test_text_without_counts_has_no_distance_and_keeps_its_other_checks(
    many_words: Baseline,
) -> None:
    notes = sketched(read_statistics(json.loads(_written(many_words)))).notes
    assert notes == (
        "'word' has no counts of its 3,000 different values, so its drift is not judged",
    )
    numbers: Values = [float(k % 5) for k in range(600)]
    healthy: list[str | None] = [f"other {k}" for k in range(600)]
    assert violations(many_words, {"word": healthy, "n": numbers}) == []
    missing = [None if k % 3 else word for k, word in enumerate(healthy)]
    digits = [str(k) for k in range(600)]
    for words, check in ((missing, "completeness_check"), (digits, "data_type_check")):
        (found,) = violations(many_words, {"word": words, "n": numbers})
        assert (found.feature, found.check) == ("word", check)


def _written(baseline: Baseline) -> bytes:
    """A file with text of as many different values as the baseline's."""
    present = int(baseline.profile.feature_rows[0])
    common = {"num_present": present, "num_missing": 0}
    text = {"common": common, "distinct_count": float(present)}
    feature = {"name": "word", "inferred_type": "String", "string_statistics": text}
    return msgspec.json.encode({"dataset": {"item_count": present}, "features": [feature]})


def test_a_domain_stands_for_the_counts_that_text_lacks(tmp_path: Path) -> None:
    from_files(tmp_path, table(word=[f"w{k:03}" for k in range(400)]))
    path = tmp_path / "constraints.json"
    content = json.loads(path.read_text())
    domain = [f"w{k:03}" for k in range(400)]
    content["features"][0]["string_constraints"] = {"domains": domain}
    path.write_text(json.dumps(content))
    baseline = load_baseline(tmp_path)
    assert violations(baseline, {"word": domain}) == []
    new: list[str | None] = [*domain[:300], *["x"] * 100]
    (found,) = violations(baseline, {"word": new})
    assert found.check == "categorical_values_check"


def test_spellings_of_the_file_count_as_those_of_events() -> None:
    buckets = [("True", 3), ("False", 4), (" True", 1)]
    counted = [{"value": value, "count": count} for value, count in buckets]
    text = {
        "common": {"num_present": 8, "num_missing": 0},
        "distinct_count": 3.0,
        "distribution": {"categorical": {"buckets": counted}},
    }
    feature = {"name": "t", "inferred_type": "String", "string_statistics": text}
    file = {"dataset": {"item_count": 8}, "features": [feature]}
    layout, profile, _ = sketched(read_statistics(file))
    assert layout.features[0].vocabulary == ("false", "true")
    assert profile.counts[layout.lone_bins(0)].tolist() == [4, 4]


def test_a_marker_that_the_file_counts_as_a_value_stays_one() -> None:
    counted = [{"value": "NA", "count": 6}, {"value": "red", "count": 2}]
    text = {
        "common": {"num_present": 8, "num_missing": 2},
        "distribution": {"categorical": {"buckets": counted}},
    }
    feature = {"name": "t", "inferred_type": "String", "string_statistics": text}
    layout, profile, _ = sketched(
        read_statistics({"dataset": {"item_count": 10}, "features": [feature]})
    )
    window = fold(layout, {"t": column(["NA", "red", None], False)})
    assert int(window.missing[0]) == 1
    assert int(profile.missing[0]) == 2


def test_without_constraints_those_that_sagemaker_suggests_apply(tmp_path: Path) -> None:
    rows = table(x=["1", "2", None, "4"], word=["a"] * 4)
    expected = from_files(tmp_path, rows).constraints
    (tmp_path / "constraints.json").unlink()
    assert load_baseline(tmp_path).constraints == expected


def test_a_column_without_a_value_is_unknown_whatever_the_file_says(tmp_path: Path) -> None:
    empty = numbers_file(np.array([0.0]), [[]])["features"][0]
    empty["numerical_statistics"]["common"] = {"num_present": 0, "num_missing": 3}
    content = numbers_file(np.arange(3.0), [[0.0, 1.0, 2.0]])
    content["features"].append({**empty, "name": "none"})
    (tmp_path / "statistics.json").write_text(json.dumps(content))
    read = load_baseline(tmp_path)
    assert [feature.type for feature in read.layout.features] == ["Fractional", "Unknown"]
    assert read.profile.missing.tolist() == [0, 3]


def test_files_of_sagemaker_are_not_overwritten_unasked(tmp_path: Path) -> None:
    from_files(tmp_path, table(x=["1", "2"]))
    assert constraints_were_edited(tmp_path)


def test_seventy_features_take_less_than_a_second(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    columns = {f"c{k}": [repr(x) for x in rng.normal(size=2_400).tolist()] for k in range(70)}
    from_files(tmp_path, table(**columns))
    started_s = time.process_time()
    load_baseline(tmp_path)
    assert time.process_time() - started_s < 1.0
