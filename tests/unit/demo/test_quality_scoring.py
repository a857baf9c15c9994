"""Quality signals are judged by the window of their predictions, however late the labels came."""

from demo.incidents import HOUR_MS
from demo.quality_scoring import QualityTally
from tests.unit.demo.test_scoring import START_MS, incident, signal

COLD = incident("cold", "temp", 2, 4)
SECONDS = incident("seconds", "delay", 10, None)


def known(hour: float) -> int:
    return START_MS + int(hour * HOUR_MS)


def test_the_delay_lasts_until_the_labels_are_known() -> None:
    tally = QualityTally([COLD], START_MS)
    assert tally.judge(signal("opened", ["rmse"], 2.5, 3), known(9)) == "cold"
    assert tally.judge(signal("worsened", ["mae"], 3, 3.5), known(10)) == "cold"
    assert tally.detections["cold"].after_ms == 7 * HOUR_MS
    assert not tally.passed
    assert tally.judge(signal("recovered", ["rmse"], 5, 5.5), known(12)) == "cold"
    assert tally.passed


def test_a_signal_on_a_healthy_window_is_false_even_if_its_labels_come_in_an_incident() -> None:
    tally = QualityTally([COLD], START_MS)
    assert tally.judge(signal("opened", ["rmse"], 0, 1), known(3)).startswith("FALSE")
    assert len(tally.false_signals) == 1
    assert not tally.passed


def test_an_incident_without_a_measurable_effect_passes() -> None:
    assert QualityTally([COLD], START_MS).passed


def test_a_lasting_incident_must_be_seen_in_the_error_and_recover() -> None:
    tally = QualityTally([SECONDS], START_MS)
    assert not tally.passed
    tally.judge(signal("opened", ["rmse"], 10, 11), known(14))
    assert not tally.passed
    tally.judge(signal("recovered", ["rmse"], 16, 17), known(20))
    assert tally.passed


def test_a_lasting_incident_ends_for_the_predictions_of_the_new_model() -> None:
    tally = QualityTally([SECONDS], START_MS, replaced_ms=15 * HOUR_MS)
    assert tally.judge(signal("opened", ["rmse"], 14.5, 15.5), known(19)) == "seconds"
    assert tally.judge(signal("reminder", ["rmse"], 15, 16), known(20)).startswith("FALSE")
