"""What a sink may raise: the error says what the caller should do."""

from __future__ import annotations


class SinkRetry(Exception):
    """Nothing is wrong with the items: try again, not before ``after_s`` seconds (0: the caller
    decides).

    The first ``delivered`` items of the call are through and must not come again; the others do.
    """

    def __init__(self, reason: str, after_s: float = 0.0, delivered: int = 0) -> None:
        self.reason, self.after_s, self.delivered = reason, after_s, delivered
        super().__init__(reason)


class SinkRejected(Exception):
    """The item at ``index`` can never be delivered; those before it were. It is counted and left
    out.
    """

    def __init__(self, index: int, reason: str) -> None:
        self.index, self.reason = index, reason
        super().__init__(f"item {index}: {reason}")


class ClientUnusable(Exception):
    """A client that cannot be made from the settings: ``what`` is wrong, and what to do
    (``advice``). The other side was not asked.
    """

    def __init__(self, what: str, advice: str) -> None:
        self.what, self.advice = what, advice
        super().__init__(f"{what}. {advice}")
