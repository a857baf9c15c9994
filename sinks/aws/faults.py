"""Explanations of the errors of AWS and of its client library, with advice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class ErrorAdvice(NamedTuple):
    """A ``problem`` in words, and ``advice`` on what to do about it."""

    problem: str
    advice: str


_KEYS: Final = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the machine a role"
)
_NONE: Final = ErrorAdvice("there are no AWS credentials", _KEYS)
_UNREACHED: Final = ErrorAdvice(
    "AWS does not respond", "Check region, endpoint_url and the network"
)
_EXPIRED: Final = ErrorAdvice("the AWS credentials have expired", "Renew them")
_UNKNOWN: Final = ErrorAdvice(
    "AWS does not recognize these credentials",
    "Correct AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN if there is one",
)
_UNSIGNED: Final = ErrorAdvice(
    "the signature is wrong",
    "Correct AWS_SECRET_ACCESS_KEY, and check the machine's clock",
)
_UNFETCHED: Final = ErrorAdvice(
    "the AWS credentials cannot be fetched",
    "Log in again (aws sso login), or check the machine's role",
)
_FAULTS: Final[Mapping[str, ErrorAdvice]] = {
    "ConnectTimeoutError": _UNREACHED,
    "ConnectionClosedError": _UNREACHED,
    "CredentialRetrievalError": _UNFETCHED,
    "EndpointConnectionError": _UNREACHED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "IncompleteSignature": _UNSIGNED,
    "InvalidAccessKeyId": _UNKNOWN,
    "InvalidClientTokenId": _UNKNOWN,
    "InvalidSignatureException": _UNSIGNED,
    "MissingAuthenticationToken": _NONE,
    "MissingAuthenticationTokenException": _NONE,
    "NoCredentialsError": _NONE,
    "NoRegionError": ErrorAdvice(
        "no region is set", "Set region, AWS_DEFAULT_REGION, or the region of the AWS profile"
    ),
    "PartialCredentialsError": ErrorAdvice("the AWS credentials are incomplete", _KEYS),
    "ProxyConnectionError": ErrorAdvice(
        "the proxy does not respond", "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
    ),
    "ReadTimeoutError": _UNREACHED,
    "SSLError": ErrorAdvice(
        "no TLS connection could be established",
        "Check endpoint_url (http or https?) and AWS_CA_BUNDLE",
    ),
    "SSOTokenLoadError": _UNFETCHED,
    "SignatureDoesNotMatch": _UNSIGNED,
    "TokenRetrievalError": _UNFETCHED,
    "UnauthorizedSSOTokenError": _UNFETCHED,
    "UnrecognizedClientException": _UNKNOWN,
}


def fault_named(code: str) -> ErrorAdvice | None:
    """Return the explanation of the error ``code``.

    ``None`` if its meaning depends on the service, as for refused permissions.

    >>> fault_named("EndpointConnectionError").problem
    'AWS does not respond (EndpointConnectionError)'
    """
    fault = _FAULTS.get(code)
    return fault and fault._replace(problem=f"{fault.problem} ({code})")
