"""The sample of ids is a fixed share, the same wherever it is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream.dedupe.filter import hashes_of
from stream.labels.sampling import sampled

IDS, _ = hashes_of([f"order-{k}" for k in range(200_000)])
RANDOM = np.random.default_rng(1).integers(0, 2**64, 200_000, np.uint64)
IN_A_ROW = np.arange(200_000, dtype=np.uint64)


@pytest.mark.parametrize("hashes", [IDS, RANDOM, IN_A_ROW], ids=["ids", "random", "in a row"])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_the_share_is_kept_up_to_five_standard_errors(
    hashes: np.ndarray[tuple[int], np.dtype[np.uint64]], share: float
) -> None:
    error = 5 * math.sqrt(share * (1 - share) / len(hashes))
    assert sampled(hashes, share).mean() == pytest.approx(share, abs=error)


def test_a_larger_share_keeps_what_a_smaller_one_has() -> None:
    small, large = sampled(IDS, 0.1), sampled(IDS, 0.3)
    assert large[small].all()
    assert sampled(IDS, 1.0).all()


def test_an_id_is_in_or_out_whatever_is_beside_it() -> None:
    alone = [bool(sampled(IDS[k : k + 1], 0.5)[0]) for k in range(500)]
    assert alone == sampled(IDS[:500], 0.5).tolist()
    assert len(sampled(IDS[:0], 0.5)) == 0


def test_the_mixing_is_that_of_splitmix64() -> None:
    # The first outputs of the generator with seed 1234567, as its author's C code prints them.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    golden = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + k * golden) % 2**64 for k in (1, 2, 3)], np.uint64)
    for state, output in zip(states, expected, strict=True):
        above, below = (output + 2**20) / 2**64, (output - 2**20) / 2**64
        one = np.array([state], np.uint64)
        assert sampled(one, above).all()
        assert not sampled(one, below).any()
