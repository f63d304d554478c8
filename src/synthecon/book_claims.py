"""Sphinx extension of the book: the claims board, from book/claims.yml and the run records.

claims.yml says what the playbook claims, in its order, and for each claim which recorded claim
tests it, which module will, or why none can.  Verdicts, regimes and intervals come from the
records.  A recorded claim that is missing on the board is a warning, and so is an entry without
its record: warnings are errors in the build, so nothing inconvenient can be left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from synthecon import Problem, book_playbooks, notebooks, paths, records
from synthecon.book_ext import (
    SYLLABUS,
    anchor,
    inline,
    link,
    number,
    paragraph,
    place_of,
    table,
    verdict_classes,
    watch,
    with_interval,
)

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CLAIMS = "book/claims.yml"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One claim of the playbook.

    says: the claim in our words; part: where the playbook makes it.  Exactly one of: tested, a list
    of (notebook#claim, figure name) pairs; planned, the title of the module that will test it;
    untestable, the reason.
    """

    part: str
    says: str
    tested: Sequence[tuple[str, str]] = ()
    planned: str = ""
    untestable: str = ""

    @property
    def place(self) -> str:
        return nodes.make_id(f"claim {self.part} {self.says}")


@dataclass(frozen=True)
class Board:
    """The entries, the recorded claims by record id and name, and what is amiss."""

    entries: Sequence[Entry]
    found: dict[str, dict[str, tuple[records.RunRecord, records.Claim]]]
    amiss: list[str] = field(default_factory=list)


def read(text: str) -> list[Entry]:
    """The entries of claims.yml.

    Raises:
        ValueError: an entry without text, with an unknown key, or not exactly one way to settle it.
    """
    entries = []
    for part in yaml.safe_load(text):
        for raw in part["claims"]:
            pairs = tuple((t["claim"], t["figure"]) for t in raw.get("tested", ()))
            rest = {k: v for k, v in raw.items() if k != "tested"}
            try:
                entry = Entry(part["part"], tested=pairs, **rest)
            except TypeError as error:
                raise ValueError(f"{CLAIMS}: {raw}: {error}") from None
            if bool(entry.tested) + bool(entry.planned) + bool(entry.untestable) != 1:
                raise ValueError(
                    f"{CLAIMS}: {entry.says}: say one of tested, planned and untestable"
                )
            entries.append(entry)
    return entries


def board(
    entries: Sequence[Entry], all_records: dict[str, records.RunRecord], modules: dict[str, bool]
) -> Board:
    """Match entries and recorded claims.

    modules: the syllabus' module titles, and whether each has a notebook by now.
    """
    found: dict[str, dict[str, tuple[records.RunRecord, records.Claim]]] = {}
    for record in all_records.values():
        for claim in record.claims:
            runs = found.setdefault(f"{record.notebook}#{claim.name}", {})
            runs[record.id] = (record, claim)
    amiss, shown = [], Counter(name for e in entries for name, _ in e.tested)
    for entry in entries:
        for name, figure in entry.tested:
            notebook = name.partition("#")[0]
            if f"cpu/{notebook}" not in found.get(name, {}):
                amiss.append(f"{entry.says}: {notebooks.unknown('claim', name, found)}")
            elif figure not in figures(notebook):
                amiss.append(f"{entry.says}: {notebook} has no figure {figure}")
        if entry.planned and modules.get(entry.planned) is not False:
            state = "has its notebook now" if entry.planned in modules else "is not on the syllabus"
            amiss.append(f"{entry.says}: the module {entry.planned!r} {state}")
    amiss += [f"{name} is recorded and not on the board" for name in found if not shown[name]]
    amiss += [f"{name} stands on the board {n} times" for name, n in shown.items() if n > 1]
    return Board(entries, found, amiss)


def figures(notebook: str) -> set[str]:
    """The names of a notebook's figures."""
    cells = notebooks.read(notebooks.path(notebook))["cells"]
    shown = (c["metadata"].get("mystnb", {}).get("figure", {}) for c in cells)
    return {f["name"] for f in shown if "name" in f}


class ClaimsBoard(SphinxDirective):
    """A line for each claim of the playbook, then each with its tests.

    playbooks: the page of the playbook that serves each recorded claim.
    """

    playbooks: dict[str, str]

    def run(self) -> list[nodes.Node]:
        files = [paths.root() / CLAIMS, paths.root() / SYLLABUS]
        for file in files:
            self.env.note_dependency(str(file))
        text, lessons = (f.read_text(encoding="utf-8") for f in files)
        known = watch(self.env)
        try:
            made = board(read(text), known.all, modules(yaml.safe_load(lessons)))
        except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            made = Board([], {}, [f"{CLAIMS}: {error}"])
        try:
            self.playbooks = book_playbooks.pages(self.env)
        except Problem as problem:
            made.amiss.append(str(problem))
        for problem in made.amiss:
            LOG.warning("claims board: %s", problem, location=self.get_location())
        if made.amiss:
            return []
        parts = dict.fromkeys(e.part for e in made.entries if e.tested)
        return [self.count(made), self.summary(made), *(self.part(made, p) for p in parts)]

    def count(self, made: Board) -> nodes.paragraph:
        """How many claims got which verdict."""
        tested = [e for e in made.entries if e.tested]
        verdicts = Counter(claim.verdict for e in tested for _, claim in self.judged(made, e))
        planned = sum(bool(e.planned) for e in made.entries)
        parts: list[str | nodes.Node] = [
            f"{len(made.entries)} claims: {len(tested)} tested, {planned} wait for a module, "
            f"{len(made.entries) - len(tested) - planned} cannot be tested here. "
            "Verdicts on the tested ones, one a test:"
        ]
        for place, (verdict, n) in enumerate(sorted(verdicts.items())):
            parts += [", " if place else " ", inline(verdict, *verdict_classes(verdict)), f" {n}"]
        return paragraph(*parts, ".")

    def judged(
        self, made: Board, entry: Entry
    ) -> Iterator[tuple[records.RunRecord, records.Claim]]:
        for name, _ in entry.tested:
            yield made.found[name][f"cpu/{name.partition('#')[0]}"]

    def settled(self, made: Board, entry: Entry) -> list[nodes.paragraph]:
        """The verdicts; else where the test will be, or why there is none."""
        if entry.planned:
            return [paragraph(inline("planned", "badge-planned"), f" {entry.planned}")]
        if entry.untestable:
            badge = inline("not testable here", "badge-planned")
            return [paragraph(badge), paragraph(entry.untestable)]
        shown = []
        for (name, _), (_, claim) in zip(entry.tested, self.judged(made, entry), strict=True):
            cell = paragraph(inline(claim.verdict, *verdict_classes(claim.verdict)))
            if len(entry.tested) > 1:  # which of them got it
                words = claim.name.replace("-", " ")
                which = nodes.reference("", words, internal=True, refid=place_of(name))
                cell += [nodes.Text(" "), which]
            shown.append(cell)
        return shown

    def summary(self, made: Board) -> nodes.table:
        rows = []
        for entry in made.entries:
            says: nodes.Node = nodes.Text(entry.says)
            if entry.tested:
                says = nodes.reference("", entry.says, internal=True, refid=entry.place)
            rows.append([[paragraph(says)], [paragraph(entry.part)], self.settled(made, entry)])
        return table(("Claim", "Where", "Verdict"), rows, "claims")

    def part(self, made: Board, title: str) -> nodes.section:
        section = nodes.section("", nodes.title("", title), ids=[anchor(title)], names=[title])
        for entry in made.entries:
            if entry.part == title and entry.tested:
                section += self.card(made, entry)
        return section

    def card(self, made: Board, entry: Entry) -> nodes.container:
        says = nodes.paragraph("", "", nodes.strong("", entry.says))
        card = nodes.container("", says, ids=[entry.place], classes=["claim"])
        for (name, figure), (record, claim) in zip(
            entry.tested, self.judged(made, entry), strict=True
        ):
            card += self.evidence(made, name, figure, record, claim)
            card += self.regimes(record, claim)
        return card

    def evidence(
        self, made: Board, name: str, figure: str, record: records.RunRecord, claim: records.Claim
    ) -> nodes.paragraph:
        """Verdict, what was tested, and the ways to figure, record and runs elsewhere."""
        builder, notebook = self.env.app.builder, record.notebook
        page = builder.get_relative_uri(self.env.docname, f"notebooks/{notebook}")
        parts: list[str | nodes.Node] = [
            self.verdict(record, claim),
            f" {claim.text.rstrip('.')}. ",
            nodes.reference("", "Figure", internal=True, refuri=f"{page}#{figure}"),
            " · ",
            link(self.env, f"{record.id}#{claim.name}", "record", f"{record.id}#{claim.name}"),
            f" · seeds:\N{NO-BREAK SPACE}{len(record.seeds)}",
        ]
        if name in self.playbooks:
            page = book_playbooks.to(self.env, self.playbooks[name], "playbook")
            parts += [" · ", page]
        for key, (other, again) in sorted(made.found[name].items()):
            if key != record.id:
                parts += [f" · on {other.folder}, {other.variant}: ", self.verdict(other, again)]
        told = paragraph(*parts)
        told["ids"] = [place_of(name)]
        return told

    def verdict(self, record: records.RunRecord, claim: records.Claim) -> nodes.Node:
        full_id = f"{record.id}#{claim.name}"
        return link(self.env, full_id, claim.verdict, claim.why, *verdict_classes(claim.verdict))

    def regimes(self, record: records.RunRecord, claim: records.Claim) -> nodes.table:
        rows = []
        for test in claim.tests:
            m = record.measurement(test.measurement)
            measured = link(
                self.env,
                f"{record.id}#{m.name}",
                with_interval(m, digits(m)),
                m.title,
            )
            wanted = f"{test.better} {number(test.smallest_effect, 'g', m.unit)}"
            badge = inline(test.verdict, *verdict_classes(test.verdict))
            cells = (nodes.Text(test.regime), nodes.Text(wanted), measured, badge)
            rows.append([[paragraph(cell)] for cell in cells])
        return table(("Regime", "Wanted", "Measured", "Verdict"), rows, "claims")


def digits(m: records.Measurement) -> str:
    """The format that shows two significant digits of the interval's width."""
    width = (m.high or 0.0) - (m.low or 0.0)
    return f",.{max(0, 1 - math.floor(math.log10(width)))}f" if width > 0 else ".4g"


def modules(lessons: Sequence[dict[str, Any]]) -> dict[str, bool]:
    """Each module of the syllabus, and whether its notebook exists."""
    return {
        m["title"]: "notebook" in m and notebooks.path(m["notebook"]).is_file()
        for lesson in lessons
        for m in lesson["modules"]
    }


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("claims", ClaimsBoard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
