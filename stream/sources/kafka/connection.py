"""Connects the clients of kafka-python, and reports the cause if that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient

from stream.errors import SourceUnavailable
from stream.sources.kafka.client_log import logged_errors

log = structlog.get_logger("driftline.kafka")

ATTEMPT_S: Final = 4.0
"""The time-out of one attempt: long enough for a broker, which delays refusals of credentials."""
MIN_ATTEMPT_S: Final = 0.1
UNSPECIFIC: Final = ("Unable to bootstrap", "timed out", "socket disconnected")
"""Texts of errors that only report a failed attempt, the least specific first."""


def connect(name: str, build: Callable[..., Any], give_up_after_s: float) -> Any:
    """Return the client from ``build``; retry transient failures for ``give_up_after_s``.

    ``name`` is the source in messages. Raises :class:`~stream.errors.SourceUnavailable` with the
    distinct causes: immediately for a permanent error, else after that time.
    """
    deadline_s = time.monotonic() + give_up_after_s
    while True:
        attempt_s = max(MIN_ATTEMPT_S, min(ATTEMPT_S, deadline_s - time.monotonic()))
        client, causes = _attempt(build, attempt_s)
        if client is not None:
            return client
        permanent = [cause for cause in causes if is_permanent(cause)]
        left_s = deadline_s - time.monotonic()
        if permanent or left_s <= 0:
            raise SourceUnavailable(
                name,
                distinct_messages(permanent or causes),
                _advice(bool(permanent), give_up_after_s),
                transient=not permanent,
            )
        log.warning(
            "source_unreachable",
            source=name,
            reason="; ".join(distinct_messages(causes)),
            retry_for_s=round(left_s, 1),
        )


def _attempt(build: Callable[..., Any], timeout_s: float) -> tuple[Any, list[BaseException]]:
    """Build a client once; return it, or ``None`` and the causes of the failure."""
    connections: list[Any] = []

    def connection(**settings: Any) -> Any:
        connections.append(KafkaNetClient(**settings))
        return connections[-1]

    with logged_errors() as errors:
        try:
            client = build(bootstrap_timeout_ms=int(timeout_s * 1000), kafka_client=connection)
            return client, []
        except (kafka_errors.KafkaError, TypeError, ValueError, OSError) as error:
            for half_open in connections:
                half_open.close()  # otherwise each failed constructor leaves a thread running
            return None, [*errors, error]


def is_permanent(cause: BaseException) -> bool:
    """Return whether an error is permanent, so that no retry can succeed.

    These are refused credentials and certificates, missing files, and invalid options.
    """
    if isinstance(cause, kafka_errors.KafkaError):
        return not isinstance(cause, kafka_errors.RetriableError)
    return isinstance(cause, FileNotFoundError | TypeError | ValueError) and not isinstance(
        cause, UnicodeError
    )


def distinct_messages(causes: Sequence[BaseException]) -> list[str]:
    """Return the causes as text, each once, unspecific ones only if there is no other."""
    messages = list(dict.fromkeys(map(_message, causes)))
    for unspecific in UNSPECIFIC:
        messages = [text for text in messages if unspecific not in text] or messages
    return messages


def _message(cause: BaseException) -> str:
    """Return the text with the name of the error once; the client repeats some names."""
    name = type(cause).__name__
    if isinstance(cause, kafka_errors.KafkaError):
        return str(cause).replace(f"{name}: {name}: ", f"{name}: ")
    return f"{name}: {cause}"


def _advice(permanent: bool, tried_s: float) -> str:
    if permanent:
        return "Check security_protocol, sasl_... and ssl_... under source.options"
    return (
        f"Tried for {tried_s:g} s (source.give_up_after); check source.bootstrap_servers, and"
        " security_protocol under source.options"
    )
