"""Checks the security options of a Kafka client; its own errors do not name the faulty option."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kafka.net.sasl import SASL_MECHANISMS

from detectors.faults import Fault, did_you_mean
from stream.errors import SourceUnavailable

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
WITH_PASSWORD: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
FILES: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile")


def faults(options: Mapping[str, Any]) -> list[Fault]:
    """Return the faults of the options for a secured connection that show without network access.

    Files need not exist on the machine that checks.

    >>> login = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "me"}
    >>> faults({"security_protocol": "SASL_SSL", **login})
    [Fault(key='options.sasl_plain_password', message='required by sasl_mechanism PLAIN')]
    """
    protocol = str(options.get("security_protocol", "PLAINTEXT"))
    mechanism = options.get("sasl_mechanism")
    if protocol not in PROTOCOLS:
        near = did_you_mean(protocol, PROTOCOLS) or ";"
        message = f"unknown protocol {protocol!r}{near} valid: {', '.join(PROTOCOLS)}"
        return [Fault("options.security_protocol", message)]
    if protocol.startswith("SASL_"):
        return _mechanism_faults(protocol, mechanism, options)
    if mechanism:
        message = f"has no effect with security_protocol {protocol}; SASL_SSL uses it"
        return [Fault("options.sasl_mechanism", message)]
    return []


def _mechanism_faults(protocol: str, mechanism: Any, options: Mapping[str, Any]) -> list[Fault]:
    if mechanism not in SASL_MECHANISMS:
        problem = f"required by security_protocol {protocol};"
        if mechanism is not None:
            near = did_you_mean(str(mechanism), SASL_MECHANISMS) or ";"
            problem = f"unknown mechanism {mechanism!r}{near}"
        valid = ", ".join(sorted(SASL_MECHANISMS))
        return [Fault("options.sasl_mechanism", f"{problem} valid: {valid}")]
    required = ("sasl_plain_username", "sasl_plain_password") if mechanism in WITH_PASSWORD else ()
    return [
        Fault(f"options.{name}", f"required by sasl_mechanism {mechanism}")
        for name in required
        if not options.get(name)
    ]


def verify(name: str, options: Mapping[str, Any]) -> None:
    """Check that the files named by the options exist: clients do not name a missing one.

    ``name`` is the source in messages. Raises ``SourceUnavailable``.
    """
    missing = [key for key in FILES if options.get(key) and not Path(str(options[key])).is_file()]
    if missing:
        causes = [f"there is no file {options[key]}" for key in missing]
        advice = f"Correct source.options.{missing[0]}, or create the file"
        raise SourceUnavailable(name, causes, advice)
