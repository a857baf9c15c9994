"""Reads a configuration file into a checked :class:`~stream.config.model.Config`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect
from msgspec.structs import replace

from stream.config.component_checks import component_faults
from stream.config.consistency import key_faults
from stream.config.document import YamlDocument, YamlInvalid
from stream.config.environment import Environment
from stream.config.faults import key_path
from stream.config.model import (
    Config,
    DeadLetterConfig,
    HttpConfig,
    LabelsConfig,
    ModelConfig,
    StateConfig,
    TlsConfig,
    path_of_job,
)
from stream.config.unstated_mode import unstated_mode
from stream.config.validation import type_faults
from stream.config.weights import with_weights
from stream.errors import ConfigError, ConfigFault

ConfigCheck = Callable[[Config], Sequence[ConfigFault]]
"""A check of a configuration with valid types; returns all faults that it finds."""


class ConfigFile:
    """A configuration file as YAML reads it: its ``data``, and errors that point into it.

    Raises :class:`~stream.errors.ConfigError` for a file that cannot be read or is not YAML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._document = YamlDocument(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            cause = getattr(error, "strerror", None) or "not a text in UTF-8"
            fault = ConfigFault(path="", reason=f"cannot be read: {cause}")
            raise ConfigError([fault], str(path)) from error
        except YamlInvalid as error:
            fault = ConfigFault(path="", reason=f"not YAML: {error.reason}", line=error.line)
            raise ConfigError([fault], str(path)) from error
        self.data = self._document.data
        self.folder = path.resolve().parent
        self.duplicates = self._document.duplicates

    def as_error(self, faults: Iterable[ConfigFault]) -> ConfigError:
        """Return an error with the faults in the order of the file, each with its line."""
        located = [
            fault if fault.line else replace(fault, line=self._document.line(fault.path) or 1)
            for fault in faults
        ]
        return ConfigError(sorted(located, key=lambda fault: fault.line), str(self.path))


def load(
    path: Path, environment: Environment | None = None, checks: Sequence[ConfigCheck] = ()
) -> Config:
    """Read and check a configuration file.

    The file is checked against its types, then by the checks between keys, by those of the
    components, and by ``checks``. Without ``environment``, each variable that the file names must
    be set.

    Raises :class:`~stream.errors.ConfigError` with all faults, each with its line. After faults of
    types the other checks do not run, since they need a valid configuration.
    """
    file = ConfigFile(path)
    try:
        config = parse(file.data, file.folder, environment, checks)
    except ConfigError as error:
        raise file.as_error([*file.duplicates, *error.faults]) from error
    if file.duplicates:
        raise file.as_error(file.duplicates)
    return config


def parse(
    data: object,
    folder: Path,
    environment: Environment | None = None,
    checks: Sequence[ConfigCheck] = (),
) -> Config:
    """Return the configuration in ``data`` (parsed YAML); relative paths start at ``folder``.

    Raises :class:`~stream.errors.ConfigError` as :func:`load` does; the faults have no lines.
    """
    environment = environment or Environment()
    resolved: Any = environment.resolve(data, folder)
    config, faults = _converted(resolved, folder)
    if config is not None:
        faults += unstated_mode(resolved)
        faults += [fault for check in (key_faults, *checks) for fault in check(config)]
    faults = [*environment.faults, *environment.attributed(faults)]
    if config is not None:
        of_components = component_faults(config)
        faults += [fault for fault in of_components if fault.path not in environment.unset]
    if config is None or faults:
        raise ConfigError([environment.redaction.of(fault) for fault in faults])
    return config


def _converted(data: Any, folder: Path) -> tuple[Config | None, list[ConfigFault]]:
    """The configuration, or the faults of its types."""
    faults = [*_nul_faults(data), *type_faults(inspect.type_info(Config), data)]
    if faults:
        return None, faults
    try:
        config, faults = with_weights(msgspec.convert(data, Config), folder)
        return _absolute(config, folder), faults
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at ")
        fault = ConfigFault(path=path.strip("`").removeprefix("$."), reason=reason)
        return None, [fault]


def _nul_faults(value: Any, path: str = "") -> Iterator[ConfigFault]:
    """The texts that hold the character NUL, which ends paths, names and addresses."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _nul_faults(key, path)
            yield from _nul_faults(item, key_path(path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _nul_faults(item, f"{path}[{position}]")
    elif isinstance(value, str) and "\0" in value:
        yield ConfigFault(path=path, reason="holds the character NUL (\\0), which no text may hold")


def _absolute(config: Config, folder: Path) -> Config:
    """The configuration with absolute paths, and with the default ones of its job.

    These are the paths of both sources, format, sinks, state, dead letters and certificates, and
    the folders of the baselines.
    """

    def below_folder(path: str) -> str:
        return path and str(folder / path)

    state = path_of_job(config.state.path, StateConfig().path, config.job)
    dead_letters = path_of_job(config.dead_letters.path, DeadLetterConfig().path, config.job)
    models = {name: _model(model, folder) for name, model in config.models.items()}
    return replace(
        config,
        source=config.source.in_folder(folder),
        format=config.format.in_folder(folder),
        labels=_with_source(config.labels, folder),
        sinks=[sink.in_folder(folder) for sink in config.sinks],
        state=replace(config.state, path=below_folder(state)),
        dead_letters=replace(config.dead_letters, path=below_folder(dead_letters)),
        http=_with_tls(config.http, folder),
        models=models,
    )


def _with_source(labels: LabelsConfig | None, folder: Path) -> LabelsConfig | None:
    """The settings with the paths of the source of the labels below ``folder``."""
    return labels and replace(labels, source=labels.source.in_folder(folder))


def _model(model: ModelConfig, folder: Path) -> ModelConfig:
    """The settings of a model with the folders of its baselines below ``folder``."""
    quality = model.quality
    if quality is not None and quality.baseline:
        model = replace(model, quality=replace(quality, baseline=str(folder / quality.baseline)))
    return model if model.learned else replace(model, baseline=str(folder / model.baseline))


def _with_tls(http: HttpConfig, folder: Path) -> HttpConfig:
    """The settings with the certificate's paths below ``folder``."""
    if http.tls is None:
        return http
    tls = TlsConfig(certificate=str(folder / http.tls.certificate), key=str(folder / http.tls.key))
    return replace(http, tls=tls)
