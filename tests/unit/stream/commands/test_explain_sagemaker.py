"""Explaining a report that was judged by the checks of SageMaker Model Monitor."""

from __future__ import annotations

import io
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.reference import Reference
from detectors.report import SagemakerFigures, WindowReport
from stream.baselining.build import BuiltBaseline, write
from stream.commands.explain import explain
from stream.testing.baselines import baseline, normal
from tests.support.values import window_with_values

TRAINING = normal(1, 400)
BASE = baseline({"x": TRAINING})
BASE.references["x"] = Reference(levels=(tuple(TRAINING.tolist()),))


def report(rules: Rules) -> WindowReport:
    profile = window_with_values(BASE.layout, {"x": normal(2, 300, 2.0)})
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
    return Judge("j", rules).report(span, BASE, profile, EpisodeState())


COMPAT = report(Rules(mode="sagemaker-compat"))


def explained(folder: Path, published: WindowReport) -> tuple[bool, str]:
    write(BuiltBaseline(BASE, {}, {}, {}), folder / "b")
    (folder / "b" / "constraints.json").unlink()
    (folder / "reports-1.jsonl").write_bytes(msgspec.json.encode(published) + b"\n")
    console = Console(file=io.StringIO(), width=200)
    matches = explain([published.id, "x"], None, folder, folder / "b", console)
    assert isinstance(console.file, io.StringIO)
    return matches, console.file.getvalue()


def figures(published: WindowReport) -> SagemakerFigures:
    found = published.features[0].sagemaker
    assert found is not None
    return found


def test_both_distances_are_recomputed_and_match(tmp_path: Path) -> None:
    (violation,) = COMPAT.violations
    assert violation.check == "baseline_drift_check"
    matches, page = explained(tmp_path, COMPAT)
    assert matches, page
    assert "psi" in page
    rows = {line.split("\u2502")[1].strip(): line for line in page.splitlines() if "\u2502" in line}
    assert f"{figures(COMPAT).distance:.10g}" in rows["SageMaker's distance"]
    assert "Robust" in rows["SageMaker's method"]
    assert "300" in rows["its total n"]
    assert f"baseline_drift_check: Robust {violation.value:.6g}, limit 0.1" in page


@pytest.mark.parametrize(
    "fields", [{"distance": 0.5}, {"n": 7.0}, {"threshold": 0.2}, {"exceeds": False}]
)
def test_a_change_of_a_figure_is_detected(tmp_path: Path, fields: dict[str, float]) -> None:
    changed = replace(COMPAT.features[0], sagemaker=replace(figures(COMPAT), **fields))
    matches, page = explained(tmp_path, replace(COMPAT, features=(changed,)))
    assert not matches
    assert page.endswith("recomputed values differ from the published ones\n")


def test_a_report_on_too_many_values_shows_what_needs_them_as_published(tmp_path: Path) -> None:
    with patch("detectors.decisions.judge.MOST_VALUE_BYTES", 16 * 299):
        small = report(Rules(mode="sagemaker-compat"))
    assert len(small.profile) < len(COMPAT.profile) / 2
    assert replace(small, profile=b"") == replace(COMPAT, profile=b"")
    matches, page = explained(tmp_path, small)
    assert matches, page
    assert "too many for its report" in page
    assert f"baseline_drift_check: Robust {small.violations[0].value:.6g}, limit 0.1" in page
    matches, _ = explained(tmp_path, replace(small, rows=299))
    assert not matches


def test_a_report_by_driftlines_checks_is_explained_without_the_distance(tmp_path: Path) -> None:
    """Also where a schedule makes the job keep values."""
    published = report(Rules())
    assert published.features[0].sagemaker is None
    matches, page = explained(tmp_path, published)
    assert matches, page
    assert "psi" in page
    assert "SageMaker's distance" not in page
