"""A drift is one episode: events that open, worsen and end it, and events without effect."""

from __future__ import annotations

import msgspec
import pytest

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.episodes import advance
from detectors.decisions.rules import Rules
from detectors.report import Signal, State, WindowReport
from detectors.violation import Cause, Violation

MINUTE = 60_000
RULES = Rules(mode="threshold", k=2, of=3, cooldown="10m")


def violation(
    feature: str,
    check: str = "baseline_drift_check",
    value: float = 0.5,
    limit: float = 0.1,
    *,
    overwhelming: bool = True,
) -> Violation:
    return Violation(
        feature=feature,
        check=check,
        statistic="s",
        value=value,
        limit=limit,
        n=1_000,
        description="",
        overwhelming=overwhelming,
    )


def report(
    start: int,
    bad: str = "",
    far: str = "",
    state: State | None = None,
    length: int = 1,
    revision: int = 0,
) -> WindowReport:
    """A window of ``length`` minutes; a letter is a feature.

    Features in ``bad`` violate, features in ``far`` overwhelmingly.
    """
    violations = tuple(violation(name, overwhelming=name in far) for name in sorted({*bad, *far}))
    return WindowReport(
        version=1,
        id=f"j/m/v/{start}/{revision}",
        job="j",
        model="m",
        variant="v",
        start_ms=start * MINUTE,
        end_ms=(start + length) * MINUTE,
        revision=revision,
        state=state or ("violations" if violations else "ok"),
        rows=1_000,
        baseline="b",
        layout="l",
        violations=violations,
    )


def lettered(start: int, letters: str) -> WindowReport:
    """A window of a minute in which these features violate, a capital letter overwhelmingly."""
    bad = "".join(letter for letter in letters if letter.islower())
    far = "".join(letter.lower() for letter in letters if letter.isupper())
    return report(start, bad, far)


def run(reports: list[WindowReport], rules: Rules = RULES) -> tuple[EpisodeState, list[Signal]]:
    state = EpisodeState()
    signals = []
    for window in reports:
        state, new = advance(state, window, rules)
        signals += new
    return state, signals


def kinds(windows: list[str], rules: Rules = RULES) -> list[tuple[int, str]]:
    """Window number and kind of each signal, see :func:`lettered`."""
    _, signals = run([lettered(k, letters) for k, letters in enumerate(windows)], rules)
    return [(signal.start_ms // MINUTE, signal.kind) for signal in signals]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (["", "", ""], []),
        (["a", "", "", "a", "", ""], []),
        (["a", "a"], [(1, "opened")]),
        (["a", "", "a"], [(2, "opened")]),
        (["a", "", "", "a"], []),
        (["a", "b", "", "b"], [(3, "opened")]),
        (["a", "b"], []),
        (["A"], [(0, "opened")]),
        (["", "a", "A"], [(2, "opened")]),
    ],
)
def test_an_episode_opens_with_two_of_three_windows_or_one_overwhelming(
    windows: list[str], expected: list[tuple[int, str]]
) -> None:
    assert kinds(windows) == expected


@pytest.mark.parametrize(("k", "of", "expected"), [(1, 1, 0), (2, 2, 3), (3, 4, 3), (3, 3, None)])
def test_the_policy_is_k_of_the_last_of_windows(k: int, of: int, expected: int | None) -> None:
    signals = kinds(["a", "", "a", "a", ""], Rules(mode="threshold", k=k, of=of))
    opened = [window for window, kind in signals if kind == "opened"]
    assert (opened[0] if opened else None) == expected


@pytest.mark.parametrize("bad", ["a", "A"])
def test_a_drift_that_comes_and_goes_is_one_episode(bad: str) -> None:
    """For an hour, two bad windows and two clean ones alternate, then all is clean."""
    _, signals = run([lettered(k, x) for k, x in enumerate([bad, bad, "", ""] * 15 + [""] * 20)])
    first = 1 if bad == "a" else 0
    assert [(signal.start_ms // MINUTE, signal.kind) for signal in signals[:2]] == [
        (first, "opened"),
        (3, "recovered"),
    ]
    assert [signal.kind for signal in signals[2:]] == ["reminder"] * 4 + ["recovered"]
    assert len({signal.episode for signal in signals}) == 1
    assert signals[-1].end_ms == signals[-1].start_ms + MINUTE == 68 * MINUTE


def test_an_episode_that_returned_recovers_after_a_clean_cool_down() -> None:
    assert kinds(["A", "", "", "A", *[""] * 15]) == [
        (0, "opened"),
        (2, "recovered"),
        (13, "recovered"),
    ]


def test_stronger_evidence_and_other_features_open_another_episode_at_once() -> None:
    assert kinds(["a", "a", "", "", "A"]) == [(1, "opened"), (3, "recovered"), (4, "opened")]
    assert kinds(["a", "a", "", "", "b", "b"]) == [(1, "opened"), (3, "recovered"), (5, "opened")]
    grown = ("a", "baseline_drift_check", 1.01, 0.1)
    for second, kind in ((DRIFT, []), (grown, ["opened"]), (LOSS, ["opened"])):
        windows = [checked(0, DRIFT), checked(1), checked(2), checked(3, second)]
        assert [signal.kind for signal in run(windows)[1]] == ["opened", "recovered", *kind]


def test_a_window_as_long_as_the_cool_down_is_not_signalled_each_time() -> None:
    """The cool-down of 10 minutes is as long as three windows at least."""
    windows = [report(k * 60, far="a", length=60) for k in range(13)]
    signals = run(windows)[1]
    assert [(signal.start_ms // (60 * MINUTE), signal.kind) for signal in signals] == [
        (0, "opened"),
        (3, "reminder"),
        (6, "reminder"),
        (9, "reminder"),
        (12, "reminder"),
    ]


@pytest.mark.parametrize(
    ("check", "first", "second", "limit", "worse"),
    [
        ("baseline_drift_check", 0.5, 1.0, 0.1, False),
        ("baseline_drift_check", 0.5, 1.01, 0.1, True),
        ("completeness_check", 0.9, 0.8, 1.0, False),
        ("completeness_check", 0.9, 0.7, 1.0, True),
        ("data_type_check", 0.5, 0.1, 0.9, False),
        ("vanished_value_check", 40.0, 400.0, 30.0, False),
    ],
)
def test_a_drift_or_a_loss_that_has_more_than_doubled_is_signalled_again(
    check: str, first: float, second: float, limit: float, worse: bool
) -> None:
    windows = [
        checked(k, ("a", check, value, limit)) for k, value in enumerate((first, second, second))
    ]
    signals = run(windows)[1]
    assert [signal.kind for signal in signals] == ["opened", "worsened"][: 1 + worse]


def checked(k: int, *broken: tuple[str, str, float, float], length: int = 1) -> WindowReport:
    """A window with overwhelming violations: feature, check, value and limit of each."""
    violations = tuple(violation(*arguments) for arguments in broken)
    window = report(k, bad="a" if broken else "", length=length)
    return msgspec.structs.replace(window, violations=violations)


DRIFT = ("a", "baseline_drift_check", 0.5, 0.1)
LOSS = ("a", "completeness_check", 0.4, 1.0)
WIDTH = ("", "missing_column_check", 1.0, 0.01)
OTHER = ("b", "baseline_drift_check", 0.5, 0.1)


def test_another_check_of_a_feature_in_the_episode_is_signalled_once() -> None:
    windows = [checked(0, DRIFT), checked(1, LOSS), checked(2, DRIFT), checked(3, LOSS)]
    assert [(signal.start_ms // MINUTE, signal.kind) for signal in run(windows)[1]] == [
        (0, "opened"),
        (1, "worsened"),
    ]


def test_a_feature_that_has_left_an_episode_can_rejoin_it() -> None:
    """Another feature keeps the episode open; within the cool-down only strong evidence counts."""
    held = [
        checked(0, DRIFT, OTHER),
        checked(1, OTHER),
        checked(2, OTHER),
        checked(3, OTHER, LOSS),
        checked(4, OTHER),
    ]
    assert [
        (signal.start_ms // MINUTE, signal.kind, signal.features) for signal in run(held)[1]
    ] == [
        (0, "opened", ("a", "b")),
        (3, "worsened", ("a", "b")),
    ]
    assert kinds(["AB", "b", "b", "ab", "ab", "b"]) == [(0, "opened")]


@pytest.mark.parametrize("broken", [DRIFT, LOSS, WIDTH, ("a", "vanished_value_check", 40.0, 30.0)])
def test_a_violation_that_stays_the_same_is_signalled_once(
    broken: tuple[str, str, float, float],
) -> None:
    _, signals = run([checked(k, broken) for k in range(8)])
    assert [signal.kind for signal in signals] == ["opened"]


def test_a_window_that_overlaps_the_last_signalled_one_adds_no_signal() -> None:
    """A window of a minute, sliding by ten seconds, fills with one drift, then with another."""
    every = MINUTE // 6

    def sliding(k: int) -> WindowReport:
        size = 0.2 * 2.2 ** min(k, 6)
        drift = ("a", "baseline_drift_check", size, 0.1)
        return msgspec.structs.replace(
            checked(0, drift, OTHER) if k > 1 else checked(0, drift),
            start_ms=k * every,
            end_ms=k * every + MINUTE,
            id=f"w{k}",
        )

    signals = run([sliding(k) for k in range(20)])[1]
    assert [(signal.start_ms // every, signal.kind) for signal in signals] == [
        (0, "opened"),
        (6, "worsened"),
    ]


def test_recovered_names_all_features_of_the_episode() -> None:
    _, signals = run(
        [checked(0, DRIFT), checked(1, DRIFT, OTHER), checked(2, OTHER), checked(3), checked(4)]
    )
    assert [(signal.kind, signal.features) for signal in signals] == [
        ("opened", ("a",)),
        ("worsened", ("a", "b")),
        ("recovered", ("a", "b")),
    ]


def test_recovered_asks_for_nothing_that_the_episode_asked_for() -> None:
    cause = Cause(name="null_burst", words="nulls", action="repair_pipeline")
    lost = msgspec.structs.replace(violation(*LOSS), cause=cause)
    broken = [msgspec.structs.replace(checked(k, LOSS), violations=(lost,)) for k in (0, 1)]
    _, signals = run([*broken, checked(2), checked(3)])
    assert [(signal.kind, signal.action) for signal in signals] == [
        ("opened", "repair_pipeline"),
        ("recovered", "look"),
    ]
    assert signals[1].reasons == signals[0].reasons


def test_an_open_episode_is_silent_until_the_cool_down_ends() -> None:
    assert kinds(["A"] + ["a"] * 25) == [(0, "opened"), (10, "reminder"), (20, "reminder")]


def test_another_feature_worsens_an_episode_once() -> None:
    assert kinds(["A", "a", "ab", "ab", "ab"]) == [(0, "opened"), (3, "worsened")]
    assert kinds(["A", "aB", "aB", "ab"]) == [(0, "opened"), (1, "worsened")]


def test_a_worsened_signal_restarts_the_cool_down() -> None:
    assert kinds(["A", *["a"] * 6, "aB", *["ab"] * 11]) == [
        (0, "opened"),
        (7, "worsened"),
        (17, "reminder"),
    ]


def test_an_episode_recovers_after_two_clean_windows_and_not_after_one() -> None:
    assert kinds(["A", "", "a", "", "a", "a"]) == [(0, "opened")]
    assert kinds(["A", "", "", "", ""]) == [(0, "opened"), (2, "recovered")]


def test_an_episode_recovers_only_when_all_its_features_are_clean() -> None:
    assert kinds(["AB", "a", "a", "", ""]) == [(0, "opened"), (4, "recovered")]


def test_a_single_violation_of_another_feature_does_not_keep_an_episode_open() -> None:
    assert kinds(["A", "b", "", ""]) == [(0, "opened"), (2, "recovered")]


def test_the_next_drift_is_a_new_episode() -> None:
    """After the cool-down, which begins when the first episode has recovered."""
    clean = [report(k) for k in range(1, 13)]
    _, signals = run([report(0, far="a"), *clean, report(13, far="a")])
    assert [signal.kind for signal in signals] == ["opened", "recovered", "opened"]
    assert signals[0].episode == signals[1].episode != signals[2].episode
    assert signals[2].first_violation_ms == 13 * MINUTE


def test_no_episode_opens_on_a_feature_that_was_confirmed_before_it_recovered() -> None:
    assert kinds(["a", "a", "", "", "a"]) == [(1, "opened"), (3, "recovered")]


@pytest.mark.parametrize("state", ["insufficient", "no data", "incomplete", "learning"])
def test_windows_without_a_verdict_neither_open_nor_end_anything(state: State) -> None:
    bad = report(1, far="a", state=state)
    clean = report(2, state=state)
    assert advance(EpisodeState(), bad, RULES) == (EpisodeState(), [])
    open_, signals = run(
        [report(0, far="a"), clean, report(3, state=state), report(4, state=state)]
    )
    assert [signal.kind for signal in signals] == ["opened"]
    assert open_.open is not None


def test_a_revision_changes_nothing() -> None:
    assert advance(EpisodeState(), report(0, far="a", revision=1), RULES) == (EpisodeState(), [])


def test_the_start_of_silence_changes_nothing() -> None:
    silence = msgspec.structs.replace(report(0, state="no data"), end_ms=None)
    assert advance(EpisodeState(), silence, RULES) == (EpisodeState(), [])


def test_windows_that_overlap_count_as_one() -> None:
    # Windows of four minutes, one a minute: a single burst of bad rows lies in all of 0 to 3, which
    # do not make two of three.
    sliding = [report(start, "a" if start <= 3 else "", length=4) for start in range(9)]
    assert run(sliding)[1] == []
    lasting = [report(start, "a", length=4) for start in range(9)]
    assert [(signal.start_ms // MINUTE, signal.kind) for signal in run(lasting)[1]] == [
        (4, "opened")
    ]


def test_sliding_windows_recover_after_two_that_do_not_overlap_are_clean() -> None:
    windows = [
        report(start, far="a" if start == 0 else "", bad="a" if start < 4 else "", length=4)
        for start in range(20)
    ]
    assert [(signal.start_ms // MINUTE, signal.kind) for signal in run(windows)[1]] == [
        (0, "opened"),
        (8, "recovered"),
    ]


def test_the_state_of_episodes_is_bounded() -> None:
    state, _ = run([report(start, "a" if start % 9 == 0 else "") for start in range(5_000)])
    assert len(state.windows) == 3
    state, _ = run([report(start, length=12) for start in range(3_000)])
    # two windows before the last one that do not overlap, and all windows between them
    assert len(state.windows) == 25
    assert len(msgspec.msgpack.encode(state)) < 1_000


def test_a_long_window_that_slides_in_small_steps_still_confirms_and_recovers() -> None:
    # An hour every five seconds: 720 windows lie between two that do not overlap.
    def window(step: int, bad: str) -> WindowReport:
        return msgspec.structs.replace(
            report(0, bad), start_ms=step * 5_000, end_ms=step * 5_000 + 60 * MINUTE
        )

    three = Rules(mode="threshold", k=3, of=3)
    state, signals = run(
        [window(step, "a" if step <= 1_440 else "") for step in range(3_601)], three
    )
    assert [(signal.start_ms // 5_000, signal.kind) for signal in signals] == [
        (1_440, "opened"),
        (2_881, "recovered"),
    ]
    assert state.open is None


def test_the_state_can_be_encoded_between_any_two_windows() -> None:
    letters = ["A", "a", "ab", "ab", "", "", "b", "", "B", "", ""]
    windows = [lettered(k, window_letters) for k, window_letters in enumerate(letters)]
    state = EpisodeState()
    signals = []
    for window in windows:
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EpisodeState)
        state, new = advance(state, window, RULES)
        signals += new
    assert (state, signals) == run(windows)


def test_signals_are_the_same_in_every_run_and_different_from_each_other() -> None:
    windows = [report(0, far="a"), *[report(k, "a") for k in range(1, 25)], report(25), report(26)]
    first = run(windows)[1]
    second = run(windows)[1]
    assert [signal.kind for signal in first] == ["opened", "reminder", "reminder", "recovered"]
    assert msgspec.json.encode(first) == msgspec.json.encode(second)
    assert len({signal.dedupe_id for signal in first}) == 4
    assert len({signal.id for signal in first}) == 4


def test_models_variants_jobs_and_baselines_have_separate_episodes() -> None:
    window = report(0, far="a")
    others = [
        msgspec.structs.replace(window, **{name: "other"})
        for name in ("job", "model", "variant", "baseline")
    ]
    signals = [signal for report in (window, *others) for signal in run([report])[1]]
    assert len({signal.episode for signal in signals}) == 5
    assert len({signal.dedupe_id for signal in signals}) == 5


def test_a_signal_has_the_first_violation_and_the_reasons() -> None:
    _, signals = run([report(0), report(1, "a"), report(2, "b"), report(3, "ab")])
    (signal,) = signals
    assert (signal.kind, signal.first_violation_ms, signal.start_ms, signal.end_ms) == (
        "opened",
        MINUTE,
        3 * MINUTE,
        4 * MINUTE,
    )
    assert [reason.feature for reason in signal.reasons] == ["a", "b"]
    assert (signal.report, signal.baseline) == ("j/m/v/3/0", "b")


def test_an_open_episode_names_the_report_of_its_last_signal_and_its_worst_feature_first() -> None:
    windows = [lettered(k, letters) for k, letters in enumerate(["AB", "ab", "ABC", "abc"])]
    state, signals = run(windows)
    assert [signal.kind for signal in signals] == ["opened", "worsened"]
    assert state.open is not None
    assert state.open.report == signals[-1].report == windows[2].id
    large = msgspec.structs.replace(
        windows[0],
        violations=(violation("a", value=0.2), violation("b", value=0.9), violation("c")),
    )
    state, _ = run([large])
    assert state.open is not None
    assert state.open.worst_first == ["b", "c", "a"]
