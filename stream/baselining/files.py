"""Writes the files of a baseline, all or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files by name to a folder, which is made if it does not exist.

    All are written completely to temporary files in the folder before the first of them is renamed:
    a full disk leaves the folder as it was. Only the user can read them: they hold feature values.
    Raises ``OSError`` if they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Path] = {}
    try:
        for name, content in contents.items():
            written[name] = _temporary_file(folder, name, content)
        for name, path in written.items():
            path.replace(folder / name)
    finally:
        for path in written.values():
            path.unlink(missing_ok=True)


def json_bytes(content: dict[str, Any]) -> bytes:
    """Return a JSON document as it is written to a file."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _temporary_file(folder: Path, name: str, content: bytes) -> Path:
    number, path = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(number)
    except BaseException:
        Path(path).unlink()
        raise
    return Path(path)
