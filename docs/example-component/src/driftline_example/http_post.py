"""Sink ``http_post``: window reports and signals as HTTP requests."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPException
from typing import Annotated, Final
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from detectors.faults import Fault
from detectors.report import Signal
from sinks.base import Delivery, Published, Sink
from sinks.errors import SinkRejected, SinkRetry

REFUSED_FOR_GOOD: Final = frozenset({400, 409, 413, 422})
"""Status codes of a request whose content is refused: it can never be delivered."""


class NoRedirect(HTTPRedirectHandler):
    """Takes a redirect as a refusal: urllib would repeat the request as a GET, without the item."""

    def redirect_request(self, *_: object) -> None:
        """Follow no redirect."""


OPENER: Final = build_opener(NoRedirect)


class HttpPost(Sink, frozen=True, tag="http_post"):
    """POSTs each report and each signal as JSON to ``url``, in order, one request an item.

    The header ``Idempotency-Key`` holds the item's id, percent-encoded; ``X-Driftline-Kind`` is
    ``report`` or ``signal``. Any status 2xx is a delivery. The status 400, 409, 413 or 422 leaves
    the item out for good. Every other answer, such as a redirect, is retried, not before the
    seconds of ``Retry-After``; so is a request without an answer within ``timeout_s``.

    A repeat after a crash or a lost answer sends the same item with the same ``Idempotency-Key``
    again: the receiver must drop an item whose key it has.
    """

    url: str
    """Where to send items: ``https://host/path``."""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    """Seconds to wait for an answer."""

    def check(self) -> list[Fault]:
        """Check the form of the address; nothing is sent."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            # The address may hold a secret, so the message does not repeat it.
            return [Fault("url", "expected an address such as https://host/path")]
        return []

    def open(self, job: str) -> Delivery:
        """Build the running half; a connection is made for each request."""
        return HttpPostDelivery(self.url, self.timeout_s)


class HttpPostDelivery(Delivery):
    """The running half. It keeps no connection and no state."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s

    def deliver(self, items: Sequence[Published]) -> None:
        """Send items one by one; the error of one names those before it as delivered."""
        for position, item in enumerate(items):
            try:
                with OPENER.open(self._request(item), timeout=self._timeout_s):
                    pass
            except HTTPError as error:
                raise refusal(error, position) from error
            except (OSError, HTTPException) as error:
                raise SinkRetry(repr(error), delivered=position) from error

    def _request(self, item: Published) -> Request:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": quote(item.id),
            "X-Driftline-Kind": "signal" if isinstance(item, Signal) else "report",
        }
        body = msgspec.json.encode(item)
        return Request(self._url, body, headers, method="POST")  # noqa: S310  # check() allows http and https


def refusal(error: HTTPError, position: int) -> SinkRejected | SinkRetry:
    """The error of a sink for an answer that is no delivery of the item at ``position``."""
    reason = f"{error.code} {error.reason}"
    if error.code in REFUSED_FOR_GOOD:
        return SinkRejected(position, reason)
    pause_s = seconds(error.headers.get("Retry-After", ""))
    return SinkRetry(reason, after_s=pause_s, delivered=position)


def seconds(retry_after: str) -> float:
    """The pause that a ``Retry-After`` header asks for; 0 for a date or no number.

    >>> seconds("30"), seconds("Wed, 21 Oct 2026 07:28:00 GMT"), seconds("")
    (30.0, 0.0, 0.0)
    """
    return float(retry_after) if retry_after.isdecimal() else 0.0
