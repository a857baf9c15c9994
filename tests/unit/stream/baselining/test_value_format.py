"""The format of values that do not return: what is recognised, counted and said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.fold import Fold
from detectors.profiles.layout import HEAD, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.text_patterns import TextPatterns, identifier_patterns, time_patterns
from detectors.violation import Violation
from stream.baselining.build import make
from stream.baselining.chunk_columns import chunk_columns
from stream.baselining.joint_features import with_levels

ROWS = 2_000
Cells = Callable[[int], str]


def column(cell: Cells, rows: int = ROWS, first: int = 0) -> list[str]:
    return [cell(k) for k in range(first, first + rows)]


def baseline_of(*cells: Sequence[str]) -> Baseline:
    return make(lambda: [table(*cells)]).baseline


def table(*columns: Sequence[str]) -> pa.Table:
    return pa.table({f"x{j}": pa.array(cells, pa.string()) for j, cells in enumerate(columns)})


def counted(layout: Layout, *columns: Sequence[str], groups: int = 1) -> Profile:
    """The counts of rows in one group or in several of equal size, merged."""
    columns_of = chunk_columns(table(*columns), layout)
    bounds = np.linspace(0, len(columns[0]), groups + 1).astype(np.int64)
    profiles = Fold([layout]).fold(columns_of, [0] * groups, bounds)
    for profile in profiles[1:]:
        profiles[0].merge(profile)
    return profiles[0]


def violations(baseline: Baseline, *columns: Sequence[str]) -> tuple[Violation, ...]:
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
    profile = counted(baseline.layout, *columns)
    judge = Judge("job", Rules(mode="evidence"))
    return judge.report(span, baseline, profile, EpisodeState()).violations


def hexadecimal(k: int) -> str:
    return f"{k * 0x9E3779B97F4A7C15 % 2**64:016x}"


def uuid(k: int) -> str:
    return str(UUID(int=k * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))


def number(k: int) -> str:
    return str(10**8 + k * 7_919 % 800_000_011)


def day(k: int) -> str:
    return str(np.datetime64("2026-01-01") + k // 100)


def reversed_day(k: int) -> str:
    return "/".join(reversed(day(k).split("-")))


def seconds(k: int) -> str:
    return str(1_767_225_600 + 61 * k)


FAULTS: dict[str, tuple[Cells, Cells]] = {
    "another identifier": (hexadecimal, lambda k: f"ID-{k * 7_919 % 10**8:08d}"),
    "capital letters": (hexadecimal, lambda k: hexadecimal(k).upper()),
    "cut": (hexadecimal, lambda k: hexadecimal(k)[:12]),
    "without separators": (uuid, lambda k: uuid(k).replace("-", "")),
    "small numbers": (number, lambda k: str(k % 99 + 1)),
    "another order of a date": (day, reversed_day),
    "a time beside the date": (day, lambda k: day(k) + "T00:00:00"),
    "milliseconds": (seconds, lambda k: seconds(k) + "000"),
    "hours since 1970": (seconds, lambda k: str(int(seconds(k)) // 3_600)),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("rows", [100, 1_000])
def test_another_format_is_found_in_one_window(fault: str, rows: int) -> None:
    usual, faulty = FAULTS[fault]
    baseline = baseline_of(column(usual))
    assert not violations(baseline, column(usual, rows, ROWS))
    (found,) = violations(baseline, column(faulty, rows, ROWS))
    assert found.check == "baseline_drift_check"
    assert found.summary.startswith("the format of the values has changed: 100 %")
    assert found.cause is not None
    assert (found.cause.name, found.cause.action) == ("format_change", "repair_pipeline")
    assert found.cause.numbers["share"] == pytest.approx(1.0)


def test_a_part_of_the_values_in_another_format_is_found_with_its_share() -> None:
    baseline = baseline_of(column(hexadecimal))
    cells = column(hexadecimal, 900, ROWS) + column(lambda k: f"ID-{k}", 100, ROWS)
    (found,) = violations(baseline, cells)
    assert found.summary.startswith("the format of the values has changed: 10 %")


GROWING: dict[str, Cells] = {
    "words with numbers": lambda k: f"order-{k + 1}",
    "numbers": lambda k: str(k + 1),
    "large numbers": lambda k: str(10**9 + 17 * k),
    "seconds": seconds,
    "days": day,
    "unpadded dates": lambda k: f"{k // 100 % 28 + 1}/{k // 2_800 % 12 + 1}/2026",
    "hexadecimal": hexadecimal,
    "uuids": uuid,
}


@pytest.mark.parametrize("kind", GROWING)
@pytest.mark.parametrize("first", [ROWS, 100 * ROWS, 10_000 * ROWS])
def test_growth_is_no_other_format(kind: str, first: int) -> None:
    baseline = baseline_of(column(GROWING[kind]))
    assert not violations(baseline, column(GROWING[kind], 1_000, first))


def test_times_are_written_alike_whatever_their_numbers_and_names() -> None:
    alike = {
        "9999-#-#": ["2026-01-05", "2026-1-5"],
        "#/#/9999": ["05/01/2026", "5/12/2026"],
        "# a 9999": ["3 May 2026", "13 September 2026"],
        "9999-#-#a#:#:#.999a": ["2026-01-05T07:30:00.123Z"],
    }
    for pattern, values in alike.items():
        assert set(time_patterns(pa.array(values)).to_pylist()) == {pattern}


def test_identifiers_differ_by_separators_characters_and_unusual_lengths() -> None:
    def of(*values: str) -> list[str]:
        found: list[str] = identifier_patterns(pa.array(values), (6, 8)).to_pylist()
        return found

    assert of("abcdef", "abcdefg", "abcdefghi") == ["a"] * 3  # one more than usual is growth
    assert of("abc", "a1b2c3d4e5") == ["a3", "9a10"]
    assert of("order-123456789") == ["-9a"]  # words with a number may grow
    assert of("AB-12.x") == ["-.9aA"]


@pytest.mark.parametrize("lengths", [None, (6, 8)])
@given(values=st.lists(st.text("09azAZ-_: \u00e9\u65e5", max_size=12), max_size=30))
def test_values_that_are_alike_have_the_pattern_of_each_alone(
    lengths: tuple[int, int] | None, values: list[str]
) -> None:
    texts = pa.array(["order-99", *values, "x"], pa.string())[1:-1]
    patterns, which = TextPatterns((), lengths).of(texts)
    alone = time_patterns(texts) if lengths is None else identifier_patterns(texts, lengths)
    assert patterns.take(pa.array(which)).to_pylist() == alone.to_pylist()


def test_a_pattern_has_the_same_bin_in_small_and_large_groups() -> None:
    usual = column(hexadecimal) + [hexadecimal(k) for k in range(50)]
    baseline = baseline_of(usual, column(day, len(usual)))
    layout = baseline.layout
    assert all(feature.patterns for feature in layout.features)
    others = [*usual[:700], " 0123456789abcdef ", "ID-1", *column(uuid, 298)]
    times = [*column(day, 900), *column(reversed_day, 100)]
    large = counted(layout, others, times)
    small = counted(layout, others, times, groups=10)
    assert np.array_equal(large.counts, small.counts)
    assert large.counts[layout.bins(1)].tolist() == [900, *_hashed_alone(layout, reversed_day(0))]


def _hashed_alone(layout: Layout, value: str) -> list[int]:
    """What a hundred rows of a new pattern add to the bins after the first."""
    counts = counted(layout, ["0123456789abcdef"] * 300, [value] * 300).counts[layout.bins(1)]
    assert counts[0] == 0
    assert np.count_nonzero(counts) == 1
    added: list[int] = (counts[1:] // 3).tolist()
    return added


def test_the_magnitude_of_numbers_is_that_of_their_digits() -> None:
    ids, times = baseline_of(column(number), column(seconds)).layout.features
    assert ids.magnitude == (1e8, inf)
    assert times.magnitude == (1e9, 1e10)
    assert ids.ladder == times.ladder == 16
    assert not baseline_of(column(lambda k: str(k + 1))).layout.features[0].magnitude


def test_a_baseline_keeps_its_formats_and_another_format_is_another_layout() -> None:
    made = baseline_of(column(hexadecimal), column(number))
    again = Baseline.decode(made.encode())
    assert again.layout == made.layout
    assert again.layout.features[0].patterns == TextPatterns(("9a",), (16, 16))
    assert baseline_of(column(uuid), column(number)).layout != made.layout
    assert HEAD + made.layout.features[0].bins == made.layout.bins(0).stop


def test_times_are_in_no_pairs() -> None:
    made = baseline_of(column(day), column(lambda k: "ab"[k % 2]), column(lambda k: "cd"[k % 2]))
    layout = with_levels(made.layout, made.profile, ())
    assert [layout.features[i].name for i in layout.joint_features] == ["x1", "x2"]
