"""The log of a process: lines on stderr, for programs or for a person."""

from __future__ import annotations

import logging
import sys
from typing import Final, Literal

import msgspec
import structlog
from rich.console import Console
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Style = Literal["json", "console"]
SECONDS: Final = "%Y-%m-%dT%H:%M:%SZ"


class LogSetup(msgspec.Struct, frozen=True):
    """From which level on lines are written, as JSON or in columns for a terminal, and the job that
    every line names.

    Lines of libraries come too, if they are warnings or worse, and have a key ``logger``. Columns
    are coloured where stderr is a terminal that can do it and ``NO_COLOR`` is not set.
    """

    level: Level = "info"
    style: Style = "json"
    job: str = ""

    def set_up(self) -> None:
        """From now on this process logs so."""
        stamp = structlog.processors.TimeStamper(
            fmt="iso" if self.style == "json" else SECONDS, utc=True
        )
        shared: list[Processor] = [self._name_job, structlog.stdlib.add_log_level, stamp]
        structlog.configure(
            processors=[*shared, *self._rendering()],
            wrapper_class=structlog.make_filtering_bound_logger(
                logging.getLevelName(self.level.upper())
            ),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *self._rendering(),
                ],
            )
        )
        logging.basicConfig(handlers=[lines], level=logging.WARNING)

    def _name_job(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        return {"job": self.job, **line} if self.job else line

    def _rendering(self) -> list[Processor]:
        if self.style == "json":
            return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        terminal = Console(stderr=True)
        colours = terminal.color_system is not None and not terminal.no_color
        plain = (
            structlog.dev.plain_traceback
        )  # the usual one shows local variables, and with them values of features
        return [
            structlog.dev.ConsoleRenderer(
                colors=colours, sort_keys=False, exception_formatter=plain
            )
        ]


def style_of(wanted: Literal["auto", "json", "console"]) -> Style:
    """``auto`` is ``console`` if stderr is a terminal, else ``json``."""
    if wanted != "auto":
        return wanted
    return "console" if sys.stderr.isatty() else "json"
