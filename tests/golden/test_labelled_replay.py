"""The same events and labels lead to the same quality: without interruption, through crashes, by
other readers, in other batches and files, and in another interleaving of both logs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.model import Config
from stream.readers import reader as readers
from stream.readers.label_reader import LabelReader
from stream.readers.worker import serve
from stream.readers.worker_handle import Serve
from tests.golden import labelled
from tests.golden.labelled import (
    LabelResults,
    assert_counts,
    assert_equal_quality,
    outcomes_of,
    plain_count,
    planted_labels,
)
from tests.golden.replay import distribute, planted, write_baseline
from tests.golden.runs import (
    label_ledger,
    run_service,
    run_with_crashes,
    serve_small_batches,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labelled")
    write_baseline(path / "baseline")
    return path


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    batches_of(monkeypatch, 100, 70)


def batches_of(patch: pytest.MonkeyPatch, events: int, labels: int) -> None:
    """Read at most so many events and labels at once."""
    patch.setattr(readers, "MAX_RECORDS", events)
    patch.setattr(LabelReader.poll, "__defaults__", (labels,))


def job(folder: Path, state: Path, files: int = 1, label_files: int = 2, **keys: object) -> Config:
    """Return the job over the planted events and labels in so many files."""
    state.parent.mkdir(exist_ok=True)
    arrived = planted(very_late=files == 1)
    logs = labelled.distribute(planted_labels(arrived), label_files)
    return labelled.config(
        state,
        folder / "baseline",
        distribute(arrived, state.parent, files),
        labelled.write(logs, state.parent),
        **keys,
    )


def run_through(config: Config, serve: Serve = serve) -> LabelResults:
    """Run the service to the end of both logs."""
    quality = run_service(config, serve).quality
    return LabelResults(quality, label_ledger(config))


@pytest.fixture(scope="module")
def straight(folder: Path) -> LabelResults:
    """The results without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        batches_of(patch, 100, 70)
        return run_through(job(folder, folder / "straight" / "job"))


def test_the_run_without_crashes_has_the_counts_of_the_tables(straight: LabelResults) -> None:
    arrived = planted()
    windows, outcomes = plain_count(arrived, labelled.distribute(planted_labels(arrived), 2))
    assert_counts(straight, windows)
    assert outcomes_of(straight) == +outcomes
    assert not straight.ledger.imbalance()
    newest = straight.newest.values()
    assert {report.state for report in newest} >= {"ok", "violations"}
    assert any(report.final for report in newest)
    assert any(report.revision > 0 for report in newest)
    kinds = ("matched", "duplicate", "conflicting", "waiting", "unknown_class", "wrong_label_type")
    assert min(outcomes[kind] for kind in kinds) > 0


@pytest.mark.parametrize(
    ("turns", "events_of", "labels_of"), [(1, 1, 1), (3, 1, 1), (19, 1, 1), (8, 4, 1), (12, 1, 6)]
)
def test_crashes_and_interleavings_do_not_change_the_results(
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
    events_of: int,
    labels_of: int,
    straight: LabelResults,
    folder: Path,
    tmp_path: Path,
) -> None:
    batches_of(monkeypatch, 150, 120)
    config = job(folder, tmp_path / "job")
    results, processes = run_with_crashes(config, turns, events_of, labels_of)
    assert processes > 2
    ids = [report.id for report in results.quality]
    assert len(set(ids)) == len(ids), "each id is committed once"
    assert_equal_quality(LabelResults(results.quality, label_ledger(config)), straight)


@pytest.mark.parametrize(("events", "labels"), [(20, 1_000), (1_000, 20), (97, 101)])
def test_other_batches_do_not_change_the_results(
    events: int,
    labels: int,
    straight: LabelResults,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches_of(monkeypatch, events, labels)
    assert_equal_quality(run_through(job(folder, tmp_path / "job")), straight)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("label_files", [1, 4])
def test_readers_and_files_have_the_counts_of_the_tables(
    processes: int, label_files: int, folder: Path, tmp_path: Path
) -> None:
    config = job(folder, tmp_path / "job", 6, label_files, readers=processes)
    results = run_through(config, serve_small_batches)
    arrived = planted(very_late=False)
    logs = labelled.distribute(planted_labels(arrived), label_files)
    windows, outcomes = plain_count(arrived, logs)
    assert_counts(results, windows)
    assert outcomes_of(results) == +outcomes
