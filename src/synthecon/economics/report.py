"""The audit report: one page, as Markdown and as HTML, from an audit alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from synthecon import paths
from synthecon.economics import classify
from synthecon.economics.audit import Audit, Lever, Range, pareto

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto;
  padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { border-bottom: 1px solid #8886; padding: .3rem .5rem; text-align: left;
  vertical-align: top; }
td[style*=right], th[style*=right] { font-variant-numeric: tabular-nums; white-space: nowrap; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 1.3rem; }
code { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
@page { size: A4; margin: 11mm; }
@media print {
  body { font-size: 8.4px; line-height: 1.3; margin: 0; padding: 0; max-width: none; }
  h1 { font-size: 15px; margin: 0 0 4px; } h2 { font-size: 11px; margin: 7px 0 2px; }
  p, ul { margin: 3px 0; } table { margin: 2px 0 5px; } th, td { padding: 1px 4px; }
}
"""


def money(amount: Decimal | float, currency: str) -> str:
    """Whole units, thousands apart, a true minus: "USD 1,234"."""
    text = f"{abs(round(Decimal(amount))):,}"
    return f"{'−' if round(Decimal(amount)) < 0 else ''}{currency} {text}"


def spread(r: Range, currency: str) -> str:
    return (
        " / ".join(money(x, "").replace(" ", "") for x in (r.low, r.base, r.high)) + f" {currency}"
    )


def markdown(audit: Audit) -> str:
    """The report.  Same audit, same text: no date but those of the data."""
    case, policy, currency = audit.case, audit.case.policy, audit.case.policy.currency
    drivers = ", ".join(policy.classes[d].title for d in policy.drivers)
    total, titles = case.lines.total(), {k: c.title for k, c in policy.classes.items()}
    lines = [f"# COGS audit: {policy.name}", ""]
    if policy.fictional:
        lines += ["*A fictional company.*", ""]
    lines += [
        f"{policy.first_month} to {policy.last_month}. {sum(case.lines.rows.values()):,} rows of "
        f"{len(case.lines.rows)} files, all read; total {money(total, currency)}. "
        f"Revenue {money(audit.revenue, currency)}, cost of goods sold "
        f"{money(audit.cogs, currency)}, gross margin {audit.margin:.1%}. "
        f"{audit.unclassified:.1%} of the spend is in no class.",
        "",
        "## The top three bottlenecks",
        "",
    ]
    if audit.bottlenecks:
        lines += _lever_table(audit.bottlenecks, currency)
        lines += _caution(audit)
    else:
        lines += [
            "No lever of the playbook saves more than its pipeline costs in the base case. "
            "**Keep the status quo**, and look at the housekeeping below.",
            "",
        ]
    rest = [x for x in audit.levers if x not in audit.bottlenecks]
    if rest:
        lines += ["## Other levers", "", *_lever_table(rest, currency)]
    lines += ["## ML cost", "", "| class | spend | share | cumulated |", "|:--|--:|--:|--:|"]
    whole = sum(audit.ml.values(), Decimal(0))
    for name, amount, share in pareto(audit.ml):
        part = amount / whole if whole else Decimal(0)
        row = (titles[name], money(amount, currency), f"{part:.1%}", f"{share:.1%}")
        lines.append("| " + " | ".join(row) + " |")
    lines += [
        f"| **ML cost** | **{money(whole, currency)}** | | |",
        "",
        f"Shared storage and network are dealt out by {drivers}.",
        "",
        "## Runaway spend",
        "",
        *flag_lines(audit),
        "",
        "## How the sums agree",
        "",
        *(f"- {c.name}: {c.left.normalize():,f}" for c in audit.checks),
        "",
        "Low, base and high of a lever are corners: the ends of the measured interval with the ends"
        " of transfer and cost. They are not a confidence interval.",
        "",
    ]
    return "\n".join(lines)


def summary(audit: Audit) -> str:
    """The report's headlines for a terminal."""
    policy = audit.case.policy
    lines = [
        f"{policy.name}, {policy.first_month} to {policy.last_month}: "
        f"{len(audit.case.lines.table):,} lines, "
        f"{money(audit.case.lines.total(), policy.currency)}",
        f"ML cost {money(sum(audit.ml.values(), Decimal(0)), policy.currency)}, "
        f"COGS {money(audit.cogs, policy.currency)}, gross margin {audit.margin:.1%}, "
        f"unclassified {audit.unclassified:.1%}",
    ]
    for place, x in enumerate(audit.bottlenecks, 1):
        lines.append(f"{place}. {x.title}: {spread(x.net, policy.currency)} a period, net")
    return "\n".join(lines if audit.bottlenecks else [*lines, "no lever pays: keep the status quo"])


def _caution(audit: Audit) -> list[str]:
    """What a reader must know before using the table."""
    found = audit.bottlenecks
    parts = []
    if len(found) < 3:
        parts.append(f"Only {len(found)} of the playbook's levers save more than they cost.")
    if losing := sum(x.net.low < 0 for x in found):
        parts.append(f"In the low corner {losing} of {len(found)} lose money.")
    if outside := [x for x in found if "COGS" not in x.lines]:
        parts.append(f"{len(outside)} of them would not move the gross margin: another account.")
    parts.append(
        "Savings are on the period's own bill, as if the pipeline had run from its first day: "
        "no ramp, no parallel run, no growth."
    )
    return [" ".join(parts), ""]


def _lever_table(levers: Sequence[Lever], currency: str) -> list[str]:
    head = "| lever | outflow now | account | net saving: low / base / high | evidence |"
    rows = [head, "|:--|--:|:--|--:|:--|"]
    for x in levers:
        evidence = ", ".join(f"`{e}`" for e in x.evidence)
        verdicts = f" ({'; '.join(x.verdicts)})" if x.verdicts else ""
        title = x.title
        if x.hours:
            title += f" (and hours worth {money(x.hours, currency)}, no cash while the jobs stay)"
        if x.guessed:
            what = "row is a guess" if x.guessed == 1 else "rows are guesses"
            evidence += f"; {x.guessed} ledger {what}"
        account, net = ", ".join(x.lines), spread(x.net, currency)
        cells = (title, money(x.spend, currency), account, net, evidence + verdicts)
        rows.append("| " + " | ".join(cells) + " |")
    return [*rows, ""]


def flag_lines(audit: Audit) -> list[str]:
    """Runaway spend as Markdown bullets."""
    flags, policy = audit.flags, audit.case.policy
    titles, currency = {k: c.title for k, c in policy.classes.items()}, policy.currency
    lines = [
        f"- **Growth** {titles[name]}: last three months {factor:.1f} times the first three"
        for name, factor in sorted(flags.growth.items(), key=lambda item: -item[1])
    ]
    if flags.idle_share > policy.idle:
        lines.append(
            f"- **Idle** {flags.idle_share:.0%} of what was committed was not used: "
            f"{money(flags.idle, currency)}"
        )
    lines += [
        f"- **Spike** {titles[s.class_]}, {s.day}: {money(s.amount, currency)} against a usual "
        f"{money(s.usual, currency)} (Hampel identifier, {s.score:.0f} robust deviations)"
        for s in flags.spikes
    ]
    if audit.unclassified > 0:
        lost = audit.by_class[classify.UNCLASSIFIED]
        lines.append(f"- **Unclassified** {money(lost, currency)}: write rules for it")
    return lines or ["- nothing above the limits of the policy"]


def html(audit: Audit) -> str:
    """The same page as one self-contained file."""
    body = MarkdownIt("commonmark").enable("table").render(markdown(audit))
    body = body.replace("<table>", '<div class="wide"><table>').replace(
        "</table>", "</table></div>"
    )
    title = escape(f"COGS audit: {audit.case.policy.name}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style></head>\n<body><main>\n{body}</main></body></html>\n"
    )


def write(audit: Audit, folder: Path) -> list[Path]:
    """audit.md and audit.html in a folder."""
    return [
        paths.write_atomic(folder / "audit.md", markdown(audit)),
        paths.write_atomic(folder / "audit.html", html(audit)),
    ]
