"""The audit report is one page: on paper, where a board reads it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from synthecon import paths
from synthecon.economics import audit, case, report


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_audit_prints_on_one_page(company: str, browser: Browser):
    page = browser.new_page()
    page.set_content(report.html(audit.audit(case.read(paths.root() / company))))
    pdf = page.pdf(prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
