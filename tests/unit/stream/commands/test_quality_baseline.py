"""`driftline baseline --quality` as a user calls it: what it reads, writes, says and refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner, Result

from stream.baselining.quality.folder import load_quality
from stream.cli import main

ROWS = [(0, 0.1), (0, 0.4), (0, 0.7), (1, 0.8), (1, 0.3), (1, 0.9)]
"""True class and score: at 0.5 two hits, a miss, a false alarm and two right rejections."""
MATRIX = {"0": {"0": 2, "1": 1}, "1": {"0": 1, "1": 2}}


def driftline(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["baseline", *map(str, arguments)])


def csv(folder: Path, text: str, name: str = "v.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def scores(folder: Path) -> Path:
    return csv(folder, "y,s\n" + "".join(f"{y},{s}\n" for y, s in ROWS))


def made(folder: Path, *arguments: object) -> dict[str, Any]:
    result = driftline(*arguments, "--out", folder / "q")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads((folder / "q" / "statistics.json").read_text())
    return document


BINARY = ("--quality", "binary", "--label", "y", "--probability", "s")


def test_three_files_and_a_table_with_intervals(tmp_path: Path) -> None:
    result = driftline(scores(tmp_path), *BINARY, "--out", tmp_path / "q")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "q").iterdir())
    assert names == ["constraints.json", "quality.msgpack", "statistics.json"]
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["metric", "value", "95", "%", "interval", "rows"]
    assert any(line.split()[:2] == ["accuracy", "0.6667"] for line in lines)
    assert lines[-1].startswith("6 rows, binary, positive class '1', fingerprint ")
    baseline = load_quality(tmp_path / "q")
    assert (baseline.label, baseline.probability, baseline.prediction) == ("y", "s", "")
    assert baseline.confusion == MATRIX


def test_the_default_folder_is_quality(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert driftline(scores(tmp_path), *BINARY).exit_code == 0
    assert (tmp_path / "quality" / "quality.msgpack").exists()


@pytest.mark.parametrize(("threshold", "rejected"), [(0.35, 1), (0.4, 2), (0.0, 0), (1.0, 3)])
def test_a_score_above_the_threshold_is_positive_one_equal_to_it_is_not(
    tmp_path: Path, threshold: float, rejected: int
) -> None:
    """``rejected`` counts those of the scores 0.1, 0.4 and 0.7 of class 0."""
    document = made(tmp_path, scores(tmp_path), *BINARY, "--threshold", threshold)
    metrics = document["binary_classification_metrics"]
    assert metrics["confusion_matrix"]["0"]["0"] == rejected


@pytest.mark.parametrize("kind", ["csv", "no header", "named", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_files(tmp_path: Path, kind: str) -> None:
    columns: tuple[object, ...] = BINARY
    if kind == "csv":
        path = scores(tmp_path)
    elif kind in ("no header", "named"):
        path = csv(tmp_path, "".join(f"{y},{s}\n" for y, s in ROWS))
        columns = (*BINARY, "--columns", "y,s", "--no-header")
        if kind == "no header":
            columns = (*BINARY[:3], "0", "--probability", "1", "--no-header")
    elif kind == "jsonl":
        path = csv(tmp_path, "".join(f'{{"y": {y}, "s": {s}}}\n' for y, s in ROWS), "v.jsonl")
    else:
        path = tmp_path / "v.parquet"
        table = {"y": [float(y) for y, _ in ROWS], "s": [s for _, s in ROWS]}
        parquet.write_table(pa.table(table), path)
    document = made(tmp_path, path, *columns)
    expected = made(tmp_path, scores(tmp_path), *BINARY)
    assert document == expected
    assert document["binary_classification_metrics"]["confusion_matrix"] == MATRIX


def test_spellings_of_a_number_are_one_class(tmp_path: Path) -> None:
    text = "y,p\n1.0,1\n0,0.0\n1,0\n"
    path = csv(tmp_path, text)
    document = made(tmp_path, path, "--quality", "binary", "--label", "y", "--prediction", "p")
    matrix = document["binary_classification_metrics"]["confusion_matrix"]
    assert matrix == {"0": {"0": 1, "1": 0}, "1": {"0": 1, "1": 1}}
    assert "auc" not in document["binary_classification_metrics"]


def test_words_are_classes(tmp_path: Path) -> None:
    path = csv(tmp_path, "y,p\nstay,stay\nleave,stay\nleave,leave\n")
    options = ("--quality", "binary", "--label", "y", "--prediction", "p")
    result = driftline(path, *options, "--out", tmp_path / "q")
    assert result.exit_code == 2
    assert "the positive class is unknown; classes: 'leave', 'stay'" in result.output
    made(tmp_path, path, *options, "--positive", "leave")
    assert load_quality(tmp_path / "q").classes == ("stay", "leave")


def test_multiclass_files_have_weighted_metrics(tmp_path: Path) -> None:
    path = csv(tmp_path, "y,p\na,a\nb,a\nc,c\nb,b\n")
    document = made(tmp_path, path, "--quality", "multiclass", "--label", "y", "--prediction", "p")
    metrics = document["multiclass_classification_metrics"]
    assert metrics["accuracy"]["value"] == 0.75
    assert metrics["weighted_precision"]["value"] == pytest.approx((0.5 + 2 * 1 + 1) / 4)
    assert metrics["confusion_matrix"]["b"] == {"a": 1, "b": 1, "c": 0}


def test_rows_without_a_label_are_left_out_and_told(tmp_path: Path) -> None:
    text = "y,s\n" + "".join(f"{y},{s}\n" for y, s in ROWS) + ",0.5\nNaN,0.5\nNA,0.2\n0,\n"
    path = csv(tmp_path, text)
    result = driftline(path, *BINARY, "--out", tmp_path / "q")
    assert result.exit_code == 0, result.output
    assert "warning: 3 rows without a label left out" in result.stderr
    assert "warning: 1 row without a prediction left out" in result.stderr
    assert load_quality(tmp_path / "q").confusion == MATRIX


def test_a_numeric_label_that_is_nan_is_left_out(tmp_path: Path) -> None:
    path = csv(tmp_path, "y,p\n1,2\nNaN,3\ninf,4\n5,5\n")
    options = ("--quality", "regression", "--label", "y", "--prediction", "p")
    result = driftline(path, *options, "--out", tmp_path / "q")
    assert "warning: 2 rows without a label left out" in result.stderr
    assert load_quality(tmp_path / "q").metrics["mae"].value == 0.5


REFUSED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "a label that is no column": (
        "churn,s\n1,0.5\n",
        ("--quality", "binary", "--label", "chrun", "--probability", "s"),
        (
            "Invalid value for '--label'",
            "no column 'chrun'; did you mean 'churn'?",
        ),
    ),
    "a text among numbers": (
        "y,p\n1,1\nhigh,2\n",
        ("--quality", "regression", "--label", "y", "--prediction", "p"),
        ("column 'y', row 2: expected a number, found 'high'",),
    ),
    "three classes": (
        "y,s\n1,0.5\n2,0.5\n0,0.1\n",
        BINARY,
        (
            "'y' hold 3 classes ('0', '1', '2'): expected two",
            "--quality multiclass",
        ),
    ),
    "a positive class that no row has": (
        "y,s\nyes,0.5\nno,0.1\n",
        (*BINARY, "--positive", "yess"),
        (
            "Invalid value for '--positive'",
            "no row is of the class 'yess'",
            "did you mean 'yes'?",
        ),
    ),
    "a score above 1": (
        "y,s\n1,0.5\n0,1.5\n1,-2\n",
        BINARY,
        ("column 's': expected a probability from 0 to 1, found 1.5 in row 2, and in 1 more rows",),
    ),
    "no rows": ("y,s\n", BINARY, ("there is no row",)),
    "no usable row": ("y,s\n,0.5\n1,\n", BINARY, ("no row has a label and an answer",)),
    "no label": ("y,s\n1,0.5\n", ("--quality", "binary", "--probability", "s"), ("'--label'",)),
    "no answer": (
        "y,s\n1,0.5\n",
        ("--quality", "binary", "--label", "y"),
        ("needs --prediction or --probability",),
    ),
    "a score of a regression": (
        "y,s\n1,0.5\n",
        ("--quality", "regression", "--label", "y", "--prediction", "y", "--probability", "s"),
        ("has no --probability",),
    ),
    "a threshold without scores": (
        "y,p\n1,1\n",
        ("--quality", "binary", "--label", "y", "--prediction", "p", "--threshold", "0.4"),
        ("--threshold needs --probability",),
    ),
    "one column twice": (
        "y,s\n1,0.5\n",
        ("--quality", "binary", "--label", "y", "--prediction", "y"),
        ("column 'y' is named by two options",),
    ),
    "an option of the other baseline": (
        "y,s\n1,0.5\n",
        (*BINARY, "--predictions", "s"),
        ("--predictions can be given only without --quality; --prediction names the answers",),
    ),
    "an option without the kind of problem": (
        "y,s\n1,0.5\n",
        ("--label", "y"),
        ("--label can be given only with --quality",),
    ),
    "an option of the answers of a test set": (
        "y,s\n1,0.5\n",
        ("--prediction", "y"),
        ("--prediction can be given only with --quality; of training data, --predictions names",),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_with_the_remedy(tmp_path: Path, case: str) -> None:
    text, options, messages = REFUSED[case]
    result = driftline(csv(tmp_path, text), *options, "--out", tmp_path / "q")
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    for message in messages:
        assert message in said
    assert not (tmp_path / "q").exists()


def test_a_baseline_of_the_data_still_needs_a_folder(tmp_path: Path) -> None:
    result = driftline(scores(tmp_path))
    assert result.exit_code == 2
    assert "Missing option '--out'" in result.output


def test_edited_constraints_are_kept_unless_forced(tmp_path: Path) -> None:
    made(tmp_path, scores(tmp_path), *BINARY)
    path = tmp_path / "q" / "constraints.json"
    path.write_text(path.read_text().replace("0.66", "0.5"))
    result = driftline(scores(tmp_path), *BINARY, "--out", tmp_path / "q")
    assert result.exit_code == 2
    assert "was edited" in result.output
    made(tmp_path, scores(tmp_path), *BINARY, "--force")


def test_without_scikit_learn_the_warning_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    result = driftline(scores(tmp_path), *BINARY, "--out", tmp_path / "q")
    assert result.exit_code == 0, result.output
    assert "pip install 'driftline[quality]'" in " ".join(result.stderr.split())
    assert load_quality(tmp_path / "q").calibration is None


def test_with_scikit_learn_scores_are_calibrated(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the extra `quality` is not installed")
    random = np.random.default_rng(1)
    rows = "".join(f"{int(random.random() < s)},{s:.4f}\n" for s in random.random(1_000))
    made(tmp_path, csv(tmp_path, "y,s\n" + rows), *BINARY)
    calibration = load_quality(tmp_path / "q").calibration
    assert calibration is not None
    assert sum(calibration.table("").rows) == 1_000
