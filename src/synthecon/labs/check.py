"""What a learner calls in a lab: `check` and `hint`."""

from __future__ import annotations

import os
import secrets
import warnings
from typing import Any

from synthecon import Problem
from synthecon.labs import exercises, judge

STRICT = "SYNTHECON_LABS_STRICT"  # set by CI: a check that fails raises


class WrongAnswer(AssertionError):
    """Raised in strict mode by a check that did not pass."""


def check(exercise_id: str, answer: Any) -> None:
    """Say whether an answer is right, and if not: what was expected, given, and the likely cause.

    A function is asked fresh questions each time.  Prints and returns nothing; with
    SYNTHECON_LABS_STRICT set it raises when the answer is not right.

    Args:
        exercise_id: "lab/exercise", as it stands in the lab.
        answer: the function itself, or the value.

    Raises:
        WrongAnswer: in strict mode only.
        Problem: in strict mode only: no such exercise.
    """
    try:
        exercise = exercises.find(exercise_id)
    except Problem as problem:
        if os.environ.get(STRICT):
            raise
        print(f"❓ {problem}")
        return
    questions = exercise.questions(secrets.randbits(32))
    given = judge.replies(answer, questions)
    with warnings.catch_warnings():  # one of ours would show a line of the solution
        warnings.simplefilter("ignore")
        verdict = judge.judge(exercise, questions, given)
    text = verdict.text(exercise_id, exercise)
    if not verdict.right and os.environ.get(STRICT):
        raise WrongAnswer(text)
    print(text)


def hint(exercise_id: str, number: int = 1) -> None:
    """Print a hint; the first says least, and a higher number says more."""
    try:
        hints = exercises.find(exercise_id).hints
    except Problem as problem:
        print(f"❓ {problem}")
        return
    number = min(max(1, number), len(hints))
    print(f"💡 {number} of {len(hints)}: {hints[number - 1]}")
    if number < len(hints):
        print(f'   the next one: hint("{exercise_id}", {number + 1})')
