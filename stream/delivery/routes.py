"""Routes committed items to the couriers of the sinks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

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

DEAD_LETTERS: Final = "dead_letters"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The route of committed items to one sink.

    ``key`` names the sink's cursor in the state, ``takes`` the types of items that the sink takes.
    ``delivery`` is the running half of the sink, ``None`` for the file of dead letters.
    """

    key: str
    courier: Courier[Any]
    takes: tuple[type[Any], ...]
    delivery: Delivery | None = None

    def offer(self, items: Sequence[OutboxItem]) -> None:
        """Hand items to the courier; those that the sink does not take only move its cursor."""
        self.courier.offer(
            [
                (item.seq, item.item if isinstance(item.item, self.takes) else None)
                for item in items
            ],
            [item.size for item in items],
            [item.at_ms / 1000 for item in items],
        )


def routes_of(
    config: Config,
    store: Store,
    observer: DeliveryObserver | None = None,
    may_deliver: Callable[[], bool] | None = None,
) -> list[Route]:
    """Create a route for the dead letters and one for each sink, in this order.

    Each starts at the cursor that :func:`stream.delivery.cursors.cursors_of` finds for it.
    ``observer`` is notified of attempts and deliveries; nothing is delivered while ``may_deliver``
    returns false. Raises :class:`~stream.errors.SinkUnusable` for a sink that cannot work with its
    settings or those of the environment.
    """
    stored = store.cursors()
    last = store.last_seq()
    kept = config.dead_letters
    letters = DeadLetterFile(Path(kept.path), kept.file_mb << 20, kept.old_files)
    cursor = stored.get(DEAD_LETTERS, last)
    # Not lossless: a disk that is full for long must not end the reading of all models. The ledger
    # counts every letter.
    letter_courier = Courier(
        DEAD_LETTERS, letters, cursor, False, observer=observer, may_deliver=may_deliver
    )
    routes = [Route(key=DEAD_LETTERS, courier=letter_courier, takes=(DeadLetters,))]
    keys = keys_of((type_of(sink), sink) for sink in config.sinks)
    sinks = zip(config.sinks, _names(config), keys, cursors_of(keys, stored, last), strict=True)
    for index, (sink, name, key, cursor) in enumerate(sinks):
        delivery = _opened(f"sinks[{index}]", sink, config.job)
        courier: Courier[Any] = Courier(
            name, delivery, cursor, sink.lossless, observer=observer, may_deliver=may_deliver
        )
        routes.append(Route(key=key, courier=courier, takes=sink.takes, delivery=delivery))
    return routes


def _opened(where: str, sink: Sink, job: str) -> Delivery:
    try:
        return sink.open(job)
    except ClientUnusable as error:
        raise SinkUnusable(where, error.problem, error.advice) from error


def _names(config: Config) -> list[str]:
    """The name of each sink in metrics and log: its type; the second of a type gets a number."""
    seen = Counter[str]()
    names = []
    for kind in map(type_of, config.sinks):
        seen[kind] += 1
        names.append(kind if seen[kind] == 1 else f"{kind}-{seen[kind]}")
    return names
