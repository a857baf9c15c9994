"""The permanent errors of S3, which require a change of the set-up, with advice."""

from __future__ import annotations

from typing import Final

from stream.errors import StateUnwritable

_PERMISSIONS: Final = (
    "allow s3:GetObject and s3:PutObject on {} (and the use of the key, if the bucket encrypts with"
    " KMS)"
)
_REGION: Final = "the bucket is in another region: set `state.s3.region`"
_ADVICE: Final = {
    "NoSuchBucket": "there is no such bucket: create it, or correct `state.s3.bucket`",
    "AccessDenied": _PERMISSIONS,
    "403": _PERMISSIONS,
    "InvalidAccessKeyId": "S3 does not recognize these credentials",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "NoCredentialsError": (
        "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the"
        " machine a role"
    ),
    "PermanentRedirect": _REGION,
    "301": _REGION,
    "InvalidBucketName": "a bucket cannot have this name: correct `state.s3.bucket`",
    "ParamValidationError": (
        "this is not a valid name of a bucket or of a key: correct `state.s3.bucket` and"
        " `state.s3.key`"
    ),
}
"""Advice by error code."""


def permanent_reason(uri: str, code: str) -> str:
    """Return the code with advice if the error is permanent; empty if it may be transient.

    >>> permanent_reason("s3://a/b", "NoSuchBucket")
    'NoSuchBucket: there is no such bucket: create it, or correct `state.s3.bucket`'
    >>> permanent_reason("s3://a/b", "SlowDown")
    ''
    """
    return f"{code}: {_ADVICE[code].format(uri)}" if code in _ADVICE else ""


def raise_if_permanent(uri: str, code: str) -> None:
    """Raise ``StateUnwritable`` for a permanent error."""
    if reason := permanent_reason(uri, code):
        raise StateUnwritable(uri, reason)
