"""The published schemas: every key has a readable description, and the committed files match."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from stream.commands.configuration_page import configuration_page
from stream.commands.descriptions import field_descriptions, summary
from stream.commands.schema import schema_of, structs_of
from stream.config.model import Config
from tests.support.paths import ROOT

ROOTS: dict[str, type] = {
    "config": Config,
    "report": WindowReport,
    "signal": Signal,
    "quality": QualityReport,
    "schedule": ScheduleReport,
}
EXAMPLES = sorted((ROOT / "deploy").glob("config.*.yaml"))


def descriptions(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from descriptions(item)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key == "description" and isinstance(value, str):
                yield value
            else:
                yield from descriptions(value)


@pytest.mark.parametrize("name", ROOTS)
def test_every_key_has_a_description(name: str) -> None:
    keys = {
        f"{struct}.{key}": value
        for struct, definition in schema_of(name)["$defs"].items()
        for key, value in definition["properties"].items()
    }
    without = [key for key, value in keys.items() if not value.get("description")]
    assert [key for key in without if "enum" not in keys[key]] == [], (
        "except the `type` of a component"
    )


@pytest.mark.parametrize("name", ROOTS)
def test_descriptions_are_sentences_without_markup_of_code(name: str) -> None:
    texts = list(descriptions(schema_of(name)))
    assert len(texts) >= 20
    for text in texts:
        assert not re.search(r"``|:\w+:`|>>>|\n|  ", text), text
        assert text == text.strip()
        assert text[-1] in ".:" or text.startswith("a number and a unit"), text


def test_facts_about_rules_and_ids_are_in_the_descriptions() -> None:
    definitions = schema_of("config")["$defs"]
    k = definitions["Rules"]["properties"]["k"]["description"]
    assert k == "A feature must violate in `k` of the last `of` windows that do not overlap."
    most = definitions["Dedupe"]["properties"]["most"]["description"]
    assert "10**10 events with 10**6 ids" in most


def bare(schema: Any) -> Any:
    """A schema without its descriptions."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: bare(value)
        for key, value in schema.items()
        if not (key == "description" and isinstance(value, str))
    }


def test_only_descriptions_differ_from_the_types() -> None:
    schema = schema_of("config")
    assert schema.pop("$id") == "urn:driftline:config"
    assert schema.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    assert bare(schema) == bare(msgspec.json.schema(Config))
    assert {"description", "check"} <= set(schema_of("report")["$defs"]["Violation"]["properties"])


@pytest.mark.parametrize("name", ROOTS)
def test_the_committed_schema_equals_the_code(name: str) -> None:
    path = ROOT / "docs" / "schemas" / f"{name}.json"
    advice = f"update it: driftline schema {name} > docs/schemas/{name}.json"
    assert path.read_text() == json.dumps(schema_of(name), indent=2) + "\n", advice


def test_the_page_about_the_configuration_equals_the_code() -> None:
    path = ROOT / "docs" / "configuration.md"
    advice = "update it: driftline schema config --markdown > docs/configuration.md"
    assert path.read_text() == configuration_page(), advice


def test_the_page_has_every_key_and_its_links_have_targets() -> None:
    page = configuration_page()
    for definition in schema_of("config")["$defs"].values():
        for key in definition["properties"]:
            assert key == "type" or f"| `{key}` |" in page
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert links
    assert links <= anchors


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_name_the_schema_for_editors_and_follow_it(path: Any) -> None:
    first, *_ = path.read_text().splitlines()
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named is not None
    schema = json.loads((path.parent / named[1]).read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))


def test_a_file_with_a_fault_is_invalid_by_the_schema() -> None:
    content = yaml.safe_load(EXAMPLES[0].read_text()) | {"windw": "60s"}
    errors = list(jsonschema.Draft202012Validator(schema_of("config")).iter_errors(content))
    assert ["windw" in error.message for error in errors] == [True]


class Outside(msgspec.Struct):
    """A struct of another distribution: ``a``.

    More about it.
    """

    a: int = 1
    b: int = 2
    """Has ``b`` in
    two lines.
    """


class OutsideChild(Outside):
    """A child."""

    c: str = ""
    """Has c."""


def test_descriptions_are_read_from_the_source_of_a_struct_and_its_bases() -> None:
    assert summary(Outside) == "A struct of another distribution: `a`."
    assert field_descriptions(OutsideChild) == {"b": "Has `b` in two lines.", "c": "Has c."}


def test_a_struct_without_source_has_no_descriptions() -> None:
    struct = msgspec.defstruct("WithoutSource", [("a", int, 1)])
    assert field_descriptions(struct) == {}
    assert summary(struct) == ""


def test_structs_are_found_in_unions_lists_mappings_and_tuples() -> None:
    names = {struct.__name__ for struct in structs_of(WindowReport)}
    of_features = {
        "FeatureReport",
        "Figures",
        "SagemakerFigures",
        "SegmentReport",
        "ComparedSeason",
    }
    of_evidence = {"Evidence", "EvidenceFinding", "JointReport", "PairReport", "UnjudgedPair"}
    assert names == {"WindowReport", "Violation", "BinShift", "Cause"} | of_features | of_evidence
    assert len(structs_of(Config)) == len(schema_of("config")["$defs"])
