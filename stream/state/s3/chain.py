"""The state in S3 as its owner writes it: one object, one chain of ETags."""

from __future__ import annotations

import secrets
import struct
import threading
import time
from typing import Any, Final, NoReturn

import pyarrow as pa

from stream.errors import OwnershipLost, StateIncompatible, StateUnwritable
from stream.state.s3.object import ObjectMetadata, ObservedObject, S3RequestFailed, StateObject
from stream.state.sqlite_errors import RESTORE

LEAVE_S: Final = 10.0
"""How long a service that was told to stop goes on trying to put its last commit."""
BACKOFF_S: Final = (0.1, 0.3, 1.0, 2.0)
_LEVEL: Final = 3
_SKIPPED: Final = 0x184D2A50
"""Marks a part of a zstd file that everything which unpacks it skips."""
_RIGHTS: Final = (
    "allow s3:GetObject and s3:PutObject on {} (and the use of the key, if the bucket encrypts with"
    " KMS)"
)
_NEVER: Final = {
    "NoSuchBucket": "there is no such bucket: create it, or correct `state.s3.bucket`",
    "AccessDenied": _RIGHTS,
    "403": _RIGHTS,
    "InvalidAccessKeyId": "S3 does not know these credentials",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "NoCredentialsError": (
        "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the"
        " machine a role"
    ),
    "PermanentRedirect": "the bucket is in another region: set `state.s3.region`",
    "301": "the bucket is in another region: set `state.s3.region`",
    "InvalidBucketName": "a bucket cannot have this name: correct `state.s3.bucket`",
    "ParamValidationError": (
        "that is no name of a bucket or of a key: correct `state.s3.bucket` and `state.s3.key`"
    ),
}
"""What waiting does not repair, when a service starts."""


def now_s() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps (where it has
    one).
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class StateChain:
    """Each put stands on the one before (``If-Match``), so there is one history, and whoever loses
    a put has lost the job.

    A failed put is settled by a look at the object: it is ours (the answer was lost), or as it was
    before (try again, until it succeeds), or somebody else's (``OwnershipLost``). Content is put
    again under a new stamp when it did not change, since its ETag shows the others that the owner
    is alive. After :meth:`take` returned true, :meth:`put` and :meth:`release` may be called.
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
        self.note = ObjectMetadata(job)
        self._object, self._after_s, self._stop, self._log = stored, take_over_after_s, stop, log
        self._etag: str | None = None
        self._packed = b""
        self._owned = False
        self._alive_s = float("-inf")

    @property
    def where(self) -> str:
        """The object's address."""
        return self._object.where

    def take(self, seen: ObservedObject | None, packed: bytes) -> bool:
        """Become owner of the object as it was ``seen``, with ``packed`` as its content; false if
        somebody else was quicker.

        Raises ``StateUnwritable`` for what waiting does not repair: no bucket, no rights, no
        credentials.
        """
        before = seen.note if seen else ObjectMetadata()
        self._etag, self._packed = seen.etag if seen else None, packed
        self.note = ObjectMetadata(self.note.job, self.owner, before.epoch + 1, before.commit)
        try:
            self._write()
        except OwnershipLost:
            return False
        self._owned = True
        return True

    def put(self, snapshot: bytes) -> None:
        """Put a commit; returns when it is there, however long that takes.

        Raises ``OwnershipLost`` if another service has taken over, and ``StateUnwritable`` if it
        does not get there within 10 s although the service was told to stop.
        """
        self._packed = pack(snapshot)
        self._write()

    def may_deliver(self) -> bool:
        """False once the last put is so old that another service may have taken over; a later put
        makes it true again.
        """
        return self._owned and now_s() - self._alive_s < self._after_s

    def release(self) -> None:
        """Tell the others that they need not wait; nothing happens if the job is not owned. One
        attempt: without it they wait a little.
        """
        if not self._owned:
            return
        self._owned = False
        note = self.note._replace(commit=self.note.commit + 1, released=True)
        try:
            self._object.put(_stamped(note, self._packed), note, self._etag)
        except S3RequestFailed as error:
            self._log.warning(
                "the state in S3 could not be released", state=self.where, reason=error.code
            )

    def _write(self) -> None:
        self.note = self.note._replace(commit=self.note.commit + 1)
        content, first_s, failures, leave_s = (
            _stamped(self.note, self._packed),
            now_s(),
            0,
            float("inf"),
        )
        while True:
            began_s = now_s()
            try:
                self._done(self._object.put(content, self.note, self._etag), began_s)
                break
            except S3RequestFailed as error:
                etag = self._settled(error.code)
                if etag is not None:
                    self._done(etag, first_s)
                    break
                reason = error.code
            self._log.warning(
                "state is not in S3 yet, will be repeated", state=self.where, reason=reason
            )
            if self._stop.is_set():
                leave_s = min(leave_s, now_s() + (LEAVE_S if self._owned else 0.0))
            if now_s() >= leave_s:
                raise StateUnwritable(self.where, reason)
            self._pause(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1
        if now_s() - first_s > self._after_s / 2:
            took_s, ask = round(now_s() - first_s, 1), "raise `state.s3.take_over_after`?"
            self._log.warning("state took long to get to S3", took_s=took_s, advice=ask)

    def _done(self, etag: str, alive_s: float) -> None:
        self._etag, self._alive_s = etag, alive_s

    def _settled(self, code: str) -> str | None:
        """What became of a put that had no success: its ETag if it is there, ``None`` if it may be
        tried again.
        """
        if code == "NoSuchKey":
            self._lost(None)
        try:
            seen = self._object.look()
        except S3RequestFailed as error:
            self._hopeless(error.code if code == "PreconditionFailed" else code)
            return None
        if seen is not None and (seen.note.owner, seen.note.commit) == (
            self.owner,
            self.note.commit,
        ):
            return seen.etag
        if (seen.etag if seen else None) != self._etag:
            self._lost(seen)
        self._hopeless(code)
        return None

    def _hopeless(self, code: str) -> None:
        if not self._owned:
            refuse_hopeless(self.where, code)

    def _lost(self, seen: ObservedObject | None) -> NoReturn:
        self._owned = False
        raise OwnershipLost(self.where, seen.note.owner if seen else "")

    def _pause(self, wait_s: float) -> None:
        """Wait; also when the service was told to stop, since its last commit must still get there."""
        if self._stop.is_set() or self._stop.wait(wait_s):
            time.sleep(min(wait_s, 0.3))


def hopeless(where: str, code: str) -> str:
    """Why waiting does not repair this, and what does; empty if it may pass.

    >>> hopeless("s3://a/b", "403")
    '403: allow s3:GetObject and s3:PutObject on s3://a/b (and the use of the key, if the bucket encrypts with KMS)'
    """
    return f"{code}: {_NEVER[code].format(where)}" if code in _NEVER else ""


def refuse_hopeless(where: str, code: str) -> None:
    """Raise ``StateUnwritable`` for what waiting does not repair."""
    if reason := hopeless(where, code):
        raise StateUnwritable(where, reason)


def pack(snapshot: bytes) -> bytes:
    """Compressed with zstd.

    >>> unpack(pack(b"counts" * 100), "here") == b"counts" * 100
    True
    """
    return bytes(pa.Codec("zstd", compression_level=_LEVEL).compress(snapshot, asbytes=True))


def unpack(content: bytes, where: str) -> bytes:
    """What was packed, without stamps; raises ``StateIncompatible`` if it is no such thing."""
    try:
        return bytes(pa.CompressedInputStream(pa.BufferReader(content), "zstd").read())
    except (OSError, pa.ArrowException) as error:
        raise StateIncompatible(
            "object", f"{where}: unreadable", "a state of driftline", RESTORE
        ) from error


def _stamped(note: ObjectMetadata, packed: bytes) -> bytes:
    """Content that differs at each put. Any zstd program skips the stamp."""
    stamp = f"{note.owner} {note.epoch} {note.commit}".encode()
    return struct.pack("<II", _SKIPPED, len(stamp)) + stamp + packed
