"""Keeps the content of secret files out of messages."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from stream.errors import ConfigFault

LONGEST_WORD: Final = 3
"""A secret of up to this many characters is only recognised as a word of its own."""


class Redaction:
    """The secrets of a configuration, and the text that messages show instead of each."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._paths: dict[str, str] = {}

    def keep_out(self, secret: str, shown: str) -> None:
        """Replace ``secret`` by ``shown`` in messages."""
        for text in (secret, repr(secret)[1:-1]):
            if text:
                self._shown[text] = shown

    def keep_out_at(self, path: str, shown: str) -> None:
        """Replace the value at ``path`` by ``shown`` in messages.

        A message may show a part of a long value, which is not recognised as the secret.
        """
        self._paths[path] = shown

    def of(self, fault: ConfigFault) -> ConfigFault:
        """Return the fault without secrets."""
        shown = self._paths.get(fault.path)
        if shown is not None and fault.found:
            reason = fault.reason.replace(fault.found, shown)
            fault = replace(fault, reason=reason, found=shown)
        return replace(
            fault,
            reason=self.text(fault.reason),
            expected=self.text(fault.expected),
            found=self.text(fault.found),
            valid=tuple(map(self.text, fault.valid)),
        )

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        if not self._shown:
            return text
        longest_first = sorted(self._shown, key=len, reverse=True)
        secrets = "|".join(map(_occurrence, longest_first))
        return re.sub(secrets, lambda secret: self._shown[secret[0]], text)


def _occurrence(secret: str) -> str:
    pattern = re.escape(secret)
    return pattern if len(secret) > LONGEST_WORD else rf"(?<!\w){pattern}(?!\w)"
