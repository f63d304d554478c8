"""The checker of the labs: what a learner is told, and the values that pass between processes."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthecon import Problem
from synthecon.labs import Exercise, Wrong, check, exercises, hint
from synthecon.labs.check import STRICT, WrongAnswer
from synthecon.labs.codec import decode, decode_reply, encode, encode_reply
from synthecon.labs.judge import Opaque, Reply, judge, replies, same

# ---- what a learner reads


def told(capsys, name: str, answer: object) -> str:
    check(name, answer)
    return capsys.readouterr().out


def test_a_right_answer_is_one_line(labs, capsys):
    assert told(capsys, "toy/double", lambda x: 2 * x) == "✅ toy/double\n"
    assert told(capsys, "toy/area", 28.2743) == "✅ toy/area\n"  # rounded, as a person would


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda x: x * x, "that is the square"),
        (lambda x: 2 + x, "that adds two, whatever x is"),
        (lambda x: None, "is there a return on every path?"),
        (lambda x: 6 * x, "yours is always 3 times what is expected"),
        (lambda x: -2 * x, "the sign is turned round"),
        (lambda x: str(2 * x), "a number is wanted, you gave a text"),
        (lambda x: np.array([x, x]), "a number is wanted, you gave an array"),
        (lambda x: math.nan, "not a number came out"),
        (lambda x: 2 * x + 0.1, "none that is known here"),
        (lambda x, y: x, "your function stopped instead of answering"),
        (lambda x: 1 / 0, "your function stopped instead of answering"),
        (8, "give its name, without brackets"),
    ],
)
def test_a_wrong_function_is_told_its_likely_cause(labs, capsys, answer, cause):
    text = told(capsys, "toy/double", answer)
    assert text.startswith("❌ toy/double\n")
    assert f"likely cause: {cause}" in text or cause in text
    assert "expected:" in text
    assert "given:" in text
    assert 'hint("toy/double") shows the first of 2 hints' in text


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (math.pi * 36, "6 m is the diameter"),
        (6 * math.pi, "that is the way once round"),
        ("28.27", "a number is wanted, you gave a text"),
        (lambda: 28.27, "that is a function: call it"),
        (12.5, "none that is known here"),
        (None, "nothing back"),
    ],
)
def test_a_wrong_value_is_told_its_cause_but_not_the_answer(labs, capsys, answer, cause):
    text = told(capsys, "toy/area", answer)
    assert cause in text
    assert "a number, in square metres" in text
    shown = f"{answer:.6g}" if isinstance(answer, float) else str(answer)
    assert shown in text or "a function" in text
    assert "28.274" not in text


def test_expected_and_given_belong_to_the_question_that_is_shown(labs, capsys):
    text = told(capsys, "toy/double", lambda x: x + 2)
    fields = dict(line.strip().split(":", 1) for line in text.splitlines()[1:4])
    assert float(fields["expected"]) == 0  # the first question, x = 0, is already wrong
    assert float(fields["given"]) == 2
    assert fields["asked"].strip() == "x = 0"


def test_an_empty_exercise_is_not_called_wrong(labs, capsys):
    def stub(x):
        raise NotImplementedError("toy/double")

    for name, answer in (("double", stub), ("area", ...), ("area", {"a": [...]})):
        text = told(capsys, f"toy/{name}", answer)
        assert text.startswith(f"⬜ toy/{name}: not filled in yet (")
    assert "(10 minutes, medium)" in text


def test_questions_are_fresh_and_a_function_cannot_spoil_them(labs):
    exercise = exercises.find("toy/double")
    assert exercise.questions(1) == exercise.questions(1)
    assert exercise.questions(1) != exercise.questions(2)
    asked = [([1.0, 2.0],)]
    assert replies(lambda x: x.clear(), asked) == [Reply(None)]
    assert asked == [([1.0, 2.0],)]


def test_each_check_asks_other_questions(labs, capsys):
    seen = []
    for _ in range(2):
        told(capsys, "toy/double", lambda x: seen.append(x))
    assert len(set(seen)) == 7  # four each, of which 0 both times


def test_strict_mode_raises_what_it_would_have_printed(labs, capsys, monkeypatch):
    monkeypatch.setenv(STRICT, "1")
    check("toy/double", lambda x: 2 * x)
    capsys.readouterr()
    with pytest.raises(WrongAnswer, match="that is the square"):
        check("toy/double", lambda x: x * x)
    with pytest.raises(WrongAnswer, match="not filled in"):
        check("toy/area", ...)
    with pytest.raises(Problem, match="did you mean area"):
        check("toy/aera", 3)
    assert capsys.readouterr().out == ""


def test_a_name_that_is_not_there_is_said_and_does_not_stop_the_notebook(labs, capsys):
    assert "did you mean double? Known: double, area" in told(capsys, "toy/doubel", 3)
    assert "did you mean lesson-1-physics/toy?" in told(capsys, "lesson-1-physics/toi/double", 3)
    assert "asked for as 'lab/name'" in told(capsys, "double", 3)
    hint("toy/doubel")
    assert "did you mean double?" in capsys.readouterr().out


def test_hints_come_one_by_one(labs, capsys):
    hint("toy/double")
    assert capsys.readouterr().out == (
        '💡 1 of 2: As much again.\n   the next one: hint("toy/double", 2)\n'
    )
    hint("toy/double", 2)
    assert capsys.readouterr().out == "💡 2 of 2: A sum of two.\n"
    hint("toy/double", 9)
    assert "2 of 2" in capsys.readouterr().out


def test_a_function_that_ends_the_program_is_a_wrong_answer(labs, capsys):
    def stop(x):
        raise SystemExit(0)

    assert "SystemExit: 0" in told(capsys, "toy/double", stop)


def test_what_a_learner_wrote_cannot_move_the_cursor(labs, capsys):
    def rude(x):
        raise ValueError("\x1b[2J\nnew line")

    assert "ValueError: [2J new line" in told(capsys, "toy/double", rude)


# ---- arrays, tensors and gradients


def exercise(oracle, inputs, **more) -> Exercise:
    wrong = (Wrong(lambda *a: 1, "one"), Wrong(lambda *a: 2, "two"))
    fields = {"minutes": 5, "difficulty": "easy", "hints": ("a", "b"), "wrong": wrong}
    return Exercise("x", oracle=oracle, inputs=inputs, **fields | more)


def tensors(rng):
    import torch  # not at the top: most tests here, and most mutations, do without it

    return [(torch.from_numpy(rng.normal(size=8)).requires_grad_(),) for _ in range(3)]


def verdict_on(answer, oracle, inputs=tensors):
    one = exercise(oracle, inputs)
    asked = one.questions(0)
    return judge(one, asked, replies(answer, asked))


def test_a_loss_must_carry_its_gradient():
    assert verdict_on(lambda x: x.square().sum(), lambda x: (x * x).sum()).right
    detached = verdict_on(lambda x: x.square().sum().item(), lambda x: (x * x).sum())
    assert "the number is right, but no gradient" in detached.cause
    half = verdict_on(lambda x: (x * x.detach()).sum(), lambda x: (x * x).sum())
    assert "the number is right, but not the right gradient" in half.cause
    other = verdict_on(lambda x: 5.0, lambda x: (x * x).sum())
    assert "gradient" not in other.cause


def test_an_oracle_that_does_not_work_is_the_authors_fault():
    with pytest.raises(Problem, match="the oracle of the exercise x does not work"):
        verdict_on(lambda x: x, lambda x: 1 / 0)


def test_of_two_arrays_the_entry_that_differs_most_is_shown():
    def spoiled(x):
        x = 2 * x.detach()
        x[3] += 1
        return x

    found = verdict_on(spoiled, lambda x: 2 * x.detach())
    assert found.expected.endswith("at [3]")
    assert float(found.given) - float(found.expected.split()[0]) == pytest.approx(1, abs=1e-4)
    assert "a tensor of shape [8]" in found.asked


def test_the_shape_is_named():
    found = verdict_on(lambda x: x.detach()[:7], lambda x: x.detach())
    assert found.cause == "the shape must be [8], yours is [7]"


def test_the_keys_are_named():
    found = verdict_on(lambda x: {"a": 1}, lambda x: {"a": 1, "b": 2})
    assert found.cause == "the keys must be a, b"


def test_a_tensor_of_one_number_is_a_number():
    torch = pytest.importorskip("torch")
    assert same(torch.tensor(3.0), 3, 1e-6)
    assert not same(torch.tensor([3.0]), 3, 1e-6)


def test_equality():
    assert same((1, 2.0), [1.0, 2], 1e-6)
    assert same({"a": np.float32(0.1)}, {"a": 0.1}, 1e-6)
    assert same(Decimal("0.5"), 0.5, 1e-6)
    assert same(3.9e-6 * (1 + 1e-6), 3.9e-6, 1e-4)
    assert not same(3.8e-6, 3.9e-6, 1e-4)  # small prices are not all alike
    assert not same(True, 1, 1e-6)
    assert not same("1", 1, 1e-6)
    assert not same([1], [1, 2], 1e-6)
    assert not same(np.ones(3), np.ones((3, 1)), 1e-6)
    assert not same(np.array([1.0, np.nan]), np.array([1.0, 2.0]), 1e-6)
    assert not same({"a": 1, "b": 2}, {"a": 1}, 1e-6)


@given(st.floats(-1e9, 1e9), st.floats(1e-7, 1e-2))
def test_equality_is_relative(value, tolerance):
    assert same(value * (1 + tolerance / 2), value, tolerance)
    if abs(value) > 1e-6:
        assert not same(value * (1 + 2 * tolerance), value, tolerance)


# ---- exercises


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minutes": 0}, "takes 1 to 60 minutes"),
        ({"minutes": 2.5}, "takes 1 to 60 minutes"),
        ({"difficulty": "simple"}, "is one of"),
        ({"hints": ("only one",)}, "needs two hints"),
        ({"hints": ("same", "same")}, "needs two hints"),
        ({"wrong": (Wrong(abs, "one"),)}, "needs two wrong answers"),
        ({"wrong": (Wrong(abs, "one"), Wrong(max, "one"))}, "a cause for each"),
        ({"wrong": (Wrong(abs, "one"), Wrong(max, ""))}, "a cause for each"),
        ({"inputs": None}, "must say what it `expects`"),
        ({"tolerance": 0.5}, "has a tolerance"),
    ],
)
def test_an_exercise_that_lacks_something_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        exercise(abs, **{"inputs": tensors} | change)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("EXERCISES = [", "OTHERS = [", "no attribute 'EXERCISES'"),
        ("import math", "import mathematics", "No module named"),
        ('"area",', '"double",', "two exercises have one name"),
        ("EXERCISES = [", "EXERCISES = [3,", "must be a list of Exercise"),
        ("minutes=5", "minutes=500", "takes 1 to 60 minutes"),
    ],
)
def test_a_file_of_exercises_that_is_wrong_is_named(labs, old, new, message):
    labs.exercises(old, new)
    with pytest.raises(Problem, match=message) as problem:
        exercises.load(labs.name)
    assert "toy.py" in str(problem.value)


def test_two_labs_may_not_share_a_name(labs):
    other = labs.root / "solutions" / "lesson-2-economics" / "toy.ipynb"
    other.parent.mkdir()
    other.write_bytes(labs.solution.read_bytes())
    with pytest.raises(Problem, match="two labs are called toy"):
        exercises.names()


# ---- values between processes

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False)
    | st.text() | st.decimals(allow_nan=False) | st.just(...),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


@given(values)
def test_values_come_back_as_they_went(value):
    assert decode(json.loads(json.dumps(encode(value)))) == value


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "complex64", ">f8"])
def test_arrays_come_back_as_they_went(dtype):
    value = np.arange(6).reshape(2, 3).astype(dtype)
    back = decode(json.loads(json.dumps(encode(value[:, ::-1]))))
    np.testing.assert_array_equal(back, value[:, ::-1])
    assert back.dtype == value.dtype
    back[0, 0] = 1  # and can be written to


def test_tensors_keep_their_gradient_flag():
    torch = pytest.importorskip("torch")
    value = torch.randn(2, 3, requires_grad=True)
    back = decode(json.loads(json.dumps(encode(value))))
    assert torch.equal(back, value)
    assert back.requires_grad
    assert not decode(encode(value.detach())).requires_grad


def test_other_things_go_as_their_looks():
    itself: list = []
    itself.append(itself)
    assert decode(encode(itself)).kind == "list"
    assert decode(encode(len)).kind == "function"
    assert decode(encode({1, 2})) == Opaque("set", "{1, 2}")
    assert decode(encode(np.array(["a"], dtype=object))).kind == "ndarray"


@pytest.mark.parametrize(
    "coded",
    [
        {},
        [],
        {"a": 1, "b": 2},
        {"pickle": "gASV"},
        {"list": 3},
        {"dict": [[1]]},
        {"dict": [[{"list": []}, 1]]},
        {"decimal": "much"},
        {"array": ["|O", [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [9], "AAAA"]},
        {"array": 3},
        {"tensor": [["<f8"], True]},
        {"opaque": []},
    ],
)
def test_what_was_not_encoded_here_is_refused(coded):
    with pytest.raises(ValueError):
        decode(coded)


def test_replies_travel():
    for reply in (Reply(3), Reply(None, "ValueError: no"), Reply(3.0, "", [1.5])):
        assert decode_reply(json.loads(json.dumps(encode_reply(reply)))) == reply
    for coded in (3, {}, {"value": 3}, {"value": {}, "error": "", "gradient": None}):
        with pytest.raises(ValueError):
            decode_reply(coded)


# ---- lists of numbers


LONG = Exercise(
    "long",
    minutes=2,
    difficulty="easy",
    oracle=lambda n: [0.0] * 8 + [n],
    inputs=lambda rng: [(float(x),) for x in rng.uniform(1, 9, 4)],
    hints=("One.", "Two."),
    wrong=(
        Wrong(lambda n: [n] * 9, "Everywhere."),
        Wrong(lambda n: [n] + [0.0] * 8, "At the wrong end."),
    ),
)


def long_verdict(answer):
    questions = LONG.questions(3)
    return judge(LONG, questions, replies(answer, questions))


def test_an_array_passes_for_a_list_of_numbers():
    assert long_verdict(lambda n: np.array([0.0] * 8 + [n])).right
    assert not long_verdict(lambda n: np.array([[0.0] * 8 + [n]])).right


def test_of_long_lists_the_entry_that_differs_is_shown():
    told = long_verdict(lambda n: [0.0] * 8 + [n + 1])
    assert told.expected.endswith("at [8]")
    assert float(told.given) == pytest.approx(float(told.expected.split()[0]) + 1, rel=1e-4)


def test_a_wrong_number_of_entries_and_a_turned_sign_are_told():
    assert long_verdict(lambda n: [0.0] * 7 + [n]).cause == "9 entries are wanted, you gave 8"
    assert long_verdict(lambda n: [0.0] * 8 + [-n]).cause == "the sign is turned round"
