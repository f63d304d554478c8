"""Every row of a bill is read or refused, and the money is the money of the file."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthecon import Problem
from synthecon.economics import bill

SPELLING = bill.Spelling({name: name for name in bill.TAGS}, {})


def test_a_row_becomes_a_line(read):
    lines = read({})
    (line,) = lines.table.to_pylist()
    assert line["billed"] == Decimal("10.50") and line["effective"] == Decimal("10.25")
    assert (line["month"], str(line["day"])) == ("2026-01", "2026-01-05")
    assert (line["env"], line["activity"], line["app"]) == ("production", "inference", None)
    assert (line["file"], line["row"], line["kind"]) == ("bill.csv", 1, "bill")
    assert line["commitment"] is None  # the text NULL is nothing
    assert lines.refused == () and lines.rows == {"bill.csv": 1}


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"EffectiveCost": "12,5"}, "EffectiveCost", "not an amount"),
        ({"EffectiveCost": "NULL"}, "EffectiveCost", "empty"),
        ({"EffectiveCost": "nan"}, "EffectiveCost", "not an amount"),
        ({"BilledCost": "$5"}, "BilledCost", "not an amount"),
        ({"BilledCost": "0.1234567890123456"}, "BilledCost", "not an amount"),
        ({"ChargePeriodStart": "05.01.2026"}, "ChargePeriodStart", "not a date"),
        ({"ChargePeriodStart": "2026-02-30T00:00:00Z"}, "ChargePeriodStart", "no such day"),
        ({"BillingCurrency": "EUR"}, "BillingCurrency", "the case is in USD"),
        ({"ServiceName": ""}, "ServiceName", "empty"),
        ({"Tags": "{env: production}"}, "Tags", "JSON"),
        ({"Tags": '["production"]'}, "Tags", "JSON"),
    ],
)
def test_a_wrong_row_is_refused_by_name_and_the_others_stay(read, change, column, reason):
    lines = read({}, change, {"EffectiveCost": "-3"})
    (refusal,) = lines.refused
    assert (refusal.file, refusal.row, refusal.column) == ("bill.csv", 2, column)
    assert reason in refusal.reason and "bill.csv, row 2, " in str(refusal)
    assert lines.table["row"].to_pylist() == [1, 3]
    assert lines.total() == Decimal("7.25") and lines.rows == {"bill.csv": 3}


def test_a_row_of_another_length_is_refused_and_the_count_goes_on(write):
    path = write({}, {}, {})
    head, first, second, third = path.read_text().splitlines()
    path.write_text("\n".join([head, first, second + ",more", third.replace("10.25", "x")]) + "\n")
    lines = bill.read(path, "bill", SPELLING, "USD")
    assert [(r.row, r.column) for r in lines.refused] == [(2, "(row)"), (3, "EffectiveCost")]
    assert lines.table["row"].to_pylist() == [1]
    assert sum(lines.rows.values()) == len(lines.table) + len(lines.refused)


AMOUNTS = st.decimals(-(10**9), 10**9, places=9, allow_nan=False).map(lambda d: f"{d:f}")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(AMOUNTS, min_size=1, max_size=30))
def test_totals_are_those_of_the_file_to_the_last_digit(write, amounts):
    path = write(*({"EffectiveCost": a, "BilledCost": a} for a in amounts))
    lines = bill.read(path, "bill", SPELLING, "USD")
    assert lines.total() == sum(map(Decimal, amounts))
    assert lines.total("billed") == bill.control_total(path, "BilledCost")


def test_small_amounts_with_an_exponent_are_read_exactly(read):
    lines = read({"EffectiveCost": "1.5e-7"}, {"EffectiveCost": "-2E+3"})
    assert lines.total() == Decimal("-1999.99999985")


def test_the_names_of_1_4_and_of_1_0_give_the_same_lines(write):
    old = write({"PublisherName": "Nimbus"})
    new = old.with_name("new.csv")
    text = old.read_text().replace("ProviderName", "ServiceProviderName")
    new.write_text(text.replace("PublisherName", "HostProviderName"))
    a, b = (bill.read(p, "bill", SPELLING, "USD").table.drop("file") for p in (old, new))
    assert a.equals(b)


@pytest.mark.parametrize("money", [pa.string(), pa.decimal128(20, 6), pa.float64()])
def test_parquet_gives_the_lines_of_csv(write, money):
    path = write({}, {"EffectiveCost": "-0.000001", "BilledCost": "2.5", "Tags": ""})
    plain = bill.read(path, "bill", SPELLING, "USD")
    columns = {n: pa.array(v) for n, v in _columns(path).items()}
    for name in ("BilledCost", "EffectiveCost"):
        columns[name] = columns[name].cast(money)
    columns["Tags"] = pa.array(
        [list(json.loads(t or "{}").items()) for t in columns["Tags"].to_pylist()],
        pa.map_(pa.string(), pa.string()),
    )
    other = path.with_suffix(".parquet")
    pa.parquet.write_table(pa.table(columns), other)
    again = bill.read(other, "bill", SPELLING, "USD")
    drop = ["file", "tags"]
    assert again.table.drop(drop).equals(plain.table.drop(drop)) and not again.refused


def _columns(path):
    head, *rows = (line for line in bill.texts(path).to_pylist())
    return {name: [row[name] for row in (head, *rows)] for name in head}


def test_gzip_is_read_too(write):
    path = write({})
    zipped = path.with_name("bill.csv.gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert bill.read(zipped, "bill", SPELLING, "USD").total() == Decimal("10.25")
    assert bill.control_total(zipped, "EffectiveCost") == Decimal("10.25")


def test_tags_are_read_by_their_spelling_and_unknown_keys_are_counted(read):
    lines = read(
        {"Tags": '{"Environment ": "prod", "owner": "x"}'},
        {"Tags": '{"owner": "y"}'},
        {"Tags": "NULL"},
    )
    assert lines.table["env"].to_pylist() == ["production", None, None]
    assert lines.unknown_tags == {"owner": 2}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.replace("EffectiveCost", "Effective"), "missing column EffectiveCost"),
        (lambda t: t.replace("ProviderName", "Provider"), "ProviderName or ServiceProviderName"),
        (lambda t: t.replace("BilledCost", "EffectiveCost"), "column twice: EffectiveCost"),
        (lambda t: t.replace(",", ";"), "separated by semicolons"),
    ],
)
def test_a_file_that_cannot_be_a_bill_is_refused_whole(write, change, complaint):
    path = write({})
    path.write_text(change(path.read_text()))
    with pytest.raises(Problem, match=complaint):
        bill.read(path, "bill", SPELLING, "USD")


def test_a_file_that_is_not_there_or_not_parquet(tmp_path):
    with pytest.raises(Problem, match="no such file"):
        bill.read(tmp_path / "bill.csv", "bill", SPELLING, "USD")
    (tmp_path / "bill.parquet").write_text("no")
    with pytest.raises(Problem, match="Parquet"):
        bill.read(tmp_path / "bill.parquet", "bill", SPELLING, "USD")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_packed_file_that_breaks_off_or_is_damaged_is_refused(tmp_path, write, kept):
    path = tmp_path / "bill.csv.gz"
    plain = write(*({"Tags": json.dumps({"run": str(i * 7919)})} for i in range(400))).read_bytes()
    packed = gzip.compress(plain)
    wrong = {"no gzip": plain, "cut": packed[: int(kept * len(packed))]}
    for at in (12, int(kept * len(packed))):
        wrong[f"damaged at {at}"] = packed[:at] + b"\xff\x00\x5a" + packed[at + 3 :]
    for what, content in wrong.items():
        path.write_bytes(content)
        with pytest.raises(Problem, match=r"bill\.csv\.gz: cannot read this CSV file: .+"):
            bill.read(path, "bill", SPELLING, "USD")
            pytest.fail(what)


def test_a_damaged_parquet_file_is_refused(tmp_path):
    path = tmp_path / "bill.parquet"
    pa.parquet.write_table(pa.table({"BilledCost": ["1"] * 1000}), path)
    damaged = bytearray(path.read_bytes())
    damaged[4:40] = bytes(36)  # the first page; magic and footer stay
    path.write_bytes(damaged)
    with pytest.raises(Problem, match=r"bill\.parquet: cannot read this Parquet file: .+"):
        bill.read(path, "bill", SPELLING, "USD")


def test_payroll_is_hours_times_rate_in_cents(tmp_path):
    path = tmp_path / "payroll.csv"
    path.write_text(
        "month,team,role,activity,hours,rate,currency\n2026-01,vision,Engineer,training,1.5,33.33,USD\n"
    )
    lines = bill.read(path, "payroll", SPELLING, "USD")
    (line,) = lines.table.to_pylist()
    assert line["effective"] == Decimal("50.00") == line["billed"]  # 49.995, to the even cent
    assert (line["description"], line["month"]) == ("training", "2026-01")


def test_spelling_that_means_two_things_is_refused(tmp_path):
    path = tmp_path / "tags.csv"
    path.write_text("key,value,means\nEnv,,env\nEnv,,app\n")
    with pytest.raises(Problem, match="row 2: Env"):
        bill.read_spelling(path)
    path.write_text("key,means\nEnv,env\n")
    with pytest.raises(Problem, match="key,value,means"):
        bill.read_spelling(path)
