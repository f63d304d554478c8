"""The ledger is read whole or refused, with every fault named by file, line and field."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from synthecon.economics import ledger

GOOD = {
    "id": "price.cpu", "name": "One core", "low": "0.02", "base": "0.04", "high": "0.07",
    "distribution": "pert", "unit": "USD/core-hour", "currency": "USD", "basis": "nominal",
    "period": "hour", "source_type": "public", "source": "https://example.org/prices",
    "as_of": "2026-01-31", "owner": "finance", "confidence": "medium", "group": "", "note": "",
}  # fmt: skip
EMPTY = dict.fromkeys(ledger.OWN, "")


def row(name: str, **changes: str) -> dict[str, str]:
    return GOOD | {"id": name} | changes


def derived(name: str, formula: str, **changes: str) -> dict[str, str]:
    return GOOD | EMPTY | {"id": name, "source_type": "derived", "source": formula} | changes


def write(folder: Path, *rows: dict[str, str], header=tuple(GOOD)) -> Path:
    path = folder / "ledger.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([row.get(name, "x") for name in header] for row in rows)
    return path


def errors(path: Path) -> tuple[str, ...]:
    with pytest.raises(ledger.LedgerError) as caught:
        ledger.read_book(path)
    return caught.value.errors


def test_reads_a_row(tmp_path):
    rows = ledger.read(write(tmp_path, GOOD))
    assert list(rows) == ["price.cpu"]
    found = rows["price.cpu"]
    assert (found.low, found.base, found.high) == (0.02, 0.04, 0.07)
    assert found.as_of == date(2026, 1, 31)
    with pytest.raises(AttributeError):
        found.base = 1.0


def test_the_order_of_columns_does_not_count(tmp_path):
    rows = ledger.read(write(tmp_path, GOOD, header=sorted(GOOD)))
    assert rows == ledger.read(write(tmp_path, GOOD))


def test_spreadsheet_habits_are_survived(tmp_path):
    path = write(tmp_path, GOOD | {"name": "One core, on demand"})
    text = "\ufeff" + path.read_text() + "," * 16 + "\n\n"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    rows = ledger.read(path)
    assert list(rows) == ["price.cpu"] and rows["price.cpu"].name == "One core, on demand"


def test_derived_rows_come_after_what_they_are_made_of(tmp_path):
    share = {"unit": "share", "currency": "", "basis": "", "period": ""}
    book = ledger.read_book(
        write(
            tmp_path,
            derived("c", "1 - b", **share),
            derived("b", "a * a", **share),
            row("a", low="0.1", base="0.2", high="0.3", **share),
        )
    )
    assert list(book.rows) == ["a"] and list(book.derived) == ["b", "c"]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("low", "cheap", "low: 'cheap' is not a finite number (write 1234.5)"),
        ("base", "nan", "base: 'nan' is not a finite number"),
        ("high", "inf", "high: 'inf' is not a finite number"),
        ("high", "1_000", "high: '1_000' is not a finite number"),
        ("high", "1,000.50", "high: '1,000.50' is not a finite number"),
        ("high", "1 000", "high: '1 000' is not a finite number"),
        ("high", "0,07", "high: '0,07' is not a finite number"),
        ("high", "7%", "high: '7%' is not a finite number"),
        ("low", "0.05", "low, base, high: 0.05, 0.04, 0.07 are not low ≤ base ≤ high"),
        ("high", "0.03", "low ≤ base ≤ high"),
        ("low", "-0.02", "low: -0.02 is negative money"),
        ("as_of", "31.01.2026", "as_of: '31.01.2026' is not a date (write 2026-01-31)"),
        ("as_of", "2026-02-30", "not a date"),
        ("as_of", "20260131", "not a date"),
        ("as_of", "", "as_of: empty"),
        ("source", "", "source: empty"),
        ("owner", "  ", "owner: empty"),
        ("name", "", "name: empty"),
        ("unit", "", "unit: empty"),
        ("base", "", "base: empty"),
        ("id", "", "id: empty"),
        ("id", "Price CPU", "id: 'Price CPU' may have only"),
        ("id", "price cpu", "id: 'price cpu' may have only"),
        ("id", "price..cpu", "may have only"),
        ("distribution", "gauss", "distribution: 'gauss' is not one of pert, triangular"),
        ("distribution", "fixed", "distribution: fixed, but low, base and high differ"),
        ("distribution", "", "distribution: empty"),
        ("unit", "EUR/core-hour", "unit: 'EUR/core-hour' has no USD in it"),
        ("unit", "USD/(core)", "unit: 'USD/(core)' is no unit"),
        ("unit", "$/core-hour", "unit: '$/core-hour' is no unit"),
        ("unit", "USD/core-hour/", "is no unit"),
        ("currency", "", "currency: empty, but the unit is in USD; write it here too"),
        ("currency", "$", "currency: '$' is not an ISO code (write USD)"),
        ("basis", "", "basis: money is nominal or real; say which"),
        ("basis", "today", "basis: 'today' is not nominal, real or empty"),
        ("period", "year", "period: year, but the unit is 'USD/core-hour'"),
        ("period", "once", "period: once, but the unit is 'USD/core-hour'"),
        ("period", "", "period: empty, but the unit is 'USD/core-hour'"),
        ("period", "week", "period: 'week' is not one of once"),
        ("confidence", "sure", "confidence: 'sure' is not one of high, medium, low"),
        ("confidence", "", "confidence: empty"),
        ("group", "prices", "group: 'prices': write a name and a correlation below 1"),
        ("group", "prices:1.0", "write a name and a correlation below 1"),
        ("group", "prices:-0.5", "write a name and a correlation below 1"),
        ("group", "prices:0.5", "group: no other row is in 'prices'"),
        ("source_type", "rumour", "source_type: 'rumour' is not one of measured, invoice"),
        ("source", "a price list", "source: public, but without the https:// address"),
        ("source_type", "measured", "source: measured, but without a measurement, cpu/"),
        ("source_type", "invoice", "source: invoice, but without its name in the audit, audit#"),
    ],
)
def test_a_wrong_value_names_file_line_and_field(tmp_path, field, value, says):
    path = write(tmp_path, GOOD, GOOD | {"id": "other", field: value})
    (error,) = errors(path)
    assert error.startswith(f"{path}, line 3, ") and says in error


SHARE = {"unit": "share", "currency": "", "basis": "", "period": "", "high": "1"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"distribution": "lognormal", "low": "0"}, "lognormal, but low is 0: it must be positive"),
        ({"distribution": "normal", "low": "0.04"}, "normal needs room on both sides of base"),
        ({"low": "-1.5", "unit": "1/year", "period": "year"}, "low: -1.5 a year; a rate is above"),
        ({"unit": "USD"}, "currency: empty, but the unit is in USD"),
        ({"unit": "GPU/hour", "period": "day"}, "period: day, but the unit is 'GPU/hour'"),
        (
            {"unit": "USD", "currency": "USD", "basis": "real"},
            "period: empty; a single amount in USD needs the word once",
        ),
        (
            {"distribution": "fixed", "low": "1", "base": "1", "group": "a:0.5"},
            "group: a fixed row moves with nothing; empty it",
        ),
    ],
)
def test_fields_that_contradict_each_other(tmp_path, changes, says):
    (error,) = errors(write(tmp_path, GOOD | SHARE | changes))
    assert ", line 2, " in error and says in error


def test_a_group_has_one_correlation(tmp_path):
    rows = [row("a", group="g:0.5"), row("b", group="g:0.6"), row("c", group="g:.5")]
    (error,) = errors(write(tmp_path, *rows))
    assert "line 3, group: 'g:0.6', but a has 'g:0.5'; make them agree" in error


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"low": "0.1"}, "low: must be empty, the row is derived"),
        ({"distribution": "pert"}, "distribution: must be empty"),
        ({"confidence": "low"}, "confidence: must be empty"),
        ({"group": "a:0.5"}, "group: must be empty"),
        ({"as_of": ""}, "as_of: empty"),
        ({"source": ""}, "source: empty"),
        ({"id": "Bad"}, "id: 'Bad' may have only"),
        ({"source": "a *"}, "source: 'a *': ends where a number or an id should stand"),
        ({"source": "(a * 2"}, "')' is missing at the end"),
        ({"source": "a 2"}, "cannot read on from '2'"),
        ({"source": "2a"}, "cannot read on from 'a'"),
        ({"source": "-a"}, "cannot read '-'; write 0 - x for the negative of x"),
        ({"source": "a ^ 2"}, "cannot read on from '^'"),
        ({"source": "a * $b"}, "cannot read '$'"),
        ({"source": "min(a)"}, "',' is missing before ')'"),
        ({"source": "max(a, a, a)"}, "')' is missing before ','"),
        ({"source": "sqrt(a)"}, "no function 'sqrt'; there are min, max, compound"),
        ({"source": "1e3 * a"}, "cannot read on from 'e3'"),
        ({"source": "(" * 400 + "a"}, "longer than 150 words; split it over rows"),
        ({"source": "a + 1"}, "source: USD/core/hour and 1 do not go together in '+'"),
        ({"source": "compound(a, a)"}, "compound takes rates (1/year or shares), not USD"),
        ({"source": "a * 2", "unit": "USD/core-day", "period": "day"}, "but the formula gives"),
        ({"source": "a * a"}, "unit: 'USD/core-hour', but the formula gives 'USD^2/core^2/hour^2'"),
        ({"source": "a / (2 - 2)"}, "divides by zero at base; give it numbers of its own"),
        ({"source": "a-b"}, "source: there is no row 'a-b'; add it or correct the id"),
        ({"source": "x"}, "source: it needs its own value: x → x"),
    ],
)  # fmt: skip
def test_a_wrong_derived_row(tmp_path, changes, says):
    (error,) = errors(write(tmp_path, row("a"), derived("x", "a * 2") | changes))
    assert ", line 3, " in error and says in error


def test_dollars_an_hour_are_not_dollars_a_year(tmp_path):
    path = write(
        tmp_path,
        row("hourly", unit="USD/hour"),
        row("yearly", unit="USD/year", period="year"),
        derived("sum", "hourly + yearly", unit="USD/hour"),
    )
    (error,) = errors(path)
    assert "line 4, source: USD/hour and USD/year do not go together in '+'" in error


@pytest.mark.parametrize("length", [2, 3])
def test_a_circle_is_named_once_and_whole(tmp_path, length):
    names = ["a", "b", "c"][:length]
    circle = [derived(n, f"{m} * 1") for n, m in zip(names, names[1:] + names[:1], strict=True)]
    (error,) = errors(write(tmp_path, derived("waits", "a * 2"), *circle))
    assert f"line 3, source: it needs its own value: {' → '.join([*names, 'a'])}" in error


def test_all_errors_at_once(tmp_path):
    path = write(
        tmp_path,
        {**GOOD, "low": "x", "as_of": "soon", "owner": ""},
        GOOD,
        {**GOOD, "id": "other", "high": "0.01"},
        derived("lost", "nowhere * 2"),
        derived("price.cpu", "2 *"),
    )
    found = errors(path)
    assert [e.split(", ")[1] for e in found] == ["line 2"] * 3 + ["line 3", "line 4"] + [
        "line 6", "line 6", "line 5",
    ]  # fmt: skip
    assert "id: 'price.cpu' is already on line 2" in found[3]
    assert "there is no row 'nowhere'" in found[7]


def test_an_id_twice_also_between_a_number_and_a_formula(tmp_path):
    for rows in ((row("a"), derived("a", "b")), (derived("a", "b"), row("a"))):
        (error,) = errors(write(tmp_path, *rows, row("b")))
        assert "line 3, id: 'a' is already on line 2" in error


def test_columns(tmp_path):
    path = write(tmp_path, GOOD, header=[*(n for n in GOOD if n != "owner"), "colour"])
    assert errors(path) == (
        f"{path}, line 1: missing column 'owner'",
        f"{path}, line 1: unknown column 'colour'",
    )
    path = write(tmp_path, GOOD, header=[*GOOD, "note"])
    assert errors(path) == (f"{path}, line 1: column twice: 'note'",)
    assert "unknown column ''" in errors(write(tmp_path, GOOD, header=[*GOOD, ""]))[0]


@pytest.mark.parametrize(("more", "count"), [(",", 18), (",,", 19), ("", 16)])
def test_a_line_of_another_length_is_not_dropped(tmp_path, more, count):
    path = write(tmp_path, GOOD, row("other"))
    lines = path.read_text().splitlines()
    lines[1] = lines[1] + more if more else lines[1].removesuffix(",")
    path.write_text("\n".join(lines))
    (error,) = errors(path)
    assert f"{path}, line 2: {count} fields, but the header has 17" in error
    assert "double quotes" in error


def test_files_that_are_no_ledger(tmp_path):
    path = tmp_path / "ledger.csv"
    assert errors(path) == (f"{path}: there is no such file",)
    assert "cannot be read" in errors(tmp_path)[0]
    path.write_bytes(b"")
    assert "missing column 'id'" in errors(path)[0]
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        path.write_text(mark.join(GOOD))
        assert errors(path) == (f"{path}, line 1: separated by {name}; save it with commas",)
    for text in ("id,naïve".encode("latin-1"), "id".encode("utf-16")):
        path.write_bytes(text)
        assert errors(path) == (f"{path}: not UTF-8 text; save it as CSV UTF-8",)
    path.write_text(",".join(GOOD) + '\n"price')
    assert "line 2" in errors(path)[0]


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_ledgers_of_this_project(company):
    path = Path(__file__).parents[2] / company / "ledger.csv"
    book = ledger.read_book(path)
    assert book.rows["cpu.vcpus-per-core"].base == 2
    with path.open(newline="") as file:
        ids = [cells[0] for cells in csv.reader(file)][1:]
    assert sorted(ids) == sorted([*book.rows, *book.derived])  # none dropped
    for name, found in book.rows.items():
        if name.startswith(("price.cpu.", "price.gpu.")):
            assert found.source_type == "public"
            assert found.source.count("@") == 3, f"{name}: low, base and high each name a commit"
