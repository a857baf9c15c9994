"""Errors that a sink raises. The type of the error decides what the caller does next."""

from __future__ import annotations


class SinkRetry(Exception):
    """A transient error: send the items again, not before ``after_s`` seconds (0: the caller's
    back-off alone decides).

    The first ``delivered`` items of the call were delivered and must not be sent again.
    """

    def __init__(self, reason: str, after_s: float = 0.0, delivered: int = 0) -> None:
        self.reason = reason
        self.after_s = after_s
        self.delivered = delivered
        super().__init__(reason)


class SinkRejected(Exception):
    """A permanent error of the item at ``index``: it can never be delivered, and is counted and
    left out. The items before it were delivered.
    """

    def __init__(self, index: int, reason: str) -> None:
        self.index = index
        self.reason = reason
        super().__init__(f"item {index}: {reason}")


class ClientUnusable(Exception):
    """No client can be built from the settings: ``problem``, and what to do (``advice``).
    Raised before any request is sent.
    """

    def __init__(self, problem: str, advice: str) -> None:
        self.problem = problem
        self.advice = advice
        super().__init__(f"{problem}. {advice}")
