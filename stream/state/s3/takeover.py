"""How a service becomes the owner of a state in S3: see whether somebody is alive, raise the epoch,
take the content over.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stream.errors import StateIncompatible, StateUnwritable
from stream.state.file_lock import FileLock
from stream.state.s3.chain import BACKOFF_S, StateChain, now_s, pack, refuse_hopeless, unpack
from stream.state.s3.object import ObservedObject, S3RequestFailed, StateObject
from stream.state.store import Store, is_ours

POLL_S: Final = 1.0


class Takeover:
    """An object is free if it is absent or released, if its owner held the lock that we hold now,
    or if nobody changed it for a while.

    What counts is that its ETag did not change on our own clock: clocks of two machines are never
    compared, and a time in which S3 did not answer tells nothing. The content is fetched, the
    object put again with a higher epoch on the condition that it is still the same, and only then
    the content replaces the local file: S3 wins, since what was committed here and not put was
    never delivered.
    """

    def __init__(
        self,
        stored: StateObject,
        chain: StateChain,
        path: Path,
        take_over_after_s: float,
        stop: threading.Event,
        log: Any,
    ) -> None:
        self._object, self._chain, self._path = stored, chain, path
        self._after_s, self._stop, self._log = take_over_after_s, stop, log
        self._free: ObservedObject | None = None
        self.silent_owner = ""
        """The owner on another disk that was taken over since it changed nothing any more; empty if
        there was none."""
        self._answered, self._unanswered = False, 0

    def take(self, lock: FileLock, busy: Callable[[str], None]) -> bool:
        """Become the owner; false if the service was stopped meanwhile.

        ``busy`` is called when a living owner is met, and may raise. Raises ``StateIncompatible``
        if the object belongs to another job or is no state, or if the local file holds one that
        never was in S3.
        """
        while self._watch(lock.note, busy):
            try:
                taken = self._try(lock)
            except S3RequestFailed as error:
                self._log.warning(
                    "state cannot be fetched from S3, will be repeated",
                    state=self._chain.where,
                    reason=error.code,
                )
                self._stop.wait(BACKOFF_S[-1])
                continue
            if taken:
                return True
            busy(self._chain.where)
        return False

    def _watch(self, note: str, busy: Callable[[str], None]) -> bool:
        """Wait until the object is free and keep how it was seen; false if stopped."""
        seen, since_s, told = self._look(), now_s(), False
        while not self._stop.is_set():
            if (
                seen is None
                or seen.note.released
                or seen.note.owner == note
                or now_s() - since_s >= self._after_s
            ):
                self._free = seen
                return True
            if not told:
                self._log.info(
                    "is the owner alive?",
                    state=self._chain.where,
                    owner=seen.note.owner,
                    watched_for_s=self._after_s,
                )
                told = True
            self._stop.wait(min(POLL_S, self._after_s / 4))
            before, unanswered = seen, self._unanswered
            seen = self._look()
            if seen is not None and seen.etag != before.etag and not seen.note.released:
                busy(self._chain.where)
                since_s = now_s()
            elif self._unanswered > unanswered:
                since_s = now_s()
        return False

    def _look(self) -> ObservedObject | None:
        """The object, as soon as S3 tells; ``None`` if it is absent, or may be: the put finds out."""
        while not self._stop.is_set():
            try:
                seen = self._object.look()
                self._answered = True
                return seen
            except S3RequestFailed as error:
                if error.code == "403":
                    return None
                if not self._answered:
                    refuse_hopeless(self._chain.where, error.code)
                self._unanswered += 1
                self._log.warning("S3 does not answer", state=self._chain.where, reason=error.code)
                self._stop.wait(BACKOFF_S[-1])
        return None

    def _try(self, lock: FileLock) -> bool:
        seen, before = self._free, lock.note
        if seen is None:
            packed = self._local(lock)
            lock.note = self._chain.owner
            if not self._chain.take(None, packed):
                lock.note = before
                return False
            return True
        self._refuse(seen, lock)
        packed = self._object.fetch(seen.etag)
        content = self._content(packed)
        if not self._chain.take(seen, packed):
            return False
        self.silent_owner = (
            "" if seen.note.released or seen.note.owner == before else seen.note.owner
        )
        lock.note = self._chain.owner
        restore(self._path, content)
        return True

    def _local(self, lock: FileLock) -> bytes:
        """The local file is the first content: a job may move from a disk to S3."""
        store = Store(self._path, lock)
        try:
            return pack(store.snapshot())
        finally:
            store.close()

    def _refuse(self, seen: ObservedObject, lock: FileLock) -> None:
        job = self._chain.note.job
        if seen.note.job not in ("", job):
            raise StateIncompatible(
                "job",
                seen.note.job,
                job,
                f"Give `state.s3` of this job another `key` than {self._chain.where}",
            )
        if lock.note or not self._path.exists():
            return
        store = Store(self._path, lock)
        try:
            alone = store.identity() is not None
        finally:
            store.close()
        if alone:
            advice = (
                f"{self._chain.where} holds a state of its own. Move one of the two away: the other"
                " one is used"
            )
            raise StateIncompatible(
                "file",
                f"{self._path}: a state that never was in S3",
                "a copy of the one in S3",
                advice,
            )

    def _content(self, packed: bytes) -> bytes:
        content = unpack(packed, self._chain.where)
        if content and not is_ours(content):
            raise StateIncompatible(
                "object",
                f"{self._chain.where}: something else",
                "a state of driftline",
                "Choose another `key`",
            )
        return content


def restore(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of a state file that nobody has open. Raises
    ``StateUnwritable``.
    """
    new = Path(f"{path}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        for beside in ("-wal", "-shm"):
            Path(f"{path}{beside}").unlink(missing_ok=True)
        os.replace(new, path)
    except OSError as error:
        raise StateUnwritable(str(path), error.strerror or str(error)) from error
