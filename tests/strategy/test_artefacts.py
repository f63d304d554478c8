"""Every document opened with a reader that did not write it; its numbers compared with facts."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from datetime import date
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pypdf
import pytest
from docx import Document
from pptx import Presentation
from pptx.enum.chart import XL_LABEL_POSITION
from pptx.util import Emu

from synthecon import Problem, paths
from synthecon.economics import compare, model, workbook
from synthecon.strategy import (
    archive,
    board,
    dashboard,
    deck,
    facts,
    facts_decision,
    memo,
    pages,
    traced,
    typeset,
)
from synthecon.strategy.printable import Fact

CASES = ("case", "case-tannhof")
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?")
TEMPLATES = sorted(
    p.name for p in (resources.files("synthecon.strategy") / "templates").iterdir()
    if p.name.endswith(".md")
)  # fmt: skip
FILES = {"memo.pdf", "memo.docx", "press.pdf", "press.docx", "deck.pptx", "dashboard.html",
         "appendix.pdf", "model.xlsx", "facts.json"}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """The documents of a case, and the option that they are about."""

    case: model.Model
    model: model.Model
    facts: dict[str, Fact]
    files: dict[str, bytes]
    used: dict[str, tuple[str, ...]]


@pytest.fixture(scope="module")
def made():
    """Both cases; and the first with a board that it satisfies, whatever its own demands."""
    models = {name: model.load(paths.root() / name) for name in CASES}
    rows = dict(models["case"].rows)
    for key, x in (("board.min-probability", 0.5), ("board.cash-limit", 1e7)):
        rows[key] = replace(rows[key], low=x, base=x, high=x)
    models["content"] = replace(models["case"], rows=rows)
    found = {}
    for name, m in models.items():
        told = facts.collect(m)
        about = facts.proposed(m, told)
        found[name] = Made(m, about, told, board.documents(m, told), board.printed(m, told))
    return found


@pytest.fixture(params=[*CASES, "content"])
def one(request, made):
    return made[request.param]


# -- Independent readers --------------------------------------------------------------------------


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\N{NO-BREAK SPACE}", " ")).strip()


def pdf_text(data: bytes) -> str:
    return plain(" ".join(p.extract_text() for p in pypdf.PdfReader(io.BytesIO(data)).pages))


def docx_text(data: bytes) -> str:
    document = Document(io.BytesIO(data))
    cells = [c.text for t in document.tables for row in t.rows for c in row.cells]
    drawn = [shape._inline.docPr.get("descr") for shape in document.inline_shapes]
    return plain(" ".join([p.text for p in document.paragraphs] + cells + drawn))


def slides(data: bytes):
    return Presentation(io.BytesIO(data)).slides


def slide_text(slide) -> str:
    """What stands on a slide: frames, tables, and labels written into charts."""
    found = []
    for shape in slide.shapes:
        if shape.has_text_frame:
            found.append(shape.text_frame.text)
        if shape.has_table:
            found += [c.text for row in shape.table.rows for c in row.cells]
        if shape.has_chart:
            chart = shape.chart._chartSpace
            found += ["".join(t.text for t in p.iter() if t.tag.endswith("}t") and t.text)
                      for p in chart.iter() if p.tag.endswith("}p")]  # fmt: skip
    return plain(" ".join(found))


class Reader(HTMLParser):
    """Text that is seen, by whether it stands in the table of ids; and all tags."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.text, self.rows, self.tags = "", [], []
        self.inside, self.cell, self.hidden = False, None, False
        self.feed(data.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.hidden |= tag == "style"
        self.inside |= dict(attrs).get("aria-label") == "Every number of this page"
        if self.inside and tag == "tr":
            self.rows.append([])
        if self.inside and tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.hidden &= tag != "style"
        self.inside &= tag != "table"

    def handle_data(self, data):
        if self.inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] = (self.rows[-1][-1] + data).strip()
        elif not self.hidden:
            self.text += data + " "


def texts(made: Made) -> dict[str, str]:
    """The text of each document by the name of its file."""
    files = made.files
    return {
        "memo.pdf": pdf_text(files["memo.pdf"]),
        "press.pdf": pdf_text(files["press.pdf"]),
        "memo.docx": docx_text(files["memo.docx"]),
        "press.docx": docx_text(files["press.docx"]),
        "deck.pptx": " ".join(slide_text(s) for s in slides(files["deck.pptx"])),
        "dashboard.html": plain(Reader(files["dashboard.html"]).text),
    }


# -- The numbers ----------------------------------------------------------------------------------


def test_every_fact_of_a_document_can_be_read_in_it(one):
    for name, text in texts(one).items():
        stem = name.partition(".")[0]
        for key in one.used[stem]:
            points = key.startswith("cash.") and not key.endswith("month-36")
            small = key.startswith(("rests.", "share.")) and one.facts[key].value < 0.03
            drawn = points or (small and stem == "deck")  # in a chart, too small for a label
            assert drawn or one.facts[key].text in text, (name, key)


def test_no_document_has_a_number_that_is_no_fact(one):
    words = " ".join(f.text + " " + f.title for f in one.facts.values())
    known = set(NUMBER.findall(words)) | set(NUMBER.findall(one.facts["case.hash"].text))
    names = " ".join(i for i in one.model.rows)
    for name, text in texts(one).items():
        for number in NUMBER.findall(text):
            assert number in known or number in NUMBER.findall(names), (name, number)


def test_the_same_fact_is_the_same_text_everywhere(one):
    read = texts(one)
    for key in ("npv.base", "npv.p5", "npv.p95", "ask.amount", "ask.date", "probability.pays",
                "tco.quo.total", "option.name"):  # fmt: skip
        without = [name for name, text in read.items() if one.facts[key].text not in text]
        assert not without, (key, without)


def test_charts_hold_the_numbers_of_the_facts(one):
    values = {f.value for f in one.facts.values() if isinstance(f.value, float)} | {None}
    charts = [s.chart for slide in slides(one.files["deck.pptx"]) for s in slide.shapes
              if s.has_chart]  # fmt: skip
    assert len(charts) == 4
    for chart in charts:
        for series in chart.plots[0].series:
            assert all(any(v is x or v == pytest.approx(x) for x in values if x is not None)
                       or v is None for v in series.values), series.name  # fmt: skip
    [base] = [s for s in charts[0].plots[0].series if s.name == "Base case"]
    ends = [v for v in base.values if v is not None]
    assert ends[-1] == pytest.approx(one.facts["cash.end"].value)
    assert ends[4] == pytest.approx(one.facts["cash.base.month-12"].value)


def test_the_curve_of_the_page_falls_where_cash_does(one):
    """Points of the SVG, turned back into money by the two ends of the base case."""
    [(_, attributes)] = [(t, a) for t, a in Reader(one.files["dashboard.html"]).tags
                         if t == "polyline" and a["class"] == "base"]  # fmt: skip
    points = [float(p.split(",")[1]) for p in attributes["points"].split()]
    cash = [one.facts[f"cash.base.month-{m}"].value for m in range(0, 37, 3)]
    first, last = points[0], points[-1]
    scale = (cash[-1] - cash[0]) / (last - first)
    assert scale < 0  # an SVG counts downwards
    back = [cash[0] + (y - first) * scale for y in points]
    assert back == pytest.approx(cash, abs=0.01 * (max(cash) - min(cash)))


def test_the_curves_name_their_months_and_their_zero(one):
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", one.files["dashboard.html"].decode())
    assert {"month 0", "12", "24", "36", "0"} <= set(drawn)
    text = pdf_text(one.files["memo.pdf"])
    assert "month 0 12 24 36" in text
    assert re.search(rf"\b0 {one.facts['cash.high.month-36'].text}, high", text)


def struck(end: float, base: float, wide: float, inside: bool) -> bool:
    """Whether a line at zero runs through the label at the end of a bar."""
    away = wide if (end > base) is not inside else -wide
    return min(end, end + away) <= 0 <= max(end, end + away)


def test_no_label_of_the_tornado_is_struck_through(one):
    [shape] = [s for s in slides(one.files["deck.pptx"])[2].shapes if s.has_chart]
    plot, axis = shape.chart.plots[0], shape.chart.value_axis
    inches = (axis.maximum_scale - axis.minimum_scale) / (5.6 * deck.PLOT[2])
    seen = 0
    for series in plot.series:
        for place, end in enumerate(series.values):
            label = series.points[place].data_label
            wide = 0.09 * len(label.text_frame.text) * inches
            inside = label.position == XL_LABEL_POSITION.INSIDE_END
            assert not struck(end, one.facts["npv.base"].value, wide, inside)
            seen += inside
    assert seen == (0 if one.facts["npv.base"].value < 0 else 3)


def test_a_label_goes_into_a_bar_that_holds_it_and_only_off_the_line():
    assert deck._inside(17, 344, 90)  # zero would run through it
    assert not deck._inside(17, 60, 90)  # the bar is shorter than the label
    assert not deck._inside(200, 344, 90)  # it stays clear of the line
    assert not deck._inside(-50, 344, 90)  # it stands beyond the line
    assert deck._inside(-17, -344, 90)
    assert not deck._inside(-236, -274, 90)


def test_that_nothing_turns_it_alone_is_said_where_it_is_so(made):
    one = made["case-tannhof"]
    ways = {f"sensitivity.{r}.break-even": one.facts[f"sensitivity.{r}.break-even"].value
            for r in (1, 2, 3)}  # fmt: skip
    alone = sum(x is not None for x in ways.values())
    assert (one.facts["alone.count"].value or 0) == alone == 0
    told = "No single assumption below brings the value to zero"
    for file in ("memo.pdf", "memo.docx"):
        assert told in texts(one)[file]
    # Another one that turns it alone, and the documents say so.
    some = one.facts | {"alone.count": replace(one.facts["alone.count"], value=1.0, text="1")}
    memo_ = pages.text_of(pages.page(pages.variant("memo", some), some).blocks)
    slides_ = pages.text_of(pages.page(pages.variant("deck", some), some).blocks)
    assert told not in memo_ and "moves one of these assumptions" in memo_
    assert "zero alone" not in slides_ and "moves the result most" in slides_


def test_the_page_says_what_is_not_of_its_option(one):
    text = texts(one)["dashboard.html"]
    assert f"about {one.facts['option.name'].text}, unless it says otherwise" in text
    assert "J-curve of the whole pipeline" in text
    assert "Values only" in text
    nothing = sum(one.facts[f"sensitivity.{r}.zero"].value is None for r in (1, 2, 3))
    assert text.count("nothing in reach makes it zero") == nothing
    assert "zero at no value" not in text


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_digit_of_its_own(name):
    text = re.sub(r"\{[^}]*\}", "", pages.template(name))
    assert not re.search(r"\d", text)


def test_the_appendix_has_every_number_with_its_hash(one):
    text = pdf_text(one.files["appendix.pdf"])
    squeezed = text.replace(" ", "")
    for key in {k for keys in one.used.values() for k in keys}:
        fact = one.facts[key]
        assert key in squeezed, key
        assert facts.fingerprint(fact, one.model) in squeezed, key
        assert fact.text.replace(" ", "") in squeezed, key
    assert all(key in squeezed for key in one.model.used)


def test_the_page_has_every_number_with_its_hash(one):
    head, *rows = Reader(one.files["dashboard.html"]).rows
    assert head == ["Id", "Printed", "What it is", "Rests on", "Hash"]
    assert {row[0] for row in rows} == set(one.used["dashboard"])
    for key, text, title, evidence, digest in rows:
        fact = one.facts[key]
        assert (text, title, digest) == (fact.text, fact.title, facts.fingerprint(fact, one.model))
        assert evidence


def test_the_notes_of_a_slide_name_its_numbers(one):
    for slide in slides(one.files["deck.pptx"]):
        notes = slide.notes_slide.notes_text_frame.text
        told = dict(line.split(": ", 1) for line in notes.splitlines()[1:])
        assert told and all(one.facts[k].text == text for k, text in told.items())
        body = slide_text(slide)
        known = " ".join(told.values()) + " ".join(one.facts[k].title for k in told)
        assert set(NUMBER.findall(body)) <= set(NUMBER.findall(known)), body


def test_the_workbook_says_what_the_documents_say(one):
    measures = workbook.build(one.model).result.measures
    assert measures["npv"] == pytest.approx(one.facts["npv.base"].value)
    assert -measures["peak-cash"] == pytest.approx(one.facts["peak-cash"].value)
    books = compare.statement(one.model, one.model.base(), day=True)
    for year in range(4):
        cash = one.facts[f"fcf.delta.year-{year}"].value
        assert books.cash[year] == pytest.approx(cash)
        if year:  # equipment alone is paid on the day
            assert books.ebitda[year] == pytest.approx(one.facts[f"ebitda.delta.year-{year}"].value)


# -- What a board needs ---------------------------------------------------------------------------


def test_the_memo_is_complete(one):
    used = set(one.used["memo"])
    needed = {"ask.amount", "ask.date", "npv.base", "npv.p5", "npv.p95", "payback.month",
              "need.p95", "option.whole.npv", "opportunity.pipe", "reason", "tco.quo.total",
              "company.kind", "gate.pilot.cash", "gate.latest.date"}  # fmt: skip
    needed |= {f"sensitivity.{r}.zero" for r in (1, 2, 3)}
    needed |= {f"{p}.{k}" for p in ("share", "rests") for k in facts_decision.KINDS}
    words = ["fictional", "Gate", "Staying is"]
    if one.facts["recommendation"].text == "pivot":
        words += ["a real option", "when we stop", "Stop at the pilot gate"]
        needed |= {"probability.pays", "option.whole.pays", "stress.opportunity.pays"}
    else:
        words += ["keep the status quo", "What would change", "Kill criteria"]
        needed |= {"recommendation", "review.date"}
        if one.facts["condition.value"].text == "fails":
            needed |= {"condition.spend", "condition.cost"}
    assert needed <= used, needed - used
    text = pdf_text(one.files["memo.pdf"])
    assert [w for w in words if w not in text] == []


def test_each_case_is_advised_in_every_document(made):
    never = {
        "pivot": ("We ask for no money", "ecline"),
        "status quo": ("Release up to", "we ask for"),
    }
    assert made["content"].facts["recommendation"].text == "pivot"
    assert made["case-tannhof"].facts["recommendation"].text == "status quo"
    for one in made.values():
        advice = one.facts["recommendation"].text
        for file, text in texts(one).items():
            if not file.startswith("press"):
                assert f"Recommendation: {advice}" in text or "board’s own rule" in text, file
                assert not any(word in text for word in never[advice]), file


def test_the_facts_turn_the_documents(made):
    """With another verdict the same case gets the other text."""
    one = made["content"]
    told = dict(one.facts)
    told["recommendation"] = made["case-tannhof"].facts["recommendation"]
    assert "keep the status quo" in pages.page(pages.variant("memo", told), told).title


def test_memo_and_press_take_one_page(one):
    for name in ("memo.pdf", "press.pdf"):
        reader = pypdf.PdfReader(io.BytesIO(one.files[name]))
        assert len(reader.pages) == 1
        box = reader.pages[0].mediabox
        assert (round(float(box.width)), round(float(box.height))) == (595, 842)  # A4


def test_a_text_too_long_for_a_page_is_refused(one):
    block = pages.Block("text", pages.rich("word " * 3000))
    with pytest.raises(Problem, match="too much text"):
        typeset.one_page([block], date(2026, 11, 1), title="long")


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext: poppler-utils")
def test_another_reader_reads_the_same_memo(one, tmp_path):
    file = tmp_path / "memo.pdf"
    file.write_bytes(one.files["memo.pdf"])
    read = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, text=True)
    text = plain(read.stdout)
    for key in ("npv.base", "ask.amount", "ask.date", "need.p95", "probability.pays"):
        assert one.facts[key].text in text, key
    assert read.stdout.count("\f") == 1


def office() -> str | None:
    """LibreOffice, where it can read text documents and slides."""
    found = shutil.which("soffice")
    if found is None:
        return None
    program = Path(os.path.realpath(found)).parent
    return found if list(program.glob("libswlo.so")) and list(program.glob("libsdlo.so")) else None


@pytest.mark.skipif(office() is None, reason="no LibreOffice with Writer and Impress")
def test_the_word_documents_take_one_page_and_the_deck_five(made, tmp_path):
    wanted = {}
    for case, one in made.items():
        for name, count in (("memo.docx", 1), ("press.docx", 1), ("deck.pptx", 5)):
            file = tmp_path / f"{case}-{name}"
            file.write_bytes(one.files[name])
            wanted[file] = count
    subprocess.run(
        [office(), f"-env:UserInstallation=file://{tmp_path}/profile", "--headless",
         "--convert-to", "pdf", "--outdir", tmp_path / "pdf", *wanted],
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    for file, count in wanted.items():
        assert len(pypdf.PdfReader(tmp_path / "pdf" / f"{file.stem}.pdf").pages) == count, file


def test_the_deck_has_five_slides_with_titles_and_nothing_beside_them(one):
    deck_ = Presentation(io.BytesIO(one.files["deck.pptx"]))
    assert len(deck_.slides) == 5
    titles = [s.shapes.title.text_frame.text for s in deck_.slides]
    assert all(titles) and len(set(titles)) == 5
    for slide in deck_.slides:
        for shape in slide.shapes:
            assert shape.left >= 0 and shape.top >= 0
            assert shape.left + shape.width <= deck_.slide_width + Emu(1)
            assert shape.top + shape.height <= deck_.slide_height + Emu(1)
            if shape.has_chart:
                assert shape._element.nvGraphicFramePr.cNvPr.get("descr")


def test_the_page_asks_nobody_and_can_be_read_by_everybody(one):
    text = one.files["dashboard.html"].decode()
    assert not re.search(r"https?://|//[a-z]|@import|url\(|<script|<link[^>]*stylesheet", text)
    tags = Reader(one.files["dashboard.html"]).tags
    assert ("html", {"lang": "en"}) in tags
    assert sum(tag == "h1" for tag, _ in tags) == 1
    assert any(a.get("name") == "viewport" for _, a in tags)
    assert all("src" not in a for _, a in tags)
    assert all(a.get("scope") for tag, a in tags if tag == "th")
    [drawing] = [a for tag, a in tags if tag == "svg"]
    assert drawing["role"] == "img" and drawing["aria-labelledby"] == "cash-title"
    assert "prefers-color-scheme: dark" in text


# -- Same case, same bytes ------------------------------------------------------------------------


def test_a_second_run_elsewhere_writes_the_same_bytes(made, tmp_path):
    """Another process, another order of sets, a later clock."""
    runs = {}
    for name in CASES:
        command = [sys.executable, "-m", "synthecon", "board", paths.root() / name,
                   "--out", tmp_path / name]  # fmt: skip
        runs[name] = subprocess.Popen(
            command, env=os.environ | {"PYTHONHASHSEED": "7"}, stdout=subprocess.PIPE, text=True
        )
    for name, run in runs.items():
        told, _ = run.communicate(timeout=120)
        assert run.returncode == 0
        assert made[name].facts["recommendation"].text in told
        written = {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
        assert written.keys() == FILES == made[name].files.keys()
        different = [n for n, data in written.items() if data != made[name].files[n]]
        assert not different


def test_no_document_bears_todays_date(one):
    day = facts.opened(one.facts)
    assert day.isoformat()[:7] == one.facts["ask.date"].value
    for name in ("memo.pdf", "press.pdf", "appendix.pdf"):
        found = pypdf.PdfReader(io.BytesIO(one.files[name])).metadata
        assert found.creation_date.date() == day
    for name, opened in (("memo.docx", Document), ("deck.pptx", Presentation)):
        about = opened(io.BytesIO(one.files[name])).core_properties
        assert about.created.date() == about.modified.date() == day
        for info in zipfile.ZipFile(io.BytesIO(one.files[name])).infolist():
            assert info.date_time == archive.EPOCH


def test_an_archive_is_packed_by_name_and_without_a_clock():
    def packed(order, stamp):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as target:
            for name in order:
                content = f"<created>{stamp}</created>" if name.startswith("doc") else name
                target.writestr(zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6)), content)
        return archive.repacked(out.getvalue(), date(2026, 11, 1))

    names = ["b.xml", "docProps/core.xml", "[Content_Types].xml", "a.xml"]
    first = packed(names, "2020-01-02T03:04:05Z")
    assert first == packed(names[::-1], "2024-05-06T07:08:09Z")
    found = zipfile.ZipFile(io.BytesIO(first))
    assert found.namelist() == ["[Content_Types].xml", "a.xml", "b.xml", "docProps/core.xml"]
    assert b">2026-11-01T00:00:00Z<" in found.read("docProps/core.xml")


# -- Templates and tracing ------------------------------------------------------------------------


def fact(key: str, text: str, value: float | str | None = 1.0) -> Fact:
    return Fact(key, key, value, "", text)


def test_lines_stand_or_fall_with_their_facts():
    known = {"a": fact("a", "224 k USD"), "b": fact("b", "none", None), "c": fact("c", "pivot")}
    source = "# t\n{?a}has a {a}\n{?b}never\n{!b}no b\n\n{?d}never\n{=c pivot}- go\n{=c stay}- no"
    page = pages.page(source, known)
    assert [(b.kind, pages.plain(b.rich)) for b in page.blocks] == [
        ("title", "t"), ("text", "has a 224\xa0k\xa0USD no b"), ("bullet", "go")]  # fmt: skip
    assert page.used == ("a",)


def test_a_page_that_asks_for_no_fact_says_which():
    with pytest.raises(Problem, match=r"npv\.best"):
        pages.page("# {npv.best}", {})


def test_tables_and_bold_are_read():
    page = pages.page("| a | **b** c |\n| | d |\ntext", {})
    table, text = page.blocks
    assert table.rows[0][1] == (("b", True), (" c", False))
    assert table.rows[1][0] == () and text.kind == "text"


def test_columns_of_numbers_stand_right():
    block = pages.page("| x | n |\n| word | −3 k USD |\n| 7 words and more than a number | |", {})
    assert typeset.aligned(block.blocks[0].rows) == ["left", "right"]


def test_every_printed_number_can_be_traced(made):
    one = made["case"]
    lines = "\n".join(traced.trace(one.case, "npv.base"))
    assert one.facts["npv.base"].text in lines and "Printed in: memo, press, deck" in lines
    assert facts.fingerprint(one.facts["npv.base"], one.model) in lines
    with pytest.raises(Problem, match=r"npv\.p95"):
        traced.trace(one.case, "npv.p96")


def test_an_id_of_both_is_traced_in_both(made):
    lines = "\n".join(traced.trace(made["case"].model, "irr"))
    assert "In the workbook" in lines and "Rests on" in lines


def test_evidence_is_said_in_few_words(made):
    one = made["case"]
    assert memo.evidence(one.facts["npv.base"], one.model) == "cash model"
    assert memo.evidence(one.facts["method.rate"], one.model) == "finance.wacc"
    assert memo.evidence(one.facts["tco.quo.total"], one.model).startswith("items quo.inference")


def test_ids_sort_as_people_count():
    assert sorted(["m-12", "m-3", "a"], key=memo.natural) == ["a", "m-3", "m-12"]


def test_colours_of_evidence_cover_every_kind():
    assert deck.EVIDENCE.keys() == dashboard.EVIDENCE.keys() == facts_decision.KINDS.keys()
