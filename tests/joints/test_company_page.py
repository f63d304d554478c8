"""A notebook as a company's page: readable without the book around it, and without the network."""

from __future__ import annotations

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat import v4

from synthecon import company, company_page, notebooks

WORDS = r"""# Waits

A wait {cite:p}`lindley1952` in a queue, by {cite:t}`nadeau2003`; see
{cite:p}`hinton2015,little1961`.
{term}`EBITDA` and {term}`AUC <Attack AUC>`, both of $\rho$:

$$ W = \frac{\rho}{1-\rho} $$

Read [the three years](../lesson-2-economics/tco.ipynb#what-you-see), [shifts](shift.ipynb),
[a copy](../../results/mnist/vault/tco@mnist.ipynb),
[the records](../../book/appendix/records.md#a) and [a paper](https://example.org/a.md).

## References

```{bibliography}
:filter: docname in docnames
```
"""
FIGURE = {"mystnb": {"figure": {"name": "fig-x", "caption": "One *dot*."}, "image": {"alt": "Dot"}}}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


def code(source: str, *outputs, tags=(), **metadata):
    return v4.new_code_cell(source, outputs=[*outputs], metadata={"tags": [*tags], **metadata})


def printed(text: str):
    return v4.new_output("stream", name="stdout", text=text)


@pytest.fixture
def page(tmp_path, capsys):
    """The page of a notebook with all that only the book can resolve; and no complaint."""
    result = {"text/markdown": "**Told** by {term}`EBITDA`.", "text/plain": "<Markdown>"}
    cells = [
        v4.new_markdown_cell(WORDS),
        code("import math"),
        v4.new_markdown_cell("Words between."),
        code("def waits(arrive):\n    return [0, 2]"),
        code("print(waits([0, 1]))", printed("[0, 2]\n"), tags=["nbval-check-output"]),
        code("Markdown(told)", v4.new_output("execute_result", result, execution_count=7)),
        code(
            "plot()",
            v4.new_output("display_data", {"image/png": PNG}),
            tags=["hide-input"],
            **FIGURE,
        ),
        code("show_log()", printed("step 1: done\n"), tags=["hide-input"]),
    ]
    file = tmp_path / "waits.ipynb"
    python = {"language_info": {"name": "python"}}
    nbformat.write(v4.new_notebook(cells=cells, metadata=python), file)
    text = company_page.html(file, ["tco", "waits"])
    assert capsys.readouterr().err == ""
    for raw in (
        "{term}",
        "{cite",
        "{bib",
        "$",
        '.ipynb"',
        '.md"',
        "Out[",
        "In [",
        "system-message",
    ):
        assert raw not in text.replace("https://example.org/a.md", ""), raw
    return BeautifulSoup(text, "html.parser")


def words(node) -> str:
    return " ".join(node.text.split())


def test_what_only_the_book_resolves_is_text(page):
    text = words(page.main)
    told = (
        "A wait (Lindley, 1952) in a queue, by Nadeau and Bengio (2003); see (Hinton et al., 2015;"
    )
    assert f"{told} Little, 1961). EBITDA and AUC, both of" in text
    links = {a.text: a["href"] for a in page.main.select("p a") if not a.find_parent("li")}
    assert links["the three years"] == "tco.html", "it lies beside this page"
    assert links.keys() == {"the three years", "a paper"}
    assert "shifts, a copy, the records and a paper" in text
    assert links["a paper"] == "https://example.org/a.md"
    assert "Told by EBITDA." in text


def test_its_works_are_listed(page):
    works = [words(li) for li in page.select("li")]
    starts = ["Geoffrey Hinton", "D. V. Lindley", "John D. C. Little", "Claude Nadeau"]
    assert [work.startswith(start) for work, start in zip(works, starts, strict=True)] == [True] * 4


def test_formulas_are_formulas(page):
    inline, block = page.select("math")
    assert inline.text.strip() == "ρ" and block["display"] == "block" and block.mfrac


def test_what_is_printed_stands_with_its_code_and_no_other_code_is_there(page):
    [fold] = page.select("details")
    assert [pre.text.strip() for pre in fold.select("pre")] == [
        "def waits(arrive):\n    return [0, 2]",
        "print(waits([0, 1]))",
        "[0, 2]",
    ]
    assert [pre.text.strip() for pre in page.select("pre") if pre not in fold.select("pre")] == [
        "step 1: done"
    ], "what the book shows without its code"


def test_a_picture_stands_in_the_page_with_its_words(page):
    assert page.img["src"].startswith("data:image/png;base64,") and page.img["alt"] == "Dot"
    assert words(page.figcaption) == "One dot."
    assert page.title.text == "Waits" and page.html["lang"] == "en"
    assert not page.select("script, link, [src^=http]")


@pytest.mark.parametrize(
    "name", [n for n in notebooks.names() if company.PARAMETER in notebooks.expected(n, "cpu", "")]
)
def test_our_notebooks_leave_nothing_raw(name, capsys):
    text = company_page.html(notebooks.path(name))
    assert capsys.readouterr().err == ""
    assert not re.search(r'\{[\w:-]+\}<|\{(term|cite|bib)|\$\$|\.(ipynb|md)"|Out\[', text)
    assert company_page.html(notebooks.path(name)) == text
