"""Quality baselines that a configuration names: relative folders, and faults with their keys."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream.baselining.quality.configured import configured_quality, quality_check
from stream.cli import main
from stream.config.environment import Environment
from stream.config.load import parse
from stream.config.model import Config

DATA = "y,p,s\n" + "".join(f"{k % 2},{(k // 3) % 2},{(k % 7) / 7}\n" for k in range(240))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configured")
    (folder / "v.csv").write_text(DATA)
    for out, options in {
        "base": ("--predictions", "p"),
        "quality": ("--quality", "binary", "--label", "y", "--probability", "s"),
        "answers": ("--quality", "binary", "--label", "y", "--prediction", "p"),
        "numbers": ("--quality", "regression", "--label", "y", "--prediction", "s"),
    }.items():
        command = ["baseline", str(folder / "v.csv"), "--out", str(folder / out), *options]
        assert CliRunner().invoke(main, command).exit_code == 0
    return folder


def config(folder: Path, **quality: Any) -> Config:
    data = {
        "job": "j",
        "source": {"type": "jsonl", "path": "in"},
        "format": {"type": "json", "id": "id"},
        "model": {"from": "const", "name": "m"},
        "models": {
            "m": {
                "baseline": "base",
                "quality": {"problem": "binary", "probability": "s", **quality},
            }
        },
        "labels": {"source": {"type": "jsonl", "path": "labels"}, "format": {"type": "json"}},
    }
    return parse(data, folder, Environment(needed=False))


def reasons(config: Config) -> dict[str, str]:
    faults = quality_check(config)
    assert len({fault.path for fault in faults}) == len(faults)
    return {fault.path.removeprefix("models.m.quality."): fault.reason for fault in faults}


def test_a_folder_is_relative_to_the_configuration(folder: Path) -> None:
    baselines = configured_quality(config(folder, baseline="quality"))
    baseline = baselines["m"]
    assert baseline is not None
    assert baseline.rows == 240


def test_a_model_without_a_folder_has_none(folder: Path) -> None:
    limits = {"f1": {"min": 0.5}}
    assert configured_quality(config(folder, limits=limits)) == {"m": None}


@pytest.mark.parametrize(
    ("quality", "path", "reason"),
    [
        ({"baseline": "base"}, "baseline", "these are the constraints of a baseline of the data"),
        ({"baseline": "nowhere"}, "baseline", "driftline baseline FILE --quality"),
        ({"baseline": "numbers"}, "baseline", "expected one of a binary problem, found regression"),
        (
            {"baseline": "quality", "threshold": 0.4},
            "threshold",
            "expected that of the baseline, 0.5, found 0.4",
        ),
        ({"baseline": "quality", "positive": "yes"}, "positive", "unknown class 'yes'"),
        (
            {"baseline": "quality", "positive": "0"},
            "positive",
            "the positive class of the baseline",
        ),
        ({"baseline": "answers", "estimate": "cbpe"}, "estimate", "calibration"),
        ({"estimate": "cbpe"}, "estimate", "expected a `baseline`"),
        ({"baseline": "quality", "metrics": ["auk"]}, "metrics[0]", "did you mean 'auc'"),
    ],
)
def test_what_does_not_fit_is_a_fault_with_its_key(
    folder: Path, quality: dict[str, Any], path: str, reason: str
) -> None:
    found = reasons(config(folder, **quality))
    assert re.search(reason, found[path]), found


def test_the_command_checks_quality_baselines(folder: Path) -> None:
    text = """\
job: j
source: {type: jsonl, path: in}
format: {type: json}
model: {from: const, name: m}
models: {m: {baseline: base, quality: {problem: binary, probability: s, baseline: nowhere}}}
labels: {source: {type: jsonl, path: labels}, format: {type: json}}
"""
    (folder / "config.yaml").write_text(text)
    result = CliRunner().invoke(main, ["check", str(folder / "config.yaml")])
    assert result.exit_code == 2
    assert "models.m.quality.baseline" in result.output
