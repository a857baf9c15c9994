"""Baselines from training data: counts, written files, and refused input."""

import json
import os
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Constraint
from detectors.profiles.layout import BOOLEAN, FRACTIONAL, INTEGRAL, MISSING, STRING
from stream.baselining.build import (
    FILES,
    BuiltBaseline,
    constraints_were_edited,
    empty_baseline,
    learn,
    learn_from_samples,
    load_baseline,
    make,
    make_from_files,
    write,
)
from stream.baselining.training_data import TrainingData
from stream.errors import ColumnsUnknown, DataError

ROWS = [("1", "0.5", "ann"), ("2", "", "bob"), ("3", "1.5", "ann"), ("", "2", "")]


def csv_file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def train(folder: Path) -> Path:
    return csv_file(folder / "train.csv", "a,b,c\n" + "".join(",".join(row) + "\n" for row in ROWS))


def statistics_of(built: BuiltBaseline, name: str) -> dict[str, object]:
    features: list[dict[str, object]] = built.statistics["features"]
    return next(feature for feature in features if feature["name"] == name)


def table(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def types(built: BuiltBaseline) -> dict[str, str]:
    return {feature["name"]: feature["inferred_type"] for feature in built.statistics["features"]}


def present(built: BuiltBaseline) -> dict[str, tuple[int, int]]:
    """The numbers of present and missing values of each column."""
    counts = {}
    for feature in built.statistics["features"]:
        statistics = feature.get("numerical_statistics") or feature.get("string_statistics")
        common = statistics["common"]
        counts[feature["name"]] = common["num_present"], common["num_missing"]
    return counts


def test_types_counts_and_moments_of_a_small_file(tmp_path: Path) -> None:
    built = make_from_files(train(tmp_path))
    assert types(built) == {"a": "Integral", "b": "Fractional", "c": "String"}
    assert present(built) == {"a": (3, 1), "b": (3, 1), "c": (3, 1)}
    numbers = statistics_of(built, "a")["numerical_statistics"]
    assert isinstance(numbers, dict)
    assert [numbers[key] for key in ("mean", "sum", "min", "max")] == [2.0, 6.0, 1.0, 3.0]
    assert numbers["std_dev"] == pytest.approx(np.sqrt(2 / 3))
    assert numbers["distribution"]["kll"]["sketch"]["data"] == [[1.0, 2.0, 3.0]]
    layout = built.baseline.layout
    counts = built.baseline.profile.counts
    assert built.baseline.profile.rows == 4
    assert [int(counts[layout.starts[i] + MISSING]) for i in range(3)] == [1, 1, 1]
    assert [
        int(counts[layout.starts[i] + slot])
        for i, slot in enumerate((INTEGRAL, FRACTIONAL, STRING))
    ] == [3, 2, 3]


@pytest.mark.parametrize(
    ("values", "inferred_type"),
    [
        (["1", "-2", "+3"], "Integral"),
        (["1", "2.0"], "Fractional"),
        (["1e3", "7"], "Fractional"),
        (["1", "x"], "String"),
        (["true", "false"], "String"),
        (["1", "true"], "String"),
        (["1,000", "2"], "String"),
        (["2.5", "NaN", ".5"], "Fractional"),
        (["NaN", "inf"], "String"),
        ([None, None], "Unknown"),
    ],
)
def test_a_column_has_the_narrowest_type_of_all_its_values(
    values: list[str | None], inferred_type: str
) -> None:
    assert types(make(lambda: [table(x=values)])) == {"x": inferred_type}


def test_a_column_without_values_is_a_feature_that_knows_no_value(tmp_path: Path) -> None:
    built = make_from_files(csv_file(tmp_path / "t.csv", "a,b,c\n1,,2\n3,,4\n"))
    assert built.baseline.columns == ("a", "b", "c")
    empty = built.baseline.layout.features[1]
    assert (empty.name, empty.type, empty.vocabulary) == ("b", "Unknown", ())
    assert int(built.baseline.profile.missing[1]) == 2
    assert statistics_of(built, "b") == {"name": "b", "inferred_type": "Unknown"}


def test_constraints_hold_signs_completeness_and_domains(tmp_path: Path) -> None:
    text = "sign,gaps,word,id\n" + "".join(
        f"{k - 1},{'' if k % 4 == 0 else 1},{'xy'[k % 2]},n{k}\n" for k in range(40)
    )
    built = make_from_files(csv_file(tmp_path / "t.csv", text))
    sign, gaps, word, number = built.constraints["features"]
    assert sign["num_constraints"] == {"is_non_negative": False}
    assert (gaps["completeness"], gaps["num_constraints"]) == (0.75, {"is_non_negative": True})
    assert word["string_constraints"] == {"domains": ["x", "y"]}
    assert "string_constraints" not in number, "forty names in forty rows are not a domain"


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_the_same_rows_lead_to_the_same_baseline_from_every_kind_of_file(
    tmp_path: Path, suffix: str
) -> None:
    rng = np.random.default_rng(7)
    columns = {
        "n": rng.integers(0, 1000, 500).tolist(),
        "x": rng.normal(size=500).tolist(),
        "s": rng.choice(["a", "b"], 500).tolist(),
    }
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        parquet.write_table(pa.table(columns), path)
    elif suffix == "jsonl":
        path.write_text(
            "".join(
                json.dumps(dict(zip(columns, row, strict=True))) + "\n"
                for row in zip(*columns.values(), strict=True)
            )
        )
    else:
        path.write_text(
            "n,x,s\n"
            + "".join(f"{n},{x!r},{s}\n" for n, x, s in zip(*columns.values(), strict=True))
        )
    expected = make(
        lambda: [
            pa.table({name: [str(value) for value in values] for name, values in columns.items()})
        ]
    )
    assert make_from_files(path).baseline.fingerprint == expected.baseline.fingerprint


def test_chunks_make_no_difference() -> None:
    rng = np.random.default_rng(1)
    whole = table(
        x=[repr(float(x)) for x in rng.normal(size=3_000)],
        s=[str(s) for s in rng.integers(0, 50, 3_000)],
    )
    single = make(lambda: [whole]).baseline
    many = make(lambda: [whole.slice(k, 700) for k in range(0, 3_000, 700)]).baseline
    assert single.layout.features[0].edges == many.layout.features[0].edges
    assert np.array_equal(single.profile.counts, many.profile.counts)
    assert single.profile.sums == pytest.approx(many.profile.sums, rel=1e-9, abs=1e-9)


def test_a_long_file_leads_to_the_same_bins_each_time_and_exact_counts() -> None:
    """200,000 numbers overflow sketch and sample: bins are based on every fourth number, counts on
    all numbers."""
    values = np.random.default_rng(3).normal(size=200_000)
    chunks = [
        table(x=[repr(float(x)) for x in values[k : k + 50_000]]) for k in range(0, 200_000, 50_000)
    ]
    first = make(lambda: chunks).baseline
    second = make(lambda: chunks).baseline
    assert first.fingerprint == second.fingerprint
    edges = np.array(first.layout.features[0].edges)
    expected = np.histogram(values, np.concatenate(([-np.inf], edges, [np.inf])))[0]
    assert np.array_equal(first.profile.counts[first.layout.bins(0)], expected)


def test_levels_of_a_long_column_weigh_exactly_its_values() -> None:
    built = make(lambda: [table(x=[str(k) for k in range(30_000)])])
    numbers = statistics_of(built, "x")["numerical_statistics"]
    assert isinstance(numbers, dict)
    levels = numbers["distribution"]["kll"]["sketch"]["data"]
    assert sum(len(level) << i for i, level in enumerate(levels)) == 30_000
    assert numbers["sum"] == 29_999 * 15_000


def test_a_constant_column_is_in_the_last_bucket() -> None:
    numbers = statistics_of(make(lambda: [table(x=["4"] * 9)]), "x")["numerical_statistics"]
    assert isinstance(numbers, dict)
    buckets = numbers["distribution"]["kll"]["buckets"]
    assert [bucket["count"] for bucket in buckets] == [0.0] * 9 + [9.0]
    assert {bucket["lower_bound"] for bucket in buckets} == {4.0}


def test_the_values_of_text_are_counted_up_to_120_of_them() -> None:
    few = statistics_of(make(lambda: [table(s=[f"v{k % 120}" for k in range(240)])]), "s")[
        "string_statistics"
    ]
    many = statistics_of(make(lambda: [table(s=[f"v{k % 121}" for k in range(242)])]), "s")[
        "string_statistics"
    ]
    assert isinstance(few, dict)
    assert isinstance(many, dict)
    assert len(few["distribution"]["categorical"]["buckets"]) == few["distinct_count"] == 120
    assert ("distribution" in many, many["distinct_count"]) == (False, 121.0)


def test_a_folder_is_read_in_name_order_and_absent_columns_are_missing(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    csv_file(folder / "2.csv", "a,c\n5,x\n")
    csv_file(folder / "1.CSV", "a,b\n1,2\n3,4\n")
    csv_file(folder / "notes.txt", "not data\n")
    built = make_from_files(folder)
    assert built.baseline.columns == ("a", "b", "c")
    assert present(built) == {"a": (3, 0), "b": (2, 1), "c": (1, 2)}
    assert [feature["completeness"] for feature in built.constraints["features"]] == [
        1.0,
        2 / 3,
        1 / 3,
    ]
    numbers = statistics_of(built, "a")["numerical_statistics"]
    assert isinstance(numbers, dict)
    assert numbers["distribution"]["kll"]["sketch"]["data"] == [[1.0, 3.0, 5.0]]


def test_json_keeps_the_text_of_dates_and_names_nested_fields_by_path(tmp_path: Path) -> None:
    lines = [
        '{"day": "2013-01-01", "n": {"x": 7, "y": 7.0}}',
        "",
        '{"n": {"x": true}, "late": "z"}',
    ]
    built = make_from_files(csv_file(tmp_path / "t.jsonl", "\n".join(lines)))
    assert built.baseline.columns == ("day", "n.x", "n.y", "late")
    assert dict(built.scans["day"].values) == {"2013-01-01": 1}
    assert types(built) == {"day": "String", "n.x": "String", "n.y": "Fractional", "late": "String"}
    layout = built.baseline.layout
    counts = built.baseline.profile.counts
    assert [int(counts[layout.starts[1] + slot]) for slot in (BOOLEAN, INTEGRAL)] == [1, 1]
    assert present(built)["late"] == (1, 1)


def test_parquet_keeps_types_and_treats_nan_as_missing(tmp_path: Path) -> None:
    columns = {
        "f": [1.0, float("nan"), 2.0],
        "i": [1, None, 3],
        "d": pa.array(["u", "u", None]).dictionary_encode(),
        "s": [{"k": 1}] * 3,
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    built = make_from_files(tmp_path / "t.parquet")
    assert types(built) == {"f": "Fractional", "i": "Integral", "d": "String", "s.k": "Integral"}
    assert present(built) == {"f": (2, 1), "i": (2, 1), "d": (2, 1), "s.k": (3, 0)}


def test_quoted_cells_may_hold_commas_and_newlines(tmp_path: Path) -> None:
    built = make_from_files(csv_file(tmp_path / "t.csv", 'a,b\n"x,y",1\n"two\nlines",2\n'))
    assert built.baseline.layout.features[0].vocabulary == ("two\nlines", "x,y")


def test_an_empty_line_of_a_single_column_is_a_missing_value(tmp_path: Path) -> None:
    assert present(make_from_files(csv_file(tmp_path / "t.csv", "a\n1\n\n3\n"))) == {"a": (2, 1)}


def test_columns_without_a_header_are_named_and_can_be_excluded(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", "1,2,3\n4,5,6\n")
    assert make_from_files(path, header=False).baseline.columns == ("_c0", "_c1", "_c2")
    built = make_from_files(path, ["p"], header=False, columns=["p", "q", "r"], exclude=["q"])
    assert built.baseline.columns == ("p", "r")
    assert [feature.role for feature in built.baseline.layout.features] == ["prediction", "feature"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.csv", "", "Empty CSV"),
        ("t.csv", "a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("t.csv", "a,a\n1,2\n", "has several columns 'a': rename them"),
        ("t.csv", "7,7\n1,2\n", "has several columns '7': add --no-header"),
        (
            "t.jsonl",
            '{"a": 1}\nnope\n',
            "t.jsonl:2: expected a JSON object of plain values, found text",
        ),
        ("t.jsonl", "[1]\n", "found another value; write one object a line"),
        ("t.jsonl", '{"a": {"b": [1]}}\n', "a list in a.b"),
        ("t.parquet", "no", "cannot be read as parquet"),
        ("t.xlsx", "x", "expected CSV, Parquet or JSON lines (.csv, "),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    with pytest.raises(DataError) as caught:
        make_from_files(csv_file(tmp_path / name, text))
    assert caught.value.where.startswith(str(tmp_path / name))
    assert reason in str(caught.value)
    assert caught.value.exit_code == 2


CAPTURE = {
    "captureData": {
        "endpointInput": {"data": "UA,7", "encoding": "CSV"},
        "endpointOutput": {"data": "1.5", "encoding": "CSV"},
    },
    "eventMetadata": {
        "eventId": "e",
        "inferenceTime": "2026-11-25T07:00:00Z",
        "customAttributes": ["a"],
    },
    "eventVersion": "0",
}


def test_captures_are_refused_as_training_data(tmp_path: Path) -> None:
    lines = csv_file(tmp_path / "t.jsonl", json.dumps(CAPTURE) + "\n")
    parquet.write_table(pa.Table.from_pylist([CAPTURE]), tmp_path / "t.parquet")
    for path in (lines, tmp_path / "t.parquet"):
        with pytest.raises(
            DataError,
            match=f"{path}.*captures of SageMaker.*Give the training table itself.*baseline: learn",
        ):
            make_from_files(path)
    built = make_from_files(lines, exclude=["captureData", "eventMetadata"])
    assert built.baseline.columns == ("eventVersion",), "unless these columns are excluded"
    named = make_from_files(csv_file(tmp_path / "n.jsonl", '{"captureData": "a word", "a": 1}\n'))
    assert named.baseline.columns == ("captureData", "a")


def test_lists_in_parquet_are_refused_by_column(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": [1], "l": [[1, 2]]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column l: expected plain values, found list"):
        make_from_files(tmp_path / "t.parquet")
    assert make_from_files(tmp_path / "t.parquet", exclude=["l"]).baseline.columns == ("a",)


def test_missing_files_and_empty_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none.csv: no such file or folder"):
        make_from_files(tmp_path / "none.csv")
    with pytest.raises(DataError, match="expected CSV, Parquet or JSON lines"):
        make_from_files(tmp_path)
    with pytest.raises(BaselineInvalid, match="the training data has none"):
        make_from_files(csv_file(tmp_path / "t.csv", "a,b\n"))


def test_columns_that_do_not_exist_are_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(ColumnsUnknown, match="no column 'zz'; columns: 'a', 'b', 'c'") as caught:
        make_from_files(train(tmp_path), ["zz"])
    assert (caught.value.purpose, caught.value.valid) == ("predictions", ("a", "b", "c"))
    with pytest.raises(
        ColumnsUnknown, match="no column 'yy', 'zz'; columns: 'a', 'b', 'c'"
    ) as caught:
        make_from_files(train(tmp_path), exclude=["zz", "yy"])
    assert (caught.value.purpose, caught.value.columns) == ("exclude", ("yy", "zz"))


def test_progress_adds_up_to_all_bytes_twice(tmp_path: Path) -> None:
    path = train(tmp_path)
    counts = list[int]()
    make_from_files(path, progress=counts.append)
    assert sum(counts) == 2 * TrainingData(path).size == 2 * path.stat().st_size


def test_a_written_baseline_is_loaded_unchanged(tmp_path: Path) -> None:
    built = make_from_files(train(tmp_path), ["b"])
    write(built, tmp_path / "baseline")
    assert {path.name for path in (tmp_path / "baseline").iterdir()} == {
        "statistics.json",
        "constraints.json",
        "baseline.msgpack",
    }
    assert load_baseline(tmp_path / "baseline").fingerprint == built.baseline.fingerprint
    assert json.loads((tmp_path / "baseline" / "statistics.json").read_text()) == built.statistics


def test_only_the_user_can_read_a_written_baseline(tmp_path: Path) -> None:
    write(make(lambda: [pa.table({"x": ["a", "b"]})]), tmp_path)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(FILES, 0o600)


def test_a_disk_that_fills_up_leaves_the_folder_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "baseline"
    write(make_from_files(train(tmp_path)), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    calls: list[int] = []
    sync = os.fsync

    def full(number: int) -> None:
        calls.append(number)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        sync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(make(lambda: [table(z=["1", "2"])]), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def edited(tmp_path: Path, change: dict[str, object], index: int = 2) -> Path:
    folder = tmp_path / "baseline"
    write(make_from_files(train(tmp_path)), folder)
    path = folder / "constraints.json"
    data = json.loads(path.read_text())
    data["features"][index].update(change)
    path.write_text(json.dumps(data))
    return folder


def test_edits_of_the_constraints_take_effect_and_keep_the_fingerprint(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"completeness": 0.25, "string_constraints": {"domains": ["ann"]}})
    loaded = load_baseline(folder)
    assert (
        loaded.constraints.features["c"].completeness,
        loaded.constraints.features["c"].domains,
    ) == (0.25, ("ann",))
    built = make_from_files(train(tmp_path)).baseline
    assert loaded.fingerprint == built.fingerprint
    assert loaded.checksum != built.checksum


def test_edits_of_the_constraints_are_detected(tmp_path: Path) -> None:
    assert not constraints_were_edited(edited(tmp_path, {}))
    assert not constraints_were_edited(tmp_path / "nowhere")
    assert constraints_were_edited(edited(tmp_path, {"completeness": 0.25}))
    assert constraints_were_edited(edited(tmp_path, {"completness": 1.0})), "a misspelt edit, too"


def test_numbers_in_a_domain_become_their_text(tmp_path: Path) -> None:
    folder = edited(tmp_path, {"string_constraints": {"domains": [1, 2, "ann"]}})
    assert load_baseline(folder).constraints.features["c"].domains == ("1", "2", "ann")


def test_a_key_that_is_null_has_its_default(tmp_path: Path) -> None:
    nulls = dict.fromkeys(
        ("num_constraints", "string_constraints", "monitoringConfigOverrides", "completeness")
    )
    assert load_baseline(edited(tmp_path, nulls)).constraints.features["c"] == Constraint()


@pytest.mark.parametrize(
    "change",
    [
        {"monitoringConfigOverrides": {"evaluate_constraints": "Disabled"}},
        {
            "string_constraints": {
                "monitoring_config_overrides": {"evaluate_constraints": "Disabled"}
            }
        },
    ],
)
def test_both_spellings_of_an_override_disable_a_feature(
    tmp_path: Path, change: dict[str, object]
) -> None:
    features = load_baseline(edited(tmp_path, change)).constraints.features
    assert {name: constraint.evaluate for name, constraint in features.items()} == {
        "a": True,
        "b": True,
        "c": False,
    }


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        write(make_from_files(train(tmp_path)), tmp_path / "file" / "baseline")


def test_a_folder_without_constraints_uses_those_of_the_baseline(tmp_path: Path) -> None:
    built = make_from_files(train(tmp_path))
    write(built, tmp_path / "baseline")
    (tmp_path / "baseline" / "constraints.json").unlink()
    assert load_baseline(tmp_path / "baseline").fingerprint == built.baseline.fingerprint


def test_a_folder_without_a_baseline_is_refused_with_the_command_that_creates_one(
    tmp_path: Path,
) -> None:
    with pytest.raises(BaselineInvalid, match="driftline baseline TRAIN"):
        load_baseline(tmp_path)
    (tmp_path / "baseline.msgpack").write_bytes(b"\x00 no baseline")
    with pytest.raises(
        BaselineInvalid, match=r"baseline\.msgpack: file: damaged.*driftline baseline TRAIN"
    ):
        load_baseline(tmp_path)


def events(rows: int) -> pa.Table:
    return table(
        p=[f"{k * 0.5}" for k in range(rows)],
        a=[str(k) for k in range(rows)],
        w=["u" if k % 2 else "v" for k in range(rows)],
    )


def test_learning_all_columns_equals_building_a_baseline_from_the_same_rows() -> None:
    learned = learn(None, [events(300), events(200)], ["p"], ["a", "w"])
    built = make(lambda: [events(300), events(200)], ["p"]).baseline
    assert learned.fingerprint == built.fingerprint
    assert learned.columns == ("p", "a", "w")


def test_learning_from_samples_equals_learning_from_their_rows() -> None:
    def sample(start: int, size: int) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, events(600).schema) as writer:
            writer.write_table(events(600).slice(start, size))
        data: bytes = sink.getvalue().to_pybytes()
        return data

    learned = learn_from_samples(
        known=empty_baseline(),
        samples=[sample(0, 599), sample(599, 1)],
        outputs=["p"],
        inputs=["a", "w"],
    )
    assert learned.fingerprint == make(lambda: [events(600)], ["p"]).baseline.fingerprint


def test_learning_the_outputs_leaves_known_columns_unchanged() -> None:
    known = make(lambda: [events(1_000).select(["a", "w"])]).baseline
    both = learn(known, [events(300)], ["p"], ["a", "w"])
    assert both.columns == ("a", "w", "p")
    assert [feature.role for feature in both.layout.features] == [
        "feature",
        "feature",
        "prediction",
    ]
    assert both.layout.features[:2] == known.layout.features
    start = int(both.layout.starts[2])
    assert np.array_equal(both.profile.counts[:start], known.profile.counts)
    assert int(both.profile.counts[both.layout.bins(2)].sum()) == 300
    assert set(both.constraints.features) == {"a", "w", "p"}


def test_a_column_without_any_value_is_learned_as_unknown() -> None:
    learned = learn(None, [table(p=["1", "2"], a=[None, None])], ["p"], ["a"])
    assert learned.columns == ("p", "a")
    assert {feature.name: feature.type for feature in learned.layout.features} == {
        "p": "Integral",
        "a": "Unknown",
    }
