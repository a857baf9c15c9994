"""The errors that a sink raises; the type decides whether its courier retries."""

from __future__ import annotations


class SinkRetry(Exception):
    """A transient error: the items are sent again, after at least ``after_s`` seconds.

    With 0, only the back-off of the courier applies. The first ``delivered`` items of the call were
    delivered and are not sent again. ``permission`` is the one that is missing, where that is the
    reason.
    """

    def __init__(
        self, reason: str, after_s: float = 0.0, delivered: int = 0, permission: str = ""
    ) -> None:
        self.reason = reason
        self.after_s = after_s
        self.delivered = delivered
        self.permission = permission
        super().__init__(reason)


class SinkRejected(Exception):
    """A permanent error: the item at ``index`` can never be delivered.

    It is counted and left out. The items before it were delivered, those after it are sent again.
    """

    def __init__(self, index: int, reason: str) -> None:
        self.index = index
        self.reason = reason
        super().__init__(f"item {index}: {reason}")


class ClientUnusable(Exception):
    """No client can be built from the settings: the ``problem``, and ``advice`` on what to do.

    Raised before any request is sent.
    """

    def __init__(self, problem: str, advice: str) -> None:
        self.problem = problem
        self.advice = advice
        super().__init__(f"{problem}. {advice}")
