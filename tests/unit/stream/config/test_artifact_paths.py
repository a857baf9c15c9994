"""The paths of a job's files, read from a configuration whose other keys may be invalid."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.artifact_paths import ArtifactPaths
from stream.errors import ConfigError

CONFIG = """\
job: flights
source: {type: kafka, options: {sasl_plain_password: "${PASSWORD}"}}
window: "${WINDOW}"
a key of a later version: 1
models:
  a: {baseline: baselines/a}
  b: {baseline: learn, outputs: [p], inputs: [x]}
  c: {baseline: "${FOLDER}/c"}
  d: {baseline: nowhere}
sinks:
  - {type: prometheus}
  - {type: jsonl, path: reports}
  - {type: sns, topic_arn: "${TOPIC}"}
  - {type: jsonl, path: none}
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


def test_paths_are_relative_to_the_file_and_need_no_other_variables(
    file: Path, tmp_path: Path
) -> None:
    paths = ArtifactPaths(file)
    assert paths.reports == [tmp_path / "reports"], "those that exist"
    assert paths.state == tmp_path / "driftline-flights.sqlite"
    assert paths.baseline("a") == tmp_path / "baselines" / "a"
    assert {paths.baseline(name) for name in ("b", "d", "a removed model")} == {None}


def test_a_path_needs_its_own_variable(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ConfigError,
        match=r"config\.yaml:8: models\.c\.baseline: environment variable FOLDER is not set",
    ):
        ArtifactPaths(file).baseline("c")
    (tmp_path / "c").mkdir()
    monkeypatch.setenv("FOLDER", str(tmp_path))
    assert ArtifactPaths(file).baseline("c") == tmp_path / "c"


@pytest.mark.parametrize("text", ["sinks: 3", "models: {a: {baseline: 3}}", "- a list"])
def test_an_invalid_configuration_is_refused_with_the_command_that_checks_it(
    file: Path, text: str
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml:1: .*driftline check"):
        ArtifactPaths(file)
