"""The manifests of batch transform jobs, in place of which the objects that they name are read."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import structlog

from stream.sources.s3.client import ObjectInfo, S3Client, S3Error
from stream.sources.s3.keys import partition_of

log = structlog.get_logger("driftline.s3")

UNKNOWN_SIZE: Final = -1
_PREFIX: Final = re.compile(r"s3://[^/]+/.*", re.DOTALL)


class ManifestProblem(ValueError):
    """The reason for which an object is no manifest."""


class Manifests:
    """Reads each manifest once, and again when its ETag changes, as long as listings have it.

    ``unreadable`` has the keys of those that could not be read.
    """

    def __init__(self, s3: S3Client) -> None:
        self._s3 = s3
        self._read: dict[str, tuple[str, list[ObjectInfo]]] = {}
        self._listed: dict[str, tuple[str, list[ObjectInfo]]] = {}
        self.unreadable: set[str] = set()

    def objects_of(self, manifest: ObjectInfo) -> list[ObjectInfo]:
        """Return the objects that a manifest names; none if it cannot be read, which is logged.

        An object outside the folders of hours is no manifest. Raises :class:`S3Error` if the
        request may succeed later, or is not permitted.
        """
        if manifest.size == 0 or partition_of(manifest.key).hour_ms is None:
            return []
        etag, objects = self._read.get(manifest.key, ("", []))
        if etag != manifest.etag:
            objects = self._fetched(manifest)
            self._read[manifest.key] = manifest.etag, objects
        self._listed[manifest.key] = self._read[manifest.key]
        return objects

    def end_listing(self) -> None:
        """Forget the manifests that were not asked for since the last listing."""
        self._read, self._listed = self._listed, {}

    def _fetched(self, manifest: ObjectInfo) -> list[ObjectInfo]:
        try:
            content = self._s3.read(manifest.key, 0, None, "").data
            objects = members(manifest, content)
        except S3Error as failure:
            if failure.kind not in ("no_object", "archived", "refused"):
                raise
            return self._refused(manifest, failure.code)
        except ManifestProblem as problem:
            return self._refused(manifest, str(problem))
        self.unreadable.discard(manifest.key)
        return objects

    def _refused(self, manifest: ObjectInfo, reason: str) -> list[ObjectInfo]:
        self.unreadable.add(manifest.key)
        log.warning("manifest_unreadable", key=manifest.key, reason=reason)
        return []


def members(manifest: ObjectInfo, content: bytes) -> list[ObjectInfo]:
    """Return the objects that a manifest names, in its hour; their ETags and sizes are unknown.

    Raises :class:`ManifestProblem`.

    >>> told = ObjectInfo("out/2026/11/30/03/m.json", "e", 50, 7)
    >>> [each] = members(told, b'[{"prefix": "s3://b/run/"}, "a.csv.out"]')
    >>> each.key
    'out/2026/11/30/03/m.json s3://b/run/a.csv.out'
    """
    prefix, names = _entries(content)
    return [
        ObjectInfo(f"{manifest.key} {prefix}{name}", "", UNKNOWN_SIZE, manifest.modified_ms)
        for name in dict.fromkeys(names)
    ]


def _entries(content: bytes) -> tuple[str, list[str]]:
    try:
        entries: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestProblem("it is not JSON") from error
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        raise ManifestProblem("it is not a list that begins with an object")
    prefix = entries[0].get("prefix")
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise ManifestProblem("its prefix is not s3://bucket/...")
    if not all(isinstance(name, str) and "\0" not in name for name in entries[1:]):
        raise ManifestProblem("it names something that is not a text")
    return prefix, entries[1:]
