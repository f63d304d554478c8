"""Another company's folder: what is refused first, and what is made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from synthecon import Problem, company, paths


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SYNTHECON_OUT", str(tmp_path / "out"))
    target = tmp_path / "My Company"
    shutil.copytree(paths.root() / "case-tannhof", target)
    return target


def test_a_wrong_ledger_stops_it_before_a_notebook_runs(folder):
    ledger = folder / "ledger.csv"
    text = ledger.read_text(encoding="utf-8")
    ledger.write_text(text.replace("finance.tax,", "finance.tex,"), encoding="utf-8")
    with pytest.raises(Problem, match=r"ledger\.csv.*finance\.tax"):
        list(company.run(folder))


def test_without_items_the_audit_alone_is_made(folder):
    (folder / "items.csv").unlink()
    lines = list(company.run(folder))
    assert "no items.csv" in lines[-1]
    assert (paths.out() / "company" / "my-company" / "audit.md").is_file()
    text = (paths.out() / "company" / "my-company" / "diagnosis.md").read_text("utf-8")
    assert text.startswith("# Diagnosis: Tannhof Optik") and "Not a leak" in text


@pytest.fixture
def quick(monkeypatch) -> None:
    """Without the board's documents."""
    monkeypatch.setattr(company.board, "read", lambda folder, fresh: None)
    monkeypatch.setattr(company.board, "collect", lambda found: {})
    monkeypatch.setattr(company.board, "told", lambda found, them: [])
    monkeypatch.setattr(company.board, "documents", lambda found, them: {"memo.pdf": b"a page"})


def test_every_notebook_about_a_company_runs_on_the_folder(folder, quick, monkeypatch):
    asked = []

    def run(jobs, workers):
        asked.extend(jobs)
        return ["lesson-2-economics/tco: FAILED: no"]

    monkeypatch.setattr(company.runner, "run", run)
    with pytest.raises(Problem, match="FAILED"):
        list(company.run(folder))
    assert {job.given["company"] for job in asked} == {str(folder)}
    assert {job.folder for job in asked} == {"company-my-company"}
    assert "lesson-1-physics/cogs-audit" in {job.notebook for job in asked}
    assert not any("distillation" in job.notebook for job in asked)


def test_each_executed_notebook_becomes_a_page_that_knows_the_others(folder, quick, monkeypatch):
    given = []

    def html(notebook, pages):
        given.append(set(pages))
        return f"page of {notebook}"

    monkeypatch.setattr(company.runner, "run", lambda jobs, workers: [])
    monkeypatch.setattr(company.company_page, "html", html)
    people = folder / "stakeholders.csv"
    people.write_text(people.read_text("utf-8").replace("Operations", "Works"), encoding="utf-8")
    lines = list(company.run(folder))
    [drawing] = [line.split(": ")[1] for line in lines if line.startswith("drawing: ")]
    assert "Works" in Path(drawing).read_text("utf-8")
    pages = {Path(line.split(": ")[1]) for line in lines if line.startswith("page: ")}
    assert all(page.read_text("utf-8").startswith("page of ") for page in pages)
    assert {page.parent for page in pages} == {paths.out() / "company" / "my-company"}
    names = {page.stem for page in pages}
    assert {"tco", "cogs-audit", "autopilot"} <= names
    assert given == [names] * len(names)


def test_a_company_without_the_people_of_the_drawing_gets_the_rest(folder, quick, monkeypatch):
    monkeypatch.setattr(company.runner, "run", lambda jobs, workers: [])
    monkeypatch.setattr(company.company_page, "html", lambda notebook, pages: "a page")
    people = folder / "stakeholders.csv"
    people.write_text(people.read_text("utf-8").replace("money,", "cash,"), encoding="utf-8")
    lines = list(company.run(folder))
    assert any("no word 'signs.money'" in line for line in lines)
    assert any(line.startswith("page: ") for line in lines)
