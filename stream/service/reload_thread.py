"""The thread that looks for edited files, and reads what a running service is to continue with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from detectors.errors import DetectorError
from stream.config.model import Config
from stream.errors import DriftlineError, ReloadRefused
from stream.service.reload import (
    GONE,
    Loaded,
    constraints_files,
    loaded,
    require_limits_alone,
    same_limits,
)
from stream.service.watched_files import WatchedFiles, files_of

POLL_S: Final = 1.0
"""The time between two looks at the files."""


class ReloadThread(threading.Thread):
    """Reads the configuration and its baselines after SIGHUP, and when their files have changed.

    The service goes on meanwhile. What can be used is passed to ``apply``; what cannot is logged
    once for each content, as ``reload_refused`` with the reason. After SIGHUP everything may
    change, as far as the stored state allows. A change of the files may be one of limits alone; one
    that changes no limit has no effect. Files are watched if ``reload: watch`` is configured and
    ``file``, the configuration, is known.

    * ``load`` reads the configuration.
    * ``in_force`` returns what the service runs with; ``None`` while it starts.
    """

    def __init__(
        self,
        config: Config,
        file: Path | None,
        load: Callable[[], Config],
        in_force: Callable[[], Loaded | None],
        apply: Callable[[Loaded], None],
    ) -> None:
        super().__init__(name="reload", daemon=True)
        self._file = file
        self._load = load
        self._in_force = in_force
        self._apply = apply
        self._woken = threading.Event()
        self._files: WatchedFiles | None = None
        self._asked = self._ended = False
        self._watch(config)

    def ask(self) -> None:
        """Read everything now, as SIGHUP asks for."""
        self._asked = True
        self._woken.set()

    def end(self) -> None:
        """End the thread; what it reads has no effect any more."""
        self._ended = True
        self._woken.set()

    def run(self) -> None:
        """Look at the files until :meth:`end` is called."""
        while not self._ended:
            self._woken.wait(POLL_S)
            self._woken.clear()
            self.look()

    def look(self) -> None:
        """Read what was asked for or has changed, and pass it on."""
        asked, self._asked = self._asked, False
        before = self._in_force()
        try:
            if asked:
                self._reload_all()
            elif before is not None and self._files is not None and self._files.changed():
                self._reload_limits(before)
        except (DriftlineError, DetectorError) as error:
            structlog.get_logger().error("reload_refused", reason=str(error))
        except Exception as error:  # noqa: BLE001  # the service and the watch go on
            structlog.get_logger().error(
                "reload_refused", reason=f"{type(error).__name__}: {error}"
            )

    def _reload_all(self) -> None:
        if self._files is not None:
            self._files.take()
        after = loaded(self._load())
        self._watch(after.config)
        self._pass_on(after)

    def _reload_limits(self, before: Loaded) -> None:
        gone = [str(path) for path in self._constraints if not path.exists()]
        if gone:
            raise ReloadRefused(gone, GONE)
        after = loaded(self._load())
        require_limits_alone(before, after)
        if not same_limits(before, after):
            self._pass_on(after)

    def _pass_on(self, after: Loaded) -> None:
        if not self._ended:
            self._apply(after)

    def _watch(self, config: Config) -> None:
        """Watch the files of a configuration, if it asks for that."""
        self._files = None
        if self._file is not None and config.reload == "watch":
            self._files = WatchedFiles(files_of(self._file, config))
        self._constraints = constraints_files(config)
