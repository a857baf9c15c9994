"""The limits of one model: everything a window is judged by, apart from the baseline's counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

import msgspec

from detectors.changes.base import Change
from detectors.decisions.rules import FeatureRules, Rules
from detectors.profiles.baseline import Constraints


class Limits(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Constraints, rules, per-feature rules and change detectors of one model.

    Limits may change between two windows while the counts continue. A report names the limits it
    was judged by, and the state keeps them, so that it can be judged again. ``change_detectors``
    holds the configuration of each detector as plain data: it is readable where a detector is not
    installed.
    """

    constraints: Constraints = Constraints()
    rules: Rules = Rules()
    features: dict[str, FeatureRules] = {}
    change_detectors: tuple[dict[str, Any], ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over all four: equal limits judge equal counts equally.

        >>> Limits().fingerprint == Limits(rules=Rules(min_n=100)).fingerprint
        True
        >>> Limits().fingerprint == Limits(rules=Rules(min_n=50)).fingerprint
        False
        """
        return blake2b(self.encode(), digest_size=8).hexdigest()

    def encode(self) -> bytes:
        """MessagePack, with the keys of mappings in order: equal limits have equal bytes."""
        return msgspec.msgpack.encode(self, order="deterministic")

    @classmethod
    def decode(cls, data: bytes) -> Limits:
        """Return the limits that :meth:`encode` wrote.

        Raises ``msgspec.ValidationError`` for other data.
        """
        return msgspec.msgpack.decode(data, type=cls)


def limits_of(
    constraints: Constraints,
    rules: Rules,
    features: Mapping[str, FeatureRules],
    changes: Sequence[Change],
) -> Limits:
    """The limits that follow from a configuration and a baseline's constraints.

    The order of features and of change detectors does not matter, nor whether a number is written
    as 1 or as 1.0: passing through the encoding gives each field its type.
    """
    detectors = sorted(changes, key=msgspec.msgpack.encode)
    limits = Limits(
        constraints=constraints,
        rules=rules,
        features=dict(features),
        change_detectors=tuple(msgspec.to_builtins(change) for change in detectors),
    )
    return Limits.decode(limits.encode())
