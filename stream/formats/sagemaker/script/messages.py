"""The messages between a reader and the process that runs its script."""

from __future__ import annotations

from typing import Any, Final

import msgspec

BY_RECORD: Final = "preprocess_handler"
"""The function that is called for each record."""
BY_COLUMN: Final = "preprocess_columns"
"""The function that is called for many records, with columns."""


class Load(msgspec.Struct, frozen=True, array_like=True):
    """The first message to the process: the script's path, its text, and whether errors are shown.

    ``expose``: the messages of errors, which may hold values of features, are returned as well.
    """

    path: str
    source: str
    expose: bool


class LoadAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The answer to :class:`Load`: the name of the function to call, or what is wrong.

    ``line`` is that of the fault in the script, 0 if it has none.
    """

    function: str = ""
    fault: str = ""
    line: int = 0


class CaptureChunk(msgspec.Struct, frozen=True, array_like=True):
    """Some records, and the keys under which a result may have the columns of their model."""

    keys: list[str]
    values: list[bytes]


class Preprocessed(msgspec.Struct, frozen=True, array_like=True):
    """The answer to :class:`CaptureChunk`.

    ``rows`` is the number of rows of each record; one without rows was dropped, unless ``faults``
    has its reason and detail. If it is shorter than the chunk, the records after it were not run.
    ``columns`` has the cells of each key, of all rows in the order of the records. ``tables``
    replace them where the script returns columns: Arrow IPC streams. ``said`` are log messages,
    each with its level, and ``unsaid`` is the number left out.
    """

    rows: list[int]
    faults: dict[int, tuple[str, str]]
    columns: list[list[Any]] = []
    tables: list[bytes] = []
    said: list[tuple[str, str]] = []
    unsaid: int = 0
