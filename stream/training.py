"""Training data as chunks of text columns: CSV, Parquet, JSON lines; a file, or a folder of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.json as json
import pyarrow.parquet as parquet

from detectors.columns import WHOLE
from stream.errors import ConfigError

CHUNK_ROWS = 65_536
BLOCK_BYTES = 8 << 20
SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}

Progress = Callable[[int], None]
"""Told how many bytes of input were read since the last call."""


class Training:
    """The rows of a training file or folder, always in the same order, as tables of text columns.

    Cells are text as they stand in the file; null means missing. Numbers from Parquet and JSON become text of their type
    (a floating-point 7 is ``7.0``). A CSV without a header gets the names ``_c0``, ``_c1``, ... unless ``columns`` are given.
    Raises :class:`~stream.errors.ConfigError` if there is no such file, no file in the folder, or a file of no known kind.
    """

    def __init__(self, path: Path, header: bool = True, columns: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._header, self._columns, self._exclude = header, list(columns), set(exclude)
        self.files = _files(path)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)

    def chunks(self, progress: Progress = lambda _: None) -> Iterator[pa.Table]:
        """The rows of all files in the order of their names; ``progress`` hears of each file's bytes as they go."""
        for file in self.files:
            told, size = 0, file.stat().st_size
            for rows in self._read(file):
                yield self._text(rows)
                told_now = min(size - told, rows.nbytes)
                told += told_now
                progress(told_now)
            progress(size - told)

    def _read(self, file: Path) -> Iterator[pa.Table]:
        kind = SUFFIXES[file.suffix]
        try:
            if kind == "parquet":
                for batch in parquet.ParquetFile(file).iter_batches(CHUNK_ROWS):
                    yield pa.Table.from_batches([batch])
            elif kind == "jsonl":
                for batch in json.open_json(file, json.ReadOptions(block_size=BLOCK_BYTES)):
                    yield pa.Table.from_batches([batch])
            else:
                yield from self._read_csv(file)
        except pa.ArrowException as error:
            raise ConfigError(str(file), f"a {kind} file that can be read", str(error).splitlines()[0]) from error

    def _read_csv(self, file: Path) -> Iterator[pa.Table]:
        names = self._columns or self._names(file)
        options = csv.ReadOptions(column_names=names, skip_rows=int(self._header), block_size=BLOCK_BYTES)
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
        )
        parse = csv.ParseOptions(newlines_in_values=True)
        for batch in csv.open_csv(file, options, parse, convert):
            yield pa.Table.from_batches([batch])

    def _names(self, file: Path) -> list[str]:
        peek = csv.open_csv(file, csv.ReadOptions(autogenerate_column_names=not self._header))
        names = list(peek.schema.names)
        return names if self._header else [f"_c{k}" for k in range(len(names))]

    def _text(self, rows: pa.Table) -> pa.Table:
        kept = [name for name in rows.column_names if name not in self._exclude]
        return pa.table({name: text_of(rows[name].combine_chunks()) for name in kept})


def text_of(column: pa.Array) -> pa.StringArray:
    """A column as text: floating-point whole numbers keep their ``.0``, NaN is missing, nested values become JSON-like text."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_floating(column.type):
        text = pc.cast(pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column), pa.string())
        return pc.if_else(pc.match_substring_regex(text, WHOLE), pc.binary_join_element_wise(text, ".0", ""), text)
    return pc.cast(column, pa.string())


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise ConfigError(str(path), "a training file or folder", "nothing there")
    found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES) if path.is_dir() else [path]
    if not found or found[0].suffix not in SUFFIXES:
        raise ConfigError(str(path), "CSV, Parquet or JSON lines", path.suffix or "no such file", sorted(SUFFIXES))
    return found


__all__ = ["Progress", "Training", "text_of"]
