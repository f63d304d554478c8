"""What a notebook file says of itself, and what a profile may tell it.

A notebook's name is its path below notebooks/ without the suffix. Its parameters are the lines
`name: type = literal  # help` of the one cell tagged `parameters`.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from synthecon import Problem, paths

Value = Any  # what JSON can carry: None, bool, int, float, str, lists and mappings of them
Notebook = Mapping[str, Any]  # the parsed .ipynb


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell; `kind` is its annotation, or the type of its default."""

    name: str
    kind: str
    default: Value

    def check(self, value: Value, where: str) -> None:
        """Refuse a value of the wrong type, with `where` it came from."""
        if not _fits(value, ast.parse(self.kind, mode="eval").body):
            raise Problem(
                f"{where}: {self.name} must be {self.kind}, got {value!r} ({type(value).__name__})"
            )


@dataclass(frozen=True)
class Profile:
    """A profile file: for each notebook its variants, and for each variant its parameters."""

    name: str
    results: str | None
    needs_cuda: bool
    notebooks: Mapping[str, Mapping[str, Mapping[str, Value]]]


def names() -> list[str]:
    """Every notebook of the playbook, sorted."""
    base = paths.root() / "notebooks"
    found = (p.relative_to(base).with_suffix("") for p in base.rglob("*.ipynb"))
    return sorted(p.as_posix() for p in found if not any(x.startswith(".") for x in p.parts))


def path(name: str) -> Path:
    return paths.root() / "notebooks" / f"{name}.ipynb"


def read(file: Path) -> Notebook:
    """The parsed notebook.

    Raises:
        Problem: missing, not JSON, or not a version 4 notebook.
    """
    try:
        notebook = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Problem(f"{file}: no such notebook") from None
    except ValueError as error:
        raise Problem(f"{file} is not a notebook: {error}") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or "cells" not in notebook:
        raise Problem(f"{file} is not a version 4 notebook")
    return notebook


def source(cell: Mapping[str, Any]) -> str:
    """A cell's text; on disk it is a string or a list of lines."""
    text = cell["source"]
    return (text if isinstance(text, str) else "".join(text)).replace("\r\n", "\n")


def tags(cell: Mapping[str, Any]) -> list[str]:
    return list(cell.get("metadata", {}).get("tags", []))


def code(notebook: Notebook) -> list[str]:
    """The sources of the code cells that a person wrote (not the injected parameters)."""
    return [
        source(cell)
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and "injected-parameters" not in tags(cell)
    ]


def code_hash(notebook: Notebook) -> str:
    """sha256 of the code cells: prose and outputs may change without making a record stale."""
    return hashlib.sha256("\0".join(code(notebook)).encode()).hexdigest()


def parameters(notebook: Notebook, name: str) -> dict[str, Parameter]:
    """The declared parameters, in their order; empty when no cell is tagged `parameters`.

    Raises:
        Problem: two such cells, or a line that is not `name: type = literal`.
    """
    cells = [cell for cell in notebook["cells"] if "parameters" in tags(cell)]
    if len(cells) > 1:
        raise Problem(f"{name}: two cells are tagged 'parameters': only one can be")
    found: dict[str, Parameter] = {}
    try:
        lines = ast.parse(source(cells[0])).body if cells else []
    except SyntaxError as error:
        raise Problem(f"{name}: the parameters cell is not Python: {error}") from None
    for line in lines:
        match line:
            case ast.AnnAssign(target=ast.Name(id=key), annotation=note, value=ast.expr() as value):
                kind = ast.unparse(note)
            case ast.Assign(targets=[ast.Name(id=key)], value=value):
                kind = ""
            case _:
                raise Problem(
                    f"{name}: the parameters cell may hold only lines 'name: type = literal', not "
                    f"{ast.unparse(line)!r}"
                )
        try:
            default = ast.literal_eval(value)
        except ValueError:
            raise Problem(f"{name}: the default of {key} must be a literal") from None
        found[key] = Parameter(key, kind or type(default).__name__, default)
        found[key].check(default, f"{name}, parameters cell")
    return found


def check_parameters(name: str, given: Mapping[str, Value], where: str) -> None:
    """Refuse what would not reach the experiment as meant, before anything runs.

    Raises:
        Problem: an unknown parameter, one of the wrong type, one that a later cell overwrites, or
            any at all where the notebook has no cell tagged `parameters`.
    """
    notebook = read(path(name))
    known = parameters(notebook, name)
    if given and not any("parameters" in tags(cell) for cell in notebook["cells"]):
        raise Problem(
            f"{where}: {name} has no cell tagged 'parameters', so {', '.join(given)} would be "
            "swallowed: tag the cell that holds the defaults"
        )
    for key, value in given.items():
        if key not in known:
            raise Problem(f"{where}: {unknown('parameter', key, known)}")
        known[key].check(value, where)
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code" and "parameters" not in tags(cell):
            for key in _overwritten(source(cell)) & given.keys():
                raise Problem(
                    f"{where}: {key} would be swallowed: cell {number} of {name} assigns it again"
                )


def _overwritten(text: str) -> set[str]:
    """Names that a cell assigns at top level without reading their old value."""
    found = set()
    try:
        lines = ast.parse(text).body
    except SyntaxError:  # IPython magic; the run itself will say what is wrong with it, if anything
        return found
    for line in lines:
        if isinstance(line, ast.Assign | ast.AnnAssign) and line.value is not None:
            targets = line.targets if isinstance(line, ast.Assign) else [line.target]
            assigned = {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            found |= assigned - {n.id for n in ast.walk(line.value) if isinstance(n, ast.Name)}
    return found


def expected(name: str, profile: str, variant: str) -> dict[str, Value]:
    """The values that a run of this notebook under this profile must have.

    Raises:
        Problem: the notebook, the profile or the variant is gone.
    """
    values = {p.name: p.default for p in parameters(read(path(name)), name).values()}
    if profile != "cpu":
        variants = load_profile(profile).notebooks.get(name, {})
        if variant not in variants:
            raise Problem(f"profile {profile} no longer has {name}@{variant}")
        values |= variants[variant]
    return plain(values)


def plain(value: Value) -> Value:
    """The value as JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(value))


def unknown(what: str, key: str, known: Iterable[str]) -> str:
    """'unknown parameter sed: did you mean seed? Known: …'"""
    known = list(known)
    near = difflib.get_close_matches(key, [*known, *(k.rpartition("/")[2] for k in known)], 1)
    hint = f": did you mean {near[0]}?" if near else "."
    return f"unknown {what} {key}{hint} Known: {', '.join(known) or 'none'}"


def load_profile(name: str) -> Profile:
    """Read and check profiles/NAME.yaml, or the file that NAME is the path of.

    Raises:
        Problem: missing, not YAML, not a mapping, an unknown key, notebook or parameter, a wrong
            type; the message names the file and the key.
    """
    is_path = name.endswith((".yaml", ".yml"))
    file = Path(name).resolve() if is_path else paths.root() / "profiles" / f"{name}.yaml"
    if not file.is_file():
        there = ["cpu", *sorted(p.stem for p in (paths.root() / "profiles").glob("*.yaml"))]
        raise Problem(f"{file}: no such profile. {unknown('profile', name, there)}")
    try:
        content = load_yaml(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Problem(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    content = _mapping(content, f"{file}")
    for key in content:
        if key not in ("results", "needs", "notebooks"):
            raise Problem(f"{file}: {unknown('key', str(key), ('results', 'needs', 'notebooks'))}")
    results, needs = content.get("results"), content.get("needs")
    if results is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", str(results)):
        raise Problem(f"{file}: results must be a folder name of a-z, 0-9 and -, got {results!r}")
    if results in ("cpu", "custom") or str(results).endswith("-rehearsal"):
        raise Problem(f"{file}: results: {results} is kept for other runs: choose another folder")
    if needs not in (None, "cuda"):
        raise Problem(f"{file}: needs may only be cuda, got {needs!r}")
    chosen = _mapping(content.get("notebooks"), f"{file}: notebooks")
    for notebook, variants in chosen.items():
        if notebook not in names():
            raise Problem(f"{file}: notebooks: {unknown('notebook', str(notebook), names())}")
        for variant, given in _mapping(variants, f"{file}: notebooks: {notebook}").items():
            where = f"{file}: notebooks: {notebook}: {variant}"
            if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", str(variant)):
                raise Problem(f"{where}: a variant is named with a-z, 0-9, . and -")
            check_parameters(notebook, _mapping(given, where), where)
    return Profile(file.stem, results, needs == "cuda", chosen)


def _mapping(value: Value, where: str) -> dict[str, Value]:
    if not isinstance(value, dict) or not value:
        raise Problem(f"{where} must be a mapping with at least one entry, got {value!r}")
    return value


class _Loader(yaml.SafeLoader):
    """Safe YAML, in which 1e-3 is a number (as in YAML 1.2) and no key may stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep=True) for key in own]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} stands twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def load_yaml(text: str) -> Value:
    return yaml.load(text, _Loader)


def _fits(value: Value, kind: ast.expr) -> bool:
    """Whether a JSON-like value has the annotated type; an int passes for a float."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    match kind:
        case ast.Constant(value=str(text)):
            return _fits(value, ast.parse(text, mode="eval").body)
        case ast.Constant(value=None) | ast.Name(id="NoneType"):
            return value is None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _fits(value, left) or _fits(value, right)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choice):
            choices = choice.elts if isinstance(choice, ast.Tuple) else [choice]
            return value in [ast.literal_eval(x) for x in choices]
        case ast.Subscript(value=ast.Name(id="list" | "tuple"), slice=inner):
            item = inner.elts[0] if isinstance(inner, ast.Tuple) else inner
            return isinstance(value, list | tuple) and all(_fits(x, item) for x in value)
        case ast.Name(id="int"):
            return number and isinstance(value, int)
        case ast.Name(id="float"):
            return number
        case ast.Name(id="str" | "bool" | "dict" as name):
            return isinstance(value, {"str": str, "bool": bool, "dict": dict}[name])
        case ast.Name(id="list" | "tuple"):
            return isinstance(value, list | tuple)
    raise Problem(
        f"the runner cannot check the type {ast.unparse(kind)}: use int, float, str, bool, list, "
        "list[...], tuple, dict, Literal[...] or a union of them with |"
    )
