"""Reads YAML together with the line of each key, so that messages can point into the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

from stream.config.faults import key_path
from stream.errors import ConfigFault

MERGE_TAG: Final = "tag:yaml.org,2002:merge"
TEXT_TAG: Final = "tag:yaml.org,2002:str"
LONGEST_NUMBER: Final = 4_300
"""The largest number of digits that Python converts."""
MAX_VALUES: Final = 100_000
"""The largest number of values in a document, each alias counted like what it repeats."""


class YamlInvalid(Exception):
    """A text that is not YAML: ``line`` (0 if it is unknown) and ``reason``."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(reason)


class _Loader(yaml.SafeLoader):
    """The safe loader; errors of malformed dates, numbers and tagged values have a line as well."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int):
                str(value)  # fails for a long hexadecimal number, which no message could show
            return value
        except (ValueError, KeyError, AttributeError) as error:
            reason = f"{node.value!r} is no value of the type {node.tag.rpartition(':')[2]}"
            problem = str(error) if isinstance(error, ValueError) else reason
            if len(node.value) > LONGEST_NUMBER or "integer string conversion" in problem:
                problem = f"a number of more than {LONGEST_NUMBER:,} digits"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


class _Entry(NamedTuple):
    """One key of a mapping or one item of a list: its name in a path, its line, and its value."""

    name: str
    line: int
    value: yaml.Node


class YamlDocument:
    """The values of a YAML text (``data``), the line of each, and the keys that are given twice.

    Anchors, aliases and merge keys (``<<``) are supported; a value from an alias has the line of
    its anchor. Where a key is given twice, ``data`` has the last value. Raises
    :class:`YamlInvalid` for a text that is not YAML, holds several documents, or more than 100,000
    values once its aliases are replaced.

    >>> document = YamlDocument("job: a\\nsinks:\\n  - {type: jsonl}\\njob: b\\n")
    >>> document.line("sinks[0].type"), document.line("sinks[0].path"), document.line("rules.k")
    (3, 3, 0)
    >>> print(*document.duplicates)
    job: duplicate key; first given on line 1
    """

    def __init__(self, text: str) -> None:
        loader = _opened(text)
        try:
            self._root = loader.get_single_node()
            self.duplicates = [] if self._root is None else _DuplicateKeys(self._root).faults
            if self._root is not None:
                _limit(self._root)
            self.data = None if self._root is None else loader.construct_document(self._root)
        except yaml.MarkedYAMLError as error:
            raise _invalid(error) from error
        except RecursionError:
            raise YamlInvalid(0, "nested too deeply") from None
        finally:
            loader.dispose()

    def line(self, path: str) -> int:
        """Return the line of the value at ``path``, or of the nearest part of the path that exists.

        0 if not even the first part of the path exists.
        """
        node, line, rest = self._root, 0, path
        while node is not None and rest:
            entry = _entry(node, rest)
            if entry is None:
                break
            node, line, rest = entry.value, entry.line, _after(rest, entry.name)
        return line


def _opened(text: str) -> _Loader:
    try:
        return _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise YamlInvalid(
            line, f"the character U+{ord(text[error.position]):04X} is not allowed"
        ) from error


def _invalid(error: yaml.MarkedYAMLError) -> YamlInvalid:
    """The error at the line of its problem; at the line of its beginning for what never ends."""
    marks = [error.problem_mark, error.context_mark]
    if "end of stream" in (error.problem or ""):
        marks.reverse()
    mark = marks[0] or marks[1]
    reasons = [text for text in (error.context, error.problem) if text]
    return YamlInvalid(mark.line + 1 if mark else 0, ", ".join(reasons))


def _entry(node: yaml.Node, path: str) -> _Entry | None:
    """The entry that a path begins with; the one with the longest name if there are several.

    A name may hold a dot itself, as names of features do.
    """
    fitting = [entry for entry in _entries(node) if _begins(path, entry.name)]
    return max(fitting, key=lambda entry: len(entry.name), default=None)


def _entries(node: yaml.Node) -> Iterator[_Entry]:
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield _Entry(f"[{position}]", item.start_mark.line + 1, item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield _Entry(_name_of(key), key.start_mark.line + 1, value)


def _name_of(key: yaml.Node) -> str:
    """A key as paths have it: as the loader converts it, ``null`` to ``None`` or ``0x10`` to 16."""
    if not isinstance(key, yaml.ScalarNode) or key.tag == TEXT_TAG:
        return str(key.value)
    try:
        return str(_Loader("").construct_object(key))
    except yaml.YAMLError:
        return str(key.value)


def _begins(path: str, name: str) -> bool:
    return path == name or (path.startswith(name) and path[len(name)] in ".[")


def _after(path: str, name: str) -> str:
    return path[len(name) :].removeprefix(".")


def _limit(root: yaml.Node) -> None:
    """Raise :class:`YamlInvalid` if aliases make a short text a huge document."""
    if _size(root, {}) > MAX_VALUES:
        raise YamlInvalid(0, f"it has more than {MAX_VALUES:,} values, aliases included")


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """The number of values in a node; each node is visited once, however often it is repeated."""
    if id(node) not in known:
        known[id(node)] = 1 + sum(_size(entry.value, known) for entry in _entries(node))
    return known[id(node)]


class _DuplicateKeys:
    """Finds duplicate keys in the mappings of a whole tree; visits each node once.

    To be used before the tree is constructed, which replaces merge keys by the merged values.
    Raises :class:`YamlInvalid` for an alias inside of its own anchor, which would never end.
    """

    def __init__(self, root: yaml.Node) -> None:
        self.faults: list[ConfigFault] = []
        self._visited: set[int] = set()
        self._visit(root, "", frozenset())

    def _visit(self, node: yaml.Node, path: str, above: frozenset[int]) -> None:
        if id(node) in above:
            reason = "an alias refers to the value that it is a part of"
            raise YamlInvalid(node.start_mark.line + 1, reason)
        if id(node) in self._visited:
            return
        self._visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            self.faults += _twice(node, path)
        for entry in _entries(node):
            is_item = isinstance(node, yaml.SequenceNode)
            below = f"{path}{entry.name}" if is_item else key_path(path, entry.name)
            self._visit(entry.value, below, above | {id(node)})


def _twice(node: yaml.MappingNode, path: str) -> Iterator[ConfigFault]:
    first: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE_TAG:
            continue
        if (key.tag, key.value) in first:
            reason = f"duplicate key; first given on line {first[key.tag, key.value]}"
            yield ConfigFault(path=key_path(path, key.value), reason=reason, line=line)
        first.setdefault((key.tag, key.value), line)
