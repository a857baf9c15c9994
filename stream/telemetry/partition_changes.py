"""Log events about partitions that are found, end, become idle or active, at a limited rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from sinks.throttle import Throttle
from stream.event_time import PartitionState

MAX_NAMED: Final = 10
CHANGE_EVERY_S: Final = 10.0
"""The shortest time between two log events about the same kind of change."""

Phase = Literal["active", "idle", "ended"]
FOUND_EVENT: Final = "partitions_found"
PHASE_EVENTS: Final[Mapping[Phase, str]] = {
    "active": "partitions_active",
    "idle": "partitions_idle",
    "ended": "partitions_ended",
}


class PartitionChangeLog:
    """Logs one event per kind of change, with the number of partitions and the first ten names.

    The first :meth:`write` after a change logs it, but each kind at most once in ten seconds: later
    changes of that kind are then logged together, and changes that were undone in the meantime are
    not logged. ``log`` is a structlog logger.
    """

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._throttle = Throttle(CHANGE_EVERY_S, clock)
        self._logged: dict[str, Phase] = {}

    def begin(self, partitions: Mapping[str, PartitionState]) -> None:
        """Log the number of known partitions in one event.

        Whether they are idle is not known yet.
        """
        self._logged = {
            name: "ended" if state.ended else "active" for name, state in partitions.items()
        }
        if partitions:
            ended = sum(state.ended for state in partitions.values())
            self._log.info("partitions_known", count=len(partitions), ended=ended)

    def write(self, partitions: Mapping[str, PartitionState]) -> None:
        """Log the changes since the last event of their kind, if there are any."""
        changed: dict[str, list[str]] = {}
        for name, state in partitions.items():
            before, now = self._logged.get(name), _phase(state)
            if before != now:
                event = FOUND_EVENT if before is None else PHASE_EVENTS[now]
                changed.setdefault(event, []).append(name)
        for event, names in changed.items():
            if self._throttle.due(event):
                self._log.info(event, count=len(names), partitions=names[:MAX_NAMED])
                for name in names:
                    self._logged[name] = (
                        "active" if event == FOUND_EVENT else _phase(partitions[name])
                    )


def _phase(state: PartitionState) -> Phase:
    if state.ended:
        return "ended"
    return "idle" if state.idle else "active"
