"""Tokens for Amazon MSK with IAM, the same for every client: a signed request to connect. The
optional extra ``msk``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kafka.net.sasl.oauth import AbstractTokenProvider

from detectors.faults import Fault
from stream.errors import SourceUnavailable

MSK_IAM: Final = "AWS_MSK_IAM"


def faults(options: Mapping[str, Any], region: str) -> list[Fault]:
    """Return what is wrong with the options of a source that uses, or does not use, MSK IAM."""
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
    """Make one token if the options ask for them: ``SourceUnavailable`` now is better than a client
    that tries without end.
    """
    if options.get("sasl_mechanism") != MSK_IAM:
        return
    try:
        token(region)
    except ImportError as error:
        raise SourceUnavailable(
            name, [str(error)], "Install it: pip install 'driftline[msk]'"
        ) from error
    except Exception as error:  # the library documents none of its errors
        raise SourceUnavailable(
            name, [f"{type(error).__name__}: {error}"], "Give credentials to the AWS environment"
        ) from error


def token(region: str) -> tuple[str, float]:
    """A token, and when it runs out (seconds since the epoch); the credentials are those of the AWS
    environment.

    Raises ``ImportError`` without the extra ``msk``, and what the library of AWS raises where there
    are no credentials.
    """
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

    signed, expires_ms = MSKAuthTokenProvider.generate_auth_token(region)
    return signed, expires_ms / 1000


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # the client ships no types
    """Gives kafka-python a token for each connection. (Its own AWS_MSK_IAM signs for the region of
    the environment.)
    """

    def __init__(self, region: str) -> None:
        super().__init__()
        self._region = region

    def token(self) -> str:
        """A new token."""
        return token(self._region)[0]


def signed(options: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Options for kafka-python: ``AWS_MSK_IAM`` becomes ``OAUTHBEARER`` with tokens that are signed
    here.
    """
    if options.get("sasl_mechanism") != MSK_IAM:
        return dict(options)
    return {**options, "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": Tokens(region)}
