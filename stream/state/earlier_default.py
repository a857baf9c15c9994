"""Finds the state of a job under the default name of 0.1.0, which all jobs of a folder shared."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from stream.config.model import Config, StateConfig, path_of_job
from stream.errors import StateUnreadable
from stream.state.read_only import open_read_only
from stream.state.sqlite_errors import translated_errors
from stream.state.store import is_state

EARLIER: Final = "driftline.sqlite"
HEADER_BYTES: Final = 100


class _Identity(msgspec.Struct):
    job: str


def with_earlier_state(config: Config) -> Config:
    """Return the configuration with the state of 0.1.0, where that is the one of its job."""
    path = str(earlier_state(Path(config.state.path), config.job))
    return msgspec.structs.replace(config, state=msgspec.structs.replace(config.state, path=path))


def earlier_state(path: Path, job: str) -> Path:
    """Return the state of 0.1.0 next to ``path`` if it is the one of ``job``; else ``path``.

    It is looked for only if ``path`` is the default and does not exist. Raises ``StateUnreadable``
    if it is damaged, so that its job is not known.
    """
    earlier = path.with_name(EARLIER)
    default = path_of_job(StateConfig().path, StateConfig().path, job)
    if path.name != default or path.exists() or not _is_state(earlier):
        return path
    return earlier if _job_of(earlier) == job else path


def _is_state(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_state(file.read(HEADER_BYTES))
    except OSError:
        return False


def _job_of(path: Path) -> str:
    """The job of a state; empty if it has no commit."""
    with translated_errors(path), closing(open_read_only(path)) as db:
        row = db.execute("SELECT body FROM meta WHERE name = 'identity'").fetchone()
    try:
        return msgspec.msgpack.decode(row[0], type=_Identity).job if row else ""
    except msgspec.MsgspecError as error:
        advice = "Move it away, or set `state.path` to another file"
        raise StateUnreadable(str(path), f"damaged content ({error})", advice) from error
