"""The calculators in the page give what CPython gives, for every field, and only when asked."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from synthecon import book_calculators, paths, site
from synthecon.economics import calculators
from synthecon.economics import calculators_view as view
from synthecon.economics.calculators import Calculator

PAGE = "book/vault/calculators.html"
READY = "html[data-calculators=ready]"


@pytest.fixture(scope="module")
def opened(browser: Browser, url: str) -> Iterator[tuple[Page, list[str], list[str]]]:
    """The page before Start, what it asked for, and what went wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    page.on("response", lambda r: r.status < 400 or wrong.append(f"{r.status} for {r.url}"))
    page.on("console", lambda m: m.type != "error" or wrong.append(f"console: {m.text}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.goto(f"{url}/{PAGE}", wait_until="networkidle")
    yield page, asked, wrong
    context.close()


@pytest.fixture(scope="module")
def started(opened) -> Page:
    page, asked, _ = opened
    assert not any(name in a for a in asked for name in book_calculators.RUNTIME)
    page.click("#calc-start")
    page.wait_for_selector(READY, timeout=120_000)
    return page


def test_before_start_both_companies_stand_there_and_nothing_is_loaded(opened, url):
    page, asked, wrong = opened
    assert wrong == []
    assert all(a.startswith((f"{url}/", "data:", "blob:")) for a in asked)
    assert not any(name in a for a in asked for name in book_calculators.RUNTIME)
    text = page.inner_text("article")
    for company in book_calculators.companies():
        for answer in company.answers.values():
            assert answer.says in text
            assert all(shown in text for shown in answer.texts.values())
    assert page.locator("form.calc-form:visible").count() == 0
    assert page.locator("table.calc").count() == len(calculators.ALL)


def inputs(one: Calculator, base: dict[str, float], rng: random.Random) -> dict[str, float]:
    """Every field moved by up to a half, where it may."""
    found = dict(base)
    for field in one.inputs:
        x = found[field.id] * rng.uniform(0.5, 1.5)
        x = float(round(x)) if field.whole else x
        if field.low <= x <= field.high and field.unit != "%":
            found[field.id] = x
    return found


def in_the_page(page: Page, one: Calculator, values: dict[str, float], currency: str) -> dict:
    texts = {key: repr(x) for key, x in values.items()}
    told = page.evaluate(
        "([id, given, currency]) => window.synthecon_calculate(id, given, currency)",
        [one.id, json.dumps(texts), currency],
    )
    return json.loads(told)


@pytest.mark.parametrize("one", calculators.ALL, ids=lambda one: one.id)
def test_the_page_computes_what_cpython_computes(one, started):
    rng, compared = random.Random(one.id), 0
    for company in book_calculators.companies():
        base = dict(company.answers[one.id].values)
        for values in (base, *(inputs(one, base, rng) for _ in range(8))):
            told = in_the_page(started, one, values, company.currency)
            try:
                found = view.answer(one, values, company.currency)
            except ValueError as error:
                assert told == {"error": str(error)}
                continue
            compared += 1
            assert told["says"] == found.says
            assert told["texts"] == dict(found.texts)
            for name, ours in told["results"].items():
                theirs = getattr(found.result, name)
                near = theirs if theirs is None else pytest.approx(theirs, rel=1e-9, abs=1e-9)
                assert ours == near, name
            assert told["curve"] == pytest.approx(getattr(found.result, "curve", ()), rel=1e-9)
    assert compared >= 6


@pytest.mark.parametrize("one", calculators.ALL, ids=lambda one: one.id)
def test_the_form_follows_what_is_typed(one, started):
    form = started.locator(f"form[data-calculator={one.id}]")
    first, second = book_calculators.companies()
    assert started.locator(f"#{one.id} .calc-still").is_hidden()  # nothing is said twice
    form.locator("select").select_option(second.folder)
    values = dict(second.answers[one.id].values)
    field = next(f for f in one.inputs if f.unit.startswith("¤") and values[f.id] > 0)
    form.locator(f"[name={field.id}]").fill(repr(values[field.id] * 1.25))
    moved = view.answer(one, values | {field.id: values[field.id] * 1.25}, second.currency)
    assert form.locator(".calc-says").inner_text() == moved.says
    for name, text in moved.texts.items():
        assert form.locator(f"[data-output={name}]").inner_text() == text
    assert form.locator(".j-curve svg").count() == (1 if moved.chart else 0)

    form.locator(f"[name={field.id}]").fill("1,5")
    assert form.locator(".calc-error").inner_text().startswith(f"{field.id} ")
    assert form.locator("[aria-invalid=true]").get_attribute("name") == field.id
    assert form.locator(".calc-says").inner_text() == ""
    form.locator("select").select_option(first.folder)
    assert form.locator(".calc-error").inner_text() == ""
    assert form.locator(".calc-says").inner_text() == first.answers[one.id].says


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_running_page_is_accessible_and_fits_a_phone(scheme, started):
    started.emulate_media(color_scheme=scheme)
    started.wait_for_selector(f"html[data-theme={scheme}]")
    started.add_style_tag(content="* { transition: none !important; }")
    started.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = Axe().run(started, options={"preload": False}).response["violations"]
    ours = [
        f"{v['id']} at {n['target']}"
        for v in found
        for n in v["nodes"]
        if "calc" in n["html"] or "j-curve" in n["html"]
    ]
    assert ours == []
    started.set_viewport_size({"width": 390, "height": 844})
    try:
        assert started.evaluate("document.documentElement.scrollWidth") <= 390
        wide = started.evaluate(
            """() => [...document.querySelectorAll('article *')]
                .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
                .filter(e => !e.closest('.calc-scroll')).map(e => e.outerHTML.slice(0, 120))"""
        )
        assert wide == []
    finally:
        started.set_viewport_size({"width": 1280, "height": 900})


def test_the_running_page_asked_nobody_and_complained_of_nothing(opened, started, url):
    _, asked, wrong = opened
    assert wrong == []
    assert all(a.startswith((f"{url}/", "data:", "blob:")) for a in asked)


def test_what_the_page_runs_is_the_package_to_the_letter(url):
    built = paths.out() / "site" / "_build" / "html" / "_static" / book_calculators.FOLDER
    held = (built / "sources.js").read_text("utf-8")
    shipped = json.loads(held.removeprefix("__BRYTHON__.update_VFS(").rstrip().removesuffix(")"))
    for module in book_calculators.SHIPPED:
        file = book_calculators.source_of(module)
        assert shipped[module][1] == file.read_text("utf-8"), module
    assert sorted(f.name for f in built.iterdir()) == sorted(book_calculators.RUNTIME)
    assert site.check(built.parents[1]) == []
