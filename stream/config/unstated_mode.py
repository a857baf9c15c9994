"""Limits of the mode ``threshold`` in a file that names no mode.

Version 0.1.0 had that mode alone, so its files name none; read by ``evidence``, the default, they
would lose their limits without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from stream.config.faults import key_path
from stream.errors import ConfigFault

OF_RULES: Final = ("limit", "floor", "vanished_n")
"""The keys of ``rules`` that no test by evidence reads."""
OF_FEATURES: Final = ("limit",)
"""The same of the rules of single features."""
REASON: Final = (
    "belongs to `rules.mode: threshold`, by which 0.1.0 judged; a file without `mode` is judged by"
    " `evidence`. Write `mode: threshold` under rules to be judged as before, or remove this key"
)


def unstated_mode(data: Mapping[str, Any]) -> Iterator[ConfigFault]:
    """Yield a fault for each such limit in a configuration whose types are valid.

    Nothing if ``rules.mode`` is there, whatever it is.
    """
    rules = data.get("rules", {})
    if "mode" in rules:
        return
    yield from _faults("rules", rules, OF_RULES)
    for name, model in data["models"].items():
        for feature, own in model.get("features", {}).items():
            yield from _faults(key_path(f"models.{name}.features", feature), own, OF_FEATURES)


def _faults(path: str, settings: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[ConfigFault]:
    for key in keys:
        if settings.get(key) is not None:
            yield ConfigFault(path=f"{path}.{key}", reason=REASON)
