"""A folder for another company: the files of a case, with help on every field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from synthecon import Problem, paths
from synthecon.economics import bill

COPIED = (
    "rules.csv",
    "tags.csv",
    "levers.toml",
    "ledger.csv",
    "items.csv",
    "sourcing.csv",
    "sla.csv",
    "components.csv",
    "metrics.csv",
    "gates.csv",
    "pipeline-gates.csv",
    "datasets.csv",
    "stakeholders.csv",
    "adoption.csv",
)
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
MODEL: Mapping[str, Mapping[str, str]] = {
    "ledger.csv": {
        "id": "a-z, 0-9, dots and hyphens; items and formulas use it",
        "name": "what it is, for people",
        "low": "a number; costs and prices are not negative",
        "base": "what you expect",
        "high": "low ≤ base ≤ high",
        "distribution": "pert, triangular, uniform: all values lie from low to high; normal, "
        "lognormal: base is the median, 95 % lie from low to high; fixed: all three are one number",
        "unit": "words joined by - * /: USD/GPU-hour, hours/month, 1/year, share",
        "currency": "ISO code where the unit has money in it, else empty",
        "basis": "nominal or real, for money; for rates where it matters",
        "period": "hour, day, month or year, where the unit has it; once for a single amount",
        "source_type": "measured: from a record; invoice: from your own books; derived: a formula; "
        "public, quote, expert, transfer; illustrative: nobody has checked it",
        "source": "measured: cpu/LESSON/NOTEBOOK#NAME; invoice: audit#month.inference; derived: "
        "a formula over ids, + - * / ( ), min(a, b), max(a, b), compound(a, b), blanks around "
        "minus; public: the https:// address that was opened; else who said it",
        "as_of": "day on which that was so, 2026-01-31",
        "owner": "who answers for it",
        "confidence": "high, medium or low; empty in a derived row",
        "group": "rows that move together and how much, prices:0.6; or empty",
        "note": "anything",
    },
    "items.csv": {
        "id": "a-z, 0-9, dots and hyphens",
        "name": "what is paid for",
        "scenario": "status-quo, pipeline or both",
        "category": "CapEx, OpEx, People or Opportunity",
        "line": "of the profit and loss statement: COGS, R&D, S&M, G&A; Capex for CapEx, none for "
        "Opportunity",
        "cash": "yes, or no; Opportunity is never cash",
        "kind": "once, or monthly",
        "start": "first month, 0 is now; or the id of a ledger row in months",
        "ramp": "months over which a monthly item comes up; empty: at once",
        "end": "last full month; empty: the last of the model",
        "fade": "months over which it goes down after end; empty: at once",
        "factors": "ledger ids and numbers joined by * and /, together money (once) or money a "
        "month (monthly); a sum is a derived row of the ledger",
        "growth": "ledger id of a yearly rate, or empty",
        "note": "anything",
    },
}
LESSONS: Mapping[str, Mapping[str, str]] = {
    "rules.csv": {
        "id": "name of the rule; it is kept with each line that it places",
        "when": "the condition, as above; the first rule that matches counts",
        "class": "a class of policy.toml",
        "line": "COGS, R&D, S&M, G&A, or what is none of them: Tax, Credits",
        "why": "the reason, for whoever asks",
    },
    "tags.csv": {
        "key": "a tag as the bill spells it",
        "value": "its value there; empty: the row maps the key itself",
        "means": "what you call it",
    },
    "sla.csv": {
        "schedule": "vendor: its standard; finer: what you could ask for; own: what you promise",
        "below": "availability of a month, above 0 and at most 1, under which the credit is due",
        "credit": "share of the month's fee that comes back, 0 to 1",
        "source_type": "quote, public, expert or illustrative",
        "source": "the contract, or the page that was opened",
        "owner": "who answers for it",
    },
    "components.csv": {
        "id": "a-z, 0-9 and hyphens",
        "group": "Direct CapEx/OpEx, Human capital or Opportunity cost",
        "component": "its name",
        "items": "ids of items.csv with blanks between; a star at the end for all that begin so; "
        "every item stands in exactly one component",
        "claims": "claims of records that it rests on, with blanks between",
        "note": "what it means, or why nothing was measured",
    },
    "metrics.csv": {
        "id": "the six of the example are shown to the board, under the same ids",
        "name": "what it is, for people",
        "value": "a number, for an input; empty where a record or a formula gives it",
        "unit": "words joined by - * /, as in the ledger",
        "target": "a number, for a metric; empty for an input",
        "better": "above or below the target; empty for an input",
        "definition": "how it is counted, and what does not count",
        "source_type": "as in the ledger, without transfer; derived: a formula over inputs",
        "source": "the formula, the measurement's id, or who said it",
        "as_of": "day on which that was so",
        "owner": "who answers for it",
        "note": "anything",
    },
    "gates.csv": {
        "gate": "quality, shift, privacy or lineage",
        "measure": "what is looked at: a key in a data set's evidence, or a field of its lineage",
        "title": "what it is, for people",
        "better": "above or below: the whole interval must lie there; empty for lineage",
        "threshold": "a number; empty for lineage",
        "unit": "of the threshold",
        "state": "the first state that needs this gate: validated or released",
        "evidence": "what counts as evidence",
    },
    "datasets.csv": {
        "id": "of the data set; a better version is a new one",
        "name": "what it is, for people",
        "state": "draft, validated, released or retired",
        "generator": "what made it; empty where nobody knows, and the lineage gate then blocks",
        "source": "the data that the generator learnt from",
        "licence": "under which that may be used",
        "owner": "who answers for it",
        "made": "day, 2026-01-31",
        "evidence": "measure=measurement id, with a semicolon and a blank between",
        "note": "anything",
    },
    "pipeline-gates.csv": {
        "gate": "as in gates.csv; `python -m synthecon pipeline` asks its own sets and students",
        "measure": "what the pipeline measures; the example has all that it knows",
        "title": "what it is, for people",
        "better": "above or below: the whole interval must lie there",
        "threshold": "a number",
        "unit": "of the threshold",
        "state": "validated or released",
        "evidence": "what counts as evidence",
    },
    "stakeholders.csv": {
        "id": "of the objection",
        "stakeholder": "a role; no names of people",
        "decides": "what this person can say no to",
        "objection": "in their words",
        "reply": "answered, conceded (they are right) or open",
        "evidence": "claims, measurements or ledger ids that speak to it, with semicolons between",
        "step": "what happens next",
        "owner": "who does it",
        "by": "month by which, from the start",
    },
    "adoption.csv": {
        "month": "1, 2, 3, … from the start of a practice that you have seen spread; three or more",
        "teams": "how many had adopted it by then; never falls",
        "could": "how many had a use for it; one number in all rows",
        "practice": "what spread",
        "source_type": "invoice, quote, public, expert or illustrative",
        "source": "who counted",
        "as_of": "day of the count",
        "owner": "who answers for it",
        "note": "anything",
    },
}
"""What the files of lessons 2 and 3 hold; sourcing.csv has the columns of items.csv."""
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
        "Fill in the files, run `python -m synthecon ledger this/folder --update`, then",
        "`make run CASE=this/folder`. Wrong rows are named, all at once, with file, row and",
        "column. Rows count from 1 below the header; lines of ledger and items count it too.",
        "",
        "- `policy.toml`: who you are, which files, which classes, which limits.",
        "- `rules.csv`: ordered rules, the first that matches places a line. Conditions are",
        "  `field = a | b`, `field != a`, `field ~ regular expression`, `field is empty`,",
        "  joined by `and`.",
        "- `tags.csv`: how tags are spelt here; an empty value maps the key itself.",
        "- `sourcing.csv`, `sla.csv`, `components.csv`: build or buy, credit schedules, and which",
        "  item belongs to which component. `sourcing.csv` has the columns of `items.csv`; its",
        "  scenarios are build, buy, hybrid, or all.",
        "- `metrics.csv`, `gates.csv`, `datasets.csv`, `stakeholders.csv`, `adoption.csv`:",
        "  what the board is shown of the moat, what blocks a data set, who must agree, and how",
        "  fast a practice spreads.",
        "- `levers.toml`: what could save money. `ledger.csv`: the assumptions. `items.csv`: what",
        "  the status quo and the pipeline cost, month by month.",
        "  **They start as those of a fictional company: replace every row marked illustrative.**",
        "",
        "When bills and payroll are in, `python -m synthecon ledger this/folder --update` writes",
        "the rows of `ledger.csv` that come from your books (invoice) or from a record (measured),",
        "and checks all of it. Rows of people's numbers are never touched.",
        "`python -m synthecon diagnose this/folder`: where the margin leaks, and what is missing.",
        "",
        "The ledger starts in USD. In another currency, write yours into `currency` and `unit` of",
        "every row with money, and your own numbers. A price read in dollars may stay: add",
        "a row in, say, EUR/USD, and multiply by it, as `case-tannhof/ledger.csv` does in",
        "`unit.core-hour`. Each row that is still in the wrong currency is named.",
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
    for file, fields in {**MEANING, **MODEL, **LESSONS}.items():
        lines += ["", f"## {file}", "", "| column | meaning |", "|:--|:--|"]
        lines += [f"| {name} | {meaning} |" for name, meaning in fields.items()]
    return "\n".join(lines) + "\n"
