"""The real service, in a process of its own: ``driftline run driftline.yaml``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport

Item = WindowReport | QualityReport | Signal

STOP_S = 20.0
TAIL_LINES = 15


class ServiceFailed(Exception):
    """A command of driftline failed or ended too early; the message has the end of its output."""

    def __init__(self, command: str, code: int, output: str) -> None:
        tail = "\n".join(output.splitlines()[-TAIL_LINES:])
        super().__init__(f"{command} ended with exit code {code}:\n{tail}")


def driftline(*arguments: str) -> None:
    """Run a command of driftline to its end; raise ServiceFailed if it fails."""
    result = subprocess.run(
        _command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ServiceFailed(
            f"driftline {' '.join(arguments)}", result.returncode, result.stdout + result.stderr
        )


class ServiceProcess:
    """The running service, in a session of its own: Ctrl-C reaches the demo alone, which then
    stops it.
    """

    def __init__(self, config: Path, log: Path) -> None:
        self._config = config
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start ``driftline run CONFIG`` with these options; return immediately."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                _command("run", str(self._config), *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def raise_if_ended(self) -> None:
        """Raise ServiceFailed if the service is no longer running."""
        code = self._process.poll() if self._process else 0
        if code is not None and self._process:
            raise ServiceFailed("driftline run", code, self._log.read_text(errors="replace"))

    def stop(self) -> None:
        """Terminate the service and wait; kill it after ``STOP_S``, or on Ctrl-C. Safe
        to call twice.
        """
        process = self._process
        self._process = None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()


class Subscription:
    """Reads reports and signals from the files of the service's ``jsonl`` sink."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}
        self._known: set[str] = set()

    def poll(self) -> list[Item]:
        """The items written since the last poll, each id once; an incomplete line is
        left for the next poll.

        Reports on quality are read last: those that a signal names are then among the items.
        """
        lines = [
            line
            for path in sorted(self._folder.glob("*.jsonl"), key=_reading_order)
            for line in self._lines(path)
            if line
        ]
        items = [item for item in map(published, lines) if item.id not in self._known]
        self._known.update(item.id for item in items)
        return items

    def _lines(self, path: Path) -> list[bytes]:
        with path.open("rb") as file:
            file.seek(self._offsets.get(path, 0))
            data = file.read()
        complete = data.rfind(b"\n") + 1
        self._offsets[path] = self._offsets.get(path, 0) + complete
        return data[:complete].splitlines()


def published(line: bytes) -> Item:
    """The report or signal of a line."""
    fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    if "dedupe_id" in fields:
        return msgspec.json.decode(line, type=Signal)
    if "labelled" in fields:
        return msgspec.json.decode(line, type=QualityReport)
    return msgspec.json.decode(line, type=WindowReport)


def _reading_order(path: Path) -> tuple[bool, str]:
    return path.name.startswith("quality-"), path.name


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "stream.cli", *arguments]
