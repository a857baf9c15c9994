"""docs/reports.md lists exactly the fields of reports and signals, and shows a real signal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from detectors.early_finding import EarlyFinding
from detectors.finding import Evidence, EvidenceFinding
from detectors.joint_report import JointReport, PairReport, UnjudgedPair
from detectors.quality_report import (
    EstimateReport,
    EstimateSection,
    MetricReport,
    MetricVerdict,
    QualityEvidence,
    QualityReport,
    QualityState,
)
from detectors.report import (
    ComparedSeason,
    FeatureReport,
    Figures,
    SagemakerFigures,
    SegmentReport,
    Signal,
    SignalKind,
    SignalledFeature,
    State,
    Verdict,
    WindowReport,
)
from detectors.schedule_report import ScheduleReport, Status
from detectors.violation import BinShift, Violation
from stream.commands.executions import STATUSES, Execution, Worst
from tests.packaging.pages import blocks_of
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "reports.md"
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "Window report": WindowReport,
    "Compared season": ComparedSeason,
    "Feature report": FeatureReport,
    "Evidence": Evidence,
    "Finding": EvidenceFinding,
    "Dependence of features": JointReport,
    "Pair": PairReport,
    "Unjudged pair": UnjudgedPair,
    "Segment": SegmentReport,
    "Numbers of one side": Figures,
    "SageMaker's distance": SagemakerFigures,
    "Violation": Violation,
    "Moved bin": BinShift,
    "Schedule report": ScheduleReport,
    "Execution": Execution,
    "Worst violation": Worst,
    "Signal": Signal,
    "Signalled feature": SignalledFeature,
    "Early finding": EarlyFinding,
    "Quality report": QualityReport,
    "Metric": MetricReport,
    "Estimates": EstimateSection,
    "Estimate": EstimateReport,
    "Quality evidence": QualityEvidence,
}


def table(section: str, heading: str) -> dict[str, str]:
    """The meaning of each name in a table, found by its section and the heading of its column."""
    text = PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    body = text.split(f"| {heading} | meaning |\n| --- | --- |\n")[1].split("\n\n")[0]
    meanings: dict[str, str] = {}
    for row in body.splitlines():
        names, meaning = row.strip("| ").split(" | ", 1)
        meanings |= dict.fromkeys(re.findall(r"`([^`]+)`", names), meaning)
    return meanings


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_has_every_field_with_its_meaning(section: str) -> None:
    meanings = table(section, "field")
    assert set(meanings) == set(SECTIONS[section].__struct_fields__)
    assert all(meaning.endswith(".") for meaning in meanings.values())


def test_the_page_has_every_state_verdict_and_kind() -> None:
    assert set(table("Window report", "state")) == set(get_args(State))
    assert set(table("Schedule report", "status")) == set(get_args(Status))
    statuses = re.findall(r"`([A-Z]\w+)`", table("Execution", "field")["status"])
    assert set(statuses) == set(STATUSES)
    named = re.findall(r"`([^`]+)`", table("Feature report", "field")["verdict"])
    assert set(named) == set(get_args(Verdict))
    assert set(re.findall(r"`(\w+)`", table("Signal", "field")["kind"])) == set(
        get_args(SignalKind)
    )


def test_the_page_has_every_state_and_verdict_of_quality() -> None:
    assert set(table("Quality report", "state")) == set(get_args(QualityState))
    named = re.findall(r"`([^`]+)`", table("Metric", "field")["verdict"])
    assert set(named) == set(get_args(MetricVerdict))


def is_part_of(shown: Any, real: Any) -> bool:
    """Whether an example shows a part of a real document: lists may be shortened, nothing else."""
    if isinstance(shown, dict):
        return shown.keys() == real.keys() and all(is_part_of(shown[k], real[k]) for k in shown)
    if isinstance(shown, list):
        return all(any(is_part_of(entry, whole) for whole in real) for entry in shown)
    return bool(shown == (pytest.approx(real) if isinstance(real, float) else real))


def test_the_signal_on_the_page_is_that_of_the_quickstart(finished_quickstart: Path) -> None:
    (signal,) = (finished_quickstart / "reports" / "signals.jsonl").read_text().splitlines()
    (example,) = [block.text for block in blocks_of(PAGE) if block.language == "json"]
    assert is_part_of(json.loads(example), json.loads(signal))
