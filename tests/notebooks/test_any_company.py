"""A notebook about a company reads that company's files, whatever their rows are called."""

from __future__ import annotations

import csv
import math
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from synthecon import company, notebooks, paths, plots, stats
from synthecon.strategy import gates, moat

MOAT = "lesson-3-strategy/bottlenecks-and-moat"


def with_parameter(parameter: str) -> list[str]:
    found = {name: notebooks.read(notebooks.path(name)) for name in notebooks.names()}
    return [name for name, one in found.items() if parameter in notebooks.parameters(one, name)]


@pytest.mark.parametrize("name", with_parameter(company.PARAMETER))
def test_no_notebook_names_a_data_set_of_the_worked_company(name):
    with (paths.root() / "case" / "datasets.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    text = "\n".join(notebooks.code(notebooks.read(notebooks.path(name))))
    assert len(ids) > 1
    assert [id for id in ids if id in text] == []


@pytest.mark.parametrize("name", with_parameter("other"))
def test_a_company_is_never_compared_with_itself(name):
    text = "\n".join(notebooks.code(notebooks.read(notebooks.path(name))))
    guard = 'if other == company:  # never against itself\n    other = "case"\n'
    assert text.count(guard) == 1
    assert text.index(guard) < text.index("load(other)")


@pytest.mark.parametrize("name", with_parameter(company.PARAMETER))
def test_a_company_is_looked_up_by_what_was_asked_for(name):
    """`company` may be a path: a table with the folder's last name for a key does not hold it."""
    text = "\n".join(notebooks.code(notebooks.read(notebooks.path(name))))
    assert re.findall(r"folder\.name\s*:", text) == []


def rewritten(file: Path, change) -> None:
    with file.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(change(rows))


@pytest.fixture
def folder(tmp_path):
    mine = shutil.copytree(paths.root() / "case-tannhof", tmp_path / "mine")
    rewritten(
        mine / "datasets.csv",
        lambda rows: [r | {"id": f"set-{n}", "name": f"Set {n}"} for n, r in enumerate(rows)],
    )
    return mine


def shown(folder: Path, capsys) -> str:
    """What the cells on metrics and gates print and show for a company, without its model."""
    cells = notebooks.read(notebooks.path(MOAT))["cells"]
    heads = [notebooks.source(c) if c["cell_type"] == "markdown" else "" for c in cells]
    first, last = (
        next(n for n, head in enumerate(heads) if f"### {title}" in head)
        for title in ("Metrics for the board", "Buy-in")
    )
    told: list[str] = []
    known = {
        "folder": folder, "run": SimpleNamespace(used_file=lambda file: None), "math": math,
        "plots": plots, "stats": stats, "gates": gates, "moat": moat,
        "bridge": "cpu/lesson-1-physics/bridging#", "text_table": plots.table,
        "Markdown": told.append,
        "shares": {key: (key, stats.Interval(0.5, 0.4, 0.6, 0.95, 9, "planted"))
                   for key in ("generic", "broad")},
    }  # fmt: skip
    for cell in cells[first:last]:
        if cell["cell_type"] == "code":
            exec(notebooks.source(cell), known)
    return "\n".join([capsys.readouterr().out, *told])


def test_the_gates_of_the_notebook_take_any_register(folder, capsys):
    text = shown(folder, capsys)
    assert "set-0: quality" in text and "set-4: lineage" in text
    assert "stopped at privacy: Set 0; Set 1." in text
    assert "before release: Set 3 (nobody measured it)." in text
    assert "want of papers: Set 4." in text
    assert "*Generation throughput* is zero, as it must be" in text
    assert "good numbers: released" in text
    assert "retired" in text


def test_the_gates_of_the_notebook_take_any_limits_and_any_order(folder, capsys):
    def other(rows):
        limits = {"gain": "-3", "closed": "0", "auc": "-0.2", "outliers": "1"}
        changed = [r | {"threshold": limits.get(r["measure"], r["threshold"])} for r in rows]
        return changed[::-1]  # lineage first

    rewritten(folder / "gates.csv", other)
    rewritten(folder / "datasets.csv", lambda rows: rows[1:2])
    text = shown(folder, capsys)
    assert "good numbers: released" in text
    assert "stale record: draft - the record is stale" in text
    assert "attack succeeds after release: retired" in text
    assert "Of use inside, and stopped before release: none." in text


def test_a_metric_of_use_before_there_is_anything_to_use_is_told(folder, capsys):
    def used(rows):
        return [r | {"value": "900"} if r["id"] == "images.accepted" else r for r in rows]

    rewritten(folder / "metrics.csv", used)
    text = shown(folder, capsys)
    assert "*Generation throughput* is not zero, and none is released" in text
    rewritten(
        folder / "datasets.csv",
        lambda rows: [rows[0] | {"state": "released"}, *rows[1:]],
    )
    text = shown(folder, capsys)
    assert re.search(r"\*Generation throughput\* is 150 images/hour, with 1 released", text)
