"""The small files of a case: every fault of all of them, before anybody mends the first."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from synthecon import paths
from synthecon.economics import ledger
from synthecon.strategy import files


def model(company="case"):
    """As much of a model as the check looks at."""
    return SimpleNamespace(rows=ledger.read(paths.root() / company / "ledger.csv"))


@pytest.fixture
def folder(tmp_path):
    for name in files.NAMES:
        shutil.copy(paths.root() / "case" / name, tmp_path / name)
    return tmp_path


def spoil(folder, name, old, new):
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, "adapt this test to the file"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_files_of_a_case_are_in_order(company):
    assert files.check(paths.root() / company, model(company)) == []


def test_every_fault_of_every_file_is_told_at_once(folder):
    spoil(folder, "metrics.csv", "images.accepted / machine.hours", "images.accepted / hours")
    spoil(folder, "metrics.csv", "deployments/month,2,above", "deployments/month,2,more")
    spoil(folder, "gates.csv", "above,50,%", "above,half,%")
    spoil(folder, "datasets.csv", "digits-warps,Warped copies,draft", "digits-warps,,draft")
    spoil(folder, "stakeholders.csv", "trust,Sales,What customers", "trust,Sales,,What customers")
    spoil(folder, "adoption.csv", "\n6,5,14,", "\n6,five,14,")
    found = files.check(folder, model())
    for told in (
        "metrics.csv, line 4, source: there is no input 'hours'",
        "metrics.csv, line 7, better: 'more'",
        "gates.csv, line 4, threshold: 'half'",
        "datasets.csv, line 4, name: empty",
        "stakeholders.csv, line 10",
        "adoption.csv, line 7, teams: 'five'",
    ):
        assert any(told in line for line in found), told
    assert len(found) == 6 and all(str(folder) in line for line in found)


def test_what_a_company_does_not_keep_is_no_fault(folder):
    for name in files.NAMES:
        (folder / name).unlink()
    assert files.check(folder, model()) == []


def test_a_register_without_gates_cannot_be_read(folder):
    (folder / "gates.csv").unlink()
    assert len(found := files.check(folder, model())) == 1 and "gates.csv" in found[0]
