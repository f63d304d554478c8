"""The memo, the press release with its questions, and the appendix that carries every number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from synthecon.economics.model import Model
from synthecon.strategy import facts, pages, printable, typeset, word
from synthecon.strategy.pages import Block, Page, rich
from synthecon.strategy.printable import Fact

TEXTS = ("memo", "press")
"""Templates of one page each, in a version that recommends the pivot and one that does not."""
FIRST = ("draft", "ask", "recommendation", "reason", "option", "test", "board", "npv",
         "probability", "payback", "peak-cash", "cash", "sensitivity", "gate")  # fmt: skip
"""First words of the ids that the appendix begins with, in this order."""
MONTH = re.compile(r"cash\.\w+\.month-\d+")
TYPE = 8.0  # points, of the appendix
WORD = 0.93  # size of the Word document's type over that of the PDF


def files(found: Mapping[str, Fact]) -> tuple[dict[str, bytes], dict[str, tuple[str, ...]]]:
    """memo and press as PDF and DOCX; and the ids of the facts on each, by document.

    Raises:
        Problem: a template asks for a fact that the case does not have, or is too long for a page.
    """
    day = facts.opened(found)
    made: dict[str, bytes] = {}
    used: dict[str, tuple[str, ...]] = {}
    for name in TEXTS:
        page = pages.page(pages.variant(name, found), found)
        size, made[f"{name}.pdf"] = typeset.one_page(page.blocks, day, title=page.title)
        made[f"{name}.docx"] = word.docx(page.blocks, day, page.title, WORD * size)
        used[name] = page.used
    return made, used


def natural(key: str) -> list[tuple[int, str]]:
    """For sorting: month-3 before month-12."""
    parts = re.split(r"(\d+)", key)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _use(key: str) -> int:
    """Where its kind of number stands among those that a decision is taken on."""
    return next((n for n, word in enumerate(FIRST) if key.partition(".")[0] == word), len(FIRST))


def by_use(key: str) -> tuple[int, list[tuple[int, str]]]:
    """For sorting: what is asked and advised first."""
    return _use(key), natural(key)


def appendix(
    model: Model, found: Mapping[str, Fact], used: Mapping[str, Sequence[str]]
) -> tuple[Page, bytes]:
    """Every number of every document: id, where it is printed, evidence, hash; then the ledger.

    used: ids of the facts that each document prints.
    """
    where: dict[str, list[str]] = {}
    for name, keys in used.items():
        for key in keys:
            where.setdefault(key, []).append(name)
    heads = tuple(rich(x) for x in ("Id", "Printed", "What it is", "On", "Rests on", "Hash"))

    def told(keys: Iterable[str]) -> Iterator[tuple[pages.Rich, ...]]:
        yield heads
        for key in keys:
            fact = found[key]
            cells = (
                key, fact.text, fact.title, ", ".join(where[key]), evidence(fact, model),
                facts.fingerprint(fact, model),
            )  # fmt: skip
            yield tuple(((cell, False),) for cell in cells)

    months = [key for key in where if MONTH.fullmatch(key)]
    first = [key for key in where if key not in months and _use(key) < len(FIRST)]
    rest = [key for key in where if key not in (*months, *first)]
    wide = (0, 15, 32, 0, 30, 0)
    title = f"{found['company.name'].text}: every number of these documents"
    blocks = [
        Block("title", rich(title)),
        Block("small", rich(pages.page("~ " + NOTE, found).blocks[0].rich[0][0])),
        Block("heading", rich("What is decided, and on what")),
        Block("table", rows=tuple(told(sorted(first, key=by_use))), widths=wide),
        Block("heading", rich("Every other number, by id")),
        Block("table", rows=tuple(told(sorted(rest, key=natural))), widths=wide),
        Block("heading", rich("Assumptions of the cash model")),
        Block("table", rows=tuple(_ledger(model)), widths=(0, 32, 0, 0, 0, 0, 0, 40)),
        Block("heading", rich("Items of the cash model")),
        Block("table", rows=tuple(_items(model))),
        Block("heading", rich("The curve of cumulated cash, month by month")),
        Block("table", rows=tuple(told(sorted(months, key=natural))), widths=wide),
    ]
    content = typeset.data(blocks, title=title, size=TYPE, flipped=True, pad=1.8,
                           margin=(11, 11, 11))  # fmt: skip
    return Page(tuple(blocks), tuple(where)), typeset.pdf(content, facts.opened(found))


NOTE = (
    "Decision of {ask.date} · {company.kind} · case {case.hash}. A hash changes when the number, "
    "or a ledger row or item that it rests on, does. The cash model is every item and assumption "
    "listed below. python -m synthecon trace ID follows an id to its source."
)


def evidence(fact: Fact, model: Model) -> str:
    """What it rests on, in a few words: the ids, or "cash model"."""
    names = list(fact.evidence)
    if set(printable.CASH) <= set(names):
        names = ["cash model"] + [n for n in names if n not in printable.CASH]
    items = [item.id for item in model.items]
    own = [n for n in names if n in items]
    if len(own) > 3:  # the rows that items name stand beside them in the list below
        rows = model.rows.keys() | model.derived.keys()
        names = [f"items {', '.join(own)}"] + [n for n in names if n not in items and n not in rows]
    return ", ".join(names)


def _ledger(model: Model) -> Iterator[tuple[pages.Rich, ...]]:
    heads = ("Id", "Name", "Low", "Base", "High", "Unit", "Kind", "Source")
    yield tuple(rich(head) for head in heads)
    for key in sorted(model.used):
        row = model.rows.get(key)
        if row is None:
            other = model.derived[key]
            cells = (key, other.name, "", "", "", other.unit, "derived", other.source)
        else:
            three = (f"{x:,.4g}" for x in (row.low, row.base, row.high))
            cells = (key, row.name, *three, row.unit, row.source_type, row.source)
        yield tuple(((cell, False),) if cell else () for cell in cells)


def _items(model: Model) -> Iterator[tuple[pages.Rich, ...]]:
    heads = ("Id", "Name", "Way", "Category", "Line", "Kind", "Amount", "Growth")
    yield tuple(rich(head) for head in heads)
    for item in model.items:
        signs = "".join(f" {'*' if power > 0 else '/'} {name}" for name, power in item.factors)
        cells = (
            item.id, item.name, " and ".join(item.scenario), item.category, item.line, item.kind,
            signs.removeprefix(" * "), item.growth,
        )  # fmt: skip
        yield tuple(((cell, False),) if cell else () for cell in cells)
