"""Files of lines by day: their names, and how they are read, compressed and removed.

The lines of a day are in ``KIND-YYYY-MM-DD.jsonl``, and once the day is closed in one with ``.gz``
after that. Lines that come later are in a file without it again, until they are added to the other.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BufferedIOBase, RawIOBase
from pathlib import Path
from typing import IO, Final

COMPRESSED: Final = ".gz"
DAMAGED: Final = (EOFError, gzip.BadGzipFile, zlib.error)
"""The errors of a compressed file that is not whole."""
CHUNK: Final = 1 << 20
DAY_MS: Final = 86_400_000
_NAME: Final = re.compile(r"[a-z]+-(\d{4}-\d\d-\d\d)\.jsonl(\.gz)?")
_TRAILER: Final = 8
"""The last bytes of a compressed member: checksum and length of what was compressed."""


def name_of(kind: str, time_ms: int) -> str:
    """Return the name of the file for lines of this time.

    >>> name_of("reports", 1_750_000_020_000)
    'reports-2025-06-15.jsonl'
    """
    return f"{kind}-{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}.jsonl"


def end_ms_of(path: Path) -> int | None:
    """Return the end of the day of a file; ``None`` if its name has no day.

    >>> end_ms_of(Path("reports-1970-01-02.jsonl.gz")), end_ms_of(Path("signals.jsonl"))
    (172800000, None)
    """
    match = _NAME.fullmatch(path.name)
    with suppress(ValueError):  # a day that no calendar has
        if match:
            day = datetime.strptime(match[1], "%Y-%m-%d").replace(tzinfo=UTC)
            return int(day.timestamp()) * 1000 + DAY_MS
    return None


def files_of(folder: Path, kinds: Sequence[str]) -> list[Path]:
    """Return the files of these kinds, compressed or not, by name: ``KIND-*.jsonl``."""
    return sorted(
        path
        for kind in kinds
        for ending in ("", COMPRESSED)
        for path in folder.glob(f"{kind}-*.jsonl{ending}")
    )


def with_compressed_since(files: Sequence[Path]) -> Iterator[Path]:
    """Yield files that were listed before, to be read one after the other, without missing a line.

    A file may be compressed after it was listed, and begin anew with lines that come later: then
    the compressed one follows it. What is read twice has the same ids.
    """
    for path in files:
        yield path
        archive = path.with_name(path.name + COMPRESSED)
        if end_ms_of(path) and archive not in files and archive.is_file():
            yield archive


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes] | gzip.GzipFile, IO[bytes]]]:
    """Open a file of lines, compressed or not: its lines, and the file itself for its position.

    A file that was compressed since it was listed is read compressed. Raises ``OSError``.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        path = path.with_name(path.name + COMPRESSED)
        file = path.open("rb")
    with file:
        if path.suffix != COMPRESSED:
            yield file, file
            return
        with gzip.GzipFile(fileobj=file) as lines:
            yield lines, file


def compress(path: Path) -> bool:
    """Add the lines of a file to the compressed one beside it, and remove the file.

    A crash at any moment leaves all lines. What it leaves of the file is removed, and not added
    again, by the next call of this function, of :func:`remove_if_added`, or by the next append.
    Returns false, and changes nothing, if the file has gone or cannot be locked. Raises
    ``OSError``.
    """
    with suppress(FileNotFoundError), path.open("rb+", buffering=0) as file:
        if not locked(file, path):
            return False
        if file.seek(0, 2) and not is_added(file, path):
            _add(file, path)
        path.unlink()
        return True
    return False


def remove_if_added(path: Path) -> bool:
    """Remove a file whose lines were added to the compressed one before a crash."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        if not locked(file, path) or not is_added(file, path):
            return False
        path.unlink()
        return True
    return False


def is_added(file: RawIOBase | BufferedIOBase, path: Path) -> bool:
    """Return whether the lines of a locked file were added to the compressed one before a crash.

    They are the last member of it, of which checksum and length are compared, and then the content.
    False for an empty file, and if the compressed one cannot be read.
    """
    archive = path.with_name(path.name + COMPRESSED)
    with suppress(OSError):
        return _is_last_member(file, archive)
    return False


def locked(file: RawIOBase | BufferedIOBase, path: Path) -> bool:
    """Lock an open file until it is closed; false if it is no longer the one at ``path``.

    So nothing is appended to a file while it is compressed and removed, nor after that. False also
    where the file system has no locks.
    """
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        return is_at(file, path)
    except OSError:
        return False


def is_at(file: RawIOBase | BufferedIOBase, path: Path) -> bool:
    """Return whether an open file is the one at ``path``, and was neither removed nor replaced."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def torn(file: RawIOBase) -> bool:
    """Return whether the last line of a file opened with ``ab+`` is not terminated."""
    if file.seek(0, 2) == 0:
        return False
    file.seek(-1, 2)
    return file.read(1) != b"\n"


def private(path: str, flags: int) -> int:
    """Open a file that its user alone can read; an ``opener``."""
    return os.open(path, flags, 0o600)


def _add(file: RawIOBase, path: Path) -> None:
    """Add the lines of a locked file to the compressed one, all or none."""
    archive = path.with_name(path.name + COMPRESSED)
    partial = path.with_name(f".{archive.name}.partial")
    if torn(file):
        file.write(b"\n")  # at the end, where the check has left it
    try:
        with open(partial, "wb", opener=private) as target:  # Path has no opener
            _write_members(archive, file, target)
        partial.replace(archive)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    _sync_folder(path.parent)


def _write_members(archive: Path, file: RawIOBase, target: IO[bytes]) -> None:
    """Write the members of the archive, if there is one, and the file as one more."""
    with suppress(FileNotFoundError), archive.open("rb") as before:
        shutil.copyfileobj(before, target, CHUNK)
    file.seek(0)
    with gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=6, mtime=0) as member:
        while chunk := file.read(CHUNK):
            member.write(chunk)
    target.flush()
    os.fsync(target.fileno())


def _is_last_member(file: RawIOBase | BufferedIOBase, archive: Path) -> bool:
    with archive.open("rb") as compressed:
        if compressed.seek(0, 2) < _TRAILER:
            return False
        compressed.seek(-_TRAILER, 2)
        trailer = compressed.read()
    length = file.seek(0, 2)
    if length == 0 or trailer[4:] != _four_bytes(length):
        return False  # without reading the file, as there are lines that come late
    file.seek(0)
    checksum = 0
    while chunk := file.read(CHUNK):
        checksum = zlib.crc32(chunk, checksum)
    return trailer[:4] == _four_bytes(checksum) and _ends_with(archive, file, length)


def _four_bytes(number: int) -> bytes:
    """A number modulo 2**32, as a member of a compressed file ends with it."""
    return (number % (1 << 32)).to_bytes(4, "little")


def _ends_with(archive: Path, file: RawIOBase | BufferedIOBase, length: int) -> bool:
    """Whether the content of the archive ends with that of the file; false if it is damaged."""
    file.seek(0)
    with suppress(*DAMAGED), gzip.open(archive) as content:
        content.seek(content.seek(0, 2) - length)
        while chunk := file.read(CHUNK):
            if content.read(len(chunk)) != chunk:
                return False
        return True
    return False


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, before what they replace is removed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
