"""The files of training data: which there are, of what kind, and what is wrong with their names."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO, Final

import pyarrow as pa

from stream.errors import DataError

SUFFIXES: Final = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
COMPRESSED: Final = ".gz"
"""The suffix of a compressed file, after that of its kind; Parquet is compressed by itself."""
INDEX_NAME: Final = "__index_level_0__"
"""The name of a column of Parquet that holds the row index of pandas."""
NO_TEXT: Final = {
    b"\xff\xfe": "is in UTF-16, expected UTF-8: save it as CSV UTF-8",
    b"\xfe\xff": "is in UTF-16, expected UTF-8: save it as CSV UTF-8",
    b"\x1f\x8b": "is compressed by gzip: give its name the suffix .gz",
    b"PK\x03\x04": "is a zip archive, as workbooks of Excel are: save the table as CSV UTF-8",
    b"PAR1": "is Parquet: give its name the suffix .parquet",
}
"""What a file is that should be text, by its first bytes."""


def kind_of(file: Path) -> str:
    """The kind of a file by its suffix (``csv``, ``parquet``, ``jsonl``); empty for any other.

    >>> kind_of(Path("train.CSV.gz")), kind_of(Path("train.xlsx")), kind_of(Path("t.parquet.gz"))
    ('csv', '', '')
    """
    suffixes = [suffix.lower() for suffix in file.suffixes]
    kind = SUFFIXES.get("".join(suffixes[-1:]), "")
    if suffixes[-1:] == [COMPRESSED]:
        kind = SUFFIXES.get("".join(suffixes[-2:-1]), "")
        return "" if kind == "parquet" else kind
    return kind


def training_files(path: Path) -> list[Path]:
    """The training file, or all of a folder in the order of their names.

    Raises :class:`~stream.errors.DataError` if there is none, and for anything but a regular file,
    such as a named pipe, which can be read only once.
    """
    if not path.exists():
        raise DataError(str(path), "no such file or folder")
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    readable = [file for file in files if kind_of(file) and not file.is_dir()]
    if not readable:
        kinds = f"CSV, Parquet or JSON lines ({', '.join(sorted(SUFFIXES))}, or with {COMPRESSED})"
        actual = "a folder without such a file" if path.is_dir() else repr(path.suffix)
        raise DataError(str(path), f"expected {kinds}, found {actual}")
    for file in readable:
        if not file.is_file():
            raise DataError(str(file), "is not a regular file: training data are read twice")
    return readable


def open_csv(file: Path) -> str | pa.CompressedInputStream:
    """A CSV for Arrow, compressed or not."""
    if file.suffix.lower() == COMPRESSED:
        return pa.CompressedInputStream(pa.OSFile(str(file)), "gzip")
    return str(file)


def open_lines(file: Path) -> IO[bytes] | gzip.GzipFile:
    """Open a file of JSON lines, compressed or not."""
    if file.suffix.lower() == COMPRESSED:
        return gzip.open(file, "rb")
    return file.open("rb")


def blank_lines(file: Path) -> int:
    """The number of empty lines at the front of a text file, before its header."""
    with open_lines(file) as lines:
        return sum(1 for _ in takewhile(lambda line: not line.strip(b"\r\n"), lines))


def first_line(file: Path) -> str:
    """The first line of a text file that is not empty; empty if there is none."""
    with open_lines(file) as lines:
        line = next((line for line in lines if line.strip()), b"")
    return line.decode("utf-8", "replace").removeprefix("\ufeff").strip()


def check_encoding(file: Path) -> None:
    """Raise :class:`~stream.errors.DataError` for a CSV in UTF-16, and for what is no text."""
    with open_lines(file) as lines:
        start = lines.read(4)
    for sign, fault in NO_TEXT.items():
        if start.startswith(sign):
            raise DataError(str(file), fault)


def is_unnamed(name: str) -> bool:
    """Return whether a column has no name of its own."""
    return name in ("", INDEX_NAME)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def check_names(file: Path, names: Sequence[str]) -> None:
    """Raise :class:`~stream.errors.DataError` for a name given twice, and if there is none."""
    named = [name for name in names if not is_unnamed(name)]
    if not named:
        advice = "give the names with --columns, or --no-header if the first row holds values"
        raise DataError(str(file), f"no column has a name: {advice}")
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        advice = "rename them in the file, or give a CSV names with --columns"
        if all(map(_is_number, repeated)):
            advice = "add --no-header if the first row holds values; --columns gives names"
        raise DataError(
            str(file), f"has several columns {', '.join(map(repr, repeated))}: {advice}"
        )
