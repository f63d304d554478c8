"""Read cloud bills, invoices and payroll hours into one table of cost lines, in exact decimals.

A bill is a FOCUS export (FinOps Open Cost and Usage Specification, 1.0 to 1.4), CSV or Parquet.
Every row of every file is either a line of the result or a refusal that names file, row, column
and reason.  Nothing is dropped, converted or guessed; money never passes through a float.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from synthecon import Problem

MONEY = pa.decimal128(38, 15)  # 23 digits before the point, 15 behind: more than any export has
MONEY_TEXT = r"^[+-]?(\d{1,22}(\.\d{0,15})?|\.\d{1,15})$"
MONEY_EXPONENT = r"^[+-]?\d(\.\d{1,15})?[eE][+-]?\d{1,2}$"  # what some exporters make of 1e-7
NOTHING = ("", "null", "NULL", "Null", "None", "N/A")  # what exporters write where nothing is


@dataclass(frozen=True)
class Column:
    """A column of the result: its names in the files, oldest first; whether it must be there."""

    name: str
    names: tuple[str, ...]
    kind: str = "text"  # text, money, day
    required: bool = False


# The names of FOCUS 1.0-1.2 beside those of 1.3 and 1.4, which renamed provider and publisher.
FOCUS = (
    Column("billed", ("BilledCost",), "money", True),
    Column("effective", ("EffectiveCost",), "money", True),
    Column("currency", ("BillingCurrency",), required=True),
    Column("day", ("ChargePeriodStart",), "day", True),
    Column("period", ("BillingPeriodStart",), "day", True),
    Column("charge", ("ChargeCategory",), required=True),
    Column("provider", ("ProviderName", "ServiceProviderName"), required=True),
    Column("category", ("ServiceCategory",), required=True),
    Column("service", ("ServiceName",), required=True),
    Column("correction", ("ChargeClass",)),
    Column("description", ("ChargeDescription",)),
    Column("account", ("SubAccountName", "SubAccountId")),
    Column("region", ("RegionId",)),
    Column("resource", ("ResourceId",)),
    Column("commitment", ("CommitmentDiscountStatus",)),
    Column("tags", ("Tags",)),
)
INVOICES = (
    Column("effective", ("amount",), "money", True),
    Column("currency", ("currency",), required=True),
    Column("day", ("date",), "day", True),
    Column("provider", ("vendor",), required=True),
    Column("category", ("category",), required=True),
    Column("service", ("item",), required=True),
    Column("description", ("description",)),
    Column("tags", ("tags",)),
)
PAYROLL = (
    Column("hours", ("hours",), "money", True),
    Column("rate", ("rate",), "money", True),
    Column("currency", ("currency",), required=True),
    Column("day", ("month",), "day", True),
    Column("provider", ("team",), required=True),
    Column("service", ("role",), required=True),
    Column("description", ("activity",), required=True),
    Column("tags", ("tags",)),
)
TEXTS = ("kind", "provider", "category", "service", "charge", "correction", "description")
TEXTS += ("account", "region", "resource", "commitment", "currency")
TAGS = ("env", "app", "activity", "team", "feature", "source", "job")  # what rules may ask for


@dataclass(frozen=True)
class Refusal:
    """A row that could not be read.  `row` counts data rows from 1, the header left out."""

    file: str
    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}, {self.column}: {self.reason}"


@dataclass(frozen=True)
class Lines:
    """Cost lines, and the rows that were refused.

    table: file, row, kind (`bill`, `invoice`, `payroll`), day, month ("2026-01"), `billed` and
    `effective` (decimal), the texts of `TEXTS`, one column a tag of `TAGS`, and `tags` as read.
    rows: how many data rows each file has, refused ones included.
    unknown_tags: tag keys that nobody has mapped, and on how many rows.
    """

    table: pa.Table
    refused: tuple[Refusal, ...]
    rows: Mapping[str, int]
    unknown_tags: Mapping[str, int]

    def total(self, column: str = "effective") -> Decimal:
        return pc.sum(self.table[column]).as_py() or Decimal(0)


@dataclass(frozen=True)
class Spelling:
    """How tag keys and values are spelt here: alias -> the name that rules use.

    keys: "Env" -> "env".  values: ("env", "prd") -> "production".
    """

    keys: Mapping[str, str]
    values: Mapping[tuple[str, str], str]

    def key(self, text: str) -> str:
        return self.keys.get(text, text)


def read_spelling(path: Path) -> Spelling:
    """tags.csv with the columns key, value, means: an empty value maps the key itself.

    Raises:
        Problem: not there, another header, or a name that stands twice.
    """
    table = texts(path)
    if table.column_names != ["key", "value", "means"]:
        raise Problem(f"{path}: its columns must be key,value,means")
    keys = {name: name for name in TAGS}
    values: dict[tuple[str, str], str] = {}
    for row, cell in enumerate(table.to_pylist(), 1):
        key, value, means = (str(cell[c] or "").strip() for c in ("key", "value", "means"))
        target: dict = values if value else keys
        name = (keys.get(key, key), value) if value else key
        if not means or (name in target and target[name] != means):
            raise Problem(f"{path}, row {row}: {key} {value} is empty or means two things")
        target[name] = means
    return Spelling(keys, values)


def read(path: Path, kind: str, spelling: Spelling, currency: str) -> Lines:
    """One file as cost lines.

    Args:
        path: .csv, .csv.gz or .parquet.
        kind: `bill` (FOCUS), `invoice` or `payroll` (hours × rate).
        currency: of the case.  A line in another one is refused: nothing here knows the rate.

    Raises:
        Problem: the file cannot be read at all, or a column is missing; names all that are.
    """
    columns = {"bill": FOCUS, "invoice": INVOICES, "payroll": PAYROLL}[kind]
    raw, broken = _load(path)
    raw = _pick(path, raw, columns)
    numbers = _numbers(len(raw), [b.row for b in broken])
    bad: dict[int, Refusal] = {}

    def refuse(mask: pa.Array, column: str, reason: str) -> None:
        for i in pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist():
            shown = raw[column][i].as_py()
            row = Refusal(path.name, numbers[i], column, f"{reason}: {shown!r}")
            bad.setdefault(i, row)

    done: dict[str, pa.ChunkedArray | pa.Array] = {}
    for column in columns:
        name = next((n for n in column.names if n in raw.column_names), None)
        if name is None:
            continue
        texts = raw[name]
        if column.required:
            refuse(pc.is_null(texts), name, "empty")
        if column.kind == "money":
            good = pc.match_substring_regex(texts, MONEY_TEXT)
            tiny = pc.match_substring_regex(texts, MONEY_EXPONENT)
            refuse(pc.invert(pc.or_(good, tiny)), name, "not an amount (write -1234.5678)")
            done[column.name] = _money(texts, good, tiny)
        elif column.kind == "day":
            days = pc.utf8_slice_codeunits(texts, 0, 10)
            shaped = pc.match_substring_regex(days, r"^\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])$")
            short = pc.match_substring_regex(texts, r"^\d{4}-(0[1-9]|1[0-2])$")
            days = pc.if_else(short, pc.binary_join_element_wise(texts, "01", "-"), days)
            shaped = pc.or_(shaped, short)
            refuse(pc.invert(shaped), name, "not a date (write 2026-01-31)")
            day = pc.strptime(
                pc.if_else(shaped, days, None), format="%Y-%m-%d", unit="s", error_is_null=True
            )
            real = pc.equal(pc.strftime(day, format="%Y-%m-%d"), days)
            refuse(pc.and_(shaped, pc.invert(pc.fill_null(real, False))), name, "no such day")
            done[column.name] = pc.cast(day, pa.date32())
        else:
            done[column.name] = texts
    name = next(
        n for c in columns if c.name == "currency" for n in c.names if n in raw.column_names
    )
    refuse(pc.not_equal(done["currency"], currency), name, f"the case is in {currency}, this is in")
    if kind == "payroll":
        done["effective"] = _product(done["hours"], done["rate"])
    done.setdefault("billed", done["effective"])
    tags, unknown, malformed = _tags(done.get("tags"), len(raw), spelling)
    if malformed is not None:
        column = next(n for c in columns if c.name == "tags" for n in c.names)
        refuse(malformed, column, "tags must be a JSON object of texts")

    keep = pa.array([i not in bad for i in range(len(raw))], pa.bool_())
    day = done["day"]
    table = {
        "file": pa.array([path.name] * len(raw), pa.string()),
        "row": pa.array(numbers, pa.int64()),
        "kind": pa.array([kind] * len(raw), pa.string()),
        "day": day,
        "month": pc.strftime(day, format="%Y-%m"),
        "billed": done["billed"],
        "effective": done["effective"],
    }
    for text in TEXTS[1:]:
        table[text] = done.get(text, pa.nulls(len(raw), pa.string()))
    table |= tags
    lines = pa.table(table).filter(keep)
    refused = sorted([*broken, *bad.values()], key=lambda r: r.row)
    return Lines(lines, tuple(refused), {path.name: len(raw) + len(broken)}, unknown)


def together(parts: Sequence[Lines]) -> Lines:
    """Several files as one."""
    unknown: dict[str, int] = {}
    for part in parts:
        for key, n in part.unknown_tags.items():
            unknown[key] = unknown.get(key, 0) + n
    return Lines(
        pa.concat_tables([part.table for part in parts]),
        tuple(r for part in parts for r in part.refused),
        {name: n for part in parts for name, n in part.rows.items()},
        unknown,
    )


def control_total(path: Path, column: str) -> Decimal:
    """The sum of a money column, read a second way: Python's csv module and `Decimal`, row by row.

    For reconciling: it shares no code with `read`.  Parquet is read through Python objects.
    """
    if path.suffix == ".parquet":
        values = pa.parquet.read_table(path, columns=[column])[column].to_pylist()
    else:
        with _open(path) as file:
            values = [row[column] for row in csv.DictReader(file)]
    return sum((Decimal(str(v)) for v in values if v not in (*NOTHING, None)), Decimal(0))


def _load(path: Path) -> tuple[pa.Table, list[Refusal]]:
    """All columns as texts, stripped, with nothing as null; and rows of another length."""
    if not path.is_file():
        raise Problem(f"{path}: there is no such file")
    if path.suffix != ".parquet":
        return _csv(path)
    try:
        table = pa.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise Problem(f"{path}: cannot read this Parquet file: {error}") from None
    texts = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_map(column.type):
            pairs = column.to_pylist()
            column = pa.array([None if p is None else json.dumps(dict(p)) for p in pairs])
        elif pa.types.is_floating(column.type):
            # The file itself holds a float: its shortest decimal is the amount, in plain digits.
            column = pa.array(
                [None if x is None else f"{Decimal(repr(x)):f}" for x in column.to_pylist()]
            )
        else:
            column = pc.cast(column, pa.string())
        texts[name] = _clean(column)
    return pa.table(texts), []


def _csv(path: Path) -> tuple[pa.Table, list[Refusal]]:
    broken: list[Refusal] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields, but the header has {row.expected_columns}"
        broken.append(Refusal(path.name, row.number - 1, "(row)", reason))
        return "skip"

    table = texts(path, skip)
    return pa.table({n: _clean(table[n]) for n in table.column_names}), broken


def texts(path: Path, skip: Callable | None = None) -> pa.Table:
    """A CSV file with every cell as text."""
    if not path.is_file():
        raise Problem(f"{path}: there is no such file")
    try:
        with _open(path) as file:
            names = next(csv.reader(file), [])
        if len(names) == 1 and ";" in names[0]:
            raise Problem(f"{path}: separated by semicolons; save it with commas")
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise Problem(f"{path}: column twice: {', '.join(twice)}")
        return pa.csv.read_csv(
            path,
            # One thread: only then does the reader number the rows that it refuses.
            read_options=pa.csv.ReadOptions(use_threads=False),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pa.csv.ConvertOptions(
                column_types={n: pa.string() for n in names}, strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, OSError, EOFError, zlib.error, csv.Error, UnicodeError) as error:
        raise Problem(f"{path}: cannot read this CSV file: {error}") from None


def _open(path: Path) -> TextIO:
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")  # type: ignore[return-value]


def _clean(texts: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    texts = pc.utf8_trim_whitespace(texts)
    nothing = pc.is_in(texts, value_set=pa.array(NOTHING))
    return pc.if_else(nothing, pa.scalar(None, pa.string()), texts)


def _pick(path: Path, raw: pa.Table, columns: Sequence[Column]) -> pa.Table:
    missing = [" or ".join(c.names) for c in columns if c.required and not _named(c, raw)]
    if missing:
        raise Problem(f"{path}: missing column {', '.join(missing)}; it has {raw.column_names}")
    return raw


def _named(column: Column, raw: pa.Table) -> bool:
    return any(n in raw.column_names for n in column.names)


def _numbers(read: int, broken: Sequence[int]) -> list[int]:
    """The row number in the file of each row that was read."""
    gone = set(broken)
    return [n for n in range(1, read + len(broken) + 1) if n not in gone][:read]


def _money(texts: pa.ChunkedArray, good: pa.ChunkedArray, tiny: pa.ChunkedArray) -> pa.Array:
    plain = pc.cast(pc.if_else(good, texts, None), MONEY)
    if not pc.any(tiny).as_py():
        return plain
    # Few rows have an exponent: Python's Decimal spells them out.
    rare = [
        Decimal(t).quantize(Decimal("1e-15")) if t else None
        for t in pc.if_else(tiny, texts, None).to_pylist()
    ]
    return pc.coalesce(plain, pa.array(rare, MONEY))


def _product(hours: pa.Array, rate: pa.Array) -> pa.Array:
    """Hours × rate in cents: an amount is money, and money has cents."""
    pairs = zip(hours.to_pylist(), rate.to_pylist(), strict=True)
    cent = Decimal("0.01")
    return pa.array([None if None in (h, r) else (h * r).quantize(cent) for h, r in pairs], MONEY)


def _tags(
    texts: pa.ChunkedArray | None, rows: int, spelling: Spelling
) -> tuple[dict[str, pa.Array], dict[str, int], pa.Array | None]:
    """A column a known tag, the unknown keys with their rows, and which texts are no JSON object.

    A bill of a million rows has a few hundred different tag texts: each is parsed once.
    """
    if texts is None:
        empty = pa.nulls(rows, pa.string())
        return dict.fromkeys((*TAGS, "tags"), empty), {}, None
    coded = pc.dictionary_encode(texts)
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    if isinstance(coded, pa.ChunkedArray):  # no rows at all
        coded = pa.array([], pa.dictionary(pa.int32(), pa.string()))
    counts = {c["values"]: c["counts"] for c in pc.value_counts(coded.indices).to_pylist()}
    parsed: list[dict[str, str] | None] = []
    unknown: dict[str, int] = {}
    for code, text in enumerate(coded.dictionary.to_pylist()):
        tags = _parse(text)
        parsed.append(tags)
        known: dict[str, str] = {}
        for key, value in (tags or {}).items():
            name = spelling.key(key.strip())
            if name in TAGS:
                known[name] = spelling.values.get((name, value.strip()), value.strip())
            else:
                unknown[key] = unknown.get(key, 0) + counts.get(code, 0)
        if tags is not None:
            parsed[code] = known
    found = {}
    for name in TAGS:
        values = pa.array([(tags or {}).get(name) or None for tags in parsed], pa.string())
        found[name] = values.take(coded.indices)
    bad = pa.array([tags is None for tags in parsed], pa.bool_()).take(coded.indices)
    return found | {"tags": texts}, unknown, bad


def _parse(text: str | None) -> dict[str, str] | None:
    try:
        tags = json.loads(text) if text else {}
    except ValueError:
        return None
    if not isinstance(tags, dict):
        return None
    return {str(k): str(v) for k, v in tags.items() if v is not None}
