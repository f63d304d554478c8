"""The board's dashboard in a browser: on a phone, on a dark page, and for whoever cannot see it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from synthecon import paths
from synthecon.economics import model
from synthecon.strategy import dashboard, facts


@pytest.fixture(scope="module", params=["case", "case-tannhof"])
def page_html(request) -> str:
    found = model.load(paths.root() / request.param)
    return dashboard.html(found, facts.collect(found, 1024))[0].decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_dashboard_can_be_read_by_everybody(page_html, scheme, width, browser: Browser):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(page_html)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    wide = page.evaluate("document.documentElement.scrollWidth")
    found = Axe().run(page).response["violations"]
    context.close()
    assert [url for url in asked if not url.startswith("data:")] == []
    assert wide <= width
    assert found == [], "\n".join(f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found)
