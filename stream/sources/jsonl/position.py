"""Positions in the files of a folder, with what recognises them after a restart."""

from __future__ import annotations

from typing import Final

import msgspec

from stream.events import Position

REMEMBERED: Final = 100
"""The number of files, read last, that a position remembers."""
_SEPARATOR: Final = "\0"
"""It cannot be part of a file's name."""


class ReadFile(msgspec.Struct, frozen=True, array_like=True):
    """A file that was read up to an offset: its inode, and the fingerprint of the content before.

    The fingerprint is empty if it is not known.
    """

    inode: int
    offset: int
    fingerprint: str = ""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A place in a file: its name, relative to the folder, and what was read of it.

    ``damaged_bytes`` is the size of the file if the rest of it cannot be read, else -1: nothing is
    read from it until its size changes.
    """

    name: str
    read: ReadFile = ReadFile(0, 0)
    damaged_bytes: int = -1

    @property
    def offset(self) -> int:
        """The offset of the next line, in the uncompressed content."""
        return self.read.offset


class FileMemory(msgspec.Struct, frozen=True, array_like=True):
    """What a position remembers besides its place.

    ``back`` is where reading continues after the present file, if it is not the next one by name:
    a file that was renamed, or appeared or grew under an earlier name, is read in between.
    ``listed_ns`` is the time up to which changes of all earlier files are known. ``files`` are
    those read last; ``complete``: there were no others.
    """

    here: Place
    back: Place | None = None
    listed_ns: int = 0
    files: tuple[ReadFile, ...] = ()
    complete: bool = False


def encode(memory: FileMemory) -> Position:
    """Return the position: the name, with the memory as JSON behind it, and the offset.

    >>> encode(FileMemory(Place("")))
    ('', 0)
    """
    here = memory.here
    if not here.name:
        return "", 0
    packed = msgspec.json.encode(memory).decode()
    return f"{here.name}{_SEPARATOR}{packed}", here.offset


def decode(position: tuple[str, int]) -> FileMemory:
    """Return the memory of a position; one that is only a name and an offset remembers nothing.

    >>> decode(("a.jsonl", 7)).here.offset
    7
    """
    name, _, packed = position[0].partition(_SEPARATOR)
    if packed:
        return msgspec.json.decode(packed, type=FileMemory)
    first = position[1] == 0
    return FileMemory(Place(name, ReadFile(0, position[1])), complete=first and not name)


def name_of(position: Position) -> str:
    """Return the place of a position for people: the name and the offset."""
    if isinstance(position, int):
        return str(position)
    return f"{position[0].partition(_SEPARATOR)[0]}:{position[1]}"
