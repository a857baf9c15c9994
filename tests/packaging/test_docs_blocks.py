"""Every code block of the documentation runs, or is checked as far as it can be without a server.

What is done with a block depends on the first word after its fence:

* ``python`` is executed, as doctests if it has prompts; blocks of a page share their names.
* ``yaml`` is a configuration and passes ``driftline check``. One without the key ``job`` is a
  fragment: its keys replace those of ``COMPLETE``. ``yaml other`` is only parsed.
* ``json`` is parsed. Signals and reports are valid by the published schemas.
* ``sh`` names programs that are known, and subcommands, options, modules, files and targets that
  exist. Commands of driftline that need no server are run in the folder of the quickstart job.
* ``toml``, ``promql`` and ``mermaid`` are checked for their form; ``text`` is output.
"""

from __future__ import annotations

import doctest
import importlib.util
import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from stream.cli import main
from tests.packaging.conftest import driftline
from tests.packaging.pages import PAGES, Block, blocks, blocks_of, name_of, spans
from tests.support.paths import ROOT

LANGUAGES = {"python", "yaml", "json", "sh", "sql", "toml", "promql", "mermaid", "text"}
COMPLETE = """
job: prices
source: {type: jsonl, path: events.jsonl}
format: {type: json, features: request, prediction: answer.price}
time: {path: time, unit: ms}
model: {from: const, name: prices}
models:
  prices: {baseline: learn, outputs: [price], inputs: [area, rooms, city]}
sinks:
  - {type: jsonl, path: reports/}
"""
PROGRAMS = {
    *(".", "cd", "mkdir", "git", "pip", "python", "python3", "make", "driftline", "docker"),
    *(
        "aws",
        "curl",
        "jq",
        "zstd",
        "kubectl",
        "systemctl",
        "pre-commit",
        "cat",
        "cp",
        "head",
        "sed",
        "export",
    ),
}
SUBSTITUTION: Final = re.compile(r'"\$\((.*)\)"')
"""An argument that is the output of a command."""
REDIRECTION: Final = re.compile(r" > \S+")
PLACEHOLDER: Final = re.compile(r"^[A-Z][A-Z-]+$")
RUN_BY_OTHER_TESTS: Final = frozenset(
    {
        "README.md",
        "CONTRIBUTING.md",
        "docs/backtest.md",
        "docs/example-component/README.md",
        "docs/churn-example.md",
        "docs/migration.md",
        "docs/model-quality.md",
    }
)
"""Pages whose programs and commands other tests run."""
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split())


def pages_with(language: str) -> list[Path]:
    return list(dict.fromkeys(block.page for block in blocks(language)))


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_the_language_of_a_block_is_known(block: Block) -> None:
    assert block.language in LANGUAGES
    assert block.words in (("", "other") if block.language == "yaml" else ("",))


@pytest.mark.parametrize(
    "page",
    [page for page in pages_with("python") if name_of(page) not in RUN_BY_OTHER_TESTS],
    ids=name_of,
)
def test_python_runs(
    page: Path, finished_quickstart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished_quickstart)
    names: dict[str, Any] = {"__name__": "example"}
    for block in blocks_of(page):
        if block.language == "python" and ">>>" in block.text:
            examples = doctest.DocTestParser().get_doctest(
                block.text, names, str(block), str(page), block.line
            )
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            assert runner.run(examples, clear_globs=False).failed == 0
            names |= examples.globs
        elif block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)


def configuration(block: Block) -> str:
    """A block as a whole configuration."""
    shown = yaml.safe_load(block.text) or {}
    if "job" in shown:
        return block.text
    return yaml.safe_dump({**yaml.safe_load(COMPLETE), **shown}, sort_keys=False)


def documented_script() -> str:
    """The first preprocessing script of its page."""
    page = next(page for page in PAGES if page.name == "preprocessing.md")
    return next(block.text for block in blocks_of(page) if block.language == "python")


def references(text: str) -> Iterator[str]:
    """The environment variables that a configuration needs."""
    yield from re.findall(r"\$\{([A-Z_]+)\}", text)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_configuration_passes_driftline_check(
    block: Block, tmp_path: Path, finished_quickstart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if block.words == "other":
        assert list(yaml.safe_load_all(block.text))
        return
    text = configuration(block)
    for name in references(text):
        monkeypatch.setenv(name, "a-value")
    shutil.copytree(finished_quickstart / "baseline", tmp_path / "baseline")
    (tmp_path / "preprocess.py").write_text(documented_script())
    (tmp_path / "config.yaml").write_text(text)
    done = CliRunner().invoke(main, ["check", str(tmp_path / "config.yaml")])
    assert done.exit_code == 0, done.output


def documents(text: str) -> list[Any]:
    """One JSON document, or one a line."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


def schema_of(document: Any) -> str | None:
    """The schema that a document of driftline must follow."""
    if not isinstance(document, dict) or "start_ms" not in document:
        return None
    return "signal" if "episode" in document else "report"


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_can_be_parsed_and_reports_and_signals_follow_their_schemas(block: Block) -> None:
    for document in documents(block.text):
        name = schema_of(document)
        if name is not None:
            schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text())
            jsonschema.validate(document, schema)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each simple command of a shell block, without assignments before it.

    The command whose output is an argument is a command of its own. The file that takes the output
    of a command is not one of its words.
    """
    for line in REDIRECTION.sub("", text.replace("\\\n", " ")).splitlines():
        if inner := SUBSTITUTION.search(line):
            yield from commands(inner[1])
        lexer = shlex.shlex(SUBSTITUTION.sub("OUTPUT", line), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();<>|&"):
                if words:
                    yield words
                words = []
            elif words or not re.fullmatch(r"\w+=.*", word):
                words.append(word)


def faults_of(words: list[str]) -> Iterator[str]:
    """What does not exist of the things that a command names."""
    program, *arguments = words
    if program.startswith(".venv/bin/"):
        program = program.removeprefix(".venv/bin/")
    check = CHECKS.get(program)
    if program not in PROGRAMS:
        yield f"unknown program {program}"
    elif check is not None:
        yield from check(arguments)


def driftline_faults(arguments: list[str]) -> Iterator[str]:
    if not arguments or arguments[0].startswith("-"):
        return
    command = main.commands.get(arguments[0])
    if command is None:
        yield f"no subcommand {arguments[0]}"
        return
    context = click.Context(command, info_name=arguments[0])
    try:
        values, _, _ = command.make_parser(context).parse_args(arguments[1:])
    except click.UsageError as error:
        yield str(error.format_message())
        return
    for parameter in command.params:
        value = values.get(parameter.name or "")
        choices = parameter.type.choices if isinstance(parameter.type, click.Choice) else ()
        if choices and isinstance(value, str) and value not in choices:
            yield f"{parameter.name}: no choice {value}"


def make_faults(arguments: list[str]) -> Iterator[str]:
    for word in arguments:
        if "=" in word:
            name = word.partition("=")[0]
            if not re.search(rf"\$\({name}\)", MAKEFILE):
                yield f"no variable {name}"
        elif word not in TARGETS:
            yield f"no target {word}"


def python_faults(arguments: list[str]) -> Iterator[str]:
    if arguments[:1] != ["-m"] or len(arguments) < 2:
        return
    if importlib.util.find_spec(arguments[1]) is None:
        yield f"no module {arguments[1]}"
    for word in arguments[2:]:
        if re.match(r"(tests|docs|demo|benchmarks)/", word) and not (ROOT / word).exists():
            yield f"no file {word}"


CHECKS: dict[str, Callable[[list[str]], Iterator[str]]] = {
    "driftline": driftline_faults,
    "make": make_faults,
    "python": python_faults,
    "python3": python_faults,
}


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_shell_commands_name_what_exists(block: Block) -> None:
    assert list(commands(block.text))
    assert [fault for words in commands(block.text) for fault in faults_of(words)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_code_spans_name_what_exists(page: Path) -> None:
    """Spans that begin with one of the checked programs; ``...`` stands for any arguments."""
    named = [
        words
        for span in spans(page)
        if re.match(r"(\.venv/bin/)?(driftline|make|python) [\w-]", span) and "..." not in span
        for words in commands(span)
    ]
    assert [fault for words in named for fault in faults_of(words)] == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("driftline chek config.yaml", "no subcommand chek"),
        ("driftline run config.yaml --stand-by", "No such option"),
        ("driftline run config.yaml --log yaml", "log: no choice yaml"),
        ("KEY=value make tests", "no target tests"),
        ("make lock UPGRADED=yes", "no variable UPGRADED"),
        ("cd /tmp && python -m tests.nothing", "no module tests.nothing"),
        ("python -m pytest tests/nothing", "no file tests/nothing"),
        ("frobnicate --all", "unknown program frobnicate"),
    ],
)
def test_a_command_that_does_not_exist_is_found(command: str, fault: str) -> None:
    (reported,) = [text for words in commands(command) for text in faults_of(words)]
    assert reported.startswith(fault)


def can_be_run(words: list[str], configured: bool) -> bool:
    """Whether a command runs without a server: on the quickstart job, and with real arguments.

    ``configured``: its page shows a configuration of another job, whose source is not there.
    """
    return (
        words[0] == "driftline"
        and not {"--live", "--standby"} & set(words)
        and not any(PLACEHOLDER.match(word) or word.startswith("s3://") for word in words)
        and not (configured and "run" in words)
    )


@pytest.mark.parametrize(
    "page",
    [page for page in pages_with("sh") if name_of(page) not in RUN_BY_OTHER_TESTS],
    ids=name_of,
)
def test_commands_that_need_no_server_run(
    page: Path, finished_quickstart: Path, tmp_path: Path
) -> None:
    """A run begins without a state: a state belongs to the folder that its source was read from."""
    folder = tmp_path / "job"
    shutil.copytree(
        finished_quickstart, folder, ignore=shutil.ignore_patterns("driftline-*.sqlite*")
    )
    own = [block for block in blocks_of(page) if block.language == "yaml"]
    if own:
        (folder / "config.yaml").write_text(configuration(own[0]))
    for block in blocks_of(page):
        for words in commands(block.text) if block.language == "sh" else []:
            if can_be_run(words, bool(own)):
                done = driftline(folder, *words[1:])
                assert done.returncode == 0, (str(block), words, done.stderr)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_can_be_parsed(block: Block) -> None:
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("block", blocks("promql"), ids=str)
def test_queries_use_documented_metrics(block: Block) -> None:
    documented = re.findall(
        r"^\| `(\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE
    )
    used = re.findall(r"driftline_\w+", block.text)
    assert used
    assert set(used) <= set(documented)
    assert block.text.count("(") == block.text.count(")")


@pytest.mark.parametrize("block", blocks("mermaid"), ids=str)
def test_diagrams_are_complete(block: Block) -> None:
    """Each group is ended, and each arrow leads to a name that has a text."""
    lines = [line.strip() for line in block.text.splitlines()]
    assert re.match(r"(flowchart|graph|sequenceDiagram|stateDiagram)", lines[0])
    assert sum(line.startswith("subgraph ") for line in lines) == lines.count("end")
    if lines[0].startswith(("flowchart", "graph")):
        defined = set(re.findall(r"\b(\w+)[\[({]", block.text))
        sources = {line.split()[0].split("[")[0] for line in lines if "->" in line}
        targets = set(re.findall(r"->(?:\|[^|]*\|)? *(\w+)", block.text))
        assert targets
        assert sources | targets <= defined
