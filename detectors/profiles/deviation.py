"""Mean and standard deviation of numbers of any size."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats


def mean_and_deviation(values: Floats, weights: Floats) -> tuple[float, float]:
    """The weighted mean and the population standard deviation of finite values.

    Both are finite. The mean lies within the values, and equal values have a deviation of 0. There
    must be a value with a positive weight.

    >>> mean_and_deviation(np.array([-1.7e308, 1.7e308]), np.array([1.0, 1.0]))
    (0.0, 1.7e+308)
    """
    shares = weights / weights.sum()
    mean = float(np.clip((values * shares).sum(), values.min(), values.max()))
    halves = values / 2.0 - mean / 2.0
    largest = float(np.abs(halves).max())
    if largest == 0.0:
        return mean, 0.0
    return mean, largest * float(2.0 * np.sqrt(((halves / largest) ** 2 * shares).sum()))
