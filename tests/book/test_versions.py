"""One source of versions: the lock. Everything else names packages, or what the code needs."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from synthecon import paths

ROOT = paths.root()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LISTS = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
DECLARED = [Requirement(line) for lines in LISTS for line in lines]
# What an installer brings along, and what comes with a CUDA build of torch alone.
UNLOCKED = re.compile(r"pip|setuptools|triton|cuda-.*|nvidia-(?!ml-py$).*")


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    rows = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert len(dict(rows)) == len(rows), "a package stands twice in requirements.lock"
    return dict(rows)


def needed(start: list[Requirement]) -> set[str]:
    """Every package that these pull in here, by the metadata of what is installed."""
    todo, seen = list(start), set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if (name, frozenset(requirement.extras)) in seen or UNLOCKED.fullmatch(name):
            continue
        seen.add((name, frozenset(requirement.extras)))
        for text in requires(name) or []:
            further = Requirement(text)
            extras = requirement.extras or {""}
            if not further.marker or any(further.marker.evaluate({"extra": e}) for e in extras):
                todo.append(further)
    return {name for name, _ in seen}


def test_the_lock_pins_plain_versions_of_installable_packages():
    for name, version in locked().items():
        assert name == canonicalize_name(name)
        assert Version(version).local is None, f"{name}: a build tag binds the lock to one machine"
        assert not UNLOCKED.fullmatch(name), f"{name} does not belong into the lock"


def test_the_lock_meets_every_requirement_of_the_project():
    pins = locked()
    for requirement in DECLARED:
        version = pins.get(canonicalize_name(requirement.name))
        assert version, f"requirements.lock lacks {requirement.name}"
        assert requirement.specifier.contains(version), f"{requirement}: the lock has {version}"


def test_the_lock_holds_what_the_project_needs_and_no_more():
    try:
        wanted = needed(DECLARED)
    except PackageNotFoundError as missing:
        pytest.skip(f"not the whole environment is installed: {missing}")
    assert set(locked()) == wanted


def test_conda_users_get_the_lock_and_the_python_of_ci():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    *plain, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.lock", "-e ."]}
    [python] = [item for item in plain if item.startswith("python=")]
    assert set(plain) == {python, "pip", "make"}
    version = python.removeprefix("python=")
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    assert ci["jobs"]["check"]["strategy"]["matrix"]["python"] == [version]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)


@pytest.mark.parametrize(
    "file", ["README.md", "Makefile", ".ci/run", ".github/workflows/ci.yml", "_config.yml"]
)
def test_no_version_is_written_a_second_time(file):
    """A pin outside the lock would have to be kept in step by hand."""
    assert re.findall(r"[\w-]+==\d[\w.]*", (ROOT / file).read_text("utf-8")) == []


def test_the_readme_names_the_tested_torch():
    major_minor = ".".join(locked()["torch"].split(".")[:2])
    assert f"torch {major_minor}" in (ROOT / "README.md").read_text("utf-8")


def imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    froms = (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level)
    return {name.split(".")[0] for name in names | {n.module or "" for n in froms}}


def test_what_the_package_imports_is_declared():
    homes = packages_distributions()
    declared = {canonicalize_name(r.name) for r in DECLARED}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for module in imported(file) - set(sys.stdlib_module_names) - {"synthecon"}:
            there = {canonicalize_name(d) for d in homes.get(module, [])}
            assert there & declared, f"{file.name} imports {module}: name it in pyproject.toml"
