"""An episode that a look opens, and the reports that confirm or deny it."""

from __future__ import annotations

import msgspec

from detectors.decisions.early_episodes import (
    EarlyState,
    follow,
    is_open,
    opened_early,
    tellable,
)
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.episodes import advance
from detectors.decisions.rules import Rules
from detectors.early_finding import EarlyFinding
from detectors.report import Signal
from tests.unit.detectors.decisions.test_episodes import MINUTE, report

RULES = Rules(k=1, of=1, cooldown="10m")


def finding(feature: str) -> EarlyFinding:
    return EarlyFinding(
        feature=feature,
        subject="missing",
        log_e_value=25.0,
        needed=20.0,
        n=1_200,
        since_ms=3 * MINUTE + 2_000,
        effect=0.3,
        direction=1,
    )


class Stream:
    """Looks and reports of one model, and the signals that they gave."""

    def __init__(self) -> None:
        self.episodes = EpisodeState()
        self.early = EarlyState()
        self.signals: list[Signal] = []

    def look(self, start: int, *features: str, bad: str = "") -> None:
        """Look into the window of a minute; ``bad`` violates in all of its rows so far."""
        found = tellable(self.early, self.episodes, map(finding, features))
        if found:
            self.early, signals = opened_early(self.early, report(start, far=bad), found, RULES)
            self.signals += signals

    def close(self, start: int, bad: str = "", **changes: object) -> None:
        closed = msgspec.structs.replace(report(start, far=bad), **changes)
        self.episodes, signals = advance(self.episodes, closed, RULES)
        self.early, signals = follow(self.early, self.episodes, closed, signals, RULES)
        self.signals += signals

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(signal.kind, ",".join(signal.features)) for signal in self.signals]


def test_a_window_continues_the_episode_that_a_look_opened() -> None:
    stream = Stream()
    stream.look(3, "a")
    stream.close(3, "a")
    stream.close(4)
    assert stream.told == [("opened", "a"), ("recovered", "a")]
    assert len({signal.episode for signal in stream.signals}) == 1
    opened = stream.signals[0]
    assert opened.early
    assert [each.feature for each in opened.early_findings] == ["a"]
    assert (opened.report, opened.start_ms) == ("j/m/v/3/0", 3 * MINUTE)


def test_a_second_look_signals_nothing() -> None:
    stream = Stream()
    stream.look(3, "a")
    stream.look(3, "a", "b")
    assert stream.told == [("opened", "a")]
    assert is_open(stream.early, stream.episodes)


def test_a_window_that_does_not_confirm_ends_the_episode() -> None:
    stream = Stream()
    stream.look(3, "a")
    stream.close(3)
    assert stream.told == [("opened", "a"), ("recovered", "a")]
    assert not stream.signals[1].early
    assert stream.signals[1].report == "j/m/v/3/0"
    assert not is_open(stream.early, stream.episodes)


def test_the_window_before_may_close_after_the_look() -> None:
    quiet, broken = Stream(), Stream()
    for stream, bad in ((quiet, ""), (broken, "a")):
        stream.look(3, "a")
        stream.close(2, bad)
        stream.close(3, "a")
        assert stream.told == [("opened", "a")]
    broken.close(4)
    assert broken.told == [("opened", "a"), ("recovered", "a")]


def test_a_window_that_has_no_verdict_decides_nothing() -> None:
    stream = Stream()
    stream.look(3, "a")
    stream.close(3, state="incomplete")
    assert stream.told == [("opened", "a")]
    stream.close(4)
    assert stream.told == [("opened", "a"), ("recovered", "a")]


def test_another_feature_in_the_window_is_news() -> None:
    stream = Stream()
    stream.look(3, "a")
    stream.close(3, "ab")
    assert stream.told == [("opened", "a"), ("worsened", "a,b")]
    assert len({signal.id for signal in stream.signals}) == 2
    assert len({signal.episode for signal in stream.signals}) == 1


def test_a_recovery_names_what_was_signalled_early_and_not_confirmed() -> None:
    stream = Stream()
    stream.look(3, "a")
    stream.close(3, "b")
    stream.close(4)
    assert stream.told == [("opened", "a"), ("worsened", "b"), ("recovered", "a,b")]
    assert {reason.feature for reason in stream.signals[-1].reasons} == {"a", "b"}


def test_nothing_is_signalled_early_while_an_episode_is_open_or_within_the_cool_down() -> None:
    stream = Stream()
    stream.close(1, "a")
    stream.look(2, "b")
    stream.close(2)
    stream.look(3, "a")
    assert stream.told == [("opened", "a"), ("recovered", "a")]
    stream.look(3, "b")
    assert stream.told[2:] == [("opened", "b")]


def test_a_feature_that_was_told_early_is_told_again_after_its_cool_down() -> None:
    stream = Stream()
    stream.look(3, "a")
    stream.close(3)
    stream.look(5, "a")
    assert len(stream.signals) == 2
    stream.close(14)
    stream.look(15, "a")
    assert stream.told[2:] == [("opened", "a")]
    assert len({signal.episode for signal in stream.signals}) == 2


def test_an_episode_that_returns_keeps_the_id_that_was_signalled() -> None:
    stream = Stream()
    stream.look(3, "a")
    stream.close(3, "a")
    stream.close(4)
    for start in range(5, 17):
        stream.close(start, "a")
    assert [kind for kind, _ in stream.told] == ["opened", "recovered", "reminder"]
    assert len({signal.episode for signal in stream.signals}) == 1


def test_early_signals_change_no_episode_of_closed_windows() -> None:
    with_looks, without = Stream(), Stream()
    for start, bad in enumerate(("", "a", "ab", "", "c", "")):
        with_looks.look(start, "a", "c", bad=bad)
        with_looks.close(start, bad)
        without.close(start, bad)
    assert with_looks.episodes == without.episodes
    assert any(signal.early for signal in with_looks.signals)


def test_the_reason_is_that_of_the_rows_so_far_or_that_of_the_last_ones() -> None:
    stream = Stream()
    stream.look(3, "a", "b", bad="a")
    reasons = {reason.feature: reason for reason in stream.signals[0].reasons}
    assert reasons["a"].statistic == "s"
    assert reasons["b"].check == "completeness_check"
    assert reasons["b"].summary == (
        "more values are missing in 1,200 rows since 00:03:02 UTC: e-value e^25.0 (needed e^20.0),"
        " effect 0.3"
    )


def test_the_state_survives_its_encoding() -> None:
    stream = Stream()
    stream.look(3, "a")
    data = msgspec.msgpack.encode(stream.early)
    assert msgspec.msgpack.decode(data, type=EarlyState) == stream.early
