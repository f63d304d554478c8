"""A toy playbook in a temporary folder: the joints are tested without any real experiment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import synthecon
from synthecon import plan, records, runner

NAME = "lesson-1-physics/toy"
SOURCE = Path(synthecon.__file__).parents[1]

PARAMETERS = """\
seed: int = 0  # help
rate: float = 0.5
dataset: str = "digits"
fast: bool = True
budgets: list[int] = [10, 20]"""

MEASURE = """\
import os
assert os.getcwd().endswith("lesson-1-physics")
run.measure("gain", "Gain", 2 + seed, unit="points", n=10, interval=(1, 3 + seed), level=0.95)
claim = run.claim(
    "it-works",
    text="It works.",
    source="Lesson 1",
    tests=[stats.Test("toy", "gain", "above", 0.5)],
)
claim.verdict"""


@dataclass(frozen=True)
class Toy:
    """One notebook, unless a test writes more; no profile."""

    root: Path
    MEASURE: ClassVar = MEASURE
    FINISH: ClassVar = "_ = run.finish(seeds=[seed])"

    @staticmethod
    def opening(name: str = NAME) -> str:
        return f'from synthecon import records, stats\n\nrun = records.begin("{name}", globals())'

    @property
    def out(self) -> Path:
        return self.root / "_build"

    @property
    def record(self) -> Path:
        return self.out / "results" / "cpu" / f"{NAME}.json"

    def write(
        self, *cells: str, parameters: str | None = PARAMETERS, name: str = NAME, prose: str = ""
    ) -> Path:
        """Write a notebook: a title, the parameters cell if any, and the code cells."""
        body = [new_markdown_cell(f"# Toy\n{prose}", id="title")]
        if parameters is not None:
            tags = {"tags": ["parameters"]}
            body.append(new_code_cell(parameters, id="parameters", metadata=tags))
        body += [new_code_cell(text, id=f"cell-{i}") for i, text in enumerate(cells)]
        for cell in body:
            if cell.source.endswith("claim.verdict"):
                cell.metadata["tags"] = ["nbval-check-output"]
        path = self.root / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(nbformat.writes(new_notebook(cells=body)) + "\n", encoding="utf-8")
        return path

    def good(self, name: str = NAME, **options: Any) -> Path:
        return self.write(self.opening(name), MEASURE, self.FINISH, name=name, **options)

    def edit(self, old: str, new: str) -> None:
        path = self.root / "notebooks" / f"{NAME}.ipynb"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def profile(self, text: str, name: str = "gpu") -> Path:
        path = self.root / "profiles" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *wanted: str, profile: str = "cpu", given: tuple[str, ...] = (), **how: Any):
        """The failures of a run in this process."""
        return runner.run(plan.jobs(wanted, profile, given), **{"workers": 1} | how)

    def begin(self, **values: Any) -> records.Run:
        """What the notebook's first cell does, without a kernel."""
        given = {"seed": 0, "rate": 0.5, "dataset": "digits", "fast": True, "budgets": [10, 20]}
        return records.begin(NAME, given | values)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`python -m synthecon …` from another current folder."""
        return subprocess.Popen(
            [sys.executable, "-m", "synthecon", *arguments],
            cwd=self.root.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            # A background job ignores Ctrl-C and hands that down; a person's terminal does not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


EXERCISES = """\
import math

from synthecon.labs import Exercise, Wrong


def numbers(rng):
    return [(0.0,), *((float(x),) for x in rng.uniform(3, 9, 3))]


def double(x):
    return 2 * x


def square(x):
    return x**2


def two_more(x):
    return x + 2


def area():
    return math.pi * 3**2


def diameter():
    return math.pi * 6**2


def edge():
    return 2 * math.pi * 3


EXERCISES = [
    Exercise(
        "double",
        minutes=5,
        difficulty="easy",
        oracle=double,
        inputs=numbers,
        hints=("As much again.", "A sum of two."),
        wrong=(
            Wrong(square, "that is the square"),
            Wrong(two_more, "that adds two, whatever x is"),
        ),
    ),
    Exercise(
        "area",
        minutes=10,
        difficulty="medium",
        oracle=area,
        expects="a number, in square metres",
        hints=("Once round is not the area.", "Half of the diameter."),
        wrong=(
            Wrong(diameter, "6 m is the diameter"),
            Wrong(edge, "that is the way once round"),
        ),
    ),
]
"""

DOUBLE = """\
def double(x):
    ### BEGIN SOLUTION
    result = x + x
    return result
    ### END SOLUTION"""

AREA = """\
### BEGIN SOLUTION
area = math.pi * (6 / 2) ** 2
### STUB
# area = ...
### END SOLUTION"""


@dataclass(frozen=True)
class Labs:
    """A playbook with one lab of two exercises: a function and a value."""

    root: Path
    name: ClassVar = "lesson-1-physics/toy"
    cells: ClassVar = (
        "# Lab: toy\n\nTwo exercises.",
        "import math\n\nfrom synthecon.labs import check, hint",
        "## 1. Double\n\nGive twice the number.",
        DOUBLE,
        'check("toy/double", double)',
        "## 2. Area\n\nA table is 6 m across. How large is it?",
        AREA,
        'check("toy/area", area)',
    )

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / f"{self.name}.ipynb"

    @property
    def lab(self) -> Path:
        return self.root / "labs" / f"{self.name}.ipynb"

    def write(self, changed: dict[int, str] | None = None, tags: dict[int, str] | None = None):
        """The solution, as if its checks had passed, with some cells changed."""
        body = []
        for index, text in enumerate(self.cells):
            text = (changed or {}).get(index, text)
            prose = text.startswith("#") and "###" not in text
            cell = (new_markdown_cell if prose else new_code_cell)(text, id=f"cell-{index}")
            if text.startswith("check"):
                cell.outputs = [new_output("stream", name="stdout", text="✅ toy")]
            if index in (tags or {}):
                cell.metadata["tags"] = [tags[index]]
            body.append(cell)
        self.solution.parent.mkdir(parents=True, exist_ok=True)
        self.solution.write_text(nbformat.writes(new_notebook(cells=body)), encoding="utf-8")

    def exercises(self, old: str = "", new: str = "") -> None:
        """The exercises, with one text of theirs changed."""
        assert old in EXERCISES
        self.solution.with_suffix(".py").write_text(EXERCISES.replace(old, new), encoding="utf-8")


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Labs:
    root = tmp_path / "play book"
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "toy"\n')
    _point_at(root, monkeypatch)
    labs = Labs(root)
    labs.write()
    labs.exercises()
    return labs


@pytest.fixture(scope="session")
def ran_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy playbook after one good run."""
    root = tmp_path_factory.mktemp("ran")
    (root / "pyproject.toml").write_text('[project]\nname = "toy"\n')
    with pytest.MonkeyPatch.context() as patch:
        _point_at(root, patch)
        toy = Toy(root)
        toy.good()
        assert toy.run() == []
    return root


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A playbook in which nothing ran yet."""
    root = tmp_path / "toy {book}"  # a folder name that tools trip over
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "toy"\n')
    _point_at(root, monkeypatch)
    toy = Toy(root)
    toy.good()
    return toy


@pytest.fixture
def ran(ran_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A playbook of one's own after one good run."""
    root = Path(shutil.copytree(ran_once, tmp_path / "ran"))
    _point_at(root, monkeypatch)
    return Toy(root)


def _point_at(root: Path, patch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SYNTHECON_"):
            patch.delenv(name)
    patch.setenv("SYNTHECON_HOME", str(root))
    patch.setenv("PYTHONPATH", str(SOURCE))
    patch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
