"""Sphinx extension of the book: numbers, badges and tables that come from run records.

No number on the site is typed by hand.  The role `record` prints a measurement or a verdict by
its id, the directives `records`, `syllabus` and `labs` print the tables, and each notebook page
carries the badge of its record.  An id that no record holds is a warning, and the build makes
warnings errors.  Records are read from results/, or from the folder that SYNTHECON_RESULTS names.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from synthecon import Problem, notebooks, paths, records

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

RECORDS_PAGE = "book/appendix/records"
SYLLABUS = "book/syllabus.yml"
LABS_PAGE = "book/labs"
POWER = re.compile(r"e([-+]\d+)")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LOG = logging.getLogger(__name__)


def number(value: float, form: str, unit: str = "") -> str:
    """`value` in a format such as `+.1f`, with a true minus sign and its unit (no-break space).

    >>> number(-6.84, "+.1f", "points")
    '−6.8\\xa0points'

    Raises:
        ValueError: the format is not one for numbers.
    """
    text = POWER.sub(lambda m: f" × 10{str(int(m[1])).translate(RAISED)}", format(value, form))
    text = text.replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")
    return text + ("" if not unit else unit if unit in ("%", "×") else f"\N{NO-BREAK SPACE}{unit}")


def chance(m: records.Measurement) -> str:
    """A share of scenarios in whole per cent: none and all of them prove no certainty.

    Raises:
        ValueError: it is not in per cent.
    """
    if m.unit != "%":
        raise ValueError(f"a chance is in %, and this is in {m.unit}")
    rare = "less than 1%" if m.value < 0.5 else "more than 99%" if m.value >= 99.5 else ""
    return rare.replace(" ", "\N{NO-BREAK SPACE}") or number(m.value, ".0f", "%")


def scaled(m: records.Measurement, factor: float, unit: str) -> records.Measurement:
    """The same measurement in another unit, `factor` times as many."""
    low, high = (None if x is None else x * factor for x in (m.low, m.high))
    return replace(m, value=m.value * factor, low=low, high=high, unit=unit)


def with_interval(m: records.Measurement, form: str) -> str:
    """Value, unit and, where it was measured, the interval: `6.8 points [3.2, 10.4]`."""
    text = number(m.value, form, m.unit)
    if m.low is None or m.high is None:
        return text
    return f"{text} [{number(m.low, form)},\N{NO-BREAK SPACE}{number(m.high, form)}]"


def evidence(m: records.Measurement) -> str:
    """How to believe it: number of seeds, level of the interval, method."""
    parts = [
        f"n = {m.n}" if m.n else "",
        f"{m.level:.0%} interval" if m.level else "",
        m.method or "",
    ]
    return ", ".join(filter(None, parts)) or "one reading, no interval"


def anchor(full_id: str) -> str:
    """The place of a record, measurement or claim on the records page."""
    return nodes.make_id(full_id)


def place_of(claim: str) -> str:
    """The place of a recorded claim, NOTEBOOK#NAME, on the claims board."""
    return nodes.make_id(f"test {claim}")


def general(value: float) -> str:
    """The format of a table: four significant digits, or thousands apart."""
    return ",.0f" if abs(value) >= 1000 else ".4g"


class Records:
    """The records that one build reads, and why each is stale; read once a build."""

    def __init__(self, folder: Path) -> None:
        self.all = records.load_all(folder)
        self.reasons = {key: records.stale(r) for key, r in self.all.items()}

    def find(self, full_id: str) -> records.Measurement | records.Claim:
        """The measurement or claim of that id.

        Raises:
            LookupError: no such record, or none of that name in it; the message says which.
        """
        record_id, _, name = full_id.partition("#")
        if record_id not in self.all:
            raise LookupError(notebooks.unknown("record", record_id, self.all))
        record = self.all[record_id]
        there = {item.name: item for item in (*record.measurements, *record.claims)}
        if name not in there:
            raise LookupError(notebooks.unknown("measurement or claim", name, there))
        return there[name]


def link(env: BuildEnvironment, full_id: str, text: str, title: str, *classes: str) -> nodes.Node:
    """A reference into the records page."""
    here = env.app.builder.get_relative_uri(env.docname, RECORDS_PAGE)
    return nodes.reference(
        "",
        text,
        internal=True,
        refuri=f"{here}#{anchor(full_id)}",
        reftitle=title,
        classes=["record", *classes],
    )


def watch(env: BuildEnvironment) -> Records:
    """The build's records; the page that asks is read again in every build, for they may change."""
    env.metadata[env.docname]["synthecon"] = True
    return env.app.synthecon_records  # type: ignore[attr-defined]


class RecordRole(SphinxRole):
    """{record}`ID FORMAT [unit] [ci] [k] [percent]` for a measurement, {record}`ID chance` for one
    that is a share of scenarios, {record}`ID verdict` for a claim.

    unit: with its unit; ci: with unit and interval; k: in thousands; percent: a share in per cent,
    so that `.0f ci percent` prints `19% [19, 20]`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            return [self.print(*self.text.split())], []
        except (LookupError, ValueError, TypeError) as error:
            LOG.warning("record %r: %s", self.text, error, location=self.get_location())
            return [nodes.problematic(self.rawtext, self.text)], []

    def print(self, full_id: str, form: str = "", *options: str) -> nodes.Node:
        item = watch(self.env).find(full_id)
        if isinstance(item, records.Claim):
            if form != "verdict" or options:
                raise ValueError("a claim is printed by 'verdict' alone")
            classes = verdict_classes(item.verdict)
            return link(self.env, full_id, item.verdict, f"{full_id}: {item.why}", *classes)
        title = f"{full_id}: {item.title} ({evidence(item)})"
        if form == "chance" and not options:
            return link(self.env, full_id, chance(item), title)
        if not form or form == "chance" or set(options) - {"ci", "unit", "k", "percent"}:
            raise ValueError(
                "a measurement needs a format such as '.1f', then 'unit' or 'ci', 'k' or 'percent'"
            )
        if "k" in options:
            item = scaled(item, 1 / 1000, f"thousand {item.unit}")
        if "percent" in options:
            if item.unit != "share":
                raise ValueError(f"'percent' is for a share, and this is in {item.unit!r}")
            item = scaled(item, 100, "%")
        text = (
            with_interval(item, form)
            if "ci" in options
            else number(item.value, form, item.unit if "unit" in options else "")
        )
        return link(self.env, full_id, text, title)


def verdict_classes(verdict: str) -> tuple[str, str]:
    return "verdict", "verdict-" + verdict.replace(" ", "-")


def inline(text: str, *classes: str) -> nodes.inline:
    return nodes.inline("", text, classes=list(classes))


def paragraph(*parts: str | nodes.Node, classes: Sequence[str] = ()) -> nodes.paragraph:
    children = [nodes.Text(part) if isinstance(part, str) else part for part in parts]
    return nodes.paragraph("", "", *children, classes=list(classes))


def table(
    head: Sequence[str], rows: Iterable[Sequence[Sequence[nodes.Node]]], name: str
) -> nodes.table:
    """A table whose cells hold paragraphs; `name` becomes a CSS class."""

    def row(cells: Iterable[Sequence[nodes.Node]]) -> nodes.row:
        return nodes.row("", *(nodes.entry("", *cell) for cell in cells))

    group = nodes.tgroup(
        "",
        *(nodes.colspec(colwidth=1) for _ in head),
        nodes.thead("", row([[paragraph(title)] for title in head])),
        nodes.tbody("", *(row(cells) for cells in rows)),
        cols=len(head),
    )
    return nodes.table("", group, classes=[name, "colwidths-auto"])


def freshness(reasons: Sequence[str]) -> nodes.inline:
    """The badge; the reasons stand on the records page."""
    word = "stale" if reasons else "fresh"
    return inline(word, "badge-record", f"badge-{word}")


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


class RecordTables(SphinxDirective):
    """One summary of all records, then a section for each."""

    def run(self) -> list[nodes.Node]:
        found = watch(self.env)
        if not found.all:
            return [paragraph("No run is recorded yet.")]
        result: list[nodes.Node] = [self.summary(found)]
        if not any(r.environment["device"] == "cuda" for r in found.all.values()):
            result.append(paragraph("No run on a GPU is recorded yet."))
        return result + [self.section(r, found.reasons[key]) for key, r in found.all.items()]

    def summary(self, found: Records) -> nodes.table:
        rows = []
        for key, r in found.all.items():
            name = nodes.reference("", key, internal=True, refid=anchor(key))
            where = f"{r.environment['device_name']}, {r.start[:10]}"
            cells = (name, where, duration(r.seconds), freshness(found.reasons[key]))
            rows.append([[paragraph(cell)] for cell in cells])
        return table(("Record", "Device and date", "Run", "State"), rows, "records")

    def section(self, r: records.RunRecord, reasons: Sequence[str]) -> nodes.section:
        e, energy = r.environment, r.energy
        facts = {
            "State": paragraph(freshness(reasons), " " + "; ".join(reasons)),
            "Device": f"{e['device_name']}, {e['device']}, threads: {e['threads']}",
            "Platform": e["platform"],
            "Versions": ", ".join(
                f"{x} {e[x] or 'not used'}" for x in ("python", "torch", "numpy")
            ),
            "Run": f"{r.start[:16].replace('T', ' ')} UTC, {duration(r.seconds)}",
            "Commit": (r.commit or "none")[:12] + (", with changes on top" if r.dirty else ""),
            "Energy": f"{number(energy['joules'], general(energy['joules']), 'J')}, "
            f"{energy['level']} ({energy['how']})",
            "Data": "; ".join(f"{d['name']}: {d['source']}" for d in r.data) or "none",
            "Seeds": ", ".join(map(str, r.seeds)) or "none",
        }
        section = nodes.section("", nodes.title("", r.id), ids=[anchor(r.id)], names=[r.id])
        section += field_list(facts)
        if r.claims:
            section += table(("Claim", "Verdict"), (claim_row(r, c) for c in r.claims), "claims")
        if r.measurements:
            rows = (measurement_row(r, m) for m in r.measurements)
            section += table(("Measurement", "Value", "Evidence"), rows, "measurements")
        return section


def field_list(facts: Mapping[str, str | nodes.Node]) -> nodes.field_list:
    fields = (
        nodes.field(
            "",
            nodes.field_name("", name),
            nodes.field_body("", value if isinstance(value, nodes.paragraph) else paragraph(value)),
        )
        for name, value in facts.items()
    )
    return nodes.field_list("", *fields, classes=["facts"])


def target(full_id: str, title: str) -> list[nodes.Node]:
    """The first cell of a row: what it is, and the name by which text and ledger find it."""
    name = nodes.literal("", "#" + full_id.partition("#")[2])
    return [paragraph(title), nodes.paragraph("", "", name, ids=[anchor(full_id)])]


def measurement_row(r: records.RunRecord, m: records.Measurement) -> list[list[nodes.Node]]:
    value = with_interval(m, general(m.value))
    return [target(f"{r.id}#{m.name}", m.title), [paragraph(value)], [paragraph(evidence(m))]]


def claim_row(r: records.RunRecord, c: records.Claim) -> list[list[nodes.Node]]:
    first = [*target(f"{r.id}#{c.name}", c.text), paragraph(f"From: {c.source}")]
    return [first, [paragraph(inline(c.verdict, *verdict_classes(c.verdict))), paragraph(c.why)]]


def notebook_of(docname: str) -> tuple[str, str] | None:
    """Notebook name and record id of a page, or None where the page is no notebook.

    `notebooks/NAME` shows the CPU run; `results/FOLDER/NAME` the executed copy of another one.
    """
    top, _, rest = docname.partition("/")
    if top == "notebooks":
        return rest, f"cpu/{rest}"
    if top == "results":
        return rest.partition("/")[2].partition("@")[0], rest
    return None


def adapt_copy(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fit another run's copy of a notebook into the book: its figures get names of their own, for a
    label is unique in a book, and its links find their pages."""
    page = notebook_of(docname)
    if page is None or page[1].startswith("cpu/"):
        return
    shown = (c["metadata"].get("mystnb", {}) for c in json.loads(source[0])["cells"])
    names = [re.escape(m["figure"]["name"]) for m in shown if "name" in m.get("figure", {})]
    # Its links were written for the folder of the notebook, and lead there from here too.
    folder = f"notebooks/{page[0]}".rpartition("/")[0]
    link = re.compile(r"\]\(((?:\.\./)*[\w-][\w./@-]*\.(?:ipynb|md))\b")
    source[0] = link.sub(lambda m: f"](/{posixpath.normpath(f'{folder}/{m[1]}')}", source[0])
    if names:
        figure = re.compile(rf"(?<![\w-])({'|'.join(names)})(?![\w-])")
        source[0] = figure.sub(rf"\1-{anchor(page[1])}", source[0])


def minutes(name: str) -> int | None:
    """What the notebook says of itself: the minutes a reader needs for it."""
    file = notebooks.path(name)
    if not file.is_file():
        return None
    return notebooks.read(file)["metadata"].get("synthecon", {}).get("minutes")


@dataclass(frozen=True)
class LabFile:
    """The lab beside a notebook, as it says of itself."""

    path: str  # from the top of the checkout
    exercises: int
    minutes: int

    def __str__(self) -> str:
        return f"{self.exercises} exercises, {self.minutes}\N{NO-BREAK SPACE}min"


def lab(env: BuildEnvironment, name: str) -> LabFile | None:
    """The lab of notebook `name`, or None; the page that asks is read again when it changes."""
    path = f"labs/{name}.ipynb"
    file = paths.root() / path
    if not file.is_file():
        return None
    env.note_dependency(str(file))
    notebook = notebooks.read(file)
    checks = sum(cell["metadata"].get("deletable") is False for cell in notebook["cells"])
    return LabFile(path, checks, notebook["metadata"]["synthecon"]["minutes"])


class MinutesRole(SphinxRole):
    """{minutes}`NOTEBOOK` or {minutes}`lab NOTEBOOK`: the minutes that it says of itself."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        kind, _, name = self.text.strip().rpartition(" ")
        if kind == "lab":
            found = lab(self.env, name)
            time = found.minutes if found else None
        else:
            time = minutes(name)
            self.env.note_dependency(str(notebooks.path(name)))
        if time is None or kind not in ("", "lab"):
            LOG.warning("minutes %r: no such file", self.text, location=self.get_location())
            return [nodes.problematic(self.rawtext, self.text)], []
        return [nodes.Text(f"{time}\N{NO-BREAK SPACE}minutes")], []


def lab_link(env: BuildEnvironment, name: str, text: str) -> nodes.Node:
    """A reference to a lab's row on the page of the labs."""
    here = env.app.builder.get_relative_uri(env.docname, LABS_PAGE)
    return nodes.reference("", text, internal=True, refuri=f"{here}#{anchor('lab ' + name)}")


def add_badge(app: Sphinx, doctree: nodes.document) -> None:
    """Under the title of a notebook page: its minutes, lab, record, and whether that is fresh."""
    page = notebook_of(app.env.docname)
    if page is None:
        return
    (name, record_id), found = page, watch(app.env)
    parts: list[str | nodes.Node] = [f"{minutes(name)} minutes to work through"]
    if found_lab := lab(app.env, name):
        parts += [" · lab: ", lab_link(app.env, name, str(found_lab))]
    if run := found.all.get(record_id):
        parts += [
            f" · ran in {duration(run.seconds)} on {run.environment['device_name']} · record ",
            link(app.env, record_id, record_id, f"run record {record_id}"),
            " ",
            freshness(found.reasons[record_id]),
        ]
    else:
        parts += [" · no run recorded yet"]
    for title in list(doctree.findall(nodes.title))[:1]:
        title.parent.insert(title.parent.index(title) + 1, paragraph(*parts, classes=["badges"]))


def lessons(env: BuildEnvironment) -> list[dict[str, Any]]:
    """What book/syllabus.yml says, in teaching order."""
    file = paths.root() / SYLLABUS
    env.note_dependency(str(file))
    return yaml.safe_load(file.read_text(encoding="utf-8"))


class Syllabus(SphinxDirective):
    """The modules of the lessons, from book/syllabus.yml and the notebooks that exist."""

    def run(self) -> list[nodes.Node]:
        watch(self.env)
        return [node for lesson in lessons(self.env) for node in self.lesson(lesson)]

    def lesson(self, lesson: dict[str, Any]) -> list[nodes.Node]:
        title = nodes.title("", lesson["title"])
        section = nodes.section("", title, ids=[anchor(lesson["title"])], names=[lesson["title"]])
        section += paragraph(lesson["question"])
        head = ("Module", "Time", "Hands on")
        section += table(head, map(self.module, lesson["modules"]), "syllabus")
        return [section]

    def module(self, module: dict[str, Any]) -> list[list[nodes.Node]]:
        name, practice = module.get("notebook", ""), lab_of(module)
        found = lab(self.env, practice) if practice else None
        if name and notebooks.path(name).is_file():
            title = module_link(self.env, module)
            time = nodes.Text(f"{minutes(name)} min")
        elif "page" in module:
            title, time = module_link(self.env, module), nodes.Text(f"{module['minutes']} min")
        elif not name and found:
            title = lab_link(self.env, practice, module["title"])
            time = nodes.Text(f"{found.minutes} min")
        else:
            title, time = nodes.Text(module["title"]), inline("planned", "badge-planned")
        cells = [[paragraph(cell)] for cell in (title, time, nodes.Text(module["hands_on"]))]
        if name and found:
            text = f"lab:\N{NO-BREAK SPACE}{found.minutes}\N{NO-BREAK SPACE}min"
            cells[1].append(paragraph(lab_link(self.env, practice, text)))
        return cells


def lab_of(module: dict[str, Any]) -> str:
    """The lab of a module: the one named, or the one that has its notebook's name."""
    return module.get("lab") or module.get("notebook", "")


def module_link(env: BuildEnvironment, module: dict[str, Any]) -> nodes.Node:
    """A reference to a module's notebook or page; the bare title where it is a lab alone."""
    page = module.get("page") or f"notebooks/{module.get('notebook', '')}"
    if page == "notebooks/":
        return nodes.Text(module["title"])
    uri = env.app.builder.get_relative_uri(env.docname, page)
    return nodes.reference("", module["title"], internal=True, refuri=uri)


class Labs(SphinxDirective):
    """The labs that there are, in teaching order: whose they are, how long, and the file itself."""

    def run(self) -> list[nodes.Node]:
        modules = [m for lesson in lessons(self.env) for m in lesson["modules"]]
        rows = [
            self.row(module, found)
            for module in modules
            if (name := lab_of(module)) and (found := lab(self.env, name))
        ]
        return [table(("Module", "Lab", "File"), rows, "labs")]

    def row(self, module: dict[str, Any], found: LabFile) -> list[list[nodes.Node]]:
        first = paragraph(module_link(self.env, module))
        first["ids"] = [anchor("lab " + lab_of(module))]
        file = addnodes.download_reference("", "", nodes.literal("", found.path))
        file["reftarget"], file["refdoc"] = f"/{found.path}", self.env.docname
        return [[first], [paragraph(str(found))], [paragraph(file)]]


def read_again(app: Sphinx, env: BuildEnvironment, *_: object) -> list[str]:
    """Pages that showed a record last time: the record, or what it ran with, may have changed."""
    return [name for name in env.found_docs if "synthecon" in env.metadata.get(name, {})]


def load(app: Sphinx) -> None:
    folder = Path(os.environ.get("SYNTHECON_RESULTS") or paths.results())
    try:
        app.synthecon_records = Records(folder)  # type: ignore[attr-defined]
    except Problem as error:
        raise ExtensionError(str(error)) from None


def without_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Drop Jupyter Book's live-code scripts: nothing here uses them, and each page logs an error
    (`THEBE_JS_URL has already been declared`)."""
    for kind in ("script_files", "css_files"):
        context[kind] = [
            asset
            for asset in context.get(kind, [])
            if "thebe" not in f"{asset} {getattr(asset, 'attributes', {}).get('body')}".lower()
        ]


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """MathJax is one file beside the pages, so that mathematics needs no network."""
    if error is None:
        [script] = (f for f in files("sphinx-mathjax-offline") or () if f.match("*/tex-svg.js"))
        target = Path(app.outdir, "_static", "mathjax", script.name)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(str(script.locate()), target)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("record", RecordRole())
    app.add_role("minutes", MinutesRole())
    app.add_directive("records", RecordTables)
    app.add_directive("syllabus", Syllabus)
    app.add_directive("labs", Labs)
    app.connect("builder-inited", load)
    app.connect("env-get-outdated", read_again)
    app.connect("source-read", adapt_copy)
    app.connect("doctree-read", add_badge)
    app.connect("html-page-context", without_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
