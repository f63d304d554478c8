"""Every notebook keeps the frame that readers learn once, and carries outputs worth showing."""

from __future__ import annotations

import json
import re

import pytest

from synthecon import notebooks

FRAME = (
    "What you will be able to do",
    "The idea",
    "The experiment",
    "What you see",
    "The claim and its verdict",
    "What it costs",
    "Exercises",
    "What next",
    "References",
)
LIMIT = 600_000  # bytes of outputs


def defects(notebook: notebooks.Notebook) -> list[str]:
    """What a reader, the runner or a screen reader would stumble over."""
    found = []
    cells = notebook["cells"]
    text = "\n".join(notebooks.source(c) for c in cells if c["cell_type"] == "markdown")
    headings = re.findall(r"^## +(.+?) *$", text, re.MULTILINE)
    if [h for h in headings if h in FRAME] != list(FRAME):
        found.append(f"headings: {headings}, the frame is {FRAME}")
    if len(re.findall(r"^# ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)) != 1:
        found.append("one title, please")
    if odd := re.findall(r"[\x00-\x08\x0b-\x1f]\w*", text):
        found.append(f"a control character, perhaps a backslash that was eaten: {odd}")
    minutes = notebook["metadata"].get("synthecon", {}).get("minutes")
    if not isinstance(minutes, int) or minutes <= 0:
        found.append("metadata.synthecon.minutes must be a number of minutes")

    parameters = [notebooks.source(c) for c in cells if "parameters" in notebooks.tags(c)]
    if len(parameters) != 1:
        found.append("exactly one cell is tagged parameters")
    for line in "\n".join(parameters).splitlines():
        # On one line, or with the value over several and the comment after the closing bracket.
        if not re.match(r"(\w+: .+ = (.+  # .+|[\[({])|#.*|\s+.*|[\])}]  # .+)?$", line):
            found.append(f"a parameter without type or comment: {line}")

    size = 0
    for index, cell in enumerate(cells):
        outputs = cell.get("outputs", [])
        size += len(json.dumps(outputs))
        if any(o["output_type"] == "error" or o.get("name") == "stderr" for o in outputs):
            found.append(f"cell {index} has an error or stderr output")
        if cell["cell_type"] == "code" and cell.get("execution_count") is None:
            found.append(f"cell {index} was never run")
        images = [k for o in outputs for k in o.get("data", {}) if k.startswith("image/")]
        shown = cell["metadata"].get("mystnb", {})
        if images and not shown.get("image", {}).get("alt", "").strip():
            found.append(f"cell {index}: its image needs metadata.mystnb.image.alt")
        if images and not shown.get("figure", {}).get("caption", "").strip():
            found.append(f"cell {index}: its image needs metadata.mystnb.figure.caption")
        if len(images) > 1:
            found.append(f"cell {index} shows {len(images)} images under one caption")
    if size > LIMIT:
        found.append(f"{size} bytes of outputs, at most {LIMIT}")
    return found


@pytest.mark.parametrize("name", notebooks.names())
def test_a_notebook_keeps_the_frame(name):
    assert defects(notebooks.read(notebooks.path(name))) == []


def good() -> dict:
    image = {"output_type": "display_data", "data": {"image/png": "AA=="}, "metadata": {}}
    shown = {"image": {"alt": "A line rises."}, "figure": {"caption": "A line."}}

    def code(source: str, outputs: list, **metadata: object) -> dict:
        cell = {"cell_type": "code", "source": source, "outputs": outputs, "metadata": metadata}
        return cell | {"execution_count": 1}

    return {
        "nbformat": 4,
        "metadata": {"synthecon": {"minutes": 30}},
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "\n", "Words."]},
            *({"cell_type": "markdown", "metadata": {}, "source": f"## {h}"} for h in FRAME),
            code("seed: int = 0  # the first seed\n", [], tags=["parameters"]),
            code("plot()", [image], mystnb=shown),
        ],
    }


def test_a_good_notebook_has_no_defect():
    assert defects(good()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda n: n["cells"].pop(3), "headings"),
        (lambda n: n["cells"].insert(3, n["cells"].pop(4)), "headings"),
        (lambda n: n["cells"].append(n["cells"][0]), "one title"),
        (lambda n: n["cells"][0].update(source="# Title\n\n$\x07lpha$"), "a control character"),
        (lambda n: n["metadata"].clear(), "minutes"),
        (lambda n: n["cells"][-2]["metadata"].clear(), "exactly one cell"),
        (lambda n: n["cells"][-2].update(source="seed = 0  # seed"), "without type"),
        (lambda n: n["cells"][-2].update(source="seed: int = 0"), "without type or comment"),
        (lambda n: n["cells"][-1].update(execution_count=None), "never run"),
        (lambda n: n["cells"][-1]["metadata"]["mystnb"].pop("image"), "image.alt"),
        (lambda n: n["cells"][-1]["metadata"]["mystnb"].pop("figure"), "figure.caption"),
        (lambda n: n["cells"][-1]["outputs"].append(n["cells"][-1]["outputs"][0]), "2 images"),
        (lambda n: n["cells"][-1]["outputs"].append({"output_type": "error"}), "error or stderr"),
        (
            lambda n: n["cells"][-1]["outputs"].append({"output_type": "stream", "name": "stderr"}),
            "error or stderr",
        ),
        (lambda n: n["cells"][-1]["outputs"][0]["data"].update(text="x" * LIMIT), "bytes"),
    ],
)
def test_each_defect_is_found(change, told):
    notebook = good()
    change(notebook)
    [found] = defects(notebook)
    assert told in found
