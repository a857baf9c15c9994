"""Reads objects with obstore, for a fraction of the processor time that the AWS client takes.

Only what needs no explanation is read this way. Whatever else happens, the AWS client repeats the
request, so that its answer, its credentials and its errors are those that count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import BaseError, PreconditionError
from obstore.store import S3Store

from sinks.aws.client import CONNECT_S

if TYPE_CHECKING:
    import boto3
    from obstore import GetOptions

READ_TIMEOUT_S: Final = 10
"""The longest time without a byte."""
REQUEST_TIMEOUT_S: Final = 300
CREDENTIALS_AGE: Final = timedelta(minutes=10)
"""Credentials are asked for anew five minutes before this age; those of the AWS client are renewed
ten minutes before they end."""
FIRST_PAUSE_S, MAX_PAUSE_S = 5.0, 600.0
"""The time for which only the AWS client reads after a failure; each is twice as long as the one
before."""


class Chunk(NamedTuple):
    """Some bytes of an object, and the object's properties when they were read."""

    data: bytes
    etag: str
    size: int
    modified_ms: int


class DirectReads:
    """Reads objects of the buckets from which the AWS client has read before.

    Address and region are those of the request of the AWS client ``aws``, so that its configuration
    counts; credentials are those of its session. Threads may share it.
    """

    def __init__(self, aws: Any, session: boto3.Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._stores: dict[str, S3Store | None] = {}
        self._request = threading.local()
        self._due_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        aws.meta.events.register("before-call.s3.GetObject", self._note)

    def read(
        self, bucket: str, key: str, start: int, length: int | None, etag: str
    ) -> Chunk | None:
        """Return bytes of an object, ``None`` if the AWS client is to read them."""
        store = self._stores.get(bucket)
        if store is None or time.monotonic() < self._due_s:
            return None
        options: GetOptions = {"if_match": f'"{etag}"'} if etag else {}
        if length is not None:
            options["range"] = (start, start + length)
        try:
            result = store.get(key, options=options)
            data = bytes(result.bytes())
        except (FileNotFoundError, PreconditionError, ValueError):
            return None  # of this object only, or a key that obstore does not accept
        except (BaseError, OSError):
            self._pause()
            return None
        self._pause_s = FIRST_PAUSE_S
        meta = result.meta
        if meta["path"] != key or not meta["e_tag"]:
            return None
        modified_ms = int(meta["last_modified"].timestamp() * 1000)
        return Chunk(data, meta["e_tag"].strip('"'), meta["size"], modified_ms)

    def learn(self, bucket: str) -> None:
        """Read from this bucket too: the AWS client has just read from it in this thread."""
        if bucket in self._stores:
            return
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = self._opened(bucket)

    def _note(self, params: Mapping[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        """Note the address of a request of the AWS client; a hook of it."""
        url, path = str(params["url"]), str(params["url_path"])
        signing = context.get("signing", {})
        known = url.endswith(path) and signing.get("signing_name") == "s3"
        address = url.removesuffix(path) if known else ""
        self._request.place = address, str(signing.get("region", ""))

    def _opened(self, bucket: str) -> S3Store | None:
        address, region = self._request.place
        if not address or not region:
            return None
        try:
            return S3Store(
                bucket,
                # The address has the bucket already, in its host or in its path.
                endpoint=address,
                virtual_hosted_style_request=True,
                region=region,
                credential_provider=Boto3CredentialProvider(self._session, ttl=CREDENTIALS_AGE),
                client_options={
                    "allow_http": True,
                    "connect_timeout": f"{CONNECT_S}s",
                    "read_timeout": f"{READ_TIMEOUT_S}s",
                    "timeout": f"{REQUEST_TIMEOUT_S}s",
                },
                retry_config={"max_retries": 0},
            )
        except (BaseError, ValueError):
            return None

    def _pause(self) -> None:
        with self._lock:
            now_s = time.monotonic()
            if now_s >= self._due_s:
                self._due_s = now_s + self._pause_s
                self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)
