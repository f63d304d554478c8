"""What an exercise is, and where the exercises of a lab stand: solutions/LESSON/NAME.py."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from synthecon import Problem, notebooks, paths

Difficulty = Literal["easy", "medium", "hard"]
Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Wrong:
    """A plausible mistake, and what to tell whoever makes it.

    answer: a function with the oracle's parameters.  cause: the likely cause, in one or two
    sentences that do not give the right line away.
    """

    answer: Callable[..., Any]
    cause: str


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lab.

    name: unique in its lab; `check` is asked for "LAB/name".
    minutes: how long it should take, 1 to 60.
    oracle: the right answer: a function, or without `inputs` a function of no argument that gives
        the right value.
    hints: at least two, each telling more than the one before.
    wrong: at least two distinct misconceptions.
    inputs: fresh arguments for each check, at least three; None where a value is asked for.
    expects: what is wanted, in words; must be given for a value, whose message shows no number.
    tolerance: relative, on numbers and arrays (there of the largest entry).
    """

    name: str
    minutes: int
    difficulty: Difficulty
    oracle: Callable[..., Any]
    hints: Sequence[str]
    wrong: Sequence[Wrong]
    inputs: Callable[[np.random.Generator], Sequence[Arguments]] | None = None
    expects: str = ""
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        causes = [w.cause.strip() for w in self.wrong]
        for good, must in (
            (re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name), "is named with a-z, 0-9 and -"),
            (type(self.minutes) is int and 1 <= self.minutes <= 60, "takes 1 to 60 minutes"),
            (self.difficulty in get_args(Difficulty), f"is one of {get_args(Difficulty)}"),
            (len(set(self.hints)) >= 2 and all(self.hints), "needs two hints or more"),
            (len(self.wrong) >= 2, "needs two wrong answers or more"),
            (len(set(causes)) == len(causes) and all(causes), "needs a cause for each wrong one"),
            (self.inputs or self.expects, "asks for a value and must say what it `expects`"),
            (0 < self.tolerance < 0.1, "has a tolerance above 0 and below 0.1"),
        ):
            if not good:
                raise ValueError(f"the exercise {self.name!r} {must}")

    def questions(self, seed: int) -> list[Arguments] | None:
        """The inputs that belong to this seed; None where a value is asked for."""
        if self.inputs is None:
            return None
        return [tuple(one) for one in self.inputs(np.random.default_rng(seed))]

    def right(self, question: Arguments | None) -> Any:
        return self.oracle(*(question or ()))


@dataclass(frozen=True)
class Page:
    """A text that a learner writes, which the grader marks beside the exercises.

    expression: what it is in the notebook, of plain values.  mark: from that value to points of
    100, and the reason for each point that is lacking.
    """

    name: str
    expression: str
    mark: Callable[[Any], tuple[int, str]]


def folder() -> Path:
    return paths.root() / "solutions"


def names() -> list[str]:
    """Every lab, such as lesson-1-physics/distillation, sorted.

    Raises:
        Problem: two labs of one name: exercises are asked for by it, without the lesson.
    """
    base = folder()
    found = sorted(
        p.relative_to(base).with_suffix("").as_posix()
        for p in base.rglob("*.ipynb")
        if not any(part.startswith(".") for part in p.relative_to(base).parts)
    )
    short = [name.rpartition("/")[2] for name in found]
    for name in short:
        if short.count(name) > 1:
            raise Problem(f"solutions/: two labs are called {name}: rename one")
    return found


def resolve(word: str) -> str:
    """The lab that is meant by its name, with or without the lesson."""
    known = names()
    for name in known:
        if word in (name, name.rpartition("/")[2]):
            return name
    raise Problem(notebooks.unknown("lab", word, known))


def load(lab: str) -> list[Exercise]:
    """The exercises of a lab, in their order.

    Raises:
        Problem: the file is missing or does not run, or EXERCISES is not a list of exercises.
    """
    return _load(lab)[0]


def pages(lab: str) -> list[Page]:
    """The texts of a lab that the grader marks: PAGES in its file; mostly none.

    Raises:
        Problem: as `load`.
    """
    return _load(lab)[1]


def _load(lab: str) -> tuple[list[Exercise], list[Page]]:
    file = folder() / f"{lab}.py"
    if not file.is_file():
        raise Problem(f"{file}: a lab needs its exercises there; see help(synthecon.labs)")
    spec = importlib.util.spec_from_file_location(f"_lab_{lab.rpartition('/')[2]}", file)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        found = list(module.EXERCISES)
        texts = list(getattr(module, "PAGES", ()))
    except Exception as error:  # whatever an author's file may raise
        raise Problem(f"{file}: {type(error).__name__}: {error}") from error
    if not found or not all(isinstance(one, Exercise) for one in found):
        raise Problem(f"{file}: EXERCISES must be a list of Exercise")
    given = [one.name for one in found]
    if len(set(given)) < len(given):
        raise Problem(f"{file}: two exercises have one name: {', '.join(given)}")
    return found, texts


def find(exercise_id: str) -> Exercise:
    """The exercise "LAB/NAME".

    Raises:
        Problem: no such lab or exercise; the message names those that there are.
    """
    lab, _, name = exercise_id.rpartition("/")
    if not lab:
        raise Problem(f"an exercise is asked for as 'lab/name', got {exercise_id!r}")
    known = {one.name: one for one in load(resolve(lab))}
    if name not in known:
        raise Problem(notebooks.unknown(f"exercise of {lab}:", name, known))
    return known[name]
