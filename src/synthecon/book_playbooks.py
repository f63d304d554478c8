"""Sphinx extension of the book: the pages of the playbooks, from book/vault/playbooks.yml.

A page is a title and a directive; everything else comes from the data file, the run records and the
diagnosis of both companies.  A playbook that does not fit notebooks and records is a warning, and
warnings are errors in the build.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from synthecon import Problem, checks, paths
from synthecon.book_ext import inline, link, paragraph, place_of, table, verdict_classes, watch
from synthecon.vault import diagnose, known, playbooks
from synthecon.vault.diagnose import Diagnosis, Finding
from synthecon.vault.playbooks import Playbook

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

SILENT = '<summary><span class="toctree-toggle"'
BOARD = "book/claims"
LOG = logging.getLogger(__name__)
STATES = {diagnose.APPLIES: "open", diagnose.NOT: "quiet", diagnose.OPEN: "quiet"}


class Shown:
    """What one build shows: the playbooks and both diagnoses; read once."""

    def __init__(self, env: BuildEnvironment) -> None:
        runs = watch(env).all
        self.shelf = playbooks.load()
        self.wrong = playbooks.judge(self.shelf, runs)
        self.all = [
            diagnose.diagnose(known.read(paths.root() / name), self.shelf, runs)
            for name in checks.CASES
        ]

    def of(self, playbook: Playbook) -> list[tuple[Diagnosis, Finding]]:
        """What each company's diagnosis says of a playbook."""
        return [
            (found, next(f for f in found.findings if f.playbook.id == playbook.id))
            for found in self.all
        ]


def shown(env: BuildEnvironment) -> Shown:
    """The build's playbooks.

    Raises:
        Problem: they, or a company's folder, cannot be read.
    """
    watch(env)
    env.note_dependency(str(playbooks.file()))
    if not hasattr(env.app, "synthecon_playbooks"):
        env.app.synthecon_playbooks = Shown(env)  # type: ignore[attr-defined]
    return env.app.synthecon_playbooks  # type: ignore[attr-defined]


def pages(env: BuildEnvironment) -> dict[str, str]:
    """The page of the playbook that serves each recorded claim; none where a book has none."""
    file = playbooks.file()
    if not file.is_file():
        return {}
    env.note_dependency(str(file))
    return {
        served.claim: f"{playbooks.PAGES}/{playbook.id}"
        for playbook in playbooks.load().playbooks
        for served in playbook.claims
    }


def to(env: BuildEnvironment, page: str, text: str) -> nodes.reference:
    """A link to another page of the book."""
    uri = env.app.builder.get_relative_uri(env.docname, page)
    return nodes.reference("", text, internal=True, refuri=uri)


def badge(finding: Finding) -> nodes.inline:
    return inline(finding.state, "badge-record", f"state-{STATES[finding.state]}")


def labelled(found: Diagnosis, text: str) -> nodes.paragraph:
    """A number with its company's name, which shows where a row has become a block."""
    return paragraph(inline(f"{short(found)}: ", "on-phone"), text)


def short(found: Diagnosis) -> str:
    return found.known.policy.name.split()[0]


class _Directive(SphinxDirective):
    def show(self, made: Shown) -> list[nodes.Node]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        try:
            made = shown(self.env)
            if not made.wrong:
                return self.show(made)
            wrong: Sequence[str] = made.wrong
        except Problem as problem:
            wrong = str(problem).splitlines()
        for line in wrong:
            LOG.warning("playbooks: %s", line, location=self.get_location())
        return []


class OnePlaybook(_Directive):
    """A playbook in full: {playbook} ID."""

    required_arguments = 1

    def show(self, made: Shown) -> list[nodes.Node]:
        playbook = made.shelf.find(self.arguments[0])
        both = made.of(playbook)
        found: list[nodes.Node] = [
            paragraph(
                "For the notebook ",
                to(self.env, f"notebooks/{playbook.notebook}", playbook.notebook),
                " · all ",
                to(self.env, f"{playbooks.PAGES}/index", "playbooks"),
                " · claims on ",
                to(self.env, BOARD, "the board"),
                classes=["badges"],
            ),
            paragraph(nodes.strong("", "You notice. "), playbook.symptom),
            self.trigger(playbook, both),
            table(
                ("Company", "Reads", "Limit", "State", "Leaks a month"),
                [self.reading(*pair) for pair in both],
                "playbooks",
            ),
            paragraph(nodes.strong("", "What the records say."), f" {playbooks.TESTED}"),
            table(
                ("Claim", "Verdict", "So"),
                [self.claim(both[0][0], served) for served in playbook.claims],
                "playbooks",
            ),
            paragraph(nodes.strong("", "Three steps.")),
            self.steps(playbook, both),
            self.exit(playbook, both[0][1].exit),
        ]
        return [nodes.container("", *found, classes=["playbook"])]

    def trigger(self, playbook: Playbook, both: Sequence[tuple[Diagnosis, Finding]]) -> nodes.Node:
        limit = playbook.trigger
        return paragraph(
            nodes.strong("", "It counts when "),
            f"this number lies {limit.better} its limit. {limit.says}: ",
            nodes.literal("", limit.source),
            ". The limit is row ",
            nodes.literal("", limit.threshold),
            " of the ledger: ",
            self.source(both[0][0], limit.threshold),
        )

    def source(self, found: Diagnosis, name: str) -> str:
        """Who says so."""
        row = found.known.book.rows.get(name)
        if row is None:
            return "it follows from other rows."
        note = f" {row.note}" if row.note else ""
        return f"{row.source_type}.{note}"

    def reading(self, found: Diagnosis, finding: Finding) -> list[list[nodes.Node]]:
        reading, name = finding.reading, found.known.policy.name
        value = limit = "not known"
        if reading:
            value = diagnose.told_in(reading, reading.value)
            side = finding.playbook.trigger.better
            limit = f"{side} {diagnose.told_in(reading, reading.threshold)}"
        money = f"{found.known.currency} {diagnose.amount(finding.money)}"
        cells: list[str | nodes.Node] = [
            name, value, limit, badge(finding),
            money if finding.playbook.leaks else "none of its own",
        ]  # fmt: skip
        return [[paragraph(cell)] for cell in cells]

    def claim(self, found: Diagnosis, served: playbooks.Served) -> list[list[nodes.Node]]:
        name, verdict = served.claim.partition("#")[2], found.verdicts[served.claim]
        full = f"cpu/{served.claim}"
        word = link(self.env, full, verdict, full, *verdict_classes(verdict))
        so = served.instead or "You may build on it, within what the record measured."
        board = self.env.app.builder.get_relative_uri(self.env.docname, BOARD)
        uri = f"{board}#{place_of(served.claim)}"
        card = nodes.reference("", "", nodes.literal("", name), internal=True, refuri=uri)
        return [[paragraph(card)], [paragraph(word)], [paragraph(so)]]

    def steps(self, playbook: Playbook, both: Sequence[tuple[Diagnosis, Finding]]) -> nodes.table:
        rows = []
        for place, step in enumerate(playbook.steps):
            costs = [
                labelled(found, self.cost(found, finding, place))
                for found, finding in both
            ]  # fmt: skip
            rows.append(
                [
                    [
                        paragraph(f"{place + 1}. {step.do}"),
                        nodes.paragraph("", "", self.run_text(step.run)),
                    ],
                    [paragraph(step.owner)],
                    [paragraph(time(step.hours, step.days))],
                    *([cost] for cost in costs),
                ]
            )
        hours, days = (sum(getattr(s, k) for s in playbook.steps) for k in ("hours", "days"))
        rows.append(
            [
                [paragraph(nodes.strong("", "Together"))],
                [paragraph("")],
                [paragraph(time(hours, days))],
                *([labelled(found, self.cost(found, finding, None))] for found, finding in both),
            ]
        )
        names = [short(found) for found, _ in both]
        return table(("Step", "Owner", "Time", *names), rows, "playbooks")

    def run_text(self, run: str) -> nodes.Node:
        if run.endswith(".ipynb") and run.startswith("notebooks/"):
            return to(self.env, run.removesuffix(".ipynb"), run)
        return nodes.literal("", run)

    def cost(self, found: Diagnosis, finding: Finding, place: int | None) -> str:
        if finding.price is None:
            return "no rate"
        cost = finding.price.cost if place is None else finding.price.steps[place]
        return f"{found.known.currency}{diagnose.SPACE}{cost:,.0f}"

    def exit(self, playbook: Playbook, first: diagnose.Reading | None) -> nodes.Node:
        limit = playbook.exit
        parts: list[str | nodes.Node] = [
            nodes.strong("", "Done when "),
            f"this number lies {limit.better} its limit. {limit.says}: ",
            nodes.literal("", limit.source),
            ", limit ",
            nodes.literal("", limit.threshold),
            f" ({diagnose.told_in(first, first.threshold)})." if first else ".",
        ]
        if limit.rows:
            parts.append(" It counts once these rows are no guesses any more: ")
            for place, row in enumerate(limit.rows):
                parts += [", " if place else "", nodes.literal("", row)]
            parts.append(".")
        run = f"python -m synthecon diagnose FOLDER --playbook {playbook.id}"
        parts += [" Measure it: ", nodes.literal("", run), "."]
        return paragraph(*parts)


def time(hours: float, days: float) -> str:
    """ "40 h in 8 days" """
    unit = "day" if days == 1 else "days"
    return f"{hours:g}{diagnose.SPACE}h in {days:g}{diagnose.SPACE}{unit}"


class AllPlaybooks(_Directive):
    """Every playbook: symptom, trigger, page, and the state of both companies."""

    def show(self, made: Shown) -> list[nodes.Node]:
        names = [short(found) for found in made.all]
        rows = [self.row(made, playbook) for playbook in made.shelf.playbooks]
        head = ("You notice", "Trigger", "Playbook", *names)
        return [
            nodes.container("", table(head, rows, "playbooks"), classes=["playbook", "overview"])
        ]

    def row(self, made: Shown, playbook: Playbook) -> list[list[nodes.Node]]:
        limit = playbook.trigger
        page = to(self.env, f"{playbooks.PAGES}/{playbook.id}", playbook.title)
        both = made.of(playbook)
        first = both[0][1].reading
        told = f", {limit.better} {diagnose.told_in(first, first.threshold)}" if first else ""
        cells = [
            [
                paragraph(inline(f"{short(d)}: ", "on-phone"), badge(f)),
                paragraph(self.cost(d, f)),
            ]
            for d, f in both
        ]
        return [
            [paragraph(playbook.symptom)],
            [paragraph(limit.says + told)],
            [paragraph(page)],
            *cells,
        ]

    def cost(self, found: Diagnosis, finding: Finding) -> str:
        value = ""
        if finding.reading:
            value = f"{diagnose.told_in(finding.reading, finding.reading.value)}; "
        if finding.price is None:
            return f"{value}no rate"
        return f"{value}steps {found.known.currency}{diagnose.SPACE}{finding.price.cost:,.0f}"


class Leaks(_Directive):
    """Where the margin of each company leaks."""

    def show(self, made: Shown) -> list[nodes.Node]:
        rows = []
        for leak in made.shelf.leaks:
            cells: list[list[nodes.Node]] = []
            for found in made.all:
                one = next((x for x in found.leaks if x.leak.id == leak.id), None)
                cells += [self.amounts(found, one)]
            rows.append([[paragraph(leak.title)], *cells])
        rows.sort(key=lambda row: self.rank(made, row[0][0].astext()))
        names = [short(found) for found in made.all]
        last: list[list[nodes.Node]] = [[paragraph(nodes.strong("", "In the books, together"))]]
        for found in made.all:
            text = f"{found.known.currency}{diagnose.SPACE}{diagnose.amount(found.booked)}"
            share = f"{found.booked / found.revenue:.1%} of revenue"
            last.append([labelled(found, text), paragraph(share)])
        return [table(("Leak, a month", *names), [*rows, last], "playbooks")]

    def rank(self, made: Shown, title: str) -> int:
        titles = [x.leak.title for x in made.all[0].leaks]
        return titles.index(title) if title in titles else len(titles)

    def amounts(self, found: Diagnosis, one: diagnose.Lost | None) -> list[nodes.Node]:
        if one is None:
            return [labelled(found, "cannot be decided")]
        cells: list[nodes.Node] = [
            labelled(found, f"{found.known.currency}{diagnose.SPACE}{diagnose.amount(one.amount)}")
        ]
        if not one.leak.booked:
            cells.append(paragraph("beside the books"))
        elif one.back is not None:
            cells.append(paragraph(f"net back {diagnose.amount(one.back)}"))
        return cells


def name_toggles(app: Sphinx, error: Exception | None) -> None:
    """The sidebar's button that opens a page's own pages has a picture and no name: give it one,
    for those who hear the page."""
    if error is None and app.builder.format == "html":
        for file in Path(app.outdir).rglob("*.html"):
            text = file.read_text(encoding="utf-8")
            if SILENT in text:
                named = SILENT.replace("<summary>", '<summary aria-label="Show pages below">')
                file.write_text(text.replace(SILENT, named), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("playbook", OnePlaybook)
    app.add_directive("playbooks", AllPlaybooks)
    app.add_directive("leaks", Leaks)
    app.connect("build-finished", name_toggles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
