"""Exact sums of doubles, as integers: independent of the order of the rows, and subtractable.

Each finite double is an integer in units of ``2**-1074``, so a sum of doubles is an integer, too,
and a sum of their squares is one in units of ``2**-2148``. Rows are added as limbs of 32 bits in
NumPy columns; only the totals become Python integers. Values that are not finite must be left out
and counted by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints

UNIT_BITS: Final = 1074
"""A sum is in units of ``2**-UNIT_BITS``; a sum of squares in units of ``2**(-2 * UNIT_BITS)``."""
_LIMB: Final = 32
_MASK: Final = 0xFFFFFFFF
_HALF: Final = (1 << 27) - 1


def exact_sums(
    columns: Sequence[Floats], weight: Ints, group: Ints, groups: int
) -> list[list[int]]:
    """Return the sum of ``weight * column`` in each group, for each column.

    The columns and ``weight`` have one entry a row, as has ``group``: a number below ``groups``.
    The results are exact while the absolute weights of a group add up to less than ``2**27``. 0
    for a group without rows. All values must be finite.

    >>> x = np.array([1e300, 1.0, -1e300])
    >>> [[total]] = exact_sums([x], np.ones(3, int), np.zeros(3, int), 1)
    >>> float_of(total), float(x[::2].sum() + x[1])
    (1.0, 1.0)
    """
    slots = _slots(len(columns), group, groups)
    values = np.concatenate(columns)
    mantissa, shift = _parts(values)
    signed = np.tile(weight, len(columns)) * np.where(values < 0, -1, 1)
    return _split(_totals([(mantissa, shift)], signed, slots, len(columns) * groups), groups)


def exact_square_sums(
    columns: Sequence[Floats], weight: Ints, group: Ints, groups: int
) -> list[list[int]]:
    """Return the sum of ``weight * column**2`` in each group, for each column, without rounding.

    Shapes and limits are those of :func:`exact_sums`; the unit is ``2**-2148``.

    >>> x = np.array([1e8 + 1, 1e8 - 1])
    >>> [[square]] = exact_square_sums([x], np.ones(2, int), np.zeros(2, int), 1)
    >>> square == (100000001**2 + 99999999**2) << 2148
    True
    """
    slots = _slots(len(columns), group, groups)
    mantissa, shift = _parts(np.concatenate(columns))
    low, high = mantissa & _HALF, mantissa >> 27
    products = [
        (low * low, 2 * shift),
        (low * high, 2 * shift + 28),  # twice, so one bit further
        (high * high, 2 * shift + 54),
    ]
    signed = np.tile(weight, len(columns))
    return _split(_totals(products, signed, slots, len(columns) * groups), groups)


def float_of(total: int, count: int = 1, *, squares: bool = False) -> float:
    """Return the double nearest to a sum, divided by ``count``.

    ``squares``: the sum is one of squares. Infinite where the value is beyond all doubles.

    >>> float_of(3 << 1074, 2)
    1.5
    """
    return ratio(total, count << (2 * UNIT_BITS if squares else UNIT_BITS))


def ratio(numerator: int, denominator: int) -> float:
    """Return the double nearest to a fraction with a positive ``denominator``.

    Infinite where it is beyond all doubles; Python rounds the quotient of integers correctly.

    >>> ratio(1, 3), ratio(-(10**400), 1)
    (0.3333333333333333, -inf)
    """
    try:
        return numerator / denominator
    except OverflowError:
        return float("-inf") if numerator < 0 else float("inf")


def _slots(columns: int, group: Ints, groups: int) -> Ints:
    slots: Ints = (np.arange(columns)[:, None] * groups + group[None, :]).ravel()
    return slots


def _split(totals: list[int], groups: int) -> list[list[int]]:
    return [totals[start : start + groups] for start in range(0, len(totals), groups)]


def _parts(values: Floats) -> tuple[Ints, Ints]:
    """Return integers m and s with ``abs(values) = m * 2**(s - 1074)``, m below ``2**53``."""
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    exponent = (bits >> 52) & 0x7FF
    fraction = bits & ((1 << 52) - 1)
    normal = exponent > 0
    return np.where(normal, fraction | (1 << 52), fraction), np.where(normal, exponent - 1, 0)


def _totals(products: list[tuple[Ints, Ints]], signed: Ints, slots: Ints, count: int) -> list[int]:
    """Add ``signed * m * 2**s`` of all products by slot; each m is below ``2**54``."""
    if not len(slots):
        return [0] * count
    first = min(int(shift.min()) for _, shift in products) // _LIMB
    last = max(int(shift.max()) for _, shift in products) // _LIMB
    width = last - first + 5  # three limbs of a product, two for the carries
    limbs = np.zeros(count * width, np.int64)
    for mantissa, shift in products:
        place = slots * width + (shift // _LIMB - first)
        _add_limbs(limbs, place, mantissa, shift % _LIMB, signed)
    return _integers(limbs.reshape(count, width), first)


def _add_limbs(limbs: Ints, place: Ints, mantissa: Ints, shift: Ints, signed: Ints) -> None:
    low = (mantissa & _MASK) << shift
    high = ((mantissa >> _LIMB) << shift) + (low >> _LIMB)
    np.add.at(limbs, place, (low & _MASK) * signed)
    np.add.at(limbs, place + 1, (high & _MASK) * signed)
    np.add.at(limbs, place + 2, (high >> _LIMB) * signed)


def _integers(limbs: Ints, first: int) -> list[int]:
    """Return the integer of each row of limbs, of which the first has the weight ``2**32first``."""
    for column in range(limbs.shape[1] - 1):
        limbs[:, column + 1] += limbs[:, column] >> _LIMB
    data = limbs.astype(np.uint32).tobytes()  # the last limb holds the sign in its top bit
    step = 4 * limbs.shape[1]
    shift = _LIMB * first
    return [
        int.from_bytes(data[start : start + step], "little", signed=True) << shift
        for start in range(0, len(data), step)
    ]
