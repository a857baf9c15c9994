"""The file lock next to a state file, which allows one owner per machine."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from stream.errors import StateLocked, StateUnwritable

NOTE_BYTES: Final = 200


class FileLock:
    """A lock held by one process at a time; the system releases it when that process ends.

    ``note`` is text in the lock's file: the id of the owner in S3 of whose state the file next to
    it is a copy (empty: it was never in S3). Raises ``StateLocked`` if another process holds the
    lock, ``StateUnwritable`` if its file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            name = f"{os.path.realpath(path)}.lock"  # the same one by whichever links it is reached
            self._file = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StateUnwritable(str(path), error.strerror or str(error)) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StateLocked(str(path)) from error

    @property
    def note(self) -> str:
        """The note of the last holder that wrote one."""
        return os.pread(self._file, NOTE_BYTES, 0).decode(errors="replace").rstrip()

    @note.setter
    def note(self, text: str) -> None:
        # One write of constant length: a crash leaves either the old note or the new one.
        os.pwrite(self._file, text.encode().ljust(NOTE_BYTES), 0)
        os.fsync(self._file)

    def close(self) -> None:
        """Release the lock; safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
