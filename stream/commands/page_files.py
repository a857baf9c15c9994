"""Writes the pages of commands: a file that exists is replaced as a whole."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from stream.errors import DataError


def replace_file(path: Path, text: str) -> None:
    """Write a text file; readers see the old one or the new one, and nothing in between.

    Raises :class:`~stream.errors.DataError` if it cannot be written.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(temporary).unlink()
        raise DataError(str(path), f"cannot be written: {error.strerror}") from error
