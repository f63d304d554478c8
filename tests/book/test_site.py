"""The check of the built site finds what it promises to find, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthecon import Problem, paths, site

PAGE = """\
<html><head><link rel="stylesheet" href="style.css"><script src="code.js?v=1"></script></head>
<body><article><h1 id="top">Title</h1>
<a href="other.html#there">in</a> <a href="https://example.org/">out</a> <a href="#top">up</a>
<figure><img src="figure.png" alt="A line rises."><figcaption>A line.</figcaption></figure>
</article></body></html>
"""


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "other.html").write_text('<p id="there">There.</p><a href="./">home</a>')
    (tmp_path / "style.css").write_text(
        "p { background: url(figure.png), url(data:image/png;base64,AA==); }"
    )
    (tmp_path / "code.js").write_text("")
    (tmp_path / "figure.png").write_bytes(b"")
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "template.html").write_text('<script src="{{ later }}"></script>')
    return tmp_path


def plant(built: Path, old: str, new: str, file: str = "index.html") -> list[str]:
    text = (built / file).read_text()
    assert old in text
    (built / file).write_text(text.replace(old, new))
    return site.check(built)


def test_a_good_site_has_no_defect(built):
    assert site.check(built) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("other.html#there", "gone.html", "broken link gone.html"),
        ("other.html#there", "other.html#here", "missing anchor other.html#here"),
        ('"#top"', '"#bottom"', "missing anchor #bottom"),
        ("code.js?v=1", "https://cdn.example/code.js", "external request to https://cdn"),
        ("style.css", "//cdn.example/style.css", "external request to //cdn"),
        ('"figure.png"', '"https://x.example/f.png"', "external request to https://x"),
        ("<h1 ", "<h1 style='background: url(http://x.example/i)' ", "external request"),
        ("<body>", "<style>@import 'https://x.example/a.css';</style>", "external request"),
        ("<h1 ", "<img alt='x' srcset='https://x.example/a.png 2x'><h1 ", "external request"),
        ("<h1 ", "<iframe src='https://x.example/'></iframe><h1 ", "external request"),
        ("code.js?v=1", "lost.js", "missing file lost.js"),
        ('"figure.png"', '"lost.png"', "missing file lost.png"),
        ('alt="A line rises."', "", "no alt text"),
        ("A line rises.", "", "no alt text"),
        ("A line rises.", "../_images/0a1b2c.png", "no alt text"),
        ("<figcaption>A line.</figcaption>", "", "no caption"),
        ("<figcaption>A line.", "<figcaption> ", "no caption"),
        ("<h1 ", "<p id='top'></p><h1 ", "id top stands 2 times"),
    ],
)
def test_a_planted_defect_is_found_once(built, old, new, told):
    [found] = [line for line in plant(built, old, new) if told in line]
    assert found.startswith("index.html: ")


def test_style_sheets_are_held_to_the_same(built):
    assert plant(built, "figure.png", "https://fonts.example/f.woff2", "style.css") == [
        "style.css: external request to https://fonts.example/f.woff2"
    ]


def test_an_empty_folder_is_no_site(tmp_path):
    assert "no page was built" in site.check(tmp_path)[0]


def test_the_warnings_are_picked_out_of_a_log():
    log = "reading sources\n\x1b[91mbook/index.md:3: WARNING: unknown term\x1b[0m\nbuild failed\n"
    assert site.complaints(log) == "book/index.md:3: WARNING: unknown term"
    assert site.complaints("Extension error\nwhy") == "Extension error\nwhy"


def test_a_warning_fails_the_build_each_time_and_no_old_page_stays(tmp_path, monkeypatch):
    """Sphinx does not repeat the warnings of an unchanged page, and leaves pages that are gone."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "_config.yml").write_text("only_build_toc_files: true\n")
    (tmp_path / "index.md").write_text("# Title\n\n{term}`nowhere`\n")
    monkeypatch.setenv("SYNTHECON_HOME", str(tmp_path))
    gone = paths.out() / "site" / "_build" / "html" / "gone.html"
    gone.parent.mkdir(parents=True)
    gone.write_text("old")
    for _ in range(2):
        with pytest.raises(Problem, match=r"index\.md.*WARNING.*nowhere"):
            site.build()
    assert not gone.exists()
