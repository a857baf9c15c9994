"""The SQS queue that takes notices of new objects."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog

from sinks.aws.client import CLIENT_ERRORS, client
from sinks.errors import ClientUnusable
from sinks.throttle import Throttle
from stream.errors import SourceUnavailable
from stream.sources.s3.client import (
    LOG_AGAIN_S,
    ObjectInfo,
    s3_error,
)
from stream.sources.s3.keys import is_read
from stream.sources.s3.notices import notice_of

log = structlog.get_logger("driftline.s3")

WAIT_S: Final = 5
"""How long a request waits for messages."""
READ_TIMEOUT_S: Final = WAIT_S + 10
AT_ONCE: Final = 10
"""The largest number of messages of one request."""
MOST_PENDING: Final = 20_000
"""The largest number of messages that wait to be deleted; further ones are received again."""


class NoticeQueue:
    """Receives notices of one bucket and prefix, and deletes messages that are done with.

    A message is done with once all objects that it names are listed, or read and committed. Until
    then the queue keeps it: if the service dies, it is delivered again. Messages about other
    objects stay in the queue. Threads may share it.
    """

    def __init__(self, url: str, bucket: str, prefix: str, region: str, endpoint_url: str) -> None:
        self.url = url
        self._bucket = bucket
        self._prefix = prefix
        self._throttle = Throttle(LOG_AGAIN_S)
        self._lock = threading.Lock()
        self._pending: dict[str, tuple[str, set[str]]] = {}
        self._messages_of: dict[str, set[str]] = {}
        try:
            self._sqs = client("sqs", region, endpoint_url, READ_TIMEOUT_S)
        except ClientUnusable as error:
            raise SourceUnavailable(url, [error.problem], error.advice) from error

    @property
    def pending(self) -> list[str]:
        """The keys of the objects that messages name which are not deleted yet."""
        with self._lock:
            return list(self._messages_of)

    def receive(self) -> tuple[list[ObjectInfo], bool]:
        """Wait for messages; return the objects that they name, and whether more may be there.

        Raises :class:`S3Error`.
        """
        response = self._call(
            "receive_message",
            "ReceiveMessage",
            MaxNumberOfMessages=AT_ONCE,
            WaitTimeSeconds=WAIT_S,
        )
        objects: list[ObjectInfo] = []
        messages = response.get("Messages", [])
        for message in messages:
            objects += self._take(message)
        return objects, len(messages) == AT_ONCE

    def peek(self) -> None:
        """Try to receive a message, which is available again at once. Raises :class:`S3Error`."""
        self._call("receive_message", "ReceiveMessage", MaxNumberOfMessages=1, VisibilityTimeout=0)

    def delete_done(self, keys: Iterable[str]) -> None:
        """Delete the messages whose objects are all done. Raises :class:`S3Error`."""
        receipts: list[str] = []
        with self._lock:
            for key in keys:
                for name in self._messages_of.pop(key, set()):
                    receipt, left = self._pending[name]
                    left.discard(key)
                    if not left:
                        del self._pending[name]
                        receipts.append(receipt)
        for start in range(0, len(receipts), AT_ONCE):
            self._delete(receipts[start : start + AT_ONCE])

    def close(self) -> None:
        """Release the connections; safe to call twice."""
        self._sqs.close()

    def _take(self, message: Mapping[str, Any]) -> list[ObjectInfo]:
        notice = notice_of(str(message.get("Body", "")))
        ours = [
            info
            for bucket, info in notice.objects
            if bucket == self._bucket and info.key.startswith(self._prefix)
        ]
        if not notice.understood or len(ours) < len(notice.objects):
            self._log_foreign(notice.understood)
            return ours
        read = [info for info in ours if is_read(info.key)]
        name, receipt = str(message["MessageId"]), str(message["ReceiptHandle"])
        if not read:
            self._delete([receipt])
            return []
        with self._lock:
            if len(self._pending) < MOST_PENDING:
                self._pending[name] = receipt, {info.key for info in read}
                for info in read:
                    self._messages_of.setdefault(info.key, set()).add(name)
        return read

    def _log_foreign(self, understood: bool) -> None:
        if self._throttle.due(understood):
            what = "it names objects of another bucket or prefix"
            log.warning(
                "notice_not_taken",
                queue=self.url,
                reason=what if understood else "it is no event of S3",
            )

    def _delete(self, receipts: list[str]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)
        ]
        self._call("delete_message_batch", "DeleteMessage", Entries=entries)

    def _call(self, method: str, operation: str, **arguments: Any) -> dict[str, Any]:
        permission = f"sqs:{operation} on the queue {self.url}"
        try:
            response: dict[str, Any] = getattr(self._sqs, method)(QueueUrl=self.url, **arguments)
        except CLIENT_ERRORS as error:
            raise s3_error(operation, permission, error) from error
        return response
