"""Files that are polled for another content: the configuration, and those that hold limits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from stream.baselining.build import FILES
from stream.baselining.quality.folder import CONSTRAINTS, QUALITY, STATISTICS
from stream.config.model import Config

Signature = tuple[tuple[int, int, int] | None, ...]
"""Time of the last change, size and inode of each file; ``None`` where there is none."""


class WatchedFiles:
    """Tells when the content of files has changed and is complete.

    Polling follows links and sees files that were replaced, so it works for editors that rename and
    for volumes whose links are exchanged, and on every file system. A file that is being written
    changes from one poll to the next; so a change counts once nothing has changed between two.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.take()

    def take(self) -> None:
        """Take the content as it is now: only a later change counts."""
        self._seen = self._settled = self._signature()
        self._content = self._contents()

    def changed(self) -> bool:
        """Return whether the content has changed; true once for each content."""
        signature = self._signature()
        before, self._seen = self._seen, signature
        if signature == self._settled or signature != before:
            return False
        self._settled = signature
        content = self._contents()
        different = content != self._content
        self._content = content
        return different

    def _signature(self) -> Signature:
        return tuple(map(_signature, self._paths))

    def _contents(self) -> bytes:
        digest = blake2b()
        for path in self._paths:
            try:
                content = path.read_bytes()
                digest.update(b"%d:" % len(content) + content)
            except OSError:
                digest.update(b"-")
        return digest.digest()


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def files_of(file: Path, config: Config) -> list[Path]:
    """The configuration, and the files of the folders of its baselines."""
    files = [file]
    for model in config.models.values():
        if not model.learned:
            files += [Path(model.baseline) / name for name in FILES]
        if model.quality is not None and model.quality.baseline:
            folder = Path(model.quality.baseline)
            files += [folder / name for name in (STATISTICS, CONSTRAINTS, QUALITY)]
    return files
