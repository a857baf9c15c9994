"""A filter finds every id that was added, and few others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.state.labels.id_filter import BITS, FilterInMaking
from tests.support.waiting import random_ids

ROWS = 100_000


def test_every_id_that_was_added_is_possible() -> None:
    ids = np.sort(random_ids(np.random.default_rng(1), ROWS))
    making = FilterInMaking(ROWS)
    making.add(ids[::2])
    making.add(ids[1::2])
    assert making.finished().possible(ids).tolist() == ids.tolist()


def test_others_are_possible_with_the_chance_of_a_bloom_filter() -> None:
    generator = np.random.default_rng(2)
    making = FilterInMaking(ROWS)
    making.add(random_ids(generator, ROWS))
    others = random_ids(generator, 1_000_000)
    chance = (1 - math.exp(-4 / BITS)) ** 4
    found = len(making.finished().possible(others))
    assert abs(found / len(others) - chance) < 6 * math.sqrt(chance / len(others)) + 0.02 * chance


@pytest.mark.parametrize("ids", [np.arange(50), np.arange(50) << 40, np.zeros(3)])
def test_ids_that_are_no_hashes_are_found(ids: NDArray[np.int64]) -> None:
    making = FilterInMaking(len(ids))
    making.add(ids.astype(np.uint64))
    assert len(making.finished().possible(ids.astype(np.uint64))) == len(ids)


def test_a_filter_has_two_bytes_a_row() -> None:
    assert len(FilterInMaking(ROWS).finished().bits) == 2 * ROWS
