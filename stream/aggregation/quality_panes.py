"""The contract of the store of quality panes: what is known of the labels of one pane."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec

from detectors.quality.counts import QualityCounts
from stream.events import ModelKey


class QualityPaneId(NamedTuple):
    """A pane of the predictions of one model and variant."""

    model: str
    variant: str
    start_ms: int

    @property
    def key(self) -> ModelKey:
        """The model and the variant."""
        return ModelKey(self.model, self.variant)


class QualityPane(msgspec.Struct, kw_only=True, eq=False):
    """What is known of the predictions of one pane and their labels.

    ``predictions`` is the number of rows that wait or waited for a label, ``labelled`` that of
    those that have one, with their ``counts``. ``predicted`` are counts of all predictions, for
    estimates by the baseline with the fingerprint ``estimator``. ``revision`` is that of the
    last report on the window that ends with this pane, -1 before the first. ``judged``: that
    window was judged. ``drifted``: its data had drifted.
    """

    predictions: int = 0
    labelled: int = 0
    counts: QualityCounts = msgspec.field(default_factory=QualityCounts)
    predicted: QualityCounts = msgspec.field(default_factory=QualityCounts)
    estimator: str = ""
    revision: int = -1
    judged: bool = False
    drifted: bool = False


class QualityPanes(Protocol):
    """Quality panes by id. Changes are kept by the next commit."""

    def get(self, pane: QualityPaneId) -> QualityPane | None:
        """Return a pane, ``None`` if there is none. A caller that changes it must put it."""

    def put(self, pane: QualityPaneId, content: QualityPane) -> None:
        """Store a pane."""

    def drop(self, pane: QualityPaneId) -> None:
        """Remove a pane."""

    def starting_before(self, time_ms: int) -> Iterable[QualityPaneId]:
        """Return the panes that start before a time, in order of their starts."""
