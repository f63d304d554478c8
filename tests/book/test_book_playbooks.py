"""The pages of the playbooks say what data file, records and diagnosis say, and are all there."""

from __future__ import annotations

import pytest
import yaml
from bs4 import BeautifulSoup

from synthecon import book_ext, book_playbooks, checks, paths, records
from synthecon.vault import diagnose, known, playbooks

EXTENSIONS = '"synthecon.book_ext", "synthecon.book_claims", "synthecon.book_playbooks"'
LIMIT = {"says": "How much", "metric": "a.b", "better": "above", "threshold": "c.d"}
TOY = {
    "roles": {"engineer": "price.engineer-hour"},
    "leaks": [{"id": "idle", "title": "Idle", "when": "class = idle", "share": 1, "evidence": []}],
    "playbooks": [
        {
            "id": "toy",
            "notebook": "lesson-1-physics/toy",
            "title": "Play",
            "leaks": [],
            "symptom": "Nobody plays.",
            "trigger": LIMIT,
            "claims": [{"claim": "works"}],
            "steps": [{"do": "Do", "run": "x", "owner": "engineer", "hours": 1, "days": 1}] * 3,
            "exit": LIMIT | {"rows": []},
        }
    ],
}


class Ready:
    """As `book_playbooks.Shown`, from the real checkout."""

    def __init__(self) -> None:
        runs = records.load_all()
        self.shelf, self.wrong = playbooks.load(), []
        self.all = [
            diagnose.diagnose(known.read(paths.root() / name), self.shelf, runs)
            for name in checks.CASES
        ]
        self.of = book_playbooks.Shown.of.__get__(self)


@pytest.fixture(scope="module")
def ready():
    return Ready()


@pytest.fixture
def built(ready, playbook, monkeypatch):
    """Builds a page with these directives; returns the soup and the warnings."""
    playbook.record()
    conf = (playbook.root / "conf.py").read_text().replace('"synthecon.book_ext"', EXTENSIONS)
    playbook.write("conf.py", conf)

    def build(text, made=ready):
        if made is not None:
            monkeypatch.setattr(book_playbooks, "shown", lambda env: made)
        page = playbook.build(text)
        return BeautifulSoup(page.pages["index"], "html.parser"), page.warnings

    return build


def words(node) -> str:
    text = node.text.replace("\N{NO-BREAK SPACE}", " ").replace(
        "\N{RIGHT SINGLE QUOTATION MARK}", "'"
    )
    return " ".join(text.split())


def test_stubs_and_data_file_agree():
    shelf = playbooks.load()
    for path, text in playbooks.stubs(shelf).items():
        told = "python -m synthecon playbooks --write"
        assert (paths.root() / path).read_text("utf-8") == text, told
    there = {f.name for f in (paths.root() / playbooks.PAGES).glob("*.md")}
    assert there == {f"{p.id}.md" for p in shelf.playbooks} | {"index.md"}
    toc = (paths.root() / "_toc.yml").read_text("utf-8")
    listed = [line.split("/")[-1].strip() for line in toc.splitlines() if playbooks.PAGES in line]
    assert listed == ["index", *(p.id for p in shelf.playbooks)]


def test_every_notebook_links_to_its_playbook():
    for p in playbooks.load().playbooks:
        text = (paths.root() / "notebooks" / f"{p.notebook}.ipynb").read_text("utf-8")
        assert f"book/vault/playbooks/{p.id}.md)" in text, p.notebook


def test_a_page_says_what_the_data_say(built, ready):
    page, warnings = built("```{playbook} serving-cost\n```")
    assert warnings == ""
    reading, claims, steps = page.select("table.playbooks")
    playbook = ready.shelf.find("serving-cost")
    text = words(page)
    assert playbook.symptom in text and playbook.trigger.source in text
    assert f"What the records say. {playbooks.TESTED}" in text
    cells = [[words(c) for c in row.select("td")] for row in reading.select("tbody tr")]
    assert cells[0] == ["Halyard Imaging", "2.3 × a year", "above 1 × a year", "applies",
                        "USD 18,400"]  # fmt: skip
    assert cells[1][3] == "does not apply" and cells[1][4].startswith("EUR")
    said = {
        words(r.select("td")[0]): [words(c) for c in r.select("td")[1:]]
        for r in claims.select("tbody tr")
    }
    assert said["fraction-of-the-cost"][0] == "holds"
    assert said["performance-kept"] == ["fails", playbook.claims[1].instead]
    money = [[words(c) for c in row.select("td")] for row in steps.select("tbody tr")]
    for row, step in zip(money, playbook.steps, strict=False):
        assert step.do in row[0] and row[1] == step.owner
    assert money[0][2] == "48 h in 8 days"
    assert [row[3] for row in money] == [f"Halyard: USD {x}" for x in
                                         ("4,560", "2,280", "3,040", "9,880")]  # fmt: skip
    assert money[3][4] == "Tannhof: EUR 8,840"
    assert "playbook.serving-cost.exit (10 %)" in text
    links = [a["href"] for a in page.select("div.playbook a")]
    assert "notebooks/lesson-1-physics/serving-cost.html" in links
    assert any("records.html#" in link for link in links)
    place = book_ext.place_of("lesson-1-physics/serving-cost#performance-kept")
    assert f"book/claims.html#{place}" in links


def test_the_overview_has_all_and_the_leaks_have_both(built, ready):
    page, warnings = built("```{playbooks}\n```\n\n```{leaks}\n```")
    assert warnings == ""
    every, leaks = page.select("table.playbooks")
    rows = every.select("tbody tr")
    assert len(rows) == len(ready.shelf.playbooks)
    for row, playbook in zip(rows, ready.shelf.playbooks, strict=True):
        cells = row.select("td")
        assert words(cells[0]).split()[:4] == playbook.symptom.split()[:4]
        assert cells[2].a["href"].endswith(f"playbooks/{playbook.id}.html")
        for cell, (_, finding) in zip(cells[3:], ready.of(playbook), strict=True):
            assert finding.state in words(cell)
    lines = [[words(c) for c in row.select("td")] for row in leaks.select("tbody tr")]
    assert len(lines) == len(ready.shelf.leaks) + 1
    for place, found in enumerate(ready.all, 1):
        assert f"{diagnose.amount(found.booked)} " in lines[-1][place]
        for x in found.leaks:
            [line] = [line for line in lines if line[0] == x.leak.title]
            assert f" {diagnose.amount(x.amount)}" in line[place]


def test_the_board_links_each_claim_to_its_playbook(built, playbook):
    claims = {"says": "Toys work"}
    claims["tested"] = [{"claim": "lesson-1-physics/toy#works", "figure": "fig-dot"}]
    playbook.write("book/claims.yml", yaml.safe_dump([{"part": "Lesson", "claims": [claims]}]))
    page, warnings = built("```{claims}\n```", None)
    assert warnings == "" and "playbook" not in words(page.select_one("div.claim"))
    playbook.write(playbooks.FILE, yaml.safe_dump(TOY))
    page, warnings = built("Again.\n\n```{claims}\n```", None)
    links = {a.text: a["href"] for a in page.select("div.claim a")}
    assert warnings == "" and links["playbook"] == "book/vault/playbooks/toy.html"
    playbook.write(playbooks.FILE, yaml.safe_dump(TOY | {"roles": {}}))
    _, warnings = built("Once more.\n\n```{claims}\n```", None)
    assert "roles: write role: ledger id" in warnings


def test_what_does_not_fit_is_a_warning(built, ready):
    _, warnings = built("```{playbook} serving-costs\n```")
    assert "did you mean serving-cost" in warnings
    wrong = Ready.__new__(Ready)
    wrong.__dict__.update(ready.__dict__, wrong=["no playbook for x; add one"])
    page, warnings = built("Again.\n\n```{playbooks}\n```", wrong)
    assert "no playbook for x" in warnings and not page.select("table.playbooks")
