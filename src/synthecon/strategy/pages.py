"""Templates filled with facts, and the blocks of a page that come out.

A template is plain text with {ids} of facts and not one digit of its own:

    # title            ## heading             > a box, for what is asked
    - a bullet         | cell | cell |        a line of text; blank lines part paragraphs
    **bold**           ~ small print        ^ the curve of cumulated cash, with its caption

A line that begins with {?id} stands only where the fact has a value, one with {!id} only where it
has none, {=id word} where its text is the word.  The first row of a table is its head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from synthecon import Problem
from synthecon.strategy.printable import Fact

Run = tuple[str, bool]
"""A piece of text, and whether it is bold."""
Rich = tuple[Run, ...]
HARD = "\N{NO-BREAK SPACE}"
KINDS = {"# ": "title", "## ": "heading", "> ": "box", "- ": "bullet", "~ ": "small", "^ ": "curve"}
PLACE = re.compile(r"\{([a-z0-9][a-z0-9.-]*)\}")
UNIT = re.compile(
    r"(?<=\d) (?=[%kM]\b|%|[A-Za-z]{2,6}\b)|(?<=\d [kM]) (?=[A-Z]{3})|(?<=month) (?=\d)"
)
"""Blanks at which no line may break."""
TEST = re.compile(r"\{([?!=])([a-z0-9.-]+)(?: ([^}]*))?\}")


@dataclass(frozen=True)
class Block:
    """A piece of a page.  kind: a value of KINDS, "text", "table" or "curve".

    rows: of a table.  widths: shares of the line that its columns get; else by their content.
    lines: of a curve, each its name, the text at its end, and its points (month, money).
    """

    kind: str
    rich: Rich = ()
    rows: tuple[tuple[Rich, ...], ...] = ()
    widths: tuple[int, ...] = ()
    lines: tuple[tuple[str, str, tuple[tuple[int, float], ...]], ...] = ()


@dataclass(frozen=True)
class Page:
    """A filled template.  used: ids of the facts on it, in order."""

    blocks: tuple[Block, ...]
    used: tuple[str, ...]

    @property
    def title(self) -> str:
        return next(plain(b.rich) for b in self.blocks if b.kind == "title")


@dataclass
class Filler:
    """Puts facts in place of ids, and keeps a list of them."""

    facts: Mapping[str, Fact]
    used: list[str] = field(default_factory=list)

    def text(self, key: str) -> str:
        """A fact as it is printed; a number and its unit stay on one line.

        Raises:
            Problem: no such fact.
        """
        if key not in self.facts:
            raise Problem(f"a page asks for the fact {key!r}, which this case does not have")
        if key not in self.used:
            self.used.append(key)
        return UNIT.sub(HARD, self.facts[key].text)

    def value(self, key: str) -> float:
        """The number behind a fact, for a chart; 0 where it has none.

        Raises:
            Problem: no such fact.
        """
        self.text(key)
        found = self.facts[key].value
        return found if isinstance(found, float) else 0.0

    def fill(self, line: str) -> str:
        return PLACE.sub(lambda m: self.text(m[1]), line)

    def stands(self, line: str) -> str | None:
        """The line without its tests, or None where one of them fails."""
        while found := TEST.match(line):
            fact = self.facts.get(found[2])
            there = fact is not None and fact.value is not None
            holds = {
                "?": there,
                "!": not there,
                "=": there and fact is not None and fact.text == found[3],
            }[found[1]]
            if not holds:
                return None
            line = line[found.end() :].lstrip()
        return line


@cache
def template(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text("utf-8")


def rich(text: str) -> Rich:
    """ "so **much** here" as its runs."""
    parts = text.split("**")
    return tuple((part, place % 2 == 1) for place, part in enumerate(parts) if part)


def plain(runs: Rich) -> str:
    return "".join(text for text, _ in runs)


def page(source: str, facts: Mapping[str, Fact]) -> Page:
    """A template's text as blocks.

    Raises:
        Problem: an id that is no fact.
    """
    filler = Filler(facts)
    blocks: list[Block] = []
    lines: list[str] = []

    def close() -> None:
        if lines:
            blocks.append(Block("text", rich(" ".join(lines))))
            lines.clear()

    table: list[tuple[Rich, ...]] = []
    for raw in [*source.splitlines(), ""]:
        kept = filler.stands(raw)
        if kept is None:
            continue
        line = filler.fill(kept).strip()
        if table and not line.startswith("|"):
            blocks.append(Block("table", rows=tuple(table)))
            table.clear()
        kind = next((k for mark, k in KINDS.items() if line.startswith(mark)), "")
        if not line:
            close()
        elif line.startswith("|"):
            close()
            table.append(tuple(rich(cell.strip()) for cell in line.strip("|").split("|")))
        elif kind:
            close()
            told = rich(line.partition(" ")[2])
            blocks.append(Block(kind, told, lines=curve(filler) if kind == "curve" else ()))
        else:
            lines.append(line)
    return Page(tuple(blocks), tuple(filler.used))


WAYS = {"high": "high", "base": "base case", "low": "low"}


def curve(filler: Filler) -> tuple[tuple[str, str, tuple[tuple[int, float], ...]], ...]:
    """Cumulated cash as the lines of a curve."""
    months = sorted(int(k.rpartition("-")[2]) for k in filler.facts if k.startswith("cash.base.m"))
    lines = []
    for way, name in WAYS.items():
        keys = [f"cash.{way}.month-{m}" for m in months]
        points = zip(months, (filler.value(k) for k in keys), strict=True)
        lines.append((name, filler.text(keys[-1]), tuple(points)))
    return tuple(lines)


def variant(name: str, facts: Mapping[str, Fact]) -> str:
    """The template of this name for what the facts recommend."""
    return template(f"{name}-{'pivot' if facts['recommendation'].text == 'pivot' else 'stay'}.md")


def text_of(blocks: Sequence[Block]) -> str:
    """All words of some blocks, a line each."""
    lines = []
    for b in blocks:
        lines += [plain(cell) for row in b.rows for cell in row] or [plain(b.rich)]
    return "\n".join(lines)
