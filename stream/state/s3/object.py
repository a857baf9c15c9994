"""One object in S3: looked at, fetched, and put under a condition. What an answer means is decided
by who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import botocore.exceptions
from botocore.parsers import ResponseParserError

from sinks.aws.client import client
from sinks.errors import ClientUnusable
from stream.errors import StateUnwritable

if TYPE_CHECKING:
    from stream.config.model import S3Config

READ_S: Final = 5
"""How long an answer may take to begin: short, since an owner that waits for it cannot show that it
is alive."""


class ObjectMetadata(NamedTuple):
    """What the object says of itself, in its metadata: the job, its owner, how often it changed
    hands, and the owner's last commit.

    ``released``: the owner has ended and nobody needs to wait for it.
    """

    job: str = ""
    owner: str = ""
    epoch: int = 0
    commit: int = 0
    released: bool = False

    @classmethod
    def read(cls, metadata: Mapping[str, str]) -> ObjectMetadata:
        """The note in an object's metadata; a backup that was put back by hand may have none."""
        epoch, commit = (
            int(text) if (text := metadata.get(name, "")).isdecimal() else 0
            for name in ("epoch", "commit")
        )
        return cls(
            metadata.get("job", ""),
            metadata.get("owner", ""),
            epoch,
            commit,
            metadata.get("released") == "true",
        )

    def written(self) -> dict[str, str]:
        """As metadata."""
        return {
            "job": self.job,
            "owner": self.owner,
            "epoch": str(self.epoch),
            "commit": str(self.commit),
            "released": "true" if self.released else "false",
        }


class ObservedObject(NamedTuple):
    """The object at one moment: its ETag changes with every put."""

    etag: str
    note: ObjectMetadata


class S3RequestFailed(Exception):
    """A request that did not come back with success: refused, or nobody knows what became of it.
    ``code`` is S3's or the client's.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class StateObject:
    """The object that holds a job's state. Each method is one request, tried once; all raise
    :class:`S3RequestFailed`.

    Raises ``StateUnwritable`` if no client can be made from the settings.
    """

    def __init__(self, config: S3Config, job: str) -> None:
        key = config.key or f"driftline/{job}.state"
        self.where = f"s3://{config.bucket}/{key}"
        self._place = {"Bucket": config.bucket, "Key": key}
        try:
            self._client = client("s3", config.region, config.endpoint_url, READ_S)
        except ClientUnusable as error:
            raise StateUnwritable(self.where, str(error)) from error

    def look(self) -> ObservedObject | None:
        """ETag and note; ``None`` if there is no object. Without the right to list the bucket S3
        calls an absent object forbidden (403).
        """
        try:
            return _seen(_asked(self._client.head_object, self._place))
        except S3RequestFailed as error:
            if error.code in ("404", "NoSuchKey"):
                return None
            raise

    def fetch(self, etag: str | None) -> bytes:
        """The content, if it still has this ETag; ``None``: whatever it has. Unlike :meth:`look` it
        tells a missing bucket by name.
        """
        condition = {} if etag is None else {"IfMatch": etag}
        answer = _asked(self._client.get_object, {**self._place, **condition})
        try:
            return bytes(answer["Body"].read())
        except (botocore.exceptions.BotoCoreError, KeyError) as error:
            raise S3RequestFailed(type(error).__name__) from error

    def put(self, content: bytes, note: ObjectMetadata, etag: str | None) -> str:
        """Replace the object that has this ETag (``None``: make it, if there is none); returns the
        new ETag.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        answer = _asked(
            self._client.put_object,
            {**self._place, **condition, "Body": content, "Metadata": note.written()},
        )
        return str(answer["ETag"])


def _seen(answer: Mapping[str, Any]) -> ObservedObject:
    return ObservedObject(str(answer["ETag"]), ObjectMetadata.read(answer.get("Metadata", {})))


def _asked(operation: Any, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer of S3. An answer that was cut off on its way comes back as success, but without
    ``ETag``.
    """
    try:
        answer: Mapping[str, Any] = operation(**arguments)
    except botocore.exceptions.ClientError as error:
        raise S3RequestFailed(
            str(error.response.get("Error", {}).get("Code", "")) or "no code"
        ) from error
    except (botocore.exceptions.BotoCoreError, ResponseParserError) as error:
        raise S3RequestFailed(type(error).__name__) from error
    if "ETag" not in answer:
        raise S3RequestFailed("answer cut off")
    return answer
