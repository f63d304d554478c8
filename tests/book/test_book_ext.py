"""Numbers, badges and tables come from the records, and a wrong id is fatal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from synthecon import book_ext, records

NAME = "lesson-1-physics/toy"
ID = f"cpu/{NAME}"


def role(text: str) -> str:
    return f"{{record}}`{ID}#{text}`"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("gain.pool.50 +.1f", "+6.8"),
        ("gain.pool.50 .1f unit", "6.8\xa0points"),
        ("gain.pool.50 +.1f ci", "+6.8\xa0points [+3.8,\xa0+9.8]"),
        ("loss .2f unit", "−0.25%"),
        ("loss .2f ci", "−0.25%"),
        ("gain.pool.50 +.4f ci k", "+0.0068\xa0thousand points [+0.0038,\xa0+0.0098]"),
        ("gain.pool.50 .4f k", "0.0068"),
        ("latency .1e unit", "5.3\xa0×\xa010⁻⁶\xa0s"),
        ("loss chance", "less\xa0than\xa01%"),
        ("bill .0f ci percent", "19% [18,\xa021]"),
        ("bill .1f unit percent", "19.4%"),
        ("bill .0f percent", "19"),
        ("works verdict", "holds"),
    ],
)
def test_the_role_prints_the_recorded_number_and_links_to_its_row(playbook, text, printed):
    playbook.record()
    built = playbook.build(role(text))
    assert built.warnings == ""
    link = BeautifulSoup(built.pages["index"], "html.parser").select_one("a.record")
    assert link.text == printed
    page, _, fragment = link["href"].partition("#")
    assert page == "book/appendix/records.html"
    row = BeautifulSoup(built.pages["records"], "html.parser").find(id=fragment)
    assert row.text.strip() == "#" + text.split()[0]
    assert link["title"].startswith(f"{ID}#{text.split()[0]}: ")


def test_none_and_all_of_the_scenarios_are_no_certainty():
    def printed(value):
        m = records.Measurement("a", "A", value, "%")
        return book_ext.chance(m).replace("\xa0", " ")

    assert [printed(x) for x in (0, 0.49, 9.6, 99.5, 100)] == [
        "less than 1%", "less than 1%", "10%", "more than 99%", "more than 99%"]  # fmt: skip


def test_the_title_says_how_to_believe_the_number(playbook):
    playbook.record()
    page = playbook.build(role("gain.pool.50 .1f") + role("loss .1f")).pages["index"]
    assert "Gain (n = 10, 95% interval, t)" in page
    assert "Loss (one reading, no interval)" in page


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (role("gain.pool.5 .1f"), "did you mean gain.pool.50?"),
        ("{record}`cpu/lesson-1-physics/tow#loss .1f`", f"did you mean {ID}?"),
        (role("loss"), "needs a format"),
        (role("loss ci"), "Invalid format"),
        (role("loss .1q"), "Unknown format code"),
        (role("loss .1f intervall"), "then 'unit' or 'ci'"),
        (role("loss .1f percent"), "'percent' is for a share, and this is in '%'"),
        (role("works .1f"), "'verdict' alone"),
        (role("gain.pool.50 chance"), "a chance is in %"),
        (role("loss chance unit"), "needs a format"),
        ("{record}`loss`", "unknown record loss"),
    ],
)
def test_what_no_record_holds_is_a_warning(playbook, text, complaint):
    playbook.record()
    warnings = playbook.build(text).warnings
    assert complaint in warnings
    assert "index.md" in warnings


def test_a_changed_record_reaches_pages_that_did_not_change(playbook):
    playbook.record()
    assert "+6.8" in playbook.build(role("gain.pool.50 +.1f")).pages["index"]
    playbook.record(gain=7.25)
    again = playbook.build(role("gain.pool.50 +.1f")).pages
    assert "+7.2" in again["index"] and "+6.8" not in again["index"]
    assert "7.25" in again["records"]


def test_another_folder_of_results_can_be_shown(playbook, monkeypatch):
    playbook.record()
    playbook.record("fresh", gain=9.5)
    monkeypatch.setenv("SYNTHECON_RESULTS", str(playbook.root / "fresh"))
    assert "+9.5" in playbook.build(role("gain.pool.50 +.1f")).pages["index"]


def badge(html: str) -> str:
    return BeautifulSoup(html, "html.parser").select_one("h1 + p.badges").text


def test_a_notebook_page_carries_minutes_and_the_state_of_its_record(playbook):
    assert badge(playbook.build().pages["notebook"]) == (
        "40 minutes to work through · no run recorded yet"
    )
    playbook.record()
    assert badge(playbook.build().pages["notebook"]) == (
        f"40 minutes to work through · ran in 61 s on Some CPU · record {ID} fresh"
    )
    playbook.notebook("2 + 2")
    built = playbook.build()
    assert badge(built.pages["notebook"]).endswith("stale")
    assert "code cells changed" in built.pages["records"]


def test_the_copy_of_another_device_has_figures_of_its_own_and_working_links(playbook):
    copy = "results/h200/lesson-1-physics/toy@big"
    text = (playbook.root / f"notebooks/{NAME}.ipynb").read_text()
    playbook.write(f"{copy}.ipynb", text.replace("Words.", "[Back](toy.ipynb)."))
    built = playbook.build(f"```{{toctree}}\n{copy}\n```")
    assert built.warnings == ""
    page = (playbook.root / f"_build/html/{copy}.html").read_text("utf-8")
    figure = BeautifulSoup(page, "html.parser").figure
    assert figure["id"] == "fig-dot-h200-lesson-1-physics-toy-big"
    assert f'href="../../../notebooks/{NAME}.html"' in page
    assert f'href="#{figure["id"]}"' in page
    assert 'id="fig-dot"' in built.pages["notebook"]


def test_the_records_page_shows_runs_claims_and_that_no_gpu_ran(playbook):
    assert "No run is recorded yet." in playbook.build().pages["records"]
    playbook.record()
    text = BeautifulSoup(playbook.build().pages["records"], "html.parser").text
    for part in ("No run on a GPU", "1,234\xa0J, assumed", "It works.", "holds", "From: Lesson 1"):
        assert part in text


def test_the_syllabus_links_what_exists_and_marks_the_rest(playbook):
    page = BeautifulSoup(playbook.build("```{syllabus}\n```").pages["index"], "html.parser")
    first, second = page.select("table.syllabus tbody tr")
    assert first.a["href"] == "notebooks/lesson-1-physics/toy.html"
    assert "40 min" in first.text
    assert second.a is None and "planned" in second.text


LABS = "```{syllabus}\n```\n\n```{labs}\n```"


def test_a_page_prints_the_minutes_that_a_notebook_and_a_lab_say_of_themselves(playbook):
    playbook.lab(exercises=3, minutes=25)
    built = playbook.build(f"{{minutes}}`{NAME}` and {{minutes}}`lab {NAME}`.")
    assert built.warnings == ""
    assert "40\xa0minutes and 25\xa0minutes." in built.pages["index"]
    assert "no such file" in playbook.build("{minutes}`lesson-9/none`").warnings


def test_where_no_lab_is_none_is_promised(playbook):
    pages = playbook.build(LABS).pages
    assert "lab" not in badge(pages["notebook"])
    assert not BeautifulSoup(pages["index"], "html.parser").select("table.labs tbody tr")


def test_a_notebook_leads_to_its_lab_and_the_lab_can_be_fetched(playbook):
    file = playbook.lab(exercises=3, minutes=25)
    built = playbook.build(LABS)
    assert built.warnings == ""
    index = BeautifulSoup(built.pages["index"], "html.parser")
    (row,) = index.select("table.labs tbody tr")
    notebook, download = row.select("a")
    assert notebook["href"] == "notebooks/lesson-1-physics/toy.html"
    assert "3 exercises, 25\xa0min" in row.text and download.text == f"labs/{NAME}.ipynb"
    assert (playbook.root / "_build/html" / download["href"]).read_text() == file.read_text()
    page, _, fragment = index.select("table.syllabus a")[1]["href"].partition("#")
    assert page == "book/labs.html" and index.find(id=fragment)
    assert badge(built.pages["notebook"]).startswith(
        "40 minutes to work through · lab: 3 exercises, 25\xa0min · "
    )


def test_a_refused_record_stops_the_build(playbook):
    playbook.record()
    file: Path = playbook.root / "results" / f"{ID}.json"
    file.write_text(file.read_text().replace('"holds"', '"fails"'))
    with pytest.raises(Exception, match="is refused"):
        playbook.build()


def test_links_of_a_copy_lead_where_those_of_its_notebook_do():
    text = "[a](shift.ipynb) [b](../vault/autopilot.ipynb) [c](https://x.org/y.ipynb) "
    text += "[d](../../results/gpu/vault/autopilot@b.ipynb)"
    source = [json.dumps({"cells": [{"metadata": {}, "source": text}]})]
    book_ext.adapt_copy(None, "results/mnist/lesson-1-physics/bridging@natural", source)
    [cell] = json.loads(source[0])["cells"]
    assert cell["source"] == (
        "[a](/notebooks/lesson-1-physics/shift.ipynb) [b](/notebooks/vault/autopilot.ipynb) "
        "[c](https://x.org/y.ipynb) [d](/results/gpu/vault/autopilot@b.ipynb)"
    )
