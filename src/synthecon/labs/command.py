"""python -m synthecon labs …: derive the labs, run the solutions, prove, grade."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from synthecon import Problem, paths
from synthecon.labs import derive, exercises, grade, prove
from synthecon.labs.check import STRICT

Options = argparse.Namespace


def _chosen(words: Sequence[str]) -> list[str]:
    return [exercises.resolve(word) for word in words] or exercises.names()


def _derive(options: Options) -> int:
    if options.check:
        wrong = derive.differences()
        print("\n".join(wrong) or f"{len(exercises.names())} labs are what their solutions derive")
        return 1 if wrong else 0
    for name in _chosen(options.names):
        written = derive.write(name, options.force)
        print(f"written    {written}" if written else f"unchanged  {derive.lab_path(name)}")
    return 0


def _prove(options: Options) -> int:
    proofs = prove.prove([derive.load(name) for name in _chosen(options.names)])
    for proof in proofs:
        if proof.defects:
            print("\n  ".join([f"NOT PROVEN  {proof.id}", *proof.defects]))
        else:
            print(
                f"proven  {proof.id}: the solution passes, the stub fails, {proof.wrong} wrong "
                "answers are told apart"
            )
    bad = sum(bool(proof.defects) for proof in proofs)
    print(f"{len(proofs) - bad} of {len(proofs)} exercises proven")
    return 1 if bad else 0


def _grade(options: Options) -> int:
    folder = Path(options.folder).expanduser().resolve()
    labs = [derive.load(name) for name in _chosen(options.lab)]
    if not options.lab:
        labs = grade.labs_of(folder, labs)
    if options.timeout <= 0:
        raise Problem(f"--timeout must be above 0 seconds, got {options.timeout:g}")
    marks = grade.grade(folder, labs, options.timeout, options.jobs)
    print(grade.table(marks))
    if options.csv:
        file = paths.write_atomic(Path(options.csv).expanduser().resolve(), grade.to_csv(marks))
        print(f"\nwritten to {file}")
    return 0 if all(mark.score for mark in marks if mark.of == 1) else 1


def _run(options: Options) -> int:
    """Execute solutions in a kernel and keep their outputs."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    from synthecon import notebooks, runner

    failed = 0
    for name in _chosen(options.names):
        file = derive.solution_path(name)
        original = notebooks.read(file)
        executed = nbformat.reads(json.dumps(original), as_version=4)
        client = NotebookClient(
            executed,
            timeout=300,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": str(file.parent)}},
            extra_arguments=["--log-level=50"],
        )
        try:
            client.execute(env=os.environ | {STRICT: "1", "OMP_NUM_THREADS": "1"})
        except CellExecutionError as error:
            failed += 1
            print(f"FAILED  {file}\n{error}", file=sys.stderr)
            continue
        paths.write_atomic(file, runner.with_outputs(original, executed))
        print(f"ran  {file}")
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m synthecon labs", description=__doc__,
        epilog="example: python -m synthecon labs derive --check. "
        "How to write an exercise: python -c 'import synthecon.labs as l; help(l)'",
    )  # fmt: skip
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, does, about: str, **more: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about, **more)
        command.set_defaults(does=does)
        return command

    c = add("derive", _derive, "write the labs from their solutions")
    c.add_argument("names", nargs="*", metavar="LAB", help="a lab, such as distillation (all)")
    c.add_argument("--check", action="store_true", help="write nothing; fail where one differs")
    c.add_argument("--force", action="store_true", help="also over a lab that somebody worked in")

    c = add("run", _run, "execute the solutions and keep their outputs")
    c.add_argument("names", nargs="*", metavar="LAB", help="a lab (all)")

    c = add("prove", _prove, "prove each exercise: solution passes, stub fails, wrong ones told")
    c.add_argument("names", nargs="*", metavar="LAB", help="a lab (all)")

    c = add(
        "grade", _grade, "mark a folder of submissions: FOLDER/LEARNER/LAB.ipynb",
        epilog="Exit code: 0 all exercises of all learners are right, 1 some are not, 2 nothing "
        "was graded. Learners' code runs with this user's rights: grade strangers in a container "
        "without the solutions' answers to steal.",
    )  # fmt: skip
    c.add_argument("folder", metavar="FOLDER", help="one folder a learner, in it the notebooks")
    c.add_argument("--lab", action="append", default=[], help="only this one (all handed in)")
    c.add_argument("--csv", metavar="FILE", help="also write the marks there")
    c.add_argument("--timeout", type=float, default=10.0, help="seconds for a cell (10)")
    c.add_argument("--jobs", type=int, default=2, help="learners at once (2)")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 good, 1 something is not as it should be."""
    options = parser().parse_args(arguments)
    return options.does(options)
