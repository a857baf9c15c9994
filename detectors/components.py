"""Finds components by name, in the project's folders and among the entry points of distributions.

There is no registry to edit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Final, TypeVar

import msgspec

from detectors.errors import ComponentInvalid

DEFINING_MODULES: Final = ("source", "format")
"""The modules of a component's folder that may define its class."""
NAME: Final = re.compile(r"[a-z][a-z0-9_]*")

Component = TypeVar("Component")


def find(package: str, base: type[Component], group: str) -> dict[str, type[Component]]:
    """The components of one kind, subclasses of ``base``, by name.

    Each module of ``package`` defines at most one, and the module's name is the component's name.
    In a folder its ``source.py`` or ``format.py`` defines it. Modules without a component are
    helpers and are skipped. For another distribution's component, the name is that of its entry
    point in ``group``. A component with a configuration has its name as ``type``.

    Raises :class:`~detectors.errors.ComponentInvalid`, naming the distribution, for an entry point
    that cannot be imported, is not a subclass of ``base``, or has a name that is in use.

    >>> from sinks.base import Sink
    >>> "jsonl" in find("sinks", Sink, "driftline.sinks")
    True
    """
    components = dict(_of_project(package, base))
    owners = dict.fromkeys(components, "")
    for entry in sorted(entry_points(group=group), key=_order):
        if entry.name in components:
            raise _name_taken(entry, owners[entry.name])
        components[entry.name] = _load(entry, base)
        owners[entry.name] = _distribution(entry)
    return components


def type_of(component: object) -> str:
    """The ``type`` that a source, format, sink or change detector has in the configuration.

    >>> from sinks.jsonl import Jsonl
    >>> type_of(Jsonl(path="reports/"))
    'jsonl'
    """
    return str(getattr(component, "__struct_config__").tag)  # noqa: B009  # msgspec does not type it


def _of_project(package: str, base: type[Component]) -> Iterator[tuple[str, type[Component]]]:
    for _, name, is_folder in iter_modules(import_module(package).__path__):
        module = _module(f"{package}.{name}", is_folder)
        for value in vars(module).values():
            if _defines(module, value, base):
                yield name, value


def _module(name: str, is_folder: bool) -> ModuleType:
    """The module that defines the component: ``name``, or in its folder ``source``, ``format``."""
    inside = [
        f"{name}.{file}" for file in DEFINING_MODULES if is_folder and find_spec(f"{name}.{file}")
    ]
    return import_module(inside[0] if inside else name)


def _defines(module: ModuleType, value: object, base: type[Any]) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, base)
        and value is not base
        and value.__module__ == module.__name__
    )


def _order(entry: EntryPoint) -> tuple[str, str, str]:
    return entry.name, _distribution(entry), entry.value


def _name_taken(entry: EntryPoint, owner: str) -> ComponentInvalid:
    """The error of a name that is in use by distribution ``owner``; empty: by driftline itself."""
    user = f"distribution {owner}" if owner else "driftline itself"
    reason = f"the name is already used by {user}"
    remove = "uninstall one of the two" if owner else "uninstall that distribution"
    advice = f"Rename the entry point and the tag of its class, or {remove}"
    return ComponentInvalid(
        group=entry.group,
        name=entry.name,
        distribution=_distribution(entry),
        reason=reason,
        advice=advice,
    )


def _load(entry: EntryPoint, base: type[Component]) -> type[Component]:
    def invalid(reason: str) -> ComponentInvalid:
        return ComponentInvalid(entry.group, entry.name, _distribution(entry), reason)

    if not NAME.fullmatch(entry.name):
        raise invalid("a name consists of a-z, 0-9 and underscores, and starts with a letter")
    try:
        component = entry.load()
    except (Exception, SystemExit) as error:  # a foreign module may raise anything at import
        raise invalid(f"{entry.value} cannot be imported: {error!r}") from error
    if not (isinstance(component, type) and issubclass(component, base)):
        raise invalid(f"{entry.value} is not a subclass of {base.__module__}.{base.__qualname__}")
    if issubclass(component, msgspec.Struct):
        config = component.__struct_config__
        if config.tag != entry.name:
            raise invalid(f"{entry.value} has the tag {config.tag!r}; it must be {entry.name!r}")
        if not config.frozen:
            raise invalid(f"{entry.value} must be frozen: a configuration does not change")
    return component


def _distribution(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
