"""A page as PDF, by typst: the same blocks give the same bytes."""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from importlib import resources
from typing import Any

import typst

from synthecon import Problem
from synthecon.strategy.pages import HARD, Block, Rich, plain

NUMBER = re.compile(r"^(−?\d|not in |month |none$|–$|below |above |no value|the yardstick)")
SIZES = (11.0, 10.7, 10.4, 10.0, 9.6, 9.2, 8.8, 8.4, 8.0)  # points, tried in turn
DOTS = 300.0  # of a picture, an inch
FITTED = {"margin": (19, 15, 13)}


def aligned(rows: Sequence[Sequence[Rich]]) -> list[str]:
    """Where the cells of each column stand: numbers right, words left."""
    sides = []
    for column in zip(*rows[1:], strict=True):
        cells = [plain(cell).replace(HARD, " ") for cell in column if cell]
        numbers = sum(bool(NUMBER.match(c)) and len(c) < 24 for c in cells)
        sides.append("right" if cells and numbers == len(cells) else "left")
    return sides


def widths(rows: Sequence[Sequence[Rich]]) -> list[int]:
    """Shares of the line that the columns get; 0: as wide as its content.

    Columns whose text would fill the line share what the others leave, by their longest cell.
    """
    longest = [max(len(plain(cell)) for cell in column) for column in zip(*rows, strict=True)]
    if sum(longest) < 100:
        return [1 if place == 0 else 0 for place in range(len(longest))]
    return [min(n, 90) if n > 30 else 0 for n in longest]


def data(blocks: Sequence[Block], **changes: Any) -> dict[str, Any]:
    """What page.typ reads."""
    found: list[Mapping[str, Any]] = []
    for b in blocks:
        one: dict[str, Any] = {"kind": b.kind, "rich": b.rich}
        if b.kind == "table":
            wide = b.widths or widths(b.rows)
            one |= {"rows": b.rows, "widths": wide, "align": aligned(b.rows)}
        if b.kind == "curve":
            one |= {"lines": b.lines}
        found.append(one)
    usual = {"size": 9.0, "margin": (17, 13, 12), "flipped": False, "footer": "", "pad": 2.8}
    return usual | {"cut": 0} | {"blocks": found} | changes


def _typst(content: Mapping[str, Any]) -> dict[str, Any]:
    """Fonts are those that typst itself carries: no machine's own."""
    return {
        "input": (resources.files(__package__) / "templates" / "page.typ").read_bytes(),
        "ignore_system_fonts": True,
        "sys_inputs": {"doc": json.dumps(content, ensure_ascii=False)},
    }


def pdf(content: Mapping[str, Any], day: date) -> bytes:
    """The PDF; day is its date."""
    return typst.compile(**_typst(content), timestamp=calendar.timegm(day.timetuple()))


def picture(drawn: Block, width: float, size: float) -> bytes:
    """A block by itself, without its caption, as PNG.  width: millimetres; size: points."""
    content = data([replace(drawn, rich=())], title="", size=size, margin=(0, 1, 2), cut=width)
    return typst.compile(**_typst(content), format="png", ppi=DOTS)


def pages(content: Mapping[str, Any]) -> int:
    """How many pages it takes."""
    call = _typst(content)
    found = typst.query(call.pop("input"), "<pages>", field="value", one=True, **call)
    return int(json.loads(found))


def one_page(blocks: Sequence[Block], day: date, **about: Any) -> tuple[float, bytes]:
    """A PDF of exactly one page, in the largest type in which all fits; and that size, in points.

    Raises:
        Problem: too much text for a page that anybody can read.
    """
    for size in SIZES:
        content = data(blocks, size=size, **FITTED, **about)
        if pages(content) == 1:
            return size, pdf(content, day)
    raise Problem(f"{about.get('title', 'the page')}: too much text for one page; shorten it")
