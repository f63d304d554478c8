"""`synthecon diagnose`: where the margin leaks, which playbook applies, what is missing to decide.

Every line of the books is counted once: it belongs to the first leak that asks for it, and what no
leak asks for is shown as no leak.  The sums are those of the audit, to the cent, or there is no
diagnosis.  Same folder, same bytes.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from synthecon import Problem, paths, records
from synthecon.economics import audit as auditing
from synthecon.economics import classify, model, units
from synthecon.economics.audit import Check
from synthecon.vault import known, playbooks
from synthecon.vault.known import Known, NotKnown
from synthecon.vault.playbooks import Leak, Limit, Playbook, Price, Shelf

WIDTH = 80
ZERO = Decimal(0)
CENT = Decimal("0.01")
APPLIES, NOT, OPEN = "applies", "does not apply", "cannot be decided"


@dataclass(frozen=True)
class Lost:
    """A leak of this company, money a month.

    pool: what the lines cost that it was looked for in; None beside the books.  parts: of the
    amount, by class of spend.  back: what can be got back after the running cost of the remedy,
    below zero where the remedy costs more; None where there is no remedy to price.  months: until
    building is earned back; None: never.
    """

    leak: Leak
    amount: Decimal
    pool: Decimal | None
    back: Decimal | None
    months: float | None
    parts: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """A limit as this company's numbers see it.  unit: as the threshold's row writes it."""

    value: float
    threshold: float
    unit: str
    met: bool


@dataclass(frozen=True)
class Finding:
    """What a playbook means for this company.

    state: APPLIES, NOT or OPEN.  why: what is missing to decide.  money: of its leaks, a month.
    unknown: ids of its leaks that have no amount.  price: None where a rate is missing.  exit: None
    where it cannot be computed.  guesses: rows of the exit test that are guesses still.
    """

    playbook: Playbook
    state: str
    reading: Reading | None
    why: tuple[str, ...]
    money: Decimal
    unknown: tuple[str, ...]
    price: Price | None
    exit: Reading | None
    guesses: tuple[str, ...]


@dataclass(frozen=True)
class Diagnosis:
    """leaks: dearest first.  unknown: leaks without an amount; what the books have of them is in
    the rest.  rest: what is no leak, by class.  total: the books' month."""

    known: Known
    leaks: tuple[Lost, ...]
    unknown: tuple[Leak, ...]
    rest: Mapping[str, Decimal]
    total: Decimal
    revenue: Decimal
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    missing: tuple[tuple[str, str], ...]
    verdicts: Mapping[str, str]

    @property
    def booked(self) -> Decimal:
        """Leaks in the books together."""
        return sum((x.amount for x in self.leaks if x.leak.booked), ZERO)


def diagnose(told: Known, shelf: Shelf, runs: Mapping[str, records.RunRecord]) -> Diagnosis:
    """The diagnosis of a folder that was read.

    Raises:
        Problem: the sums do not agree with the audit.
    """
    missing: list[tuple[str, str]] = []
    rest: dict[str, Decimal] = {}
    total = revenue = ZERO
    checks: list[Check] = []
    found: list[Lost] = []
    unknown: list[Leak] = []
    if told.audit is None:
        files = ", ".join(told.empty)
        missing.append(("everything", f"the books are empty: fill in {files}"))
    else:
        recent = model.recent(told.audit.case)
        months = len(recent.policy.months)
        pools = known.cents(_pools(recent.lines.table, shelf.leaks), months)
        total = (recent.lines.total() / months).quantize(CENT)
        revenue = (sum(recent.revenue.values(), ZERO) / months).quantize(CENT)
        for leak in shelf.leaks:
            try:
                found.append(_lost(told, leak, pools))
            except NotKnown as why:
                unknown.append(leak)
                missing += [(f"leak {leak.id}", reason) for reason in why.why]
        rest = _rest(pools, found, told.policy.classes)
        checks = _checks(told.audit, recent.lines.table, pools, found, rest, total, months)
        if broken := [c for c in checks if not c.holds]:
            lines = [f"{c.name}: {c.left} is not {c.right}" for c in broken]
            raise Problem("\n".join(["the diagnosis does not agree with the audit:", *lines]))
    found.sort(key=lambda x: (-x.amount, x.leak.id))
    lost = {x.leak.id: x.amount for x in found}
    findings = sorted(
        (_finding(told, p, shelf, lost, {leak.id for leak in unknown}) for p in shelf.playbooks),
        key=lambda f: ((APPLIES, NOT, OPEN).index(f.state), -f.money, f.playbook.id),
    )
    if told.audit is not None:
        missing += [(f"playbook {f.playbook.id}", why) for f in findings for why in f.why]
    return Diagnosis(
        told, tuple(found), tuple(unknown), rest, total, revenue, tuple(checks), tuple(findings),
        tuple(missing), _verdicts(runs),
    )  # fmt: skip


def _verdicts(runs: Mapping[str, records.RunRecord]) -> dict[str, str]:
    return {
        f"{r.notebook}#{c.name}": c.verdict
        for key, r in runs.items()
        if key == f"cpu/{r.notebook}"
        for c in r.claims
    }


def _pools(table: pa.Table, leaks: Sequence[Leak]) -> dict[str, Decimal]:
    """Money by "LEAK CLASS", each line in the first leak that asks for it; else by " CLASS"."""
    owner = pa.chunked_array([pa.nulls(len(table), pa.string())])
    for leak in (leak for leak in leaks if leak.booked):
        mask = reduce(pc.and_, (c.mask(table) for c in leak.when), pc.is_null(owner))
        owner = pc.if_else(mask, leak.id, owner)
    marked = table.append_column("leak", pc.fill_null(owner, ""))
    sums = classify.totals(marked, "leak", "class")
    return {f"{leak} {name}": amount for (leak, name), amount in sums.items()}


def _lost(told: Known, leak: Leak, pools: Mapping[str, Decimal]) -> Lost:
    """What leaks here.

    Raises:
        NotKnown: a row is missing, or is nothing that a leak can be made of.
    """
    for name in ("share", "back", "remedy", "build", "amount"):
        if (part := getattr(leak, name)) is not None:
            _made_of(told, part)
    if leak.amount is not None:
        amount, unit = told.value(leak.amount)
        _money(told, leak, "amount", unit)
        return Lost(leak, Decimal(max(0.0, amount)).quantize(CENT), None, None, None)
    share = Decimal(_share(told, leak, "share"))
    own = {name: v for key, v in pools.items() for owner, name in [_owner(key)] if owner == leak.id}
    # Each class for itself, so that what is left of it is known to the cent.
    parts = {name: (max(v, ZERO) * share).quantize(CENT) for name, v in own.items()}
    amount = sum(parts.values(), ZERO)
    back, months = None, None
    if leak.remedy or leak.back:
        recovered = float(amount) * (_share(told, leak, "back") if leak.back else 1.0)
        cost = 0.0
        if leak.remedy:
            cost, unit = told.value(leak.remedy)
            _money(told, leak, "remedy", unit)
        back = Decimal(recovered - cost).quantize(CENT)
        if leak.build and back > 0:
            months = told.value(leak.build)[0] / float(back)
        elif back > 0:
            months = 0.0
    return Lost(leak, amount, sum(own.values(), ZERO), back, months, parts)


def _owner(key: str) -> tuple[str, str]:
    """Leak and class of a pool."""
    owner, _, name = key.partition(" ")
    return owner, name


def _made_of(told: Known, part: playbooks.Formula) -> None:
    """A measurement may be below zero, and what the remedy makes worse is no leak.  Anybody else's
    number below zero is a slip of the pen, which must not turn into a leak of nothing.

    Raises:
        NotKnown: such a row.
    """
    rows = told.rows(part).values()
    slips = [row for row in rows if row.base < 0 and row.source_type != "measured"]
    if slips:
        raise NotKnown(
            *(
                known.outside(r.id, r.base) or known.complaint(r.id, r.base, known.NOT_BELOW)
                for r in slips
            )
        )


def _share(told: Known, leak: Leak, name: str) -> float:
    """A share from 0 to 1: what the remedy makes worse is no leak.

    Raises:
        NotKnown: more than all of it.
    """
    part = getattr(leak, name)
    value, unit = told.value(part)
    if unit:
        raise NotKnown(f"{name} of leak {leak.id} is in {units.show(unit)}, and not a share")
    if value > 1 + 1e-9:
        rows = ", ".join(told.rows(part))
        raise NotKnown(
            f"{name} of leak {leak.id} is {value:g}, more than all of it; look at {rows}"
        )
    return min(max(value, 0.0), 1.0)


def _money(told: Known, leak: Leak, name: str, unit: units.Unit) -> None:
    wanted = units.parse(f"{told.currency}/month")
    if unit != wanted:
        raise NotKnown(
            f"{name} of leak {leak.id} is in {units.show(unit)}, not in {units.show(wanted)}"
        )


def _rest(
    pools: Mapping[str, Decimal], found: Sequence[Lost], classes: Mapping[str, Any]
) -> dict[str, Decimal]:
    """What is left of each class."""
    rest = dict.fromkeys(classes, ZERO)
    for key, pool in pools.items():
        rest[_owner(key)[1]] += pool
    for one in found:
        for name, part in one.parts.items():
            rest[name] -= part
    return {name: amount for name, amount in rest.items() if amount}


def _checks(
    audit: auditing.Audit, table: pa.Table, pools: Mapping[str, Decimal], found: Sequence[Lost],
    rest: Mapping[str, Decimal], total: Decimal, months: int,
) -> list[Check]:  # fmt: skip
    """Independent ways to the same sums."""
    leaks = sum((x.amount for x in found if x.leak.booked), ZERO)
    today = pc.sum(table["effective"]).as_py() or ZERO
    by_month = classify.totals(audit.case.lines.table, "month")
    last = audit.case.policy.months[-months:]
    before = sum((v for k, v in by_month.items() if k not in last), ZERO)
    books = model.books(audit)["month.total"].value
    return [
        Check("leaks and the rest are the month", leaks + sum(rest.values(), ZERO), total),
        Check("the parts are the month", sum(pools.values(), ZERO), total),
        Check("the month of the ledger's books", Decimal(books).quantize(CENT), total),
        Check("the months of today and those before", today + before, audit.case.lines.total()),
        Check("the classes of the audit", sum(audit.by_class.values(), ZERO), today + before),
    ]


def _read(told: Known, limit: Limit, cost: float | None) -> Reading:
    """A limit's value and threshold.

    Raises:
        NotKnown: a row is missing, or the units differ.
    """
    if cost is None and "steps.cost" in playbooks.formula.names(limit.metric):
        raise NotKnown  # the rate that the price lacks was told with it
    extra = {} if cost is None else {"steps__cost": (cost, told.currency)}
    value, unit = told.value(limit.metric, **extra)
    threshold, other = told.value(playbooks.formula.Name(limit.threshold))
    if unit != other:
        raise NotKnown(
            f"{limit.says}: in {units.show(unit)}, but row {limit.threshold} is in "
            f"{units.show(other)}; correct its unit"
        )
    row = told.book.rows.get(limit.threshold) or told.book.derived[limit.threshold]
    return Reading(value, threshold, row.unit, limit.met(value, threshold))


def _finding(
    told: Known, playbook: Playbook, shelf: Shelf, lost: Mapping[str, Decimal], unknown: set[str]
) -> Finding:
    why: list[str] = []
    price = None
    rows = [shelf.roles[s.owner] for s in playbook.steps]
    try:
        rates = {row: told.value(playbooks.formula.Name(row))[0] for row in rows}
        price = playbooks.price(playbook, shelf.roles, rates)
    except NotKnown as error:
        why += error.why
    cost = price.cost if price else None
    reading = done = None
    if told.audit is None:
        why = ["the books are empty"]
    else:
        try:
            reading = _read(told, playbook.trigger, cost)
        except NotKnown as error:
            why += error.why
        try:
            done = _read(told, playbook.exit, cost)
        except NotKnown:
            done = None
    state = OPEN if reading is None else APPLIES if reading.met else NOT
    money = sum((lost.get(leak, ZERO) for leak in playbook.leaks), ZERO)
    return Finding(
        playbook, state, reading, tuple(dict.fromkeys(why)), money,
        tuple(leak for leak in playbook.leaks if leak in unknown), price, done,
        tuple(told.guesses(playbook.exit.rows)),
    )  # fmt: skip


# ---- words


def number(x: float) -> str:
    """Three digits, thousands apart, a true minus."""
    text = f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"
    return "0" if float(text.replace(",", "")) == 0 else text.replace("-", "\N{MINUS SIGN}")


SPACE = "\N{NO-BREAK SPACE}"


def told_in(reading: Reading, x: float) -> str:
    """A number of a reading with its unit; shares below one as per cent."""
    ending = f"{SPACE}a{SPACE}year" if reading.unit == "1/year" else ""
    if ending or reading.unit in units.PURE:
        if abs(reading.threshold) < 1:
            return f"{number(100 * x)}{SPACE}%{ending}"
        return f"{number(x)}{SPACE}×{ending}"
    unit = reading.unit.removesuffix("s") if x == 1 else reading.unit
    return f"{number(x)}{SPACE}{unit}"


def compared(limit: Limit, reading: Reading) -> str:
    """ "9.4 % (limit: above 5 %; 4.4 points beyond)" """
    value, threshold = told_in(reading, reading.value), told_in(reading, reading.threshold)
    apart = abs(reading.value - reading.threshold)
    if value.split(SPACE)[1:2] == ["%"]:
        margin = f"{number(100 * apart)}{SPACE}points"
    else:
        margin = number(apart)
    side = "beyond" if reading.met else "short of it"
    return f"{value} (limit: {limit.better} {threshold}; {margin} {side})"


def amount(x: Decimal) -> str:
    text = f"{abs(x):,.0f}"
    return f"\N{MINUS SIGN}{text}" if x < 0 and text != "0" else text


def _wrapped(text: str, first: str = "", rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, break_on_hyphens=False, break_long_words=False,
        subsequent_indent=" " * len(first) if rest is None else rest,
    )  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> list[str]:
    """A Markdown table whose columns stand in line; the first `words` columns are text."""
    wide = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "| "
        + " | ".join(
            f"{cell:<{w}}" if i < words else f"{cell:>{w}}"
            for i, (cell, w) in enumerate(zip(row, wide, strict=True))
        )
        + " |"
        for row in (head, *rows)
    ]
    rule = [("-" * (w + 2) if i < words else "-" * (w + 1) + ":") for i, w in enumerate(wide)]
    return [lines[0], "|" + "|".join(rule) + "|", *lines[1:]]


def markdown(found: Diagnosis, *, every: bool = False) -> str:
    """The diagnosis as text, at most 80 columns wide but for ids.  every: the steps of each
    playbook, and those that do not apply."""
    told, policy = found.known, found.known.policy
    lines = [f"# Diagnosis: {policy.name}", ""]
    if policy.fictional:
        lines += ["*A fictional company.*", ""]
    if told.audit is None:
        return "\n".join([*lines, *_unfilled(found)]) + "\n"
    last = policy.months[-model.RECENT :]
    lines += _wrapped(
        f"Money is in {told.currency} a month: the mean of {last[0]} to {last[-1]}, taken for "
        f"today. Spend {amount(found.total)}, revenue {amount(found.revenue)}. Ledger rows count "
        "at their base values."
    )
    lines += ["", "## Where the margin leaks", "", *_leaks(found), ""]
    applies, not_ = ([f for f in found.findings if f.state == s] for s in (APPLIES, NOT))
    lines += [f"## Playbooks that apply: {len(applies)}", ""]
    lines += _wrapped(
        "In order of the money of their leaks. Two that name the same leak share its money: do "
        f"not add them up. {playbooks.TESTED}"
        + (" What is not known has no weight in this order." * any(f.unknown for f in applies))
    )
    for place, one in enumerate(applies, 1):
        lines += ["", *_applies(found, one, place, every)]
    if not applies:
        lines += ["", "None."]
    lines += ["", f"## Playbooks that do not apply: {len(not_)}", ""]
    lines += [line for f in not_ for line in _short(f, every)] or ["None."]
    lines += ["", f"## What is missing to decide: {len(found.missing)}", ""]
    lines += [
        line
        for what, why in found.missing
        for line in _wrapped(f"**{what}** cannot be decided: {why}", "- ")
    ] or ["Nothing."]
    lines += ["", "## Evidence", ""]
    for x in found.leaks:
        lines += _wrapped(f"{x.leak.id}: " + ", ".join(f"`{e}`" for e in x.leak.evidence), "- ")
    lines += ["", "How the sums agree:", ""]
    lines += [f"- {c.name}: {c.left:,.2f}" for c in found.checks]
    return "\n".join(lines) + "\n"


def _unfilled(found: Diagnosis) -> Iterator[str]:
    folder = found.known.folder

    def typed(what: str) -> str:
        return "`" + command(f"python -m synthecon {what}", folder) + "`"

    yield "The books are empty, so nothing can be decided yet. In this order:"
    yield ""
    todo = (
        "Fill in " + ", ".join(found.known.empty) + "; HELP.md says what each field means.",
        typed("ledger FOLDER --update"),
        "Replace the rows of ledger.csv that are marked illustrative: they are those of a "
        "fictional company.",
        typed("diagnose FOLDER"),
    )
    for place, text in enumerate(todo, 1):
        yield from _wrapped(text, f"{place}. ")
    yield ""
    yield f"## Playbooks that wait for it: {len(found.findings)}"
    yield ""
    for f in found.findings:
        yield from _wrapped(f"{f.playbook.id}: {f.playbook.trigger.says}", "- ")


def _leaks(found: Diagnosis) -> list[str]:
    def rows(booked: bool) -> Iterator[list[str]]:
        for place, x in enumerate(found.leaks, 1):
            if x.leak.booked == booked:
                of = f"{x.amount / found.revenue:.1%}" if found.revenue else "-"
                yield [str(place), x.leak.title, amount(x.amount), of, *_back(x)][
                    : 6 if booked else 4
                ]
        for leak in found.unknown:
            if leak.booked == booked:
                yield ["-", leak.title, "not known", *["-"] * (3 if booked else 1)]

    booked, total, revenue = found.booked, found.total, found.revenue
    unknown = any(leak.booked for leak in found.unknown)
    lines = _table(
        ("#", "in the books", "leaks", "share", "net back", "months"), list(rows(True)), 2
    )
    lines += [
        "",
        *_wrapped(
            f"Together {amount(booked)}"
            + (f", {booked / revenue:.1%} of revenue" if revenue else "")
            + f". Not a leak: {amount(total - booked)}. The sum, {amount(total)}, is the audit's, "
            "to the cent. *Share* is of revenue. *Net back* is what its remedy brings after its "
            "own running cost; *months* until what building it costs is earned back."
            + (" Lines of a leak that is not known count as not a leak." * unknown)
        ),
        "",
    ]
    titles = found.known.policy.classes
    rest = sorted(found.rest.items(), key=lambda item: (-item[1], item[0]))
    lines += _wrapped(
        "Not a leak, by class: " + ", ".join(f"{titles[k].title} {amount(v)}" for k, v in rest)
    )
    beside = list(rows(False))
    if beside:
        lines += ["", *_table(("#", "beside the books", "leaks", "share"), beside, 2), ""]
        lines += _wrapped("No invoice shows these, so they stand in no sum above.")
    return lines


def _back(x: Lost) -> tuple[str, str]:
    if x.back is None:
        return "-", "-"
    if x.back <= 0:
        return amount(x.back), "never"
    months = x.months or 0.0
    return amount(x.back), f"{months:.1f}"


def _applies(found: Diagnosis, one: Finding, place: int, every: bool) -> list[str]:
    p, reading = one.playbook, one.reading
    assert reading is not None
    lines = [f"### {place}. {p.title} ({p.id})", ""]
    lines += _wrapped(f"{p.trigger.says}: {compared(p.trigger, reading)}.", "- Trigger: ", "  ")
    open_ = ", ".join(one.unknown)
    sure = ", ".join(leak for leak in p.leaks if leak not in one.unknown)
    if sure:
        at_stake = f"{amount(one.money)} {found.known.currency} a month ({sure})"
        at_stake += f"; not known: {open_}" if open_ else ""
    elif open_:
        at_stake = f"not known ({open_})"
    else:
        at_stake = "none of the leaks above is its own"
    lines += _wrapped(at_stake, "- Money: ", "  ")
    if one.price:
        lines += _wrapped(
            f"{one.price.hours:g} hours over {one.price.days:g} working days, "
            f"{number(one.price.cost)} {found.known.currency}",
            "- Three steps: ",
            "  ",
        )
    else:
        lines += _wrapped("; ".join(one.why), "- Three steps: no price; ", "  ")
    lines += _claims(found, p, every)
    lines += _exit(one)
    steps = p.steps if every else p.steps[:1]
    for n, step in enumerate(steps, 1):
        label = f"- Step {n} ({step.owner}, {step.hours:g} h, {step.days:g} d): "
        lines += _wrapped(step.do, label, "  ")
        lines.append(f"  `{command(step.run, found.known.folder)}`")
    return lines


def command(text: str, folder: Path) -> str:
    """A step's command for this folder, as it is typed from the top of the checkout."""
    root, full = paths.root().resolve(), folder.resolve()
    name = full.relative_to(root).as_posix() if full.is_relative_to(root) else str(folder)
    return text.replace("FOLDER", name)


def _claims(found: Diagnosis, p: Playbook, every: bool) -> Iterator[str]:
    """What the records say.  A claim that fails or is open is never shown without what to do
    instead."""
    plain = []
    for served in p.claims:
        verdict = found.verdicts.get(served.claim, "not recorded")
        name = served.claim.partition("#")[2]
        if verdict == "holds" or (verdict == "in part" and not every):
            plain.append(f"{name} **{verdict}**")
        else:
            yield from _wrapped(f"{name} **{verdict}**. {served.instead}", "- Record: ", "  ")
    if plain:
        yield from _wrapped(", ".join(plain) + ".", "- Record: ", "  ")


def _exit(one: Finding) -> list[str]:
    limit = one.playbook.exit
    if one.exit is None:
        return _wrapped(f"{limit.says}: cannot be computed yet", "- Done when: ", "  ")
    wanted = f"{limit.says} is {limit.better} {told_in(one.exit, one.exit.threshold)}"
    if one.guesses:
        rows = ", ".join(one.guesses)
        state = f"not done, for these rows are guesses: {rows}"
    elif one.exit.met:
        state = f"done: {told_in(one.exit, one.exit.value)}"
    else:
        state = f"not done: {told_in(one.exit, one.exit.value)}"
    return _wrapped(f"{wanted}; {state}", "- Done when: ", "  ")


def _short(one: Finding, every: bool) -> list[str]:
    p, reading = one.playbook, one.reading
    assert reading is not None
    text = f"**{p.id}** {p.trigger.says}: {compared(p.trigger, reading)}."
    lines = _wrapped(text, "- ")
    if every:
        lines += _wrapped(f"If it did: {p.symptom}", "  ")
    return lines


def sheet(found: Diagnosis, name: str) -> str:
    """One playbook in full.

    Raises:
        Problem: there is no such playbook.
    """
    by_id = {f.playbook.id: f for f in found.findings}
    one = by_id.get(name)
    if one is None:
        raise Problem(playbooks.notebooks.unknown("playbook", name, by_id))
    p, policy = one.playbook, found.known.policy
    lines = [f"# {p.title}", "", f"{policy.name}: {one.state}.", "", *_wrapped(p.symptom), ""]
    if one.reading is None:
        lines += [x for why in one.why for x in _wrapped(f"Cannot be decided: {why}", "- ")]
        lines += ["", *_claims(found, p, True)]
        for n, step in enumerate(p.steps, 1):
            label = f"- Step {n} ({step.owner}, {step.hours:g} h, {step.days:g} d): "
            lines += _wrapped(step.do, label, "  ")
            lines.append(f"  `{command(step.run, found.known.folder)}`")
    else:
        lines += _applies(found, one, 1, True)[2:]
    lines += ["", *_wrapped(playbooks.TESTED)]
    return "\n".join(lines) + "\n"


def data(found: Diagnosis) -> dict[str, Any]:
    """The diagnosis for other programs; money as text, to the cent."""

    def limit(of: Limit, reading: Reading | None) -> dict[str, Any] | None:
        if reading is None:
            return None
        return {
            "says": of.says,
            "metric": of.source,
            "value": float(f"{reading.value:.12g}"),
            "better": of.better,
            "threshold": float(f"{reading.threshold:.12g}"),
            "row": of.threshold,
            "unit": reading.unit,
            "met": reading.met,
        }

    told = found.known
    return {
        "company": told.policy.name,
        "fictional": told.policy.fictional,
        "currency": told.currency,
        "months": told.policy.months[-model.RECENT :] if told.audit else [],
        "spend": str(found.total),
        "revenue": str(found.revenue),
        "leaks": [
            {
                "id": x.leak.id,
                "title": x.leak.title,
                "in_books": x.leak.booked,
                "amount": str(x.amount),
                "of_revenue": float(f"{float(x.amount / found.revenue):.6g}")
                if found.revenue
                else None,
                "pool": None if x.pool is None else str(x.pool),
                "net_back": None if x.back is None else str(x.back),
                "months": None if x.months is None else float(f"{x.months:.4g}"),
                "evidence": list(x.leak.evidence),
            }
            for x in found.leaks
        ],
        "not_known": [leak.id for leak in found.unknown],
        "not_a_leak": {name: str(part) for name, part in found.rest.items()},
        "playbooks": [
            {
                "id": f.playbook.id,
                "title": f.playbook.title,
                "state": f.state,
                "trigger": limit(f.playbook.trigger, f.reading),
                "money": str(f.money),
                "leaks": list(f.playbook.leaks),
                "not_known": list(f.unknown),
                "cost": None if f.price is None else float(f"{f.price.cost:.8g}"),
                "claims": {
                    s.claim: found.verdicts.get(s.claim, "not recorded") for s in f.playbook.claims
                },
                "exit": limit(f.playbook.exit, f.exit),
                "guesses": list(f.guesses),
                "missing": list(f.why),
            }
            for f in found.findings
        ],
        "missing": [{"what": what, "why": why} for what, why in found.missing],
        "checks": [{"name": c.name, "value": str(c.left)} for c in found.checks],
    }


def of(folder: Path, found: auditing.Audit | None = None) -> Diagnosis:
    """Read and diagnose a folder.

    Raises:
        Problem: the folder or the playbooks cannot be read.
    """
    return diagnose(known.read(folder, found), playbooks.load(), records.load_all())


def write(folder: Path, out: Path, found: auditing.Audit | None = None) -> Path:
    """diagnosis.md, complete, in a folder."""
    return paths.write_atomic(out / "diagnosis.md", markdown(of(folder, found), every=True))


def main(arguments: Sequence[str]) -> int:
    """Exit code 0, whether or not something applies; whatever is wrong is a Problem."""
    parser = argparse.ArgumentParser(
        prog="synthecon diagnose",
        description="Say where a company's margin leaks, which playbooks apply, and what is "
        "missing to decide. Same folder, same answer.",
        epilog="example:\n  python -m synthecon diagnose case-tannhof --all",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, help="case folder (case)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for other programs")
    form.add_argument("--all", action="store_true", help="every step of every playbook")
    form.add_argument("--playbook", metavar="NAME", help="one playbook in full")
    form.add_argument("--out", type=Path, metavar="DIR", help="write diagnosis.md there, complete")
    options = parser.parse_args(arguments)
    folder = options.folder or paths.root() / "case"
    if options.out:
        print(f"wrote {write(folder, options.out)}")
        return 0
    found = of(folder)
    if options.playbook:
        print(sheet(found, options.playbook), end="")
    elif options.json:
        print(json.dumps(data(found), indent=1, ensure_ascii=False))
    else:
        print(markdown(found, every=options.all), end="")
    return 0
