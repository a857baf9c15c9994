"""Writes docs/configuration.md from the JSON schema of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from stream.commands.schema import schema_of

INTRODUCTION: Final = """\
# Configuration

<!-- Written by `driftline schema config --markdown`; a test holds it equal. -->

A job is configured by one YAML file. `driftline check config.yaml` reports all faults of it at
once, each with its line. An editor that knows JSON schemas completes and checks the keys while you
type, if the file begins with a line that names [schemas/config.json](schemas/config.json):

```yaml
# yaml-language-server: $schema=docs/schemas/config.json
```

* **Required** are `job`, `source`, `format`, `models` and `model`; every other key has a default.
* **Durations** are a number and a unit: `500ms`, `60s`, `10m`, `2h`, `1d`.
* **Relative paths** start at the folder of the configuration.
* **Components** (source, format, sinks, change detectors) are chosen by `type`; the other keys are
  those of the type. Types of other distributions are found by their entry points.
* **Values from outside** can be put into any text, so that secrets stay out of the file:

  | reference | becomes |
  | --- | --- |
  | `${NAME}` | the environment variable `NAME`, which must be set |
  | `${NAME:-text}` | the environment variable `NAME`, or `text` if it is not set or empty |
  | `${file:/run/secrets/x}` | the content of the file, without one newline at its end |

  The result is text: a number cannot come from a reference. What a file holds appears in no
  message. `driftline check` without `--live` only warns about a variable that is not set.
"""


def configuration_page() -> str:
    """Return the page: the keys of the file, then those of each part and of each component."""
    return "\n".join(_Page(schema_of("config")).lines()) + "\n"


class _Page:
    """Writes a section for each struct of the schema, in the order in which keys refer to them."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._definitions: dict[str, dict[str, Any]] = schema["$defs"]
        self._titles: dict[str, str] = {}
        self._name("Config", "The file")

    def _name(self, definition: str, title: str) -> None:
        """Set the titles of a definition and of those below it, unless it has one already."""
        if definition in self._titles:
            return
        self._titles[definition] = title
        for key, value in self._definitions[definition]["properties"].items():
            prefix = "" if definition == "Config" else f"{title}, "
            for name in _references(value):
                self._name(name, self._title(prefix, key, name))

    def _title(self, prefix: str, key: str, definition: str) -> str:
        tag = self._tag(definition)
        return f"`{key}` of type `{tag}`" if tag else f"{prefix}`{key}`"

    def _tag(self, definition: str) -> str:
        tag = self._definitions[definition]["properties"].get("type", {}).get("enum", [""])
        return str(tag[0])

    def lines(self) -> Iterator[str]:
        """Yield the lines of the page."""
        yield INTRODUCTION
        for definition, title in self._titles.items():
            content = self._definitions[definition]
            yield f"## {title}\n"
            yield f"{content['description']}\n"
            yield from self._table(content)
            yield ""

    def _table(self, content: dict[str, Any]) -> Iterator[str]:
        required = content.get("required", [])
        yield "| key | type | default | meaning |"
        yield "| --- | --- | --- | --- |"
        for key, value in content["properties"].items():
            if key == "type":
                continue
            default = "**required**" if key in required else self._default(value)
            cells = f"`{key}`", self._type(value), default, value["description"]
            escaped = [cell.replace("|", r"\|") for cell in cells]
            yield f"| {' | '.join(escaped)} |"

    def _default(self, value: dict[str, Any]) -> str:
        default = value.get("default")
        if default is None:
            return "none"
        if isinstance(default, str):
            return f"`{default}`" if default else '`""`'
        if isinstance(default, dict) and default == self._defaults_below(value):
            return "see there"
        return _yaml(default)

    def _defaults_below(self, value: dict[str, Any]) -> dict[str, Any] | None:
        """The defaults of the keys of the struct that a value refers to."""
        for name in _references(value):
            keys = self._definitions[name]["properties"]
            return {key: of_key["default"] for key, of_key in keys.items() if "default" in of_key}
        return None

    def _type(self, value: dict[str, Any]) -> str:
        if "$ref" in value:
            return self._link(value["$ref"])
        if "anyOf" in value:
            kinds = [self._type(kind) for kind in value["anyOf"] if kind.get("type") != "null"]
            return ", ".join(dict.fromkeys(kinds))
        if "enum" in value:
            return ", ".join(f"`{name}`" for name in value["enum"])
        if value.get("type") == "array":
            return f"list of {self._type(value['items'])}"
        if value.get("type") == "object":
            return f"mapping of name to {self._type(value['additionalProperties'])}"
        return _scalar(value)

    def _link(self, reference: str) -> str:
        definition = reference.rpartition("/")[2]
        title = self._titles[definition]
        return f"[{self._tag(definition) or 'keys'}](#{_anchor(title)})"


def _references(value: Any) -> Iterator[str]:
    """The definitions that a value of the schema refers to, in its order."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for key, item in value.items():
            if key != "discriminator":
                yield from _references(item)


def _scalar(value: dict[str, Any]) -> str:
    names = {
        "string": "text",
        "boolean": "`true`, `false`",
        "integer": "whole number",
        "number": "number",
    }
    if value.get("format") == "date-time":
        return "time with its zone"
    if "(ms|s|m|h|d)" in value.get("pattern", ""):
        return "duration"
    limits = {
        "minimum": ">=",
        "exclusiveMinimum": ">",
        "maximum": "<=",
        "exclusiveMaximum": "<",
    }
    bounds = [f"{sign} {value[limit]:.10g}" for limit, sign in limits.items() if limit in value]
    return " ".join([names[value["type"]], ", ".join(bounds)]).strip()


def _yaml(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=1_000, sort_keys=False)
    return f"`{text.split(chr(10))[0]}`"


def _anchor(title: str) -> str:
    """The anchor that a heading gets on the pages of a repository."""
    return "".join(
        char for char in title.lower().replace(" ", "-") if char.isalnum() or char in "-_"
    )
