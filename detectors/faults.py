"""Faults that a component finds in its own configuration, and the nearest valid name for a typo."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One fault of a component: the ``key`` of its configuration, and a ``message`` on its value.

    ``key`` is a path below the component, such as ``options.sasl_mechanism``. ``message`` is one
    sentence without the key and without a full stop; it names a valid value where there is one.

    >>> str(Fault("region", "the topic is in eu-central-1, not in us-east-1"))
    'region: the topic is in eu-central-1, not in us-east-1'
    """

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the valid name that ``name`` is most likely a typo of; empty if none is close.

    >>> nearest("souce", ["job", "source", "sinks"]), nearest("colour", ["job"])
    ('source', '')
    """
    return next(iter(get_close_matches(name, list(valid), n=1)), "")


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest valid one, or nothing.

    >>> did_you_mean("souce", ["job", "source", "sinks"])
    "; did you mean 'source'?"
    """
    near = nearest(name, valid)
    return f"; did you mean {near!r}?" if near else ""
