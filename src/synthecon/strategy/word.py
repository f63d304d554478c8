"""A page as a Word document: the same blocks as the PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.table import _Cell
from docx.text.paragraph import Paragraph

from synthecon.strategy import archive, typeset
from synthecon.strategy.pages import Block, Rich, plain

FONT = "Arial"  # every office suite has it, or one as wide
BLUE, MUTED = RGBColor(0x0A, 0x5C, 0x94), RGBColor(0x5B, 0x65, 0x70)
WIDTH = 178.0  # of the text, millimetres
CHARACTER = 0.2  # millimetres that a character takes for each point of its size


def docx(blocks: Sequence[Block], day: date, title: str, size: float = 8.6) -> bytes:
    """The document, A4.  size: of the type, in points."""
    document = Document()
    document.core_properties.title = title
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.core_properties.language = "en"
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(16)
    section.top_margin, section.bottom_margin = Mm(13), Mm(11)
    for name in ("Normal", "Title", "Heading 1", "List Bullet"):
        style = document.styles[name]
        style.font.name = FONT
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for part in list(fonts.attrib):
            if part.endswith("Theme"):
                del fonts.attrib[part]
        for part in ("ascii", "hAnsi", "cs", "eastAsia"):
            fonts.set(qn(f"w:{part}"), FONT)
        style.paragraph_format.space_before = Pt(0)
        style.paragraph_format.space_after = Pt(size * 0.42)
        style.paragraph_format.line_spacing = 1.05
        style.font.size = Pt(size)
    for name, times, before in (("Title", 1.75, 0), ("Heading 1", 1.2, 0.5)):
        style = document.styles[name]
        style.font.size, style.font.bold, style.font.color.rgb = Pt(size * times), True, BLUE
        style.paragraph_format.space_before = Pt(size * before)
        style.paragraph_format.space_after = Pt(size * 0.25)
        _no_border(style.element)
    for b in blocks:
        if b.kind == "curve":
            _picture(document, b, size)
            b = replace(b, kind="small")  # its caption
        if b.kind == "table":
            _table(document, b, size)
            continue
        style = {"title": "Title", "heading": "Heading 1", "bullet": "List Bullet"}.get(b.kind)
        paragraph = document.add_paragraph(style=style)
        _write(paragraph, b.rich, size * 0.88 if b.kind == "small" else None, b.kind == "small")
        if b.kind == "bullet":
            paragraph.paragraph_format.space_after = Pt(size * 0.2)
        if b.kind == "box":
            _shade(paragraph._p.get_or_add_pPr(), "EAF3F9")
            paragraph.paragraph_format.left_indent = Mm(1.5)
            paragraph.paragraph_format.right_indent = Mm(1.5)
    out = io.BytesIO()
    document.save(out)
    return archive.repacked(out.getvalue(), day)


def _write(paragraph: Paragraph, runs: Rich, size: float | None, muted: bool) -> None:
    for text, bold in runs:
        run = paragraph.add_run(text)
        if bold:  # a heading is bold by its style
            run.bold = True
        if size:
            run.font.size = Pt(size)
        if muted:
            run.font.color.rgb = MUTED


def _picture(document, block: Block, size: float) -> None:
    """The drawing of the PDF, with its last amounts as alternative text."""
    drawn = io.BytesIO(typeset.picture(block, WIDTH, size))
    paragraph = document.add_paragraph()
    shape = paragraph.add_run().add_picture(drawn, width=Mm(WIDTH))
    ends = ", ".join(f"{name} {amount}" for name, amount, _ in block.lines)
    shape._inline.docPr.set("descr", f"Curve by month; at its end: {ends}")
    paragraph.paragraph_format.space_after = Pt(0)


def _no_border(element) -> None:
    for border in element.iter(qn("w:pBdr")):
        border.getparent().remove(border)
        break


def _shade(properties, colour: str) -> None:
    shade = OxmlElement("w:shd")
    for key, value in (("val", "clear"), ("color", "auto"), ("fill", colour)):
        shade.set(qn(f"w:{key}"), value)
    properties.append(shade)


def _table(document, block: Block, size: float) -> None:
    table = document.add_table(rows=len(block.rows), cols=len(block.rows[0]))
    table.autofit = False
    sides = typeset.aligned(block.rows)
    wide = _widths(block, size)
    for column, width in zip(table.columns, wide, strict=True):
        column.width = Mm(width)
    for place, (row, cells) in enumerate(zip(table.rows, block.rows, strict=True)):
        for cell, runs, side, width in zip(row.cells, cells, sides, wide, strict=True):
            cell.width = Mm(width)
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = Pt(1)
            paragraph.paragraph_format.space_before = Pt(1)
            if side == "right":
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            runs = tuple((text, True) for text, _ in runs) if place == 0 else runs
            _write(paragraph, runs, size * 0.94, place == 0)
            _line(cell, "0A5C94" if place == 0 else "C9D1D8", 8 if place == 0 else 4)
    header = table.rows[0]._tr.get_or_add_trPr()
    header.append(OxmlElement("w:tblHeader"))
    after = document.add_paragraph()
    after.paragraph_format.space_after = Pt(0)
    after.paragraph_format.line_spacing = Pt(size * 0.4)


def _widths(block: Block, size: float) -> list[float]:
    """By what the cells hold; the widest column takes what is left, or gives what is missing."""
    longest = [max(len(plain(cell)) for cell in column) for column in zip(*block.rows, strict=True)]
    wide = [n * CHARACTER * size + 6 for n in longest]
    widest = max(range(len(wide)), key=wide.__getitem__)
    wide[widest] += WIDTH - sum(wide)
    return wide


def _line(cell: _Cell, colour: str, eighths: int) -> None:
    """A line below the cell, its width in eighths of a point."""
    borders = OxmlElement("w:tcBorders")
    bottom = OxmlElement("w:bottom")
    for key, value in (("val", "single"), ("sz", str(eighths)), ("space", "0"), ("color", colour)):
        bottom.set(qn(f"w:{key}"), value)
    borders.append(bottom)
    cell._tc.get_or_add_tcPr().append(borders)
