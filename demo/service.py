"""The real service, run as a user would run it: ``driftline run driftline.yaml``, in a process of
its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from detectors.report import Signal, WindowReport

STOP_S = 20.0
TAIL_LINES = 15


class ServiceFailed(Exception):
    """A command of driftline ended when it should not have; the text ends with what it said last."""

    def __init__(self, command: str, code: int, said: str) -> None:
        tail = "\n".join(said.splitlines()[-TAIL_LINES:])
        super().__init__(f"{command} ended with exit code {code}. It said:\n{tail}")


def driftline(*words: str) -> None:
    """Run one command of driftline to its end; raises ServiceFailed if it fails."""
    done = subprocess.run(
        _command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServiceFailed(
            f"driftline {' '.join(words)}", done.returncode, done.stdout + done.stderr
        )


class Service:
    """The running service. It has a session of its own, so that Ctrl-C reaches the demo alone,
    which then stops it.
    """

    def __init__(self, config: Path, log: Path) -> None:
        self._config, self._log = config, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Begin to run with these options behind ``driftline run CONFIG``; returns at once."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                _command("run", str(self._config), *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ServiceFailed if it no longer runs."""
        code = self._process.poll() if self._process else 0
        if code is not None and self._process:
            raise ServiceFailed("driftline run", code, self._log.read_text(errors="replace"))

    def stop(self) -> None:
        """Ask it to end, and wait until it has; killed if that takes long or patience ends
        (Ctrl-C). Safe to call twice.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()


class Subscription:
    """Reads what the service's ``jsonl`` sink has written since the last look: reports and signals
    in their order.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._known: set[str] = set()

    def news(self) -> list[WindowReport | Signal]:
        """Everything new, each id once; an item that is not yet written whole comes with the next
        look.
        """
        lines = [
            line
            for path in sorted(self._folder.glob("*.jsonl"))
            for line in self._lines(path)
            if line
        ]
        fresh = [one for one in map(published, lines) if one.id not in self._known]
        self._known.update(one.id for one in fresh)
        return fresh

    def _lines(self, path: Path) -> list[bytes]:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._read[path] = self._read.get(path, 0) + whole
        return data[:whole].splitlines()


def published(line: bytes) -> WindowReport | Signal:
    """The report or the signal that a line holds."""
    if "dedupe_id" in msgspec.json.decode(line, type=dict[str, msgspec.Raw]):
        return msgspec.json.decode(line, type=Signal)
    return msgspec.json.decode(line, type=WindowReport)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "stream.cli", *words]
