"""Labels for the planted events, a job that joins both, and a plain count of the outcome."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from msgspec import to_builtins
from msgspec.structs import replace

from detectors.quality_report import QualityReport
from stream.aggregation.label_ledger import LabelLedger
from stream.config.model import Config
from tests import label_oracle
from tests.golden import replay
from tests.golden.replay import GRACE_MS, LATENESS_MS, PANE_MS, WINDOW_MS, Planted, Window
from tests.label_oracle import Label, Predicted

HORIZON_MS = EARLY_MS = 40_000
DELAYS_S = (-50, -5, 0, 1, 5, 20, 35, 45, 70)
QUALITY = {
    "a": {
        "problem": "binary",
        "probability": "score",
        "threshold": 0.3,
        "limits": {"f1": {"min": 0.9}},
        "judge_at": {"coverage": 0.3, "after": "5s"},
        "revise_every": "10s",
    },
    "b": {"problem": "regression", "prediction": "score", "limits": {"mae": {"max": 0.2}}},
}


class PlantedLabel(NamedTuple):
    """A line of the label log, the time that it states, its id and its value.

    A line that is no label has no id.
    """

    line: bytes
    time_ms: int
    id: str
    value: float | str


class Counted(NamedTuple):
    """What a window is expected to have: its predictions, and pairs of prediction and label."""

    predictions: int
    pairs: Counter[tuple[float, float]]


class LabelResults(NamedTuple):
    """The reports of a run on quality, and the label ledger at its end."""

    reports: list[QualityReport]
    ledger: LabelLedger

    @property
    def newest(self) -> dict[Window, QualityReport]:
        """The last revision of each window; fails if an id has two contents, or a gap precedes."""
        of_window: dict[Window, dict[int, QualityReport]] = defaultdict(dict)
        for report in self.reports:
            revisions = of_window[report.model, report.variant, report.end_ms]
            assert revisions.setdefault(report.revision, report) == report, report.id
        for window, revisions in of_window.items():
            assert sorted(revisions) == list(range(len(revisions))), window
            early = [revision for revision, report in revisions.items() if report.final]
            assert early in ([], [len(revisions) - 1]), f"{window} is final and reported again"
        return {window: revisions[max(revisions)] for window, revisions in of_window.items()}


def event_of(planted: Planted) -> tuple[str, float]:
    """Return the id and the score of an event."""
    event = json.loads(planted.line)
    score = event["captureData"]["endpointOutput"]["data"]
    return event["eventMetadata"]["eventId"], float(score)


def planted_labels(arrived: Sequence[Planted], seed: int = 8) -> list[PlantedLabel]:
    """Return the labels of some events in the order of their log.

    There are labels before their event and after the horizon, none, several, equal and
    contradicting ones, labels of rejected and of unknown events, unusable and unreadable ones.
    """
    random = Random(seed)
    labels = []
    for event in arrived:
        if event.time_ms is None:
            continue
        id_, score = event_of(event)
        truth = round(score + random.uniform(-0.4, 0.4), 3)
        for k in range(random.choice((0, 1, 1, 1, 1, 2))):
            truth = round(1.0 - truth, 3) if k and random.random() < 0.4 else truth
            time_ms = event.time_ms + 1_000 * random.choice(DELAYS_S) + random.randint(0, 999)
            value: float | str = truth if event.key[0] == "b" else float(truth > 0.3)
            if random.random() < 0.03:
                value = random.choice(("maybe", 2.5, 0.0))
            labels.append(_label(id_, time_ms, value))
    for k in range(40):
        labels.append(_label(f"unknown-{k}", replay.START_MS + 5_000 * k, 1.0))
        labels.append(PlantedLabel(b'{"id": 7, "label"', replay.START_MS + 5_000 * k, "", 0.0))
    return sorted(labels, key=lambda label: label.time_ms + random.randint(0, 3_000))


def _label(id_: str, time_ms: int, value: float | str) -> PlantedLabel:
    line = json.dumps({"id": id_, "label": value, "time": time_ms}).encode()
    return PlantedLabel(line, time_ms, id_, value)


def distribute(labels: Sequence[PlantedLabel], files: int) -> list[list[PlantedLabel]]:
    """Distribute labels over files, each in the order of the log."""
    return [
        [label for j, label in enumerate(labels) if j * 5 % 7 % files == k] for k in range(files)
    ]


def write(logs: Sequence[Sequence[PlantedLabel]], folder: Path) -> list[str]:
    """Write the files of labels; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for k, log in enumerate(logs):
        names.append(str(folder / f"labels-{len(logs)}-{k}.jsonl"))
        Path(names[-1]).write_bytes(b"".join(label.line + b"\n" for label in log))
    return names


def config(
    folder: Path, baseline: Path, files: list[str], labels: list[str], **changes: Any
) -> Config:
    """Return the job over these files of events and labels."""
    models = {
        name: {"baseline": str(baseline), "quality": quality} for name, quality in QUALITY.items()
    }
    label_log = {
        "source": {"type": "jsonl", "path": labels},
        "format": {"type": "json", "time": {"path": "time", "unit": "ms"}},
        "horizon": "40s",
    }
    defaults = {"models": models, "labels": label_log}
    return replay.config(folder, baseline, files, **{**defaults, **changes})


def plain_events(arrived: Iterable[Planted]) -> list[tuple[Predicted, str]]:
    """Return the events of one file that count, each with its variant, in plain loops."""
    events = []
    mark_ms = 0
    for event in arrived:
        if event.time_ms is None:
            continue
        mark_ms = max(mark_ms, event.time_ms)
        pane_ms = event.time_ms // PANE_MS * PANE_MS
        if event.row and pane_ms + PANE_MS + GRACE_MS + LATENESS_MS > mark_ms:
            id_, score = event_of(event)
            value = score if event.key[0] == "b" else float(score > 0.3)
            events.append((Predicted(id_, pane_ms, event.key[0], (value,)), event.key[1]))
    return events


def plain_labels(logs: Sequence[Sequence[PlantedLabel]]) -> list[Label]:
    """Return the labels with the marks of their files."""
    labels = []
    for partition, log in enumerate(logs):
        mark_ms = None
        for sequence, label in enumerate(log):
            if label.id:
                mark_ms = max(label.time_ms, mark_ms or label.time_ms)
                labels.append(Label(label.id, mark_ms, partition, sequence, (label.value,)))
    return labels


def misfit(model: str, label: Label) -> str:
    (value,) = label.values
    if model == "b":
        return "wrong_label_type" if isinstance(value, str) else ""
    return "" if value in (0.0, 1.0) else "unknown_class"


def plain_count(
    arrived: Iterable[Planted], logs: Sequence[Sequence[PlantedLabel]]
) -> tuple[dict[Window, Counted], Counter[str]]:
    """Return the content of each window, and the labels by outcome, in plain loops."""
    events = plain_events(arrived)
    variants = {event.id: variant for event, variant in events}
    of_id: dict[str, tuple[list[Predicted], list[Label]]] = defaultdict(lambda: ([], []))
    for event, _ in events:
        of_id[event.id][0].append(event)
    for label in plain_labels(logs):
        of_id[label.id][1].append(label)
    windows: dict[Window, Counted] = defaultdict(lambda: Counted(0, Counter()))
    outcomes: Counter[str] = Counter()
    outcomes["undecodable"] = sum(not label.id for log in logs for label in log)
    for id_, (predicted, labels) in of_id.items():
        joined = label_oracle.join(
            predicted,
            labels,
            horizon_ms=HORIZON_MS,
            early_ms=EARLY_MS,
            duplicates="last",
            misfit=misfit,
        )
        outcomes += joined.outcomes
        for event in predicted:
            for end_ms in range(event.time_ms + PANE_MS, event.time_ms + WINDOW_MS + 1, PANE_MS):
                window = event.model, variants[id_], end_ms
                rows, pairs = windows[window]
                windows[window] = Counted(rows + 1, pairs)
                for (_, _, row, true), n in joined.rows.items():
                    pairs[row, float(true)] += n
    return dict(windows), outcomes


def assert_counts(results: LabelResults, expected: dict[Window, Counted]) -> None:
    """Compare the last report of each window with the plain count."""
    assert results.newest.keys() == expected.keys()
    for window, report in results.newest.items():
        rows, pairs = expected[window]
        assert (report.predictions, report.labelled) == (rows, pairs.total()), window
        if report.problem == "binary":
            matrix = {true: {row: pairs[float(row), float(true)] for row in "01"} for true in "01"}
            assert report.confusion_matrix == matrix, window
        elif pairs:
            (mae,) = (metric.value for metric in report.metrics if metric.name == "mae")
            assert mae is not None
            errors = sum(abs(row - true) * n for (row, true), n in pairs.items())
            assert abs(mae - errors / pairs.total()) < 1e-9, window


def outcomes_of(results: LabelResults) -> Counter[str]:
    """Return the labels by outcome; those that wait and those that have expired are one."""
    outcomes = Counter(results.ledger.labels)
    outcomes["waiting"] += outcomes.pop("expired", 0)
    return +outcomes


def assert_equal_quality(actual: LabelResults, expected: LabelResults) -> None:
    """Compare the last reports of all windows, and what became of labels and predictions."""
    assert outcomes_of(actual) == outcomes_of(expected)
    assert actual.ledger.predictions == expected.ledger.predictions
    assert actual.newest.keys() == expected.newest.keys()
    for window, report in expected.newest.items():
        assert content(actual.newest[window]) == content(report), window


def content(report: QualityReport) -> object:
    """Return what does not depend on the moments of reports: all but the numbers of revisions, and
    how far the labels were read.
    """
    return to_builtins(replace(report, id="", revision=0, labels_until_ms=None))
