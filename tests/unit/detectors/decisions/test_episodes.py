"""One drift is one episode: what opens it, what joins, when it is told again, when it is over, and
what changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from detectors.decisions.episodes import EpisodeState, advance
from detectors.decisions.rules import Rules
from detectors.report import Signal, State, Violation, WindowReport

MINUTE = 60_000
RULES = Rules(k=2, of=3, cooldown="10m")


def report(
    start: int,
    bad: str = "",
    far: str = "",
    state: State | None = None,
    length: int = 1,
    revision: int = 0,
) -> WindowReport:
    """A window of ``length`` minutes whose features named in ``bad`` violate, in ``far``
    overwhelmingly; a letter a feature."""
    found = tuple(
        Violation(
            feature=name,
            check="baseline_drift_check",
            statistic="psi",
            value=0.5,
            limit=0.1,
            n=1_000,
            description="",
            overwhelming=name in far,
        )
        for name in sorted({*bad, *far})
    )
    return WindowReport(
        version=1,
        id=f"j/m/v/{start}/{revision}",
        job="j",
        model="m",
        variant="v",
        start_ms=start * MINUTE,
        end_ms=(start + length) * MINUTE,
        revision=revision,
        state=state or ("violations" if found else "ok"),
        rows=1_000,
        baseline="b",
        layout="l",
        violations=found,
    )


def run(reports: list[WindowReport], rules: Rules = RULES) -> tuple[EpisodeState, list[Signal]]:
    state, signals = EpisodeState(), []
    for one in reports:
        state, new = advance(state, one, rules)
        signals += new
    return state, signals


def told(windows: Mapping[int, str] | list[str], rules: Rules = RULES) -> list[tuple[int, str]]:
    """Window number and kind of each signal; a capital letter is overwhelming."""
    numbered = dict(enumerate(windows)) if isinstance(windows, list) else windows
    every = [
        report(k, "".join(filter(str.islower, w)), "".join(filter(str.isupper, w)).lower())
        for k, w in numbered.items()
    ]
    return [(signal.start_ms // MINUTE, signal.kind) for signal in run(every, rules)[1]]


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
    assert told(windows) == expected


@pytest.mark.parametrize(("k", "of", "expected"), [(1, 1, 0), (2, 2, 3), (3, 4, 3), (3, 3, None)])
def test_the_policy_is_k_of_the_last_m(k: int, of: int, expected: int | None) -> None:
    found = told(["a", "", "a", "a", ""], Rules(k=k, of=of))
    opened = [window for window, kind in found if kind == "opened"]
    assert (opened[0] if opened else None) == expected


def test_what_comes_and_goes_is_not_told_each_time() -> None:
    """Two bad windows, two clean ones, for an hour: a signal when it opens and one when it is over,
    then silence for the cool-down."""
    found = told(["a", "a", "", ""] * 15)
    assert found == [
        (k, kind) for k in (1, 13, 25, 37, 49) for k, kind in ((k, "opened"), (k + 2, "recovered"))
    ]


def test_overwhelming_evidence_and_other_features_open_another_episode_at_once() -> None:
    assert told(["a", "a", "", "", "A"]) == [(1, "opened"), (3, "recovered"), (4, "opened")]
    assert told(["a", "a", "", "", "b", "b"]) == [(1, "opened"), (3, "recovered"), (5, "opened")]


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
def test_a_drift_or_a_loss_that_has_more_than_doubled_is_told_again(
    check: str, first: float, second: float, limit: float, worse: bool
) -> None:
    def broken(k: int, value: float) -> WindowReport:
        return msgspec.structs.replace(
            report(k, bad="a"),
            violations=(
                Violation(
                    feature="a",
                    check=check,
                    statistic="s",
                    value=value,
                    limit=limit,
                    n=1_000,
                    description="",
                    overwhelming=True,
                ),
            ),
        )

    kinds = [
        signal.kind for signal in run([broken(0, first), broken(1, second), broken(2, second)])[1]
    ]
    assert kinds == (["opened", "worsened"] if worse else ["opened"])


def checked(k: int, *found: tuple[str, str, float, float], length: int = 1) -> WindowReport:
    """A window with violations: feature, check, value and limit, each overwhelming."""
    violations = tuple(
        Violation(
            feature=name,
            check=check,
            statistic="s",
            value=value,
            limit=limit,
            n=1_000,
            description="",
            overwhelming=True,
        )
        for name, check, value, limit in found
    )
    return msgspec.structs.replace(
        report(k, bad="a" if found else "", length=length), violations=violations
    )


DRIFT = ("a", "baseline_drift_check", 0.5, 0.1)
LOSS = ("a", "completeness_check", 0.4, 1.0)
WIDTH = ("", "missing_column_check", 1.0, 0.01)
OTHER = ("b", "baseline_drift_check", 0.5, 0.1)


def test_another_check_of_a_feature_in_the_episode_is_told_once() -> None:
    kinds = [
        (s.start_ms // MINUTE, s.kind)
        for s in run([checked(0, DRIFT), checked(1, LOSS), checked(2, DRIFT), checked(3, LOSS)])[1]
    ]
    assert kinds == [(0, "opened"), (1, "worsened")]


def test_a_feature_that_has_left_an_episode_joins_it_again() -> None:
    """Another feature holds it open meanwhile; overwhelming evidence is told at once, the rest
    after the cool-down."""
    held = [
        checked(0, DRIFT, OTHER),
        checked(1, OTHER),
        checked(2, OTHER),
        checked(3, OTHER, LOSS),
        checked(4, OTHER),
    ]
    assert [(s.start_ms // MINUTE, s.kind, s.features) for s in run(held)[1]] == [
        (0, "opened", ("a", "b")),
        (3, "worsened", ("a", "b")),
    ]
    assert told(["AB", "b", "b", "ab", "ab", "b"]) == [(0, "opened")]


def test_what_stays_the_same_is_told_once_whatever_its_unit() -> None:
    for found in (DRIFT, LOSS, WIDTH, ("a", "vanished_value_check", 40.0, 30.0)):
        assert [signal.kind for signal in run([checked(k, found) for k in range(8)])[1]] == [
            "opened"
        ]


def test_a_window_that_overlaps_the_one_told_last_tells_nothing_more() -> None:
    """A minute that slides by ten seconds: the drift fills the window step by step, and another
    feature follows."""
    every = MINUTE // 6

    def sliding(k: int) -> WindowReport:
        size = 0.2 * 2.2 ** min(k, 6)
        found = (("a", "baseline_drift_check", size, 0.1), *([OTHER] if k > 1 else []))
        return msgspec.structs.replace(
            checked(0, *found), start_ms=k * every, end_ms=k * every + MINUTE, id=f"w{k}"
        )

    assert [(s.start_ms // every, s.kind) for s in run([sliding(k) for k in range(20)])[1]] == [
        (0, "opened"),
        (6, "worsened"),
    ]


def test_recovered_names_everything_that_the_episode_had() -> None:
    _, signals = run(
        [checked(0, DRIFT), checked(1, DRIFT, OTHER), checked(2, OTHER), checked(3), checked(4)]
    )
    assert [(signal.kind, signal.features) for signal in signals] == [
        ("opened", ("a",)),
        ("worsened", ("a", "b")),
        ("recovered", ("a", "b")),
    ]


def test_an_episode_that_goes_on_is_silent_until_the_cool_down_ends() -> None:
    assert told(["A"] + ["a"] * 25) == [(0, "opened"), (10, "reminder"), (20, "reminder")]


def test_another_feature_makes_it_worse_once() -> None:
    assert told(["A", "a", "ab", "ab", "ab"]) == [(0, "opened"), (3, "worsened")]
    assert told(["A", "aB", "aB", "ab"]) == [(0, "opened"), (1, "worsened")]


def test_a_signal_that_it_got_worse_starts_the_cool_down_anew() -> None:
    assert told(["A", *["a"] * 6, "aB", *["ab"] * 11]) == [
        (0, "opened"),
        (7, "worsened"),
        (17, "reminder"),
    ]


def test_it_is_over_after_two_clean_windows_and_not_after_one() -> None:
    assert told(["A", "", "a", "", "a", "a"]) == [(0, "opened")]
    assert told(["A", "", "", "", ""]) == [(0, "opened"), (2, "recovered")]


def test_it_is_over_only_when_all_its_features_are_clean() -> None:
    assert told(["AB", "a", "a", "", ""]) == [(0, "opened"), (4, "recovered")]


def test_a_lone_violation_of_another_feature_does_not_keep_it_open() -> None:
    assert told(["A", "b", "", ""]) == [(0, "opened"), (2, "recovered")]


def test_the_next_drift_is_a_new_episode() -> None:
    _, signals = run([report(0, far="a"), report(1), report(2), report(3, far="a")])
    assert [signal.kind for signal in signals] == ["opened", "recovered", "opened"]
    assert signals[0].episode == signals[1].episode != signals[2].episode
    assert signals[2].first_violation_ms == 3 * MINUTE


def test_no_episode_opens_on_a_feature_that_was_confirmed_before_it_recovered() -> None:
    assert told(["a", "a", "", "", "a"]) == [(1, "opened"), (3, "recovered")]


@pytest.mark.parametrize("state", ["insufficient", "no data", "incomplete", "learning"])
def test_windows_without_a_verdict_neither_open_nor_end_anything(state: State) -> None:
    bad, clean = report(1, far="a", state=state), report(2, state=state)
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


def test_windows_that_overlap_count_once() -> None:
    # windows of four minutes, one a minute: one burst of bad rows lies in all of 0 to 3, which do
    # not make two of three
    sliding = [report(start, "a" if start <= 3 else "", length=4) for start in range(9)]
    assert run(sliding)[1] == []
    lasting = [report(start, "a", length=4) for start in range(9)]
    assert [(s.start_ms // MINUTE, s.kind) for s in run(lasting)[1]] == [(4, "opened")]


def test_sliding_windows_recover_after_two_that_do_not_overlap_are_clean() -> None:
    windows = [
        report(start, far="a" if start == 0 else "", bad="a" if start < 4 else "", length=4)
        for start in range(20)
    ]
    assert [(s.start_ms // MINUTE, s.kind) for s in run(windows)[1]] == [
        (0, "opened"),
        (8, "recovered"),
    ]


def test_what_is_remembered_is_bounded() -> None:
    state, _ = run([report(start, "a" if start % 9 == 0 else "") for start in range(5_000)])
    assert len(state.windows) == 3
    state, _ = run([report(start, length=12) for start in range(3_000)])
    assert (
        len(state.windows) == 25
    )  # the two before this one that do not overlap, and all between them
    assert len(msgspec.msgpack.encode(state)) < 1_000


def test_a_long_window_that_slides_in_small_steps_still_confirms_and_recovers() -> None:
    # an hour every five seconds: 720 windows lie between two that do not overlap
    def window(step: int, bad: str) -> WindowReport:
        return msgspec.structs.replace(
            report(0, bad), start_ms=step * 5_000, end_ms=step * 5_000 + 60 * MINUTE
        )

    three = Rules(k=3, of=3)
    state, signals = run(
        [window(step, "a" if step <= 1_440 else "") for step in range(3_601)], three
    )
    assert [(signal.start_ms // 5_000, signal.kind) for signal in signals] == [
        (1_440, "opened"),
        (2_881, "recovered"),
    ]
    assert state.open is None


def test_the_state_survives_being_written_down_at_any_moment() -> None:
    windows = ["A", "a", "ab", "ab", "", "", "b", "", "B", "", ""]
    every = [
        report(k, "".join(filter(str.islower, w)), "".join(filter(str.isupper, w)).lower())
        for k, w in enumerate(windows)
    ]
    state, signals = EpisodeState(), []
    for one in every:
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EpisodeState)
        state, new = advance(state, one, RULES)
        signals += new
    assert (state, signals) == run(every)


def test_signals_are_the_same_in_every_run_and_different_from_each_other() -> None:
    every = [report(0, far="a"), *[report(k, "a") for k in range(1, 25)], report(25), report(26)]
    first, again = run(every)[1], run(every)[1]
    assert [s.kind for s in first] == ["opened", "reminder", "reminder", "recovered"]
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert len({s.dedupe_id for s in first}) == len({s.id for s in first}) == 4


def test_models_variants_jobs_and_baselines_have_episodes_of_their_own() -> None:
    one = report(0, far="a")
    others = [
        msgspec.structs.replace(one, **{name: "other"})
        for name in ("job", "model", "variant", "baseline")
    ]
    signals = [signal for each in (one, *others) for signal in run([each])[1]]
    assert len({s.episode for s in signals}) == len({s.dedupe_id for s in signals}) == 5


def test_the_signal_says_since_when_and_why() -> None:
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
