"""Five slides for the board: a claim as the title of each, and native charts that can be edited."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import (
    XL_AXIS_CROSSES,
    XL_CHART_TYPE,
    XL_LABEL_POSITION,
    XL_LEGEND_POSITION,
    XL_TICK_MARK,
)
from pptx.enum.chart import XL_TICK_LABEL_POSITION as XL_TICKS
from pptx.enum.dml import MSO_LINE
from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml import parse_xml
from pptx.util import Emu, Inches, Pt

from synthecon.strategy import archive, facts, pages, typeset
from synthecon.strategy.pages import HARD, Block, Filler, Rich, plain
from synthecon.strategy.printable import Fact

FONT = "Arial"
INK, MUTED, PALE = "1B1F24", "5B6570", "EAF3F9"
BLUE, ORANGE, GREEN, GREY, PURPLE = "0A5C94", "C4520A", "00795A", "8A949D", "8A4F7D"
EVIDENCE = {
    "measured": ("Measured", BLUE),
    "invoice": ("Own books", GREEN),
    "public": ("Sourced", "2F8FC4"),
    "transfer": ("Transferred", ORANGE),
    "illustrative": ("Illustrative", GREY),
}
LEFT, WIDTH, TOP = 0.6, 12.13, 1.35  # inches
HALF = 5.9
ROOM = 3  # empty places at the end of a line, for its label
PLOT = (0.07, 0.19, 0.91, 0.62)  # of the tornado's box: left, top, width, height of its bars
LETTER = 0.093  # inches, width of a character of its labels
MONEY = '#,##0," k";−#,##0," k"'


def pptx(found: Mapping[str, Fact]) -> tuple[bytes, tuple[str, ...]]:
    """The deck, and the ids of the facts in it.

    Raises:
        Problem: a template asks for a fact that the case does not have.
    """
    prs = Presentation()
    prs.slide_width, prs.slide_height = Inches(13.333), Inches(7.5)
    page = pages.page(pages.variant("deck", found), found)
    used = dict.fromkeys(page.used)
    starts = [i for i, b in enumerate(page.blocks) if b.kind == "title"]
    draws = (_first, _cash, _decides, _accounts, _gates)
    for number, start in enumerate(starts):
        until = starts[number + 1] if number + 1 < len(starts) else len(page.blocks)
        filler = Filler(found)
        slide = _Slide(prs, page.blocks[start:until], filler)
        draws[number](slide)
        slide.foot()
        used |= dict.fromkeys(filler.used)
    prs.core_properties.title = page.title
    prs.core_properties.author = ""
    prs.core_properties.language = "en"
    out = io.BytesIO()
    prs.save(out)
    return archive.repacked(out.getvalue(), facts.opened(found)), tuple(used)


class _Slide:
    """A slide under construction, with the blocks of its template."""

    def __init__(self, prs, blocks: Sequence[Block], filler: Filler) -> None:
        self.slide = prs.slides.add_slide(prs.slide_layouts[5])  # a title, and nothing else
        self.blocks, self.filler = blocks, filler
        title = self.slide.shapes.title
        title.left, title.top, title.width, title.height = _box(LEFT, 0.35, WIDTH, 0.85)
        _write(title.text_frame, [blocks[0].rich], 28, bold=True, colour=BLUE)
        title.text_frame.vertical_anchor = MSO_ANCHOR.MIDDLE

    def of(self, kind: str) -> list[Block]:
        return [b for b in self.blocks if b.kind == kind]

    def text(self, lines: Sequence[Rich], x: float, y: float, w: float, h: float, size: float = 16,
             **look) -> None:  # fmt: skip
        shape = self.slide.shapes.add_textbox(*_box(x, y, w, h))
        _write(shape.text_frame, lines, size, **look)

    def bullets(self, x: float, y: float, w: float, h: float, size: float = 16) -> None:
        self.text([b.rich for b in self.of("bullet")], x, y, w, h, size, bullet=True)

    def callout(self, y: float, h: float) -> None:
        shape = self.slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *_box(LEFT, y, WIDTH, h))
        _fill(shape, PALE)
        shape.shadow.inherit = False
        _write(shape.text_frame, [b.rich for b in self.of("box")], 17)
        shape.text_frame.vertical_anchor = MSO_ANCHOR.MIDDLE

    def table(self, x: float, y: float, w: float, size: float = 14, row: float = 0.42,
              shares: Sequence[float] = ()) -> None:  # fmt: skip
        rows = self.of("table")[0].rows
        frame = self.slide.shapes.add_table(
            len(rows), len(rows[0]), *_box(x, y, w, row * len(rows))
        )
        table = frame.table
        style = frame._element.graphic.graphicData.tbl.tblPr
        style.set("bandRow", "0")
        shares = shares or [1.0] * len(rows[0])
        for column, part in zip(table.columns, shares, strict=True):
            column.width = Inches(w * part / sum(shares))
        sides = typeset.aligned(rows)
        for i, cells in enumerate(rows):
            table.rows[i].height = Inches(row)
            for j, runs in enumerate(cells):
                cell = table.cell(i, j)
                cell.fill.solid()
                cell.fill.fore_color.rgb = RGBColor.from_string(PALE if i == 0 else "FFFFFF")
                cell.margin_left = cell.margin_right = Inches(0.07)
                cell.margin_top = cell.margin_bottom = Inches(0.03)
                cell.vertical_anchor = MSO_ANCHOR.MIDDLE
                _write(cell.text_frame, [runs], size, bold=i == 0, colour=MUTED if i == 0 else INK,
                       side=PP_ALIGN.RIGHT if sides[j] == "right" else PP_ALIGN.LEFT)  # fmt: skip

    def upright(self, name: str, x: float, y: float, h: float, colour: str, *,
                dashed: bool = False) -> None:  # fmt: skip
        """An upright line over a chart."""
        begin, end = _box(x, y, 0, 0)[:2], _box(x, y + h, 0, 0)[:2]
        line = self.slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, *begin, *end)
        line.name = f"line at {name}"
        line.line.color.rgb = RGBColor.from_string(colour)
        line.line.width = Pt(1.5)
        if dashed:
            line.line.dash_style = MSO_LINE.DASH

    def chart(self, kind, data: CategoryChartData, x: float, y: float, w: float, h: float,
              about: str):  # fmt: skip
        """A native chart; about: what it shows, for those who do not see it."""
        frame = self.slide.shapes.add_chart(kind, *_box(x, y, w, h), data)
        frame._element.nvGraphicFramePr.cNvPr.set("descr", about)
        chart = frame.chart
        chart.font.size, chart.font.name = Pt(13), FONT
        chart.font.color.rgb = RGBColor.from_string(INK)
        return chart

    def foot(self) -> None:
        text = self.filler.fill("{company.name}, {company.kind} · {ask.date} · appendix.pdf has "
                                "the id, evidence and hash of every number")  # fmt: skip
        self.text([((text, False),)], LEFT, 6.98, WIDTH, 0.35, 11, colour=MUTED)
        known = self.filler.facts
        here = pages.text_of(self.blocks).replace(HARD, " ")
        keys = [k for k, f in known.items() if f.text in here and any(c.isdigit() for c in f.text)]
        keys += [k for k in self.filler.used if k not in keys]
        lines = [f"{k}: {known[k].text}" for k in sorted(keys)]
        self.slide.notes_slide.notes_text_frame.text = "Numbers by id\n" + "\n".join(lines)


def _box(x: float, y: float, w: float, h: float) -> tuple[Emu, Emu, Emu, Emu]:
    return Inches(x), Inches(y), Inches(w), Inches(h)


def _fill(shape, colour: str) -> None:
    shape.fill.solid()
    shape.fill.fore_color.rgb = RGBColor.from_string(colour)
    shape.line.fill.background()


def _write(frame, lines: Sequence[Rich], size: float, *, bold: bool = False, colour: str = INK,
           side=PP_ALIGN.LEFT, bullet: bool = False) -> None:  # fmt: skip
    frame.word_wrap = True
    for place, runs in enumerate(lines):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        paragraph.alignment = side
        if bullet:
            paragraph.space_after = Pt(size * 0.55)
            properties = paragraph._p.get_or_add_pPr()
            properties.set("marL", "228600")
            properties.set("indent", "-228600")
            mark = properties.makeelement(f"{{{DRAWING}}}buChar", {"char": "•"})
            properties.append(mark)
        for text, strong in runs:
            run = paragraph.add_run()
            run.text = text
            run.font.size, run.font.name, run.font.bold = Pt(size), FONT, bold or strong
            run.font.color.rgb = RGBColor.from_string(colour)


CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


# -- The slides -----------------------------------------------------------------------------------


def _first(s: _Slide) -> None:
    s.callout(TOP, 1.45)
    labels, values = s.of("table")[0].rows
    gap = 0.25
    width = (WIDTH - gap * (len(labels) - 1)) / len(labels)
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        x = LEFT + place * (width + gap)
        tile = s.slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *_box(x, 2.95, width, 1.45))
        _fill(tile, BLUE)
        tile.shadow.inherit = False
        long = len(plain(value)) > 12
        lines = [value, label]
        _write(tile.text_frame, lines, 15, colour="FFFFFF", side=PP_ALIGN.CENTER)
        tile.text_frame.vertical_anchor = MSO_ANCHOR.MIDDLE
        for run in tile.text_frame.paragraphs[0].runs:
            run.font.size, run.font.bold = Pt(22 if long else 30), True
    s.bullets(LEFT, 4.65, WIDTH, 2.2, 18 if len(s.of("bullet")) < 4 else 15)


def _cash(s: _Slide) -> None:
    """Cumulated cash, a point a quarter."""
    months = sorted(int(k.rpartition("-")[2]) for k in s.filler.facts
                    if k.startswith("cash.base.month-"))  # fmt: skip
    data = CategoryChartData(number_format=MONEY)
    data.categories = [str(m) for m in months] + [" " * n for n in range(1, ROOM + 1)]
    ways = {"high": ("High", GREEN), "base": ("Base case", BLUE), "low": ("Low", ORANGE)}
    for key, (name, _) in ways.items():
        line = [s.filler.value(f"cash.{key}.month-{m}") for m in months]
        data.add_series(name, [*line, *[None] * ROOM])
    chart = s.chart(XL_CHART_TYPE.LINE, data, LEFT, TOP, 5.9, 5.5,
                    "Cumulated cash after tax by month: low, base case and high")  # fmt: skip
    _caption(chart, f"Cumulated cash after tax, {s.filler.text('company.currency')}, by month")
    _legend(chart)
    for series, (key, (_, colour)) in zip(chart.plots[0].series, ways.items(), strict=True):
        series.smooth = False
        series.format.line.width = Pt(3 if key == "base" else 2)
        series.format.line.color.rgb = RGBColor.from_string(colour)
        label = series.points[len(months) - 1].data_label
        label.position = XL_LABEL_POSITION.RIGHT
        _write(label.text_frame, [((s.filler.text(f"cash.{key}.month-{months[-1]}"), True),)], 12,
               colour=colour)  # fmt: skip
    _axes(chart)
    s.table(6.65, TOP + 0.1, 6.08, 12, 0.44, (1.3, 1.6, 1.6, 1.6))
    s.bullets(6.65, TOP + 2.65, 6.08, 3, 16)


def _decides(s: _Slide) -> None:
    """A tornado: bars that start at the base case, where the chart draws its axis; and zero."""
    ranks = [r for r in (1, 2, 3) if f"sensitivity.{r}.id" in s.filler.facts]
    data = CategoryChartData(number_format=MONEY)
    data.categories = list("ABC"[: len(ranks)])  # the names stand in the table beside
    x, y, w, h = LEFT, TOP, 5.6, 4.3
    for name, end in (("at its low", "low"), ("at its high", "high")):
        data.add_series(name, [s.filler.value(f"sensitivity.{r}.{end}") for r in ranks])
    chart = s.chart(XL_CHART_TYPE.BAR_CLUSTERED, data, x, y, w, h,
                    "Net present value, each assumption at its low and its high; lines at zero "
                    "and at the base case")  # fmt: skip
    _caption(chart, f"Net present value, {s.filler.text('company.currency')}")
    _legend(chart)
    # Labels stand outside the bars: leave room for them at both ends; and zero is always in sight.
    base = s.filler.value("npv.base")
    ends = [s.filler.value(f"sensitivity.{r}.{end}") for r in ranks for end in ("low", "high")]
    span = max(*ends, 0.0) - min(*ends, 0.0)
    low = min(min(ends) - 0.34 * span, -0.1 * span)
    high = max(max(ends) + 0.34 * span, 0.1 * span)
    plot = chart.plots[0]
    plot.overlap, plot.gap_width = 100, 60
    for series, end, colour in zip(plot.series, ("low", "high"), (ORANGE, BLUE), strict=True):
        series.format.fill.solid()
        series.format.fill.fore_color.rgb = RGBColor.from_string(colour)
        series.invert_if_negative = False
        for place, r in enumerate(ranks):
            text, at = (f(f"sensitivity.{r}.{end}") for f in (s.filler.text, s.filler.value))
            wide = (len(text) + 1) * LETTER * (high - low) / (w * PLOT[2])
            inside = _inside(at, base, wide)
            label = series.points[place].data_label
            label.position = XL_LABEL_POSITION[f"{'INSIDE' if inside else 'OUTSIDE'}_END"]
            _write(label.text_frame, [((text, True),)], 12, colour="FFFFFF" if inside else colour)
    _axes(chart)
    chart.category_axis.reverse_order = True
    chart.value_axis.crosses = XL_AXIS_CROSSES.CUSTOM
    chart.value_axis.crosses_at = base
    chart.value_axis.minimum_scale, chart.value_axis.maximum_scale = low, high
    _inner(chart, PLOT)
    left, top, wide, tall = (
        start + size * part
        for start, size, part in zip((x, y, 0, 0), (w, h, w, h), PLOT, strict=True)
    )
    places = {key: left + wide * (v - low) / (high - low)
              for key, v in (("zero", 0.0), ("base", base))}  # fmt: skip
    s.upright("zero", places["zero"], top, tall, INK, dashed=True)
    named = f"base case {s.filler.text('npv.base')}"
    for text, key, up, colour in (
        ("zero", "zero", top + tall - 0.02, INK), (named, "base", top - 0.3, MUTED),
    ):  # fmt: skip
        s.text([((text, True),)], max(places[key] - 1.1, 0.0), up, 2.2, 0.3, 12, colour=colour,
               side=PP_ALIGN.CENTER)  # fmt: skip
    s.table(6.4, TOP + 0.35, 6.33, 14, 0.85, (0.35, 2.75, 1.9, 1.5))
    s.bullets(LEFT, 5.85, WIDTH, 1.1, 16)


def _inside(end: float, base: float, wide: float) -> bool:
    """Whether the label of a bar from base to end goes into it: outside, the line at zero would
    strike it through, and the bar has room.  wide: of the label, in the chart's money."""
    outer = end + wide if end > base else end - wide
    return min(end, outer) <= 0 <= max(end, outer) and abs(end - base) > wide


def _accounts(s: _Slide) -> None:
    """What the pivot changes a year, in EBITDA and in cash."""
    names = {"ebitda.delta": ("EBITDA", BLUE), "fcf.delta": ("Free cash flow", GREEN)}
    names = {k: v for k, v in names.items() if f"{k}.year-1" in s.filler.facts}
    data = CategoryChartData(number_format=MONEY)
    data.categories = ["first year", "second year", "third year"]
    for key, (name, _) in names.items():
        data.add_series(name, [s.filler.value(f"{key}.year-{y}") for y in (1, 2, 3)])
    chart = s.chart(XL_CHART_TYPE.COLUMN_CLUSTERED, data, LEFT, TOP, 7.0, 5.5,
                    "Change of EBITDA and of free cash flow by the pivot, a year")  # fmt: skip
    _caption(chart, f"Change by the pivot, {s.filler.text('company.currency')} a year")
    _legend(chart)
    plot = chart.plots[0]
    plot.overlap, plot.gap_width = -20, 45
    for series, (key, (_, colour)) in zip(plot.series, names.items(), strict=True):
        series.format.fill.solid()
        series.format.fill.fore_color.rgb = RGBColor.from_string(colour)
        series.invert_if_negative = False
        for place in range(3):
            label = series.points[place].data_label
            label.position = XL_LABEL_POSITION.OUTSIDE_END
            text = s.filler.text(f"{key}.year-{place + 1}")
            _write(label.text_frame, [((text, True),)], 11, colour=colour)
    _axes(chart)
    s.bullets(7.85, TOP + 0.2, 4.9, 5.2, 17)


def _gates(s: _Slide) -> None:
    """What has to happen, and what the result rests on."""
    rows = s.of("table")[0].rows
    shares = (1.1, 1.2, 4.6, 1.3) if len(rows[0]) == 4 else (4.6, 1.3, 1.3)
    s.table(LEFT, TOP, WIDTH, 14, 0.42, shares)
    s.bullets(LEFT, TOP + 0.42 * len(rows) + 0.2, WIDTH, 1.6, 15)
    data = CategoryChartData(number_format="0%")
    data.categories = ["What the NPV leans on", "Where its uncertainty comes from"]
    for key, (name, _) in EVIDENCE.items():
        data.add_series(name, [s.filler.value(f"{p}.{key}") for p in ("rests", "share")])
    chart = s.chart(XL_CHART_TYPE.BAR_STACKED_100, data, LEFT, 4.95, WIDTH, 2.05,
                    "Shares of the kinds of evidence in result and uncertainty")  # fmt: skip
    _legend(chart)
    plot = chart.plots[0]
    plot.overlap, plot.gap_width = 100, 40
    for series, (key, (_, colour)) in zip(plot.series, EVIDENCE.items(), strict=True):
        series.format.fill.solid()
        series.format.fill.fore_color.rgb = RGBColor.from_string(colour)
        for place, prefix in enumerate(("rests", "share")):
            if s.filler.value(f"{prefix}.{key}") < 0.03:
                continue  # no room for a label
            label = series.points[place].data_label
            label.position = XL_LABEL_POSITION.CENTER
            text = s.filler.text(f"{prefix}.{key}")
            _write(label.text_frame, [((text, True),)], 12, colour="FFFFFF")
    _axes(chart)
    chart.category_axis.reverse_order = True


def _inner(chart, part: Sequence[float]) -> None:
    """Puts what the axes enclose at x, y, width, height: parts of the chart's own box."""
    area = chart._chartSpace.chart.plotArea
    for old in area.findall(f"{{{CHART}}}layout"):
        area.remove(old)
    told = "".join(
        f'<c:{name} val="{value}"/>'
        for name, value in (
            ("layoutTarget", "inner"), ("xMode", "edge"), ("yMode", "edge"),
            *zip("xywh", part, strict=True),
        )
    )  # fmt: skip
    layout = f'<c:layout xmlns:c="{CHART}"><c:manualLayout>{told}</c:manualLayout></c:layout>'
    area.insert(0, parse_xml(layout))


def _caption(chart, text: str) -> None:
    chart.has_title = True
    _write(chart.chart_title.text_frame, [((text, False),)], 13, colour=MUTED)


def _legend(chart) -> None:
    chart.has_legend = True
    chart.legend.position = XL_LEGEND_POSITION.BOTTOM
    chart.legend.include_in_layout = False


def _axes(chart) -> None:
    """Values are written at the points: no scale, no grid."""
    chart.value_axis.visible = False
    chart.value_axis.has_major_gridlines = False
    axis = chart.category_axis
    axis.tick_label_position = XL_TICKS.LOW
    axis.major_tick_mark = XL_TICK_MARK.NONE
    axis.format.line.color.rgb = RGBColor.from_string(GREY)
