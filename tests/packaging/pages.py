"""The pages of the project in Markdown: their code blocks, code spans, links and headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from tests.support.paths import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^( *)(`{3,})(\S*) *([^\n`]*)\n(.*?)^\1\2$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(`+) ?(.+?) ?\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of code: its page, first line, language, the words after it, and the text."""

    page: Path
    line: int
    language: str
    words: str
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """The path of a page within the project."""
    return str(page.relative_to(ROOT))


def blocks(*languages: str) -> list[Block]:
    """The blocks of all pages in some languages; of every language without an argument."""
    return [
        block
        for page in PAGES
        for block in blocks_of(page)
        if not languages or block.language in languages
    ]


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of one page."""
    text = page.read_text()
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page=page, line=line, language=match[3], words=match[4], text=dedent(match[5]))


def prose(page: Path) -> str:
    """A page without its blocks."""
    return FENCE.sub("", page.read_text())


def spans(page: Path) -> list[str]:
    """The code spans of a page, each on one line."""
    return [" ".join(match[2].split()) for match in SPAN.finditer(prose(page))]


def links(page: Path) -> list[str]:
    """The targets of a page's links within the project."""
    targets = LINK.findall(SPAN.sub("", prose(page)))
    return [target for target in targets if "://" not in target and "mailto:" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub forms them."""
    seen = Counter[str]()
    slugs = set()
    for heading in HEADING.findall(prose(page)):
        title = LINK.sub("", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-")
        slugs.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return slugs
