"""The playbook on one company's folder: audit, ledger, every notebook about a company, as pages.

Nothing here touches the committed records: the results stand in a folder of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from synthecon import Problem, book_diagrams, company_page, notebooks, paths, plan, runner
from synthecon.economics import audit, case, report
from synthecon.strategy import board
from synthecon.vault import diagnose

PARAMETER = "company"


def run(folder: Path, *, workers: int = 2) -> Iterator[str]:
    """Run it all; yields a line for each thing made.

    Raises:
        Problem: the folder cannot be read, with all that is wrong in it; a notebook that failed.
    """
    folder = folder.resolve()
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "company"
    out = paths.out() / "company" / name
    whole = (folder / "items.csv").exists()
    try:
        found = audit.audit(case.read(folder))
    except Problem:
        if whole:
            board.read(folder, fresh=True)  # says this, and all that is wrong in other files
        raise
    yield report.summary(found)
    yield from (f"report: {file}" for file in report.write(found, out))
    yield f"diagnosis: {diagnose.write(folder, out, found)}"
    if not whole:
        yield f"{folder}: no items.csv, so no three-year model; `audit --template` shows one"
        return
    found_model = board.read(folder, fresh=True)
    told = board.collect(found_model)
    yield from board.told(found_model, told)
    documents = board.documents(found_model, told)
    yield from (f"wrote {paths.write_atomic(out / file, c)}" for file, c in documents.items())
    try:
        drawing = paths.write_atomic(out / "control.svg", book_diagrams.control(folder))
        yield f"drawing: {drawing}"
    except Problem as problem:  # the company has other gates or people than the drawing asks for
        yield f"no drawing of its control points: {problem}"
    inside = folder.is_relative_to(paths.root().resolve())
    given = folder.relative_to(paths.root().resolve()).as_posix() if inside else str(folder)
    wanted = [n for n in notebooks.names() if PARAMETER in notebooks.expected(n, "cpu", "")]
    jobs = [
        replace(job, folder=f"company-{name}")
        for job in plan.jobs(wanted, given=[f"{PARAMETER}={given}"])
    ]
    if failures := runner.run(jobs, workers=workers):
        raise Problem("\n".join(failures))
    pages = [job.notebook.rpartition("/")[2] for job in jobs]
    for job, page in zip(jobs, pages, strict=True):
        text = company_page.html(runner.files(job.id)[0], pages)
        yield f"page: {paths.write_atomic(out / f'{page}.html', text)}"
