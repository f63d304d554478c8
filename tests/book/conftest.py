"""A playbook of two pages in a temporary folder, built with the extension alone."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from synthecon import notebooks, records

NAME = "lesson-1-physics/toy"
RECORD = f"cpu/{NAME}"

CONF = """\
extensions = ["myst_nb", "synthecon.book_ext"]
nb_execution_mode = "off"
html_theme = "basic"
numfig = True
root_doc = "index"
exclude_patterns = ["_build", "labs"]
"""
SYLLABUS = f"""\
- title: Lesson one
  question: Why?
  modules:
    - {{title: Toy module, notebook: {NAME}, hands_on: a number}}
    - {{title: Later module, hands_on: nothing yet}}
"""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
DOT = {"output_type": "display_data", "metadata": {}, "data": {"image/png": PNG}}
FIGURE = {"image": {"alt": "A dot."}, "figure": {"caption": "A dot.", "name": "fig-dot"}}


@dataclass(frozen=True)
class Built:
    """The pages' HTML by name, and all that the build complained of."""

    pages: dict[str, str]
    warnings: str


class Playbook:
    """A checkout in miniature."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("pyproject.toml", "")
        self.write("conf.py", CONF)
        self.write("book/syllabus.yml", SYLLABUS)
        self.write("book/appendix/records.md", "# Records\n\n```{records}\n```\n")
        self.notebook("1 + 1")

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def notebook(self, code: str) -> None:
        cells = [
            {"cell_type": "markdown", "metadata": {}, "source": "# Toy\n\nWords."},
            {"cell_type": "code", "metadata": {}, "source": code, "outputs": [DOT]}
            | {"execution_count": 1, "metadata": {"mystnb": FIGURE}},
            {"cell_type": "markdown", "metadata": {}, "source": "See {numref}`fig-dot`."},
        ]
        content = {"nbformat": 4, "nbformat_minor": 4, "cells": cells}
        content["metadata"] = {"synthecon": {"minutes": 40}, "language_info": {"name": "python"}}
        self.write(f"notebooks/{NAME}.ipynb", json.dumps(content))

    def lab(self, exercises: int, minutes: int) -> Path:
        """Write the lab of the notebook, as `synthecon.labs.derive` does."""
        code = {"cell_type": "code", "source": "", "outputs": [], "execution_count": None}
        check = code | {"metadata": {"deletable": False, "editable": False}}
        content = {"nbformat": 4, "nbformat_minor": 4, "cells": [code | {"metadata": {}}]}
        content["cells"] += [check] * exercises
        content["metadata"] = {"synthecon": {"lab": NAME, "minutes": minutes}}
        return self.write(f"labs/{NAME}.ipynb", json.dumps(content))

    def record(self, folder: str = "results", gain: float = 6.84) -> None:
        """Write a record that describes the notebook as it is now."""
        file = self.root / "notebooks" / f"{NAME}.ipynb"
        with_interval = {"n": 10, "low": gain - 3, "high": gain + 3, "level": 0.95, "method": "t"}
        test = records.Tested("pool", "gain.pool.50", "above", 1.0, "holds")
        record = records.RunRecord(
            id=RECORD,
            notebook=NAME,
            profile="cpu",
            variant="",
            parameters={},
            code=notebooks.code_hash(notebooks.read(file)),
            modules={},
            data=(),
            seeds=(0, 1),
            start="2026-01-02T03:04:05Z",
            seconds=61.0,
            environment={"python": "3.11.7", "torch": None, "numpy": None, "platform": "Linux"}
            | {"device": "cpu", "device_name": "Some CPU", "threads": 1},
            commit=None,
            dirty=False,
            energy={"joules": 1234.0, "level": "assumed", "how": "seconds × 10 W"},
            measurements=(
                records.Measurement("gain.pool.50", "Gain", gain, "points", **with_interval),
                records.Measurement("loss", "Loss", -0.25, "%"),
                records.Measurement("bill", "Bill", 0.194, "share", 10, 0.18, 0.206, 0.95, "t"),
                records.Measurement("latency", "Latency", 5.3e-6, "s"),
            ),
            claims=(records.Claim("works", "It works.", "Lesson 1", (test,), "holds", "pool"),),
        )
        self.write(f"{folder}/{RECORD}.json", record.to_json())

    def build(self, index: str = "") -> Built:
        toc = f"\n\n```{{toctree}}\nbook/appendix/records\nnotebooks/{NAME}\n```\n"
        self.write("index.md", f"# Index\n\n{index}{toc}")
        warnings, out = io.StringIO(), self.root / "_build"
        with docutils_namespace():
            Sphinx(
                srcdir=self.root,
                confdir=self.root,
                outdir=out / "html",
                doctreedir=out / "doctrees",
                buildername="html",
                confoverrides={"nitpicky": True},
                status=None,
                warning=warnings,
            ).build()
        pages = {
            "index": "index",
            "records": "book/appendix/records",
            "notebook": f"notebooks/{NAME}",
        }
        read = {k: (out / "html" / f"{v}.html").read_text("utf-8") for k, v in pages.items()}
        return Built(read, warnings.getvalue())


@pytest.fixture
def playbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Playbook:
    monkeypatch.setenv("SYNTHECON_HOME", str(tmp_path))
    return Playbook(tmp_path)
