"""Explorers: sliders on a few assumptions of the ledger, and what they do to a figure.

On the site no kernel answers a slider.  So an explorer has two faces, and a notebook shows them in
three cells, after one that makes it:

    def draw(values, sourcing):            # {id: value} of the sliders, the options by name
        figures_lesson2.j_curve(...)       # leaves one figure open, or returns it
        return plots.table(...)            # or a str of Markdown, or nothing

    def worth(values, sourcing):           # name with its unit, and the number
        return "NPV, thousand USD", float(m.npv(m.base(**values))) / 1000

    sliders = [m.rows[k] for k in ("transfer.distil-inference", "finance.wacc")]
    view = explore.explorer(draw, sliders, choices={"sourcing": ["build", "buy"]}, result=worth)

    view.figure()  # tags: hide-input; metadata.mystnb with figure and alt text, as for any figure
    view.table()   # tags: hide-input
    view.live()    # tags: nbval-ignore-output, remove-output

- `figure` and `table` are the static face: the base case, and the result at both ends of each
  slider.  They are ordinary outputs, and nbval compares the table strictly.  They take a cell each,
  because the book puts every output of a cell with a caption into the figure.
- `live` is the other face: it shows the sliders where a person runs the cell, and nothing in a
  recorded run (the runner sets SYNTHECON_RECORD in its kernels).  So the committed notebook holds
  neither a widget nor its random id, and opens without "model not found".  nbval's kernel does
  make the widget, which proves that it can be made; `nbval-ignore-output` lets it differ from the
  empty output on file.  `remove-output` keeps a notebook that somebody saved with live sliders
  from leaving a dead widget on the site.
- Without choices `draw` and `result` take the values alone.  The first option is the base case.

Nothing here needs more than ipywidgets itself, and nothing is kept outside the explorer: a figure
is rendered, closed and set as the output, so it makes no difference which front end shows it.
"""

from __future__ import annotations

import base64
import functools
import html
import io
import itertools
import math
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import Image, Markdown, display
from matplotlib.figure import Figure

from synthecon import plots
from synthecon.economics import ledger

Values = Mapping[str, float]
Drawn = Figure | Markdown | str | None


def is_percent(row: ledger.Row) -> bool:
    """Whether the row reads as a percentage: a share, or a rate (interest, growth, decay).

    A count a year is no rate: its unit says what is counted, "run/year".
    """
    return row.unit.split("/")[0] in ("share", "1")


def form(row: ledger.Row) -> str:
    """The format in which a hundredth of the row's range, and three digits of it, can be seen."""
    largest = max(abs(row.low), abs(row.high)) * (100 if is_percent(row) else 1)
    step = (row.high - row.low) * (1 if is_percent(row) else 0.01)
    decimals = max(0, *(math.ceil(-math.log10(x) - 1e-9) for x in (step, largest / 100) if x > 0))
    return f",.{decimals}{'%' if is_percent(row) else 'f'}"


def short(row: ledger.Row) -> str:
    """The format in which low, base and high say what `form` says of them, without idle zeros."""
    full, sign = form(row), form(row)[-1]
    numbers = (row.low, row.base, row.high)
    for decimals in range(int(full[2:-1])):
        shown = f",.{decimals}{sign}"
        if all(_read(x, shown) == _read(x, full) for x in numbers):
            return shown
    return full


def _read(value: float, form: str) -> Decimal:
    return Decimal(format(value, form).strip("%").replace(",", ""))


def unit(row: ledger.Row) -> str:
    """The unit beside the row's numbers in `form`: the percent sign stands in them."""
    if not is_percent(row):
        return row.unit
    _, _, per = row.unit.partition("/")
    return f"a {per}" if per else ""


def label(row: ledger.Row) -> str:
    """Name and unit, the latter where the name does not end in it."""
    shown = unit(row)
    return f"{row.name} ({shown})" if shown and not row.name.endswith(shown) else row.name


def _range(row: ledger.Row) -> str:
    low, high = (number(x, short(row)) for x in (row.low, row.high))
    return f"{label(row)}: {low} to {high}"


@dataclass(frozen=True)
class Explorer:
    """What `explorer` made; see the module for the cells that show it."""

    draw: Callable[..., Drawn]
    rows: tuple[ledger.Row, ...]
    choices: Mapping[str, tuple[str, ...]]
    result: Callable[..., tuple[str, float]] | None
    result_form: str

    @property
    def base(self) -> dict[str, float]:
        """The base value of each slider by id."""
        return {row.id: row.base for row in self.rows}

    @property
    def first(self) -> dict[str, str]:
        """The first option of each choice."""
        return {name: options[0] for name, options in self.choices.items()}

    def figure(self) -> Image:
        """The figure of the base case.

        Raises:
            ValueError: `draw` makes no figure, or more than one; and whatever `draw` raises.
        """
        png, _ = _drawn(self.draw, self.base, self.first)
        if png is None:
            raise ValueError("draw made no figure: the explorer has only a table")
        return Image(png)

    def table(self) -> Markdown:
        """What `draw` says of the base case, and the sliders with the result at both ends."""
        _, text = _drawn(self.draw, self.base, self.first)
        return Markdown("\n\n".join(filter(None, (text, *self._tables()))))

    def _tables(self) -> list[str]:
        head, rows = ["assumption", "low", "base", "high"], []
        for row in self.rows:
            numbers = [number(x, short(row)) for x in (row.low, row.base, row.high)]
            ends = [self._at({row.id: x}) for x in (row.low, row.high)] if self.result else []
            rows.append([label(row).replace("|", r"\|"), *numbers, *ends])
        if self.result is None:
            return [plots.table(head, rows).data]
        name, _ = self.result(self.base, **self.first)
        found = [plots.table([*head, f"{name}: at low", "at high"], rows).data]
        for choice, options in self.choices.items():
            each = [[option, self._at({}, {choice: option})] for option in options]
            found.append(plots.table([_title(choice), name], each).data)
        return [*found, f"{name}, base case: {self._at_base}."]

    @functools.cached_property
    def _at_base(self) -> str:
        return self._at({})

    def _at(self, values: Values, chosen: Mapping[str, str] | None = None) -> str:
        """The result with some values and options replaced, the rest at base."""
        assert self.result is not None
        _, value = self.result({**self.base, **values}, **{**self.first, **(chosen or {})})
        return number(value, self.result_form)

    def live(self) -> None:
        """Show the sliders; in a recorded run show nothing."""
        if "SYNTHECON_RECORD" not in os.environ:
            display(self.widget())

    def widget(self) -> Any:
        """The sliders, the menus, the reset button and the output area, in a VBox."""
        import ipywidgets as widgets

        wide = widgets.Layout(width="auto", max_width="46em")
        sliders = {
            row.id: widgets.FloatSlider(
                row.base,
                min=row.low,
                max=row.high,
                step=(row.high - row.low) / 100,
                tooltip=label(row),
                readout_format=form(row),
                continuous_update=False,  # one drawing when the slider is let go
                layout=wide,
            )
            for row in self.rows
        }
        menus = {
            name: widgets.Dropdown(options=options, tooltip=_title(name), layout=wide)
            for name, options in self.choices.items()
        }
        controls, base = {**menus, **sliders}, {**self.first, **self.base}
        # A line above each control: beside it, the front end would cut names, units first.
        texts = [*map(_title, menus), *(_range(row) for row in self.rows)]
        lines = [widgets.HTML(html.escape(text), layout=wide) for text in texts]
        button = widgets.Button(
            description="Back to the base case", icon="undo", layout={"width": "max-content"}
        )
        area = widgets.Output()
        held = False

        def redraw(_: object = None) -> None:
            if not held:
                area.outputs = self._outputs(
                    {name: slider.value for name, slider in sliders.items()},
                    {name: menu.value for name, menu in menus.items()},
                )

        def reset(_: object) -> None:
            nonlocal held
            held = True  # one drawing for all
            try:
                for name, control in controls.items():
                    control.value = base[name]
            finally:
                held = False
            redraw()

        for control in controls.values():
            control.observe(redraw, names="value")
        button.on_click(reset)
        redraw()
        named = itertools.chain(*zip(lines, controls.values(), strict=True))
        return widgets.VBox([*named, button, area])

    def _outputs(self, values: Values, chosen: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
        """What the output area shows, in the notebook's own format; an error with its cause."""
        try:
            png, text = _drawn(self.draw, values, chosen)
            if self.result is not None:
                name, value = self.result(values, **chosen)
                line = f"**{name}: {number(value, self.result_form)}**"
                text = f"{line}, in the base case {self._at_base}\n\n{text}"
        except Exception as error:
            return (_told(error, {**values, **chosen}),)
        shown = [{"text/markdown": text, "text/plain": text}] if text else []
        if png is not None:
            shown.append({"image/png": base64.b64encode(png).decode(), "text/plain": "figure"})
        return tuple({"output_type": "display_data", "data": d, "metadata": {}} for d in shown)


def explorer(
    draw: Callable[..., Drawn],
    rows: Sequence[ledger.Row],
    *,
    choices: Mapping[str, Sequence[str]] | None = None,
    result: Callable[..., tuple[str, float]] | None = None,
    result_form: str = ",.0f",
) -> Explorer:
    """Sliders on `rows`, menus for `choices`, and what `draw` makes of them.

    Args:
        draw: called as draw(values, **chosen) with {row id: value in the row's unit} and the
            chosen option of each choice.  It leaves at most one pyplot figure open, or returns a
            Figure; beside it, it may return Markdown (text, or what `plots.table` returns).
        rows: assumptions with low < high.
        choices: options by name; the first is the base case.  A name is a Python identifier.
        result: called like `draw`; the name of one number with its unit, and the number.
        result_form: format of that number.  Leave it slack: nbval compares the text.

    Raises:
        ValueError: nothing to change, a row twice, a row without a range, a choice without
            options, a name that is no identifier or is a row's id.
    """
    ids = [row.id for row in rows]
    options = {name: tuple(given) for name, given in (choices or {}).items()}
    wrong = [f"{r.id}: low = high = {r.low:g} is no slider" for r in rows if not r.low < r.high]
    wrong += [f"{key}: twice" for key in dict.fromkeys(ids) if ids.count(key) > 1]
    wrong += [f"choice {name!r}: no options" for name, given in options.items() if not given]
    wrong += [f"choice {name!r}: not an identifier" for name in options if not name.isidentifier()]
    wrong += [f"choice {name!r}: also the id of a row" for name in options if name in ids]
    if not ids and not options:
        wrong.append("nothing to change: give rows or choices")
    if wrong:
        raise ValueError("; ".join(wrong))
    return Explorer(draw, tuple(rows), options, result, result_form)


def _drawn(
    draw: Callable[..., Drawn], values: Values, chosen: Mapping[str, str]
) -> tuple[bytes | None, str]:
    """PNG and Markdown of one drawing; every figure that it opened is closed again."""
    before = set(plt.get_fignums())
    try:
        returned = draw(dict(values), **chosen)
        figures = [plt.figure(n) for n in plt.get_fignums() if n not in before]
        if isinstance(returned, Figure) and returned not in figures:
            figures.append(returned)
        if len(figures) > 1:
            raise ValueError(f"draw made {len(figures)} figures: one at most")
        png = _png(figures[0]) if figures else None
    finally:
        for n in set(plt.get_fignums()) - before:
            plt.close(n)
    text = getattr(returned, "data", returned)
    return png, text if isinstance(text, str) else ""


def _png(figure: Figure) -> bytes:
    """As a notebook shows it: the figure's own resolution, cut to what is drawn."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi="figure", bbox_inches="tight")
    return file.getvalue()


def _told(error: Exception, at: Mapping[str, object]) -> dict[str, Any]:
    """An error output: the reader's own frames, the causes, and the values that led to it."""
    theirs = error.__traceback__
    while theirs and theirs.tb_frame.f_code.co_filename == __file__:
        theirs = theirs.tb_next
    lines = traceback.format_exception(type(error), error, theirs)
    where = (f"{k} = {format(v, '.6g' if isinstance(v, float) else '')}" for k, v in at.items())
    return {
        "output_type": "error",
        "ename": type(error).__name__,
        "evalue": str(error),
        "traceback": [*"".join(lines).splitlines(), f"at {', '.join(where)}"],
    }


def number(value: float, form: str) -> str:
    """With a true minus sign, and none before a zero."""
    text = format(value, form)
    return text.replace("-", "−") if any(c in "123456789" for c in text) else text.lstrip("-")


def _title(name: str) -> str:
    return name.replace("_", " ")
