"""Reading of a bucket by a command: its client, and what its errors mean to the person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sinks.aws.client import CLIENT_ERRORS, client
from sinks.errors import ClientUnusable
from stream.errors import DataError


def reading_client(place: str, region: str, endpoint_url: str, connections: int = 10) -> Any:
    """Return a client of S3.

    Raises :class:`~stream.errors.DataError` about ``place`` if none can be built from the settings.
    """
    try:
        return client("s3", region, endpoint_url, connections=connections)
    except ClientUnusable as error:
        raise DataError(place, str(error)) from error


@contextmanager
def reading_bucket(place: str) -> Iterator[None]:
    """Turn the errors of requests into :class:`~stream.errors.DataError` about ``place``."""
    try:
        yield
    except CLIENT_ERRORS as error:
        needed = "s3:ListBucket and s3:GetObject are needed"
        raise DataError(place, f"{error}; {needed}") from error
