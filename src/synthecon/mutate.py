"""Prove that the tests test: break the core on purpose, line by line, and see them turn red.

tests/mutations/*.toml list the mutations. Each is made in a copy of the checkout, and only the
tests that it names are run there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from synthecon import Problem, paths

# What tests read
TREE = ("src", "tests", "case", "case-tannhof", "notebooks", "profiles", "results", "labs")
TREE += ("solutions", "book", "pyproject.toml")
SECONDS = 300  # a mutation that hangs its tests is stopped, and not counted as caught


@dataclass(frozen=True)
class Mutation:
    """`find` stands `count` times in `file` (below src/synthecon); all become `replace`."""

    file: str
    find: str
    replace: str
    tests: tuple[str, ...]
    why: str
    count: int = 1

    def apply(self, root: Path) -> None:
        """Change the file in this tree.

        Raises:
            Problem: no such file, or `find` stands there another number of times.
        """
        path = root / "src" / "synthecon" / self.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if self.find == self.replace or text.count(self.find) != self.count:
            raise Problem(
                f"{self.why}: {self.find!r} stands {text.count(self.find)} times in {self.file}, "
                f"not {self.count}: adapt tests/mutations/ to the code"
            )
        path.write_text(text.replace(self.find, self.replace), encoding="utf-8")


def load(folder: Path) -> list[Mutation]:
    """The committed lists, file by file.

    Raises:
        Problem: a file that is not TOML, or an entry with a missing or unknown field.
    """
    found: list[Mutation] = []
    for file in sorted(folder.glob("*.toml")):
        try:
            entries = tomllib.loads(file.read_text(encoding="utf-8"))["mutation"]
            found += [Mutation(**e | {"tests": tuple(e["tests"])}) for e in entries]
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise Problem(f"{file} is not a list of mutations: {error}") from None
    return found


def red(root: Path, tests: Sequence[str], mutation: Mutation | None = None) -> str:
    """Run tests on a copy of the checkout; '' if all pass, else the tests that failed.

    Raises:
        Problem: `find` no longer matches, the copy is not what runs, or pytest did not get so far
            as to fail a test (a test that is not there, a module that cannot be imported).
    """
    with tempfile.TemporaryDirectory(prefix="synthecon-mutant-") as temporary:
        copy, skip = Path(temporary), shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
        for part in TREE:
            if (root / part).is_dir():
                shutil.copytree(root / part, copy / part, ignore=skip)
            elif (root / part).is_file():
                shutil.copy(root / part, copy / part)
        if mutation:
            mutation.apply(copy)
        environment = os.environ | {
            "PYTHONPATH": str(copy / "src"),  # ahead of an installed package: checked below
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # half of the time goes into plugins
            "OMP_NUM_THREADS": "1",
        }

        def python(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, *arguments], cwd=copy, env=environment, timeout=SECONDS,
                capture_output=True, encoding="utf-8",
            )  # fmt: skip

        where = python("-c", "import synthecon; print(synthecon.__file__)").stdout
        if not where.startswith(str(copy)):
            raise Problem(f"the tests would run {where.strip() or 'nothing'}, not the mutated copy")
        try:
            ran = python("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
        except subprocess.TimeoutExpired:
            raise Problem(f"the tests still ran after {SECONDS} s") from None
    if ran.returncode not in (0, 1):
        raise Problem(f"pytest broke off:\n{ran.stdout[-1500:]}{ran.stderr[-500:]}")
    lines = [x.split(" - ")[0] for x in ran.stdout.splitlines() if x[:6] in ("FAILED", "ERROR ")]
    failed = dict.fromkeys(x.partition("::")[2].partition("[")[0] for x in lines)
    return ", ".join(failed) or "no named test" * ran.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 when every mutation is caught, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m synthecon mutate", description=__doc__,
        epilog="example: python -m synthecon mutate losses.py",
    )  # fmt: skip
    parser.add_argument("words", nargs="*", metavar="WORD", help="only those with this in file/why")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    options = parser.parse_args(arguments)
    root = paths.root()
    mutations = [
        m
        for m in load(root / "tests" / "mutations")
        if not options.words or any(w in f"{m.file} {m.why}" for w in options.words)
    ]
    if not mutations:
        raise Problem(f"no mutation has {' or '.join(options.words)} in its file or why")
    print(f"{len(mutations)} mutations; first their tests without any", flush=True)
    if failed := red(root, sorted({test for m in mutations for test in m.tests})):
        raise Problem(f"these fail without a mutation: {failed}")
    bad, began = 0, time.perf_counter()
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        running = {pool.submit(red, root, m.tests, m): m for m in mutations}
        try:
            for number, done in enumerate(as_completed(running), 1):
                m = running[done]
                try:
                    by = done.result()
                    verdict = f"caught by {by}" if by else "SURVIVED: no test noticed"
                except Problem as problem:
                    by, verdict = "", f"BROKEN: {problem}"
                bad += not by
                print(f"[{number:2}/{len(mutations)}] {m.file}: {m.why}: {verdict}", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    seconds = time.perf_counter() - began
    print(f"{len(mutations) - bad} caught, {bad} not, in {seconds:.0f} s")
    return 1 if bad else 0
