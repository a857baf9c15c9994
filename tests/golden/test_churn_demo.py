"""AWS's churn demo of Model Monitor: its 60 violations, and driftline's own reading of its traffic.

The files of the demo are not part of the project; without them these tests are skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

import pytest

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import WindowReport
from stream.baselining.build import make_from_files
from stream.baselining.columns import ModelColumns
from stream.events import Assign
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.testing.format import TIME, identity
from stream.testing.records import raw_batch
from tests.support.paths import SHARED
from tests.support.records import NoSource, job_settings

DEMO = SHARED / "churn_demo"
REQUESTS = 1_977
COMPAT = Rules(mode="sagemaker-compat")
SENTENCE = (
    "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%."
    " Observed: Only {}% of data is Integral."
)


def existing(name: str) -> Path:
    if not (DEMO / name).exists():
        pytest.skip(f"component fixtures cannot be had: {name} of SageMaker is missing")
    return DEMO / name


def lines_of(name: str) -> list[str]:
    return existing(name).read_text().splitlines()


def the_hour() -> list[str]:
    """The requests of the hour that the demo shows: one round of a sample, then of all of them."""
    sample, rounds = lines_of("test_sample.csv"), lines_of("test-dataset-input-cols.csv")
    return [*sample, *islice(cycle(rounds), REQUESTS - len(sample))]


def captures(requests: list[str]) -> list[bytes]:
    """Captures with the probabilities that the demo's model answered for other customers."""
    answers = [line.split(",")[0] for line in lines_of("validation_with_predictions.csv")[1:]]
    lines = []
    for request, answer in zip(requests, cycle(answers), strict=False):
        sides = {"endpointOutput": answer, "endpointInput": request}
        data = {side: {"data": text, "encoding": "CSV"} for side, text in sides.items()}
        event = {"captureData": data, "eventMetadata": {"inferenceTime": TIME}}
        lines.append(json.dumps(event).encode())
    return lines


def trained(exclude: tuple[str, ...] = ()) -> Baseline:
    path = existing("training-dataset-with-header.csv")
    outputs = [] if exclude else ["Churn"]
    return make_from_files(path, outputs, exclude=exclude).baseline


def judged(baseline: Baseline, requests: list[str], rules: Rules) -> tuple[WindowReport, list[str]]:
    """The report on one window with these requests, and the reasons of the dead letters."""
    outputs = tuple(name for name in baseline.columns if name == "Churn")
    inputs = tuple(name for name in baseline.columns if name != "Churn")
    reader = Reader(NoSource(), Sagemaker(), identity(), job_settings())
    columns = ModelColumns(outputs, inputs, baseline.layout)
    compat = rules.is_sagemaker
    reader.use(ReadingPlan({"m": columns}, Sagemaker(), keep_values=compat, names_count=compat))
    reader.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    partial = reader.fold([raw_batch(captures(requests))])
    window = Profile(baseline.layout)
    for _, _, profile in partial.profiles:
        window.merge(profile)
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=3_600_000)
    report = Judge("j", rules).report(span, baseline, window, EpisodeState())
    return report, [letter.reason for letter in partial.dead_letters]


def test_the_checks_of_sagemaker_give_its_sixty_violations() -> None:
    report, letters = judged(trained(), the_hour(), COMPAT)
    assert (report.rows, letters) == (1_977, [])
    assert Counter((each.check, each.description) for each in report.violations) == {
        ("data_type_check", SENTENCE.format("99.64592817400101")): 59,
        ("data_type_check", SENTENCE.format("0.0")): 1,
    }
    assert [each.feature for each in report.violations if each.value == 0.0] == ["Churn"]
    integers = {feature.name for feature in report.features if feature.type == "Integral"}
    spared = integers - {each.feature for each in report.violations}
    assert spared == {
        "Account Length",
        "Day Calls",
        "Eve Calls",
        "Night Calls",
        "Intl Calls",
        "CustServ Calls",
    }


def test_sagemaker_corrects_the_distances_of_small_numbers_to_0() -> None:
    """The distances were computed with the sketch of the demo; that of another run differs a bit,
    since sketches of more than 2,050 rows are random."""
    requests = [*islice(cycle(lines_of("test_sample.csv")), REQUESTS)]
    report, _ = judged(trained(), requests, COMPAT)
    figures = {feature.name: feature.sagemaker for feature in report.features}
    for name, gap, different in (("CustServ Calls", 0.294, 6), ("Intl Calls", 0.474, 10)):
        found = figures[name]
        assert found is not None
        assert (found.method, found.distance, found.n) == ("Robust", 0.0, different)
        assert found.uncorrected == pytest.approx(gap, abs=0.08)


@pytest.mark.parametrize("name", ["test_sample.csv", "test-dataset-input-cols.csv"])
def test_in_driftlines_reading_the_line_of_names_is_one_dead_letter(name: str) -> None:
    report, letters = judged(trained(("Churn",)), lines_of(name), Rules())
    assert (report.state, report.violations, letters) == ("ok", (), ["header_row"])


def test_requests_that_are_repeated_count_as_if_they_were_not() -> None:
    report, letters = judged(trained(("Churn",)), the_hour(), Rules(mode="threshold"))
    assert letters == ["header_row"] * 7
    assert [(each.feature, each.check) for each in report.violations] == [
        ("Intl Calls", "baseline_drift_check")
    ]


def test_requests_that_are_repeated_are_evidence_of_what_the_repeated_ones_are() -> None:
    """Six copies of 330 requests: no test of one window can tell them from 1,970 customers."""
    report, letters = judged(trained(("Churn",)), the_hour(), Rules())
    assert letters == ["header_row"] * 7
    assert {each.check for each in report.violations} == {"baseline_drift_check"}
    assert "Intl Calls" in {each.feature for each in report.violations}
