"""The log set-up of a process: events on stderr, as JSON or in columns for people."""

from __future__ import annotations

import logging
import sys
from typing import Final, Literal

import msgspec
import structlog
from rich.console import Console
from structlog.typing import EventDict, Processor, WrappedLogger

LogLevel = Literal["debug", "info", "warning", "error"]
LogStyle = Literal["json", "console"]
SECONDS: Final = "%Y-%m-%dT%H:%M:%SZ"


class LogSetup(msgspec.Struct, frozen=True):
    """The lowest level that is logged, the style, and the job that every event names.

    The style is JSON, or columns for a terminal. Warnings and errors of libraries are logged too,
    with the key ``logger``. Columns are coloured if stderr is a terminal that supports colours and
    ``NO_COLOR`` is not set. Events named in ``hidden`` are left out.
    """

    level: LogLevel = "info"
    style: LogStyle = "json"
    job: str = ""
    hidden: tuple[str, ...] = ()

    def set_up(self) -> None:
        """Set up structlog and the standard library's ``logging`` for this process."""
        stamp = structlog.processors.TimeStamper(
            fmt="iso" if self.style == "json" else SECONDS, utc=True
        )
        shared: list[Processor] = [self._hide, self._add_job, structlog.stdlib.add_log_level, stamp]
        self._set_up_structlog(shared)
        self._set_up_libraries(shared)

    def _set_up_structlog(self, shared: list[Processor]) -> None:
        level = logging.getLevelName(self.level.upper())
        structlog.configure(
            processors=[*shared, *self._renderers()],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )

    def _set_up_libraries(self, shared: list[Processor]) -> None:
        formatter = structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *self._renderers(),
            ],
        )
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter)
        logging.basicConfig(handlers=[handler], level=logging.WARNING)

    def _hide(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if event["event"] in self.hidden:
            raise structlog.DropEvent
        return event

    def _add_job(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {"job": self.job, **event} if self.job else event

    def _renderers(self) -> list[Processor]:
        if self.style == "json":
            return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        terminal = Console(stderr=True)
        columns = structlog.dev.ConsoleRenderer(
            colors=terminal.color_system is not None and not terminal.no_color,
            sort_keys=False,
            # the default formatter shows local variables, which may hold feature values
            exception_formatter=structlog.dev.plain_traceback,
        )
        return [columns]


def style_of(wanted: Literal["auto", "json", "console"]) -> LogStyle:
    """Return the style; ``auto`` is ``console`` if stderr is a terminal, else ``json``."""
    if wanted != "auto":
        return wanted
    return "console" if sys.stderr.isatty() else "json"
