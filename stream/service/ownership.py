"""Who owns a job: the service that holds the lock beside its state file and, if the state lies in
S3, wrote the object there last.
"""

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
from stream.web.readiness import Role

POLL_S: Final = 1.0
HEARTBEAT_S: Final = 3.0


class Ownership:
    """Taken once, kept by every commit, released at the end.

    With ``standby`` a service waits for a job that is owned, otherwise ``StateLocked`` is raised.
    ``heartbeat_s`` is how often a commit must come (never, for a state on a disk: its lock shows
    who is alive).
    """

    def __init__(self, config: Config, standby: bool, stop: threading.Event, log: Any) -> None:
        self._path, self._standby, self._stop, self._log = (
            Path(config.state.path),
            standby,
            stop,
            log,
        )
        self.role: Role = "starting"
        self.heartbeat_s = float("inf")
        self._lock: FileLock | None = None
        self._chain: StateChain | None = None
        if config.state.s3 is not None:
            after_s = duration_ms(config.state.s3.take_over_after) / 1000
            stored = StateObject(config.state.s3, config.job)
            self._chain = StateChain(stored, config.job, after_s, stop, log)
            self._takeover = Takeover(stored, self._chain, self._path, after_s, stop, log)
            self.heartbeat_s = min(HEARTBEAT_S, after_s / 3)

    def lock(self) -> None:
        """Take the lock beside the state file, for a service that would not wait for it. Raises
        ``StateLocked``.
        """
        self._lock = FileLock(self._path)

    def take(self) -> FileLock | None:
        """Become the owner; returns the lock for the store, or ``None`` if the service was stopped
        while it waited.
        """
        began_s = now_s()
        self._lock = self._lock or self._locked()
        if self._lock is None or not self._taken(self._lock):
            return None
        self._tell(now_s() - began_s)
        self.role = "owner"
        return self._lock

    def keep(self, store: Store) -> None:
        """Make the last commit safe: nothing of it may go out before. Raises ``OwnershipLost``,
        ``StateUnwritable``.
        """
        if self._chain is not None:
            self._chain.put(store.snapshot())

    def may_deliver(self) -> bool:
        """False while another service may have taken over."""
        return self._chain is None or self._chain.may_deliver()

    def release(self) -> None:
        """Let the next one begin at once."""
        if self._chain is not None:
            self._chain.release()
        if self._lock is not None:
            self._lock.close()

    def _locked(self) -> FileLock | None:
        while not self._stop.is_set():
            try:
                return FileLock(self._path)
            except StateLocked as error:
                self._busy(error.path)
                self._stop.wait(POLL_S)
        return None

    def _taken(self, lock: FileLock) -> bool:
        if self._chain is None:
            lock.note = ""
            return True
        return self._takeover.take(lock, self._busy)

    def _tell(self, waited_s: float) -> None:
        """Say whose job it was; nothing of one on a disk that nobody else had."""
        more = (
            {"epoch": self._chain.note.epoch, "state": self._chain.where}
            if self._chain
            else {"state": str(self._path)}
        )
        if self.role == "standby" or (self._chain is not None and self._takeover.silent_owner):
            self._log.info("took over", waited_s=round(waited_s, 1), **more)
        elif self._chain is not None:
            self._log.info("owns the state", **more)

    def _busy(self, state: str) -> None:
        """Somebody else owns the job: refuse, or say once that we wait."""
        if not self._standby:
            raise StateLocked(state)
        if self.role != "standby":
            self.role = "standby"
            self._log.info("standby", waits_for=state)
