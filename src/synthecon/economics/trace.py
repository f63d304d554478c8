"""Where a number comes from and where it goes: from its source to the cells and pages that show it.

`synthecon trace ID` takes the id of a ledger row, of an item, or of an output of the model.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from synthecon import Problem, paths, records
from synthecon.economics import (
    formula,
    ledger,
    model,
    outcome,
    sources,
    spreadsheet,
    tco,
    uncertain,
    workbook,
    workbook_draft,
)

PAGES = ("book", "notebooks", "labs", "solutions")  # below the checkout
TOP = 8  # rows of the ledger that an output names
CELLS = 24  # cells that are listed


def trace(found: model.Model, key: str) -> list[str]:
    """Everything about one id, as lines of text.

    Raises:
        Problem: no row, item or output has this id.
    """
    book = workbook.build(found)
    items = {item.id: item for item in found.items}
    if key in outcome.MEASURES:
        lines = _output(found, book, key)
    elif key in found.rows or key in found.derived:
        lines = _row(found, book, key)
    elif key in items:
        lines = _item(found, book, items[key])
    else:
        known = (*found.rows, *found.derived, *items, *outcome.MEASURES)
        near = difflib.get_close_matches(key, known, 5, 0.5)
        near += [name for name in known if key in name and name not in near]
        hint = f": did you mean {', '.join(near)}?" if near else "."
        raise Problem(
            f"no ledger row, item or output {key!r} in {found.folder}{hint} Its ids stand in "
            f"ledger.csv and items.csv; the outputs are {', '.join(outcome.MEASURES)}"
        )
    cells = [f"  {cell}  {what}" for cell, what in dict.fromkeys(book.where.get(key, ()))]
    lines += ["", "In the workbook", *cells[:CELLS]]
    lines += [f"  and {len(cells) - CELLS} more"] * (len(cells) > CELLS)
    shown = [f"  {place}" for place in dict.fromkeys(_shown(found, key))]
    return [*lines, "", "Shown in", *(shown or ["  no page, notebook or record names it"])]


def _number(x: float) -> str:
    return f"{x:,.6g}" if abs(x) < 1e6 else f"{x:,.0f}"


def _place(path: Path, key: str) -> str:
    """Where a table has this id in its first column."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader, before = csv.reader(file), 0
        for cells in reader:
            if cells and cells[0].strip() == key:
                digest = workbook_draft.digest(path)
                return f"{_short(path)}, line {before + 1}, file sha256 {digest}"
            before = reader.line_num
    return _short(path)


def _short(path: Path) -> str:
    """As seen from the checkout."""
    path, root = path.resolve(), paths.root().resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _row(found: model.Model, book: workbook.Book, key: str) -> list[str]:
    row = found.rows.get(key) or found.derived[key]
    lines = [f"{key}: {row.name}", f"  {_place(found.folder / 'ledger.csv', key)}"]
    if isinstance(row, ledger.Derived):
        lines += [*_tree(found, book, key, 1)]
    else:
        three = " · ".join(map(_number, (row.low, row.base, row.high)))
        lines.append(f"  low · base · high: {three} {row.unit}, {row.distribution}")
        lines.append(f"  {row.source_type}: {row.source}")
        lines += [f"  {line}" for line in _origin(found, row)]
        group = f", moves with {row.group}" if row.group else ""
        lines.append(f"  confidence {row.confidence}{group}")
    lines.append(f"  as of {row.as_of}, {row.owner} answers for it")
    lines += [f"  note: {row.note}"] * bool(row.note)
    lines += ["", "Used by", *(_users(found, key) or ["  nothing"])]
    return lines + _effects(found, book, [key])


def _origin(found: model.Model, row: ledger.Row) -> Iterator[str]:
    """What the source says now, where a program can know."""
    now = sources.of(row, model.books(found.audit))
    if now is None:
        return
    low, base, high = now.three
    same = (low, base, high) == (row.low, row.base, row.high)
    agrees = "as in the ledger" if same else "NOT as in the ledger"
    if row.source_type != "measured":
        yield f"the books say now: {_number(base)} {now.unit}, {agrees}"
        files = (p for some in found.policy.files.values() for p in some)
        yield "from " + ", ".join(_short(p) for p in files)
        return
    record, m = records.find(row.source.split()[0])
    stale = records.stale(record, data=False)
    yield f"measurement: {m.title}"
    span = f" [{_number(low)}, {_number(high)}]" if m.low is not None else ""
    yield f"the record says now: {_number(base)} {m.unit}{span}, sha:{now.hash}, {agrees}"
    yield f"record: results/{record.id}.json, {'stale: ' + stale[0] if stale else 'fresh'}"
    yield f"notebook: notebooks/{record.notebook}.ipynb"


def _tree(found: model.Model, book: workbook.Book, key: str, depth: int) -> Iterator[str]:
    """A row, its formula, and below it the rows that it is made of, down to the sources."""
    pad, value = "  " * depth, _number(float(book.values[key]))
    if key in found.derived:
        row = found.derived[key]
        yield f"{pad}{key} = {row.source} = {value} {row.unit}"
        for name in dict.fromkeys(formula.names(row.formula)):
            yield from _tree(found, book, name, depth + 1)
    else:
        own = found.rows[key]
        source = own.source if len(own.source) <= 90 else own.source[:89] + "…"
        yield f"{pad}{key} = {value} {own.unit}  ({own.source_type}: {source})"


def _users(found: model.Model, key: str) -> list[str]:
    """Formulas that name it, and items that it enters, directly or through formulas."""
    lines = [
        f"  {name} = {row.source}"
        for name, row in found.derived.items()
        if key in formula.names(row.formula)
    ]
    for item in found.items:
        if key in _direct(item):
            lines.append(f"  item {item.id}: {item.name}")
        elif key in model.ancestors(set(_direct(item)), found.derived):
            lines.append(f"  item {item.id}, through a formula: {item.name}")
    lines += _tables(found, key)
    plan = {"finance.wacc": "discounting", "finance.tax": "tax", "finance.capex-life": "tax"}
    return lines + ([f"  {plan[key]}"] if key in plan else [])


def _tables(found: model.Model, key: str) -> list[str]:
    """Other tables of the case that name it: levers, choices of sourcing, components."""
    words = [key]
    if key in found.rows and found.rows[key].source_type == "measured":
        words.append(found.rows[key].source.split()[0])
    return [
        f"  {_short(path)}{place}"
        for path in sorted([*found.folder.glob("*.csv"), *found.folder.glob("*.toml")])
        if path.name not in ("ledger.csv", "items.csv")
        for place, text in _parts(path)
        if any(_names(word, text) for word in words)
    ]


def _direct(item: tco.Item) -> list[str]:
    """What an item names in its cells."""
    times = (when for when in item.times if isinstance(when, str))
    return [*(name for name, _ in item.factors), *times, *filter(None, [item.growth])]


def _effects(found: model.Model, book: workbook.Book, keys: Sequence[str]) -> list[str]:
    """What the uncertainty of these rows, or of those that they are made of, does to the NPV."""
    base = float(book.result.measures["npv"])
    some = model.ancestors(set(keys), found.derived)
    swings = uncertain.tornado(found.npv, found.rows)
    moving = sum(swing.width > 0 for swing in swings)
    lines = [
        "",
        f"Effect on the net present value ({base:,.0f} {found.currency} at base), one at a time",
    ]
    for rank, swing in enumerate(swings, 1):
        if swing.id not in some:
            continue
        if not swing.width:
            lines.append(f"  {swing.id}: none, the cash model does not use it")
            continue
        even = uncertain.break_even(found.npv, found.rows, swing.id)
        turn = "no break-even within its range" if even is None else f"zero at {_number(even)}"
        lines.append(
            f"  {swing.id}: {swing.low:,.0f} at low, {swing.high:,.0f} at high, swing "
            f"{swing.width:,.0f}, number {rank} of {moving}; {turn}"
        )
    return lines if len(lines) > 2 else [*lines, "  none: it has no range"]


def _item(found: model.Model, book: workbook.Book, item: tco.Item) -> list[str]:
    amount = float(tco.amount(item, book.values))
    unit = found.currency + ("" if item.kind == "once" else "/month")
    spelled = "".join(f" {'*' if p > 0 else '/'} {n}" for n, p in item.factors)
    times = ", ".join(
        f"{name} {when if isinstance(when, str) else f'{when:g}'}"
        for name, when in zip(tco.TIMES, item.times, strict=True)
    )
    share = _share(found, book, item)
    lines = [
        f"{item.id}: {item.name}",
        f"  {_place(found.folder / 'items.csv', item.id)}",
        f"  {' and '.join(item.scenario)}, {item.category}, on line {item.line}, "
        f"{'cash' if item.cash else 'no cash'}, {item.kind}",
        f"  {times}; growth {item.growth or 'none'}",
        f"  amount = {spelled.removeprefix(' * ')} = {_number(amount)} {unit}",
        f"  it moves the net present value by {share:,.0f} {found.currency}",
        *([f"  note: {item.note}"] if item.note else []),
        "",
        "Made of",
    ]
    names = [n for n in dict.fromkeys(_direct(item)) if n in book.values]
    for name in names:
        lines += _tree(found, book, name, 1)
    if tables := _tables(found, item.id):
        lines += ["", "Named in", *tables]
    return lines + _effects(found, book, names)


def _share(found: model.Model, book: workbook.Book, item: tco.Item) -> float:
    """What the item does to the net present value: with it, less without it."""
    others = [other for other in found.items if other.id != item.id]
    without = float(tco.npv(others, book.values, found.plan(book.values)))
    return float(book.result.measures["npv"]) - without


def _output(found: model.Model, book: workbook.Book, key: str) -> list[str]:
    value = outcome.text(book.result.measures[key], key, found.currency)
    failed = book.failed()
    checks = "all checks hold" if not failed else f"FAILED: {', '.join(failed)}"
    lines = [f"{key}: {outcome.MEASURES[key]}", f"  {value} at base; {checks}"]
    cell = next(iter(book.where[key]))[0]
    lines.append(f"  = {_formula(book, cell)}")
    shares = sorted(
        ((_share(found, book, i), i) for i in found.items if i.cash and len(i.scenario) == 1),
        key=lambda pair: -abs(pair[0]),
    )
    lines += ["", f"Items, and what each does to the net present value in {found.currency}"]
    lines += [f"  {share:>+14,.0f}  {item.id}: {item.name}" for share, item in shares]
    same = [i.id for i in found.items if i.cash and len(i.scenario) > 1]
    lines += [f"  {'0':>14}  in both scenarios alike: {', '.join(same)}"] * bool(same)
    rows = [s.id for s in uncertain.tornado(found.npv, found.rows)[:TOP]]
    return lines + _effects(found, book, rows)


def _formula(book: workbook.Book, cell: str) -> str:
    """What a cell holds, "Months!D211"."""
    name, _, place = cell.rpartition("!")
    sheet = next(s for s in book.sheets if s.name == name.strip("'"))
    at = next(k for k in sheet.cells if spreadsheet.at(*k) == place)
    return str(sheet.cells[at].content).removeprefix("=")


def _shown(found: model.Model, key: str) -> Iterator[str]:
    """Pages, notebooks and records that name the id, or the measurement that its row is."""
    words = {key: ""}
    row = found.rows.get(key)
    if row is not None and row.source_type == "measured":
        words[row.source.split()[0]] = ", by its measurement"
    if key not in outcome.MEASURES:  # "npv" is a word of every page
        for path in sorted(p for folder in PAGES for p in (paths.root() / folder).rglob("*")):
            if path.suffix in (".md", ".ipynb", ".yml"):
                for place, text in _parts(path):
                    for word, how in words.items():
                        if _names(word, text):
                            yield f"{_short(path)}{place}{how}"
    table = f"{_short(found.folder / 'ledger.csv')}#{key}"
    for record in records.load_all().values():
        if any(used["name"] == table for used in record.data):
            yield f"results/{record.id}.json, which used the row"
        for m in record.measurements:
            if key in outcome.MEASURES and key in m.name.split("."):
                yield f"results/{record.id}.json#{m.name}: {_number(m.value)} {m.unit}"


def _names(word: str, text: str) -> bool:
    """The id itself, and not a longer one that begins or ends with it."""
    return bool(re.search(rf"(?<![\w.#/-]){re.escape(word)}(?![\w#/-]|\.\w)", text))


def _parts(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a page; of a notebook, its cells and what they printed."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        yield from ((f", line {n}", line) for n, line in enumerate(content.splitlines(), 1))
        return
    for number, cell in enumerate(json.loads(content)["cells"], 1):
        yield f", cell {number}", "".join(cell["source"])
        for out in cell.get("outputs", ()):
            data = out.get("data", {})
            texts = [out.get("text", ""), *(data.get(k, "") for k in data if "image" not in k)]
            whole = "".join(t if isinstance(t, str) else "".join(map(str, t)) for t in texts)
            yield f", output of cell {number}", whole


def main(arguments: Sequence[str]) -> int:
    """`synthecon trace`."""
    parser = argparse.ArgumentParser(
        prog="synthecon trace",
        description="Follow a ledger row, an item or an output from its source to where it shows.",
        epilog=f"outputs: {', '.join(outcome.MEASURES)}",
    )
    parser.add_argument("id", metavar="ID", help="of a ledger row, an item or an output")
    parser.add_argument("folder", nargs="?", type=Path, help="case folder (case)")
    options = parser.parse_args(arguments)
    found = model.load(options.folder or paths.root() / "case")
    print("\n".join(trace(found, options.id)))
    return 0
