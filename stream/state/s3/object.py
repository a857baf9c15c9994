"""The object in S3 that holds a state: single requests, without retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import botocore.exceptions
import msgspec
from botocore.parsers import ResponseParserError

from sinks.aws.client import client
from sinks.errors import ClientUnusable
from stream.errors import StateUnwritable

if TYPE_CHECKING:
    from stream.config.model import S3Config

READ_S: Final = 5
"""The read time-out of a request: short, because a waiting owner cannot renew its heartbeat."""


class ObjectMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of the object: the job, its owner, and the number of puts.

    ``epoch`` counts changes of owner, ``commit`` the puts of all owners. ``released``: the owner
    has ended, so that the next one need not wait.
    """

    job: str = ""
    owner: str = ""
    epoch: int = 0
    commit: int = 0
    released: bool = False

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> ObjectMetadata:
        """Parse an object's metadata; a backup that was restored by hand may have none."""
        return cls(
            job=headers.get("job", ""),
            owner=headers.get("owner", ""),
            epoch=_number(headers.get("epoch", "")),
            commit=_number(headers.get("commit", "")),
            released=headers.get("released") == "true",
        )

    def headers(self) -> dict[str, str]:
        """The metadata in the form in which S3 keeps it."""
        return {
            "job": self.job,
            "owner": self.owner,
            "epoch": str(self.epoch),
            "commit": str(self.commit),
            "released": "true" if self.released else "false",
        }


class ObservedObject(NamedTuple):
    """The object at one moment; its ETag changes with every put."""

    etag: str
    metadata: ObjectMetadata


class S3RequestFailed(Exception):
    """A request without a successful response: it was refused, or its outcome is unknown.

    ``code`` is the error code of S3, or the name of the client's exception.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class StateObject:
    """The object that holds a job's state. Each method sends one request and does not retry.

    All methods raise :class:`S3RequestFailed`. Raises ``StateUnwritable`` if no client can be
    created from the settings.
    """

    def __init__(self, config: S3Config, job: str) -> None:
        key = config.key or f"driftline/{job}.state"
        self.uri = f"s3://{config.bucket}/{key}"
        self._target = {"Bucket": config.bucket, "Key": key}
        try:
            self._client = client("s3", config.region, config.endpoint_url, READ_S)
        except ClientUnusable as error:
            raise StateUnwritable(self.uri, str(error)) from error

    def head(self) -> ObservedObject | None:
        """Return ETag and metadata; ``None`` if there is no object.

        Without the permission to list the bucket, S3 responds with 403 for an absent object.
        """
        try:
            response = _send(self._client.head_object, self._target)
        except S3RequestFailed as error:
            if error.code in ("404", "NoSuchKey"):
                return None
            raise
        return ObservedObject(
            str(response["ETag"]), ObjectMetadata.of(response.get("Metadata", {}))
        )

    def fetch(self, etag: str | None) -> bytes:
        """Return the content if the object still has this ETag (``None``: any).

        Unlike :meth:`head` it reports a missing bucket by name.
        """
        condition = {} if etag is None else {"IfMatch": etag}
        response = _send(self._client.get_object, {**self._target, **condition})
        try:
            return bytes(response["Body"].read())
        except (botocore.exceptions.BotoCoreError, KeyError) as error:
            raise S3RequestFailed(type(error).__name__) from error

    def put(self, content: bytes, metadata: ObjectMetadata, etag: str | None) -> str:
        """Replace the object that has this ETag (``None``: create it); returns the new ETag."""
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        body = {"Body": content, "Metadata": metadata.headers()}
        response = _send(self._client.put_object, {**self._target, **condition, **body})
        return str(response["ETag"])


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _send(operation: Any, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Send a request and return the response.

    The client returns a response that was truncated in transit as a success without an ``ETag``.
    """
    try:
        response: Mapping[str, Any] = operation(**arguments)
    except botocore.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise S3RequestFailed(code or "no code") from error
    except (botocore.exceptions.BotoCoreError, ResponseParserError) as error:
        raise S3RequestFailed(type(error).__name__) from error
    if "ETag" not in response:
        raise S3RequestFailed("truncated response")
    return response
