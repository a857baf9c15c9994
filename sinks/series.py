"""One time series of the Prometheus sink."""

from __future__ import annotations

from typing import NamedTuple


class Series(NamedTuple):
    """Name and help text of the family of a time series, its labels and its value.

    The exported name begins with ``driftline_``; the label ``job`` is added to the others.
    """

    name: str
    text: str
    labels: dict[str, str]
    value: float
