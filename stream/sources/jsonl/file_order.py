"""The names of the files of a folder, in the order in which they are read."""

from __future__ import annotations

import bisect
import os
import re
import time
from pathlib import Path
from typing import Final

LIST_S: Final = 0.5
"""How often a folder is listed."""
_DATED = re.compile(r"\d{4}/\d{2}/\d{2}/\d{2}/.*")


def turn(name: str) -> tuple[str, str]:
    """What file names are ordered by: the part from the date on, if there is one, then the whole
    name.

    >>> sorted(["b/x/2025/06/15/09/05-1.jsonl", "a/x/2025/06/15/09/07-1.jsonl"], key=turn)[0]
    'b/x/2025/06/15/09/05-1.jsonl'
    """
    found = _DATED.search(name)
    return (found.group() if found else name), name


class FileOrder:
    """The file names of a source, in their order (:func:`turn`); it remembers how long the last
    files were when reading left them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.root = path if path.is_dir() else path.parent
        self.listed: list[str] = []
        self._left: dict[str, int] = {}
        self._listed_s = -LIST_S

    def refresh(self, pause_s: float) -> bool:
        """List again, unless that was done in the last ``pause_s``; return whether it was listed
        now.
        """
        if time.monotonic() - self._listed_s < pause_s:
            return False
        self.listed, self._listed_s = self._list(), time.monotonic()
        return True

    def after(self, name: str) -> str | None:
        """The next name, or None."""
        at = bisect.bisect_right(self.listed, turn(name), key=turn)
        return self.listed[at] if at < len(self.listed) else None

    def before(self, name: str) -> set[str]:
        """All names that come before it."""
        return set(self.listed[: bisect.bisect_left(self.listed, turn(name), key=turn)])

    def leave(self, name: str, size: int) -> None:
        """Remember how long a file was; only the last eight are kept."""
        self._left = {**dict(list(self._left.items())[-7:]), name: size}

    def grown(self) -> list[str]:
        """Files that are longer than when reading left them; each is told once."""
        found = [
            name for name, size in self._left.items() if (size_of(self.root / name) or 0) > size
        ]
        for name in found:
            del self._left[name]
        return found

    def _list(self) -> list[str]:
        if self._path != self.root:
            return [self._path.name] if self._path.exists() else []
        found = (
            Path(folder, file)
            for folder, _, files in os.walk(self.root)
            for file in files
            if file.endswith(".jsonl")
        )
        return sorted((one.relative_to(self.root).as_posix() for one in found), key=turn)


def size_of(path: Path) -> int | None:
    """The size of a file in bytes; None when it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
