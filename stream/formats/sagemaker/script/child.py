"""The process that runs a script: it imports the script once, and answers with rows."""

from __future__ import annotations

import inspect
import mmap
import os
import signal
import sys
import types
import zlib
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

import msgspec

from stream.formats.sagemaker.script.inference_record import InferenceRecord
from stream.formats.sagemaker.script.messages import (
    BY_COLUMN,
    BY_RECORD,
    CaptureChunk,
    Load,
    LoadAnswer,
    Preprocessed,
)
from stream.formats.sagemaker.script.results import Rows, UnusableResult, plain_row, sendable
from stream.formats.sagemaker.script.said import Said

Function = Callable[..., Any]
COUNTER: Final = 8
"""The bytes of the shared counter of calls."""
MOST_ROWS: Final = 20_000
"""An answer ends with the record that reaches this number of rows."""
OOM_SCORE: Final = Path("/proc/self/oom_score_adj")


_WITHOUT_VALUES: Final = (AttributeError, ImportError, NameError)
"""Errors whose text names something in the script, and no value of a record."""


class _Unloadable(Exception):
    """A script that cannot be used, with the line of the fault."""

    def __init__(self, fault: str, line: int = 0) -> None:
        self.line = line
        super().__init__(fault)


class Draws:
    """The random numbers of a script: those of a record begin with its bytes.

    So a record that is read again, as after a crash, has the same outcome.
    """

    def __init__(self, source: str) -> None:
        self._used = "random" in source

    def begin(self, value: bytes) -> None:
        """Seed the generators that are in use."""
        if not self._used:
            return
        number = zlib.crc32(value)
        for name in ("random", "numpy.random"):
            if name in sys.modules:
                sys.modules[name].seed(number)


class Errors:
    """Describes errors of a script by their type and place; with ``expose`` by their text too."""

    def __init__(self, load: Load) -> None:
        self._path, self._expose = load.path, load.expose

    def describe(self, error: BaseException) -> str:
        """Return for example ``KeyError at preprocess.py:7``."""
        lines = [
            frame.lineno
            for frame in extract_tb(error.__traceback__)
            if frame.filename == self._path
        ]
        place = f" at {Path(self._path).name}:{lines[-1]}" if lines else ""
        shown = self._expose or isinstance(error, _WITHOUT_VALUES)
        text = f": {error}"[:200] if shown and str(error) else ""
        return f"{type(error).__name__}{place}{text}"


class PerRecord:
    """Calls ``preprocess_handler`` for each record."""

    def __init__(
        self, function: Function, arguments: tuple[Any, ...], errors: Errors, draws: Draws
    ) -> None:
        self._function, self._arguments = function, arguments
        self._errors, self._draws = errors, draws

    def run(self, chunk: CaptureChunk, called: memoryview) -> Preprocessed:
        """Return the rows of the first records, of all of them unless they are very many.

        ``called`` is set to the number of each record beforehand, and to their number at the end:
        what ends the process then may be the fault of any.
        """
        rows_of = Rows(chunk.keys).of
        counts: list[int] = []
        rows: list[list[Any]] = []
        faults: dict[int, tuple[str, str]] = {}
        for k, value in enumerate(chunk.values):
            called[0] = k
            self._draws.begin(value)
            try:
                of_record = rows_of(self._function(InferenceRecord(value), *self._arguments))
            except UnusableResult as unusable:
                faults[k], of_record = (unusable.reason, unusable.detail), []
            except BaseException as error:  # noqa: BLE001  # of any kind: it is the script's
                faults[k], of_record = ("script_failed", self._errors.describe(error)), []
            counts.append(len(of_record))
            rows += of_record
            if len(rows) >= MOST_ROWS:
                break
        called[0] = len(chunk.values)
        if not sendable(rows):
            rows = self._sendable_rows(rows, counts, chunk.keys, faults)
        columns = [list(cells) for cells in zip(*rows, strict=True)]
        return Preprocessed(counts, faults, columns)

    def _sendable_rows(
        self,
        rows: list[list[Any]],
        counts: list[int],
        keys: list[str],
        faults: dict[int, tuple[str, str]],
    ) -> list[list[Any]]:
        """Return the rows with plain cells, without those of records for which there are none."""
        kept: list[list[Any]] = []
        start = 0
        for k, count in enumerate(counts):
            of_record = rows[start : start + count]
            start += count
            try:
                kept += [plain_row(row, keys) for row in of_record]
            except UnusableResult as unusable:
                faults[k] = unusable.reason, unusable.detail
                counts[k] = 0
            except BaseException as error:  # noqa: BLE001  # of the cell's own code
                faults[k] = "script_failed", self._errors.describe(error)
                counts[k] = 0
        return kept


def main(pipe_number: int, counter_number: int, longest_s: float) -> None:
    """Answer the messages of the pipe until it ends.

    A message that takes ``longest_s`` ends the process: the reader, which ends it sooner, is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, longest_s)
    os.dup2(2, 1)  # what C code prints
    with suppress(OSError):
        OOM_SCORE.write_text("1000")  # where memory runs out, this process ends and no other
    pipe, process = Connection(pipe_number), os.getpid()
    called = memoryview(mmap.mmap(counter_number, COUNTER)).cast("q")
    said = Said()
    load = msgspec.msgpack.decode(pipe.recv_bytes(), type=Load)
    try:
        runner, loaded = _load(load, said)
    except _Unloadable as unusable:
        runner, loaded = None, LoadAnswer(fault=str(unusable), line=unusable.line)
    _send(pipe, process, loaded)
    if runner is None:
        return
    decode = msgspec.msgpack.Decoder(CaptureChunk).decode
    try:
        while True:
            signal.setitimer(signal.ITIMER_REAL, 0)
            message = pipe.recv_bytes()
            signal.setitimer(signal.ITIMER_REAL, longest_s)
            answer = runner.run(decode(message), called)
            messages, left_out = said.take()
            answer = msgspec.structs.replace(answer, said=messages, unsaid=left_out)
            _send(pipe, process, answer)
    except (EOFError, OSError):
        os._exit(0)  # the reader is gone; threads of the script must not keep the process


def _send(pipe: Connection, process: int, answer: LoadAnswer | Preprocessed) -> None:
    """Send an answer; a process that the script forked ends here, and answers nothing."""
    if os.getpid() != process:
        os._exit(0)
    pipe.send_bytes(msgspec.msgpack.encode(answer))


def _load(load: Load, said: Said) -> tuple[Any, LoadAnswer]:
    """Import the script; return what runs it, and the answer."""
    logger = said.listen()
    names = _imported(load)
    errors, draws = Errors(load), Draws(load.source)
    by_column, by_record = names.get(BY_COLUMN), names.get(BY_RECORD)
    if callable(by_column):
        from stream.formats.sagemaker.script.tables import PerColumn  # needs Arrow

        return PerColumn(by_column, errors, draws), LoadAnswer(BY_COLUMN)
    if not callable(by_record):
        raise _Unloadable(f"it has no function {BY_RECORD}(inference_record)")
    return PerRecord(by_record, _further_arguments(by_record, logger), errors, draws), LoadAnswer(
        BY_RECORD
    )


def _imported(load: Load) -> dict[str, Any]:
    """Return the names in the script, which is a module called like its file."""
    name = Path(load.path).stem
    module = types.ModuleType(name)
    module.__file__ = load.path
    sys.modules.setdefault(name, module)
    sys.path.append(str(Path(load.path).parent))
    try:
        exec(compile(load.source, load.path, "exec"), module.__dict__)  # noqa: S102  # the purpose
    except SyntaxError as error:
        raise _Unloadable(f"SyntaxError: {error.msg}", error.lineno or 0) from error
    except BaseException as error:
        lines = [at.lineno for at in extract_tb(error.__traceback__) if at.filename == load.path]
        fault = f"{type(error).__name__}: {error}".rstrip(": ")
        raise _Unloadable(fault[:300], (lines or [0])[-1] or 0) from error
    return module.__dict__


def _further_arguments(function: Function, logger: Any) -> tuple[Any, ...]:
    """Return what ``preprocess_handler`` takes after the record: the logger, or nothing."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ()
    for arguments in ((logger,), ()):
        try:
            signature.bind(None, *arguments)
        except TypeError:
            continue
        return arguments
    line = getattr(getattr(function, "__code__", None), "co_firstlineno", 0)
    taken = f"{BY_RECORD}{signature}"
    raise _Unloadable(f"{taken} must take (inference_record) or (inference_record, logger)", line)
