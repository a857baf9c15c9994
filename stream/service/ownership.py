"""Ownership of a job: by the file lock next to its state, and for a state in S3 by the last put."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final

from detectors.durations import duration_ms
from stream.config.model import Config
from stream.errors import StateLocked
from stream.state.file_lock import FileLock
from stream.state.s3.chain import StateChain, now_s
from stream.state.s3.object import StateObject
from stream.state.s3.takeover import Takeover
from stream.state.store import Store
from stream.web.readiness import ServiceRole

POLL_S: Final = 1.0
HEARTBEAT_S: Final = 3.0


class Ownership:
    """The ownership of a job: taken once, renewed by every commit, released at the end.

    With ``standby`` a service waits for a job that is owned; without it ``StateLocked`` is raised.
    ``heartbeat_s`` is the longest time between two commits, which are the heartbeat of the owner.
    It is infinite for a state on a disk, which the lock protects.
    """

    def __init__(self, config: Config, standby: bool, stop: threading.Event, log: Any) -> None:
        self._path = Path(config.state.path)
        self._standby = standby
        self._stop = stop
        self._log = log
        self.role: ServiceRole = "starting"
        self.heartbeat_s = float("inf")
        self._lock: FileLock | None = None
        self._chain: StateChain | None = None
        if config.state.s3 is not None:
            after_s = duration_ms(config.state.s3.take_over_after) / 1000
            stored = StateObject(config.state.s3, config.job)
            self._chain = StateChain(
                stored=stored, job=config.job, take_over_after_s=after_s, stop=stop, log=log
            )
            self._takeover = Takeover(
                stored=stored,
                chain=self._chain,
                path=self._path,
                take_over_after_s=after_s,
                stop=stop,
                log=log,
            )
            self.heartbeat_s = min(HEARTBEAT_S, after_s / 3)

    def lock(self) -> None:
        """Take the file lock ahead of :meth:`take`. Raises ``StateLocked``."""
        self._lock = FileLock(self._path)

    def take(self) -> FileLock | None:
        """Become the owner; returns the lock for the store.

        Returns ``None`` if the service is stopped while it waits.
        """
        started_s = now_s()
        self._lock = self._lock or self._wait_for_lock()
        if self._lock is None or not self._take_state(self._lock):
            return None
        self._log_acquired(now_s() - started_s)
        self.role = "owner"
        return self._lock

    def secure(self, store: Store) -> None:
        """Put the last commit to S3 if the state is kept there; nothing may be delivered before.

        Raises ``OwnershipLost`` or ``StateUnwritable``.
        """
        if self._chain is not None:
            self._chain.put(store.snapshot())

    def may_deliver(self) -> bool:
        """Return false while another service may have taken over."""
        return self._chain is None or self._chain.may_deliver()

    def release(self) -> None:
        """Release the job, so that another service can start immediately."""
        if self._chain is not None:
            self._chain.release()
        if self._lock is not None:
            self._lock.close()

    def _wait_for_lock(self) -> FileLock | None:
        while not self._stop.is_set():
            try:
                return FileLock(self._path)
            except StateLocked as error:
                self._owned_elsewhere(error.path)
                self._stop.wait(POLL_S)
        return None

    def _take_state(self, lock: FileLock) -> bool:
        if self._chain is None:
            lock.note = ""
            return True
        return self._takeover.take(lock, self._owned_elsewhere)

    def _log_acquired(self, waited_s: float) -> None:
        """Log how the job was acquired; silent for a local state that had no other owner."""
        state: dict[str, object] = {"state": str(self._path)}
        if self._chain is not None:
            state = {"state": self._chain.uri, "epoch": self._chain.metadata.epoch}
        silent_owner = self._chain is not None and self._takeover.silent_owner
        if self.role == "standby" or silent_owner:
            self._log.info("ownership_taken_over", waited_s=round(waited_s, 1), **state)
        elif self._chain is not None:
            self._log.info("ownership_acquired", **state)

    def _owned_elsewhere(self, state: str) -> None:
        """Raise ``StateLocked`` for a job of another service; a standby logs once that it waits."""
        if not self._standby:
            raise StateLocked(state)
        if self.role != "standby":
            self.role = "standby"
            self._log.info("standby", state=state)
