"""A file system of two megabytes that fills up and can grow: a tmpfs in its own mount namespace."""

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.base import DependencyMissing, Process


class SmallDisk:
    """A small disk mounted at ``folder``, visible only to commands that begin with ``before``.

    Other programs see its files at ``inside``.

    Raises DependencyMissing where mounting is not permitted.
    """

    def __init__(self, folder: Path, log: Path, size: str = "2m") -> None:
        self._folder = folder
        self._size = size
        self._process = Process("small disk", log)
        self._folder.mkdir(parents=True)

    def __enter__(self) -> Self:
        mount = f"mount -t tmpfs -o size={self._size} tmpfs '{self._folder}'"
        result = subprocess.run(
            ["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True
        )
        if result.returncode:
            raise DependencyMissing("small disk", result.stderr.strip())
        command = [
            "unshare",
            "-m",
            "sh",
            "-c",
            f"{mount} && touch '{self._folder}/ready' && exec sleep 3600",
        ]
        self._process.start(command, lambda: (self.inside / "ready").exists())  # noqa: PLW0108  # the pid exists only after the start
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.stop()

    @property
    def before(self) -> list[str]:
        """The prefix of a command that must see the disk."""
        return ["nsenter", "-m", "-t", str(self._process.pid), "env", "-C", str(Path.cwd())]

    @property
    def inside(self) -> Path:
        """The folder as programs outside of the namespace see it."""
        return Path(f"/proc/{self._process.pid}/root{self._folder}")

    def grow(self, size: str = "200m") -> None:
        """Enlarge the file system."""
        subprocess.run(
            [*self.before, "mount", "-o", f"remount,size={size}", str(self._folder)],
            check=True,
            env=os.environ,
        )
