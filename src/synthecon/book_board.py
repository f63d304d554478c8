"""Sphinx extension: the board's documents of the worked companies, beside the pages.

The directive `board-documents` prints their table.  When the pages are built, the documents are
copied to board/COMPANY/: those below _build/board where they are newer than everything they are
made from, else made anew.  Same case, same bytes, so the site has the same bytes too.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from synthecon import Problem, checks, paths
from synthecon.book_ext import paragraph, table
from synthecon.economics import model as models
from synthecon.strategy import board, facts

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "board"
DOCUMENTS = {
    "The memo: one page, one decision": ("memo.pdf", "memo.docx"),
    "The press release, with the questions of the board": ("press.pdf", "press.docx"),
    "Five slides, with charts that can be edited": ("deck.pptx",),
    "The dashboard, a page of its own": ("dashboard.html",),
    "The appendix: each number, and where it comes from": ("appendix.pdf",),
    "The three-year model with live formulas": ("model.xlsx",),
}


def company(folder: str) -> str:
    """The name of the company of a case folder."""
    return tomllib.loads((paths.root() / folder / "policy.toml").read_text("utf-8"))["name"]


def advice(folder: str) -> str:
    """What the documents of a case recommend, and the money that they ask for."""
    made = documents(paths.root() / folder)
    told = json.loads((made / "facts.json").read_text("utf-8"))
    return f"{told['recommendation']['text']}; {told['ask.amount']['text']} asked"


class Documents(SphinxDirective):
    """A row a document, a column a company."""

    def run(self) -> list[nodes.Node]:
        for folder in checks.CASES:
            self.env.note_dependency(str(paths.root() / folder / "policy.toml"))
        names = {folder: company(folder) for folder in checks.CASES}
        rows = [
            [[paragraph("What it recommends")], *([paragraph(advice(f))] for f in names)],
        ]
        rows += [
            [[paragraph(what)], *([self.links(folder, files)] for folder in checks.CASES)]
            for what, files in DOCUMENTS.items()
        ]
        return [table(("Document", *names.values()), rows, "documents")]

    def links(self, folder: str, files: tuple[str, ...]) -> nodes.paragraph:
        up = "../" * self.env.docname.count("/")
        parts: list[str | nodes.Node] = []
        for name in files:
            to = f"{up}{FOLDER}/{folder}/{name}"
            parts += [", ", nodes.reference("", name, internal=True, refuri=to)]
        return paragraph(*parts[1:])


def sources(folder: Path) -> Iterator[Path]:
    """Every file that the documents of a case are made from."""
    for top in (folder, paths.results(), paths.root() / "src"):
        for file in top.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def up_to_date(made: Path, folder: Path) -> bool:
    """Whether every document is there, and none is older than what it is made from."""
    files = [made / name for names in (*DOCUMENTS.values(), ("facts.json",)) for name in names]
    if not all(file.is_file() for file in files):
        return False
    oldest = min(file.stat().st_mtime for file in files)
    return oldest >= max((file.stat().st_mtime for file in sources(folder)), default=0.0)


def documents(folder: Path) -> Path:
    """The folder that holds the documents of a case, made anew if they are absent or old.

    Raises:
        Problem: the case cannot be read, or a document cannot be made.
    """
    made = paths.out() / FOLDER / folder.name
    if not up_to_date(made, folder):
        model = models.load(folder)
        for name, content in board.documents(model, facts.collect(model)).items():
            paths.write_atomic(made / name, content)
    return made


def copy(app: Sphinx, error: Exception | None) -> None:
    """Put the documents beside the pages."""
    if error is not None:
        return
    for folder in checks.CASES:
        target = Path(app.outdir, FOLDER, folder)
        target.mkdir(parents=True, exist_ok=True)
        try:
            made = documents(paths.root() / folder)
        except Problem as problem:
            raise ExtensionError(str(problem)) from None
        for name in (name for names in DOCUMENTS.values() for name in names):
            shutil.copyfile(made / name, target / name)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("board-documents", Documents)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
