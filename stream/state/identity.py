"""The identity of a state: the job, source and baselines that it belongs to."""

from __future__ import annotations

import msgspec

from stream.aggregation.state import STATE_VERSION


class StateIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The job, source and window length that a state was written for, and what its models use.

    ``source`` is the identity of the source: positions mean nothing in another one. ``configured``
    maps each model to the fingerprint of its configured baseline, empty if it is learned;
    ``limits`` maps it to the fingerprint of the limits of its last window. Both also hold models
    that are no longer configured. ``labels`` is the identity of the source of labels, empty before
    the first; ``join`` is the rule by which they were joined, and ``quality`` maps each model to
    what its labels mean.
    """

    job: str
    source: str
    window_ms: int
    every_ms: int
    version: int = STATE_VERSION
    configured: dict[str, str] = {}
    limits: dict[str, str] = {}
    labels: str = ""
    join: str = ""
    quality: dict[str, str] = {}
