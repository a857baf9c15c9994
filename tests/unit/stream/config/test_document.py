"""The lines of a YAML text, duplicate keys, and texts that are not YAML."""

from __future__ import annotations

import pytest

from stream.config.document import YamlDocument, YamlInvalid

TEXT = """\
# a comment
job: a
sinks:
  - type: prometheus
  - {type: jsonl,
     path: reports}
models:
  a.b:
    features:
      x.limit: {limit: 1}
      x:
        limit: 2
shared: &shared
  region: r
merged:
  <<: *shared
  key: k
same: *shared
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("job", 2),
        ("sinks", 3),
        ("sinks[0].type", 4),
        ("sinks[1].type", 5),
        ("sinks[1].path", 6),
        ("sinks[1].region", 5),
        ("sinks[7]", 3),
        ("models.a.b", 8),
        ("models.a.b.features.x.limit", 10),
        ("models.a.b.features.x.limit.limit", 10),
        ("models.a.b.features.x.unknown", 11),
        ("models.c.baseline", 7),
        ("merged.key", 17),
        ("merged.region", 14),
        ("same.region", 14),
        ("unknown.key", 0),
        ("", 0),
    ],
)
def test_the_line_of_a_path_is_that_of_its_nearest_existing_part(path: str, line: int) -> None:
    assert YamlDocument(TEXT).line(path) == line


def test_keys_that_yaml_converts_have_their_lines() -> None:
    document = YamlDocument("job: a\n\nnull: {x: 1}\nNO: 2\nYes: 3\n7: 4\n0x10: 5\n")
    assert document.data is not None
    paths = [str(key) for key in document.data]
    assert [document.line(path) for path in paths] == [1, 3, 4, 5, 6, 7]


def test_the_data_are_those_of_plain_yaml() -> None:
    data = YamlDocument(TEXT).data
    assert isinstance(data, dict)
    assert data["merged"] == {"region": "r", "key": "k"}
    assert YamlDocument("").data is None


def test_every_duplicate_key_is_reported_with_both_lines() -> None:
    text = "a: 1\nb:\n  - {c: 1}\n  - {c: 1, d: 2, c: 3}\na: 2\na: 3\n"
    document = YamlDocument(text)
    assert [(fault.line, str(fault)) for fault in document.duplicates] == [
        (5, "a: duplicate key; first given on line 1"),
        (6, "a: duplicate key; first given on line 1"),
        (4, "b[1].c: duplicate key; first given on line 4"),
    ]


def test_a_key_may_replace_a_merged_one_and_differ_in_type() -> None:
    document = YamlDocument("a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\nc: {1: a, '1': b}\n")
    assert document.duplicates == []
    assert document.data == {"a": {"x": 1}, "b": {"x": 2}, "c": {1: "a", "1": "b"}}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: : 2\n", 2, "mapping values are not allowed here"),
        ("a:\n\tb: 3", 2, "cannot start any token"),
        ("a: [\n", 2, "expected the node content"),
        ("a: 1\nb: !foo 3", 2, "could not determine a constructor for the tag '!foo'"),
        ("a: 1\nb: 2026-13-45\n", 2, "month must be in 1..12"),
        ("---\na: 1\n---\nb: 2\n", 3, "expected a single document"),
        ("a: 1\nb: \x01", 2, "the character U+0001 is not allowed"),
        ("a: 1\nb: &x [*x]", 2, "an alias refers to the value that it is a part of"),
        ("a: 1\n? [b]\n: 3\n", 2, "unhashable key"),
        ("a: 1\nb: !!bool maybe\n", 2, "'maybe' is no value of the type bool"),
        ("a: 1\nb: 'open\nc: 2\n", 2, "found unexpected end of stream"),
        ("[" * 5_000, 0, "nested too deeply"),
        ('a: 1\nb: !!timestamp "x"\n', 2, "'x' is no value of the type timestamp"),
        (f"a: 1\nb: 0x{'f' * 5_000}\n", 2, "a number of more than 4,300 digits"),
        (f"a: 1\nb: 0x{'f' * 4_000}\n", 2, "a number of more than 4,300 digits"),
        (f"a: 1\nb: {'1' * 5_000}\n", 2, "a number of more than 4,300 digits"),
    ],
)
def test_a_text_that_is_not_yaml_is_refused_with_line_and_reason(
    text: str, line: int, reason: str
) -> None:
    with pytest.raises(YamlInvalid) as caught:
        YamlDocument(text)
    assert caught.value.line == line
    assert reason in caught.value.reason


def doublings(count: int) -> str:
    """A text of ``count`` lines whose aliases stand for two to that power values."""
    lines = [f"m{k}: &m{k} [*m{k - 1}, *m{k - 1}]\n" for k in range(1, count)]
    return "m0: &m0 [1]\n" + "".join(lines)


def test_aliases_that_stand_for_too_many_values_are_refused_at_once() -> None:
    """The whole document would have 2**60 values."""
    with pytest.raises(YamlInvalid, match="more than 100,000 values, aliases included"):
        YamlDocument(doublings(60))


def test_aliases_of_ordinary_documents_are_replaced() -> None:
    m1 = [[1], [1]]
    assert YamlDocument(doublings(3)).data == {"m0": [1], "m1": m1, "m2": [m1, m1]}
