"""Links, files, packages and pages that the documentation names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.packaging.pages import PAGES, anchors, links, name_of, prose, spans
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "adr").glob("0*.md"))
FILE = re.compile(r"(?:stream|detectors|sinks|tests|docs|deploy|demo|benchmarks)/[\w./*-]*")


def broken(page: Path, link: str) -> bool:
    """Whether a link leads to no file, or to no heading of its page."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return True
    return bool(anchor) and (target.suffix != ".md" or anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert [link for link in links(page) if broken(page, link)] == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title: `code`, and more\n\n## Same\n\n## Same\n")
    assert anchors(page) == {"a-title-code-and-more", "same", "same-1"}
    assert not broken(page, "#same-1")
    assert not broken(page, "page.md#a-title-code-and-more")
    assert broken(page, "#another")
    assert broken(page, "missing.md")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_of_the_project_that_a_page_names_exists(page: Path) -> None:
    named = {span for span in spans(page) if FILE.fullmatch(span) and "NAME" not in span}
    folders = {ROOT, page.parent}
    missing = {path for path in named if not any(any(f.glob(path)) for f in folders)}
    assert missing == set()


def test_the_architecture_page_names_every_package() -> None:
    named = set(spans(DOCS / "ARCHITECTURE.md"))
    packages = {
        f"{path.parent.relative_to(ROOT)}/"
        for top in ("stream", "detectors", "sinks")
        for path in (ROOT / top).glob("*/__init__.py")
    }
    assert packages - named == set()


def test_the_index_names_every_page() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "README.md")}
    assert {page for page in DOCS.glob("*.md") if page.name != "README.md"} - linked == set()


def test_the_index_of_decisions_has_the_title_and_link_of_each() -> None:
    index = (DOCS / "adr" / "README.md").read_text()
    rows = re.findall(r"^\| \[(\d+)\]\((\S+)\) \| (.+?) \| .+ \|$", index, re.MULTILINE)
    titles = [page.read_text().splitlines()[0].removeprefix("# ") for page in DECISIONS]
    assert [f"{number}. {title}" for number, _, title in rows] == titles
    assert [link for _, link, _ in rows] == [page.name for page in DECISIONS]


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_has_status_context_decision_and_consequence(page: Path) -> None:
    parts = re.findall(r"^\*\*(\w+)\.\*\*", prose(page), re.MULTILINE)
    required = ["Status", "Context", "Decision", "Consequence"]
    assert [part for part in parts if part in required] == required
