"""Passes the log lines of Kafka client libraries on to driftline's log, at a limited rate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from sinks.throttle import Throttle

log = structlog.get_logger("driftline.kafka")

LOG_AGAIN_S: Final = 30.0
"""The shortest time between two lines of the same kind."""


class ClientLog(logging.Handler):
    """Passes warnings and errors of a client on as events ``client_log``.

    While a broker is unreachable a client repeats the same lines many times per second. Of each
    kind of line, which ``kind_of`` returns, one is passed on every half minute. They are details of
    an outage that driftline reports itself, so their level is ``info``.
    """

    def __init__(self, kind_of: Callable[[logging.LogRecord], Hashable]) -> None:
        super().__init__(logging.WARNING)
        self._kind_of = kind_of
        self._throttle = Throttle(LOG_AGAIN_S)

    def emit(self, record: logging.LogRecord) -> None:
        if self._throttle.due(self._kind_of(record)):
            log.info("client_log", logger=record.name, message=record.getMessage())

    def take_over(self, logger: logging.Logger) -> None:
        """Handle the lines of ``logger`` here and nowhere else; safe to call twice.

        The level stays at warnings: with ``DEBUG`` kafka-python logs passwords.
        """
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.addHandler(self)


class _ErrorCollector(logging.Handler):
    """Keeps the latest exceptions among the arguments of log lines."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.errors += [value for value in arguments if isinstance(value, BaseException)]
        del self.errors[:-50]


_LOGGER: Final = logging.getLogger("kafka")
_KAFKA_PYTHON: Final = ClientLog(lambda record: (record.pathname, record.lineno))


@contextmanager
def logged_errors() -> Iterator[list[BaseException]]:
    """Collect the exceptions that kafka-python logs, the only place where it reports causes.

    From the first use on its lines are passed on to driftline's log.
    """
    _KAFKA_PYTHON.take_over(_LOGGER)
    collector = _ErrorCollector()
    _LOGGER.addHandler(collector)
    try:
        yield collector.errors
    finally:
        _LOGGER.removeHandler(collector)
