"""Routes committed items to the couriers of the sinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from detectors.components import type_of
from sinks.base import Delivery, Sink
from sinks.courier import Courier, DeliveryObserver
from sinks.errors import ClientUnusable
from stream.config.model import Config
from stream.delivery.cursors import cursors_of, keys_of
from stream.delivery.dead_letters import DeadLetterFile
from stream.errors import SinkUnusable
from stream.events import DeadLetters
from stream.state.store import OutboxItem, Store


class Route(NamedTuple):
    """A courier, what it takes, the running half of its sink, and what the state calls its cursor
    (``key``).
    """

    key: str
    courier: Courier[Any]
    takes: tuple[type[Any], ...]
    delivery: Any

    def offer(self, numbered: Sequence[OutboxItem]) -> None:
        """Give the courier what its sink takes; the rest only moves its cursor."""
        items = [
            (one.seq, one.item if isinstance(one.item, self.takes) else None) for one in numbered
        ]
        self.courier.offer(
            items, [one.size for one in numbered], [one.at_ms / 1000 for one in numbered]
        )


def routes_of(
    config: Config,
    store: Store,
    told: DeliveryObserver | None = None,
    may_deliver: Callable[[], bool] | None = None,
) -> list[Route]:
    """A courier for each sink and one for the dead letters; where each begins says
    :func:`stream.delivery.cursors.cursors_of`.

    ``told`` hears of each attempt and of what was delivered; ``may_deliver`` is asked before.
    Raises :class:`~stream.errors.SinkUnusable` for a sink that finds its settings, or those of the
    environment, of no use.
    """
    cursors, last = store.cursors(), store.last_seq()
    letters, key = DeadLetterFile(Path(config.dead_letters.path)), "dead_letters"
    carries: Courier[Any] = Courier(
        key, letters, cursors.get(key, last), True, observer=told, may_deliver=may_deliver
    )
    routes = [Route(key, carries, (DeadLetters,), letters)]
    keys = keys_of((type_of(sink), sink) for sink in config.sinks)
    for k, ((name, sink), key, cursor) in enumerate(
        zip(_named(config), keys, cursors_of(keys, cursors, last), strict=True)
    ):
        delivery = _opened(f"sinks[{k}]", sink, config.job)
        carries = Courier(
            name, delivery, cursor, sink.lossless, observer=told, may_deliver=may_deliver
        )
        routes.append(Route(key, carries, sink.takes, delivery))
    return routes


def _opened(where: str, sink: Sink, job: str) -> Delivery:
    try:
        return sink.open(job)
    except ClientUnusable as error:
        raise SinkUnusable(where, error.what, error.advice) from error


def _named(config: Config) -> list[tuple[str, Any]]:
    """Sinks by type; a second one of a type gets a number."""
    seen: dict[str, int] = {}
    out = []
    for sink in config.sinks:
        kind = type_of(sink)
        seen[kind] = seen.get(kind, 0) + 1
        out.append((kind if seen[kind] == 1 else f"{kind}-{seen[kind]}", sink))
    return out
