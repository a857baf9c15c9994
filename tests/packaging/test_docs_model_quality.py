"""The worked example of docs/model-quality.md runs as it stands, and its tables are complete.

The example is followed block by block in an empty folder: a program or a configuration is saved
under the name that the text before it gives, commands are run, and each line of output that the
page shows must be in what the commands before it printed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml

from detectors.quality.config import QualityConfig
from detectors.quality.counts import QualityCounts
from detectors.quality.custom import CustomBatch, metric_class
from detectors.quality.error_detectors import AnyErrorDetector
from detectors.quality.problem import problem_of
from stream.labels.join import OUTCOMES
from stream.state.store import Store
from tests.packaging.conftest import driftline
from tests.packaging.pages import FENCE, blocks_of
from tests.packaging.test_docs_blocks import commands
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "model-quality.md"
TEXT = PAGE.read_text()
CONSTANT = "_best_constant_classifier"
NAMED = re.compile(r"Save as `([\w.-]+)`:?\s*$")


def section(heading: str, level: int = 2) -> str:
    """The text of a section of the page."""
    marks = "#" * level
    return TEXT.split(f"\n{marks} {heading}\n")[1].split("\n## ")[0].split(f"\n{marks} ")[0]


def steps(of_section: str) -> Iterator[tuple[str, str, str]]:
    """The blocks of a section in order: language, text, and the name under which it is saved."""
    before = 0
    for match in FENCE.finditer(of_section):
        named = NAMED.search(of_section[before : match.start()])
        yield match[3], match[5], named[1] if named else ""
        before = match.end()


def run(folder: Path, words: list[str]) -> str:
    """Run a command as the page has it; returns what it prints."""
    if words[0] == "driftline":
        done = driftline(folder, *words[1:])
    else:
        program = [sys.executable] if words[0] == "python" else [words[0]]
        done = subprocess.run(
            [*program, *words[1:]],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str]]]:
    """The folder of a reader who followed the example; lines that the page shows, with outputs."""
    folder = tmp_path_factory.mktemp("model-quality")
    shown: list[tuple[str, str]] = []
    output = ""
    for language, text, name in steps(section("A worked example")):
        if name:
            (folder / name).write_text(text)
        elif language == "sh":
            output = "\n".join(run(folder, words) for words in commands(text))
        else:
            shown += [(line, output) for line in text.splitlines()]
    return folder, shown


def test_the_example_prints_what_the_page_shows(
    followed: tuple[Path, list[tuple[str, str]]],
) -> None:
    _, shown = followed
    assert len(shown) > 15
    missing = [line for line, output in shown if not is_in(line, output)]
    assert missing == []


def is_in(line: str, output: str) -> bool:
    """Whether a line was printed, whatever the widths of its columns."""
    return " ".join(line.split()) in [" ".join(printed.split()) for printed in output.splitlines()]


def test_a_line_that_was_not_printed_is_found() -> None:
    assert is_in("f1   0.25", "auc 0.1\nf1 0.25 \n")
    assert not is_in("f1 0.2", "auc 0.1\nf1 0.25\n")


def test_the_numbers_of_the_ledger_are_those_of_the_example(
    followed: tuple[Path, list[tuple[str, str]]],
) -> None:
    folder, _ = followed
    store = Store(folder / "driftline-churn.sqlite")
    stored = store.load()
    store.close()
    assert stored is not None
    assert stored.state.labels is not None
    ledger = stored.state.labels.ledger
    said = section("The ledger of labels").replace("\n", " ")
    assert sum(ledger.labels.values()) == sum(ledger.read.values())
    assert f"{sum(ledger.read.values()):,} labels were read" in said
    assert f"{ledger.labels['matched']:,} matched" in said
    assert f"The other {ledger.labels['waiting']}" in said
    assert f"{ledger.predictions['labelled']:,} of {ledger.predictions['taken']:,}" in said
    assert f"{ledger.predictions['expired']} have expired, and" in said
    assert f"{ledger.predictions['waiting']} still wait" in said
    assert sorted(ledger.labels.values())[:3] == [1, 1, 1]


def test_the_page_has_all_outcomes_of_the_join_and_of_the_sample() -> None:
    table = section("The ledger of labels").split("| outcome of a prediction |")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert named == {*OUTCOMES, "expired", "not_sampled", "too_many_classes"}


@pytest.mark.parametrize(
    ("heading", "problem"),
    [("Binary", "binary"), ("Multiclass", "multiclass"), ("Regression", "regression")],
)
def test_the_page_has_all_metrics_of_a_problem(heading: str, problem: str) -> None:
    cells = re.findall(r"^\| (`.+?`) \| ", section(heading, 3), re.MULTILINE)
    documented = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    config = QualityConfig(problem=problem)  # type: ignore[arg-type]  # a text of the parameters
    measured = problem_of(config).measure(QualityCounts(), ("0", "1"), 0.95)
    names = {
        f"*{CONSTANT}" if metric.name.endswith(CONSTANT) else metric.name
        for metric in measured.metrics
    }
    assert documented == names


def example_class() -> str:
    """The program that the page saves as ``costs.py``."""
    of_name = {name: text for _, text, name in steps(section("Metrics of your own"))}
    return of_name["costs.py"]


def test_the_class_of_the_page_is_a_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One lost customer and one call in vain of four; the lost one is withdrawn again."""
    (tmp_path / "costs_of_the_page.py").write_text(example_class())
    monkeypatch.syspath_prepend(tmp_path)
    cost = metric_class("cost", "costs_of_the_page:Cost")
    first, second = cost(), cost()
    none = np.full(4, np.nan)
    first.update(
        CustomBatch(
            np.array([0.0, 1.0, 1.0, 0.0]), none, np.array([1.0, 0.0, 1.0, 0.0]), np.ones(4, int)
        )
    )
    assert first.value() == 6.0 / 4
    second.update(CustomBatch(np.zeros(1), none[:1], np.ones(1), np.array([-1])))
    first.merge(second)
    assert first.value() == 1.0 / 3
    assert cost().value() is None


def test_every_error_detector_is_named() -> None:
    said = section("Detectors of the error").lower().replace("-", "_")
    types = [detector.__struct_config__.tag for detector in get_args(AnyErrorDetector)]
    assert [name for name in types if name not in said] == []


def test_keys_of_a_quality_are_accepted_in_the_configuration_of_the_example(
    followed: tuple[Path, list[tuple[str, str]]],
) -> None:
    """Blocks that other tests only parse hold keys of ``quality``."""
    folder, _ = followed
    whole, *fragments = [block.text for block in blocks_of(PAGE) if block.words == "other"]
    assert len(fragments) > 1
    (folder / "costs.py").write_text(example_class())
    for fragment in fragments:
        config = yaml.safe_load(whole)
        config["models"]["churn"]["quality"] |= yaml.safe_load(fragment)
        (folder / "fragment.yaml").write_text(yaml.safe_dump(config))
        assert "fragment.yaml: ok" in run(folder, ["driftline", "check", "fragment.yaml"])
