"""Where a job keeps its files: read from a configuration whose other keys may be anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.artifact_paths import ArtifactPaths
from stream.errors import ConfigError

CONFIG = """\
source: {type: kafka, options: {sasl_plain_password: "${PASSWORD}"}}
window: "${WINDOW}"
a key of tomorrow: 1
models:
  a: {baseline: baselines/a}
  b: {baseline: learn, outputs: [p], inputs: [x]}
  c: {baseline: "${FOLDER}/c"}
  d: {baseline: nowhere}
sinks: [{type: prometheus}, {type: jsonl, path: reports}, {type: sns, topic_arn: "${TOPIC}"}, {type: jsonl, path: none}]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PASSWORD", "WINDOW", "FOLDER", "TOPIC"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "reports").mkdir()
    (tmp_path / "baselines" / "a").mkdir(parents=True)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def test_paths_start_at_the_folder_of_the_file_and_no_variable_is_needed_for_them(
    file: Path, tmp_path: Path
) -> None:
    kept = ArtifactPaths(file)
    assert kept.reports == [tmp_path / "reports"], "those that exist"
    assert kept.state == tmp_path / "driftline.sqlite"
    assert kept.baseline("a") == tmp_path / "baselines" / "a"
    assert [kept.baseline(name) for name in ("b", "d", "a model of yesterday")] == [
        None,
        None,
        None,
    ]


def test_a_path_that_is_asked_for_needs_its_variable(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ConfigError,
        match=r"models\.c\.baseline: expected the environment variable FOLDER to be set",
    ):
        ArtifactPaths(file).baseline("c")
    (tmp_path / "c").mkdir()
    monkeypatch.setenv("FOLDER", str(tmp_path))
    assert ArtifactPaths(file).baseline("c") == tmp_path / "c"


@pytest.mark.parametrize("text", ["sinks: 3", "models: {a: {baseline: 3}}", "- a list"])
def test_what_is_no_configuration_says_how_to_look_at_it(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml: .*driftline check"):
        ArtifactPaths(file)
