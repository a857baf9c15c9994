"""Where a job keeps its reports and its baselines, read from its configuration without the rest of
it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from stream.config.environment import Environment
from stream.config.load import read
from stream.errors import ConfigError


class _Model(msgspec.Struct, frozen=True):
    baseline: str = "learn"


class _Sink(msgspec.Struct, frozen=True):
    path: str = ""


class _State(msgspec.Struct, frozen=True):
    path: str = "driftline.sqlite"


class _Keys(msgspec.Struct, frozen=True):
    """The keys that are read; all others may hold whatever they like."""

    models: dict[str, _Model] = {}
    sinks: list[_Sink] = []
    state: _State = _State()


class ArtifactPaths:
    """The paths in a configuration file that matter once a job has run; relative ones start at the
    file's folder.

    An environment variable must be set only if the path that is asked for names it: who reads
    reports needs no password of a source. Raises :class:`~stream.errors.ConfigError`.
    """

    def __init__(self, file: Path) -> None:
        self._folder = file.resolve().parent
        try:
            self._keys = msgspec.convert(read(file), _Keys)
        except msgspec.ValidationError as error:
            raise ConfigError(
                str(file), "a configuration that `driftline check` accepts", str(error)
            ) from error

    @property
    def reports(self) -> list[Path]:
        """Folders of the sinks that write reports to files, where they exist."""
        named = [
            (sink.path, f"sinks[{k}].path") for k, sink in enumerate(self._keys.sinks) if sink.path
        ]
        return [path for text, where in named if (path := self._path(text, where)).exists()]

    @property
    def state(self) -> Path:
        """The state's file."""
        return self._path(self._keys.state.path, "state.path")

    def baseline(self, model: str) -> Path | None:
        """The folder of a model's baseline; ``None`` if it is learned, if the model is not in the
        file, or if there is no folder.
        """
        kept = self._keys.models.get(model, _Model())
        if kept.baseline == "learn":
            return None
        folder = self._path(kept.baseline, f"models.{model}.baseline")
        return folder if folder.is_dir() else None

    def _path(self, text: str, where: str) -> Path:
        return self._folder / str(Environment().put_in(text, where))
