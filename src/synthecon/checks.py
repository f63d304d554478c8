"""The whole check, stage by stage: lint, format, records, labs, unit tests, notebooks, site."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthecon import Problem, notebooks, paths, runner
from synthecon.labs import derive, exercises
from synthecon.labs.check import STRICT

# They compare marked cells only; models compare all of them.
EXPERIMENTS = ("lesson-1-physics/", "vault/autopilot")
MODELS = ("lesson-1-physics/cogs-audit",)
CASES = ("case", "case-tannhof")


@dataclass(frozen=True)
class Stage:
    """A command; without one, the count of compared cells."""

    name: str
    command: Sequence[str] = ()


def test(fast: bool = False) -> bool:
    """Run every stage, a failed one notwithstanding; print a line for each; True if all passed.

    Args:
        fast: leave out the notebooks and the site.
    """
    lines, good = [], True
    with tempfile.TemporaryDirectory(prefix="synthecon-") as temporary:
        # Notebooks under test write their records where no good one can be overwritten.
        for stage in stages(fast):
            print(f"\n=== {stage.name}", flush=True)
            began = time.perf_counter()
            passed = _passes(stage, Path(temporary))
            good &= passed
            seconds = time.perf_counter() - began
            lines.append(f"{'passed' if passed else 'FAILED'}  {stage.name:<24}{seconds:7.1f} s")
    print("\n" + "\n".join(lines))
    return good


def _passes(stage: Stage, out: Path) -> bool:
    if not stage.command:
        try:
            short = compared()
        except Problem as problem:
            short = [str(problem)]
        print(*short, sep="\n")
        return not short
    environment = dict(os.environ)
    if stage.name.startswith("nbval"):
        for name in runner.GIVEN:
            environment.pop(name, None)
        environment |= {"SYNTHECON_HOME": str(paths.root()), "SYNTHECON_OUT": str(out)}
        environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0"}
        environment[STRICT] = "1"  # a check that fails raises
    return subprocess.run(stage.command, cwd=paths.root(), env=environment).returncode == 0


def stages(fast: bool) -> Iterator[Stage]:
    """The stages in their order: the cheap ones, which fail first, come first."""
    python = [sys.executable, "-m"]
    yield Stage("lint", [*python, "ruff", "check"])
    yield Stage("format", [*python, "ruff", "format", "--check"])
    yield Stage("records", [*python, "synthecon", "verify"])
    for folder in CASES:
        yield Stage(f"ledger of {folder}", [*python, "synthecon", "ledger", folder])
    yield Stage("labs derived", [*python, "synthecon", "labs", "derive", "--check"])
    # A file stays in one process: the browser's pages share a site.
    yield Stage("unit tests", [*python, "pytest", "-q", "-n", "2", "--dist", "loadfile"])
    if fast:
        return
    yield Stage("labs proven", [*python, "synthecon", "labs", "prove"])
    yield Stage("compared cells")
    pytest = [*python, "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile"]
    options = ["--nbval-current-env", "--nbval-cell-timeout=300"]
    every = notebooks.names()
    for mode in ("--nbval-lax", "--nbval"):
        some = [str(notebooks.path(n)) for n in every if _mode(n) == mode]
        if some:
            yield Stage(mode.removeprefix("--"), [*pytest, mode, *options, *some])
    if solutions := [str(derive.solution_path(name)) for name in exercises.names()]:
        yield Stage("nbval solutions", [*pytest, "--nbval", *options, *solutions])
    yield Stage("site", [*python, "synthecon", "book"])


def is_experiment(name: str) -> bool:
    """It trains and measures; the others compute with what was measured."""
    return name.startswith(EXPERIMENTS) and name not in MODELS


def _mode(name: str) -> str:
    return "--nbval-lax" if is_experiment(name) else "--nbval"


def compared() -> list[str]:
    """Print how many cells nbval compares in each notebook; say which fall below their floor.

    A stripped notebook, or one without marks, would pass nbval with nothing compared: so the floor
    is committed, in tests/notebooks/compared.json.

    Raises:
        Problem: no such file.
    """
    file = paths.root() / "tests" / "notebooks" / "compared.json"
    try:
        floors = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(f"{file}: write {{notebook name: compared cells}} there ({error})") from None
    short = []
    for name in notebooks.names():
        counted = count(notebooks.read(notebooks.path(name)), _mode(name))
        print(f"{name}: {counted} compared cells")
        if name not in floors:
            short.append(f"{file}: {name} has no floor: add it, {counted} now")
        elif counted < floors[name]:
            short.append(f"{name}: {counted} compared cells, the floor is {floors[name]}")
    return [*short, *(f"{file}: no notebook {n}" for n in floors.keys() - set(notebooks.names()))]


def count(notebook: notebooks.Notebook, mode: str) -> int:
    """Cells whose committed output nbval compares."""
    ran = [c for c in notebook["cells"] if c.get("execution_count") and c.get("outputs")]
    if mode == "--nbval-lax":
        return sum("nbval-check-output" in notebooks.tags(cell) for cell in ran)
    return sum("nbval-ignore-output" not in notebooks.tags(cell) for cell in ran)
