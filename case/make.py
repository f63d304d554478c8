# ruff: noqa: E501, SIM905 (tables read better on one line)
"""Make the bills, invoices and payroll of the two fictional companies: same seed, same bytes.

    python case/make.py            rewrites case/ and case-tannhof/

The bills have the faults of real exports on purpose: literal NULLs, credits, commitments that are
partly unused, untagged rows, misspelt tags, AI spend outside the AI category, list prices rounded
to whole units.  One provider writes FOCUS 1.0 names into CSV, the other FOCUS 1.4 names into
Parquet.  Amounts are drawn; nothing here describes a real company or a real price.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet

HERE = Path(__file__).resolve().parent
START, END = date(2025, 11, 1), date(2026, 11, 1)
DAYS = [START + timedelta(n) for n in range((END - START).days)]
MONTHS = sorted({d.replace(day=1) for d in DAYS})


@dataclass(frozen=True)
class Resource:
    """Something that is billed day by day.

    daily: mean cost of a day.  growth: factor over the year.  tags: what its owner wrote, by the
    spelling in use; None: nobody tagged it.  commit: share covered by a commitment.
    spikes: days (from 0) on which it cost ten times as much.
    """

    id: str
    category: str
    service: str
    daily: float
    tags: dict[str, str] | None
    growth: float = 1.0
    commit: float = 0.0
    weekend: float = 1.0
    spikes: tuple[int, ...] = ()
    description: str = "On-demand usage"


def tag(env: str, app: str, activity: str, **more: str) -> dict[str, str]:
    return {"env": env, "app": app, "activity": activity, **more}


AI, COMPUTE, STORE, NET = "AI and Machine Learning", "Compute", "Storage", "Networking"

NIMBUS = (
    Resource(
        "endpoint-ocr-large",
        AI,
        "Model Endpoints",
        1130,
        tag("production", "reader", "inference"),
        1.9,
    ),
    # A GPU endpoint booked as plain compute: AI cost outside its category.
    Resource(
        "vm-gpu-reader-b",
        COMPUTE,
        "Virtual Machines",
        310,
        {"Environment": "prod", "App": "reader", "activity": "serving"},
        1.5,
        0.75,
    ),
    Resource(
        "vm-api", COMPUTE, "Virtual Machines", 205, tag("production", "api", "serving"), 1.2, 0.6
    ),
    Resource(
        "db-orders", "Databases", "Managed SQL", 118, tag("production", "api", "serving"), 1.1
    ),
    Resource(
        "vec-search",
        "Databases",
        "Vector Store",
        64,
        {"env ": "production", "app": "reader", "activity": "inference"},
        1.6,
    ),
    Resource(
        "spark-features-a",
        "Analytics",
        "Spark Jobs",
        61,
        tag(
            "dev",
            "reader",
            "feature-engineering",
            feature="edge-histogram",
            source="parcels-raw",
            job="nightly-edges",
            team="vision",
        ),
    ),
    Resource(
        "spark-features-b",
        "Analytics",
        "Spark Jobs",
        47,
        tag(
            "dev",
            "fraud",
            "feature-engineering",
            feature="edge-histogram",
            source="parcels-raw",
            job="edges-v2",
            team="fraud",
        ),
    ),
    Resource(
        "spark-features-c",
        "Analytics",
        "Spark Jobs",
        33,
        tag(
            "dev",
            "fraud",
            "feature-engineering",
            feature="sender-embedding",
            source="orders",
            job="embed-senders",
            team="fraud",
        ),
    ),
    Resource(
        "spark-features-d",
        "Analytics",
        "Spark Jobs",
        52,
        tag(
            "dev",
            "routing",
            "feature-engineering",
            feature="sender-embedding",
            source="orders",
            job="sender-vectors",
            team="routing",
        ),
    ),
    Resource(
        "spark-features-e",
        "Analytics",
        "Spark Jobs",
        28,
        tag(
            "dev",
            "routing",
            "feature-engineering",
            feature="distance-table",
            source="depots",
            job="distances",
            team="routing",
        ),
    ),
    Resource(
        "notebooks",
        AI,
        "Notebooks",
        74,
        {"enviroment": "dev", "app": "research", "activity": "research"},
        1.0,
        0.0,
        0.3,
    ),
    Resource(
        "bucket-images", STORE, "Object Storage", 141, tag("shared", "platform", "storage"), 1.5
    ),
    Resource(
        "egress",
        NET,
        "Data Transfer",
        58,
        {"Env": "shared", "app": "platform", "activity": "network"},
        1.3,
    ),
    Resource("logs", "Management and Governance", "Log Search", 36, None, 1.2),
    Resource("misc-vm", COMPUTE, "Virtual Machines", 27, None),
)
CORAX = (
    Resource(
        "train-ocr",
        AI,
        "GPU Cluster",
        820,
        tag("dev", "reader", "training"),
        1.3,
        0.5,
        0.6,
        (47, 203),
    ),
    Resource(
        "train-fraud",
        AI,
        "GPU Cluster",
        190,
        {"env": "dev", "app": "fraud", "activity": "train"},
        1.0,
        0.0,
        0.5,
    ),
    Resource(
        "retrain-ocr",
        COMPUTE,
        "GPU Nodes",
        265,
        {"env": "dev", "app": "reader", "activity": "retraining"},
        1.4,
    ),
    Resource(
        "eval",
        AI,
        "GPU Cluster",
        77,
        {"env": "test", "app": "reader", "activity": "evaluation"},
        1.0,
        0.0,
        0.6,
    ),
    Resource(
        "labelling-tool", "Other", "Annotation Seats", 96, tag("dev", "reader", "labelling"), 1.2
    ),
    Resource("market-addresses", "Other", "Data Marketplace", 155, tag("dev", "routing", "data")),
    Resource("scratch", STORE, "Block Storage", 44, None),
)


@dataclass(frozen=True)
class Company:
    """What differs between the two companies."""

    folder: str
    name: str
    currency: str
    seed: int
    scale: float  # of the bill
    spikes: bool
    labelling: tuple[float, float]  # per label, labels a month
    licences: float  # a month
    staff: tuple[tuple[str, str, str, float, float], ...]  # team, role, activity, hours, rate
    revenue: tuple[float, float]  # first month, growth over the year


HALYARD = Company(
    "case", "Halyard Imaging", "USD", 2602, 1.0, True, (0.42, 96_000), 19_500.0,
    (
        ("vision", "ML engineer", "model training", 310, 96),
        ("vision", "Data scientist", "feature engineering", 240, 92),
        ("vision", "Annotator", "labelling", 820, 24),
        ("fraud", "Data scientist", "feature engineering", 150, 92),
        ("fraud", "ML engineer", "model training", 130, 96),
        ("platform", "Engineer", "production operations", 330, 88),
        ("platform", "Support", "customer support", 420, 41),
        ("legal", "Counsel", "data compliance", 70, 140),
        ("vision", "Domain expert", "label review", 120, 65),
        ("sales", "Account manager", "sales", 560, 58),
    ),
    (690_000.0, 1.22),
)  # fmt: skip
TANNHOF = replace(
    HALYARD, folder="case-tannhof", name="Tannhof Optik", currency="EUR", seed=2603, scale=0.16,
    spikes=False, labelling=(0.31, 4_000), licences=900.0,
    staff=tuple((t, r, a, round(h * 0.22), rate) for t, r, a, h, rate in HALYARD.staff),
    revenue=(240_000.0, 1.04),
)  # fmt: skip

FIELDS_10 = (
    "BillingAccountId BillingAccountName BillingCurrency BillingPeriodStart BillingPeriodEnd "
    "ChargePeriodStart ChargePeriodEnd ChargeCategory ChargeClass ChargeDescription BilledCost "
    "EffectiveCost ListCost ContractedCost PricingQuantity PricingUnit ProviderName PublisherName "
    "InvoiceIssuerName ServiceCategory ServiceName RegionId ResourceId SubAccountId SubAccountName "
    "CommitmentDiscountId CommitmentDiscountStatus Tags"
).split()
RENAMED = {"ProviderName": "ServiceProviderName", "PublisherName": "HostProviderName"}


class Books:
    """Draws one provider's bill."""

    def __init__(self, company: Company, provider: str, account: str) -> None:
        self.company, self.provider, self.account = company, provider, account
        self.random = random.Random(f"{company.seed} {provider}")
        self.used: dict[tuple[str, date], list[dict[str, str]]] = {}

    def rows(self, resources: tuple[Resource, ...]) -> Iterator[dict[str, str]]:
        for month in MONTHS:
            days = [d for d in DAYS if d.replace(day=1) == month]
            for r in resources:
                yield from self.usage(r, days)
            yield from self.commitments(resources, month, days)
            yield from self.monthly(month)

    def usage(self, r: Resource, days: list[date]) -> Iterator[dict[str, str]]:
        for day in days:
            amount = self.amount(r, day)
            covered = amount * r.commit
            if r.commit:
                covered = min(covered, self.commitment(r) / len(days))
                yield self.row(r, day, billed=0.0, effective=covered, listed=covered * 1.45,
                               status="Used", description="Usage covered by a commitment")  # fmt: skip
            rest = amount - covered
            yield self.row(r, day, billed=rest, effective=rest, listed=rest * 1.06)

    def amount(self, r: Resource, day: date) -> float:
        n = (day - START).days
        level = r.daily * self.company.scale * r.growth ** (n / len(DAYS))
        level *= r.weekend if day.weekday() >= 5 else 1.0
        level *= 10.0 if self.company.spikes and n in r.spikes else 1.0
        return level * self.random.lognormvariate(0.0, 0.06)

    def commitment(self, r: Resource) -> float:
        """What was committed for a month: too much, so that some of it stays unused."""
        return 30.4 * r.daily * self.company.scale * r.commit * 1.35

    def commitments(
        self, resources: tuple[Resource, ...], month: date, days: list[date]
    ) -> Iterator[dict[str, str]]:
        """The purchase, billed; and what of it nobody used, effective.  Used + unused = bought."""
        for r in (r for r in resources if r.commit):
            fee = Decimal(f"{self.commitment(r):.6f}")
            used = sum(
                (Decimal(row["EffectiveCost"]) for row in self.used.pop((r.id, month), [])),
                Decimal(0),
            )
            bought = self.row(r, month, billed=0, effective=0, listed=0, category="Purchase",
                              description="Commitment, monthly fee", days=len(days))  # fmt: skip
            unused = self.row(r, month, billed=0, effective=0, listed=0, status="Unused",
                              description="Unused part of a commitment", days=len(days))  # fmt: skip
            yield bought | {"BilledCost": f"{fee:.6f}", "ResourceId": "NULL", "Tags": ""}
            yield unused | {"EffectiveCost": f"{fee - used:.6f}", "ResourceId": "NULL", "Tags": ""}

    def monthly(self, month: date) -> Iterator[dict[str, str]]:
        """Support, tax and credits: not every line of a bill is usage."""
        last = (month.replace(day=28) + timedelta(4)).replace(day=1) - timedelta(1)
        scale = self.company.scale
        extra = Resource("NULL", "Management and Governance", "Support Plan", 0, None)
        for category, amount, text in (
            ("Usage", 1450 * scale, "Support plan"),
            ("Tax", 2100 * scale, "Tax"),
            ("Credit", -900 * scale * self.random.uniform(0.5, 1.5), "Start-up credit"),
        ):
            yield self.row(extra, last, billed=amount, effective=amount, listed=amount,
                           category=category, description=text)  # fmt: skip
        if month.month % 4 == 0:
            fix = -350 * scale * self.random.uniform(0.5, 1.5)
            row = self.row(extra, last, billed=fix, effective=fix, listed=fix, category="Adjustment",
                           description="Correction of an earlier invoice")  # fmt: skip
            yield row | {"ChargeClass": "Correction"}

    def row(
        self, r: Resource, day: date, *, billed: float, effective: float, listed: float,
        category: str = "Usage", status: str = "NULL", description: str = "", days: int = 1,
    ) -> dict[str, str]:  # fmt: skip
        month = day.replace(day=1)
        after = (month.replace(day=28) + timedelta(4)).replace(day=1)
        tags = "" if r.tags is None else json.dumps(r.tags)
        row = {
            "BillingAccountId": self.account,
            "BillingAccountName": self.company.name,
            "BillingCurrency": self.company.currency,
            "BillingPeriodStart": f"{month}T00:00:00Z",
            "BillingPeriodEnd": f"{after}T00:00:00Z",
            "ChargePeriodStart": f"{day}T00:00:00Z",
            "ChargePeriodEnd": f"{day + timedelta(days)}T00:00:00Z",
            "ChargeCategory": category,
            "ChargeClass": "NULL",
            "ChargeDescription": description or r.description,
            "BilledCost": f"{billed:.6f}",
            "EffectiveCost": f"{effective:.6f}",
            "ListCost": f"{listed:.0f}",
            "ContractedCost": f"{effective:.6f}",
            "PricingQuantity": "1",
            "PricingUnit": "Days",
            "ProviderName": self.provider,
            "PublisherName": self.provider,
            "InvoiceIssuerName": self.provider,
            "ServiceCategory": r.category,
            "ServiceName": r.service,
            "RegionId": "region-1",
            "ResourceId": r.id,
            "SubAccountId": "NULL",
            "SubAccountName": "NULL",
            "CommitmentDiscountId": f"commit-{r.id}" if r.commit and status != "NULL" else "NULL",
            "CommitmentDiscountStatus": status,
            "Tags": tags,
        }
        if status == "Used":
            self.used.setdefault((r.id, month), []).append(row)
        return row


def open_text(path: Path) -> TextIO:
    """For writing; a .gz file without date and name in it: the same bytes whenever it is made."""
    if path.suffix != ".gz":
        return path.open("w", encoding="utf-8", newline="")
    zipped = gzip.GzipFile("", "wb", 9, path.open("wb"), mtime=0)
    return io.TextIOWrapper(zipped, encoding="utf-8", newline="")


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_text(path) as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: list[dict[str, str]]) -> None:
    """Money as decimals, empty and NULL as null, the FOCUS 1.4 names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {}
    for name in rows[0]:
        values = [None if r[name] in ("", "NULL") else r[name] for r in rows]
        array = pa.array(values, pa.string())
        if name.endswith("Cost"):
            array = array.cast(pa.decimal128(38, 6))
        columns[RENAMED.get(name, name)] = array
    pa.parquet.write_table(pa.table(columns), path, compression="zstd")


def invoices(company: Company) -> list[dict[str, str]]:
    """Labelling agencies and licences for data: money that never sees a cloud bill."""
    draw = random.Random(f"{company.seed} invoices")
    rate, labels = company.labelling
    rows = []
    for n, month in enumerate(MONTHS):
        count = round(labels * (1 + 0.02 * n) * draw.uniform(0.9, 1.1))
        agency = ("Agency Marlow", "Agency Pell")[n % 2]
        rows.append(
            {"date": str(month.replace(day=20)), "vendor": agency, "category": "Labelling",
             "item": "Image labels", "description": f"{count} labels at {rate}",
             "amount": f"{count * rate:.2f}", "currency": company.currency}
        )  # fmt: skip
        rows.append(
            {"date": str(month.replace(day=5)), "vendor": "Oriel Data", "category": "Data licence",
             "item": "Parcel images", "description": "Monthly licence",
             "amount": f"{company.licences * draw.uniform(0.97, 1.03):.2f}", "currency": company.currency}
        )  # fmt: skip
    return rows


def payroll(company: Company) -> list[dict[str, str]]:
    draw = random.Random(f"{company.seed} payroll")
    return [
        {"month": f"{month:%Y-%m}", "team": team, "role": role, "activity": activity,
         "hours": f"{hours * draw.uniform(0.94, 1.06):.1f}", "rate": f"{rate:.2f}",
         "currency": company.currency}
        for month in MONTHS
        for team, role, activity, hours, rate in company.staff
    ]  # fmt: skip


def revenue(company: Company) -> list[dict[str, str]]:
    draw = random.Random(f"{company.seed} revenue")
    first, growth = company.revenue
    return [
        {"month": f"{month:%Y-%m}", "amount": f"{first * growth ** (n / 11) * draw.uniform(0.98, 1.02):.2f}",
         "currency": company.currency}
        for n, month in enumerate(MONTHS)
    ]  # fmt: skip


def make(company: Company, root: Path) -> None:
    folder = root / company.folder
    write_csv(
        folder / "bill" / "nimbus.csv.gz", list(Books(company, "Nimbus", "nb-1001").rows(NIMBUS))
    )
    write_parquet(
        folder / "bill" / "corax.parquet", list(Books(company, "Corax", "cx-77").rows(CORAX))
    )
    write_csv(folder / "invoices.csv", invoices(company))
    write_csv(folder / "payroll.csv", payroll(company))
    write_csv(folder / "revenue.csv", revenue(company))


if __name__ == "__main__":
    for each in (HALYARD, TANNHOF):
        make(each, HERE.parent)
