"""Reads the last commit from a state file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from detectors.decisions.limits import Limits
from detectors.profiles.baseline import Baseline
from stream.aggregation.state import STATE_VERSION, JobState
from stream.errors import StateUnreadable
from stream.state.archive import Archive
from stream.state.identity import StateIdentity
from stream.state.sqlite_errors import reported_damage

OTHER_VERSION: Final = "Use the version of driftline that wrote it, or another state path"


class StoredState(msgspec.Struct, frozen=True, kw_only=True):
    """The last commit: its identity, the state of the job, and the baselines and limits in force.

    ``baselines`` and ``limits`` are by model, each where the archive has it. All fingerprints are
    in the current form, also those of a state that 0.1.0 wrote, where they covered constraints.
    """

    identity: StateIdentity
    state: JobState
    baselines: Mapping[str, Baseline]
    limits: Mapping[str, Limits]


def read_stored(db: sqlite3.Connection, path: Path) -> StoredState | None:
    """Return the last commit in an open state file; ``None`` if nothing was committed yet.

    Raises ``StateUnreadable`` if it is damaged or of another version.
    """
    query = "SELECT name, body FROM meta WHERE name IN ('identity', 'state')"
    bodies: dict[str, bytes] = dict(db.execute(query).fetchall())
    if "identity" not in bodies:
        return None
    with reported_damage(path, "its content"):
        identity = msgspec.msgpack.decode(bodies["identity"], type=StateIdentity)
        if identity.version != STATE_VERSION:
            reason = f"it has version {identity.version}, expected {STATE_VERSION}"
            raise StateUnreadable(str(path), reason, OTHER_VERSION)
        return _stored(identity, JobState.decode(bodies.get("state", b"")), Archive(db))


def _stored(identity: StateIdentity, state: JobState, archive: Archive) -> StoredState:
    named = {*identity.configured.values(), *(model.baseline for model in state.models.values())}
    kept = {name: baseline for name in named if (baseline := archive.baseline(name)) is not None}
    baselines = {
        name: kept[model.baseline] for name, model in state.models.items() if model.baseline in kept
    }
    for name, baseline in baselines.items():
        state.models[name].baseline = baseline.fingerprint
    configured = {
        name: kept[fingerprint].fingerprint if fingerprint in kept else fingerprint
        for name, fingerprint in identity.configured.items()
    }
    limits = {
        name: limits
        for name, fingerprint in identity.limits.items()
        if (limits := archive.limits(fingerprint)) is not None
    }
    return StoredState(
        identity=msgspec.structs.replace(identity, configured=configured),
        state=state,
        baselines=baselines,
        limits=limits,
    )
