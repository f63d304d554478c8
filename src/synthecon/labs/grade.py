"""Marks for a folder of submissions: one folder a learner, in it one notebook a lab.

A learner's functions run in a process of their own and are asked fresh questions; the answers come
back as data and are judged here, so code that prints a pass, replaces `check` or edits its cell
gains nothing.  What it could still do is read the solutions from this disk: see `sandbox`.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from synthecon import Problem, notebooks
from synthecon.labs import derive, judge
from synthecon.labs.derive import Lab, Task
from synthecon.labs.exercises import Page
from synthecon.labs.judge import Reply, clean
from synthecon.labs.sandbox import Session, Stopped

REASON = 4000  # characters: why a page has no more points
LARGEST = 20 * 2**20  # bytes of a notebook
PATIENCE = 3  # cells that may be stopped before the rest of a notebook is given up
OURS = 120.0  # seconds for a cell that the learner did not touch: it imports, and is not to blame


@dataclass(frozen=True)
class Mark:
    """One exercise of one learner: 1 point or 0, and why; of a page, points of 100."""

    learner: str
    exercise: str
    score: int
    reason: str
    of: int = 1


@dataclass(frozen=True)
class Step:
    """A code cell of a submission; with a task it is the place where that task is asked."""

    number: int
    source: str
    seconds: float
    task: Task | None = None
    page: Page | None = None


def grade(folder: Path, labs: Sequence[Lab], seconds: float = 10.0, jobs: int = 2) -> list[Mark]:
    """Mark every learner's folder for every lab.

    Args:
        folder: FOLDER/LEARNER/NAME.ipynb; for a notebook of another name see `submitted`.
        labs: those to mark; a learner without the notebook gets 0 and is told so.
        seconds: for each of the learner's cells, and for each exercise's questions together.
        jobs: learners at a time.

    Raises:
        Problem: no such folder, no learner in it, or a notebook that lies beside the learners.
    """
    people = learners(folder)
    seed = secrets.randbits(32)
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        running = [
            pool.submit(_learner, person, lab, seconds, seed) for person in people for lab in labs
        ]
        try:
            return [mark for future in running for mark in future.result()]
        except BaseException:  # Ctrl-C among them: not after the whole class
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def learners(folder: Path) -> list[Path]:
    """The folders of the learners, sorted."""
    if not folder.is_dir():
        raise Problem(f"{folder}: no such folder")
    if loose := sorted(folder.glob("*.ipynb")):
        raise Problem(
            f"{loose[0]} lies beside the learners' folders: whose is it? Put it into "
            f"{folder}/NAME-OF-THE-LEARNER/"
        )
    found = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not found:
        raise Problem(f"{folder} holds no learner: one folder each, with the notebooks in it")
    return found


def submitted(folder: Path, lab: Lab) -> Path | None:
    """Where a learner's notebook of this lab is: by its name, or else by the name inside it.

    Raises:
        Problem: neither tells which of several it is.
    """
    short = lab.name.rpartition("/")[2]
    for place in (folder / f"{short}.ipynb", folder / f"{lab.name}.ipynb"):
        if place.is_file():
            return place
    files = (f for f in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in f.parts)
    found = [f for f in files if f.stat().st_size <= LARGEST and derive.lab_of(f) == lab.name]
    if len(found) > 1:
        both = " and ".join(clean(f.name) for f in found)
        raise Problem(f"{both} are both this lab: hand in one, or call it {short}.ipynb")
    return found[0] if found else None


def labs_of(folder: Path, labs: Sequence[Lab]) -> list[Lab]:
    """The labs that at least one learner handed in.

    Raises:
        Problem: nobody handed in any.
    """
    people = learners(folder)
    found = [lab for lab in labs if any(_handed_in(person, lab) for person in people)]
    if not found:
        short = ", ".join(f"{lab.name.rpartition('/')[2]}.ipynb" for lab in labs)
        raise Problem(f"{folder}: no learner has a notebook called {short or 'like a lab'}")
    return found


def _handed_in(folder: Path, lab: Lab) -> bool:
    try:
        return submitted(folder, lab) is not None
    except Problem:
        return True  # twice, even


def _learner(folder: Path, lab: Lab, seconds: float, seed: int) -> list[Mark]:
    learner = clean(folder.name)
    try:
        file = submitted(folder, lab)
        if file is None:
            reasons = _all(lab, f"no file {lab.name.rpartition('/')[2]}.ipynb")
        else:
            reasons = grade_notebook(lab, file, seconds, seed)
    except Problem as problem:
        reasons = _all(lab, clean(str(problem).replace(f"{folder}/", ""), 250))
    whole = {_page_id(lab, page): 100 for page in lab.pages}
    return [
        Mark(learner, key, score, reason, whole.get(key, 1))
        for key, (score, reason) in reasons.items()
    ]


def _page_id(lab: Lab, page: Page) -> str:
    return f"{lab.name.rpartition('/')[2]}/{page.name}"


def _all(lab: Lab, reason: str) -> dict[str, tuple[int, str]]:
    ids = [*(task.id for task in lab.tasks), *(_page_id(lab, page) for page in lab.pages)]
    return {key: (0, reason) for key in ids}


def grade_notebook(lab: Lab, file: Path, seconds: float, seed: int) -> dict[str, tuple[int, str]]:
    """Score and reason for each exercise of one notebook.

    Raises:
        Problem: it is not a notebook.
    """
    steps, notes, untouched = plan(lab, file, seconds)
    replies, trouble = _run(steps, seconds, seed)
    marks = {}
    for task in lab.tasks:
        if task.id in replies:
            asked = task.exercise.questions(seed)
            verdict = judge.judge(task.exercise, asked, replies[task.id])
            score, reason = int(verdict.right), verdict.line()
            if not score and task.id in untouched:
                reason = "not filled in"
            elif replies[task.id][0].error.startswith("NameError"):
                reason = "" if task.id in trouble else f"nothing is called {task.expression} in it"
        else:
            score, reason = 0, ""
        told = (reason, "" if score else trouble.get(task.id, ""), notes.get(task.id, ""))
        marks[task.id] = (score, "; ".join(x for x in told if x))
    for page in lab.pages:
        marks[_page_id(lab, page)] = _page(page, replies.get(page.name), trouble.get(page.name, ""))
    return marks


def _page(page: Page, replies: Sequence[Reply] | None, trouble: str) -> tuple[int, str]:
    """Points of 100 for a text, and why; what it is made of came from a learner."""
    if not replies or replies[0].error:
        told = replies[0].error if replies else trouble or "it was not reached"
        return 0, f"no page: {told}"
    try:
        score, reason = page.mark(replies[0].value)
    except (Problem, TypeError, ValueError, AttributeError) as error:
        return 0, f"not a page: {clean(str(error), 250)}"
    return score, clean(reason, REASON)


def plan(lab: Lab, file: Path, seconds: float) -> tuple[list[Step], dict[str, str], set[str]]:
    """The code cells to run, with the questions in place of the check cells; what was odd; and the
    exercises in which every hole is as it was handed out.

    A learner's check cells are never run.  An exercise whose check cell is gone is asked last.

    Raises:
        Problem: it is not a notebook.
    """
    if file.stat().st_size > LARGEST:
        raise Problem(f"{file}: larger than {LARGEST // 2**20} MiB")
    official = json.loads(derive.derive(lab))["cells"]
    texts = {cell["id"]: notebooks.source(cell).strip() for cell in official}
    checks = {lab.notebook["cells"][task.check]["id"]: task for task in lab.tasks}
    steps: list[Step] = []
    notes: dict[str, str] = {}
    left = {task.id: task for task in lab.tasks}
    cells = list(_code(file))
    found = {source.strip() for _, source in cells}
    for number, (cell_id, source) in enumerate(cells, 1):
        task = checks.get(cell_id)
        if task is None:  # an editor may have given the cells new names
            task = next((t for i, t in checks.items() if texts[i] == source.strip()), None)
        if task and task.id in left:
            if source.strip() != texts[lab.notebook["cells"][task.check]["id"]]:
                notes[task.id] = "its check cell was changed, the original was used"
            steps.append(Step(number, "", seconds, left.pop(task.id)))
        elif task is None:
            ours = texts.get(cell_id) == source.strip()
            steps.append(Step(number, source, max(seconds, OURS) if ours else seconds))
    for task in left.values():
        notes[task.id] = "its check cell was missing, the original was used"
        steps.append(Step(0, "", seconds, task))
    steps += [Step(0, "", seconds, page=page) for page in lab.pages]
    untouched = {task.id for task in lab.tasks if _holes(lab, task, texts) <= found}
    return steps, notes, untouched


def _holes(lab: Lab, task: Task, texts: Mapping[str, str]) -> set[str]:
    """The cells of an exercise that a learner fills in, as they are handed out."""
    cells = lab.notebook["cells"][task.start : task.check]
    return {
        texts[cell["id"]]
        for cell in cells
        if cell["id"] in texts and derive.BEGIN in notebooks.source(cell)
    }


def _code(file: Path) -> Iterator[tuple[str, str]]:
    """(id, source) of each code cell."""
    try:
        cells = notebooks.read(file)["cells"]
        found = [
            (str(cell.get("id", "")), notebooks.source(cell))
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (AttributeError, KeyError, TypeError, OSError, RecursionError) as error:
        raise Problem(f"{file}: its cells cannot be read ({type(error).__name__})") from None
    yield from found


def _run(
    steps: Sequence[Step], seconds: float, seed: int
) -> tuple[dict[str, list[Reply]], dict[str, str]]:
    """Replies for each exercise, and what went wrong on the way to it.

    A step that has to be stopped takes its process with it: a new one starts over without it.
    """
    replies: dict[str, list[Reply]] = {}
    trouble: dict[str, str] = {}
    banned: dict[int, str] = {}  # step: why it was stopped
    while True:
        at = 0
        try:
            with Session() as session:
                since = ""
                for at, step in enumerate(steps):
                    if at in banned:
                        since = since or banned[at]
                        if step.page:
                            trouble[step.page.name] = banned[at]
                    elif step.page:
                        replies[step.page.name] = session.ask(step.page.expression, None, seconds)
                    elif step.task is None:
                        error = session.cell(step.source, step.seconds)
                        told = f"cell {step.number} stopped with {error}" if error else ""
                        since = since or told
                    elif step.task.id not in replies:
                        asked = step.task.exercise.questions(seed)
                        replies[step.task.id] = session.ask(step.task.expression, asked, seconds)
                    if step.task is not None:
                        if since:
                            trouble[step.task.id] = since
                        since = ""
                return replies, trouble
        except Stopped as stopped:
            step = steps[at]
            asked = step.task.id if step.task else step.page.name if step.page else ""
            where = f"asked for {asked}" if asked else f"cell {step.number}"
            banned[at] = f"{where}: {stopped}"
            if len(banned) >= PATIENCE:
                return replies, _given_up(steps, at, banned, trouble)


def _given_up(
    steps: Sequence[Step], at: int, banned: Mapping[int, str], trouble: Mapping[str, str]
) -> dict[str, str]:
    """The exercises from here on were not reached."""
    rest = {step.task.id: banned[at] for step in steps[at:] if step.task}
    note = f"given up after {PATIENCE} cells that had to be stopped, the last: "
    return {**trouble, **{key: note + why for key, why in rest.items()}}


# ---- what an instructor gets


def table(marks: Sequence[Mark]) -> str:
    """A table for the terminal, and the total of each learner."""
    head = ("learner", "exercise", "score", "reason")
    rows = [head, *((m.learner, m.exercise, str(m.score), m.reason) for m in marks)]
    wide = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}  {d}".rstrip() for a, b, c, d in rows]
    lines.append("")
    for who in dict.fromkeys(m.learner for m in marks):
        mine = [m for m in marks if m.learner == who]
        some = [m for m in mine if m.of == 1]
        total = f"{sum(m.score for m in some)} of {len(some)}"
        texts = "".join(f"; {m.exercise} {m.score} of {m.of}" for m in mine if m.of > 1)
        lines.append(f"{who:<{wide[0]}}  {total}{texts}")
    return "\n".join(lines)


def to_csv(marks: Sequence[Mark]) -> str:
    """One line a mark; no field can start a formula in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Mark))
    for mark in marks:
        writer.writerow(_harmless(x) if isinstance(x, str) else x for x in astuple(mark))
    return text.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in tuple("=+-@") else text
