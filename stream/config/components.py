"""Finds the components in a folder: one file or one folder a component, its name is its ``type``.
No registry to edit.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Final, TypeVar

import msgspec

INSIDE: Final = ("source", "format")
"""Where the struct of a component that is a folder stands in it."""

Part = TypeVar("Part", bound=msgspec.Struct)


def find(package: str, base: type[Part]) -> dict[str, type[Part]]:
    """The configuration structs of all components in ``package`` by type: the one subclass of
    ``base`` that each module defines.

    For a folder the struct is looked for in its ``source.py`` or ``format.py``. A module without
    one is a helper of its neighbours and passed over.

    >>> from sinks.base import Sink
    >>> "jsonl" in find("sinks", Sink)
    True
    """
    found: dict[str, type[Part]] = {}
    for _, name, is_folder in iter_modules(import_module(package).__path__):
        module = _module(f"{package}.{name}", is_folder)
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, base)
                and value.__module__ == module.__name__
                and value is not base
            ):
                found[name] = value
    return found


def _module(name: str, is_folder: bool) -> ModuleType:
    """The module that holds the struct, if there is one: that of this name, or one of
    :data:`INSIDE` in the folder of this name.
    """
    inside = [f"{name}.{file}" for file in INSIDE if is_folder and find_spec(f"{name}.{file}")]
    return import_module(inside[0] if inside else name)


def kind_of(part: Any) -> str:
    """The ``type`` of a source, format or sink."""
    return str(msgspec.inspect.type_info(type(part)).tag)  # type: ignore[attr-defined]  # parts are tagged structs
