"""A draft of a proposal, read: its blocks, and what is wrong with its marks.

A draft is Markdown in the form of the templates of `pages`: {npv.p5} stands for a number by its
id, and no digit is typed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from synthecon import Problem
from synthecon.strategy import choices, pages, printable
from synthecon.strategy.proposal import Numbers

MEMO, PRESS = "memo", "pr-faq"
FORMS = (MEMO, PRESS)
QUESTION = re.compile(r"\*\*[^*]+\?\*\*")
"""A bold question; where a line begins with one, a paragraph begins."""
BRACE = re.compile(r"\{[^{}\n]*\}|\{\S*|\}")
"""What is left of braces where placeholders are taken out: none of it is read as a number."""
ENOUGH = 2  # different words, of two letters or more, without which a block says nothing
AGAIN = re.compile(r"\b([^\W\d_]{2,})(?:[\s,]+\1\b)+")
OUTCOMES = {
    "recommendation": (printable.PIVOT, printable.QUO),
    "option.id": tuple(choices.TITLES),
    "condition.value": ("holds", "fails"),
    "test.probability": ("holds", "fails"),
    "test.expected": ("holds", "fails"),
    "test.cash": ("holds", "fails"),
}
"""Facts that are one of some words, so that a condition on another word can never hold."""


def clip(text: str, longest: int = 60) -> str:
    """A line as a finding quotes it."""
    text = " ".join(text.split())
    return f"“{text if len(text) <= longest else text[: longest - 1] + '…'}”"


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, a bullet or a row of a table, with its placeholders.

    place: number among the blocks.  section: text of the heading above it, in small letters.
    head: of a row, the text of the first row of its table.
    """

    place: int
    kind: str
    text: str
    section: str
    head: str = ""

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(pages.PLACE.findall(self.text))

    @property
    def words(self) -> str:
        """What is written, without placeholders, in small letters."""
        return pages.PLACE.sub(" ", self.text).lower()

    @property
    def lead(self) -> str:
        """The bold words at its beginning, in small letters."""
        found = re.match(r"\W*\*\*(.+?)\*\*", self.text)
        return found[1].lower() if found else ""

    @property
    def bare(self) -> bool:
        """Whether it only looks like a sentence: numbers without words, or one word again."""
        if self.kind not in ("text", "bullet", "box"):
            return False
        own = re.findall(r"[^\W\d_]{2,}", self.words)
        few = len(set(own)) < ENOUGH and bool(self.ids)
        return few or bool(AGAIN.search(pages.PLACE.sub("0", self.text).lower()))

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Of a row: head and text of each cell, without placeholders, in small letters."""
        cells = pages.PLACE.sub(" ", self.head).lower().split("|")
        return list(zip(cells, self.words.split("|"), strict=False))


@dataclass(frozen=True)
class Draft:
    """A draft, read: its lines as written, those that stand, and its blocks."""

    form: str
    raw: str
    text: str
    blocks: tuple[Block, ...]
    found: Numbers

    @property
    def filled(self) -> str:
        """With numbers; an id that is not known stays as it is."""
        return pages.PLACE.sub(
            lambda m: self.found[m[1]].text if m[1] in self.found else m[0], self.text
        )

    @property
    def first(self) -> int:
        """Place of the first paragraph."""
        return next((b.place for b in self.blocks if b.kind == "text"), -1)

    @property
    def typed(self) -> str:
        """The words and digits that were typed: no placeholder, and no brace that went wrong."""
        return BRACE.sub(" ", pages.PLACE.sub(" ", self.text))


def read(text: str, found: Numbers, form: str = MEMO) -> Draft:
    """Read a draft.  Lines that begin with a test, such as {=recommendation pivot}, stand only
    where it holds.  A line that begins with a bold question begins a paragraph.

    Raises:
        Problem: a form that does not exist.
    """
    if form not in FORMS:
        raise Problem(f"a proposal is one of {', '.join(FORMS)}, not {form!r}")
    filler = pages.Filler(found)
    lines = [kept.strip() for raw in text.splitlines() if (kept := filler.stands(raw)) is not None]
    blocks: list[Block] = []
    section, head, open_ = "", "", []

    def add(kind: str, told: str, head: str = "") -> None:
        blocks.append(Block(len(blocks), kind, told, section, head))

    for line in [*lines, ""]:
        mark = next((m for m in ("|", *pages.KINDS) if line.startswith(m)), "")
        if open_ and (mark or not line or QUESTION.match(line)):
            add("text", " ".join(open_))
            open_ = []
        if mark == "|":
            cells = line.strip("|")
            add("row" if head else "head", cells, head)
            head = head or cells
            continue
        head = ""
        if mark == "## ":
            section = line.removeprefix(mark).lower()
        if mark:
            add(pages.KINDS[mark], line.removeprefix(mark))
        elif line:
            open_.append(line)
    return Draft(form, text, "\n".join(lines), tuple(blocks), found)


# ---- marks that went wrong


SOMETIMES = ("draft.rows",)
"""Numbers of some documents only: a draft counts what it has not replaced yet."""


def unknown(draft: Draft) -> Iterator[str]:
    """Ids that are no number, braces that are not closed, and conditions that cannot be meant."""
    for one in dict.fromkeys(pages.PLACE.findall(draft.text)):
        if one not in draft.found:
            yield _near(one, draft.found)
    for line in draft.text.splitlines():
        if BRACE.search(pages.PLACE.sub(" ", line)):
            yield (
                f"{clip(line)} has a brace that is not closed, or between braces something "
                "else than small letters, digits, points and hyphens"
            )
    for line in draft.raw.splitlines():
        yield from _conditions(line, draft.found)


def _near(one: str, found: Numbers) -> str:
    like = difflib.get_close_matches(one, found, 1, 0.8)
    return f"{{{one}}}" + (f" (or {{{like[0]}}}?)" if like else "")


def _conditions(line: str, found: Numbers) -> Iterator[str]:
    """What cannot be meant in the conditions at the beginning of a line, which would vanish."""
    rest = line
    while test := pages.TEST.match(rest):
        mark, key, word = test.groups()
        rest = rest[test.end() :].lstrip()
        told = f"the condition of {clip(line)}"
        if key not in found:
            # {?…} asks whether a case has a number: another company may
            like = difflib.get_close_matches(key, found, 1, 0.85)
            family = any(k.startswith(key.partition(".")[0] + ".") for k in (*found, *SOMETIMES))
            if mark == "=" or like or not family:
                yield f"{told} asks for {_near(key, found)}"
        elif mark == "=" and key in OUTCOMES and word not in OUTCOMES[key]:
            yield f"{told} can never hold: {{{key}}} is {' or '.join(OUTCOMES[key])}"


def ragged(draft: Draft) -> Iterator[str]:
    """Rows that have another number of cells than the first row of their table."""
    for b in draft.blocks:
        want, have = b.head.count("|") + 1, b.text.count("|") + 1
        if b.kind == "row" and want != have:
            yield f"{clip(b.text)} has {have} cells, its table {want}"


# ---- how it looks


def fits(text: str, found: Numbers) -> bool | None:
    """Whether a draft fits a page in a type that can be read; None where nothing can tell: typst
    is not installed, a placeholder names no number, or a table is ragged."""
    try:
        from synthecon.strategy import typeset
    except ImportError:
        return None
    draft = read(text, found)
    if any(unknown(draft)) or any(ragged(draft)):
        return None
    content = typeset.data(
        pages.page(text, found).blocks, size=min(typeset.SIZES), title="", **typeset.FITTED
    )
    return typeset.pages(content) == 1


def shown(text: str, found: Numbers, form: str = MEMO) -> str:
    """A draft with its numbers in place, as Markdown for a notebook: headings one size down."""
    lines: list[str] = []
    table = False
    for line in read(text, found, form).filled.splitlines():
        row = line.startswith("|")
        if row and not table:
            lines += ["", line, "|:--" * (line.strip("|").count("|") + 1) + "|"]
        elif row or line.startswith("- "):
            lines.append(line)
        elif line.startswith("#"):
            lines += ["", f"##{line}", ""]
        else:
            lines += ["", f"*{line.removeprefix('~ ')}*" if line.startswith("~ ") else line]
        table = row
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
