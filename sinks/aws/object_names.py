"""Names of buckets, and the parts of the keys of objects, in Amazon S3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from detectors.faults import Fault

LONGEST_PART: Final = 120
"""The characters of the longest part of a key; a key has at most 1,024 bytes."""
LONGEST_PREFIX: Final = 400
_BUCKET: Final = re.compile(
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|arn:aws[a-z-]*:s3(-outposts)?:[a-z0-9-]*:[0-9]{12}:[^\s]+"
)
_UNACCEPTED: Final = re.compile(r"[^0-9A-Za-z!_.*'()-]")
"""All characters but those that every program can use in a key."""


def bucket_faults(bucket: str) -> list[Fault]:
    """Return the fault of a text that is no name of a bucket and no ARN of an access point.

    >>> bucket_faults("s3://b/reports")[0].message
    "'s3://b/reports' is not the name of a bucket: `bucket: b` and `prefix: reports/`"
    """
    if _BUCKET.fullmatch(bucket):
        return []
    message = f"{bucket!r} is not the name of a bucket"
    if bucket.startswith("s3://"):
        name, _, prefix = bucket.removeprefix("s3://").partition("/")
        advice = f"`bucket: {name}`" + (f" and `prefix: {prefix.rstrip('/')}/`" if prefix else "")
        message = f"{message}: {advice}"
    return [Fault("bucket", message)]


def folder(prefix: str) -> str:
    """Return a prefix as a folder: without a slash in front, with one at its end.

    >>> folder("/reports"), folder("reports/"), folder("")
    ('reports/', 'reports/', '')
    """
    inner = prefix.strip("/")
    return f"{inner}/" if inner else ""


def part(name: str) -> str:
    """Return a name if it can be a part of a key, otherwise one that stands for it.

    Each character that is not safe in keys becomes ``_``, the end is cut off, and eight hexadecimal
    digits of a hash of the whole name follow, so that two names have two parts.

    >>> part("churn-endpoint"), part("a/b"), part("..")
    ('churn-endpoint', 'a_b-82badf67', '..-e6fc5bb9')
    """
    if name.strip(".") and len(name) <= LONGEST_PART and not _UNACCEPTED.search(name):
        return name
    readable = _UNACCEPTED.sub("_", name[: LONGEST_PART - 9])
    return f"{readable}-{digest([name], 4)}"


def digest(texts: Sequence[str], size: int = 8) -> str:
    """Return the hash of some texts as hexadecimal digits, two for each byte of ``size``."""
    joined = "\n".join(texts).encode(errors="surrogatepass")
    return blake2b(joined, digest_size=size).hexdigest()


def utc(time_ms: int) -> datetime:
    """Return the time in UTC of milliseconds since 1970."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)
