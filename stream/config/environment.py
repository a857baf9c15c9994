"""Environment variables in a configuration: they keep secrets out of files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from stream.errors import ConfigError

_NAMED: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Environment:
    """Puts the environment's value in the place of ``${NAME}`` in text.

    A variable that is not set is a ``ConfigError``. With ``needed`` false its text stays as it is
    instead, and ``unset`` maps the path of the text to the name of the variable.
    """

    def __init__(self, needed: bool = True) -> None:
        self._needed = needed
        self.unset: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The variables that are not set, each once."""
        return sorted(set(self.unset.values()))

    def put_in(self, value: object, where: str = "") -> object:
        """``value`` with every text in it replaced; it stands at ``where`` in the file."""
        if isinstance(value, dict):
            return {
                key: self.put_in(item, f"{where}.{key}" if where else str(key))
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.put_in(item, f"{where}[{k}]") for k, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        return _NAMED.sub(lambda match: self._value(match.group(1), match.group(), where), value)

    def _value(self, name: str, text: str, where: str) -> str:
        if name in os.environ:
            return os.environ[name]
        self.unset.setdefault(where, name)
        if self._needed:
            raise self._fault(where)
        return text

    def _fault(self, where: str) -> ConfigError:
        return ConfigError(where, f"the environment variable {self.unset[where]} to be set")

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """A fault of a text that names an unset variable is told as the fault of that variable."""
        try:
            yield
        except ConfigError as error:
            if error.path in self.unset:
                raise self._fault(error.path) from error
            raise
