"""An executed notebook as one HTML file that asks the network for nothing.

It reads the notebook with the parser of the book, without the book around it: formulas become
MathML, pictures stand in the page with their captions, and what only the book can resolve becomes
text: terms, citations, links to pages that are not there.  Code is left out, for the page is read
by people who decide; a cell that prints text keeps its code, and that of the cells just before it,
folded away with what it printed.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path

import nbformat
from docutils import core, nodes
from docutils.writers import html5_polyglot
from myst_nb.docutils_ import Parser
from pybtex.database import BibliographyData, Entry, parse_file
from pybtex.plugin import find_plugin

from synthecon import paths

BIBLIOGRAPHY = "book/references.bib"
ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")
LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:)[^)\s]*?([\w@-]+)\.(ipynb|md)(?:#[^)]*)?\)")
LIST = re.compile(r"^```\{bibliography\}.*?^```", re.MULTILINE | re.DOTALL)
FOLDED = "<details><summary>Code, and what it prints</summary>"
SETTINGS = {
    "_disable_config": True,
    "doctitle_xform": True,  # the first heading is the page's title
    "image_loading": "embed",
    "math_output": "MathML",
    "myst_all_links_external": True,
    "myst_enable_extensions": ["amsmath", "attrs_block", "colon_fence", "deflist", "dollarmath"],
    "nb_append_css": False,
    "nb_execution_mode": "off",
    "nb_metadata_to_fm": False,
    "nb_render_markdown_format": "myst",
    "output_encoding": "unicode",
}
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.35rem; margin-top: 2rem; } h3 { font-size: 1.1rem; }
p, li, figcaption { overflow-wrap: anywhere; }
li p { margin: .3rem 0; }
.literal { font: .9em monospace; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: .5rem 0 1rem; }
th, td { border-bottom: 1px solid #8886; padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
:is(th, td) p { margin: 0; overflow-wrap: normal; }
.text-right { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; background: #fff; }
figcaption { font-size: .9rem; }
math[display=block] { margin: .8rem 0; overflow-x: auto; }
pre { overflow-x: auto; font-size: .85rem; border-left: 3px solid #8886; padding: .3rem .8rem; }
summary { cursor: pointer; font-size: .9rem; }
@media (max-width: 600px) { figure { overflow-x: auto; }
  figure img { width: 620px; max-width: none; } }
@page { size: A4; margin: 15mm; }
@media print { body { font-size: 10pt; margin: 0; max-width: none; }
  figure, tr { break-inside: avoid; } details { display: none; } }
"""


def html(notebook: Path, pages: Collection[str] = ()) -> str:
    """The page of an executed notebook.

    pages: names of notebooks, without a folder, whose page will lie beside this one.
    """
    content = nbformat.read(notebook, as_version=4)
    texts = [cell for cell in content.cells if cell.cell_type == "markdown"]
    shown = [out.data for c in content.cells for out in c.get("outputs", ()) if "data" in out]
    cited = [
        key.strip()
        for cell in texts
        for role, keys in ROLE.findall(cell.source)
        if role.startswith("cite:")
        for key in keys.split(",")
    ]
    for cell in texts:
        cell.source = plain(cell.source, pages, cited)
    for data in (data for data in shown if "text/markdown" in data):
        data["text/markdown"] = plain(data["text/markdown"], pages)
    with tempfile.TemporaryDirectory() as pictures:
        settings = SETTINGS | {"nb_output_folder": pictures}
        tree = core.publish_doctree(
            nbformat.writes(content), str(notebook), parser=Parser(), settings_overrides=settings
        )
        tidy(tree)
        return core.publish_from_doctree(tree, writer=Writer(), settings_overrides=settings)


def plain(text: str, pages: Collection[str], cited: Collection[str] = ()) -> str:
    """Markdown without what only the book resolves.  cited: what a list of references holds."""
    text = LIST.sub(lambda _: references(cited), text)
    text = ROLE.sub(lambda m: told(*m.groups()), text)
    return LINK.sub(
        lambda m: f"[{m[1]}]({m[2]}.html)" if m[3] == "ipynb" and m[2] in pages else m[1], text
    )


def told(role: str, text: str) -> str:
    """A role as words: `Lindley (1952)` for `{cite:t}`, the term for `{term}`, and so on."""
    if not role.startswith("cite:"):
        return text.partition(" <")[0]
    works = [works_cited().entries[key.strip()] for key in text.split(",")]
    if role == "cite:t":
        return ", ".join(f"{authors(work)} ({work.fields['year']})" for work in works)
    return "(" + "; ".join(f"{authors(work)}, {work.fields['year']}" for work in works) + ")"


def authors(work: Entry) -> str:
    """ "Lindley", "Nadeau and Bengio", "Hinton et al." """
    people = work.persons.get("author") or work.persons["editor"]
    names = [" ".join(map(str, p.rich_prelast_names + p.rich_last_names)) for p in people]
    return " and ".join(names) if len(names) < 3 else f"{names[0]} et al."


@cache
def works_cited() -> BibliographyData:
    return parse_file(str(paths.root() / BIBLIOGRAPHY))


def references(cited: Collection[str]) -> str:
    """A list of works, sorted, as Markdown."""
    style = find_plugin("pybtex.style.formatting", "plain")()
    markdown = find_plugin("pybtex.backends", "markdown")()
    made = style.format_bibliography(works_cited(), list(cited))
    return "\n".join("- " + " ".join(work.text.render(markdown).split()) for work in made)


def tidy(tree: nodes.document) -> None:
    """Leave the code out, and fold away what is printed for those who read it."""
    for message in list(tree.findall(nodes.system_message)):
        message.parent.remove(message)
    cells = [n for n in tree.findall(nodes.container) if "cell" in n["classes"]]
    waiting: list[nodes.Node] = []
    for cell in cells:
        shown = "tag_hide-input" not in cell["classes"]
        code = [n for n in cell.children if "cell_input" in n["classes"]]
        printed = [
            n for n in cell.findall(nodes.literal_block) if shown and "stream" in n["classes"]
        ]
        for node in (*code, *printed):
            node.parent.remove(node)
        place = cell.parent.index(cell)
        if not place or cell.parent[place - 1] not in cells:
            waiting = []  # words stand between
        waiting += code if shown else []
        if printed:
            start, end = (nodes.raw("", text, format="html") for text in (FOLDED, "</details>"))
            cell.insert(0, [start, *waiting, *printed, end])
            waiting = []


class Writer(html5_polyglot.Writer):
    """HTML with our style sheet instead of docutils' own."""

    def interpolation_dict(self) -> dict[str, str]:
        return super().interpolation_dict() | {"stylesheet": f"<style>{STYLE}</style>"}
