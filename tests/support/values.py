"""The distinct values of a window, added to its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from detectors.profiles import distinct
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.testing.baselines import Values, window


def window_with_values(layout: Layout, data: Mapping[str, Values]) -> Profile:
    """The counts of rows under a layout, with the finite numbers and the texts of each feature."""
    profile = window(layout, data)
    for name, column in data.items():
        i = layout.index[name]
        present = [value for value in column if value is not None]
        if layout.features[i].numeric:
            numbers = np.array(present, np.float64)
            found = distinct.of_numbers(np.sort(numbers[np.isfinite(numbers)]))
        else:
            counts = Counter(map(str, present))
            texts = pa.array(list(counts), pa.string())
            found = distinct.of_texts(texts, np.array(list(counts.values()), np.int64))
        if found.total:
            profile.add_values(i, found)
    return profile
