"""The paths of reports and baselines, read from a configuration that may have other faults."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stream.config.environment import Environment
from stream.config.load import ConfigFile
from stream.config.model import StateConfig, path_of_job
from stream.errors import ConfigFault


class _Model(msgspec.Struct, frozen=True):
    baseline: str = "learn"


class _Sink(msgspec.Struct, frozen=True):
    path: str = ""


class _State(msgspec.Struct, frozen=True):
    path: str = StateConfig().path


class _Keys(msgspec.Struct, frozen=True):
    """The keys that are read; all others may hold any value."""

    job: str = ""
    models: dict[str, _Model] = {}
    sinks: list[_Sink] = []
    state: _State = _State()


class ArtifactPaths:
    """The paths in a configuration file that are needed after a job has run.

    Relative paths start at the file's folder. A reference such as ``${NAME}`` is replaced only in
    the requested path: reading reports does not need the password of a source. Raises
    :class:`~stream.errors.ConfigError`.
    """

    def __init__(self, file: Path) -> None:
        self._file = ConfigFile(file)
        try:
            self._keys = msgspec.convert(self._file.data, _Keys)
        except msgspec.ValidationError as error:
            reason = f"not a configuration that `driftline check` accepts: {error}"
            raise self._file.as_error([ConfigFault(path="", reason=reason)]) from error

    @property
    def reports(self) -> list[Path]:
        """The folders of the sinks that write reports to files, where they exist."""
        paths = [
            self._path(sink.path, f"sinks[{position}].path")
            for position, sink in enumerate(self._keys.sinks)
            if sink.path
        ]
        return [path for path in paths if path.exists()]

    @property
    def state(self) -> Path:
        """The file of the state."""
        path = path_of_job(self._keys.state.path, StateConfig().path, self._keys.job)
        return self._path(path, "state.path")

    def baseline(self, model: str) -> Path | None:
        """Return the folder of a model's baseline.

        ``None`` if the baseline is learned, if the model is not in the file, or if there is no such
        folder.
        """
        settings = self._keys.models.get(model, _Model())
        if settings.baseline == "learn":
            return None
        folder = self._path(settings.baseline, f"models.{model}.baseline")
        return folder if folder.is_dir() else None

    def _path(self, text: str, path: str) -> Path:
        environment = Environment()
        folder = self._file.folder
        resolved = folder / str(environment.resolve(text, folder, path))
        if environment.faults:
            raise self._file.as_error(environment.faults)
        return resolved
