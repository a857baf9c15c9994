"""Replaces references in a configuration: environment variables and secret files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from stream.config.faults import key_path
from stream.config.redaction import Redaction
from stream.errors import ConfigFault

REFERENCE: Final = re.compile(
    r"\$\{(?:file:(?!-)(?P<file>[^}]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?)\}"
)


MAX_FILE_BYTES: Final = 1 << 20
"""Largest file that a configuration may refer to: a secret, not data."""


class Environment:
    """Replaces references in the texts of a configuration, which keep secrets out of the file.

    * ``${NAME}`` becomes the value of an environment variable.
    * ``${NAME:-text}`` becomes ``text`` if the variable is not set or empty.
    * ``${file:PATH}`` becomes the content of a file, without one newline at its end. A relative
      path starts at the folder of the configuration.

    A variable that is not set and has no default is a fault, as is a file that cannot be read.
    With ``needed`` false such a variable is not a fault: its text stays as it is, and ``unset``
    maps the path of the text to the names of its variables. The content of a file appears in no
    message: ``redaction`` replaces it by the reference.
    """

    def __init__(self, needed: bool = True) -> None:
        self._needed = needed
        self.unset: dict[str, list[str]] = {}
        self.redaction = Redaction()
        self._file_faults: list[ConfigFault] = []

    @property
    def names(self) -> list[str]:
        """The variables that are not set, each once."""
        return sorted({name for names in self.unset.values() for name in names})

    @property
    def faults(self) -> list[ConfigFault]:
        """The faults of the references that were replaced so far."""
        unset = [self._unset_fault(path) for path in self.unset] if self._needed else []
        return [*unset, *self._file_faults]

    def resolve(self, value: Any, folder: Path, path: str = "") -> Any:
        """Return the ``value`` at ``path`` with every reference in it replaced."""
        if isinstance(value, dict):
            return {
                key: self.resolve(item, folder, key_path(path, key)) for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.resolve(item, folder, f"{path}[{k}]") for k, item in enumerate(value)]
        return self._text(value, folder, path) if isinstance(value, str) else value

    def attributed(self, faults: Sequence[ConfigFault]) -> list[ConfigFault]:
        """Return the faults; those of a text with an unset variable become faults of the variable.

        Such a variable is named once. With ``needed`` it is among :attr:`faults` already, as is a
        file that cannot be read.
        """
        unread = {fault.path for fault in self._file_faults}
        others = [fault for fault in faults if fault.path not in self.unset.keys() | unread]
        unset = {fault.path for fault in faults if fault.path in self.unset and not self._needed}
        return [*others, *map(self._unset_fault, sorted(unset))]

    def _text(self, text: str, folder: Path, path: str) -> str:
        def value(reference: re.Match[str]) -> str:
            if reference["file"] is not None:
                return self._content(folder / reference["file"], reference[0], path)
            return self._variable(reference, path)

        replaced = REFERENCE.sub(value, text)
        if replaced != text and "${file:" in text:
            self.redaction.keep_out(replaced, text)
            self.redaction.keep_out_at(path, text)
        return replaced

    def _variable(self, reference: re.Match[str], path: str) -> str:
        name, default = reference["name"], reference["default"]
        value = os.environ.get(name)
        if default is not None:
            return value or default
        if value is not None:
            return value
        names = self.unset.setdefault(path, [])
        if name not in names:
            names.append(name)
        return reference[0]

    def _content(self, file: Path, reference: str, path: str) -> str:
        try:
            content = _text_of(file)
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or "not a file of UTF-8 text of at most 1 MiB"
            reason = f"cannot read {reference}: {cause}"
            self._file_faults.append(ConfigFault(path=path, reason=reason))
            return reference
        content = re.sub(r"\r?\n\Z", "", content)
        self.redaction.keep_out(content, reference)
        return content

    def _unset_fault(self, path: str) -> ConfigFault:
        names = self.unset[path]
        subject = f"environment variable{'' if len(names) == 1 else 's'} {', '.join(names)}"
        reason = f"{subject} {'is' if len(names) == 1 else 'are'} not set"
        return ConfigFault(path=path, reason=reason)


def _text_of(file: Path) -> str:
    """The text of a file; raises ``OSError`` or ``ValueError`` if it cannot hold a secret."""
    size = file.stat().st_size
    if not file.is_dir() and not (file.is_file() and size <= MAX_FILE_BYTES):
        raise ValueError
    return file.read_bytes().decode("utf-8")
