"""After the join begins anew, no id of a report is used twice, and nothing counts of before."""

from __future__ import annotations

from collections import Counter

from detectors.quality.error_detectors import ErrorAdwin
from stream.aggregation.state import LabelState
from stream.events import ForgetQuality, RestartJoin
from tests.unit.stream.aggregation.test_quality_windows import SETTINGS, LabelJob, model, told


def labels_of(job: LabelJob) -> LabelState:
    assert job.state.labels is not None
    return job.state.labels


def test_predictions_of_windows_that_were_final_at_the_restart_do_not_wait() -> None:
    job = LabelJob(SETTINGS)
    job.predict(1, 2)
    job.predict(3, time_ms=12)
    assert told(job.tick()) == [(10, 0, "awaiting labels", 0, False)]
    assert told(job.step(RestartJoin())) == [(10, 1, "insufficient", 0, True),
                                             (20, 0, "insufficient", 0, True)]  # fmt: skip
    job.predict(4, time_ms=15)  # the window was open at the restart
    job.predict(5, time_ms=22)
    job.predict(6, time_ms=35)
    assert told(job.tick()) == [(30, 0, "awaiting labels", 0, False)]
    ledger = labels_of(job).ledger
    assert ledger.untaken == {"window_final": 1}
    assert +Counter(ledger.predictions) == {"taken": 5, "waiting": 2, "expired": 3}
    assert ledger.imbalance() == {}


def test_a_model_whose_quality_was_forgotten_begins_with_the_next_window() -> None:
    job = LabelJob(SETTINGS, quality=model(error_detectors=[ErrorAdwin()]))
    job.predict(1, 2)
    job.predict(3, time_ms=12)
    job.label({1: 0.0, 2: 0.0}, 15)
    job.tick()
    labels = labels_of(job)
    assert labels.error_streams
    assert [len(state.windows) for state in labels.episodes.values()] == [1]
    assert told(job.step(ForgetQuality("m"))) == []
    assert not labels.error_streams
    assert not labels.episodes
    job.predict(1, 4, time_ms=13)
    job.predict(5, time_ms=22)
    job.predict(6, time_ms=35)
    assert told(job.tick()) == [(30, 0, "awaiting labels", 0, False)]
    assert labels.ledger.untaken == {"window_final": 2}
    assert labels.ledger.imbalance() == {}
    assert min(labels.ledger.labels.values()) >= 0
