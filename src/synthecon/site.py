"""Build the site, and hold the built pages to what they promise.

Every link, anchor and file inside resolves; no page asks the network for anything; every figure
has words for those who cannot see it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from synthecon import Problem, paths

LOADS = {  # attributes whose target the browser fetches by itself
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("image", "href"),
    ("img", "src"),
    ("input", "src"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("use", "href"),
    ("video", "poster"),
    ("video", "src"),
}
FOLLOWED = {("a", "href"), ("area", "href"), ("form", "action")}
CSS_TARGET = re.compile(r"""url\(\s*["']?([^"')]+)["']?\s*\)|@import\s+["']([^"']+)["']""")
FILE_NAME = re.compile(r"[\w./\\-]+\.(png|svg|jpe?g|gif|webp|pdf)", re.IGNORECASE)


@dataclass
class Figure:
    """An image of the content, and the caption of the figure around it."""

    source: str
    alt: str | None
    caption: str = ""


@dataclass
class Page(HTMLParser):
    """What one HTML file defines and asks for."""

    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: Counter[str] = field(default_factory=Counter)
    own_ids: set[str] = field(default_factory=set)
    figures: list[Figure] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._pending: list[Figure] = []

    @classmethod
    def read(cls, file: Path) -> Page:
        page = cls()
        page.feed(file.read_text(encoding="utf-8"))
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in {given.get("id"), given.get("name") if tag == "a" else None} - {None}:
            self.ids[name] += 1
            if "article" in self._open:  # outside of it is the theme's business
                self.own_ids.add(name)
        for key, value in attrs:
            key = key.removeprefix("xlink:")
            if value and (tag, key) in LOADS and given.get("rel") not in ("canonical", "license"):
                self.loads.append(value)
            elif value and (tag, key) in FOLLOWED:
                self.links.append(value)
            elif value and key == "srcset":
                self.loads += [part.split()[0] for part in value.split(",") if part.strip()]
            elif value and key == "style":
                self.loads += css_targets(value)
        if tag in ("article", "figure", "figcaption", "style", "desc"):
            self._open.append(tag)
        drawn = tag == "svg" and given.get("role") == "img"
        if (tag == "img" or drawn) and "article" in self._open:
            image = Figure(
                given.get("src") or "in the page", given.get("alt") or given.get("aria-label")
            )
            self.figures.append(image)
            if "figure" in self._open:
                self._pending.append(image)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]
        if tag == "figure":
            self._pending.clear()

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            self.loads += css_targets(data)
        elif "desc" in self._open and self.figures:
            self.figures[-1].alt = data  # the words of a drawing stand in it
        elif "figcaption" in self._open:
            for image in self._pending:
                image.caption += data


def css_targets(text: str) -> list[str]:
    """What a style sheet fetches."""
    return [a or b for a, b in CSS_TARGET.findall(text)]


def check(site: Path) -> list[str]:
    """Everything that is wrong with the built pages, one line each; empty when all is well."""
    site = site.resolve()
    files = [file for file in sorted(site.rglob("*.html")) if site / "_static" not in file.parents]
    pages = {file: Page.read(file) for file in files}
    if not pages:
        return [f"{site}: no page was built"]
    return [
        f"{file.relative_to(site)}: {problem}"
        for file, page in pages.items()
        for problem in page_problems(file, page, pages)
    ] + [
        f"{file.relative_to(site)}: {problem}"
        for file in sorted(site.rglob("*.css"))
        for target in css_targets(file.read_text(encoding="utf-8"))
        for problem in load_problems(file, target)
    ]


def page_problems(file: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    for target in page.loads:
        yield from load_problems(file, target)
    for link in page.links:
        url = urlsplit(link)
        if url.scheme or url.netloc:
            continue  # a reader may follow a link out; the page itself does not
        there = resolve(file, url.path)
        if not there.exists():
            yield f"broken link {link}"
        elif url.fragment and there in pages and unquote(url.fragment) not in pages[there].ids:
            yield f"link to a missing anchor {link}"
    for name in sorted(page.own_ids):
        if page.ids[name] > 1:
            yield f"id {name} stands {page.ids[name]} times"
    for image in page.figures:
        if not image.alt or FILE_NAME.fullmatch(image.alt.strip()):
            yield f"image {image.source} has no alt text (metadata.mystnb.image.alt)"
        if not image.caption.strip():
            yield f"image {image.source} has no caption (metadata.mystnb.figure.caption)"


def load_problems(file: Path, target: str) -> Iterator[str]:
    url = urlsplit(target)
    if url.scheme == "data" or target.startswith("#"):
        return
    if url.scheme or url.netloc:
        yield f"external request to {target}"
    elif not resolve(file, url.path).is_file():
        yield f"missing file {target}"


def resolve(file: Path, target: str) -> Path:
    """The file that a relative address on a page means; without an address, the page itself."""
    there = (file.parent / unquote(target)).resolve() if target else file.resolve()
    return there / "index.html" if there.is_dir() else there


def build(results: Path | None = None) -> Path:
    """Build the book from the committed notebooks and check it; returns its first page.

    Args:
        results: folder of run records to print instead of the committed results/.

    Raises:
        Problem: a warning of the build or a finding of the check; the message holds them all.
    """
    target = paths.out() / "site"
    # From scratch: Sphinx leaves pages that are gone, and does not repeat the warnings of old ones.
    shutil.rmtree(target, ignore_errors=True)
    environment = dict(os.environ)
    if results is not None:
        environment["SYNTHECON_RESULTS"] = str(results.resolve())
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    options = ["--path-output", str(target), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(
        [*command, str(paths.root()), *options],
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    pages = target / "_build" / "html"
    if done.returncode:
        raise Problem(f"the book was not built:\n{complaints(done.stdout + done.stderr)}")
    found = check(pages)
    if found:
        raise Problem("\n".join([f"the site has {len(found)} defects:", *found]))
    return pages / "index.html"


def complaints(log: str) -> str:
    """The warnings and errors of a build log; where it has none, what it says of its crash."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", log).splitlines()
    told = [line for line in lines if re.search(r"\b(WARNING|ERROR|SEVERE|CRITICAL)\b", line)]
    return "\n".join(told or lines[:40])
