"""`driftline baseline` on files of SageMaker Model Monitor: what it writes, says and refuses."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from stream.baselining.build import load_baseline, make, write
from stream.cli import main


def driftline(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["baseline", *map(str, arguments)])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder as a baseline job writes it, of 40 rows."""
    folder = tmp_path / "results"
    columns = {"y": [str(k % 2) for k in range(40)], "x": [str(k / 4) for k in range(40)]}
    rows = pa.table({name: pa.array(values) for name, values in columns.items()})
    write(make(lambda: [rows]), folder)
    (folder / "baseline.msgpack").unlink()
    return folder


def test_both_files_are_copied_unchanged_beside_the_counts(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "base"
    result = driftline(results, "--out", out, "--prediction", "y")
    assert result.exit_code == 0, result.output
    for name in ("statistics.json", "constraints.json"):
        assert (out / name).read_bytes() == (results / name).read_bytes()
    baseline = load_baseline(out)
    assert baseline.fingerprint == load_baseline(results, ["y"]).fingerprint
    assert [feature.role for feature in baseline.layout.features] == ["prediction", "feature"]
    assert result.stdout.startswith("40 rows, 2 features (1 Integral, 1 Fractional), fingerprint ")
    assert result.stderr == ""


def test_what_the_files_do_not_say_is_told(results: Path, tmp_path: Path) -> None:
    (results / "constraints.json").unlink()
    result = driftline(results, "--out", tmp_path / "base")
    assert result.exit_code == 0, result.output
    assert "name them with --prediction" in result.stderr
    assert "there is no constraints.json" in result.stderr
    written = json.loads((tmp_path / "base" / "constraints.json").read_text())
    assert [feature["name"] for feature in written["features"]] == ["y", "x"]


def test_a_folder_becomes_a_baseline_in_its_own_place(results: Path) -> None:
    before = (results / "constraints.json").read_bytes()
    assert driftline(results, "--out", results, "--predictions", "y").exit_code == 0
    assert (results / "baseline.msgpack").exists()
    assert (results / "constraints.json").read_bytes() == before


def test_files_of_another_baseline_are_not_overwritten(results: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text("y,x\n" + "1,2\n" * 9)
    result = driftline(train, "--out", results)
    assert result.exit_code == 2
    assert "--force" in result.output
    assert driftline(train, "--out", results, "--force").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--prediction", "z"), "no column 'z'"),
        (("--text", "x"), "--text can be given only with training data"),
        (("--exclude", "x"), "--exclude can be given only with training data"),
        (("--no-header",), "--no-header can be given only with training data"),
        (("--label", "y"), "--label can be given only with training data"),
        (("--region", "eu-central-1"), ""),
    ],
)
def test_options_without_a_meaning_are_refused(
    results: Path, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    result = driftline(results, "--out", tmp_path / "base", *arguments)
    assert (result.exit_code != 0) == bool(expected)
    assert expected in result.output


def test_a_damaged_file_is_refused_and_writes_nothing(results: Path, tmp_path: Path) -> None:
    path = results / "statistics.json"
    content = json.loads(path.read_text())
    content["features"][1]["numerical_statistics"]["mean"] = "much"
    del content["features"][0]["numerical_statistics"]["common"]
    path.write_text(json.dumps(content))
    result = driftline(results, "--out", tmp_path / "base")
    assert result.exit_code == 2
    assert f"{path}: 2 faults" in result.output
    assert "features[0].numerical_statistics.common" in result.output
    assert "(feature 'x')" in result.output
    assert not (tmp_path / "base").exists()


def test_a_baseline_of_driftline_is_no_training_data(results: Path, tmp_path: Path) -> None:
    assert driftline(results, "--out", tmp_path / "base").exit_code == 0
    result = driftline(tmp_path / "base", "--out", tmp_path / "other")
    assert result.exit_code == 2
    assert "a baseline of driftline already" in result.output


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://", "has no bucket"),
        ("s3://b/train.csv", "copy them here first"),
        ("s3://b/results/statistics.json", "give its folder, s3://b/results/"),
    ],
)
def test_addresses_in_s3_that_are_no_folder_are_refused(
    tmp_path: Path, uri: str, expected: str
) -> None:
    result = driftline(uri, "--out", tmp_path / "base")
    assert result.exit_code == 2
    assert expected in result.output


CONFIG = """job: j
source: {type: jsonl, path: captures/}
format: {type: sagemaker}
window: 10m
model: {name: m}
models:
  m: {baseline: results/, outputs: [y]}
sinks:
  - {type: jsonl, path: reports/}
"""


def test_a_configuration_may_name_the_folder_and_check_says_what_it_lacks(
    results: Path, tmp_path: Path
) -> None:
    path = results / "statistics.json"
    content = json.loads(path.read_text())
    text = {"common": {"num_present": 40, "num_missing": 0}, "distinct_count": 40.0}
    content["features"].append({"name": "id", "inferred_type": "String", "string_statistics": text})
    path.write_text(json.dumps(content))
    (results / "constraints.json").unlink()
    (tmp_path / "captures").mkdir()
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    result = CliRunner().invoke(main, ["check", str(config)])
    assert f"baseline {load_baseline(results, ['y']).fingerprint}, 3 features" in result.output
    assert "their drift is not judged (completeness, type and domain are): 'id'" in result.output


def test_region_is_an_option_of_s3_alone(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text("x\n1\n")
    result = driftline(train, "--out", tmp_path / "base", "--region", "eu-central-1")
    assert result.exit_code == 2
    assert "--region can be given only with s3://" in result.output
