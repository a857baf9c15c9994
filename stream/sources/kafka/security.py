"""Checks the security options of a Kafka client, whose own errors do not name the faulty one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kafka.net.sasl import SASL_MECHANISMS

from stream.errors import SourceUnavailable

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
WITH_PASSWORD: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
FILES: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile")


def faults(options: Mapping[str, Any]) -> list[str]:
    """Return the faults that can be seen without network, as ``options.KEY: what is wrong``.

    Files need not exist on the machine that checks.

    >>> login = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "me"}
    >>> faults({"security_protocol": "SASL_SSL", **login})
    ['options.sasl_plain_password: sasl_mechanism PLAIN needs it']
    """
    protocol, mechanism = (
        str(options.get("security_protocol", "PLAINTEXT")),
        options.get("sasl_mechanism"),
    )
    if protocol not in PROTOCOLS:
        return [f"options.security_protocol: {protocol!r} is none of {', '.join(PROTOCOLS)}"]
    if not protocol.startswith("SASL_"):
        return (
            [f"options.sasl_mechanism: security_protocol {protocol} does not use it, SASL_SSL does"]
            if mechanism
            else []
        )
    if mechanism not in SASL_MECHANISMS:
        found = "missing" if mechanism is None else f"{mechanism!r} is unknown"
        valid = ", ".join(sorted(SASL_MECHANISMS))
        return [f"options.sasl_mechanism: {found}; {protocol} takes one of {valid}"]
    needed = ("sasl_plain_username", "sasl_plain_password") if mechanism in WITH_PASSWORD else ()
    return [
        f"options.{name}: sasl_mechanism {mechanism} needs it"
        for name in needed
        if not options.get(name)
    ]


def verify(name: str, options: Mapping[str, Any]) -> None:
    """Check that the files named by the options exist: the clients do not name a missing one.

    ``name`` is the source in messages. Raises ``SourceUnavailable``.
    """
    missing = [key for key in FILES if options.get(key) and not Path(str(options[key])).is_file()]
    if missing:
        causes = [f"there is no file {options[key]}" for key in missing]
        advice = f"Correct source.options.{missing[0]}, or create the file"
        raise SourceUnavailable(name, causes, advice)
