from datetime import date
from pathlib import Path

import pytest

from synthecon.economics import ledger

GOOD = {
    "id": "price.cpu", "name": "One core", "low": "0.02", "base": "0.04", "high": "0.07",
    "unit": "USD/core-hour", "currency": "USD", "source_type": "public",
    "source": "https://example.org/prices", "as_of": "2026-01-31", "owner": "finance", "note": "",
}  # fmt: skip


def write(folder: Path, *rows: dict[str, str], header=tuple(GOOD)) -> Path:
    lines = [",".join(header)]
    lines += [",".join(row.get(name, "x") for name in header) for row in rows]
    path = folder / "ledger.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def errors(path: Path) -> tuple[str, ...]:
    with pytest.raises(ledger.LedgerError) as caught:
        ledger.read(path)
    return caught.value.errors


def test_reads_a_row(tmp_path):
    rows = ledger.read(write(tmp_path, GOOD))
    assert list(rows) == ["price.cpu"]
    row = rows["price.cpu"]
    assert (row.low, row.base, row.high) == (0.02, 0.04, 0.07)
    assert row.as_of == date(2026, 1, 31)
    with pytest.raises(AttributeError):
        row.base = 1.0


def test_spreadsheet_habits_are_survived(tmp_path):
    path = write(tmp_path, GOOD)
    text = (
        "\ufeff" + path.read_text().replace("One core", '"One core, on demand"') + ",,,,,,,,,,,\n\n"
    )
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert ledger.read(path)["price.cpu"].name == "One core, on demand"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("low", "cheap", "not a finite number"),
        ("base", "nan", "not a finite number"),
        ("high", "1_000", "not a finite number"),
        ("low", "0.05", "rising order"),
        ("high", "0.03", "rising order"),
        ("low", "-0.02", "negative money"),
        ("as_of", "31.01.2026", "not a date"),
        ("as_of", "2026-02-30", "not a date"),
        ("as_of", "", "empty"),
        ("source", "", "empty"),
        ("owner", "  ", "empty"),
        ("unit", "", "empty"),
        ("base", "", "empty"),
        ("id", "Price CPU", "may have only"),
        ("currency", "$", "ISO code"),
        ("source_type", "rumour", "not one of measured, invoice"),
        ("source", "a price list", "https://"),
    ],
)
def test_a_wrong_value_names_file_line_and_field(tmp_path, field, value, says):
    path = write(tmp_path, GOOD, {**GOOD, "id": "other", field: value})
    (error,) = errors(path)
    assert error.startswith(f"{path}, line 3, ")
    assert field in error
    assert says in error


def test_illustrative_needs_no_address(tmp_path):
    row = {**GOOD, "source_type": "illustrative", "source": "a guess", "currency": "", "low": "-1"}
    assert ledger.read(write(tmp_path, row))["price.cpu"].low == -1


def test_all_errors_at_once(tmp_path):
    path = write(
        tmp_path,
        {**GOOD, "low": "x", "as_of": "soon", "owner": ""},
        GOOD,
        {**GOOD, "id": "other", "high": "0.01"},
    )
    found = errors(path)
    assert len(found) == 5
    assert [e.split(", ")[1] for e in found] == ["line 2"] * 3 + ["line 3", "line 4"]
    assert "'price.cpu' is already on line 2" in found[3]


def test_columns(tmp_path):
    path = write(tmp_path, GOOD, header=[*(n for n in GOOD if n != "owner"), "colour"])
    assert errors(path) == (
        f"{path}, line 1: missing column 'owner'",
        f"{path}, line 1: unknown column 'colour'",
    )
    path = write(tmp_path, GOOD, header=[*GOOD, "note"])
    assert errors(path) == (f"{path}, line 1: column twice: 'note'",)


def test_a_comma_in_text_is_not_a_new_field(tmp_path):
    (error,) = errors(write(tmp_path, {**GOOD, "name": "One core, on demand"}))
    assert "line 2: 13 fields" in error
    assert "double quotes" in error


def test_files_that_are_no_ledger(tmp_path):
    path = tmp_path / "ledger.csv"
    assert "no such file" in errors(path)[0]
    path.write_bytes(b"")
    assert "missing column 'id'" in errors(path)[0]
    path.write_text(";".join(GOOD))
    assert "semicolons" in errors(path)[0]
    path.write_bytes("id,naïve".encode("latin-1"))
    assert "UTF-8" in errors(path)[0]
    path.write_text(",".join(GOOD) + '\n"price')
    assert "line 2" in errors(path)[0]


def test_the_case_of_this_project():
    rows = ledger.read(Path(__file__).parents[2] / "case" / "ledger.csv")
    assert rows["cpu.vcpus-per-core"].base == 2
    assert rows["serving.utilisation"].high <= 1
    for name, row in rows.items():
        if name.startswith(("price.cpu.", "price.gpu.")):
            assert row.source_type == "public"
            assert row.source.count("@") == 3, f"{name}: low, base and high each name a commit"
