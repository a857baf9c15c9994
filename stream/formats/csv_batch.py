"""Decodes many CSV payloads at once: joined, parsed by Arrow, and typed column by column.

Joining is safe only for payloads that cannot affect a neighbour. :func:`join` names the others,
which :mod:`stream.formats.rows` decodes one by one. Both ways give the same columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
from numpy.typing import NDArray

from detectors.profiles.columns import (
    Column,
    Numbers,
    Texts,
    numbers_from_array,
    numbers_from_texts,
    with_reading,
)
from detectors.profiles.layout import FRACTIONAL, MISSING, STRING
from detectors.profiles.wide_batch import WideBatch, cut_numbers
from stream.formats.base import ColumnType
from stream.formats.mangled_header import COPIES, mangled_lines

FEW_ROWS: Final = 200
MANY_COLUMNS: Final = 50
"""A batch of fewer rows and at least this many columns is cut into cells, not parsed by column."""
RETRY_AFTER: Final = 16
"""The number of batches for which a column is parsed as text after it did not fit its type."""

_ARROW: Final = {"int": pa.int64(), "float": pa.float64(), "text": pa.string(), "raw": pa.string()}
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class JoinedPayloads(NamedTuple):
    """Payloads as one text, each with a newline after it.

    ``rows`` is the number of lines of each payload, ``None`` if each has one. ``quoted``: some
    cells are quoted. ``unsafe`` are the indices of payloads that could affect a neighbour, or be
    parsed differently here than alone: they must be removed first.
    """

    data: bytes
    rows: NDArray[np.int64] | None
    quoted: bool
    unsafe: NDArray[np.int64]


def join(
    payloads: Sequence[str], names: Sequence[str], names_count: bool = False
) -> JoinedPayloads:
    """Join the payloads of a table of these columns.

    A newline at the end of a payload does not start another row. Unsafe are a quote that neither
    encloses a whole cell nor is half of an escaped one, a carriage return outside a line end, a
    byte order mark at the start of a line (which may become the first one), an empty line in a
    table of more than one column (Arrow reads it as missing values), and, unless ``names_count``, a
    line that may repeat the names of the columns, or that pandas may have made of a row of data.
    """
    width = len(names)
    data = "\n".join([*payloads, ""]).encode()
    if b"\r" in data:
        payloads = [payload.replace("\r\n", "\n") for payload in payloads]
        data = "\n".join([*payloads, ""]).encode()
    letters = np.frombuffer(data, np.uint8)
    rows = None
    ends = np.flatnonzero(letters == ord("\n"))
    if len(ends) != len(payloads):
        bare = [payload.removesuffix("\n") for payload in payloads]
        data = "\n".join([*bare, ""]).encode()
        rows = np.array([payload.count("\n") + 1 for payload in bare], np.int64)
        letters = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(letters == ord("\n"))
    quoted = b'"' in data
    lines = _unsafe_lines(data, letters, ends, width, quoted)
    if (width > 1 or rows is not None) and not names_count:
        lines[_header_lines(data, ends, names)] = True
    if width > COPIES and not names_count:
        lines[mangled_lines(data, ends, quoted)] = True
    unsafe = np.flatnonzero(lines)
    if rows is not None:
        unsafe = np.unique(np.repeat(np.arange(len(payloads)), rows)[unsafe])
        rows = None if (rows == 1).all() else rows
    return JoinedPayloads(data, rows, quoted, unsafe)


def _unsafe_lines(
    data: bytes,
    letters: NDArray[np.uint8],
    ends: NDArray[np.int64],
    width: int,
    quoted: bool,
) -> NDArray[np.bool_]:
    lines = _unsafe_quotes(letters, ends) if quoted else np.zeros(len(ends), bool)
    if b"\r" in data:
        lines[np.searchsorted(ends, np.flatnonzero(letters == ord("\r")))] = True
    if width > 1:
        lines |= np.diff(ends, prepend=-1) == 1
    if not data.isascii() and _BYTE_ORDER_MARK in data:
        starts = np.concatenate(([0], ends[:-1] + 1)).tolist()
        lines |= np.array([data.startswith(_BYTE_ORDER_MARK, start) for start in starts])
    return lines


def _header_lines(data: bytes, ends: NDArray[np.int64], names: Sequence[str]) -> list[int]:
    """Return the lines that may repeat the names of the columns, in any order.

    Each such line begins like one of the names and holds the longest one, which is rare in data:
    few lines are looked at.
    """
    letters = np.frombuffer(data, np.uint8)
    starts = np.concatenate(([0], ends + 1))[: len(ends)]
    begins = np.zeros(256, bool)
    begins[[*b' \t",', _BYTE_ORDER_MARK[0], *(name.encode()[0] for name in names if name)]] = True
    if not begins[letters[starts]].any():
        return []
    longest = max((part for name in names for part in name.split('"')), key=len).encode()
    if longest not in data:
        return []
    hits = [match.start() for match in re.finditer(re.escape(longest), data)]
    candidates = np.unique(np.searchsorted(ends, hits)).tolist()
    header = sorted(names)
    lines: list[int] = []
    for k in candidates:
        line = data[ends[k - 1] + 1 if k else 0 : ends[k]].removeprefix(_BYTE_ORDER_MARK).decode()
        if '"' in line or sorted(map(str.strip, line.split(","))) == header:
            lines.append(k)
    return lines


def _unsafe_quotes(letters: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask of the lines in which quotes do more than enclose whole cells.

    Those are lines with a cell that is not closed, or with a quote inside an unquoted cell.
    """
    quotes = np.flatnonzero(letters == ord('"'))
    line = np.searchsorted(ends, quotes)
    before = np.searchsorted(quotes, ends)
    opens = (np.arange(len(quotes)) - np.concatenate(([0], before[:-1]))[line]) % 2 == 0
    unsafe: NDArray[np.bool_] = np.diff(before, prepend=0) % 2 == 1
    neighbour = letters[np.where(opens, quotes - 1, quotes + 1)]
    unsafe[line[~np.isin(neighbour, np.frombuffer(b',\n"', np.uint8))]] = True
    return unsafe


class CsvTable:
    """Parses joined payloads into columns.

    It remembers the columns that recently did not fit their type, only for speed.
    """

    def __init__(self, names: Sequence[str], types: dict[str, ColumnType]) -> None:
        self._types = {name: types[name] for name in names}
        self._numeric = frozenset(name for name in names if types[name].kind in ("int", "float"))
        self._integers = frozenset(name for name in names if types[name].kind == "int")
        self._as_text: dict[str, int] = {}
        self._untyped_batches = 0
        self._options: dict[frozenset[str], pv.ConvertOptions] = {}

    def read(
        self, data: bytes, rows: int, quoted: bool = False
    ) -> tuple[Mapping[str, Column], NDArray[np.int64]] | None:
        """Return the columns of the rows with the right number of cells, and the other rows.

        The latter as indices. ``None`` if both do not add up to ``rows``, which no safe payload can
        cause.
        """
        if not quoted and rows < FEW_ROWS and len(self._types) >= MANY_COLUMNS:
            return self._read_cells(data)
        as_text = frozenset(self._as_text)
        if self._integers and _has_hex(data):
            as_text |= self._integers
        try:
            table, refused = self._parse(data, as_text, quoted)
        except pa.ArrowInvalid:
            as_text = self._numeric
            table, refused = self._parse(data, as_text, quoted)
        if table.num_rows + len(refused) != rows:
            return None
        return self._columns(table, as_text), np.array(refused, np.int64) - 1

    def _read_cells(self, data: bytes) -> tuple[Mapping[str, Column], NDArray[np.int64]]:
        """Read few rows of many columns: all cells together, since calls per column cost most."""
        names = list(self._types)
        cells, refused = _cut(data, len(names))
        numeric = np.array([name in self._numeric for name in names])
        integral = np.array([name in self._integers for name in names])
        self._untyped_batches = max(self._untyped_batches - 1, 0)
        typed = not self._untyped_batches and not (self._integers and _has_hex(data))
        readings = [self._types[name].reading for name in names if name in self._numeric]
        values, slots, fitted = cut_numbers(cells, numeric, integral, typed, readings)
        if typed and not fitted:
            self._untyped_batches = RETRY_AFTER
        numbers, texts = (np.array(names)[which].tolist() for which in (numeric, ~numeric))
        by_column = np.arange(len(cells)).reshape(-1, len(names)).T[~numeric]
        strings = cells.take(pa.array(by_column.ravel()))
        strings = pc.if_else(pc.equal(strings, ""), pa.scalar(None, pa.string()), strings)
        return WideBatch(
            order=names,
            numbers=numbers,
            matrix=values,
            slots=slots,
            integral=integral[numeric],
            texts=texts,
            words=strings,
        ), refused

    def _columns(self, table: pa.Table, as_text: frozenset[str]) -> dict[str, Column]:
        arrays = {name: _flat(table.column(j)) for j, name in enumerate(self._types)}
        columns: dict[str, Column] = {}
        for name, (kind, reading) in self._types.items():
            if kind in ("text", "raw"):
                columns[name] = Texts(arrays[name])
            elif name not in as_text:
                columns[name] = numbers_from_array(arrays[name], kind == "int", reading)
        slow = [name for name in self._types if name in as_text]
        for name, numbers in zip(slow, self._from_text(slow, arrays), strict=True):
            self._remember(name, numbers)
            columns[name] = with_reading(numbers, arrays[name], self._types[name].reading)
        return columns

    def _from_text(self, names: Sequence[str], arrays: dict[str, pa.StringArray]) -> list[Numbers]:
        return numbers_from_texts(
            [arrays[name] for name in names], [name in self._integers for name in names]
        )

    def _parse(
        self, data: bytes, as_text: frozenset[str], quoted: bool
    ) -> tuple[pa.Table, list[int]]:
        refused: list[int] = []

        def refuse(row: pv.InvalidRow) -> str:
            refused.append(row.number)
            return "skip"

        table = pv.read_csv(
            pa.BufferReader(data),
            pv.ReadOptions(
                use_threads=False, column_names=list(self._types), block_size=len(data) + 1
            ),
            pv.ParseOptions(
                quote_char='"' if quoted else False,
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            self._convert(as_text),
        )
        return table, refused

    def _convert(self, as_text: frozenset[str]) -> pv.ConvertOptions:
        if as_text not in self._options:
            kinds = {
                name: "text" if name in as_text else column.kind
                for name, column in self._types.items()
            }
            self._options[as_text] = pv.ConvertOptions(
                check_utf8=False,
                column_types={name: _ARROW[kind] for name, kind in kinds.items()},
                null_values=[""],
                strings_can_be_null=True,
            )
        return self._options[as_text]

    def _remember(self, name: str, numbers: Numbers) -> None:
        """Note the number of further batches for which a column is parsed as text."""
        if _fits(numbers):
            left = self._as_text.pop(name, 0) - 1
            if left > 0:
                self._as_text[name] = left
        else:
            self._as_text[name] = RETRY_AFTER


def _cut(data: bytes, width: int) -> tuple[pa.StringArray, NDArray[np.int64]]:
    """Return the cells of the lines that have ``width`` cells, and the indices of the others."""
    letters = np.frombuffer(data, np.uint8)
    between = (letters == ord(",")) | (letters == ord("\n"))
    ends = np.flatnonzero(between)
    cells = np.diff(np.flatnonzero(letters[ends] == ord("\n")), prepend=-1)
    refused = np.flatnonzero(cells != width)
    if len(refused):
        lines = np.array(data.split(b"\n")[:-1], object)
        kept = b"".join(line + b"\n" for line in np.delete(lines, refused))
        return _cut(kept, width)[0], refused
    offsets = np.concatenate(([0], ends - np.arange(len(ends)))).astype(np.int32)
    text = data.translate(None, b",\n")
    buffers = pa.py_buffer(offsets), pa.py_buffer(text)
    return pa.StringArray.from_buffers(len(ends), *buffers), refused


def _flat(chunked: pa.ChunkedArray) -> pa.Array:
    return chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()


def _fits(numbers: Numbers) -> bool:
    """Return whether typed parsing would take this column."""
    slots = numbers.slots
    if slots is None:
        return True
    unfit = (slots > MISSING) & (slots <= STRING)
    return not (unfit.any() or (numbers.integral and (slots == FRACTIONAL).any()))


def _has_hex(data: bytes) -> bool:
    """Return whether ``0x`` or ``0X`` occurs: Arrow would parse it as an integer."""
    letters = np.frombuffer(data, np.uint8)
    for letter in b"xX":
        if letter in data:
            before = np.maximum(np.flatnonzero(letters == letter), 1) - 1
            if (letters[before] == ord("0")).any():
                return True
    return False
