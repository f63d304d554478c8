"""From a solution to its lab: the same notebook with holes, always the same bytes."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthecon import Problem, notebooks, paths
from synthecon.labs import exercises
from synthecon.labs.exercises import Exercise, Page

BEGIN, STUB, END = "### BEGIN SOLUTION", "### STUB", "### END SOLUTION"
ONLY = "solution-only"  # tag of a cell that the lab does not get
SHORTEST = 12  # characters from which on a line of a solution counts as given away
OWN_TAGS = ("nbval-", "solution-")

Cell = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """An exercise in its notebook: the cells from `start` up to its check, and what is checked."""

    id: str
    exercise: Exercise
    start: int
    check: int
    expression: str


@dataclass(frozen=True)
class Lab:
    """A solution with its exercises; `tasks` in the order of the notebook."""

    name: str
    notebook: notebooks.Notebook
    tasks: tuple[Task, ...]
    pages: tuple[Page, ...] = ()


def solution_path(name: str) -> Path:
    return exercises.folder() / f"{name}.ipynb"


def lab_path(name: str) -> Path:
    return paths.root() / "labs" / f"{name}.ipynb"


def load(name: str) -> Lab:
    """Read a solution and hold it against its exercises.

    Raises:
        Problem: everything that is wrong with it, one line each.
    """
    notebook = notebooks.read(solution_path(name))
    short = name.rpartition("/")[2]
    known = {f"{short}/{one.name}": one for one in exercises.load(name)}
    wrong: list[str] = []
    tasks: list[Task] = []
    start = 0
    for index, cell in enumerate(notebook["cells"]):
        found = list(_checks(cell))
        if not found:
            continue
        where = f"cell {index + 1}"
        if len(found) > 1 or not _alone(cell):
            wrong.append(f'{where}: check("…", …) stands alone in its cell')
        for exercise_id, expression in found:
            if exercise_id not in known:
                wrong.append(f"{where}: {notebooks.unknown('exercise', exercise_id, known)}")
            elif exercise_id in [task.id for task in tasks]:
                wrong.append(f"{where}: {exercise_id} is checked twice")
            else:
                one = Task(exercise_id, known[exercise_id], start, index, expression)
                wrong += [f"{exercise_id}: {what}" for what in _defects(notebook["cells"], one)]
                tasks.append(one)
        start = index + 1
    order = [task.id for task in tasks]
    wrong += [f"{one}: no cell checks it" for one in known if one not in order]
    if not wrong and order != list(known):
        wrong.append(f"the notebook asks in the order {', '.join(order)}: list them like that")
    if wrong:
        raise Problem("\n  ".join([f"{solution_path(name)}:", *wrong]))
    return Lab(name, notebook, tuple(tasks), tuple(exercises.pages(name)))


def _defects(cells: Sequence[Cell], task: Task) -> Iterator[str]:
    segment = cells[task.start : task.check]
    if not any(BEGIN in notebooks.source(cell) for cell in segment if _is_code(cell)):
        yield f"no cell between the check before and its own has a line {BEGIN}"
    if _heading(cells, task) is None:
        yield "no Markdown cell before it has a heading"
    if "✅" not in json.dumps(cells[task.check].get("outputs", []), ensure_ascii=False):
        yield "its check was never run, or did not pass: python -m synthecon labs run"


def _heading(cells: Sequence[Cell], task: Task) -> int | None:
    """The last cell before the hole that begins with a heading."""
    found = None
    for index in range(task.start, task.check):
        cell = cells[index]
        if _is_code(cell) and BEGIN in notebooks.source(cell):
            break
        if cell["cell_type"] == "markdown" and re.match(r"##+ ", notebooks.source(cell)):
            found = index
    return found


def _is_code(cell: Cell) -> bool:
    return cell["cell_type"] == "code"


def _checks(cell: Cell) -> Iterator[tuple[str, str]]:
    """(exercise id, checked expression) of each call of `check` in a cell."""
    if not _is_code(cell):
        return
    try:
        tree = ast.parse(notebooks.source(cell))
    except SyntaxError:  # a magic; the run of the solution will tell
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("check"), args=[ast.Constant(str(name)), value]):
                yield name, ast.unparse(value)


def _alone(cell: Cell) -> bool:
    return len(ast.parse(notebooks.source(cell)).body) == 1


def derive(lab: Lab) -> str:
    """The lab's file.

    Raises:
        Problem: a marker without its partner, a stub that is not a comment, or a line of a solution
            that the lab would still show.
    """
    cells: list[Cell] = []
    secret: dict[str, str] = {}  # line of a solution: exercise
    task_of = {i: task for task in lab.tasks for i in range(task.start, task.check + 1)}
    headings = {_heading(lab.notebook["cells"], task): task for task in lab.tasks}
    for index, original in enumerate(lab.notebook["cells"]):
        task = task_of.get(index)
        text = notebooks.source(original)
        where = f"{solution_path(lab.name)}, cell {index + 1}"
        hidden = ONLY in notebooks.tags(original)
        if _is_code(original):
            text, lines = punch(text, where, task.id if task else "")
            if lines and not task:
                raise Problem(f"{where}: a solution after the last check, so nothing checks it")
            secret |= dict.fromkeys(lines, task.id if task else "")
        if hidden:
            continue
        if index in headings:
            text = _with_time(text, headings[index])
        elif not cells:
            text = _with_total(text, lab)
        cells.append(_cell(original, text, is_check=task is not None and index == task.check))
    _leaks(lab, cells, secret)
    return _write(lab, cells)


def punch(text: str, where: str, exercise_id: str) -> tuple[str, list[str]]:
    """A code cell with its solutions replaced by their stubs, and the lines that were taken out.

    Raises:
        Problem: markers that do not pair, a stub that is not a comment, a hole that is no Python.
    """
    kept: list[str] = []
    taken: list[str] = []
    stub: list[str] = []
    state = "outside"
    for number, line in enumerate(text.splitlines(), 1):
        mark = line.strip()
        here = f"{where}, line {number}"
        if mark in (BEGIN, STUB, END):
            after = {BEGIN: "solution", STUB: "stub", END: "outside"}[mark]
            if state not in {BEGIN: ("outside",), STUB: ("solution",)}.get(
                mark, ("solution", "stub")
            ):
                raise Problem(f"{here}: {mark} does not belong here")
            if mark == BEGIN:
                indent, stub = line[: len(line) - len(line.lstrip())], []
            if mark == END:
                kept += [indent + x if x else x for x in stub or _default(exercise_id)]
            state = after
        elif state == "solution":
            taken.append(mark)
        elif state == "stub":
            if not line.startswith(f"{indent}#"):
                raise Problem(f"{here}: a line of a stub is a comment as far in as {STUB}")
            stub.append(line.removeprefix(f"{indent}#").removeprefix(" "))
        elif "# BEGIN SOLUTION" in line or "# END SOLUTION" in line:
            raise Problem(f"{here}: a marker is exactly {BEGIN}, {STUB} or {END}")
        else:
            kept.append(line)
    if state != "outside":
        raise Problem(f"{where}: {END} is missing")
    if taken:
        try:
            ast.parse(textwrap.dedent("\n".join(kept)))
        except SyntaxError as error:
            raise Problem(f"{where}: what is left is not Python: {error}") from None
    return "\n".join(kept), [line for line in taken if line and not line.startswith("#")]


def _default(exercise_id: str) -> list[str]:
    return ["# Your code instead of the next line.", f'raise NotImplementedError("{exercise_id}")']


def _with_time(text: str, task: Task) -> str:
    """The heading of an exercise, with minutes and difficulty below it."""
    heading, _, rest = text.partition("\n")
    one = task.exercise
    about = f"*{one.minutes} minutes, {one.difficulty}. {len(one.hints)} hints.*"
    return f"{heading}\n\n{about}\n{rest}"


def _with_total(text: str, lab: Lab) -> str:
    """The title of a lab, with what it asks for in all."""
    title, _, rest = text.partition("\n")
    minutes = sum(task.exercise.minutes for task in lab.tasks)
    return f"{title}\n\n*{len(lab.tasks)} exercises, {minutes} minutes.*\n{rest}"


def _cell(original: Cell, text: str, is_check: bool) -> Cell:
    """The cell without outputs and without any metadata that is not meant for the learner."""
    tags = [tag for tag in notebooks.tags(original) if not tag.startswith(OWN_TAGS)]
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if is_check:
        metadata |= {"deletable": False, "editable": False}
    cell: Cell = {
        "cell_type": original["cell_type"],
        "id": original["id"],
        "metadata": metadata,
        "source": text.splitlines(keepends=True),
    }
    if _is_code(original):
        cell |= {"execution_count": None, "outputs": []}
    elif "attachments" in original:
        cell["attachments"] = copy.deepcopy(original["attachments"])
    return cell


def _leaks(lab: Lab, cells: Sequence[Cell], secret: Mapping[str, str]) -> None:
    """Refuse a lab, or a hint, that shows a line that it asks for."""
    shown = {"the lab": "\n".join("".join(cell["source"]) for cell in cells)}
    for task in lab.tasks:
        shown[f"a hint of {task.id}"] = "\n".join(task.exercise.hints)
    found = [
        f"{where} still shows {line!r}, which {exercise_id} asks for"
        for line, exercise_id in secret.items()
        for where, text in shown.items()
        if len(line) >= SHORTEST and line in text
    ]
    if found:
        raise Problem("\n  ".join([f"{solution_path(lab.name)}:", *found]))


def _write(lab: Lab, cells: list[Cell]) -> str:
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "synthecon": {
            "lab": lab.name,
            "minutes": sum(task.exercise.minutes for task in lab.tasks),
            "cells": fingerprint(cells),
        },
    }
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def fingerprint(cells: Sequence[Cell]) -> str:
    """sha256 of what stands in the cells; JupyterLab may write the file in another form."""
    texts = [[cell["cell_type"], notebooks.source(cell)] for cell in cells]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def lab_of(file: Path) -> str:
    """The lab that a notebook was derived as, whatever it is called now; '' if none."""
    try:
        return str(notebooks.read(file)["metadata"]["synthecon"]["lab"])
    except (Problem, OSError, KeyError, TypeError, RecursionError):
        return ""


def worked_in(file: Path) -> bool:
    """Whether somebody changed this lab since it was derived: it may hold a learner's answers."""
    try:
        notebook = notebooks.read(file)
        return notebook["metadata"]["synthecon"]["cells"] != fingerprint(notebook["cells"])
    except (Problem, KeyError, TypeError):
        return file.exists()


def differences() -> list[str]:
    """Labs that are not what their solutions derive, and labs without a solution."""
    found = []
    known = exercises.names()
    for name in known:
        file = lab_path(name)
        if not file.is_file():
            found.append(f"{file} is missing: python -m synthecon labs derive")
        elif file.read_text(encoding="utf-8") != derive(load(name)):
            why = "holds answers: work in a copy" if worked_in(file) else "is not up to date"
            found.append(f"{file} {why} (python -m synthecon labs derive)")
    base = paths.root() / "labs"
    return found + [
        f"{file} has no solution: remove it"
        for file in sorted(base.rglob("*.ipynb"))
        if (name := file.relative_to(base).with_suffix("").as_posix()) not in known
        and lab_of(file) == name  # a learner's copy has the name of the original in it
    ]


def write(name: str, force: bool = False) -> Path | None:
    """Derive a lab and write it; None when it stands already.

    Raises:
        Problem: somebody worked in the file, and `force` is not given.
    """
    file, text = lab_path(name), derive(load(name))
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return None
    if not force and worked_in(file):
        raise Problem(
            f"{file} was edited, perhaps by somebody who solved it: move it away, or give --force "
            "to lose what is in it"
        )
    return paths.write_atomic(file, text)
