"""Processes of tests that end with the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def killed_at_end(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """Kill a process that still runs at the end.

    ``subprocess.Popen`` as a context manager alone would wait for it, without end where the test
    has failed.
    """
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
