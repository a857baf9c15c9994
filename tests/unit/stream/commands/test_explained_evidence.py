"""The evidence on the page of `driftline explain`, from the report alone."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from detectors.finding import Evidence
from detectors.report import WindowReport
from stream.baselining.build import BuiltBaseline, write
from stream.commands.explain import explain
from tests.unit.detectors.decisions.evidence_stream import BASE, rows, run


@pytest.fixture(scope="module")
def report() -> WindowReport:
    """The first report with a violation over several windows."""
    rng = np.random.default_rng(3)
    drifted = [rows(rng, 300, mean=0.15) for _ in range(12)]
    return next(result.report for result in run(drifted) if result.report.pooled)


def explained(folder: Path, report: WindowReport, feature: str) -> tuple[bool, str]:
    write(BuiltBaseline(BASE, {}, {}, {}), folder / "b")
    (folder / "b" / "constraints.json").unlink()
    (folder / "reports-1.jsonl").write_bytes(msgspec.json.encode(report) + b"\n")
    console = Console(file=io.StringIO(), width=200)
    matches = explain([report.id, feature], None, folder, folder / "b", console)
    assert isinstance(console.file, io.StringIO)
    return matches, console.file.getvalue()


@pytest.mark.parametrize("feature", ["x", "y", "c"])
def test_all_numbers_follow_from_the_report(
    tmp_path: Path, report: WindowReport, feature: str
) -> None:
    matches, page = explained(tmp_path, report, feature)
    assert matches, page
    assert "drift: p_value" in page
    assert "rules.mode is evidence" in page


@pytest.mark.parametrize("number", ["p_value", "allowed", "effect", "n"])
def test_a_change_of_any_number_of_a_finding_is_detected(
    tmp_path: Path, report: WindowReport, number: str
) -> None:
    assert not explained(tmp_path, _changed(report, **{number: 1}), "x")[0]


def test_tallies_that_are_cut_short_make_the_report_unreadable(
    tmp_path: Path, report: WindowReport
) -> None:
    cut = msgspec.structs.replace(report, pooled=report.pooled[:-3])
    with pytest.raises(Exception, match="counts cannot be read"):
        explained(tmp_path, cut, "x")


def _changed(report: WindowReport, **numbers: int) -> WindowReport:
    x, *others = report.features
    evidence = x.evidence
    assert isinstance(evidence, Evidence)
    first, *more = evidence.findings
    first = msgspec.structs.replace(first, **numbers)
    evidence = msgspec.structs.replace(evidence, findings=(first, *more))
    features = (msgspec.structs.replace(x, evidence=evidence), *others)
    return msgspec.structs.replace(report, features=features)
