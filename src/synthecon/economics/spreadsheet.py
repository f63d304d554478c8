"""A workbook as plain data, and the one place that knows how XlsxWriter writes it.

A formula carries the value that Python found for it, so that a viewer without a calculator shows
the right number.  Same content, same bytes.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

Content = str | float | date | None
ENDLESS = 1e15  # a limit that is none
EPOCH = date(1899, 12, 30)  # day 0 of a spreadsheet's calendar

INPUT = {"font_color": "#0B3D91", "bg_color": "#FFF8DC", "border": 1, "border_color": "#D9D2B0"}
RUN = {"font_color": "#6B2E8A", "italic": True}  # a value that a run found: not live
LEFT = {"align": "left", "indent": 1}  # text keeps clear of the number before it
HEAD = {"bold": True, "bg_color": "#1F3A4D", "font_color": "#FFFFFF", "text_wrap": True}
MONEY = '#,##0;-#,##0;"–"'
DAY, MONTH = "yyyy-mm-dd", "mmm yy"
STYLES: Mapping[str, Mapping[str, Any]] = {
    "title": {"bold": True, "font_size": 16, "font_color": "#1F3A4D"},
    "note": {"italic": True, **LEFT, "font_color": "#55606A"},
    "section": {"bold": True, "font_size": 12, "font_color": "#1F3A4D"},
    "head": HEAD | {"valign": "vcenter", **LEFT},
    "head.number": HEAD | {"align": "right", "valign": "vcenter"},
    "head.year": HEAD | {"align": "right", "num_format": '"year "0'},
    "head.month": HEAD | {"align": "right", "num_format": MONTH},
    "text": {"valign": "top", **LEFT},
    "wrap": {"text_wrap": True, "valign": "top", **LEFT},
    "small": {
        "text_wrap": True,
        "valign": "top",
        "font_size": 8,
        "font_color": "#333333",
        **LEFT,
    },
    "id": {"font_name": "Consolas", "font_size": 9, "valign": "top", **LEFT},
    "bold": {"bold": True, "valign": "top", **LEFT},
    "day": {"num_format": DAY, "valign": "top", **LEFT},
    "input.text": INPUT | {"valign": "top"},
    "input.day": INPUT | {"num_format": DAY, "valign": "top", "align": "right"},
    "blocked": {"bg_color": "#ECECEC", "valign": "top"},
    "money": {"num_format": MONEY},
    "money.bold": {"num_format": MONEY, "bold": True, "top": 1},
    "cents": {"num_format": "#,##0.00;-#,##0.00"},
    "share": {"num_format": "0.0%"},
    "factor": {"num_format": "0.0000"},
    "part": {"num_format": '0.00;-0.00;"–"'},
    "count": {"num_format": "0"},
    "left.count": {"num_format": "0", **LEFT},
    "months": {"num_format": "0.0", "align": "right"},
    "big": {"num_format": MONEY, "bold": True, "font_size": 12, "align": "right"},
    "big.share": {"num_format": "0.0%", "bold": True, "font_size": 12, "align": "right"},
    "big.months": {"num_format": "0.0", "bold": True, "font_size": 12, "align": "right"},
    "big.count": {"num_format": "0", "bold": True, "font_size": 12, "align": "right"},
    "verdict": {"bold": True, "align": "center", "border": 1},
}
KINDS = {"number": {}, "input": INPUT, "run": RUN}  # what stands before a number format
LETTERS = {"wrap": (1.15, 13.5), "small": (1.4, 10.5)}  # a column's width of them; points a line
GOOD = {"bg_color": "#CDE8D5", "font_color": "#0B4F26"}
BAD = {"bg_color": "#F6CFCB", "font_color": "#8A1108"}


@dataclass(frozen=True)
class Cell:
    """content: a text, a number, a day, or a formula (it begins with "=").  style: of STYLES, or a
    number format behind "number:", "input:" or "run:".  value: of a formula, as Python found it."""

    content: Content
    style: str
    value: str | float | None = None

    @property
    def is_formula(self) -> bool:
        return isinstance(self.content, str) and self.content.startswith("=")


@dataclass
class Sheet:
    """One sheet.  widths: of its columns, in characters.  freeze: row and column that stay.
    across: pages wide when printed.  repeat, repeat_columns: what stands on each of them.
    print_to: the last column that is printed.  choices: what a cell offers, by its place.
    limits: the lowest and highest number that a cell takes.  verdicts: ranges in which OK is green
    and FAIL is red.  heights: of rows that need more than their text.  charts: row, column,
    description."""

    name: str
    widths: Sequence[float] = ()
    freeze: tuple[int, int] = (0, 0)
    paper: int = 9  # A4; 8 is A3
    portrait: bool = False
    repeat: tuple[int, int] | None = None
    repeat_columns: tuple[int, int] | None = None
    across: int = 1
    print_to: int | None = None
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    choices: dict[tuple[int, int], Sequence[str]] = field(default_factory=dict)
    limits: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    heights: dict[int, float] = field(default_factory=dict)
    charts: list[tuple[int, int, Mapping[str, Any]]] = field(default_factory=list)

    def put(
        self, row: int, column: int, content: Content, style: str = "text",
        value: str | float | None = None,
    ) -> str:  # fmt: skip
        """Write a cell, counted from 0; returns its address on this sheet, "C7"."""
        self.cells[row, column] = Cell(content, style, value)
        return at(row, column)

    def row(self, row: int, contents: Sequence[Content], style: str, first: int = 0) -> None:
        for column, content in enumerate(contents, first):
            self.put(row, column, content, style)

    def ref(self, row: int, column: int) -> str:
        """The absolute address from another sheet: 'Read me'!$C$7."""
        return f"{quoted(self.name)}!{at(row, column, True, True)}"

    def span(self, first: tuple[int, int], last: tuple[int, int]) -> str:
        return f"{self.ref(*first)}:{at(*last, True, True)}"


def at(row: int, column: int, fix_row: bool = False, fix_column: bool = False) -> str:
    return xl_rowcol_to_cell(row, column, row_abs=fix_row, col_abs=fix_column)


def column(number: int) -> str:
    return xl_col_to_name(number)


def quoted(name: str) -> str:
    return name if name.isalnum() else f"'{name}'"


def serial(day: date) -> int:
    """A day as a spreadsheet counts it."""
    return (day - EPOCH).days


def written(
    sheets: Sequence[Sheet],
    names: Mapping[str, str],
    created: date,
    properties: Mapping[str, str],
    planted: float | None = None,
) -> bytes:
    """The file.  names: defined names and what they stand for.  created: written into the file in
    place of today.  planted: a value for every formula instead of the right one, so that a test
    can see whether another program calculates it anew."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": DAY})
    book.set_properties({**properties, "created": datetime.combine(created, time())})
    book.set_calc_mode("auto")
    formats: dict[str, Any] = {}

    def style(name: str) -> Any:
        if name not in formats:
            kind, _, pattern = name.partition(":")
            found = dict(STYLES[name]) if not pattern else {"num_format": pattern, "valign": "top"}
            formats[name] = book.add_format(found | (KINDS[kind] if pattern else {}))
        return formats[name]

    pages = {sheet.name: book.add_worksheet(sheet.name) for sheet in sheets}
    for name, place in names.items():
        book.define_name(name, f"={place}")
    good, bad = book.add_format(GOOD), book.add_format(BAD)
    for sheet in sheets:
        page = pages[sheet.name]
        _set_up(page, sheet)
        for (row, col), cell in sorted(sheet.cells.items()):
            _write(page, row, col, cell, style(cell.style), planted)
        for (row, col), words in sheet.choices.items():
            page.data_validation(
                row, col, row, col,
                {"validate": "list", "source": list(words), "error_title": "Unknown",
                 "error_message": f"Choose {', '.join(words)}."},
            )  # fmt: skip
        for (row, col), (low, high) in sheet.limits.items():
            told = f"A number from {low:g}" + (f" to {high:g}" if high < ENDLESS else " up")
            page.data_validation(
                row, col, row, col,
                {"validate": "decimal", "criteria": "between", "minimum": low, "maximum": high,
                 "error_title": "Not accepted",
                 "error_message": f"{told}, in the unit of this row. Shares: 0.3, not 30."},
            )  # fmt: skip
        for span in sheet.verdicts:
            for word, colour in (("OK", good), ("FAIL", bad)):
                rule = {"type": "cell", "criteria": "==", "value": f'"{word}"', "format": colour}
                page.conditional_format(span, rule)
        for row, col, chart in sheet.charts:
            page.insert_chart(row, col, _chart(book, chart))
    book.close()
    return file.getvalue()


def _set_up(page: Any, sheet: Sheet) -> None:
    """Widths, frozen panes, and how it prints."""
    page.hide_gridlines(2)
    for number, width in enumerate(sheet.widths):
        page.set_column(number, number, width)
    heights = dict(sheet.heights)
    for (row, col), cell in sheet.cells.items():
        if cell.style in LETTERS and isinstance(cell.content, str):
            letters, points = LETTERS[cell.style]
            lines = _lines(cell.content, int(sheet.widths[col] * letters) - 2)
            heights[row] = max(heights.get(row, 15.0), lines * points + 3)
    for row, height in heights.items():
        page.set_row(row, height)
    if any(sheet.freeze):
        page.freeze_panes(*sheet.freeze)
    if not sheet.portrait:
        page.set_landscape()
    page.set_paper(sheet.paper)
    page.fit_to_pages(sheet.across, 0)
    page.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    page.set_header("&L&A&R&F")
    page.set_footer("&RPage &P of &N")
    if sheet.print_to is not None:
        page.print_area(0, 0, max(row for row, _ in sheet.cells), sheet.print_to)
    if sheet.repeat:
        page.repeat_rows(*sheet.repeat)
    if sheet.repeat_columns:
        page.repeat_columns(*sheet.repeat_columns)


def _lines(text: str, width: int) -> int:
    """How many lines a text takes.  Not every program fits a row to its text by itself."""
    return max(1, len(textwrap.wrap(text, max(8, width), break_on_hyphens=False)))


def _write(page: Any, row: int, col: int, cell: Cell, style: Any, planted: float | None) -> None:
    content = cell.content
    if cell.is_formula:
        value = cell.value if planted is None else planted
        if value is None:
            raise ValueError(f"{page.name}!{at(row, col)}: a formula without a value")
        page.write_formula(row, col, content, style, value)
    elif content is None:
        page.write_blank(row, col, None, style)
    elif isinstance(content, date):
        page.write_number(row, col, serial(content), style)
    elif isinstance(content, str):
        page.write_string(row, col, content, style)
    else:
        page.write_number(row, col, content, style)


def _chart(book: Any, about: Mapping[str, Any]) -> Any:
    """A native chart from its description: type, title, series, axes, size."""
    chart = book.add_chart(about["type"])
    for series in about["series"]:
        chart.add_series(dict(series))
    chart.set_title({"name": about["title"], "name_font": {"size": 12}, "overlay": False})
    chart.set_x_axis(dict(about["x"]))
    chart.set_y_axis(dict(about["y"]))
    chart.set_legend({"position": "bottom"})
    chart.set_size(dict(about["size"]))
    return chart
