"""Training data as chunks of text columns: CSV, Parquet, JSON lines; a file, or a folder of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from detectors.profiles.columns import WHOLE
from stream.errors import ConfigError
from stream.formats.rows import Cell, MalformedRecord, cell_of, column_of, load_json

CHUNK_ROWS = 65_536
CHUNK_LINES = 8_192
BLOCK_BYTES = 8 << 20
SUFFIXES = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}

CAPTURED = "captureData"
NO_TABLE = (
    "They are what the model was asked later, not what it was trained on. Give the training table"
    " itself, or write `baseline: learn` in the configuration: the first events then become the"
    " baseline"
)

Progress = Callable[[int], None]
"""Told how many bytes of input were read since the last call."""


class TrainingData:
    """The rows of a training file or folder, always in the same order, as tables of text columns.

    Cells are text as they stand in the file; null means missing. Numbers from Parquet and JSON
    become text of their type (a floating-point 7 is ``7.0``); fields of nested objects become
    columns named by their dotted path. A CSV without a header gets the names ``_c0``, ``_c1``, ...
    unless ``columns`` are given. Raises :class:`~stream.errors.ConfigError` if there is no such
    file, no file in the folder, a file of no known kind, one that cannot be read, a column name
    twice, a list in a cell, capture lines of SageMaker, or a name in ``exclude`` that no file has.
    """

    def __init__(
        self,
        path: Path,
        header: bool = True,
        columns: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> None:
        self._header, self._columns, self._exclude = header, list(columns), set(exclude)
        self.files = _files(path)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)

    def chunks(self, progress: Progress = lambda _: None) -> Iterator[pa.Table]:
        """The rows of all files in the order of their names; ``progress`` hears of each file's
        bytes as they go.
        """
        seen: dict[str, None] = {}
        for file in self.files:
            told, size = 0, file.stat().st_size
            for rows in self._read(file):
                seen.update(dict.fromkeys(rows.column_names))
                yield self._text(file, rows)
                told_now = min(size - told, rows.nbytes)
                told += told_now
                progress(told_now)
            progress(size - told)
        if lost := sorted(self._exclude - set(seen)):
            raise ConfigError(
                "--exclude", "columns of the training data", ", ".join(lost), list(seen)
            )

    def _read(self, file: Path) -> Iterator[pa.Table]:
        kind = SUFFIXES[file.suffix.lower()]
        try:
            if kind == "parquet":
                for batch in parquet.ParquetFile(file).iter_batches(CHUNK_ROWS):
                    yield pa.Table.from_batches([batch])
            elif kind == "jsonl":
                yield from self._read_lines(file)
            else:
                yield from self._read_csv(file)
        except pa.ArrowException as error:
            raise ConfigError(
                str(file), f"a {kind} file that can be read", str(error).splitlines()[0]
            ) from error

    def _read_csv(self, file: Path) -> Iterator[pa.Table]:
        names = self._columns or self._names(file)
        options = csv.ReadOptions(
            column_names=names, skip_rows=int(self._header), block_size=BLOCK_BYTES
        )
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )
        parse = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(names) > 1)
        for batch in csv.open_csv(file, options, parse, convert):
            yield pa.Table.from_batches([batch])

    def _names(self, file: Path) -> list[str]:
        peek = csv.open_csv(file, csv.ReadOptions(autogenerate_column_names=not self._header))
        names = list(peek.schema.names)
        return names if self._header else [f"_c{k}" for k in range(len(names))]

    def _read_lines(self, file: Path) -> Iterator[pa.Table]:
        """JSON objects, a line each: read as events are, so that the same value is the same text."""
        with file.open("rb") as lines:
            numbered = ((k, line) for k, line in enumerate(lines, 1) if line.strip())
            while rows := [self._row(file, k, line) for k, line in islice(numbered, CHUNK_LINES)]:
                names = dict.fromkeys(name for row in rows for name in row)
                yield pa.table(
                    {
                        name: column_of([row.get(name) for row in rows], "raw").values
                        for name in names
                    }
                )

    def _row(self, file: Path, number: int, line: bytes) -> dict[str, Cell]:
        try:
            document = load_json(line)
            if not isinstance(document, dict):
                raise MalformedRecord("not_an_object")
            if isinstance(document.get(CAPTURED), dict):
                self._refuse_captures(file)
            return dict(self._leaves(document, ""))
        except MalformedRecord as fault:
            raise ConfigError(
                f"{file}:{number}", "a JSON object of plain values", fault.reason
            ) from fault

    def _leaves(self, document: dict[str, object], prefix: str) -> Iterator[tuple[str, Cell]]:
        for key, value in document.items():
            name = f"{prefix}{key}"
            if isinstance(value, dict) and name not in self._exclude:
                yield from self._leaves(value, f"{name}.")
            elif isinstance(value, list) and name not in self._exclude:
                raise MalformedRecord(f"a list in {name} (--exclude leaves it out)")
            else:
                yield name, None if name in self._exclude else cell_of(value)

    def _refuse_captures(self, file: Path) -> None:
        if CAPTURED not in self._exclude:
            raise ConfigError(
                str(file),
                "the table that the model was trained on",
                f"captures of SageMaker (`{CAPTURED}`). {NO_TABLE}",
            )

    def _text(self, file: Path, rows: pa.Table) -> pa.Table:
        if CAPTURED in rows.column_names and pa.types.is_struct(rows.schema.field(CAPTURED).type):
            self._refuse_captures(file)
        while any(pa.types.is_struct(field.type) for field in rows.schema):
            rows = rows.flatten()
        names = rows.column_names
        if len(set(names)) < len(names):
            twice = ", ".join(sorted({name for name in names if names.count(name) > 1}))
            raise ConfigError(str(file), "each column name once", f"several columns {twice}")
        return pa.table(
            {name: _as_text(file, name, rows[name]) for name in names if name not in self._exclude}
        )


def text_of(column: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """A column as text: floating-point whole numbers keep their ``.0``, NaN is missing. Raises
    ``pa.ArrowException`` for lists.

    >>> text_of(pa.array([7.0, 0.5, float("nan")])).to_pylist()
    ['7.0', '0.5', None]
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_floating(column.type):
        text = pc.cast(
            pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column), pa.string()
        )
        return pc.if_else(
            pc.match_substring_regex(text, WHOLE), pc.binary_join_element_wise(text, ".0", ""), text
        )
    return pc.cast(column, pa.string())


def _as_text(file: Path, name: str, column: pa.ChunkedArray) -> pa.StringArray:
    try:
        return text_of(column)
    except pa.ArrowException as error:
        raise ConfigError(
            f"{file}: column {name}",
            "plain values (or leave it out with --exclude)",
            str(column.type),
        ) from error


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise ConfigError(str(path), "a training file or folder", "nothing there")
    found = (
        sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        if path.is_dir()
        else [path]
    )
    if not found or found[0].suffix.lower() not in SUFFIXES:
        raise ConfigError(
            str(path), "CSV, Parquet or JSON lines", path.suffix or "no such file", sorted(SUFFIXES)
        )
    return found
