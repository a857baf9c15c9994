"""Takes over a state in S3: checks that the previous owner is gone, raises the epoch, restores."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stream.errors import StateConflict, StateIncompatible, StateUnreadable, StateUnwritable
from stream.state.file_lock import FileLock
from stream.state.s3.chain import BACKOFF_S, StateChain, now_s
from stream.state.s3.content import pack, unpack
from stream.state.s3.object import ObjectMetadata, ObservedObject, S3RequestFailed, StateObject
from stream.state.s3.request_errors import raise_if_permanent
from stream.state.store import Store, is_state

POLL_S: Final = 1.0


class Takeover:
    """Waits until the object is free, then becomes its owner and restores its content.

    An object is free if it is absent or released, if its owner held the file lock that this service
    holds now, or if its ETag did not change for ``take_over_after_s``. That time is measured on one
    clock only, and restarts whenever S3 does not respond.

    The content is fetched and the object put again with a higher epoch, on the condition that it is
    unchanged. Only then does the content replace the local file. S3 wins over that file: a commit
    that was never put was never delivered either.
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
        self._object = stored
        self._chain = chain
        self._path = path
        self._take_over_after_s = take_over_after_s
        self._stop = stop
        self._log = log
        self._free: ObservedObject | None = None
        self.silent_owner = ""
        """The previous owner if it was taken over because its heartbeat had stopped; else empty."""
        self._answered = False
        self._failures = 0

    def take(self, lock: FileLock, on_owner_alive: Callable[[str], None]) -> bool:
        """Become the owner; returns false if the service is stopped first.

        ``on_owner_alive`` is called when the owner has a heartbeat, and may raise. Raises
        ``StateIncompatible`` if the object belongs to another job, ``StateUnreadable`` if it is no
        state, ``StateConflict`` if the local file holds a state that was never in S3.
        """
        while self._watch(lock.note, on_owner_alive):
            try:
                taken = self._try(lock)
            except S3RequestFailed as error:
                uri = self._chain.uri
                self._log.warning("state_fetch_failed", state=uri, reason=error.code)
                self._stop.wait(BACKOFF_S[-1])
                continue
            if taken:
                return True
            on_owner_alive(self._chain.uri)
        return False

    def _watch(self, note: str, on_owner_alive: Callable[[str], None]) -> bool:
        """Wait until the object is free, and keep the observation; returns false if stopped."""
        observed = self._observe()
        since_s = now_s()
        announced = False
        while not self._stop.is_set():
            if observed is None or self._is_free(observed.metadata, note, now_s() - since_s):
                self._free = observed
                return True
            if not announced:
                self._announce(observed.metadata)
                announced = True
            self._stop.wait(min(POLL_S, self._take_over_after_s / 4))
            before = observed
            failures = self._failures
            observed = self._observe()
            if observed is not None and _has_heartbeat(before, observed):
                on_owner_alive(self._chain.uri)
                since_s = now_s()
            elif self._failures > failures:
                since_s = now_s()
        return False

    def _is_free(self, metadata: ObjectMetadata, note: str, unchanged_s: float) -> bool:
        released = metadata.released or metadata.owner == note
        return released or unchanged_s >= self._take_over_after_s

    def _announce(self, metadata: ObjectMetadata) -> None:
        self._log.info(
            "waiting_for_owner_heartbeat",
            state=self._chain.uri,
            owner=metadata.owner,
            wait_s=self._take_over_after_s,
        )

    def _observe(self) -> ObservedObject | None:
        """Return the object as soon as S3 responds; ``None`` if it is, or may be, absent.

        The put shows which of the two is true.
        """
        while not self._stop.is_set():
            try:
                observed = self._object.head()
                self._answered = True
                return observed
            except S3RequestFailed as error:
                if error.code == "403":
                    return None
                if not self._answered:
                    raise_if_permanent(self._chain.uri, error.code)
                self._failures += 1
                uri = self._chain.uri
                self._log.warning("s3_unreachable", state=uri, reason=error.code)
                self._stop.wait(BACKOFF_S[-1])
        return None

    def _try(self, lock: FileLock) -> bool:
        """Take the free object, or create it; returns false if another service was faster."""
        if self._free is None:
            return self._create(lock)
        observed = self._free
        before = lock.note
        self._refuse(observed.metadata, lock)
        packed = self._object.fetch(observed.etag)
        content = self._content(packed)
        if not self._chain.take(observed, packed):
            return False
        owner = observed.metadata.owner
        self.silent_owner = "" if observed.metadata.released or owner == before else owner
        lock.note = self._chain.owner
        restore(self._path, content)
        return True

    def _create(self, lock: FileLock) -> bool:
        """Create the object; its first content is the local file, which may hold a state already.

        The note is written first, so that after a crash in between the file counts as a copy.
        """
        before = lock.note
        packed = self._local(lock)
        lock.note = self._chain.owner
        created = self._chain.take(None, packed)
        if not created:
            lock.note = before
        return created

    def _local(self, lock: FileLock) -> bytes:
        store = Store(self._path, lock)
        try:
            return pack(store.snapshot())
        finally:
            store.close()

    def _refuse(self, metadata: ObjectMetadata, lock: FileLock) -> None:
        """Raise if the object is another job's, or if the local file would be lost."""
        job = self._chain.metadata.job
        if metadata.job not in ("", job):
            advice = f"Give `state.s3` of this job another `key` than {self._chain.uri}"
            raise StateIncompatible("job", metadata.job, job, advice)
        if not lock.note and self._path.exists() and self._has_commits(lock):
            raise StateConflict(str(self._path), self._chain.uri)

    def _has_commits(self, lock: FileLock) -> bool:
        store = Store(self._path, lock)
        try:
            return store.load() is not None
        finally:
            store.close()

    def _content(self, packed: bytes) -> bytes:
        content = unpack(packed, self._chain.uri)
        if content and not is_state(content):
            reason = "the object is not a state of driftline"
            raise StateUnreadable(self._chain.uri, reason, "Choose another `key`")
        return content


def restore(path: Path, content: bytes) -> None:
    """Replace a state file that is not open with ``content``. Raises ``StateUnwritable``."""
    new = Path(f"{path}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        os.replace(new, path)
    except OSError as error:
        raise StateUnwritable(str(path), error.strerror or str(error)) from error


def _has_heartbeat(before: ObservedObject, after: ObservedObject) -> bool:
    """Return whether the object changed, other than by a release."""
    return after.etag != before.etag and not after.metadata.released
