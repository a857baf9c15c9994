"""Reads training data (CSV, Parquet or JSON lines; a file or folder) as tables of text columns."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from detectors.profiles.columns import WHOLE
from stream.baselining.training_files import (
    blank_lines,
    check_encoding,
    check_names,
    first_line,
    is_unnamed,
    kind_of,
    open_csv,
    open_lines,
    training_files,
)
from stream.errors import ColumnsUnknown, DataError
from stream.formats.base import ColumnType
from stream.formats.faults import MalformedRecord
from stream.formats.json_rows import Cell, cell_of, readable
from stream.formats.json_text import load_json
from stream.formats.rows import column_of

CHUNK_ROWS = 65_536
CHUNK_LINES = 8_192
BLOCK_BYTES = 8 << 20
RAW = ColumnType("raw")
CAPTURED = "captureData"
NOT_TRAINING_DATA = (
    f"holds captures of SageMaker (`{CAPTURED}`): requests to the deployed model, not the data that"
    " it was trained on. Give the training table itself, or write `baseline: learn` in the"
    " configuration: the first events then become the baseline"
)

IN_WORDS = {
    "undecodable": "text that is no JSON in UTF-8; write one object a line, and nothing else",
    "not_an_object": "another value; write one object a line (pandas: orient='records',"
    " lines=True)",
    "several_objects": "several objects; write one a line",
}
"""What a line holds that cannot be read, by the reason of the decoder."""
NO_SEPARATOR = (
    "does not separate columns; write the file with commas, and numbers with a decimal point"
)
AS_UTF_8 = "Save it as CSV UTF-8"
SEPARATOR_LINE = (
    "begins with `sep=`, a line for Excel that is no row of the table: remove it, and write the"
    " file with commas"
)
UNNAMED = (
    "left out: pandas (without `index=False`) and R (without `row.names=FALSE`) write such a row"
    " index. If it is a column of the model, give a CSV names with --columns"
)

Progress = Callable[[int], None]
"""A callback that gets the number of bytes read since its last call."""


class TrainingData:
    """The rows of a training file or folder, always in the same order, as tables of text columns.

    Cells are the text in the file; null means missing. Numbers from Parquet and JSON
    become text of their type (a floating-point 7 is ``7.0``); fields of nested objects become
    columns named by their dotted path. A CSV without a header gets the names ``_c0``, ``_c1``, ...
    unless ``columns`` are given. Blanks around the names in a header are left out, and so are
    columns without a name: ``notes`` has a sentence on each. CSV and JSON lines may be compressed
    by gzip.

    Raises :class:`~stream.errors.DataError` for a file that does not exist, is of no known kind or
    cannot be read, is no regular file or in UTF-16, a folder without a file, a column name given
    twice, a list in a cell, and capture lines of SageMaker;
    :class:`~stream.errors.ColumnsUnknown` for a name in ``exclude`` that no file has.
    """

    def __init__(
        self,
        path: Path,
        header: bool = True,
        columns: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> None:
        self._path = path
        self._header = header
        self._columns = list(columns)
        self._exclude = set(exclude)
        self.files = training_files(path)
        self._notes: dict[str, None] = {}
        self._separator = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the names of columns, in sentences; complete once all rows are read."""
        return tuple(self._notes)

    @property
    def hint(self) -> str:
        """What an error of the columns should add: the sign that separates them is no comma."""
        return f". {self._separator[0].upper()}{self._separator[1:]}" if self._separator else ""

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.stat().st_size for file in self.files)

    def chunks(self, progress: Progress = lambda _: None) -> Iterator[pa.Table]:
        """Yield the rows of all files in the order of their names.

        ``progress`` is called with estimates of the bytes read, which add up to the size of all
        files.
        """
        seen: dict[str, None] = {}
        for file in self.files:
            unreported = file.stat().st_size
            for rows in self._read(file):
                seen.update(dict.fromkeys(rows.column_names))
                yield self._text(file, rows)
                count = min(unreported, rows.nbytes)
                unreported -= count
                progress(count)
            progress(unreported)
        if unknown := sorted(self._exclude - set(seen)):
            raise ColumnsUnknown(str(self._path), "exclude", unknown, list(seen))

    def _read(self, file: Path) -> Iterator[pa.Table]:
        kind = kind_of(file)
        try:
            if kind == "parquet":
                for batch in parquet.ParquetFile(file).iter_batches(CHUNK_ROWS):
                    yield pa.Table.from_batches([batch])
            elif kind == "jsonl":
                yield from self._read_lines(file)
            else:
                yield from self._read_csv(file)
        except UnicodeDecodeError as error:
            reason = f"cannot be read as {kind}: the header is not UTF-8. {AS_UTF_8}"
            raise DataError(str(file), reason) from error
        except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
            cause = (str(error) or type(error).__name__).splitlines()[0]
            advice = f". {AS_UTF_8}" if "invalid UTF8" in cause else self.hint
            reason = f"cannot be read as {kind}: {cause}{advice}"
            raise DataError(str(file), reason) from error

    def _read_csv(self, file: Path) -> Iterator[pa.Table]:
        check_encoding(file)
        names = self._columns or self._names(file)
        check_names(file, names)
        # Columns without a name are numbered, so that they can be told apart while they are read.
        read = [f"\0{k}" if is_unnamed(name) else name for k, name in enumerate(names)]
        self._note_unnamed([k for k, name in enumerate(names, 1) if is_unnamed(name)])
        options = csv.ReadOptions(
            column_names=read,
            skip_rows=blank_lines(file) if self._header else 0,
            skip_rows_after_names=int(self._header),
            block_size=BLOCK_BYTES,
        )
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(read, pa.string()),
            include_columns=[name for name in names if not is_unnamed(name)],
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )
        parse = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(names) > 1)
        for batch in csv.open_csv(open_csv(file), options, parse, convert):
            yield pa.Table.from_batches([batch])

    def _names(self, file: Path) -> list[str]:
        """The names in the header, without blanks around them: few writers mean them."""
        options = csv.ReadOptions(autogenerate_column_names=not self._header)
        parse = csv.ParseOptions(newlines_in_values=True)
        first = first_line(file)
        if self._header and re.fullmatch("sep=.?", first):
            raise DataError(str(file), SEPARATOR_LINE)
        try:
            names = list(csv.open_csv(open_csv(file), options, parse).schema.names)
        except pa.ArrowInvalid:  # a row is of another width, as with decimal commas
            self._note_separator(first.split(","))
            raise
        if not self._header:
            return [f"_c{k}" for k in range(len(names))]
        stripped = [name.strip() for name in names]
        self._note_separator(names)
        if stripped != names:
            self._notes["blanks around names in the header were left out"] = None
        return stripped

    def _note_separator(self, names: Sequence[str]) -> None:
        if len(names) == 1 and (other := set(";\t|") & set(names[0])):
            name = repr(names[0].strip()[:40])
            self._separator = f"the only column is named {name}: {min(other)!r} {NO_SEPARATOR}"
            self._notes[self._separator] = None

    def _note_unnamed(self, positions: Sequence[int]) -> None:
        if positions:
            which = ("column " if len(positions) == 1 else "columns ") + ", ".join(
                map(str, positions)
            )
            self._notes[f"{which} without a name: {UNNAMED}"] = None

    def _read_lines(self, file: Path) -> Iterator[pa.Table]:
        """Read JSON objects, one per line, as events are read: equal values become equal text."""
        with open_lines(file) as lines:
            numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
            while chunk := list(islice(numbered, CHUNK_LINES)):
                rows = [self._row(file, number, line) for number, line in chunk]
                names = dict.fromkeys(name for row in rows for name in row)
                cells = {name: [row.get(name) for row in rows] for name in names}
                columns = {name: column_of(cells[name], RAW).values for name in names}
                yield pa.table(columns)

    def _row(self, file: Path, number: int, line: bytes) -> dict[str, Cell]:
        try:
            document = load_json(line)
            if not isinstance(document, dict):
                raise MalformedRecord("not_an_object")
            if isinstance(document.get(CAPTURED), dict):
                self._refuse_captures(file)
            return dict(self._leaves(document, ""))
        except MalformedRecord as error:
            found = IN_WORDS.get(error.reason, error.reason)
            found += f" ({error.detail})" if error.detail else ""
            reason = f"expected a JSON object of plain values, found {found}"
            raise DataError(f"{file}:{number}", reason) from error

    def _leaves(self, document: dict[str, object], prefix: str) -> Iterator[tuple[str, Cell]]:
        for key, value in document.items():
            name = f"{prefix}{key}" if key.isascii() else readable(f"{prefix}{key}", "a name")
            if isinstance(value, dict) and name not in self._exclude:
                yield from self._leaves(value, f"{name}.")
            elif isinstance(value, list) and name not in self._exclude:
                raise MalformedRecord(f"a list in {name} (--exclude leaves it out)")
            else:
                yield name, None if name in self._exclude else cell_of(value)

    def _refuse_captures(self, file: Path) -> None:
        if CAPTURED not in self._exclude:
            raise DataError(str(file), NOT_TRAINING_DATA)

    def _text(self, file: Path, rows: pa.Table) -> pa.Table:
        if CAPTURED in rows.column_names and pa.types.is_struct(rows.schema.field(CAPTURED).type):
            self._refuse_captures(file)
        while any(pa.types.is_struct(field.type) for field in rows.schema):
            rows = rows.flatten()
        names = rows.column_names
        check_names(file, names)
        self._note_unnamed([k for k, name in enumerate(names, 1) if is_unnamed(name)])
        kept = [name for name in names if name not in self._exclude and not is_unnamed(name)]
        return pa.table({name: _as_text(file, name, rows[name]) for name in kept})


def text_of(column: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Return a column as text: floating-point whole numbers keep their ``.0``, NaN is missing.

    Raises ``pa.ArrowException`` for lists.

    >>> text_of(pa.array([7.0, 0.5, float("nan")])).to_pylist()
    ['7.0', '0.5', None]
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type):
        return column
    if not pa.types.is_floating(column.type):
        return pc.cast(column, pa.string())
    present = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    text = pc.cast(present, pa.string())
    is_whole = pc.match_substring_regex(text, WHOLE)
    return pc.if_else(is_whole, pc.binary_join_element_wise(text, ".0", ""), text)


def _as_text(file: Path, name: str, column: pa.ChunkedArray) -> pa.StringArray:
    try:
        return text_of(column)
    except pa.ArrowException as error:
        reason = f"expected plain values, found {column.type}; --exclude leaves the column out"
        raise DataError(f"{file}: column {name}", reason) from error
