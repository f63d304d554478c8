"""Sphinx extension: the calculators on a page, with the package's own Python behind their forms.

The page as built is plain HTML: each calculator at the values of both companies.  A reader who
presses Start loads Brython, which is a Python that runs in the page, the modules of its standard
library that are needed, and the very source files of this package.  All of it stands beside the
page: nothing is asked of anybody else.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import synthecon
from synthecon import checks, paths
from synthecon.economics import calculators, calculators_case
from synthecon.economics import calculators_view as view
from synthecon.economics import model as models
from synthecon.economics.calculators import Calculator, Input

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SHIPPED = (
    "synthecon", "synthecon.economics",
    *(
        f"synthecon.economics.{name}"
        for name in (
            "accounts", "cashflow", "service", "sourcing", "unit_cost", "calculators",
            "calculators_view",
        )
    ),
)  # fmt: skip
"""Modules of this package that the page imports."""
BRIDGE = "calculators_bridge"
FOLDER = "calculators"  # below _static
RUNTIME = ("brython.js", "stdlib.js", "sources.js")
LIBRARY = (
    "__future__", "_ast", "_codecs", "_collections", "_collections_abc", "_frozen_importlib",
    "_functools", "_imp", "_io", "_io_classes", "_json", "_locale", "_operator", "_py_abc",
    "_pydatetime", "_thread", "_tokenize", "_typing", "_weakref", "_weakrefset", "abc",
    "annotationlib", "ast", "browser", "builtins", "codecs", "collections", "copy", "copyreg",
    "dataclasses", "datetime", "dis", "enum", "errno", "functools", "genericpath", "importlib",
    "importlib._bootstrap", "importlib._bootstrap_external", "importlib.machinery", "inspect",
    "io", "itertools", "json", "json.encoder", "keyword", "linecache", "marshal", "math",
    "operator", "os", "posix", "posixpath", "python_re", "re", "reprlib", "stat", "sys", "time",
    "token", "tokenize", "types", "typing", "weakref",
)  # fmt: skip
"""All modules of the standard library that it imports, one by way of another."""


@dataclass(frozen=True)
class Company:
    folder: str
    name: str
    currency: str
    answers: Mapping[str, view.Answer]


def companies() -> list[Company]:
    """Both companies, every calculator computed."""
    found = []
    for folder in checks.CASES:
        model = models.load(paths.root() / folder)
        answers = {one.id: calculators_case.at_base(model, one) for one in calculators.ALL}
        found.append(Company(folder, model.policy.name, model.currency, answers))
    return found


class Calculators(SphinxDirective):
    """A start button, then a section for each calculator."""

    def run(self) -> list[nodes.Node]:
        for folder in checks.CASES:
            for file in ("ledger.csv", "sla.csv", "policy.toml"):
                self.env.note_dependency(str(paths.root() / folder / file))
        found = companies()
        up = "../" * self.env.docname.count("/")
        result: list[nodes.Node] = [_raw(start(found, f"{up}_static/"))]
        for one in calculators.ALL:
            title = nodes.title("", one.title)
            section = nodes.section("", title, ids=[one.id], names=[one.id])
            section += nodes.paragraph("", one.about)
            section += _raw(form(one, found) + table(one, found))
            result.append(section)
        return result


def _raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def start(found: Iterable[Company], static: str) -> str:
    """The button, what it loads, and every company's values for the forms."""
    data = {
        c.folder: {
            "name": c.name,
            "currency": c.currency,
            "values": {
                key: {name: view.exact(x) for name, x in a.values.items()}
                for key, a in c.answers.items()
            },
        }
        for c in found
    }
    held = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    return (
        '<div class="calc-start"><button type="button" id="calc-start" hidden>Start</button> '
        '<span id="calc-status" role="status"></span>'
        "<noscript>Your browser runs no scripts: the tables below still hold.</noscript></div>\n"
        f'<script type="application/json" id="calc-data">{held}</script>\n'
        f'<script src="{static}calculators.js" data-runtime="{static}{FOLDER}/" defer></script>\n'
    )


def form(one: Calculator, found: Iterable[Company]) -> str:
    """The live face; it stays hidden until Python runs."""
    options = "".join(
        f'<option value="{c.folder}">{escape(c.name)} ({c.currency})</option>' for c in found
    )
    fields = "".join(_field(one, field) for field in one.inputs)
    outputs = "".join(
        f'<div class="{"even" if o.id == one.even else ""}"><dt>{escape(o.label)}</dt>'
        f'<dd data-output="{o.id}"></dd></div>'
        for o in one.outputs
    )
    return (
        f'<form class="calc-form" data-calculator="{one.id}" aria-label="{escape(one.title)}" '
        'autocomplete="off" hidden>\n'
        f'<div class="calc-field calc-company"><label for="{one.id}-company">Values of</label>'
        f'<select id="{one.id}-company">{options}</select></div>\n'
        f'<div class="calc-fields">{fields}</div>\n'
        f'<p class="calc-error" role="alert"></p>\n'
        f'<p class="calc-says" role="status"></p>\n<dl class="calc-outputs">{outputs}</dl>\n'
        '<div class="calc-chart"></div></form>\n'
    )


def _field(one: Calculator, field: Input) -> str:
    name = f"{one.id}-{field.id}"
    hint = calculators.HINTS.get(field.unit)
    unit = field.unit + (f"; {hint[1]} is {hint[0]}" if hint else "")
    return (
        f'<div class="calc-field"><label for="{name}">{escape(field.label)}</label>'
        f'<input id="{name}" name="{field.id}" type="text" inputmode="decimal" '
        f'aria-describedby="{name}-unit">'
        f'<span class="calc-unit" id="{name}-unit" data-unit="{escape(unit)}"></span></div>\n'
    )


def table(one: Calculator, found: list[Company]) -> str:
    """The still face: what stands there before anybody presses Start, and on paper."""
    heads = "".join(
        f'<th scope="col">{escape(c.name.split()[0])}, {c.currency}</th>' for c in found
    )
    rows = [f'<tr><th scope="rowgroup" colspan="{len(found) + 1}">In</th></tr>']
    for field in one.inputs:
        cells = "".join(
            f"<td>{view.number(c.answers[one.id].values[field.id])}</td>" for c in found
        )
        unit = view.unit(field.unit, "money")
        rows.append(
            f'<tr><th scope="row">{escape(field.label)} <span class="calc-unit">{escape(unit)} · '
            f"{escape(field.source.replace('cpu/lesson-1-physics/', ''))}</span></th>{cells}</tr>"
        )
    rows.append(f'<tr><th scope="rowgroup" colspan="{len(found) + 1}">Out</th></tr>')
    for output in one.outputs:
        mark = ' class="even"' if output.id == one.even else ""
        cells = "".join(f"<td>{escape(c.answers[one.id].texts[output.id])}</td>" for c in found)
        rows.append(f'<tr{mark}><th scope="row">{escape(output.label)}</th>{cells}</tr>')
    says = "".join(
        f'<p class="calc-says"><b>{escape(c.name.split()[0])}.</b> '
        f"{escape(c.answers[one.id].says)}</p>{c.answers[one.id].chart}\n"
        for c in found
    )
    body = "\n".join(rows)
    return (
        f'<div class="calc-still">{says}</div><details open>'
        f"<summary>{escape(one.title)}: both companies’ values</summary>\n"
        f'<div class="calc-scroll" role="region" tabindex="0" aria-label="{escape(one.title)}, '
        f'values"><table class="calc"><thead><tr><th scope="col">Field</th>{heads}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div></details>\n"
    )


# -- What the page loads --------------------------------------------------------------------------


def source_of(module: str) -> Path:
    """The file of a module of this package."""
    top = Path(synthecon.__file__).parent
    path = top.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def sources() -> str:
    """The package's files, to the letter, in the form that Brython imports from."""
    shipped: dict[str, list[Any]] = {}
    for module in SHIPPED:
        path = source_of(module)
        package = [1] if path.name == "__init__.py" else []
        shipped[module] = [".py", path.read_text("utf-8"), [], *package]
    bridge = paths.root() / "book" / "_static" / f"{BRIDGE}.py"
    shipped[BRIDGE] = [".py", bridge.read_text("utf-8"), []]
    return f"__BRYTHON__.update_VFS({json.dumps(shipped, ensure_ascii=False)})\n"


def library(text: str) -> str:
    """Brython's standard library cut down to what the page imports.

    Raises:
        ValueError: another layout of that file, or a module gone: another version of Brython.
    """
    head, mark, rest = text.partition("var scripts = ")
    body, end, _ = rest.rpartition("__BRYTHON__.update_VFS(scripts)")
    if not mark or not end:
        raise ValueError("brython_stdlib.js is laid out otherwise than expected")
    every = json.loads(body)
    if missing := [name for name in LIBRARY if name not in every]:
        raise ValueError(f"brython_stdlib.js lacks {', '.join(missing)}")
    kept = {name: every[name] for name in ("$timestamp", *LIBRARY)}
    return f"{head}{mark}{json.dumps(kept, ensure_ascii=False)}\n{end}\n"


def copy_runtime(app: Sphinx, error: Exception | None) -> None:
    """Brython, its library and the package's files go beside the pages."""
    if error is not None:
        return
    target = Path(app.outdir, "_static", FOLDER)
    target.mkdir(exist_ok=True)
    held = {f.name: Path(str(f.locate())) for f in files("brython") or () if f.suffix == ".js"}
    shutil.copyfile(held["brython.js"], target / "brython.js")
    text = library(held["brython_stdlib.js"].read_text("utf-8"))
    (target / "stdlib.js").write_text(text, "utf-8")
    (target / "sources.js").write_text(sources(), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("calculators", Calculators)
    app.connect("build-finished", copy_runtime)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
