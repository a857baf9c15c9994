"""Starts the process of a script, and ends it where the script hangs."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec

import stream
from stream.formats.sagemaker.script.child import COUNTER
from stream.formats.sagemaker.script.messages import CaptureChunk, Load, LoadAnswer, Preprocessed

START_S: Final = 60.0
"""The longest time in which a script may be imported."""
WAIT_S: Final = 0.5
LONGEST_S: Final = 75.0
"""The longest time of any answer, after which the process ends even if the reader is gone."""
_ROOT: Final = str(Path(stream.__file__).resolve().parent.parent)
_MAIN: Final = (
    "import sys; sys.path.insert(0, {root!r});"
    " from stream.formats.sagemaker.script.child import main; main({pipe}, {counter}, {longest})"
)


OnWait = Callable[[], object]


class ScriptUnusable(Exception):
    """A script that cannot be used: ``fault`` and the ``line`` of it, 0 if there is none."""

    def __init__(self, fault: str, line: int = 0) -> None:
        self.fault, self.line = fault, line
        super().__init__(fault)


class ScriptLost(Exception):
    """The process has ended during a call: number ``called`` of the chunk.

    ``timed_out``: it was killed because the call took too long. Otherwise ``exit_code`` says how it
    ended, below 0 the signal.
    """

    def __init__(self, called: int, timed_out: bool, exit_code: int = 0) -> None:
        self.called, self.timed_out, self.exit_code = called, timed_out, exit_code
        super().__init__(called)


class ScriptProcess:
    """A process that has imported a script; it ends with this object.

    The script cannot keep the reader: a call that exceeds ``limit_s`` ends with the process,
    whatever the script does, and so does a crash. The first call, which may import libraries, has
    ``first_s``. Raises :class:`ScriptUnusable` if the import fails.
    """

    def __init__(
        self, load: Load, limit_s: float, first_s: float, on_wait: OnWait = lambda: None
    ) -> None:
        self._limit_s, self._first_s = limit_s, first_s
        self._pipe, its_end = Pipe()
        with tempfile.TemporaryFile() as counter:
            counter.truncate(COUNTER)
            self._called = memoryview(mmap.mmap(counter.fileno(), COUNTER)).cast("q")
            self._process = _start(its_end.fileno(), counter.fileno())
        its_end.close()
        self._end = weakref.finalize(self, _end, self._process, self._pipe)
        self.function = self._load(load, on_wait)

    def run(self, chunk: CaptureChunk, until_s: float, on_wait: OnWait) -> Preprocessed:
        """Return the rows of a chunk; raises :class:`ScriptLost`, after which this is of no use.

        The process is also ended at ``until_s`` on the monotonic clock. ``on_wait`` is called again
        and again until it answers.
        """
        self._called[0] = 0
        try:
            self._pipe.send_bytes(msgspec.msgpack.encode(chunk))
            answer = self._receive(until_s, on_wait)
        except (EOFError, OSError) as error:
            self._process.wait(1.0)
            raise self._lost(timed_out=False) from error
        self._first_s = self._limit_s
        return msgspec.msgpack.decode(answer, type=Preprocessed)

    def close(self) -> None:
        """End the process."""
        self._end()

    def _receive(self, until_s: float, on_wait: OnWait) -> bytes:
        """Return the answer; ends the process if a call takes longer than its limit."""
        called, since_s = 0, time.monotonic()
        while not self._pipe.poll(min(self._limit_s / 4, WAIT_S)):
            on_wait()
            now_s = time.monotonic()
            if self._called[0] != called:
                called, since_s = self._called[0], now_s
                self._first_s = self._limit_s
            if now_s - since_s >= self._first_s or now_s >= until_s:
                raise self._lost(timed_out=True)
        return self._pipe.recv_bytes()

    def _lost(self, timed_out: bool) -> ScriptLost:
        self.close()
        return ScriptLost(self._called[0], timed_out, self._process.returncode or 0)

    def _load(self, load: Load, on_wait: OnWait) -> str:
        try:
            self._pipe.send_bytes(msgspec.msgpack.encode(load))
            until_s = time.monotonic() + START_S
            while not self._pipe.poll(WAIT_S) and time.monotonic() < until_s:
                on_wait()
            if not self._pipe.poll(0):
                raise ScriptUnusable(f"its import takes longer than {START_S:.0f} s")
            loaded = msgspec.msgpack.decode(self._pipe.recv_bytes(), type=LoadAnswer)
            if loaded.fault:
                raise ScriptUnusable(loaded.fault, loaded.line)
        except (EOFError, OSError) as error:
            self.close()
            raise ScriptUnusable("its import ends the process") from error
        except ScriptUnusable:
            self.close()
            raise
        return loaded.function


def _start(pipe: int, counter: int) -> subprocess.Popen[bytes]:
    """Start the process in a group of its own, so that Ctrl-C does not reach it."""
    command = _MAIN.format(root=_ROOT, pipe=pipe, counter=counter, longest=LONGEST_S)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", command],
        stdin=subprocess.DEVNULL,
        pass_fds=(pipe, counter),
        process_group=0,
    )


def _end(process: subprocess.Popen[bytes], pipe: Connection) -> None:
    """End the process, and those that the script started, which are in its group."""
    pipe.close()
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def chunks(count: int, size: int) -> Sequence[tuple[int, int]]:
    """Return the bounds of chunks of at most ``size``, the last one first.

    >>> chunks(5, 2)
    [(4, 5), (2, 4), (0, 2)]
    """
    return [(start, min(start + size, count)) for start in range(0, count, size)][::-1]
