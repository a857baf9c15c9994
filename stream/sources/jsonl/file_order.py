"""The order in which the files of a folder are read."""

from __future__ import annotations

import bisect
import os
import re
import time
from pathlib import Path
from typing import Final

LIST_S: Final = 0.5
"""The time between two listings of a folder."""
_REMEMBERED: Final = 8
"""The number of files of which the size is remembered after they were read."""
_DATED: Final = re.compile(r"\d{4}/\d{2}/\d{2}/\d{2}/.*")


def sort_key(name: str) -> tuple[str, str]:
    """Order file names by the part from the date on, if they have one, then by the whole name.

    >>> names = ["b/x/2025/06/15/09/05-1.jsonl", "a/x/2025/06/15/09/07-1.jsonl"]
    >>> sorted(names, key=sort_key)[0]
    'b/x/2025/06/15/09/05-1.jsonl'
    """
    dated = _DATED.search(name)
    return (dated.group() if dated else name), name


class FileOrder:
    """The file names of a source, ordered by :func:`sort_key`, relative to its folder ``root``.

    It remembers the sizes of the latest files when reading moved on, to detect that they grow.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.root = path if path.is_dir() else path.parent
        self.listed: list[str] = []
        self._sizes: dict[str, int] = {}
        self._listed_s = -LIST_S

    def refresh(self, pause_s: float) -> bool:
        """List the files, unless that was done within ``pause_s``; return whether it listed."""
        if time.monotonic() - self._listed_s < pause_s:
            return False
        self.listed = self._list()
        self._listed_s = time.monotonic()
        return True

    def after(self, name: str) -> str | None:
        """Return the name that follows ``name``; None if there is none."""
        at = bisect.bisect_right(self.listed, sort_key(name), key=sort_key)
        return self.listed[at] if at < len(self.listed) else None

    def before(self, name: str) -> set[str]:
        """Return all names that precede ``name``."""
        return set(self.listed[: bisect.bisect_left(self.listed, sort_key(name), key=sort_key)])

    def note_size(self, name: str, size: int) -> None:
        """Remember the size of a file that was read to its end; only the last eight are kept."""
        latest = list(self._sizes.items())[-(_REMEMBERED - 1) :]
        self._sizes = {**dict(latest), name: size}

    def grown(self) -> list[str]:
        """Return files that have grown since :meth:`note_size`; each is returned once."""
        grown = [
            name for name, size in self._sizes.items() if (file_size(self.root / name) or 0) > size
        ]
        for name in grown:
            del self._sizes[name]
        return grown

    def _list(self) -> list[str]:
        if self._path != self.root:
            return [self._path.name] if self._path.exists() else []
        names = [
            Path(folder, file).relative_to(self.root).as_posix()
            for folder, _, files in os.walk(self.root)
            for file in files
            if file.endswith(".jsonl")
        ]
        return sorted(names, key=sort_key)


def file_size(path: Path) -> int | None:
    """Return the size of a file in bytes; None if it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
