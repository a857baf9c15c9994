"""Live check of the HTTP server's port: whether it can be listened on."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing
from pathlib import Path

from stream.check.findings import Finding
from stream.config.model import HttpConfig
from stream.errors import HttpUnavailable
from stream.service.http import DEFAULT_PORT
from stream.web.connections import listen


def port_finding(http: HttpConfig, state: Path) -> Finding:
    """Return whether the port is free; while the job runs, its own service uses it."""
    port = DEFAULT_PORT if http.port is None else http.port
    subject = f"http {http.host}:{port}"
    try:
        with closing(listen(http.host, port)):
            return Finding(subject, "the port is free" if port else "any free port")
    except HttpUnavailable as error:
        causes = "; ".join(error.causes)
        if is_running(state):
            return Finding(subject, f"{causes}; this job is running")
        if http.port is None:
            message = f"{causes}: driftline run takes the next free port"
            return Finding(subject, message, "warning", "Set http.port")
        return Finding(subject, causes, "fault", error.advice)


def is_running(state: Path) -> bool:
    """Return whether a service on this machine owns the state; changes nothing."""
    try:
        lock = os.open(f"{os.path.realpath(state)}.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
