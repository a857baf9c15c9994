"""Components of another distribution: in the schema, in validation, and in the live check."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.distributions import install, python

MODULE = '''\
"""A sink of another distribution."""

from typing import Annotated

import msgspec

from detectors.faults import Fault
from sinks.base import Sink


class Acme(Sink, frozen=True, tag="acme"):
    """Delivers to Acme."""

    room: Annotated[int, msgspec.Meta(ge=1)]
    """The number of the room."""
    tags: set[str] = set()
    key_file: str = ""

    def in_folder(self, folder):
        return msgspec.structs.replace(self, key_file=str(folder / self.key_file))

    def check(self):
        return [Fault("room", "the room is closed")] if self.room == 13 else []
'''
LIVE_CHECK = """

from stream.check.findings import Finding


def live_check(sink, context):
    return [Finding("acme", f"room {sink.room} of job {context.config.job}", "warning", "Knock")]
"""
CONFIG = """\
job: prices
source: {type: jsonl, path: events.jsonl}
format: {type: json}
model: {from: const, name: prices}
models: {prices: {baseline: learn, outputs: [price], inputs: []}}
sinks: [{SINK}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    install(tmp_path, "driftline.sinks", "acme = acme:Acme", "acme", MODULE, name="acme")
    (tmp_path / "events.jsonl").write_text('{"time": "2026-11-25T07:00:00Z", "price": 1}\n')
    return tmp_path


def driftline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "stream.cli", *arguments)


def test_an_outside_sink_is_in_the_schema_with_its_descriptions(folder: Path) -> None:
    schema = json.loads(driftline(folder, "schema", "config").stdout)
    assert schema["$defs"]["Acme"]["description"] == "Delivers to Acme."
    room = schema["$defs"]["Acme"]["properties"]["room"]
    assert room == {"type": "integer", "minimum": 1, "description": "The number of the room."}
    items = schema["$defs"]["Config"]["properties"]["sinks"]["items"]
    assert {"$ref": "#/$defs/Acme"} in items["anyOf"]


@pytest.mark.parametrize(
    ("sink", "message"),
    [
        ("type: acme, room: 0", "sinks[0].room: expected a whole number >= 1, found 0"),
        (
            "type: acme, rom: 1, room: 1",
            "sinks[0].rom: unknown key; did you mean 'room'? valid: type, room",
        ),
        ("type: acme, room: 13", "sinks[0].room: the room is closed"),
        ("type: acme, room: 1, tags: [[]]", "sinks[0].tags[0]: Expected `str`, got `array`"),
        ("room: 1, type: acmee", "sinks[0].type: unknown type 'acmee'; did you mean 'acme'?"),
    ],
)
def test_faults_of_an_outside_sink_are_reported_like_any_other(
    folder: Path, sink: str, message: str
) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace("SINK", sink))
    result = driftline(folder, "check", "config.yaml")
    assert (result.returncode, result.stdout) == (2, "")
    assert f"config.yaml:6: {message}" in result.stderr


def test_an_outside_sink_without_a_live_check_is_reported_as_such(folder: Path) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace("SINK", "type: acme, room: 1"))
    result = driftline(folder, "check", "--live", "config.yaml")
    assert "ok       acme: no live check for type 'acme'\n" in result.stdout


def test_the_live_check_of_an_outside_sink_is_run(folder: Path) -> None:
    (folder / "acme.py").write_text(MODULE + LIVE_CHECK)
    (folder / "config.yaml").write_text(CONFIG.replace("SINK", "type: acme, room: 7"))
    result = driftline(folder, "check", "--live", "config.yaml")
    assert "warning  acme: room 7 of job prices\n         -> Knock\n" in result.stdout


def test_paths_of_an_outside_sink_start_at_the_folder_of_the_configuration(folder: Path) -> None:
    live_check = LIVE_CHECK.replace("room {sink.room} of job", "{sink.key_file} of job")
    (folder / "acme.py").write_text(MODULE + live_check)
    sink = "type: acme, room: 7, key_file: keys/a"
    (folder / "config.yaml").write_text(CONFIG.replace("SINK", sink))
    result = driftline(folder, "check", "--live", str(folder / "config.yaml"))
    assert f"acme: {folder}/keys/a of job prices\n" in result.stdout
