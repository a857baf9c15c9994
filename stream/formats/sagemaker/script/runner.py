"""Runs a script on records: what it makes of each, whatever it does, and the pace it keeps."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from detectors.faults import Fault
from stream.formats.faults import RecordFault
from stream.formats.sagemaker.script.messages import BY_COLUMN, CaptureChunk, Load, Preprocessed
from stream.formats.sagemaker.script.process import (
    ScriptLost,
    ScriptProcess,
    ScriptUnusable,
    chunks,
)
from stream.formats.sagemaker.script.script_log import ScriptLog
from stream.outcomes import SCRIPT_FAILED, SCRIPT_TIMED_OUT

BATCH_S: Final = 30.0
"""The longest time for one batch, that of starting the process again included."""
AIM_S: Final = 0.5
"""The time for which records are asked for at once."""
FIRST_S: Final = 5.0
"""The least time of the first call in a process, which may import libraries."""
FIRST_RECORDS: Final = 200
MOST_RECORDS: Final = 5_000
CHUNK: Final = 500
"""The largest number of records that are sent to the process at once."""


class Answer(NamedTuple):
    """What the script made of the records from ``start`` on."""

    start: int
    made: Preprocessed


class Script:
    """A script, and the process that runs it, which is started again where it was lost.

    ``most_records`` is the number of records that it manages in half a second, as far as is known.
    """

    def __init__(self, path: str, limit_s: float, expose: bool) -> None:
        source = Path(path).read_text(encoding="utf-8-sig")
        self.most_records = FIRST_RECORDS
        self.on_wait: Callable[[], object] = lambda: None
        self._load = Load(path, source, expose)
        self._limit_s = limit_s
        self._first_s = max(limit_s, FIRST_S)
        self._process: ScriptProcess | None = None
        self._log = ScriptLog(Path(path).name)
        self._by_column = self._running().function == BY_COLUMN

    def run(
        self, keys: Sequence[str], values: Sequence[bytes]
    ) -> tuple[list[Answer], dict[int, RecordFault]]:
        """Return what the script makes of records, and the faults of those without a result."""
        started_s = time.monotonic()
        answers: list[Answer] = []
        faults: dict[int, RecordFault] = {}
        pending = list(chunks(len(values), min(CHUNK, self.most_records)))
        while pending:
            start, stop = pending.pop()
            if time.monotonic() - started_s >= BATCH_S:
                fault = RecordFault(SCRIPT_TIMED_OUT, f"not run: {BATCH_S:.0f} s had passed")
                faults |= dict.fromkeys(range(start, stop), fault)
                continue
            try:
                made = self._run_chunk(
                    CaptureChunk([*keys], [*values[start:stop]]), started_s + BATCH_S
                )
            except ScriptLost as lost:
                pending += self._after_loss(lost, start, stop, faults)
            except ScriptUnusable as unusable:  # it could be imported before
                detail = f"its process cannot be started again: {unusable.fault:.100}"
                faults |= dict.fromkeys(range(start, stop), RecordFault(SCRIPT_FAILED, detail))
            else:
                answers.append(Answer(start, made))
                if (after := start + len(made.rows)) < stop:
                    pending.append((after, stop))
                faults |= {start + k: RecordFault(*fault) for k, fault in made.faults.items()}
        self._keep_pace(len(values), time.monotonic() - started_s)
        return answers, faults

    def _run_chunk(self, chunk: CaptureChunk, until_s: float) -> Preprocessed:
        process, started_s = self._running(), time.monotonic()
        made = process.run(chunk, until_s, self.on_wait)
        if self._first_s > self._limit_s:  # the first chunk says how long a first call may take
            taken_s = time.monotonic() - started_s
            self._first_s = min(self._first_s, max(self._limit_s, 4 * taken_s))
        self._log.write(made.said, made.unsaid)
        return made

    def _running(self) -> ScriptProcess:
        if self._process is None:
            try:
                self._process = ScriptProcess(
                    self._load, self._limit_s, self._first_s, self.on_wait
                )
            except OSError as error:  # no memory, too many processes
                raise ScriptUnusable(str(error)) from error
        return self._process

    def _after_loss(
        self, lost: ScriptLost, start: int, stop: int, faults: dict[int, RecordFault]
    ) -> list[tuple[int, int]]:
        """Note the fault of the record that ended the process; return what is still to be run.

        Which record it was is unknown for a call of several, and where the process ended after the
        last one; then both halves are.
        """
        self._process = None
        fault = self._fault_of(lost)
        self._log.warn(fault)
        unknown = self._by_column or lost.called >= stop - start
        if unknown and stop - start > 1:
            middle = (start + stop) // 2
            return [(middle, stop), (start, middle)]
        at = start if unknown else start + lost.called
        faults[at] = fault
        return [bounds for bounds in ((at + 1, stop), (start, at)) if bounds[0] < bounds[1]]

    def _fault_of(self, lost: ScriptLost) -> RecordFault:
        if lost.timed_out:
            return RecordFault(SCRIPT_TIMED_OUT, f"no result within {self._limit_s:g} s")
        how = f"exit code {lost.exit_code}"
        if lost.exit_code < 0:
            how = f"signal {-lost.exit_code} ({signal.strsignal(-lost.exit_code)})"
        return RecordFault(SCRIPT_FAILED, f"the process of the script ended: {how}")

    def _keep_pace(self, records: int, taken_s: float) -> None:
        """Ask for as many records as take half a second, at most four times as many as before."""
        if records:
            in_time = int(records * AIM_S / max(taken_s, 1e-4))
            self.most_records = max(1, min(in_time, 4 * self.most_records, MOST_RECORDS))


def script_of(path: str, limit_s: float, expose: bool) -> Script:
    """Return a script, imported once by each process of driftline that uses it.

    A script that was edited since is imported again, as after SIGHUP.
    """
    return _imported(path, limit_s, expose, Path(path).read_bytes())


@lru_cache(maxsize=2)
def _imported(path: str, limit_s: float, expose: bool, _content: bytes) -> Script:
    return Script(path, limit_s, expose)


def script_faults(path: str) -> list[Fault]:
    """Return what is wrong with a script: it cannot be read, imported or called."""
    try:
        source = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        cause = getattr(error, "strerror", None) or "not a text in UTF-8"
        return [Fault("preprocess", f"cannot read {path}: {cause}")]
    try:
        ScriptProcess(Load(path, source, expose=False), FIRST_S, FIRST_S).close()
    except ScriptUnusable as unusable:
        line = f":{unusable.line}" if unusable.line else ""
        return [Fault("preprocess", f"{path}{line}: {unusable.fault}")]
    return []
