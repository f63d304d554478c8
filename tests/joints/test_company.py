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


def test_every_notebook_about_a_company_runs_on_the_folder(folder, monkeypatch):
    monkeypatch.setattr(company.board, "read", lambda folder, fresh: None)
    monkeypatch.setattr(company.board, "collect", lambda found: {})
    monkeypatch.setattr(company.board, "told", lambda found, them: [])
    monkeypatch.setattr(company.board, "documents", lambda found, them: {"memo.pdf": b"a page"})
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
