"""The published schemas: their descriptions are for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from stream.commands.schema import schema_of
from stream.config.model import Config

KINDS = ("config", "report", "signal")


def descriptions(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for one in schema:
            yield from descriptions(one)
    elif isinstance(schema, dict):
        for key, one in schema.items():
            if key == "description" and isinstance(one, str):
                yield one
            else:
                yield from descriptions(one)


@pytest.mark.parametrize("what", KINDS)
def test_descriptions_are_plain_text(what: str) -> None:
    told = list(descriptions(schema_of(what)))
    assert len(told) >= 3
    for text in told:
        assert not re.search(r"``|:\w+:`|>>>|\n (?! )|  ", text), text
        assert text == text.strip()


def test_names_and_powers_stay_what_they_are() -> None:
    rules = schema_of("config")["$defs"]["Rules"]["description"]
    assert (
        "* `k`, `of`: a feature must violate in `k` of the last `of` windows that do not"
        " overlap.\n* `alpha`: " in rules
    )
    assert "10**10 events with 10**6 ids" in schema_of("config")["$defs"]["Dedupe"]["description"]


def bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: bare(one)
        for key, one in schema.items()
        if not (key == "description" and isinstance(one, str))
    }


def test_nothing_but_descriptions_is_changed() -> None:
    assert bare(schema_of("config")) == bare(msgspec.json.schema(Config))
    assert {"description", "check"} <= set(schema_of("report")["$defs"]["Violation"]["properties"])
