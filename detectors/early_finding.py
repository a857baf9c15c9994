"""Evidence on one feature inside an open window, as signals publish it."""

from __future__ import annotations

import msgspec

from detectors.finding import Subject


class EarlyFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of an open window say of one feature, at a look.

    ``log_e_value`` is the natural logarithm of its e-value, and ``needed`` what it must reach: the
    logarithm of 1 over the budget of the looks into one window.
    """

    feature: str
    """The feature."""
    subject: Subject
    """What has changed."""
    log_e_value: float
    """The natural logarithm of the evidence, as a ratio of chances."""
    needed: float
    """What it must reach."""
    n: int
    """The rows that it was computed from."""
    since_ms: int
    """The time of the earlier look since which these rows came, by the clock of the service; the
    start of the window for all of its rows.
    """
    effect: float
    """The estimated size of the drift in them, less what chance adds, as a Hellinger distance."""
    direction: int
    """1 for more or larger, -1 for fewer or smaller, 0 for neither."""
