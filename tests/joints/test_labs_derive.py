"""From solution to lab, and the proof of each exercise, with notebooks broken on purpose."""

from __future__ import annotations

import json

import pytest
import yaml

from synthecon import Problem, cli, notebooks, paths
from synthecon.labs import derive, exercises, prove

TOY = "lesson-1-physics/toy"


def derived(labs) -> dict:
    return json.loads(derive.derive(derive.load(TOY)))


def sources(notebook: dict) -> list[str]:
    return [notebooks.source(cell) for cell in notebook["cells"]]


def proofs(labs) -> dict[str, tuple[str, ...]]:
    return {proof.id: proof.defects for proof in prove.prove([derive.load(TOY)])}


# ---- what a lab is


def test_a_lab_is_the_solution_with_holes(labs):
    assert sources(derived(labs)) == [
        "# Lab: toy\n\n*2 exercises, 15 minutes.*\n\nTwo exercises.",
        labs.cells[1],
        "## 1. Double\n\n*5 minutes, easy. 2 hints.*\n\nGive twice the number.",
        "def double(x):\n    # Your code instead of the next line.\n"
        '    raise NotImplementedError("toy/double")',
        labs.cells[4],
        "## 2. Area\n\n*10 minutes, medium. 2 hints.*\n\nA table is 6 m across. How large is it?",
        "area = ...",
        labs.cells[7],
    ]


def test_a_lab_carries_nothing_of_a_run(labs):
    solution = json.loads(labs.solution.read_text())
    solution["metadata"]["secret"] = "math.pi * 9"
    for cell in solution["cells"]:
        cell["metadata"] |= {"secret": "28.27", "tags": ["nbval-ignore-output", "hide-input"]}
        if cell["cell_type"] == "code":
            cell |= {"execution_count": 7}
    labs.solution.write_text(json.dumps(solution))
    lab = derived(labs)
    assert "secret" not in json.dumps(lab)
    assert {str(c.get("outputs")) + str(c.get("execution_count")) for c in lab["cells"]} == {
        "[]None",
        "NoneNone",
    }
    assert [c["metadata"].pop("tags") for c in lab["cells"]] == [["hide-input"]] * 8
    fixed = {"deletable": False, "editable": False}
    assert [c["metadata"] for c in lab["cells"]] == [{}] * 4 + [fixed] + [{}] * 2 + [fixed]


def test_the_same_solution_gives_the_same_bytes(labs):
    first = derive.derive(derive.load(TOY))
    solution = json.loads(labs.solution.read_text())
    labs.solution.write_text(json.dumps(solution, indent=3, sort_keys=False))  # another editor's
    assert derive.derive(derive.load(TOY)) == first
    assert first.endswith("}\n")


def test_a_cell_for_the_solution_only_is_left_out(labs):
    labs.write({5: "## 2. Area\n\nA table is 6 m across.", 0: "# Lab"}, tags={0: "solution-only"})
    assert len(derived(labs)["cells"]) == 7


def test_a_stub_of_several_lines_keeps_its_indents():
    text = (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### STUB\n"
        "    # for y in x:\n    #     return y\n    #\n    # return 3\n    ### END SOLUTION\n"
        "    # on\n"
    )
    kept, taken = derive.punch(text, "here", "toy/f")
    assert kept == "def f(x):\n    for y in x:\n        return y\n\n    return 3\n    # on"
    assert taken == ["return x"]


# ---- notebooks that are broken on purpose


@pytest.mark.parametrize(
    ("cell", "text", "message"),
    [
        (3, "def double(x):\n    return 2 * x", "no cell between the check before and its own"),
        (3, "def double(x):\n    ### BEGIN SOLUTION\n    return x", "### END SOLUTION is missing"),
        (3, "### END SOLUTION\nx = 3", "no cell between"),
        (3, "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "does not belong here"),
        (3, "### BEGIN SOLUTION\nx = 3\n### END SOLUTION\n### STUB", "does not belong here"),
        (3, "### BEGIN SOLUTION\nx = 3\n### STUB\nx = 4\n### END SOLUTION", "is a comment as far"),
        (3, "## BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "a marker is exactly"),
        (
            3,
            "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### STUB\n"
            "    # return (\n    ### END SOLUTION",
            "what is left is not Python",
        ),
        (2, "Give twice the number.", "no Markdown cell before it has a heading"),
        (1, "import math\nresult = x + x", "the lab still shows 'result = x + x'"),
        (2, "## 1. Double\n\nWrite `result = x + x`.", "the lab still shows 'result = x + x'"),
        (4, 'check("toy/doubel", double)', "did you mean toy/double?"),
        (4, 'check("toy/area", double)', "toy/area is checked twice"),
        (4, 'double(3)\ncheck("toy/double", double)', "stands alone in its cell"),
        (4, "double(3)", "toy/double: no cell checks it"),
        (4, 'check("toy/double", double) if 1 else 2', None),  # still one statement
    ],
)
def test_a_broken_solution_is_refused(labs, cell, text, message):
    labs.write({cell: text})
    if message is None:
        derived(labs)
        return
    with pytest.raises(Problem) as problem:
        derived(labs)
    assert message in str(problem.value)
    assert "toy.ipynb" in str(problem.value)


def test_all_that_is_wrong_is_said_at_once(labs):
    labs.write({2: "Give it.", 4: 'check("toy/doubel", double)'})
    with pytest.raises(Problem, match=r"(?s)did you mean.*toy/double: no cell checks it"):
        derived(labs)


def test_a_solution_whose_checks_never_ran_is_refused(labs):
    labs.solution.write_text(labs.solution.read_text().replace("✅", ""))
    with pytest.raises(Problem, match="never run, or did not pass"):
        derived(labs)


def test_a_hint_may_not_be_the_answer(labs):
    labs.exercises("A sum of two.", "Write `result = x + x`.")
    with pytest.raises(Problem, match="a hint of toy/double still shows"):
        derived(labs)


def test_exercises_stand_in_the_order_of_the_notebook(labs):
    cells = [labs.cells[i] for i in (5, 6, 7, 2, 3, 4)]
    labs.write({i + 2: text for i, text in enumerate(cells)})
    with pytest.raises(Problem, match="asks in the order toy/area, toy/double"):
        derived(labs)


def test_a_solution_after_the_last_check_is_refused(labs):
    labs.write({0: "x = 0", 7: "y = 0"})
    body = json.loads(labs.solution.read_text())
    body["cells"].append(dict(body["cells"][3], id="late"))
    labs.write()
    good = json.loads(labs.solution.read_text())
    good["cells"].append(body["cells"][-1])
    labs.solution.write_text(json.dumps(good))
    with pytest.raises(Problem, match="nothing checks it"):
        derived(labs)


# ---- the files


def run(*arguments: str) -> int:
    return cli.main(["labs", *arguments])


def test_derive_writes_and_check_compares(labs, capsys):
    assert run("derive", "--check") == 1
    assert "toy.ipynb is missing" in capsys.readouterr().out
    assert run("derive") == 0
    before = labs.lab.read_bytes()
    assert run("derive", "--check") == 0
    assert run("derive") == 0
    assert "unchanged" in capsys.readouterr().out
    assert labs.lab.read_bytes() == before
    labs.exercises("minutes=5", "minutes=6")
    assert run("derive", "--check") == 1
    assert "is not up to date" in capsys.readouterr().out
    assert labs.lab.read_bytes() == before  # --check writes nothing
    assert run("derive") == 0
    assert run("derive", "--check") == 0
    labs.solution.unlink()
    capsys.readouterr()
    assert run("derive", "--check") == 1
    assert "toy.ipynb has no solution" in capsys.readouterr().out


def test_a_lab_that_somebody_solved_is_not_overwritten(labs, capsys):
    run("derive")
    solved = labs.lab.read_text().replace("area = ...", "area = 28.27")
    labs.lab.write_text(solved)
    assert run("derive", "--check") == 1
    assert "holds answers: work in a copy" in capsys.readouterr().out
    assert run("derive") == 2
    assert labs.lab.read_text() == solved
    assert "give --force" in capsys.readouterr().err
    assert run("derive", "--force") == 0
    assert labs.lab.read_text() != solved


def test_a_learners_copy_beside_the_lab_is_left_alone(labs, capsys):
    run("derive")
    copy = labs.lab.with_name("toy-Copy1.ipynb")
    copy.write_bytes(labs.lab.read_bytes())
    assert run("derive", "--check") == 0


def test_a_lab_that_was_only_run_may_be_overwritten(labs):
    run("derive")
    lab = json.loads(labs.lab.read_text())
    for cell in lab["cells"]:
        cell["source"] = notebooks.source(cell)  # another editor, and a run
        if cell["cell_type"] == "code":
            cell["execution_count"] = 3
    labs.lab.write_text(json.dumps(lab))
    assert run("derive") == 0


def test_a_name_that_is_not_there(labs, capsys):
    assert run("derive", "toi") == 2
    assert "unknown lab toi" in capsys.readouterr().err


def test_run_keeps_the_outputs_and_fails_on_a_wrong_solution(labs, capsys):
    labs.solution.write_text(labs.solution.read_text().replace("✅", ""))
    assert run("run", "toy") == 0
    solution = json.loads(labs.solution.read_text())
    assert "✅ toy/area" in json.dumps(solution["cells"][7]["outputs"], ensure_ascii=False)
    assert "papermill" not in json.dumps(solution)
    assert run("derive") == 0
    before = labs.solution.read_bytes()
    text = before.decode().replace("x + x", "x * x")
    labs.solution.write_text(text)
    capsys.readouterr()
    assert run("run", "toy") == 1
    assert "that is the square" in capsys.readouterr().err
    assert labs.solution.read_text() == text


# ---- proofs


def test_a_good_lab_is_proven(labs, capsys):
    assert run("prove") == 0
    out = capsys.readouterr().out
    assert "proven  toy/double: the solution passes, the stub fails, 2 wrong answers" in out
    assert "2 of 2 exercises proven" in out


@pytest.mark.parametrize(
    ("old", "new", "defect"),
    [
        ("x + x", "x * x", "the solution does not pass: WrongAnswer"),
        ("return result", "raise ValueError(3)", "the solution does not pass: WrongAnswer"),
        ("### END", "### STUB\n    # return 2 * x\n    ### END", "the stub passes its check"),
    ],
)
def test_a_solution_is_proven_by_running_it(labs, old, new, defect):
    labs.write({3: labs.cells[3].replace(old, new)})
    found = proofs(labs)
    assert defect in "\n".join(found["toy/double"])
    assert found["toy/area"] == ()


@pytest.mark.parametrize(
    ("old", "new", "defect"),
    [
        ("return x**2", "return 2 * x", "wrong answer square is accepted"),
        ("return x**2", "return None", "wrong answer square gives None"),
        ("return x**2", "return 3.0", "wrong answer square is a constant"),
        ("return x**2", "return 1 / 0", "wrong answer square raises ZeroDivisionError"),
        ("return x**2", "return x + 2", "wrong answer two_more is told another's cause"),
        ("return 2 * math.pi * 3", "return 18.85", "wrong answer edge is a constant"),
        ("rng.uniform(3, 9, 3)", "(3, 4, 5)", "gives the same questions whatever rng"),
        ("rng.uniform(3, 9, 3)", "rng.uniform(3, 9, 1)", "fewer than three questions"),
        ("in rng.", "in __import__('numpy').random.", "gives other questions for the same rng"),
    ],
)
def test_wrong_answers_and_questions_that_prove_nothing(labs, old, new, defect):
    labs.exercises(old, new)
    found = [
        defect
        for one in exercises.load(TOY)
        for defect in (*prove.questions(one), *prove.wrong_answers(one))
    ]
    assert len(found) == 1
    assert defect in found[0]


def test_a_lab_must_run_to_its_end_while_it_is_empty(labs):
    labs.write({6: AREA_THAT_STOPS})
    assert "the lab with its stub breaks off: cell 7 stopped with NotImplementedError" in str(
        proofs(labs)["toy/area"]
    )


AREA_THAT_STOPS = """\
### BEGIN SOLUTION
area = math.pi * (6 / 2) ** 2
### END SOLUTION"""


def test_a_solution_that_ends_the_interpreter_is_not_proven(labs):
    labs.write({1: "import math, os\n\nfrom synthecon.labs import check, hint\nos._exit(4)"})
    found = proofs(labs)
    assert "cell 2: it ended the interpreter (exit code 4)" in found["toy/double"][0]


def test_a_lab_that_is_not_proven_exits_with_1(labs, capsys):
    labs.exercises("return x**2", "return 2 * x")
    assert run("prove") == 1
    out = capsys.readouterr().out
    assert "NOT PROVEN  toy/double\n  wrong answer square is accepted" in out
    assert "1 of 2 exercises proven" in out


# ---- the labs of this playbook


def test_the_labs_of_this_playbook_are_what_their_solutions_derive():
    assert len(exercises.names()) >= 2
    assert derive.differences() == []
    # Each belongs to a module: its notebook's, or one of its own.
    lessons = yaml.safe_load((paths.root() / "book" / "syllabus.yml").read_text(encoding="utf-8"))
    modules = [m for lesson in lessons for m in lesson["modules"]]
    known = {m.get("lab") or m.get("notebook") for m in modules}
    for name in exercises.names():
        lab = json.loads(derive.lab_path(name).read_text(encoding="utf-8"))
        assert lab["metadata"]["synthecon"]["minutes"] <= 90
        assert name in known


@pytest.mark.parametrize("name", exercises.names())
def test_every_code_cell_of_this_playbooks_solutions_ran_and_is_run_again(name):
    for cell in derive.load(name).notebook["cells"]:
        assert not {"nbval-skip", "skip-execution"} & set(notebooks.tags(cell)), cell["id"]
        assert cell["cell_type"] != "code" or cell["execution_count"], cell["id"]


@pytest.mark.parametrize("name", exercises.names())
def test_the_wrong_answers_of_this_playbook_are_told_apart(name):
    for one in exercises.load(name):
        assert [*prove.questions(one), *prove.wrong_answers(one)] == []
