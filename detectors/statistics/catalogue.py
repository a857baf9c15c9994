"""The distances by name: those of this folder, and those that other distributions offer."""

from __future__ import annotations

from typing import Final

from detectors.components import find
from detectors.statistics.distances.base import Distance

_CLASSES = find("detectors.statistics.distances", Distance, "driftline.distances")
DISTANCES: Final[dict[str, Distance]] = {name: _CLASSES[name]() for name in sorted(_CLASSES)}
"""Every distance, by name: file names of ``distances/``, and entry points of
``driftline.distances``. Reports list them in this order."""


def deciding_statistics() -> list[str]:
    """Names of the distances that may decide on a feature.

    >>> "psi" in deciding_statistics(), "chi_squared" in deciding_statistics()
    (True, False)
    """
    return [name for name, distance in DISTANCES.items() if distance.decides]


def fits(statistic: str, numeric: bool) -> bool:
    """Return whether the distance ``statistic`` is defined on numbers, or on text.

    >>> fits("ks", numeric=True), fits("ks", numeric=False), fits("psi", numeric=False)
    (True, False, True)
    """
    return DISTANCES[statistic].fits(numeric)
