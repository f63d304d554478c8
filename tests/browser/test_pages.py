"""What a reader's browser does with the site: asks nobody, complains of nothing, shows it all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from synthecon import notebooks
from synthecon.vault import playbooks

PAGES = {
    "landing": "book/index.html",
    "syllabus": "book/syllabus.html",
    "labs": "book/labs.html",
    "calculators": "book/vault/calculators.html",
    "lesson": "book/lesson-1-physics/index.html",
    "vault": "book/vault/index.html",
    "architecture": "book/vault/architecture.html",
    "claims": "book/claims.html",
    "diagnosis": "book/vault/diagnosis.html",
    "playbooks": "book/vault/playbooks/index.html",
    "playbook": "book/vault/playbooks/executive-narrative.html",
    "records": "book/appendix/records.html",
    "glossary": "book/appendix/glossary.html",
    "bibliography": "book/appendix/bibliography.html",
    "search": "search.html?q=temperature",
} | {name: f"notebooks/{name}.html" for name in notebooks.names()}

# What theme and docutils do, by axe rule and selector; everything else is ours to mend.
THEIRS = {
    ("aria-allowed-role", "#id"),  # doc-biblioentry
    ("aria-deprecated-role", "#id"),
    ("aria-required-children", ".citation-list"),
    ("landmark-unique", ".bd-search"),  # the search page has its form twice
    ("duplicate-id", "#search-input"),
    ("region", ".sidebar-primary-item"),
}


@dataclass
class Opened:
    """A loaded page, and what went wrong while it loaded."""

    page: Page
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=PAGES.values(), ids=PAGES)
def opened(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    wrong: list[str] = []
    at_home = (f"{url}/", "data:", "blob:")
    page.on("request", lambda r: r.url.startswith(at_home) or wrong.append(f"asked {r.url}"))
    page.on("response", lambda r: r.status < 400 or wrong.append(f"{r.status} for {r.url}"))
    page.on("console", lambda m: m.type != "error" or wrong.append(f"console: {m.text}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.goto(f"{url}/{request.param}", wait_until="networkidle")
    page.add_style_tag(content="* { transition: none !important; }")  # colours are read at once
    yield Opened(page, wrong)
    context.close()


def test_it_asks_nobody_and_complains_of_nothing(opened: Opened):
    assert opened.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(opened: Opened, scheme: str):
    opened.page.emulate_media(color_scheme=scheme)
    opened.page.wait_for_selector(f"html[data-theme={scheme}]")
    found = Axe().run(opened.page, options={"preload": False}).response["violations"]
    nodes = [(v["id"], " ".join(map(str, n["target"])), n) for v in found for n in v["nodes"]]
    assert [
        f"{rule} at {where}: {node['failureSummary']}"
        for rule, where, node in nodes
        if not any(rule == theirs and where.startswith(at) for theirs, at in THEIRS)
    ] == []


def test_it_fits_a_phone(opened: Opened):
    opened.page.set_viewport_size({"width": 390, "height": 844})
    too_wide = opened.page.evaluate(
        """() => [...document.querySelectorAll('article *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .filter(e => !e.closest('pre, .math, figure, .pst-scrollable-table-container'))
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert too_wide == []
    # A figure keeps a size at which its labels can be read, and scrolls inside its own frame.
    stuck = opened.page.evaluate(
        """() => [...document.querySelectorAll('article figure')]
            .filter(f => f.scrollWidth > f.clientWidth + 1)
            .filter(f => getComputedStyle(f).overflowX !== 'auto').length"""
    )
    assert stuck == 0
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("opened", [PAGES["calculators"]], indirect=True)
def test_no_value_breaks_inside_a_word_on_a_phone(opened: Opened):
    opened.page.set_viewport_size({"width": 390, "height": 844})
    broken = opened.page.evaluate(
        """() => [...document.querySelectorAll('table.calc td')].flatMap(cell =>
            [...cell.childNodes].filter(n => n.nodeType === Node.TEXT_NODE).flatMap(node =>
                [...node.data.matchAll(/\\S+/g)].filter(word => {
                    const range = document.createRange()
                    range.setStart(node, word.index)
                    range.setEnd(node, word.index + word[0].length)
                    return range.getClientRects().length > 1
                }).map(word => word[0])))"""
    )
    assert broken == []


@pytest.mark.parametrize("opened", [PAGES["architecture"]], indirect=True)
def test_a_drawing_that_scrolls_says_so(opened: Opened):
    cue = opened.page.locator("figure.diagram p.alone")
    assert cue.count() >= 4
    for width, seen in ((1280, False), (390, True)):
        opened.page.set_viewport_size({"width": width, "height": 844})
        wide = opened.page.evaluate(
            "[...document.querySelectorAll('div.diagram')].map(d => d.scrollWidth > d.clientWidth)"
        )
        assert set(wide) == {seen}
        for one in cue.all():
            assert one.locator(".on-phone").is_visible() == seen
            assert one.locator("a").is_visible()


@pytest.mark.parametrize("opened", [PAGES["lesson"]], indirect=True)
def test_mathematics_is_typeset(opened: Opened):
    opened.page.wait_for_selector("article mjx-container svg")
    assert opened.page.locator("article .math:not(:has(mjx-container))").count() == 0


@pytest.mark.parametrize("opened", [PAGES["search"]], indirect=True)
def test_the_search_finds_a_word(opened: Opened):
    opened.page.wait_for_selector("ul.search li a")


def test_every_playbook_prints_on_one_page(browser: Browser, url: str):
    context = browser.new_context()
    page = context.new_page()
    counts = {}
    for name in ("index", *(p.id for p in playbooks.load().playbooks)):
        page.goto(f"{url}/{playbooks.PAGES}/{name}.html", wait_until="load")
        edges = dict.fromkeys(("top", "right", "bottom", "left"), "11mm")
        counts[name] = len(re.findall(rb"/Type */Page\b", page.pdf(format="A4", margin=edges)))
    context.close()
    assert set(counts.values()) == {1}, counts
