"""Comparing an answer with the oracle, and saying what is wrong with it in words that teach.

Three steps, so that a grader can take the middle one in another process: `Exercise.questions`,
`replies` to them, and the `Verdict` of `judge`.
"""

from __future__ import annotations

import copy
import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from synthecon import Problem
from synthecon.labs.exercises import Arguments, Exercise, Wrong

EMPTY, NOT_A_FUNCTION = "NotImplementedError", "not a function"
LONGEST = 100  # characters of a value in a message


@dataclass(frozen=True)
class Reply:
    """What came back for one question: a value, or the error that came instead.

    gradient: of the value's sum, one for each argument that wants one; None where none flows.
    """

    value: Any = None
    error: str = ""
    gradient: Any = None


@dataclass(frozen=True)
class Opaque:
    """A value of a kind that no exercise asks for: its type, and how it looks."""

    kind: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """`right`, `empty` (not filled in yet) or `wrong`; the rest says why it is wrong."""

    state: Literal["right", "empty", "wrong"]
    asked: str = ""
    expected: str = ""
    given: str = ""
    cause: str = ""

    @property
    def right(self) -> bool:
        return self.state == "right"

    def text(self, exercise_id: str, exercise: Exercise) -> str:
        """What a learner reads below the check."""
        if self.right:
            return f"✅ {exercise_id}"
        count = len(exercise.hints)
        hints = f'hint("{exercise_id}") shows the first of {count} hints'
        if self.state == "empty":
            about = f"{exercise.minutes} minutes, {exercise.difficulty}"
            return f"⬜ {exercise_id}: not filled in yet ({about}). {hints}"
        lines = [f"❌ {exercise_id}"]
        for name in ("asked", "expected", "given", "cause"):
            if getattr(self, name):
                label = "likely cause" if name == "cause" else name
                lines.append(f"   {label + ':':<14}{getattr(self, name)}")
        return "\n".join([*lines, f"   {hints}"])

    def line(self) -> str:
        """One line, for a table of marks."""
        if self.state != "wrong":
            return "right" if self.right else "not filled in"
        told = [self.cause] if self.cause else []
        if self.expected and self.given:
            told.insert(0, f"expected {self.expected}, given {self.given}")
        return ": ".join(told)


def replies(answer: Any, questions: Sequence[Arguments] | None) -> list[Reply]:
    """Ask a function each question, with arguments of its own that it may spoil; or take a value.

    An exception of the answer is a reply too.
    """
    if questions is None:
        return [Reply(answer)]
    if not callable(answer):
        return [Reply(answer, NOT_A_FUNCTION)]
    return [_reply(answer, copy.deepcopy(question)) for question in questions]


def _reply(function: Callable[..., Any], question: Arguments) -> Reply:
    try:
        value = function(*question)
        return Reply(value, gradient=_gradient(value, question))
    except (Exception, SystemExit) as error:
        return Reply(error=said(error))


def _gradient(value: Any, question: Arguments) -> list[Any] | None:
    """Only its gradient tells a loss from one of which a part was cut off by .item()."""
    leaves = [x for x in question if _has_gradient(x)]
    if not leaves or not _has_gradient(value):
        return None
    value.sum().backward(retain_graph=True)
    return [x.grad for x in leaves]


def said(error: BaseException) -> str:
    """'ValueError: what it says', on one line of printable characters."""
    kind = EMPTY if isinstance(error, NotImplementedError) else type(error).__name__
    try:
        text = str(error)
    except Exception:  # an exception of the learner's own making
        text = ""
    return clean(f"{kind}: {text}" if text else kind, 2 * LONGEST)


def clean(text: str, longest: int = LONGEST) -> str:
    """One line without control characters, cut to a length."""
    text = "".join(c if c.isprintable() else " " for c in text)
    text = re.sub(" +", " ", text).strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"


def judge(
    exercise: Exercise, questions: Sequence[Arguments] | None, given: Sequence[Reply]
) -> Verdict:
    """Compare replies with the oracle's, and name the likely cause where they differ."""
    if any(_unfilled(reply) for reply in given):
        return Verdict("empty")
    if questions is None:
        return _judge_value(exercise, given[0])
    if given and given[0].error == NOT_A_FUNCTION:
        return Verdict(
            "wrong",
            expected="a function",
            given=show(given[0].value),
            cause="the check wants the function itself: give its name, without brackets after it",
        )
    if len(given) != len(questions):
        return Verdict("wrong", cause=next((r.error for r in given if r.error), "no reply came"))
    answers = replies(exercise.oracle, questions)
    if broken := next((one.error for one in answers if one.error), ""):
        raise Problem(f"the oracle of the exercise {exercise.name} does not work: {broken}")
    expected = [one.value for one in answers]
    for question, reply, answer in zip(questions, given, answers, strict=True):
        if _agree(reply, answer, exercise.tolerance):
            continue
        right = answer.value
        cause = (
            ("your function stopped instead of answering" if reply.error else "")
            or _misconception(exercise, questions, given)
            or _cut_off(reply, answer, exercise.tolerance)
            or _kind(reply.value, right, exercise.tolerance)
            or _factor(given, expected)
            or "none that is known here: go through one case by hand"
        )
        return Verdict(
            "wrong",
            asked=_asked(exercise.oracle, question),
            expected=_difference(right, reply)[0],
            given=_difference(right, reply)[1],
            cause=cause,
        )
    return Verdict("right")


def _judge_value(exercise: Exercise, reply: Reply) -> Verdict:
    """A value: nothing of the right one is shown, or the second try would be a copy of it."""
    if reply.error:
        return Verdict("wrong", expected=exercise.expects, cause=reply.error)
    right = exercise.right(None)
    if same(reply.value, right, exercise.tolerance):
        return Verdict("right")
    cause = _misconception(exercise, None, [reply])
    cause = cause or _kind(reply.value, right, exercise.tolerance)
    cause = cause or "none that is known here: write down each step with its unit"
    return Verdict("wrong", expected=exercise.expects, given=show(reply.value), cause=cause)


def _unfilled(reply: Reply) -> bool:
    return reply.error.startswith(EMPTY) or _holds_dots(reply.value)


def _holds_dots(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_dots(x) for x in value.values())
    if isinstance(value, list | tuple):
        return any(_holds_dots(x) for x in value)
    return value is ...


def _misconception(
    exercise: Exercise, questions: Sequence[Arguments] | None, given: Sequence[Reply]
) -> str:
    """The cause of the first stored wrong answer that replies the same to every question."""
    for wrong in exercise.wrong:
        theirs = wrong_replies(wrong, questions)
        if all(_agree(a, b, exercise.tolerance) for a, b in zip(given, theirs, strict=True)):
            return wrong.cause
    return ""


def wrong_replies(wrong: Wrong, questions: Sequence[Arguments] | None) -> list[Reply]:
    """What a stored wrong answer replies; where a value is asked for, the value it computes."""
    return [_reply(wrong.answer, ())] if questions is None else replies(wrong.answer, questions)


# ---- equality


def _agree(a: Reply, b: Reply, tolerance: float) -> bool:
    """Both gave a value, the same one, with the same gradient."""
    return (
        not (a.error or b.error)
        and same(a.value, b.value, tolerance)
        and (b.gradient is None or same(a.gradient, b.gradient, tolerance))
    )


def same(given: Any, right: Any, tolerance: float) -> bool:
    """Equal up to a relative tolerance on numbers, and of the same kind and shape.

    A list passes for a tuple, an array of one number for that number, a one-dimensional array for
    a list of numbers.
    """
    given, right = _plain(given), _plain(right)
    if _numbers(right) and isinstance(given, np.ndarray) and given.ndim == 1:
        given = given.tolist()
    if isinstance(right, np.ndarray):
        if not isinstance(given, np.ndarray) or given.shape != right.shape:
            return False
        scale = float(np.abs(right[np.isfinite(right)]).max(initial=0))
        return bool(
            np.allclose(given, right, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
        )
    if _number(right):
        return _number(given) and math.isclose(
            given, right, rel_tol=tolerance, abs_tol=tolerance * 1e-8
        )
    if isinstance(right, list):
        return (
            isinstance(given, list)
            and len(given) == len(right)
            and all(same(a, b, tolerance) for a, b in zip(given, right, strict=True))
        )
    if isinstance(right, dict):
        return (
            isinstance(given, dict)
            and given.keys() == right.keys()
            and all(same(given[key], right[key], tolerance) for key in right)
        )
    return type(given) is type(right) and bool(given == right)


def _plain(value: Any) -> Any:
    """Tensors and arrays as arrays of floats, those of one number as a float, tuples as lists."""
    if hasattr(value, "detach"):  # a torch tensor; torch itself may not be needed here
        value = value.detach().cpu().double().numpy()
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iuf":
        value = value.astype(float)
        return float(value) if value.ndim == 0 else value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Decimal):
        return float(value)
    return list(value) if isinstance(value, tuple) else value


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(value: Any) -> bool:
    """A flat list of numbers."""
    return isinstance(value, list) and bool(value) and all(map(_number, value))


def _has_gradient(value: Any) -> bool:
    return bool(getattr(value, "requires_grad", False))


# ---- words


def show(value: Any) -> str:
    """A value as a message shows it: short, and safe to print whatever it is."""
    if isinstance(value, Opaque):
        return clean(f"{value.kind} {value.text}") if value.kind != "function" else "a function"
    if callable(value):
        return "a function"
    plain = _plain(value)
    if isinstance(plain, np.ndarray):
        if plain.size <= 6:
            return clean(str(np.round(plain, 4).tolist()))
        kind = "a tensor" if hasattr(value, "detach") else "an array"
        return f"{kind} of shape {list(plain.shape)}"
    if isinstance(plain, float):
        return f"{plain:.6g}"
    if isinstance(plain, list):
        some = [show(x) for x in plain[:6]]
        return clean(f"[{', '.join(some)}{', …' if len(plain) > 6 else ''}]")
    try:
        return clean(repr(plain))
    except Exception:
        return type(value).__name__


def _asked(oracle: Callable[..., Any], question: Arguments) -> str:
    """'T = 4, alpha = 0.6', by the names of the oracle's parameters."""
    known = list(inspect.signature(oracle).parameters)[: len(question)]
    return ", ".join(f"{name} = {show(x)}" for name, x in zip(known, question, strict=True))


def _difference(right: Any, reply: Reply) -> tuple[str, str]:
    """Expected and given: of two large arrays the first entry that differs most."""
    if reply.error:
        return show(right), reply.error
    a, b = _plain(right), _plain(reply.value)
    a, b = (np.asarray(x, dtype=float) if _numbers(x) else x for x in (a, b))
    both = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    if both and a.shape == b.shape and a.size > 6:
        apart = np.nan_to_num(np.abs(a - b), nan=np.inf)
        at = np.unravel_index(int(apart.argmax()), a.shape)
        return f"{a[at]:.6g} at {[int(i) for i in at]}", f"{b[at]:.6g}"
    return show(right), show(reply.value)


def _kind(given: Any, right: Any, tolerance: float) -> str:
    """What is wrong with the kind of an answer, whatever its numbers; '' when it is right."""
    if given is None:
        return "it gave nothing back: is there a return on every path?"
    if callable(given) or (isinstance(given, Opaque) and given.kind == "function"):
        return "that is a function: call it, and give what it returns"
    a, b = _plain(right), _plain(given)
    if isinstance(a, list) and isinstance(b, np.ndarray) and b.ndim == 1:
        b = b.tolist()
    if isinstance(a, list) and isinstance(b, list) and len(a) != len(b):
        return f"{len(a)} entries are wanted, you gave {len(b)}"
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape != b.shape:
        return f"the shape must be {list(a.shape)}, yours is {list(b.shape)}"
    if isinstance(b, float) and math.isnan(b):
        return "not a number came out: a zero divided by zero, or the logarithm of a negative?"
    if _name(a) != _name(b):
        return f"{_name(a)} is wanted, you gave {_name(b)}"
    if isinstance(a, dict) and a.keys() != b.keys():
        return f"the keys must be {', '.join(sorted(map(str, a)))}"
    return ""


def _cut_off(given: Reply, right: Reply, tolerance: float) -> str:
    """The value is right, but nothing, or not the right thing, would be learned from it."""
    if not same(given.value, right.value, tolerance):
        return ""
    none = "no gradient flows" if given.gradient is None else "not the right gradient flows"
    return (
        f"the number is right, but {none} through it, so a network would not learn what it should "
        "(.item(), .detach() and float() cut a gradient off)"
    )


def _name(plain: Any) -> str:
    kinds = {
        bool: "True or False", int: "a number", float: "a number", str: "a text", dict: "a dict",
        list: "a list", np.ndarray: "an array",
    }  # fmt: skip
    return kinds.get(type(plain), clean(getattr(plain, "kind", type(plain).__name__)))


def _factor(given: Sequence[Reply], expected: Sequence[Any]) -> str:
    """'yours is always 16 times …', when it is."""
    both = zip(given, expected, strict=True)
    pairs = [(_plain(reply.value), _plain(right)) for reply, right in both]
    if all(_numbers(a) and _numbers(b) and len(a) == len(b) for a, b in pairs):
        pairs = [pair for a, b in pairs for pair in zip(a, b, strict=True) if any(pair)]
    if not all(_number(a) and _number(b) for a, b in pairs):
        return ""
    ratios = [a / b for a, b in pairs if a and b and math.isfinite(a)]
    if len(ratios) < 3 or len(ratios) < len(pairs) - 1:
        return ""
    first = ratios[0]
    if all(math.isclose(r, first, rel_tol=1e-3) for r in ratios):
        if math.isclose(first, -1, rel_tol=1e-3):
            return "the sign is turned round"
        return f"yours is always {first:.4g} times what is expected: look for a factor"
    return ""
