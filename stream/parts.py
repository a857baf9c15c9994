"""Finds the parts in a folder: one file a part, the file's name is its ``type``. No registry to edit."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

import msgspec

Part = TypeVar("Part", bound=msgspec.Struct)


def find(package: str, base: type[Part]) -> dict[str, type[Part]]:
    """The configuration structs of all parts in ``package`` by type: the one subclass of ``base`` that each module defines.

    A module without one is a helper of its neighbours and passed over.

    >>> from sinks.base import Sink
    >>> "jsonl" in find("sinks", Sink)
    True
    """
    found: dict[str, type[Part]] = {}
    for _, name, _ in iter_modules(import_module(package).__path__):
        module = import_module(f"{package}.{name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__ and value is not base:
                found[name] = value
    return found
