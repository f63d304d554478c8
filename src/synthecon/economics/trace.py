"""Where a number comes from and where it goes: from its source to the cells and pages that show it.

`synthecon trace ID` takes the id of a ledger row, of an item (of sourcing.csv too), of an output of
the model, of a run record, or of a measurement; a measurement of lesson 2 by its name alone too.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from synthecon import Problem, paths, records
from synthecon.economics import (
    formula,
    ledger,
    model,
    outcome,
    sources,
    spreadsheet,
    table,
    tco,
    uncertain,
    workbook,
    workbook_draft,
)

PAGES = ("book", "notebooks", "labs", "solutions")  # below the checkout
LESSON = "/lesson-2-economics/"  # records whose measurements are known by their name alone
TOP = 8  # rows of the ledger that an output names
CELLS = 24  # cells that are listed


def trace(found: model.Model, key: str) -> list[str]:
    """Everything about one id, as lines of text.

    Raises:
        Problem: no row, item, output, record or measurement has this id.
    """
    items = {item.id: item for item in found.items}
    if not (key in outcome.MEASURES or key in found.rows or key in found.derived or key in items):
        if "#" in key or key in records.load_all():
            return _run(found, key)
        if key in (others := _sourcing(found)):
            return _apart(found, others[key])
        if several := short(key, found.folder):
            return [line for name in several for line in [*_run(found, name), ""]][:-1]
        raise _unknown(found, key)
    book = workbook.build(found)
    if key in outcome.MEASURES:
        lines = _output(found, book, key)
    elif key in found.rows or key in found.derived:
        lines = _row(found, book, key)
    else:
        lines = _item(found, book, items[key])
    cells = [f"  {cell}  {what}" for cell, what in dict.fromkeys(book.where.get(key, ()))]
    lines += ["", "In the workbook", *cells[:CELLS]]
    lines += [f"  and {len(cells) - CELLS} more"] * (len(cells) > CELLS)
    return lines + _places(found, key)


def _unknown(found: model.Model, key: str) -> Problem:
    known = (
        *found.rows,
        *found.derived,
        *(i.id for i in found.items),
        *_sourcing(found),
        *outcome.MEASURES,
    )
    near = difflib.get_close_matches(key, known, 5, 0.5)
    near += [name for name in known if key in name and name not in near]
    hint = f": did you mean {', '.join(near)}?" if near else "."
    return Problem(
        f"no ledger row, item, output, record or measurement {key!r} in {found.folder}{hint} "
        "Its ids stand in ledger.csv, items.csv and sourcing.csv, those of records below "
        f"results/; the outputs are {', '.join(outcome.MEASURES)}"
    )


def _places(found: model.Model, key: str) -> list[str]:
    shown = [f"  {place}" for place in dict.fromkeys(_shown(found, key))]
    return ["", "Shown in", *(shown or ["  no page, notebook or record names it"])]


def short(name: str, folder: Path) -> list[str]:
    """The measurements of lesson 2 about this company that have this name, by their full id."""
    return [
        f"{record.id}#{name}"
        for record in records.load_all().values()
        if LESSON in record.id
        and about(record, folder)
        and any(m.name == name for m in record.measurements)
    ]


def about(record: records.RunRecord, folder: Path) -> bool:
    """Whether a run about companies was about this one: its parameter says which."""
    company = str(record.parameters.get("company", "case"))
    return (paths.root() / company).resolve() == folder.resolve()


def _run(found: model.Model, key: str) -> list[str]:
    """A record, or one of its measurements: what it says, where it came from, who uses it.

    Raises:
        Problem: no such record or measurement.
    """
    name = key.partition("#")[2]
    if name:
        record, m = records.find(key)
        span = "" if m.low is None else f" [{_number(m.low)}, {_number(m.high or 0.0)}]"
        level = f", {m.level:.0%} interval" if m.level is not None else ""
        lines = [f"{key}: {m.title}", f"  {_number(m.value)} {m.unit}{span}{level}"]
        lines += [f"  method: {m.method}"] * bool(m.method)
        lines.append(f"  sha:{sources.measured(key).hash}")
    else:
        record = records.load_all()[key]
        lines = [f"{key}: a run of {record.notebook}", "", "Measured"]
        lines += [
            f"  #{m.name}: {_number(m.value)} {m.unit}, {m.title}" for m in record.measurements
        ]
        lines.append("")
    if record.parameters.get("company") and not about(record, found.folder):
        lines.append(f"  of the company in {record.parameters['company']}, not of this one")
    stale = records.stale(record, data=False)
    claims = [
        f"  {claim.name}: {claim.verdict}; {claim.text}"
        for claim in record.claims
        if not name or any(tested.measurement == name for tested in claim.tests)
    ]
    rows = [
        f"  {row.id}: {row.source}"
        for row in found.rows.values()
        if row.source_type == "measured"
        and key in (row.source.split()[0], row.source.partition("#")[0])
    ]
    lines += [
        f"  record: results/{record.id}.json, {'stale: ' + stale[0] if stale else 'fresh'}",
        f"  notebook: notebooks/{record.notebook}.ipynb",
        *["", "Claims", *(claims or ["  none"])],
        *["", "Ledger rows that take it", *(rows or ["  none"])],
        *["", "The run read", *(_read_by(record) or ["  no data"])],
    ]
    return lines + _places(found, key)


def _read_by(record: records.RunRecord) -> list[str]:
    """Data and files that the run read; rows of one table are counted."""
    rows: dict[str, int] = {}
    for used in record.data:
        name, _, row = used["name"].partition("#")
        rows[name] = rows.get(name, 0) + bool(row)
    return [f"  {name}" + (f", {n} rows" if n else "") for name, n in rows.items()]


def _sourcing(found: model.Model) -> dict[str, tco.Item]:
    """Items of the comparison of build, buy and both; none where the case has no such file."""
    path = found.folder / "sourcing.csv"
    if not path.is_file():
        return {}
    lines, _ = table.read(path, tco.COLUMNS)
    choices = {word for _, cells in lines for word in cells["scenario"].split()} - {"both", "all"}
    known = {**found.rows, **found.derived}
    items = tco.read(path, known, found.currency, found.months, sorted(choices))
    return {item.id: item for item in items}


def _apart(found: model.Model, item: tco.Item) -> list[str]:
    """An item of sourcing.csv, which is in no sum of the workbook."""
    values = found.base()
    cost = tco.flows([item], values, found.months)
    worth = float(tco.present(cost, values["finance.wacc"]))
    lines = [
        *_spelled(found, item, "sourcing.csv", values),
        f"  {cost.sum():,.0f} {found.currency} over months 0 to {found.months}, present cost "
        f"before tax {worth:,.0f} {found.currency}",
        "  part of the comparison of build, buy and both; in no sum of the workbook",
        *([f"  note: {item.note}"] if item.note else []),
        "",
        "Made of",
    ]
    for name in dict.fromkeys(_direct(item)):
        if name in values:
            lines += _tree(found, values, name, 1)
    return lines + _places(found, item.id)


def _spelled(
    found: model.Model, item: tco.Item, table: str, values: Mapping[str, float]
) -> list[str]:
    """What an item's own line says."""
    unit = found.currency + ("" if item.kind == "once" else "/month")
    spelled = "".join(f" {'*' if p > 0 else '/'} {n}" for n, p in item.factors)
    times = ", ".join(
        f"{name} {when if isinstance(when, str) else f'{when:g}'}"
        for name, when in zip(tco.TIMES, item.times, strict=True)
    )
    amount = _number(float(tco.amount(item, values)))
    return [
        f"{item.id}: {item.name}",
        f"  {_place(found.folder / table, item.id)}",
        f"  {' and '.join(item.scenario)}, {item.category}, on line {item.line}, "
        f"{'cash' if item.cash else 'no cash'}, {item.kind}",
        f"  {times}; growth {item.growth or 'none'}",
        f"  amount = {spelled.removeprefix(' * ')} = {amount} {unit}",
    ]


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
        lines += [*_tree(found, book.values, key, 1)]
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


def _tree(found: model.Model, values: Mapping[str, float], key: str, depth: int) -> Iterator[str]:
    """A row, its formula, and below it the rows that it is made of, down to the sources."""
    pad, value = "  " * depth, _number(float(values[key]))
    if key in found.derived:
        row = found.derived[key]
        yield f"{pad}{key} = {row.source} = {value} {row.unit}"
        for name in dict.fromkeys(formula.names(row.formula)):
            yield from _tree(found, values, name, depth + 1)
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
    lines += [f"  {place}" for place in _readers(key)]
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


def _readers(key: str) -> list[str]:
    """Notebooks whose code reads the row: by its id, or by an f-string that may become it."""
    found = []
    for path in sorted((paths.root() / "notebooks").rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for number, cell in enumerate(cells, 1):
            code = "".join(cell["source"]) if cell.get("cell_type") == "code" else ""
            if _names(key, code):
                found.append(f"{_short(path)}, cell {number}")
            elif any(re.fullmatch(pattern, key) for pattern in _patterns(code)):
                found.append(f"{_short(path)}, cell {number}, by an f-string")
    return found


def _patterns(code: str) -> list[str]:
    """What f-strings of this code may become, as regular expressions: f"sla.{who}mtbf".  Up to
    its first dot such an id must be fixed."""
    texts = re.findall(r"""f["']([a-z0-9-]+\.[a-z0-9.-]*(?:\{\w+\}[a-z0-9.-]*)+)["']""", code)
    return [re.sub(r"\\\{\w+\\\}", "[a-z0-9.-]*", re.escape(text)) for text in texts]


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
    share = _share(found, book, item)
    lines = [
        *_spelled(found, item, "items.csv", book.values),
        f"  it moves the net present value by {share:,.0f} {found.currency}",
        *([f"  note: {item.note}"] if item.note else []),
        "",
        "Made of",
    ]
    names = [n for n in dict.fromkeys(_direct(item)) if n in book.values]
    for name in names:
        lines += _tree(found, book.values, name, 1)
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
            if key in outcome.MEASURES and key in m.name.split(".") and about(record, found.folder):
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
    parser.add_argument("id", metavar="ID", help="of a row, an item, an output, a measurement")
    parser.add_argument("folder", nargs="?", type=Path, help="case folder (case)")
    options = parser.parse_args(arguments)
    found = model.load(options.folder or paths.root() / "case")
    print("\n".join(trace(found, options.id)))
    return 0
