"""The proof of a lab: the solution passes, the stub does not, and wrong answers are told apart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthecon import notebooks
from synthecon.labs import derive, judge
from synthecon.labs.check import STRICT
from synthecon.labs.derive import Lab, Task
from synthecon.labs.exercises import Arguments, Exercise
from synthecon.labs.judge import Reply
from synthecon.labs.sandbox import Session, Stopped

SEEDS = (1, 2, 3, 4, 5)
SECONDS = 120.0  # a cell; the import of torch on a busy machine is among them


@dataclass(frozen=True)
class Proof:
    """What was proven of one exercise; it stands when `defects` is empty."""

    id: str
    wrong: int
    defects: tuple[str, ...]


def prove(labs: Sequence[Lab]) -> list[Proof]:
    """Prove every exercise of these labs.  One process runs all solutions and stubs."""
    with Session({STRICT: "1"}) as session:
        return [proof for lab in labs for proof in _prove(lab, session)]


def _prove(lab: Lab, session: Session) -> Iterator[Proof]:
    solved = _answers(lab, [notebooks.source(c) for c in lab.notebook["cells"]], session)
    stub_cells = json.loads(derive.derive(lab))["cells"]
    by_id = {cell["id"]: notebooks.source(cell) for cell in stub_cells}
    stubs = [by_id.get(cell["id"], "") for cell in lab.notebook["cells"]]
    empty = _answers(lab, stubs, session)
    for task in lab.tasks:
        defects = [
            *_passes(task, *solved[task.id]),
            *_fails(task, *empty[task.id]),
            *questions(task.exercise),
            *wrong_answers(task.exercise),
        ]
        yield Proof(task.id, len(task.exercise.wrong), tuple(defects))


def _answers(
    lab: Lab, sources: Sequence[str], session: Session
) -> dict[str, tuple[str, list[list[Reply]]]]:
    """For each exercise: the error of its check in strict mode, and the replies for each seed.

    The cells are those of a notebook, one text a cell, run in their order.  An error of another
    cell goes into the first of the two.
    """
    session.forget()
    found: dict[str, tuple[str, list[list[Reply]]]] = {}
    trouble = ""
    checks = {task.check: task for task in lab.tasks}
    try:
        for index, source in enumerate(sources):
            if lab.notebook["cells"][index]["cell_type"] != "code" or not source.strip():
                continue
            error = session.cell(source, SECONDS)
            if index in checks:
                task = checks[index]
                asked = [
                    session.ask(task.expression, task.exercise.questions(seed), SECONDS)
                    for seed in SEEDS
                ]
                found[task.id] = (trouble or error, asked)
                trouble = ""
            elif error:
                trouble = trouble or f"cell {index + 1} stopped with {error}"
    except Stopped as stopped:
        trouble = f"cell {index + 1}: {stopped}"
        session.__exit__()
        session.__enter__()
    return {task.id: found.get(task.id, (trouble, [])) for task in lab.tasks}


def _passes(task: Task, error: str, asked: Sequence[Sequence[Reply]]) -> Iterator[str]:
    """The solution: its check is silent in strict mode, and it is right on every seed."""
    if error:
        yield f"the solution does not pass: {error}"
        return
    for seed, given in zip(SEEDS, asked, strict=True):
        verdict = judge.judge(task.exercise, task.exercise.questions(seed), given)
        if not verdict.right:
            yield f"the solution does not pass with seed {seed}: {verdict.line()}"
            return


def _fails(task: Task, error: str, asked: Sequence[Sequence[Reply]]) -> Iterator[str]:
    """The stub: its check raises in strict mode, nothing else does, and it is never right."""
    if not error:
        yield "the stub passes its check"
    elif not error.startswith("WrongAnswer"):
        yield f"the lab with its stub breaks off: {error}"
    for seed, given in zip(SEEDS, asked, strict=bool(asked)):
        if judge.judge(task.exercise, task.exercise.questions(seed), given).right:
            yield f"the stub is right with seed {seed}"
            return


def questions(exercise: Exercise) -> Iterator[str]:
    """Fresh inputs: several, the same for a seed, others for another."""
    if exercise.inputs is None:
        return
    sets = [exercise.questions(seed) for seed in SEEDS]
    if min(map(len, sets)) < 3:
        yield "a check asks fewer than three questions"
    if not _alike(sets[0], exercise.questions(SEEDS[0])):
        yield "inputs(rng) gives other questions for the same rng: draw them from rng alone"
    if any(_alike(sets[0], other) for other in sets[1:]):
        yield "inputs(rng) gives the same questions whatever rng: a learner could copy the answers"


def _alike(a: Sequence[Arguments], b: Sequence[Arguments]) -> bool:
    return judge.same([list(x) for x in a], [list(x) for x in b], 1e-12)


def wrong_answers(exercise: Exercise) -> Iterator[str]:
    """Each stored wrong answer is plausible, rejected on every seed, and with its own message."""
    for wrong in exercise.wrong:
        name = getattr(wrong.answer, "__name__", repr(wrong.answer))
        if exercise.inputs is None and _literal(wrong.answer):
            yield f"wrong answer {name} is a constant: compute it as whoever makes the mistake does"
            continue
        for seed in SEEDS:
            asked = exercise.questions(seed)
            given = judge.wrong_replies(wrong, asked)
            if (defect := _implausible(given)) or (
                defect := _unrejected(exercise, asked, given, wrong.cause)
            ):
                yield f"wrong answer {name} {defect}"
                break


def _implausible(given: Sequence[Reply]) -> str:
    if raised := [reply.error for reply in given if reply.error]:
        return f"raises {raised[0]}: nobody would take that for an answer"
    if any(reply.value is None for reply in given):
        return "gives None"
    if len(given) > 1 and all(judge.same(r.value, given[0].value, 1e-9) for r in given):
        return "is a constant"
    return ""


def _unrejected(
    exercise: Exercise, asked: Sequence[Arguments] | None, given: Sequence[Reply], cause: str
) -> str:
    verdict = judge.judge(exercise, asked, given)
    if verdict.right:
        return "is accepted"
    if verdict.cause != cause:
        return f"is told another's cause: {verdict.cause}"
    return ""


def _literal(function: object) -> bool:
    """Whether a function of no argument only returns what is written in it."""
    code = getattr(function, "__code__", None)
    return code is not None and not (code.co_names or code.co_freevars)
