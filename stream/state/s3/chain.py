"""Writes the state to S3 as its owner: one object, with one chain of ETags."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any, Final, NoReturn

import msgspec

from stream.errors import OwnershipLost, StateUnwritable
from stream.state.s3.content import pack, stamped
from stream.state.s3.object import ObjectMetadata, ObservedObject, S3RequestFailed, StateObject
from stream.state.s3.request_errors import raise_if_permanent

LEAVE_S: Final = 10.0
"""The time for which a stopping service keeps trying to put its last commit."""
BACKOFF_S: Final = (0.1, 0.3, 1.0, 2.0)


def now_s() -> float:
    """The seconds of a monotonic clock that also runs during suspend, if the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class StateChain:
    """Puts the state on the condition that the object is unchanged since the previous put.

    ``If-Match`` on the last ETag ensures a single history: a service with a refused put has lost
    the job. After a put with an unknown outcome the object's metadata are read: the put arrived
    (only the response was lost), nothing changed (it is repeated until it succeeds), or another
    service owns the object (``OwnershipLost``). Each put has a new stamp, even for equal content:
    the changed ETag is the owner's heartbeat. :meth:`put` and :meth:`release` may be called once
    :meth:`take` has returned true.
    """

    def __init__(
        self,
        stored: StateObject,
        job: str,
        take_over_after_s: float,
        stop: threading.Event,
        log: Any,
    ) -> None:
        self.owner = secrets.token_hex(8)
        self.metadata = ObjectMetadata(job=job)
        self._object = stored
        self._stop = stop
        self._log = log
        self._take_over_after_s = take_over_after_s
        self._etag: str | None = None
        self._packed = b""
        self._owned = False
        self._heartbeat_s = float("-inf")

    @property
    def uri(self) -> str:
        """The object's address."""
        return self._object.uri

    def take(self, observed: ObservedObject | None, packed: bytes) -> bool:
        """Become the owner of the object as it was ``observed``, with ``packed`` as its content.

        Returns false if another service was faster. Raises ``StateUnwritable`` for a permanent
        error: no bucket, no permission, no credentials.
        """
        before = observed.metadata if observed else ObjectMetadata()
        self._etag = observed.etag if observed else None
        self._packed = packed
        self.metadata = ObjectMetadata(
            job=self.metadata.job,
            owner=self.owner,
            epoch=before.epoch + 1,
            commit=before.commit,
        )
        try:
            self._write()
        except OwnershipLost:
            return False
        self._owned = True
        return True

    def put(self, snapshot: bytes) -> None:
        """Put a commit; returns when it is stored, which may take any length of time.

        Raises ``OwnershipLost`` if another service has taken over, and ``StateUnwritable`` if the
        service is stopping and the commit is not stored within 10 s.
        """
        self._packed = pack(snapshot)
        self._write()

    def may_deliver(self) -> bool:
        """Return false once the last put is so old that another service may have taken over.

        A later put makes it true again.
        """
        return self._owned and now_s() - self._heartbeat_s < self._take_over_after_s

    def release(self) -> None:
        """Mark the object as released, so that the next owner need not wait.

        Does nothing if the job is not owned. There is no retry: after a failure, the next owner
        waits for the heartbeat.
        """
        if not self._owned:
            return
        self._owned = False
        metadata = msgspec.structs.replace(self._next(), released=True)
        try:
            self._object.put(stamped(metadata, self._packed), metadata, self._etag)
        except S3RequestFailed as error:
            self._log.warning("state_release_failed", state=self.uri, reason=error.code)

    def _next(self) -> ObjectMetadata:
        return msgspec.structs.replace(self.metadata, commit=self.metadata.commit + 1)

    def _write(self) -> None:
        """Put the packed content, and retry until it is stored."""
        self.metadata = self._next()
        content = stamped(self.metadata, self._packed)
        first_s = now_s()
        failures = 0
        leave_s = float("inf")
        while (reason := self._attempt(content, first_s)) is not None:
            self._log.warning("state_put_failed", state=self.uri, reason=reason)
            if self._stop.is_set():
                leave_s = min(leave_s, now_s() + (LEAVE_S if self._owned else 0.0))
            if now_s() >= leave_s:
                raise StateUnwritable(self.uri, reason)
            self._pause(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1
        duration_s = now_s() - first_s
        if duration_s > self._take_over_after_s / 2:
            advice = "raise `state.s3.take_over_after`"
            self._log.warning("state_put_slow", took_s=round(duration_s, 1), advice=advice)

    def _attempt(self, content: bytes, first_s: float) -> str | None:
        """Put the content once; returns ``None`` if it is stored, else the reason.

        The heartbeat counts from before the request. If the outcome of a request was unknown and
        the put has arrived, it may have been any attempt: then it counts from before the first.
        """
        started_s = now_s()
        try:
            self._etag = self._object.put(content, self.metadata, self._etag)
        except S3RequestFailed as error:
            etag = self._settle(error.code)
            if etag is None:
                return error.code
            self._etag = etag
            started_s = first_s
        self._heartbeat_s = started_s
        return None

    def _settle(self, code: str) -> str | None:
        """Determine the outcome of a failed put; returns its ETag if it is stored.

        Returns ``None`` if the put may be repeated.
        """
        if code == "NoSuchKey":
            self._lost(None)
        try:
            observed = self._object.head()
        except S3RequestFailed as error:
            self._raise_if_permanent(error.code if code == "PreconditionFailed" else code)
            return None
        if observed is not None and self._is_own_put(observed.metadata):
            return observed.etag
        if (observed.etag if observed else None) != self._etag:
            self._lost(observed)
        self._raise_if_permanent(code)
        return None

    def _is_own_put(self, metadata: ObjectMetadata) -> bool:
        return (metadata.owner, metadata.commit) == (self.owner, self.metadata.commit)

    def _raise_if_permanent(self, code: str) -> None:
        """Raise a permanent error at the start; a running owner waits until it is repaired."""
        if not self._owned:
            raise_if_permanent(self.uri, code)

    def _lost(self, observed: ObservedObject | None) -> NoReturn:
        self._owned = False
        raise OwnershipLost(self.uri, observed.metadata.owner if observed else "")

    def _pause(self, wait_s: float) -> None:
        """Wait, also if the service is stopping: its last commit must still be stored."""
        if self._stop.is_set() or self._stop.wait(wait_s):
            time.sleep(min(wait_s, 0.3))
