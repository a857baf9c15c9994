"""The paths of reports and baselines, read from a configuration that may have other faults."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sinks.s3 import S3
from stream.config.environment import Environment
from stream.config.load import ConfigFile
from stream.config.model import StateConfig, path_of_job
from stream.errors import ConfigFault


class _Segments(msgspec.Struct, frozen=True):
    by: str = ""
    most: int = 50


class _Model(msgspec.Struct, frozen=True):
    baseline: str = "learn"
    segments: list[_Segments] = []


class _Sink(msgspec.Struct, frozen=True):
    type: object = ""
    path: str = ""
    bucket: object = ""
    prefix: object = ""
    lines: object = True
    region: object = ""
    endpoint_url: object = ""


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
    def job(self) -> str:
        """The name of the job."""
        return self._resolved(self._keys.job, "job")

    @property
    def bucket(self) -> S3 | None:
        """The first sink that puts lines into S3, with the keys that reading them needs."""
        for position, sink in enumerate(self._keys.sinks):
            if sink.type == "s3" and sink.lines:
                return self._bucket_of(sink, f"sinks[{position}]")
        return None

    def _bucket_of(self, sink: _Sink, path: str) -> S3:
        bucket, prefix, region, endpoint_url = (
            self._resolved(str(getattr(sink, name)), f"{path}.{name}")
            for name in ("bucket", "prefix", "region", "endpoint_url")
        )
        return S3(bucket=bucket, prefix=prefix, region=region, endpoint_url=endpoint_url)

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

    def divided_by(self, model: str) -> tuple[tuple[str, int], ...]:
        """The columns that the rows of a model are divided by, with the most values of each."""
        settings = self._keys.models.get(model, _Model())
        return tuple((each.by, each.most) for each in settings.segments)

    def _path(self, text: str, path: str) -> Path:
        return self._file.folder / self._resolved(text, path)

    def _resolved(self, text: str, path: str) -> str:
        """The text of a key with the references in it replaced."""
        environment = Environment()
        resolved = str(environment.resolve(text, self._file.folder, path))
        if environment.faults:
            raise self._file.as_error(environment.faults)
        return resolved
