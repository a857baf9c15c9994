"""Tokens for Amazon MSK with IAM: signed requests to connect, for all Kafka clients.

Needs the optional extra ``msk``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kafka.net.sasl.oauth import AbstractTokenProvider

from detectors.faults import Fault
from stream.errors import SourceUnavailable

MSK_IAM: Final = "AWS_MSK_IAM"


def faults(options: Mapping[str, Any], region: str) -> list[Fault]:
    """Return the faults of the options of a source with regard to MSK IAM."""
    if options.get("sasl_mechanism") != MSK_IAM:
        unused = Fault("region", "has no effect without sasl_mechanism AWS_MSK_IAM")
        return [unused] if region else []
    faults = []
    if options.get("security_protocol") != "SASL_SSL":
        faults.append(Fault("options.security_protocol", "AWS_MSK_IAM requires SASL_SSL"))
    if not region:
        message = "required by sasl_mechanism AWS_MSK_IAM: the region of the cluster"
        faults.append(Fault("region", message))
    return faults


def verify(name: str, options: Mapping[str, Any], region: str) -> None:
    """Sign one token if the options require tokens: clients would retry forever without one.

    ``name`` is the source in messages. Raises ``SourceUnavailable``.
    """
    if options.get("sasl_mechanism") != MSK_IAM:
        return
    try:
        token(region)
    except ImportError as error:
        advice = "Install it: pip install 'driftline[msk]'"
        raise SourceUnavailable(name, [str(error)], advice) from error
    except Exception as error:  # the library documents none of its errors
        cause = f"{type(error).__name__}: {error}"
        advice = "Set credentials in the AWS environment"
        raise SourceUnavailable(name, [cause], advice) from error


def token(region: str) -> tuple[str, float]:
    """Return a token and its expiry, in seconds since the epoch.

    It is signed with the credentials of the AWS environment. Raises ``ImportError`` without the
    extra ``msk``, and what AWS's library raises without credentials.
    """
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

    signed_token, expires_ms = MSKAuthTokenProvider.generate_auth_token(region)
    return signed_token, expires_ms / 1000


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # the client ships no types
    """Provides kafka-python with a token for each connection.

    The client's own ``AWS_MSK_IAM`` signs for the region of the environment, which need not be that
    of the cluster.
    """

    def __init__(self, region: str) -> None:
        super().__init__()
        self._region = region

    def token(self) -> str:
        """Return a new token."""
        return token(self._region)[0]


def signed(options: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Return the options for kafka-python.

    ``AWS_MSK_IAM`` becomes ``OAUTHBEARER`` with tokens that are signed here.
    """
    if options.get("sasl_mechanism") != MSK_IAM:
        return dict(options)
    provider = TokenProvider(region)
    return {**options, "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": provider}
