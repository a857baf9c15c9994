"""Fetches the files of a baseline of SageMaker Model Monitor from S3."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from sinks.aws.faults import fault_named
from stream.baselining.monitor_folder import CONSTRAINTS, STATISTICS
from stream.errors import DataError, SourceUnavailable
from stream.sources.s3.client import PERMANENT_KINDS, S3Client, S3Error

SCHEME: Final = "s3://"
ATTEMPTS: Final = 4
PAUSE_S: Final = 0.5
"""The pause before the second attempt; each is twice as long as the one before."""
_MOVED: Final = ("PermanentRedirect", "301", "AuthorizationHeaderMalformed")


class S3Folder(NamedTuple):
    """A folder in S3; its ``prefix`` is empty or ends with a slash."""

    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        """The folder as it was named."""
        return f"{SCHEME}{self.bucket}/{self.prefix}"


def s3_folder(uri: str) -> S3Folder:
    """Return the folder of an address.

    Raises :class:`~stream.errors.DataError` for one without a bucket, and for a single object.

    >>> s3_folder("s3://b/baselining/results")
    S3Folder(bucket='b', prefix='baselining/results/')
    """
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise DataError(uri, "has no bucket: expected s3://BUCKET/FOLDER/")
    name = key.rpartition("/")[2]
    if name in (STATISTICS, CONSTRAINTS):
        raise DataError(uri, f"is a single file: give its folder, {uri.removesuffix(name)}")
    if "." in name:
        advice = f"copy them here first (aws s3 cp {uri} .)"
        raise DataError(
            uri,
            f"is read from S3 only as a folder with {STATISTICS}; for training data {advice}",
        )
    return S3Folder(bucket, key if not key or key.endswith("/") else f"{key}/")


def fetch(
    folder: S3Folder, into: Path, region: str, endpoint_url: str, note: Callable[[str], object]
) -> None:
    """Copy ``statistics.json``, and ``constraints.json`` if there is one, to a local folder.

    ``note`` is told the name of each file before it is fetched. A transient failure is retried.
    Raises :class:`~stream.errors.DataError` that names the missing permission or what else is
    wrong.
    """
    try:
        s3 = S3Client(folder.bucket, folder.prefix, region, endpoint_url, 1)
    except SourceUnavailable as error:
        raise DataError(folder.uri, str(error)) from error
    try:
        for name in (STATISTICS, CONSTRAINTS):
            note(name)
            content = _content(s3, folder, name)
            if content is not None:
                (into / name).write_bytes(content)
    finally:
        s3.close()


def _content(s3: S3Client, folder: S3Folder, name: str) -> bytes | None:
    """The content of a file; ``None`` if there are no constraints."""
    for attempt in range(ATTEMPTS):
        try:
            return s3.read(folder.prefix + name, 0, None, "").data
        except S3Error as failure:
            if failure.kind == "no_object" and name == CONSTRAINTS:
                return None
            is_permanent = failure.kind in PERMANENT_KINDS or failure.kind == "no_object"
            if is_permanent or attempt == ATTEMPTS - 1:
                raise DataError(folder.uri + name, _reason(folder, failure)) from failure
        time.sleep(PAUSE_S * 2**attempt)
    return None


def _reason(folder: S3Folder, failure: S3Error) -> str:
    if failure.kind == "no_object":
        return f"there is no such object: give the folder that holds {STATISTICS}"
    if failure.kind == "no_bucket":
        return f"there is no such bucket ({failure.code})"
    if failure.code in _MOVED:
        return f"the bucket is in another region ({failure.code}): give it with --region"
    if known := fault_named(failure.code):
        return f"{known.problem}. {known.advice}"
    if failure.kind == "denied":
        permissions = (
            f"{failure.permission}, and s3:ListBucket on arn:aws:s3:::{folder.bucket}, without"
            " which S3 refuses an object that does not exist (and kms:Decrypt, if the bucket"
            " encrypts with a key)"
        )
        return f"{failure}: these credentials need {permissions}"
    return f"{failure}; tried {ATTEMPTS} times: check --region, --endpoint-url and the network"
