"""Laws of counts: any order, any split and any withdrawal of rows leave the same counts."""

from collections.abc import Mapping
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from detectors.quality.config import Problem, QualityConfig
from detectors.quality.counts import MOST_PARTS, QualityCounts
from detectors.quality.problem import problem_of
from detectors.quality.rows import LabelledRows
from tests.unit.detectors.quality.cases import random_rows

PROBLEMS: list[Problem] = ["binary", "multiclass", "regression"]
NAMES = ("a", "b", "c", "d", "e", "f")


def names(problem: Problem) -> tuple[str, ...]:
    return NAMES[:2] if problem == "binary" else NAMES


def whole(problem: Problem, rows: LabelledRows) -> QualityCounts:
    known = problem_of(QualityConfig(problem=problem))
    return known.tally(rows, np.zeros(len(rows.label), np.int64), 1)[0]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("seed", range(5))
def test_any_order_and_any_split_give_the_same_bytes_and_metrics(
    problem: Problem, seed: int
) -> None:
    rows = random_rows(problem, 700, seed)
    known = problem_of(QualityConfig(problem=problem))
    random = np.random.default_rng(seed)
    order = random.permutation(700)
    cuts = [0, *sorted(random.integers(0, 700, 5).tolist()), 700]
    parts: list[QualityCounts] = []
    for start, end in pairwise(cuts):
        group = random.integers(0, 40, end - start)
        shuffled = LabelledRows(*(column[order[start:end]] for column in rows))  # type: ignore[arg-type]
        parts += known.tally(shuffled, group, 40)
    stored = [QualityCounts.decode(part.encode()) for part in parts]
    random.shuffle(stored)
    half = [known.merge(stored[:90]), known.merge(stored[90:])]
    merged, expected = known.merge(half), whole(problem, rows)
    assert merged.encode() == expected.encode()
    measured = [known.measure(counts, names(problem), 0.99) for counts in (merged, expected)]
    assert measured[0] == measured[1]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_few_rows_at_a_time_give_the_counts_of_all_of_them(problem: Problem) -> None:
    """More than ``MOST_PARTS`` parts, looked at in between, and used in another sum as well."""
    rows = random_rows(problem, 3 * MOST_PARTS + 5, 3)
    known = problem_of(QualityConfig(problem=problem))
    total = other = QualityCounts()
    for number in range(len(rows.label)):
        one = whole(problem, rows.where(np.arange(len(rows.label)) == number))
        total, other = known.merge([total, one]), known.merge([one, total, other])
        if number % 7 == 0:
            before = total.encode()
            assert known.merge([total, one]).encode() != before == total.encode()
    assert total.encode() == whole(problem, rows).encode()
    assert len(other.parts) <= MOST_PARTS


@pytest.mark.parametrize("problem", PROBLEMS)
def test_groups_have_the_counts_of_their_rows_alone(problem: Problem) -> None:
    rows = random_rows(problem, 500, 11)
    group = np.random.default_rng(11).integers(0, 9, 500)
    together = problem_of(QualityConfig(problem=problem)).tally(rows, group, 10)
    for number, counts in enumerate(together):
        assert counts.encode() == whole(problem, rows.where(group == number)).encode()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_withdrawn_rows_leave_the_counts_before(problem: Problem) -> None:
    known = problem_of(QualityConfig(problem=problem))
    before = whole(problem, random_rows(problem, 300, 1))
    rows = random_rows(problem, 200, 2)
    added, taken = whole(problem, rows), whole(problem, rows._replace(weight=-rows.weight))
    assert known.merge([before, added, taken]).encode() == before.encode()
    assert known.merge([added, taken]).encode() == QualityCounts().encode()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_counts_of_nothing_are_empty(problem: Problem) -> None:
    known = problem_of(QualityConfig(problem=problem))
    assert known.merge([]).encode() == QualityCounts().encode()
    assert len(whole(problem, random_rows(problem, 0, 0)).cells) == 0


@pytest.mark.parametrize("problem", PROBLEMS)
def test_one_row_takes_less_than_300_bytes(problem: Problem) -> None:
    assert len(whole(problem, random_rows(problem, 1, 3)).encode()) < 300


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x94\x91\x01\x90\x80\x80", b"nothing"])
def test_damaged_counts_are_refused(data: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
        QualityCounts.decode(data)


def delay_s(problem: Problem, rows: LabelledRows) -> Mapping[str, float]:
    known = problem_of(QualityConfig(problem=problem))
    return known.measure(whole(problem, rows), names(problem), 0.99).delay_s


@pytest.mark.parametrize("problem", PROBLEMS)
def test_labels_without_a_time_have_no_delay(problem: Problem) -> None:
    rows = random_rows(problem, 1_000, 5)
    untimed = rows._replace(delay_ms=np.full_like(rows.delay_ms, -1))
    assert delay_s(problem, untimed) == {}
    half = rows._replace(delay_ms=np.where(np.arange(1_000) % 2, 60_000, -1))
    assert delay_s(problem, half)["p50"] == pytest.approx(60, rel=1 / 32)


def test_the_delay_of_labels_is_within_the_width_of_a_bin() -> None:
    rows = random_rows("regression", 20_000, 4)
    known = problem_of(QualityConfig(problem="regression"))
    found = known.measure(whole("regression", rows), (), 0.99).delay_s
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        exact = np.quantile(rows.delay_ms, share) / 1_000
        assert found[name] == pytest.approx(exact, rel=1 / 32)
