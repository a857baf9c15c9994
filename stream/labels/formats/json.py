"""Label format ``json``: JSON objects with the id, the label and its time at dotted paths."""

from __future__ import annotations

from stream.formats.base import TimeConfig
from stream.labels.base import LabelFormat


class Json(LabelFormat, frozen=True, tag="json"):
    """JSON objects, one per record, with ``id`` and ``label`` at dotted paths."""

    id: str = "id"
    """The dotted path of the id."""
    label: str = "label"
    """The dotted path of the label: a number, a text, true or false; or a list of these with one
    entry for each row of the event.
    """
    time: TimeConfig | None = None
    """Where the time of the label is; without it the time at which the log took the record."""
