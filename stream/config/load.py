"""Reads a configuration file into a checked :class:`~stream.config.model.Config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from stream.config.consistency import check_keys
from stream.config.environment import Environment
from stream.config.model import Config
from stream.config.validation import check
from stream.errors import ConfigError


class _UniqueKeys(yaml.SafeLoader):
    """Plain YAML in which a key given twice is a fault and not the last one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def load(path: Path, variables: Environment | None = None) -> Config:
    """Read and check a configuration file. Raises :class:`~stream.errors.ConfigError` with the path
    in the file.

    Without ``variables`` of the caller's own, an environment variable that is named and not set is
    such a fault.
    """
    return parse(read(path), path.resolve().parent, variables)


def read(path: Path) -> object:
    """What YAML gives for a file, unchecked. Raises :class:`~stream.errors.ConfigError` if it gives
    nothing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigError(str(path), "a readable file", str(error)) from error
    try:
        return yaml.load(text, _UniqueKeys)  # noqa: S506  # a safe loader
    except yaml.YAMLError as error:
        raise ConfigError(
            str(path),
            "YAML",
            " ".join(str(error).replace('in "<unicode string>", ', "at ").split()),
        ) from error


def parse(data: object, folder: Path, variables: Environment | None = None) -> Config:
    """The configuration in ``data`` (what YAML gives); relative paths start at ``folder``."""
    variables = variables or Environment()
    data = variables.put_in(data)
    with variables.blamed():
        check(inspect.type_info(Config), data)
        config = _absolute(msgspec.convert(data, Config), folder)
        check_keys(config)
    return config


def _absolute(config: Config, folder: Path) -> Config:
    """All paths made absolute: ``path`` of source and sinks, state, dead letters, and the
    baselines' folders.
    """

    def placed(part: Any) -> Any:
        path = getattr(part, "path", None)
        if isinstance(path, list):
            return msgspec.structs.replace(
                part, path=[str(folder / one) if one else one for one in path]
            )
        return (
            msgspec.structs.replace(part, path=str(folder / path))
            if isinstance(path, str) and path
            else part
        )

    models = {
        name: one
        if one.learned
        else msgspec.structs.replace(one, baseline=str(folder / one.baseline))
        for name, one in config.models.items()
    }
    return msgspec.structs.replace(
        config,
        source=placed(config.source),
        sinks=[placed(sink) for sink in config.sinks],
        state=placed(config.state),
        dead_letters=placed(config.dead_letters),
        models=models,
    )
