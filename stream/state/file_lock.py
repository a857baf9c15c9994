"""The lock beside a state file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from stream.errors import StateLocked, StateUnwritable

NOTE_BYTES: Final = 200


class FileLock:
    """Held by one process at a time; the system lets it go when that process ends, however it ends.

    ``note`` is text that is kept in the lock's file: which owner in S3 the state file beside it is
    a copy of (empty: it never was one). Raises ``StateLocked`` if another process holds it,
    ``StateUnwritable`` if the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StateUnwritable(str(path), error.strerror or str(error)) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StateLocked(str(path)) from error

    @property
    def note(self) -> str:
        """What the holder before wrote, or this one."""
        return os.pread(self._file, NOTE_BYTES, 0).decode(errors="replace").rstrip()

    @note.setter
    def note(self, text: str) -> None:
        os.pwrite(
            self._file, text.encode().ljust(NOTE_BYTES), 0
        )  # in one piece: a crash leaves the old note or this one
        os.fsync(self._file)

    def close(self) -> None:
        """Give it up; safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
