"""The claims board prints what the records say, and nothing recorded can be left out of it."""

from __future__ import annotations

import dataclasses

import pytest
import yaml
from bs4 import BeautifulSoup

from synthecon import book_claims, book_ext, paths, records

CLAIM = "lesson-1-physics/toy#works"
TESTED = {"says": "Toys work", "tested": [{"claim": CLAIM, "figure": "fig-dot"}]}
PLANNED = {"says": "Toys pay", "planned": "Later module"}
REST = {"says": "Toys are loved", "untestable": "nobody was asked"}
DIRECTIVE = "```{claims}\n```"


@pytest.fixture
def built(playbook):
    """Writes the board's file, builds the page; returns the soup and the warnings."""
    playbook.record()
    conf = (playbook.root / "conf.py").read_text()
    both = '"synthecon.book_ext", "synthecon.book_claims"'
    playbook.write("conf.py", conf.replace('"synthecon.book_ext"', both))

    def build(*claims):
        playbook.write("book/claims.yml", yaml.safe_dump([{"part": "Lesson", "claims": claims}]))
        made = playbook.build(DIRECTIVE)
        return BeautifulSoup(made.pages["index"], "html.parser"), made.warnings

    return build


def test_each_claim_has_its_line_and_a_tested_one_its_regimes(built):
    page, warnings = built(TESTED, PLANNED, REST)
    assert warnings == ""
    lines = page.select("table.claims")[0].select("tbody tr")
    assert [line.select("td")[0].text.strip() for line in lines] == [
        "Toys work",
        "Toys pay",
        "Toys are loved",
    ]
    verdicts = [line.select("td")[2].text.strip() for line in lines]
    assert verdicts[0] == "holds" and "Later module" in verdicts[1] and "nobody" in verdicts[2]
    (card,) = page.select("div.claim")
    assert lines[0].a["href"] == "#" + card["id"]
    assert card.find(id=book_ext.place_of(CLAIM)).select_one(".verdict").text == "holds"
    regime = [cell.text.strip() for cell in card.select("table tbody td")]
    assert regime == ["pool", "above 1\xa0points", "6.8\xa0points [3.8,\xa09.8]", "holds"]
    links = [a["href"] for a in card.select("a")]
    assert "notebooks/lesson-1-physics/toy.html#fig-dot" in links
    assert any(link.startswith("book/appendix/records.html#") for link in links)
    assert "3 claims: 1 tested, 1 wait for a module, 1 cannot be tested here" in page.text
    assert "one a test: holds 1." in " ".join(page.text.split())


def test_of_several_verdicts_each_says_which_test_it_is_of(built, playbook):
    name = "cpu/lesson-1-physics/toy"
    record = records.load_all(playbook.root / "results")[name]
    other = dataclasses.replace(record.claims[0], name="comes-cheap")
    two = dataclasses.replace(record, claims=(*record.claims, other))
    playbook.write(f"results/{name}.json", two.to_json())
    both = [
        *TESTED["tested"],
        {"claim": CLAIM.replace("works", "comes-cheap"), "figure": "fig-dot"},
    ]
    page, warnings = built(TESTED | {"tested": both})
    assert warnings == ""
    cell = page.select("table.claims")[0].select("tbody td")[2]
    assert [p.text.strip() for p in cell.select("p")] == ["holds works", "holds comes cheap"]
    for link in cell.select("a"):
        assert page.select_one("div.claim").find(id=link["href"].removeprefix("#"))


@pytest.mark.parametrize(
    ("claims", "complaint"),
    [
        ([PLANNED], f"{CLAIM} is recorded and not on the board"),
        ([TESTED, TESTED | {"says": "Again"}], f"{CLAIM} stands on the board 2 times"),
        (
            [TESTED, {"says": "X", "tested": [{"claim": CLAIM + "s", "figure": "fig-dot"}]}],
            "did you mean",
        ),
        ([{"says": "X", "tested": [{"claim": CLAIM, "figure": "fig-dt"}]}], "no figure fig-dt"),
        ([TESTED, {"says": "X", "planned": "Toy module"}], "has its notebook now"),
        ([TESTED, {"says": "X", "planned": "No module"}], "is not on the syllabus"),
        ([TESTED, {"says": "X"}], "say one of tested, planned and untestable"),
        ([TESTED, PLANNED | {"untestable": "why"}], "say one of tested, planned and untestable"),
        ([TESTED, {"says": "X", "planed": "Later module"}], "planed"),
    ],
)
def test_what_does_not_fit_the_records_is_a_warning(built, claims, complaint):
    page, warnings = built(*claims)
    assert complaint in warnings
    assert not page.select("div.claim")


def test_a_run_elsewhere_is_shown_beside_it(built, playbook):
    record = records.load_all(playbook.root / "results")["cpu/lesson-1-physics/toy"]
    text = record.to_json().replace('"id": "cpu/', '"id": "h200/')
    playbook.write("results/h200/lesson-1-physics/toy.json", text)
    page, warnings = built(TESTED, PLANNED)
    assert warnings == "" and "on h200" in page.select_one("div.claim").text


@pytest.mark.parametrize(
    ("low", "high", "printed"),
    [(2.371, 6.383, "4.4"), (91.2, 121.6, "106"), (0.0123, 0.0345, "0.023"), (1200, 4800, "3,000")],
)
def test_two_digits_of_the_width_are_shown(low, high, printed):
    m = records.Measurement("x", "X", (low + high) / 2, "", 10, low, high, 0.95, "t")
    assert format(m.value, book_claims.digits(m)) == printed


def test_the_committed_board_is_in_order():
    entries = book_claims.read((paths.root() / book_claims.CLAIMS).read_text("utf-8"))
    assert len({e.place for e in entries}) == len(entries) > 10
