"""The audit of both companies: sums agree, levers follow evidence, nothing pays by default."""

from __future__ import annotations

import gzip
import runpy
import shutil
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from synthecon import Problem, cli, paths, records
from synthecon.economics import audit, bill, case, classify, report, template

ROOT = paths.root()


@pytest.fixture(scope="module")
def halyard():
    return audit.audit(case.read(ROOT / "case"))


@pytest.fixture(scope="module")
def tannhof():
    return audit.audit(case.read(ROOT / "case-tannhof"))


@pytest.fixture
def copy(tmp_path):
    """A case that may be spoilt."""
    return shutil.copytree(ROOT / "case", tmp_path / "case")


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return file


def test_the_bill_is_large_enough_and_has_the_faults_of_real_exports(halyard):
    table = halyard.case.lines.table
    bills = [table["kind"].to_pylist().count("bill")]
    assert bills[0] >= 5000 and len(set(table["provider"].to_pylist()) & {"Nimbus", "Corax"}) == 2
    text = gzip.decompress((ROOT / "case/bill/nimbus.csv.gz").read_bytes()).decode()
    assert ",NULL," in text and "enviroment" in text and '""env "":' in text
    assert {"Credit", "Purchase", "Tax", "Adjustment"} <= set(table["charge"].to_pylist())
    assert classify.totals(table, "commitment")["Unused"] > 0
    assert halyard.by_class["unclassified"] > 0
    (outside,) = {
        c for c, r in zip(table["category"].to_pylist(), table["rule"].to_pylist(), strict=True)
        if r == "production-gpu"
    }  # fmt: skip
    assert outside == "Compute"  # AI cost outside its category is found all the same


def test_the_script_makes_the_same_bytes(tmp_path):
    made = runpy.run_path(str(ROOT / "case/make.py"))
    for company in (made["HALYARD"], made["TANNHOF"]):
        made["make"](company, tmp_path)
        for file in sorted((tmp_path / company.folder).rglob("*.*")):
            committed = ROOT / file.relative_to(tmp_path)
            assert file.read_bytes() == committed.read_bytes(), file.name


@pytest.mark.parametrize("company", ["halyard", "tannhof"])
def test_all_roads_lead_to_the_same_sums(company, request):
    found = request.getfixturevalue(company)
    assert all(check.holds for check in found.checks) and len(found.checks) == 9
    total = found.case.lines.total()
    assert sum(found.by_class.values()) == total == sum(found.by_line.values())
    direct = sum(v for k, v in found.by_class.items() if found.case.policy.classes[k].ml)
    assert sum(found.ml.values()) == direct
    files = [p for kind in ("bill",) for p in found.case.policy.files[kind]]
    by_hand = sum(bill.control_total(p, "EffectiveCost") for p in files)
    by_hand += bill.control_total(found.case.folder / "invoices.csv", "amount")
    for row in bill.texts(found.case.folder / "payroll.csv").to_pylist():
        by_hand += (Decimal(row["hours"]) * Decimal(row["rate"])).quantize(Decimal("0.01"))
    assert by_hand == total
    cogs = found.by_line["COGS"]
    assert found.margin == pytest.approx(float((found.revenue - cogs) / found.revenue))


def test_a_lever_is_measured_effect_times_transfer_less_the_pipeline(halyard):
    (lever,) = [x for x in halyard.levers if x.id == "distil-inference"]
    _, m = records.find("cpu/lesson-1-physics/serving-cost#ratio.exported.batch-1")
    assert lever.share.base == pytest.approx(1 - 1 / m.value)
    assert lever.share.low == pytest.approx(1 - 1 / m.low)
    spend = float(halyard.by_class["inference"])
    assert float(lever.spend) == spend  # no payroll in inference
    cost = 70_000 + 12 * 5_000
    assert lever.cost.base == cost
    assert lever.net.base == pytest.approx(spend * (1 - 1 / m.value) * 0.5 - cost)
    assert lever.net.low == pytest.approx(spend * (1 - 1 / m.low) * 0.2 - 120_000 - 12 * 9_000)
    assert lever.net.high == pytest.approx(spend * (1 - 1 / m.high) * 0.8 - 40_000 - 12 * 3_000)
    assert "transfer.distil-inference" in lever.evidence
    assert any(v.startswith("fraction-of-the-cost: ") for v in lever.verdicts)


def test_freed_hours_are_no_cash(halyard):
    (lever,) = [x for x in halyard.levers if x.id == "teacher-labels"]
    assert lever.hours > 0 and lever.spend + lever.hours == halyard.by_class["labelling"]


def test_the_second_company_keeps_its_status_quo(halyard, tannhof):
    assert 0 < len(halyard.bottlenecks) <= 3
    nets = [x.net.base for x in halyard.bottlenecks]
    assert nets == sorted(nets, reverse=True) and all(n > 0 for n in nets)
    assert all(x.synthetic for x in halyard.bottlenecks)
    assert tannhof.bottlenecks == () and tannhof.case.policy.currency == "EUR"
    assert "Keep the status quo" in report.markdown(tannhof)


def test_flags_find_what_was_planted(halyard, tannhof):
    assert [s.day for s in halyard.flags.spikes] == ["2025-12-18", "2026-05-23"]
    assert {s.class_ for s in halyard.flags.spikes} == {"training"}
    assert not tannhof.flags.spikes
    assert "inference" in halyard.flags.growth
    assert halyard.flags.idle_share == pytest.approx(
        float(halyard.flags.idle)
        / float(
            halyard.flags.idle + classify.totals(halyard.case.lines.table, "commitment")["Used"]
        )
    )


def test_a_measured_loss_stays_a_loss(copy, monkeypatch):
    change(copy / "levers.toml", 'formula = "ratio"', 'formula = "percent"')
    m = records.Measurement("x", "X", -10.0, "%", 5, -20.0, 5.0, 0.95, "t")
    record = records.find("cpu/lesson-1-physics/serving-cost#ratio.exported.batch-1")[0]
    real = audit.records.find
    monkeypatch.setattr(
        audit.records, "find", lambda i: (record, m) if "ratio.exported.batch-1" in i else real(i)
    )
    (lever,) = [x for x in audit.audit(case.read(copy)).levers if x.id == "distil-inference"]
    assert lever.gross.base < 0 and lever.gross.low == pytest.approx(
        float(lever.spend) * -0.2 * 0.8
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("policy.toml", 'currency = "USD"', 'currency = "EUR"', "rows cannot be read"),
        ("policy.toml", "[flags]", "[flag]", "missing or of the wrong kind: 'flags'"),
        ("policy.toml", 'last_month = "2026-10"', 'last_month = "2026-09"', "not in the period"),
        ("policy.toml", "labelling = {", "labels = {", "none of"),
        ("policy.toml", "bill/nimbus.csv", "bill/nimbos.csv", "no such file"),
        ("revenue.csv", "2026-02", "2027-02", "outside the period or twice"),
        ("levers.toml", "transfer.share-features", "transfer.shared", "no row 'transfer.shared'"),
        ("levers.toml", "#ratio.exported.batch-1", "#ratio", "ratio"),
        ("levers.toml", 'when = "class = inference"', 'when = "klass = x"', "unknown field"),
        ("levers.toml", '"cost.distil.once"', '"transfer.release-idle"', "wanted USD"),
        ("ledger.csv", "transfer.release-idle,", "transfer release,", "may have only"),
    ],
)
def test_what_is_wrong_with_a_case_is_named(copy, file, old, new, complaint):
    change(copy / file, old, new)
    with pytest.raises(Problem, match=complaint):
        audit.audit(case.read(copy))


def test_an_audit_needs_the_files_that_it_declares_and_no_other(copy, halyard, tmp_path):
    files = case.files(copy)
    alone = tmp_path / "alone"
    for file in files:
        (alone / file.relative_to(copy)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, alone / file.relative_to(copy))
    assert report.markdown(audit.audit(case.read(alone))) == report.markdown(halyard)
    for file in files:
        held = file.rename(file.with_name("away"))
        with pytest.raises(Problem):
            audit.audit(case.read(copy))
        held.rename(file)


def test_wrong_rows_of_all_files_are_named_at_once(copy):
    change(copy / "invoices.csv", ",USD", ",GBP")
    change(copy / "payroll.csv", "2025-11,", "2025-13,")
    with pytest.raises(Problem) as told:
        case.read(copy)
    text = str(told.value)
    assert "invoices.csv, row 1, currency" in text and "payroll.csv, row 1, month" in text


def test_the_report_is_one_page_of_the_audits_own_numbers(halyard):
    text = report.markdown(halyard)
    assert text == report.markdown(halyard)
    html = report.html(halyard)
    page = BeautifulSoup(html, "html.parser")
    assert len(page.select("h1")) == 1 and not page.select("script, link, img")
    top = page.select("table")[0]
    assert [r.td.text.split(" (")[0] for r in top.select("tbody tr")] == [
        x.title for x in halyard.bottlenecks
    ]
    assert MarkdownIt("commonmark").enable("table").render(text).count("<table>") == 3
    for amount in (halyard.cogs, halyard.revenue, halyard.case.lines.total()):
        assert f"USD {round(amount):,}" in text


@pytest.mark.parametrize(
    ("amount", "text"), [("1234.5", "USD 1,234"), ("-1234.6", "−USD 1,235"), ("-0.2", "USD 0")]
)
def test_money_is_printed_with_a_true_minus(amount, text):
    assert report.money(Decimal(amount), "USD") == text


def test_a_new_folder_says_what_to_fill_in_and_can_be_filled(tmp_path, capsys):
    mine = tmp_path / "mine"
    assert not cli.main(["audit", "--template", str(mine)])
    told = (mine / "HELP.md").read_text()
    for column in (*bill.FOCUS, *bill.INVOICES, *bill.PAYROLL):
        assert column.names[0] in told
    with pytest.raises(Problem, match="no revenue for"):
        case.read(mine)
    with pytest.raises(Problem, match="not empty"):
        template.write(mine)
    change(mine / "policy.toml", 'last_month = "2026-10"', 'last_month = "2025-11"')
    head = (mine / "bill/export.csv").read_text().strip().split(",")
    row = dict.fromkeys(head, "") | {
        "BilledCost": "100", "EffectiveCost": "100", "BillingCurrency": "USD",
        "ChargePeriodStart": "2025-11-03", "BillingPeriodStart": "2025-11-01",
        "ChargeCategory": "Usage", "ProviderName": "P", "ServiceCategory": "AI", "ServiceName": "S",
    }  # fmt: skip
    (mine / "bill/export.csv").write_text(",".join(head) + "\n" + ",".join(row.values()) + "\n")
    (mine / "revenue.csv").write_text("month,amount,currency\n2025-11,500,USD\n")
    capsys.readouterr()
    assert not cli.main(["audit", str(mine)])
    assert "unclassified 100.0%" in capsys.readouterr().out


def test_pareto_by_hand():
    rows = audit.pareto({"a": Decimal(1), "b": Decimal(6), "c": Decimal(3)})
    assert rows == [("b", 6, 0.6), ("c", 3, pytest.approx(0.9)), ("a", 1, 1.0)]


def test_at_break_even_the_base_case_earns_nothing(halyard):
    for lever in halyard.levers:
        if lever.cost.base and (even := lever.break_even):
            saved = float(lever.spend) * lever.share.base * even.base
            assert saved == pytest.approx(lever.cost.base)
            assert even.low <= even.base <= even.high


def test_the_benchmark_reads_what_it_wrote(capsys):
    assert not cli.main(["audit", "--bench", "7000"])
    assert "7,000 lines, 0 refused" in capsys.readouterr().out
    assert cli.main(["audit", "--bench", "0"]) == 2


def test_a_bill_is_never_missed_in_silence(tmp_path):
    """One that lies beside those that are named, and one that is named and empty."""
    folder = tmp_path / "mine"
    shutil.copytree(paths.root() / "case-tannhof", folder)
    [named, *_] = case.read_policy(folder).files["bill"]
    shutil.copy(named, named.with_name(f"other-{named.name}"))
    with pytest.raises(Problem, match=f"other-{named.name} lies beside the bills"):
        case.read(folder)
    named.with_name(f"other-{named.name}").unlink()
    with gzip.open(named, "rt", encoding="utf-8") as file:
        head = file.readline()
    with gzip.open(named, "wt", encoding="utf-8") as file:
        file.write(head)
    with pytest.raises(Problem, match=f"{named.name}: no row"):
        case.read(folder)
