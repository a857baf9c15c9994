"""Rows of data that pandas took for a header are recognised; rows of data never are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from stream.formats.mangled_header import COPIES, _holds, is_mangled, mangled_lines


def renamed(cells: list[str]) -> list[str]:
    """The names that pandas documents for columns of these names: ``X``, ``X.1``, ..., ``X.N``."""
    seen: Counter[str] = Counter()
    names = []
    for cell in cells:
        names.append(f"{cell}.{seen[cell]}" if seen[cell] else cell)
        seen[cell] += 1
    return names


def found(*lines: str) -> list[int]:
    data = "".join(line + "\n" for line in lines).encode()
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    return mangled_lines(data, ends, quoted='"' in data.decode())


@pytest.mark.parametrize("copies", [COPIES, 30, 120])
@pytest.mark.parametrize("value", ["0", "no", "0.0"])
def test_a_row_with_many_equal_values_is_recognised_also_without_its_first_column(
    copies: int, value: str
) -> None:
    row = [value, "137.8", "1", *[value] * copies, "1"]
    cells = renamed(row)
    assert cells[3] == f"{value}.1"
    for sent in (cells, cells[1:]):
        assert is_mangled(sent)
        assert found("1,2,3", ",".join(sent), "0.1,0.10") == [1]


def test_fewer_equal_values_may_be_a_row_of_data() -> None:
    assert not is_mangled(renamed(["0", "5", *["0"] * (COPIES - 1)]))


def test_other_orders_gaps_and_repeated_cells_are_data() -> None:
    copies = [f"0.{k}" for k in range(1, 20)]
    assert is_mangled(copies)
    assert not is_mangled([*copies, "7", "7"])
    assert not is_mangled(copies[::-1])
    assert not is_mangled([*copies[:4], *copies[5:]])
    assert not is_mangled(copies[1:])
    assert not is_mangled([])


@given(
    st.lists(st.floats(-1e4, 1e4), min_size=12, max_size=80),
    st.sampled_from(["{!r}", "{:.1f}", "{:.2f}", "{:.3f}", "{:g}"]),
)
def test_no_row_of_numbers_in_one_spelling_is_recognised(numbers: list[float], form: str) -> None:
    assert not is_mangled([form.format(number) for number in numbers])


@pytest.mark.parametrize("form", ["{!r}", "{:.1f}", "{:.2f}", "{:g}"])
def test_no_ramp_is_recognised(form: str) -> None:
    ramp = [form.format(round(k / 10, 1)) for k in range(1, 400)]
    hundredths = [form.format(round(k / 100, 2)) for k in range(1, 400)]
    assert not is_mangled(ramp)
    assert not is_mangled(hundredths)


@given(st.binary(max_size=12), st.sampled_from([b".1,", b".10,"]), st.integers(0, 12))
def test_a_word_is_found_wherever_it_is(data: bytes, word: bytes, place: int) -> None:
    assert _holds(data[:place] + word + data[place:] + b"\n", word)
    assert _holds(data + b"\n", word) == (word in data)


@given(st.lists(st.sampled_from(["0", "1", "0.1"]), min_size=20, max_size=60))
def test_every_row_that_is_recognised_is_among_the_lines_that_are_looked_at(row: list[str]) -> None:
    cells = renamed(row)
    quoted = ",".join(f'"{cell}"' for cell in cells)
    event(f"recognised: {is_mangled(cells)}")
    if is_mangled(cells):
        assert found("1", ",".join(cells)) == [1]
        assert found(quoted, ",".join(cells)) == [0, 1]
