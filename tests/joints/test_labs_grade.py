"""Marks for a folder of submissions: honest, empty, broken, endless and dishonest ones."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from synthecon import Problem, cli
from synthecon.labs import derive, exercises, grade
from synthecon.labs.sandbox import Session, Stopped

TOY = "lesson-1-physics/toy"
SECONDS = 4.0
DOUBLE, DOUBLE_CHECK, AREA, AREA_CHECK = 3, 4, 6, 7  # cells of the toy lab
RIGHT = "def double(x):\n    return 2 * x"
ENDLESS = "import time\ndef double(x):\n    while True: time.sleep(1)"
FOREVER = "import time\nwhile True:\n    time.sleep(1)"


@pytest.fixture
def hand_in(labs, tmp_path):
    """A learner's notebook: the lab with some cells filled in, or another text altogether."""
    folder = tmp_path / "submissions"

    def hand_in(learner: str, cells: dict[int, str | None] | str | None = None) -> Path:
        place = folder / learner
        place.mkdir(parents=True)
        if isinstance(cells, str):
            (place / "toy.ipynb").write_text(cells)
        elif cells is not None:
            lab = json.loads(derive.derive(derive.load(TOY)))
            for index, text in cells.items():
                lab["cells"][index]["source"] = text
            lab["cells"] = [cell for cell in lab["cells"] if cell["source"] is not None]
            (place / "toy.ipynb").write_text(json.dumps(lab))
        return folder

    return hand_in


def marks(folder: Path, **options) -> dict[tuple[str, str], tuple[int, str]]:
    found = grade.grade(folder, [derive.load(TOY)], **{"seconds": SECONDS} | options)
    return {(m.learner, m.exercise.removeprefix("toy/")): (m.score, m.reason) for m in found}


def one(hand_in, cells, learner: str = "ada") -> list[tuple[int, str]]:
    """Marks of a single submission, for double and for area."""
    folder = hand_in(learner, cells) / learner
    file = folder / "toy.ipynb"
    return list(grade.grade_notebook(derive.load(TOY), file, 60.0, seed=1).values())


SOLVED = {DOUBLE: RIGHT, AREA: "area = math.pi * 9"}


def test_a_class_of_twelve(hand_in):
    hand_in("01 right", SOLVED)
    hand_in("02 empty", {})
    hand_in("03 wrong, plausibly", {DOUBLE: "def double(x): return x * x", AREA: "area = 113.0973"})
    hand_in("04 wrong, oddly", {DOUBLE: "def double(x): return x + 0.5", AREA: "area = 'large'"})
    hand_in("05 endless cell", {DOUBLE: FOREVER, AREA: "area = math.pi * 9"})
    hand_in("06 endless answer", {DOUBLE: ENDLESS, AREA: "area = math.pi * 9"})
    hand_in("07 crash", {DOUBLE: "import os\nos._exit(0)", AREA: "area = math.pi * 9"})
    hand_in("08 nothing")
    hand_in("09 no notebook", "Dear professor, my computer")
    hand_in("10 check edited", {DOUBLE_CHECK: 'print("✅ toy/double")', **SOLVED, DOUBLE: "x = 1"})
    hand_in("11 check replaced", {1: "import math\ncheck = hint = print", **SOLVED})
    folder = hand_in("12 syntax", {DOUBLE: "def double(x:\n    return", AREA: "area = math.pi * 9"})
    found = marks(folder)
    assert {key: score for key, (score, _) in found.items()} == {
        ("01 right", "double"): 1,
        ("01 right", "area"): 1,
        ("02 empty", "double"): 0,
        ("02 empty", "area"): 0,
        ("03 wrong, plausibly", "double"): 0,
        ("03 wrong, plausibly", "area"): 0,
        ("04 wrong, oddly", "double"): 0,
        ("04 wrong, oddly", "area"): 0,
        ("05 endless cell", "double"): 0,
        ("05 endless cell", "area"): 1,
        ("06 endless answer", "double"): 0,
        ("06 endless answer", "area"): 1,
        ("07 crash", "double"): 0,
        ("07 crash", "area"): 1,
        ("08 nothing", "double"): 0,
        ("08 nothing", "area"): 0,
        ("09 no notebook", "double"): 0,
        ("09 no notebook", "area"): 0,
        ("10 check edited", "double"): 0,
        ("10 check edited", "area"): 1,
        ("11 check replaced", "double"): 1,
        ("11 check replaced", "area"): 1,
        ("12 syntax", "double"): 0,
        ("12 syntax", "area"): 1,
    }
    reasons = {key: reason for key, (_, reason) in found.items()}
    for key, reason in {
        ("01 right", "double"): "right",
        ("02 empty", "double"): "not filled in",
        ("02 empty", "area"): "not filled in",
        ("03 wrong, plausibly", "double"): "that is the square",
        ("03 wrong, plausibly", "area"): "6 m is the diameter",
        ("04 wrong, oddly", "double"): "expected 0, given 0.5: none that is known",
        ("04 wrong, oddly", "area"): "a number is wanted, you gave a text",
        ("05 endless cell", "double"): "cell 2: it ran longer than 4 s",
        ("05 endless cell", "area"): "right",
        ("06 endless answer", "double"): "asked for toy/double: it ran longer than 4 s",
        ("07 crash", "double"): "cell 2: it ended the interpreter (exit code 0)",
        ("08 nothing", "area"): "no file toy.ipynb",
        ("09 no notebook", "double"): "toy.ipynb is not a notebook: Expecting value",
        ("10 check edited", "double"): "its check cell was changed, the original was used",
        ("12 syntax", "double"): "cell 2 stopped with SyntaxError",
    }.items():
        assert reason in reasons[key], key


def test_a_check_that_is_gone_is_asked_all_the_same(hand_in):
    found = one(hand_in, {**SOLVED, DOUBLE_CHECK: None, AREA_CHECK: None})
    assert found == [(1, "right; its check cell was missing, the original was used")] * 2


def test_names_of_cells_do_not_matter(hand_in):
    folder = hand_in("ada", SOLVED)
    file = folder / "ada" / "toy.ipynb"
    notebook = json.loads(file.read_text())
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"other-{number}"
    file.write_text(json.dumps(notebook))
    assert list(marks(folder).values()) == [(1, "right")] * 2


def test_lies_gain_nothing(hand_in):
    """Code that patches the grader's modules in its process, or writes into its pipes."""
    patch = """\
import os, sys
import synthecon.labs.judge as judge, synthecon.labs.codec as codec
judge.same = lambda *a: True
judge.judge = lambda *a: judge.Verdict("right")
codec.encode_reply = lambda reply: {"value": 1, "error": "", "gradient": None, "right": True}
def double(x):
    return x
"""
    (double, _), (area, _) = one(hand_in, {**SOLVED, DOUBLE: patch})
    assert (double, area) == (0, 0)  # its own lie spoils what was right
    shout = """\
import os
def double(x):
    for line in range(3, 9):
        try:
            os.write(line, b'{"replies": [], "score": 1}\\n')
        except OSError:
            pass
    return x
"""
    (double, reason), _ = one(hand_in, {**SOLVED, DOUBLE: shout}, "eve")
    assert double == 0
    assert "it sent what is no answer" in reason


def test_a_value_of_a_strange_kind_is_a_wrong_answer(hand_in):
    strange = "class Odd:\n    def __repr__(self): return 'x' * 10**6\narea = Odd()"
    _, (score, reason) = one(hand_in, {**SOLVED, AREA: strange})
    assert score == 0
    assert "given Odd xxx" in reason
    assert len(reason) < 400


def test_a_bug_that_nobody_looked_for_is_not_filled_in(hand_in, labs):
    stub = "### BEGIN SOLUTION\narea = math.pi * (6 / 2) ** 2\n### STUB\n# area = 6 * math.pi\n"
    labs.write({AREA: stub + "### END SOLUTION"})
    _, untouched = one(hand_in, {})
    _, wrong = one(hand_in, {AREA: "area = math.pi * 6"}, "eve")
    assert untouched == (0, "not filled in")
    assert "that is the way once round" in wrong[1]


def test_too_much_memory_is_a_reason(hand_in):
    (score, reason), (other, _) = one(hand_in, {**SOLVED, DOUBLE: "x = bytearray(2**36)"})
    assert (score, other) == (0, 1)
    assert "cell 2 stopped with MemoryError" in reason


def test_patience_ends(hand_in):
    crash = "import os\nos._exit(1)"
    cells = {0: crash, 1: crash, 2: crash, **SOLVED}
    folder = hand_in("ada", cells)
    file = folder / "ada" / "toy.ipynb"
    notebook = json.loads(file.read_text())
    for cell in notebook["cells"]:
        cell["cell_type"] = "code"
    file.write_text(json.dumps(notebook))
    for score, reason in marks(folder).values():
        assert score == 0
        assert "given up after 3 cells that had to be stopped" in reason


def test_what_a_learner_may_do(hand_in):
    """Magics, display, further cells, a check of one's own, leaving by exit."""
    more = f"%matplotlib inline\ndisplay(3)\n{RIGHT}\ncheck('toy/double', double)\nexit()"
    assert one(hand_in, {**SOLVED, DOUBLE: more}) == [(1, "right")] * 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"nbformat": 4}',
        '{"nbformat": 4, "cells": 3}',
        '{"nbformat": 4, "cells": ["x"]}',
        '{"nbformat": 4, "cells": [{"cell_type": "code"}]}',
        '{"nbformat": 4, "cells": [{"cell_type": "code", "source": [3]}]}',
        "[" * 100_000,
        "\x00\udcff",
    ],
)
def test_what_is_no_notebook_gets_a_reason(hand_in, text):
    folder = hand_in("ada", "")
    (folder / "ada" / "toy.ipynb").write_bytes(text.encode("utf-8", "surrogateescape"))
    for score, reason in marks(folder).values():
        assert score == 0
        assert reason.startswith("toy.ipynb")
        assert str(folder) not in reason


def test_a_notebook_may_lie_in_the_folder_of_its_lesson(hand_in):
    folder = hand_in("ada", SOLVED)
    (folder / "ada" / "lesson-1-physics").mkdir()
    (folder / "ada" / "toy.ipynb").rename(folder / "ada" / TOY.replace("toy", "toy.ipynb"))
    assert {score for score, _ in marks(folder).values()} == {1}


def test_a_notebook_may_have_another_name_if_it_is_the_only_one(hand_in):
    folder = hand_in("ada", SOLVED)
    file = folder / "ada" / "toy.ipynb"
    copy = file.rename(folder / "ada" / "ada (1).ipynb")
    assert [lab.name for lab in grade.labs_of(folder, [derive.load(TOY)])] == [TOY]
    assert {score for score, _ in marks(folder).values()} == {1}
    (folder / "ada" / "b.ipynb").write_bytes(copy.read_bytes())
    assert [lab.name for lab in grade.labs_of(folder, [derive.load(TOY)])] == [TOY]
    told = "ada (1).ipynb and b.ipynb are both this lab: hand in one, or call it toy.ipynb"
    assert set(marks(folder).values()) == {(0, told)}


# ---- the process


def test_a_session_keeps_the_learner_away_from_the_folder_and_the_secrets(labs, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    with Session() as session:
        assert session.cell("import os; found = [os.getcwd(), dict(os.environ)]", 30) == ""
        [reply] = session.ask("found", None, 30)
        where, environment = reply.value
        assert "synthecon-lab-" in where
        assert "SECRET_TOKEN" not in environment
        assert session.cell("input()", 30).startswith("EOFError")
        session.forget()
        assert "NameError" in session.cell("found", 30)
    assert not Path(where).exists()


def test_a_session_ends_with_whatever_it_started(labs):
    with Session() as session:
        child = "import subprocess\np = subprocess.Popen(['sleep', '60'])\npid = p.pid"
        session.cell(child, 30)
        [reply] = session.ask("pid", None, 30)
        status = Path(f"/proc/{reply.value}/stat")
        assert status.exists()
    assert not status.exists() or status.read_text().split()[2] == "Z"


@pytest.mark.parametrize("line", ["hello", "[]", '{"replies": 3}', '{"replies": [3]}', "[" * 9999])
def test_nonsense_on_the_line_stops_the_session(labs, line):
    shout = (
        "import os\ndef f(x):\n  for i in range(3, 9):\n"
        f"    try: os.write(i, {line!r}.encode() + b'\\n')\n    except OSError: pass"
    )
    with Session() as session:
        session.cell(shout, 30)
        with pytest.raises(Stopped, match="no answer"):
            session.ask("f", [(1,), (2,)], 30)


# ---- the command


def run(*arguments: object) -> int:
    return cli.main(["labs", "grade", *map(str, arguments)])


def test_grade_prints_a_table_writes_a_csv_and_tells_by_its_exit_code(hand_in, capsys, tmp_path):
    folder = hand_in("ada", SOLVED)
    out = tmp_path / "marks.csv"
    assert run(folder, "--csv", out) == 0
    text = capsys.readouterr().out
    assert "ada      toy/double      1  right" in text
    assert "ada      2 of 2" in text
    hand_in("=HYPERLINK(1)", {**SOLVED, DOUBLE: "def double(x): return x * x"})
    assert run(folder, "--csv", out, "--timeout", "20") == 1
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["score"] for row in rows] == ["0", "1", "1", "1"]
    assert rows[0]["learner"] == "'=HYPERLINK(1)"
    assert "that is the square" in rows[0]["reason"]
    assert rows[0]["exercise"] == "toy/double"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere: no such folder"),
        (("empty",), "holds no learner"),
        (("loose",), "ada.ipynb lies beside the learners' folders"),
        (("strange",), "no learner has a notebook called toy.ipynb"),
        (("good", "--lab", "toi"), "unknown lab toi"),
        (("good", "--timeout", "0"), "--timeout must be above 0"),
    ],
)
def test_what_cannot_be_graded_is_said(labs, tmp_path, capsys, monkeypatch, arguments, message):
    for name in ("empty", "loose", "strange/ada", "good/ada"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "loose" / "ada.ipynb").write_text("{}")
    (tmp_path / "good" / "ada" / "toy.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err


def test_help(capsys):
    for command in ("derive", "run", "prove", "grade"):
        with pytest.raises(SystemExit) as stop:
            cli.main(["labs", command, "--help"])
        assert stop.value.code == 0
        assert f"python -m synthecon labs {command}" in capsys.readouterr().out


def test_only_labs_that_were_handed_in_are_marked(labs, hand_in):
    folder = hand_in("ada", SOLVED)
    other = labs.root / "solutions" / "lesson-1-physics" / "other"
    text = labs.solution.read_text().replace("toy/", "other/")
    other.with_suffix(".ipynb").write_text(text)
    other.with_suffix(".py").write_bytes(labs.solution.with_suffix(".py").read_bytes())
    both = [derive.load(TOY), derive.load("lesson-1-physics/other")]
    assert grade.labs_of(folder, both) == both[:1]
    with pytest.raises(Problem, match=r"called other\.ipynb"):
        grade.labs_of(folder, both[1:])


def test_a_notebook_that_is_too_large_is_not_read(hand_in, monkeypatch):
    monkeypatch.setattr(grade, "LARGEST", 100)
    folder = hand_in("ada", "x" * 101)
    with pytest.raises(Problem, match="larger than"):
        grade.plan(None, folder / "ada" / "toy.ipynb", 1)


def test_a_page_has_a_row_of_its_own_and_is_in_no_sum(hand_in):
    def mark(written: str) -> tuple[int, str]:
        if not written:
            raise Problem("no words")
        return len(written), "one point a letter"

    lab = derive.load(TOY)
    lab = replace(lab, pages=(exercises.Page("page", "page", mark),))
    hand_in("ann", SOLVED | {1: "import math\npage = 'seven!!'"})
    hand_in("bob", SOLVED | {1: "import math\npage = ''"})
    folder = hand_in("eve", SOLVED)
    found = grade.grade(folder, [lab], SECONDS)
    pages = {m.learner: (m.score, m.of, m.reason) for m in found if m.exercise == "toy/page"}
    assert pages["ann"] == (7, 100, "one point a letter")
    assert pages["bob"] == (0, 100, "not a page: no words")
    assert pages["eve"][0] == 0 and "NameError" in pages["eve"][2]
    assert "2 of 2; toy/page 7 of 100" in grade.table(found)
