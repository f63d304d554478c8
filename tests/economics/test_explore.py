"""The explorer: what its sliders do, in Python, in a kernel, and on a page without one."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.display import Markdown
from matplotlib.figure import Figure
from nbclient import NotebookClient

from synthecon.economics import explore, ledger


def row(key: str, low: float, base: float, high: float, unit: str = "share") -> ledger.Row:
    given = {
        "id": key,
        "name": f"Name of {key}",
        "low": low,
        "base": base,
        "high": high,
        "unit": unit,
        "currency": "USD" if "USD" in unit else "",
        "distribution": "pert",
        "basis": "",
        "period": "",
        "source_type": "illustrative",
        "source": "a test",
        "as_of": date(2026, 1, 31),
        "owner": "finance",
        "confidence": "low",
        "group": "",
        "note": "",
    }
    known = ledger.Row.__dataclass_fields__
    return ledger.Row(**{k: v for k, v in given.items() if k in known})


SHARE = row("transfer.a", 0.2, 0.4, 0.7)
PRICE = row("price.b", 1000.0, 2500.0, 9000.0, "USD/month")


class Drawing:
    """Draws a line at its values, and remembers them."""

    def __init__(self) -> None:
        self.seen: list[dict[str, object]] = []

    def __call__(self, values: dict[str, float], **chosen: str) -> str:
        self.seen.append({**values, **chosen})
        plt.subplots(figsize=(2, 1))[1].plot(list(values.values()))
        return " ".join(f"{k}={v}" for k, v in self.seen[-1].items())


def worth(values: dict[str, float], sourcing: str = "build") -> tuple[str, float]:
    value = values["price.b"] * values["transfer.a"] - (500 if sourcing == "buy" else 0)
    return "Worth, USD a month", value


@pytest.fixture
def drawing():
    return Drawing()


@pytest.fixture
def full(drawing):
    options = {"sourcing": ["build", "buy"]}
    return explore.explorer(drawing, [SHARE, PRICE], choices=options, result=worth)


def parts(view: explore.Explorer):
    """Menus, sliders, button and output area of a live explorer."""
    *named, button, area = view.widget().children
    controls, count = named[1::2], len(view.choices)
    return controls[:count], controls[count:], button, area


def told(area) -> str:
    return "\n".join(o["data"].get("text/markdown", "") for o in area.outputs)


# In Python


def test_the_sliders_start_at_base_and_say_what_they_are(full):
    [menu], [share, price], _, area = parts(full)
    assert (share.min, share.value, share.max) == (0.2, 0.4, 0.7)
    assert (price.min, price.value, price.max) == (1000, 2500, 9000)
    assert [line.value for line in full.widget().children[:6:2]] == [
        "sourcing",
        "Name of transfer.a: 20% to 70%",
        "Name of price.b (USD/month): 1,000 to 9,000",
    ]
    assert (share.readout_format, price.readout_format) == (",.1%", ",.0f")
    assert not share.continuous_update and not price.continuous_update
    assert menu.options == ("build", "buy") and menu.value == "build"
    assert "transfer.a=0.4 price.b=2500.0 sourcing=build" in told(area)
    assert "**Worth, USD a month: 1,000**, in the base case 1,000" in told(area)


def test_a_change_redraws_figure_and_text_once(full, drawing):
    [menu], [share, _], _, area = parts(full)
    before = area.outputs
    drawing.seen.clear()
    share.value = 0.7
    assert drawing.seen == [{"transfer.a": 0.7, "price.b": 2500.0, "sourcing": "build"}]
    assert "**Worth, USD a month: 1,750**, in the base case 1,000" in told(area)
    old, new = (base64.b64decode(o[-1]["data"]["image/png"]) for o in (before, area.outputs))
    assert old[:8] == new[:8] == b"\x89PNG\r\n\x1a\n" and old != new
    menu.value = "buy"
    assert drawing.seen[1:] == [{"transfer.a": 0.7, "price.b": 2500.0, "sourcing": "buy"}]
    assert "**Worth, USD a month: 1,250**" in told(area)


def test_reset_goes_back_with_one_drawing(full, drawing):
    [menu], [share, price], button, area = parts(full)
    at_base = area.outputs
    share.value, price.value, menu.value = 0.2, 9000, "buy"
    assert area.outputs != at_base
    drawing.seen.clear()
    button.click()
    assert (share.value, price.value, menu.value) == (0.4, 2500, "build")
    assert len(drawing.seen) == 1 and area.outputs == at_base


def test_two_explorers_share_nothing(full, drawing):
    one, two = parts(full), parts(full)
    one[1][0].value = 0.2
    assert two[1][0].value == 0.4 and "transfer.a=0.4" in told(two[3])


def test_no_figure_stays_open(full):
    mine = plt.figure()
    _, [share, _], _, _ = parts(full)
    share.value = 0.3
    full.figure()
    full.table()
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)


@pytest.mark.parametrize("made", [lambda: plt.figure(), lambda: Figure()])
def test_a_returned_figure_is_drawn_and_closed(made: Callable[[], Figure]):
    def draw(values):
        figure = made()
        figure.set_size_inches(2, 1)
        figure.add_subplot().plot([values["transfer.a"]])
        return figure

    view = explore.explorer(draw, [SHARE])
    width, height = struct.unpack(">II", view.figure().data[16:24])
    assert width > height > 20 and plt.get_fignums() == []


def fails_above_half(values):
    plt.figure()
    try:
        assert values["transfer.a"] < 0.5
    except AssertionError as error:
        raise ValueError("no model above a half") from error


def test_an_error_is_shown_with_its_cause_and_the_next_value_draws_again():
    view = explore.explorer(fails_above_half, [SHARE])
    _, [share], _, area = parts(view)
    assert "image/png" in area.outputs[0]["data"]
    share.value = 0.6
    [output] = area.outputs
    text = "\n".join(output["traceback"])
    assert output["output_type"] == "error"
    assert (output["ename"], output["evalue"]) == ("ValueError", "no model above a half")
    assert "AssertionError" in text and "direct cause" in text and "fails_above_half" in text
    assert text.endswith("at transfer.a = 0.6") and "/economics/explore.py" not in text
    assert plt.get_fignums() == []
    share.value = 0.3
    assert "image/png" in area.outputs[0]["data"]


def test_an_error_in_the_static_state_stops_the_notebook():
    view = explore.explorer(fails_above_half, [row("transfer.a", 0.1, 0.6, 0.7)])
    for show in (view.figure, view.table):
        with pytest.raises(ValueError, match="above a half"):
            show()


def test_the_table_has_the_result_at_each_end(full):
    lines = full.table().data.splitlines()
    assert lines[0] == "transfer.a=0.4 price.b=2500.0 sourcing=build"
    assert [line for line in lines if line.startswith("| Name")] == [
        "| Name of transfer.a | 20% | 40% | 70% | 500 | 1,750 |",
        "| Name of price.b (USD/month) | 1,000 | 2,500 | 9,000 | 400 | 3,600 |",
    ]
    assert [line for line in lines if line.startswith("| bu")] == [
        "| build | 1,000 |", "| buy | 500 |",
    ]  # fmt: skip
    assert lines[-1] == "Worth, USD a month, base case: 1,000."


def test_without_a_result_the_table_is_the_sliders(drawing):
    view = explore.explorer(lambda values: Markdown("**base**"), [PRICE])
    assert view.table().data.splitlines() == [
        "**base**",
        "",
        "| assumption | low | base | high |",
        "|:--|--:|--:|--:|",
        "| Name of price.b (USD/month) | 1,000 | 2,500 | 9,000 |",
    ]
    with pytest.raises(ValueError, match="no figure"):
        view.figure()


@pytest.mark.parametrize(
    ("low", "high", "unit", "shown"),
    [
        (0.0248, 0.0675, "USD/vCPU-hour", ",.4f"),
        (1.99, 6.88, "USD/GPU-hour", ",.2f"),
        (400_000.0, 900_000.0, "USD/year", ",.0f"),
        (0.02, 0.04, "share/year", ",.2%"),
        (0.0, 1.0, "share", ",.0%"),
        (-2.59, 7.9, "USD", ",.2f"),
    ],
)
def test_a_hundredth_of_the_range_can_be_seen(low, high, unit, shown):
    it = row("a", low, (low + high) / 2, high, unit)
    assert explore.form(it) == shown
    assert format(low + (high - low) / 100, shown) != format(low, shown)
    explore.explorer(lambda _: None, [it]).widget()  # ipywidgets accepts the format


@pytest.mark.parametrize(
    ("low", "base", "high", "unit", "shown"),
    [
        (0.2, 0.5, 0.8, "share", ",.0%"),
        (0.02, 0.035, 0.055, "1/year", ",.1%"),
        (1.0, 2.0, 4.0, "months", ",.0f"),
        (2.59, 3.5, 7.912, "USD/GPU-hour", ",.2f"),
        (1000.0, 2500.4, 9000.0, "USD", ",.0f"),
    ],
)
def test_a_table_has_no_idle_zeros(low, base, high, unit, shown):
    assert explore.short(row("a", low, base, high, unit)) == shown


@pytest.mark.parametrize(
    ("name", "unit", "shown"),
    [
        ("Savings", "share", "Savings"),
        ("Leak", "share/year", "Leak (a year)"),
        ("Growth of wages a year", "1/year", "Growth of wages a year"),
        ("Growth of traffic", "1/year", "Growth of traffic (a year)"),
        ("Retrainings", "run/year", "Retrainings (run/year)"),
        ("One H200 for an hour", "USD/GPU-hour", "One H200 for an hour (USD/GPU-hour)"),
    ],
)
def test_a_label_says_the_unit_once(name, unit, shown):
    it = dataclasses.replace(row("a", 0.1, 0.2, 0.3, unit), name=name)
    assert explore.label(it) == shown
    assert explore.form(it).endswith("%") == (unit.split("/")[0] in ("share", "1"))


def test_a_minus_is_a_minus():
    def result(_):
        return "NPV, USD", -1234.0

    view = explore.explorer(lambda _: None, [SHARE], result=result)
    assert "−1,234" in view.table().data
    nothing = explore.explorer(lambda _: None, [SHARE], result=lambda _: ("NPV, USD", -0.2))
    assert nothing.table().data.endswith("base case: 0.")


@pytest.mark.parametrize(
    ("rows", "choices", "error"),
    [
        ([], {}, "nothing to change"),
        ([row("a", 2, 2, 2)], {}, "a: low = high = 2 is no slider"),
        ([SHARE, SHARE], {}, "transfer.a: twice"),
        ([SHARE], {"sourcing": []}, "choice 'sourcing': no options"),
        ([row("sourcing", 1, 2, 3)], {"sourcing": ["buy"]}, "also the id of a row"),
        ([SHARE], {"how to": ["buy"]}, "choice 'how to': not an identifier"),
    ],
)
def test_what_cannot_be_explored_is_refused(rows, choices, error):
    with pytest.raises(ValueError, match=error):
        explore.explorer(lambda _: None, rows, choices=choices)


def test_two_figures_are_one_too_many():
    def draw(_):
        plt.figure()
        plt.figure()

    with pytest.raises(ValueError, match="2 figures"):
        explore.explorer(draw, [SHARE]).figure()
    assert plt.get_fignums() == []


# In a kernel, and on a page

CELLS = [
    (
        [],
        """\
import datetime
import matplotlib.pyplot as plt
from synthecon.economics import explore, ledger
from synthecon import plots
known = ledger.Row.__dataclass_fields__
given = {name: "" for name in known}
given |= dict(id="transfer.a", name="Share that carries over", low=.2, base=.4, high=.7)
given |= dict(unit="share", as_of=datetime.date(2026, 1, 31))
rows = [ledger.Row(**{k: v for k, v in given.items() if k in known})]
def draw(values):
    _, ax = plt.subplots(figsize=(4, 2))
    ax.plot([0, values["transfer.a"]])
def worth(values):
    return "NPV, USD", 1000 * values["transfer.a"]
view = explore.explorer(draw, rows, result=worth)""",
    ),
    (["hide-input"], "view.figure()"),
    (["hide-input"], "view.table()"),
    (["nbval-ignore-output", "remove-output"], "view.live()"),
    (
        [],
        """\
*_, slider, button, area = view.widget().children
slider.value = .7
print(area.outputs[0]["data"]["text/markdown"].strip())
print(plt.get_fignums())""",
    ),
]
FIGURE = {"figure": {"caption": "A line.", "name": "fig-line"}, "image": {"alt": "A line rises."}}


def in_a_thread(work: Callable):  # type: ignore[no-untyped-def, type-arg]
    """A browser test in the same process may have left a loop running in the main one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def executed(**environment: str) -> nbformat.NotebookNode:
    new = nbformat.v4
    cells = [new.new_markdown_cell("# Explorer\n\nWords.")]
    for number, (tags, source) in enumerate(CELLS):
        cells.append(new.new_code_cell(source, id=f"cell-{number}", metadata={"tags": tags}))
    cells[2]["metadata"]["mystnb"] = FIGURE
    notebook = new.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    inherited = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    return in_a_thread(lambda: client.execute(env={**inherited, **environment}))


@pytest.fixture(scope="module")
def live():
    return executed()


@pytest.fixture(scope="module")
def recorded():
    return executed(SYNTHECON_RECORD="/nowhere.json")


def outputs(notebook, number: int) -> list:
    return notebook["cells"][number + 1]["outputs"]


def test_a_kernel_shows_the_sliders(live):
    [shown] = outputs(live, 3)
    assert "application/vnd.jupyter.widget-view+json" in shown["data"]
    assert outputs(live, 4)[0]["text"] == "**NPV, USD: 700**, in the base case 400\n[]\n"
    everything = [o for n in range(len(CELLS)) for o in outputs(live, n)]
    assert not [o for o in everything if o["output_type"] == "error" or o.get("name") == "stderr"]


def test_a_recorded_run_keeps_no_widget_and_little_else(recorded, live):
    assert outputs(recorded, 3) == []
    [image], [table] = outputs(recorded, 1), outputs(recorded, 2)
    assert list(image["data"]) == ["image/png", "text/plain"]
    assert (
        "| Share that carries over | 20% | 40% | 70% | 200 | 700 |"
        in (table["data"]["text/markdown"])
    )
    text = json.dumps([outputs(recorded, n) for n in range(4)])
    assert "widget" not in text and len(text) < 60_000
    # The same bytes again, whoever runs it
    for number in (1, 2):
        assert outputs(recorded, number)[0]["data"] == outputs(live, number)[0]["data"]


def test_nbval_accepts_the_recorded_notebook(recorded, tmp_path: Path):
    """Strictly; its kernel shows the sliders, which the file does not hold."""
    file = tmp_path / "recorded.ipynb"
    nbformat.write(recorded, file)
    options = ["--nbval", "--nbval-current-env", "-q", "-p", "nbval.plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(file)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert f"{len(CELLS)} passed" in done.stdout, done.stdout


CONF = """\
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_render_markdown_format = "myst"
html_theme = "basic"
"""


def test_pages_show_the_static_state_alone(recorded, live, tmp_path: Path):
    """Even that of a notebook which a person saved with live sliders."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.skip("no browser")
    (tmp_path / "index.md").write_text("# Pages\n\n```{toctree}\nrecorded\nsaved\n```\n")
    nbformat.write(recorded, tmp_path / "recorded.ipynb")
    saved = nbformat.writes(live).replace("fig-line", "fig-saved")
    (tmp_path / "saved.ipynb").write_text(saved, encoding="utf-8")
    (tmp_path / "conf.py").write_text(CONF, encoding="utf-8")
    html = tmp_path / "html"
    with docutils_namespace():
        folders = (tmp_path, tmp_path, html, html)
        Sphinx(*folders, "html", status=None, warningiserror=True).build()

    def look(page: str) -> dict[str, object]:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-gpu"]
            )
            tab = chromium.new_page()
            wrong: list[str] = []
            tab.on("request", lambda r: r.url.startswith("file:") or wrong.append(r.url))
            tab.on("console", lambda m: m.type != "error" or wrong.append(m.text))
            tab.goto((html / page).as_uri(), wait_until="load")
            seen = {
                "wrong": wrong,
                "figures": tab.eval_on_selector_all("figure img", "all => all.map(x => x.alt)"),
                "table": tab.locator("td").all_inner_texts(),
                "widgets": tab.locator("script[type*='widget-view']").count(),
                "repr": [word for word in ("VBox", "Slider(") if word in tab.inner_text("body")],
            }
            chromium.close()
        return seen

    for page in ("recorded.html", "saved.html"):
        assert in_a_thread(lambda page=page: look(page)) == {
            "wrong": [],
            "figures": ["A line rises."],
            "table": ["Share that carries over", "20%", "40%", "70%", "200", "700"],
            "widgets": 0,
            "repr": [],
        }
