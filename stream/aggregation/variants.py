"""The variants of each model that are counted by name; their number is limited."""

from __future__ import annotations

from collections import Counter
from typing import Final

from stream.aggregation.state import JobState
from stream.events import ModelKey

OTHER: Final = "other"
"""The variant that events of all further variants are counted in."""


class NamedVariants:
    """Decides under which name the events of a variant are counted.

    The first ``most`` variants of a model keep their names, and all later ones share the name
    ``other``: a variant taken from data could otherwise fill the memory with windows. Variants that
    the state knows count, also those of a model that was removed; a name that was given stays
    given.
    """

    def __init__(self, state: JobState, most: int) -> None:
        self._state = state
        self._most = most
        self._known = {key for key, _ in state.known()}
        self._counts = Counter(key.model for key in self._known if key.variant != OTHER)

    def named(self, key: ModelKey) -> ModelKey:
        """Return the key to count events of ``key`` under."""
        if key in self._known or key.variant == OTHER:
            return key
        if self._counts[key.model] >= self._most:
            return key._replace(variant=OTHER)
        self._known.add(key)
        self._counts[key.model] += 1
        self._state.key_state(key)
        return key
