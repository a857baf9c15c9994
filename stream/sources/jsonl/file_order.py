"""The files of a folder, in the order in which they are read."""

from __future__ import annotations

import bisect
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from stream.sources.jsonl.content import COMPRESSED_SUFFIX

LIST_S: Final = 0.5
"""The time between two listings of a folder."""
SETTLE_S: Final = 10.0
"""The longest time for which the first files of an empty folder may still be copied."""
LISTING_SHARE: Final = 0.05
"""The largest share of the time that is spent on listing a large folder."""
_SUFFIXES: Final = (".jsonl", f".jsonl{COMPRESSED_SUFFIX}")
_DATED: Final = re.compile(r"\d{4}/\d{2}/\d{2}/\d{2}/.*")


def sort_key(name: str) -> tuple[str, str]:
    """Order file names by the part from the date on, if they have one, then by the whole name.

    >>> names = ["b/x/2025/06/15/09/05-1.jsonl", "a/x/2025/06/15/09/07-1.jsonl"]
    >>> sorted(names, key=sort_key)[0]
    'b/x/2025/06/15/09/05-1.jsonl'
    """
    dated = _DATED.search(name)
    return (dated.group() if dated else name), name


def plain_name(name: str) -> str:
    """Return the name of a file before it was compressed; both hold the same lines.

    >>> plain_name("a.jsonl.gz"), plain_name("a.jsonl")
    ('a.jsonl', 'a.jsonl')
    """
    return name.removesuffix(COMPRESSED_SUFFIX) if name.endswith(_SUFFIXES[1]) else name


class FileOrder:
    """The files of a source, ordered by :func:`sort_key`, by their names relative to ``root``.

    A compressed file has the name that it had before it was compressed. ``unreadable`` has the
    names that are passed over, each with the reason: not a regular file, a name that is not UTF-8,
    or a file or folder without permission to read. They are tried again at each listing.
    ``listed_ns`` is the time of the latest listing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.root = path if path.is_dir() else path.parent
        self.listed: list[str] = []
        self.unreadable: dict[str, str] = {}
        self.listed_ns = 0
        self._prefix = f"{self.root}{os.sep}"
        self._keys: list[tuple[str, str]] = []
        self._files: dict[str, str] = {}
        self._due_s = -LIST_S
        self._settling: tuple[list[str], int, float] | None = None

    def refresh(self, at_once: bool = False) -> bool:
        """List the files if that is due (or ``at_once``); return whether it listed."""
        started_s = time.monotonic()
        if started_s < self._due_s and not at_once:
            return False
        self.listed_ns = time.time_ns()
        self.unreadable = {}
        files = dict(self._scan())
        if files.keys() != self._files.keys():
            self.listed = sorted(files, key=sort_key)
            self._keys = list(map(sort_key, self.listed))
        self._files = files
        now_s = time.monotonic()
        self._due_s = now_s + max(LIST_S, (now_s - started_s) / LISTING_SHARE)
        return True

    def settled(self) -> bool:
        """Return whether two listings had the same names, so that no more files are being copied.

        After ten seconds of changes it is true in any case.
        """
        now_s = time.monotonic()
        names, listed_ns, since_s = self._settling or (self.listed, self.listed_ns, now_s)
        if names == self.listed and listed_ns != self.listed_ns:
            return True
        self._settling = (
            self.listed,
            listed_ns if names == self.listed else self.listed_ns,
            since_s,
        )
        return now_s - since_s > SETTLE_S

    def path(self, name: str) -> str:
        """Return the path of a file; the compressed one if it exists only compressed."""
        return f"{self._prefix}{self._files.get(name, name)}"

    def after(self, name: str) -> str | None:
        """Return the name that follows ``name``; None if there is none."""
        at = bisect.bisect_right(self._keys, sort_key(name))
        return self.listed[at] if at < len(self.listed) else None

    def before(self, name: str) -> list[str]:
        """Return all names that precede ``name``."""
        return self.listed[: bisect.bisect_left(self._keys, sort_key(name))]

    def is_listed_after(self, name: str, other: str) -> bool:
        """Return whether ``name`` is listed, and follows ``other``."""
        return name in self._files and sort_key(name) > sort_key(other)

    def renamed(self, inode: int, name: str) -> str | None:
        """Return the name under which a file is now that had ``name``; None if it is not found.

        Its folder is searched first, in which it may have any name, then all listed files.
        """
        folder = (self.root / name).parent
        try:
            entries = {entry.inode(): entry.path for entry in os.scandir(folder)}
        except OSError:
            entries = {}
        if inode in entries:
            return Path(entries[inode]).relative_to(self.root).as_posix()
        for listed in self.listed:
            properties = file_properties(self.path(listed))
            if properties is not None and properties.st_ino == inode:
                return listed
        return None

    def _scan(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the path, relative to the root, of each file that can be read."""
        if self._path != self.root:
            name = self._path.name
            if self._path.is_symlink() or self._path.exists():
                yield from self._readable({name: name})
            return
        files = list(self._walk(""))
        plain = {name: name for name in files if not name.endswith(COMPRESSED_SUFFIX)}
        yield from self._readable({plain_name(name): name for name in files} | plain)

    def _walk(self, folder: str) -> Iterator[str]:
        try:
            entries = list(os.scandir(self.root / folder))
        except FileNotFoundError:
            return
        except OSError as error:
            self.unreadable[printable_name(folder or ".")] = error.strerror or str(error)
            return
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(name)
            elif entry.name.endswith(_SUFFIXES):
                if fault := _fault(entry, name):
                    self.unreadable[printable_name(name)] = fault
                else:
                    yield name

    def _readable(self, files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for name, path in files.items():
            if self._files.get(name) != path and (fault := _path_fault(self.root / path)):
                self.unreadable[printable_name(path)] = fault
            else:
                yield name, path


def printable_name(name: str) -> str:
    r"""Return a name without characters that cannot be written.

    >>> printable_name("m\udcff.jsonl")
    'm\\xff.jsonl'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def file_properties(path: str) -> os.stat_result | None:
    """Return the properties of a file; None if it does not exist or cannot be reached."""
    try:
        return os.stat(path)
    except OSError:
        return None


def _fault(entry: os.DirEntry[str], name: str) -> str:
    """Return why an entry is not read; empty if it is a regular file with a readable name."""
    try:
        name.encode()
        return "" if entry.is_file() else _kind(Path(entry.path))
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    except OSError as error:
        return error.strerror or str(error)


def _kind(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return "a link to a file that does not exist"
    return "not a regular file"


def _path_fault(path: Path) -> str:
    """Return why a file that was not listed before cannot be read; empty if it can."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return _kind(path)
    except OSError as error:
        return error.strerror or str(error)
    return "" if os.access(path, os.R_OK) else "no permission to read it"
