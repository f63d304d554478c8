"""A folder for another company: the files of a case, with help on every field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from synthecon import Problem, paths
from synthecon.economics import bill

COPIED = ("rules.csv", "tags.csv", "levers.toml", "ledger.csv")
MEANING: Mapping[str, Mapping[str, str]] = {
    "invoices.csv": {
        "date": "day of the invoice, 2026-01-31",
        "vendor": "who sent it",
        "category": "your word for it; rules.csv asks for it (Labelling, Data licence, …)",
        "item": "what was bought",
        "description": "anything that helps to find it again",
        "amount": "money without tax, 1234.56; a credit note is negative",
        "currency": "ISO code; must be that of policy.toml",
    },
    "payroll.csv": {
        "month": "2026-01",
        "team": "who",
        "role": "as what; no names of people",
        "activity": "on what; rules.csv asks for it (model training, labelling, …)",
        "hours": "hours in that month",
        "rate": "full cost of an hour: wage, social cost, workplace",
        "currency": "ISO code; must be that of policy.toml",
    },
    "revenue.csv": {
        "month": "2026-01; each month of policy.toml once",
        "amount": "revenue of the month, 1234.56",
        "currency": "ISO code; must be that of policy.toml",
    },
}
FOCUS_HELP = {
    "billed": "what the invoice says",
    "effective": "cost after commitments are spread; the audit counts this one",
    "currency": "must be that of policy.toml",
    "day": "start of the charge",
    "period": "start of the billing period",
    "charge": "Usage, Purchase, Tax, Credit or Adjustment",
    "provider": "who sells the service",
    "category": "FOCUS service category",
    "service": "the provider's name of the service",
    "correction": "Correction where it corrects an earlier bill",
    "description": "text",
    "account": "sub-account",
    "region": "region",
    "resource": "the thing that was used",
    "commitment": "Used or Unused, for commitments",
    "tags": 'JSON object of texts: {"env": "production", "app": "reader"}',
}


def write(folder: Path, name: str = "Your company") -> list[Path]:
    """Make a case folder to fill in; returns the files.

    Raises:
        Problem: the folder exists and is not empty: nothing of yours is overwritten.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Problem(f"{folder} is not empty: name a new folder")
    ours = paths.root() / "case"
    policy = (ours / "policy.toml").read_text(encoding="utf-8")
    head, _, rest = policy.partition("[classes]")
    start = head.index("name =")
    files = {
        "policy.toml": head[:start]
        + f'name = "{name}"\nfictional = false\n'
        + 'currency = "USD"             # ISO code; every file must use it\n'
        + 'first_month = "2025-11"      # the period, both months included\n'
        + 'last_month = "2026-10"\n\n'
        + "[files]  # below this folder; .csv, .csv.gz or .parquet\n"
        + 'bill = ["bill/export.csv"]   # FOCUS exports, as many as you have\n'
        + 'invoice = ["invoices.csv"]   # what never passes through a cloud bill\n'
        + 'payroll = ["payroll.csv"]    # hours of teams, no names\n'
        + 'revenue = "revenue.csv"\n\n[classes]'
        + rest,
        "HELP.md": help_text(),
    }
    files |= {file: ",".join(fields) + "\n" for file, fields in MEANING.items()}
    names = [c.names[0] for c in bill.FOCUS]
    files["bill/export.csv"] = ",".join(names) + "\n"
    files |= {file: (ours / file).read_text(encoding="utf-8") for file in COPIED}
    return [paths.write_atomic(folder / file, text) for file, text in files.items()]


def help_text() -> str:
    """What each file is and what each field means."""
    lines = [
        "# Your case",
        "",
        "Fill in the files, then run `make run CASE=this/folder`. Wrong rows are named, all at",
        "once, with file, row and column. Rows count from 1 below the header.",
        "",
        "- `policy.toml`: who you are, which files, which classes, which limits.",
        "- `rules.csv`: ordered rules, the first that matches places a line. Conditions are",
        "  `field = a | b`, `field != a`, `field ~ regular expression`, `field is empty`,",
        "  joined by `and`.",
        "- `tags.csv`: how tags are spelt here; an empty value maps the key itself.",
        "- `levers.toml`, `ledger.csv`: what could save money, and the assumptions behind it.",
        "  **They start as those of a fictional company: replace every row marked illustrative.**",
        "",
        "## bill/: FOCUS exports (1.0 to 1.4)",
        "",
        "| column | needed | meaning |",
        "|:--|:--|:--|",
        *(
            f"| {' or '.join(c.names)} | {'yes' if c.required else 'no'} | {FOCUS_HELP[c.name]} |"
            for c in bill.FOCUS
        ),
    ]
    for file, fields in MEANING.items():
        lines += ["", f"## {file}", "", "| column | meaning |", "|:--|:--|"]
        lines += [f"| {name} | {meaning} |" for name, meaning in fields.items()]
    return "\n".join(lines) + "\n"
