"""The exercises of the audit lab: what each accepts, and the mistakes that it knows."""

import csv
import json
import tempfile
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from synthecon import paths, records
from synthecon.economics import audit, bill, case, classify, ledger
from synthecon.labs import Exercise, Wrong

MILLIONTH = Decimal("0.000001")


def money(rng, low, high):
    """An amount with six digits behind the point, as an export has it."""
    return Decimal(int(rng.integers(low * 10**6, high * 10**6))) * MILLIONTH


# ---- reconcile: two columns of texts, and the total that the provider states

FAULTS = ("12,50", "", "NULL", "USD 5.10", "7.25-", "(31.00)", "1,204.75")


def columns(rng):
    """Exports with amounts that cannot be read, and totals that are right or a little off."""
    tenth = f"0.{rng.integers(1, 4)}"
    asked = [([tenth] * 3, ["9.5", "0", "0"], str(3 * Decimal(tenth)))]
    for rows, off in ((8, "0"), (120, "0"), (250, "0.004"), (400, "-0.000001")):
        amounts = [money(rng, 1, 2000) for _ in range(rows)]
        for i in rng.permutation(rows)[: rows // 8]:
            amounts[i] = -amounts[i] / 50  # credits
        texts = [f"{x:f}" for x in amounts]
        if rows > 100:
            texts[int(rng.integers(rows))] = "2.5E-7"
        control = sum(map(Decimal, texts), Decimal(off))
        billed = [f"{money(rng, 1, 2000):f}" for _ in texts]
        for fault in rng.choice(FAULTS[1:], 1 + rows // 100, replace=False):
            at = int(rng.integers(len(texts)))
            texts.insert(at, str(fault))
            billed.insert(at, "3.5")
        at = int(rng.integers(len(texts)))
        texts.insert(at, FAULTS[0])
        billed.insert(at, "12.5")
        asked.append((texts, billed, f"{control:f}"))
    return asked


def reconcile(effective, billed, control):
    """By the reader of the package: the columns go through a file."""
    fixed = {
        "BillingCurrency": "USD", "ChargePeriodStart": "2026-01-01", "ChargeCategory": "Usage",
        "BillingPeriodStart": "2026-01-01", "ProviderName": "Nimbus", "ServiceName": "Any",
        "ServiceCategory": "Compute",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow([*fixed, "EffectiveCost", "BilledCost"])
            for pair in zip(effective, billed, strict=True):
                out.writerow([*fixed.values(), *pair])
        lines = bill.read(path, "bill", bill.Spelling({}, {}), "USD")
    return lines.total() - Decimal(control), [r.row for r in lines.refused]


def added_up(texts, control, number=Decimal, first=1):
    total, refused = number(0), []
    for row, text in enumerate(texts, first):
        try:
            total += number(text)
        except (ValueError, InvalidOperation):
            refused.append(row)
    return total - number(control), refused


def in_floats(effective, billed, control):
    return added_up(effective, control, float)


def to_the_cent(effective, billed, control):
    def cents(text):
        return Decimal(text).quantize(Decimal("0.01"))

    return added_up(effective, control, cents)


def what_was_billed(effective, billed, control):
    return added_up(billed, control)


def nothing_said(effective, billed, control):
    return added_up(effective, control)[0], []


def commas_mended(effective, billed, control):
    return added_up([t.replace(",", "") for t in effective], control)


def credits_skipped(effective, billed, control):
    return added_up(["0" if t[:1] == "-" else t for t in effective], control)


def from_zero(effective, billed, control):
    return added_up(effective, control, first=0)


# ---- rules: lines of the worked bill, one at a time

ASKED = ("charge", "commitment", "env", "activity")
ASKED += ("category", "service", "resource")


@cache
def worked():
    """The worked case's own rules, and each kind of line that its bill has."""
    folder = paths.root() / "case"
    rules = classify.read_rules(
        folder / "rules.csv", list(case.read_policy(folder).classes)
    )
    table = case.read(folder).lines.table
    bills = table.filter(pc.equal(table["kind"], "bill"))
    kinds = classify.totals(bills, *ASKED)
    return rules, sorted(kinds, key=str)


def bill_lines(rng):
    """Every kind of line of the bill, shuffled, and the GPU machines of next month."""
    _, kinds = worked()
    newer = [
        (*others, f"{resource[:-1]}{rng.integers(2, 99)}")
        for *others, resource in kinds
        if resource and "gpu" in resource
    ]
    lines = [*kinds, *newer]
    return [lines[i] for i in rng.permutation(len(lines))]


def placed(rules, *cells):
    line = dict.fromkeys(classify.FIELDS) | {"kind": "bill"}
    line |= dict(zip(ASKED, cells, strict=True))
    one = pa.table({k: pa.array([v], pa.string()) for k, v in line.items()})
    found = classify.classify(one, rules)
    return found["class"][0].as_py(), found["line"][0].as_py()


def place(charge, commitment, env, activity, category, service, resource):
    return placed(
        worked()[0],
        *(charge, commitment, env, activity, category, service, resource),
    )


def instead(**changed):
    """The rules with some of them asking for something else; None: left out."""
    kept = []
    for rule in worked()[0]:
        when = changed.get(rule.id.replace("-", "_"), "")
        if when is not None:
            kept.append(
                replace(rule, when=classify.parse(when)) if when else rule
            )
    return kept


def rule(name, when, class_, line):
    return classify.Rule(name, classify.parse(when), class_, line, "")


def with_rules(make):
    """A wrong answer from a wrong list of rules."""

    def answer(charge, commitment, env, activity, category, service, resource):
        return placed(
            make(),
            *(charge, commitment, env, activity, category, service, resource),
        )

    answer.__name__ = make.__name__
    return answer


@with_rules
def serving_before_gpu():
    return sorted(worked()[0], key=lambda r: r.id == "production-gpu")


@with_rules
def support_before_credits():
    return sorted(worked()[0], key=lambda r: r.id == "credit")


@with_rules
def both_orders():
    late = ("credit", "production-gpu")
    return sorted(worked()[0], key=lambda r: r.id in late)


@with_rules
def by_the_category():
    ai = "env = production and category ~ ^AI"
    return instead(production_inference=ai, production_gpu=None)


@with_rules
def production_is_inference():
    return instead(production_inference="env = production")


@with_rules
def any_commitment():
    return instead(unused="commitment is set")


@with_rules
def catch_all():
    return [*worked()[0], rule("rest", "kind = bill", "operations", "COGS")]


@with_rules
def this_machine_only():
    return instead(
        production_gpu="env = production and resource = vm-gpu-reader-b"
    )


@with_rules
def hardly_begun():
    missing = ("credit", "unused", "production-inference", "production-gpu")
    missing += ("production-serving", "training")
    return [r for r in worked()[0] if r.id not in missing]


@with_rules
def training_is_cogs():
    return [
        replace(r, line="COGS") if r.id == "training" else r
        for r in worked()[0]
    ]


# ---- shared: an amount, and what it is dealt out by


def shared_months(rng):
    """Amounts whose parts, each rounded by itself, do not add up; in some months a refund."""
    asked = []
    names = ("training", "inference", "features", "evaluation", "research")
    while len(asked) < 8:
        some = names[: int(rng.integers(3, 6))]
        weights = {k: money(rng, 500, 60_000) for k in some}
        if len(asked) % 2:
            weights[str(rng.choice(some))] = -money(rng, 20, 400)
        amount = money(rng, 1000, 9000)
        parts = rounded(amount, weights)
        if sum(parts.values()) != amount:
            asked.append((amount, weights))
    return asked


def deal_out(amount, weights):
    return classify.allocate(amount, weights)


def exact_parts(amount, weights, clip=True):
    if clip:
        weights = {k: max(w, Decimal(0)) for k, w in weights.items()}
    whole = sum(weights.values())
    return {k: amount * w / whole for k, w in weights.items()}


def rounded(amount, weights, clip=True):
    exact = exact_parts(amount, weights, clip)
    return {k: x.quantize(MILLIONTH) for k, x in exact.items()}


def each_by_itself(amount, weights):
    return rounded(amount, weights, clip=False)


def refund_mended_only(amount, weights):
    return rounded(amount, weights)


def down(amount, weights):
    exact = exact_parts(amount, weights)
    return {k: x.quantize(MILLIONTH, ROUND_DOWN) for k, x in exact.items()}


def rest_to(choose):
    """The rest goes to one part as a whole."""

    def answer(amount, weights):
        parts = down(amount, weights)
        parts[choose(parts)] += amount - sum(parts.values())
        return parts

    return answer


rest_to_largest = rest_to(lambda parts: max(parts, key=parts.get))
rest_to_last = rest_to(lambda parts: list(parts)[-1])


def refund_pays_back(amount, weights):
    """Largest remainder, but a negative weight draws a negative part."""
    exact = exact_parts(amount, weights, clip=False)
    parts = {k: x.quantize(MILLIONTH, ROUND_DOWN) for k, x in exact.items()}
    rest = int((amount - sum(parts.values())) / MILLIONTH)
    step = MILLIONTH if rest > 0 else -MILLIONTH
    for k in sorted(exact, key=lambda k: -abs(exact[k] - parts[k]))[
        : abs(rest)
    ]:
        parts[k] += step
    return parts


# ---- redundant: rows of feature, source, team, job, cost


def jobs(rng):
    """Computed twice or three times, billed in several rows, on two sources, and without a name."""
    asked = []
    for size in (0, 1, 2, 2, 3):
        groups = [
            ("edges", "scans", (("vision", "nightly"), ("fraud", "edges-v2"))),
            ("prices", "orders", (("sales", "daily"),)),
        ]
        if size:
            groups += [
                (
                    "edges",
                    "parcels",
                    (("vision", "nightly"), ("vision", "weekly")),
                ),
                (
                    "sender",
                    "orders",
                    (("routing", "a"), ("fraud", "b"), ("sales", "c")),
                ),
                ("sender", "scans", (("routing", "a"),)),
                (None, "orders", (("vision", "x"), ("fraud", "y"))),
                ("colour", None, (("vision", "x"), ("sales", "z"))),
            ]
        rows = [
            (feature, source, team, job, money(rng, 50, 3000))
            for feature, source, who in groups
            for team, job in who
            for _ in range(int(rng.integers(1, 2 + size)) if size else 1)
        ]
        rows.append(("prices", "orders", "sales", "daily", money(rng, 50, 900)))
        asked.append(([rows[i] for i in rng.permutation(len(rows))],))
    return asked


def redundant_cost(rows):
    names = ("feature", "source", "team", "job")
    table = pa.table(
        {
            n: pa.array([r[i] for r in rows], pa.string())
            for i, n in enumerate(names)
        }
        | {
            "effective": pa.array([r[4] for r in rows], bill.MONEY),
            "class": ["feature_engineering"] * len(rows),
            "rule": ["features"] * len(rows),
        }
    )
    _, found = classify.redundant(table)
    return sum((f.redundant for f in found), Decimal(0))


def computed(rows, what=lambda r: (r[0], r[1]), who=lambda r: (r[2], r[3])):
    """Cost of each computation, by what is computed."""
    costs = {}
    for n, r in enumerate(rows):
        if r[0] and r[1]:
            each = costs.setdefault(what(r), {})
            key = who(r) if who else n
            each[key] = each.get(key, Decimal(0)) + r[4]
    return [sorted(e.values(), reverse=True) for e in costs.values()]


def all_of_them(rows):
    return sum((sum(e) for e in computed(rows) if len(e) > 1), Decimal(0))


def all_rows(rows):
    """What `GROUP BY feature, source HAVING COUNT(*) > 1` would say."""
    groups = {}
    for feature, source, _, _, cost in rows:
        groups.setdefault((feature, source), []).append(cost)
    return sum((sum(g) for g in groups.values() if len(g) > 1), Decimal(0))


def dearest_goes(rows):
    return sum((sum(e[:-1]) for e in computed(rows)), Decimal(0))


def only_the_cheapest(rows):
    return sum((e[-1] for e in computed(rows) if len(e) > 1), Decimal(0))


def whatever_the_source(rows):
    return sum((sum(e[1:]) for e in computed(rows, lambda r: r[0])), Decimal(0))


def each_row_a_job(rows):
    return sum((sum(e[1:]) for e in computed(rows, who=None)), Decimal(0))


def between_teams(rows):
    found = computed(rows, who=lambda r: r[2])
    return sum((sum(e[1:]) for e in found), Decimal(0))


def nameless_too(rows):
    named = [(str(r[0]), str(r[1]), *r[2:]) for r in rows]
    return sum((sum(e[1:]) for e in computed(named)), Decimal(0))


# ---- saving: spend, hours, and ranges (low, base, high)

LEDGER = {
    "distribution": "pert", "source_type": "illustrative", "source": "asked",
    "as_of": "2026-11-22", "owner": "lab", "confidence": "low",
}  # fmt: skip
RATIO = "cpu/lesson-1-physics/serving-cost#ratio."
EVIDENCE = tuple(
    f"{RATIO}{way}.{batch}"
    for way in ("eager", "exported", "export")
    for batch in ("batch-1", "batch-many")
)


@cache
def measured():
    """What the records say goes away: share (low, base, high) to the id of its evidence."""
    found = {}
    for name in EVIDENCE:
        m = records.find(name)[1]
        found[tuple(1 - 1 / x for x in (m.low, m.value, m.high))] = name
    return found


def three(rng, low, high):
    return tuple(sorted(round(float(x), 2) for x in rng.uniform(low, high, 3)))


def levers(rng):
    shares = list(measured())
    asked = []
    for months in (12, 12, 6, 3):
        share = shares[int(rng.integers(len(shares)))]
        transfer = (
            round(float(rng.uniform(0.1, 0.3)), 2),
            round(float(rng.uniform(0.4, 0.6)), 2),
            round(float(rng.uniform(0.7, 0.9)), 2),
        )
        once = tuple(round(1000 * x) for x in three(rng, 10, 90))
        month = tuple(round(1000 * x) for x in three(rng, 1, 9))
        spend = int(rng.integers(150_000, 900_000))
        hours = int(rng.integers(50_000, 400_000))
        asked.append((spend, hours, share, transfer, once, month, months))
    return asked


def net_saving(spend, hours, share, transfer, once, month, months):
    """By the package's audit, on a case of two lines."""
    table = pa.table(
        {
            "kind": ["invoice", "payroll"],
            "class": ["labelling", "labelling"],
            "line": ["R&D", "R&D"],
            "effective": pa.array([Decimal(spend), Decimal(hours)], bill.MONEY),
        }
    )
    policy = case.read_policy(paths.root() / "case")
    last = policy.months[months - 1]
    money = {"currency": "USD", "basis": "nominal"}
    rows = (
        ("transfer", transfer, {"unit": "share"}),
        ("once", once, money | {"unit": "USD", "period": "once"}),
        ("month", month, money | {"unit": "USD/month", "period": "month"}),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lever = {
            "title": "Asked", "when": "class = labelling", "formula": "ratio",
            "evidence": measured()[tuple(share)], "transfer": "transfer", "synthetic": True,
        }  # fmt: skip
        text = "\n".join(f"{k} = {json.dumps(v)}" for k, v in lever.items())
        (folder / "levers.toml").write_text(
            f'[asked]\n{text}\ncosts = {{ once = "once", month = "month" }}\n'
        )
        with (folder / "ledger.csv").open("w", newline="") as file:
            out = csv.DictWriter(file, ledger.COLUMNS)
            out.writeheader()
            for row, ends, unit in rows:
                given = dict(zip(("low", "base", "high"), ends, strict=True))
                out.writerow(LEDGER | {"id": row, "name": row} | given | unit)
        asked = case.Case(
            folder,
            replace(policy, last_month=last),
            bill.Lines(table, (), {}, {}),
            (),
            (),
            {},
        )
        net = audit.levers(asked)[0].net
    return net.low, net.base, net.high


def net(spend, share, transfer, cost):
    """Gross less cost, corner by corner; cost is low, base, high."""
    gross = [spend * s * t for s, t in zip(share, transfer, strict=True)]
    return tuple(g - c for g, c in zip(gross, reversed(cost), strict=True))


def over(once, month, months):
    return [o + months * m for o, m in zip(once, month, strict=True)]


def hours_are_cash(spend, hours, share, transfer, once, month, months):
    return net(spend + hours, share, transfer, over(once, month, months))


def one_month(spend, hours, share, transfer, once, month, months):
    return net(spend, share, transfer, over(once, month, 1))


def once_every_month(spend, hours, share, transfer, once, month, months):
    cost = [months * (o + m) for o, m in zip(once, month, strict=True)]
    return net(spend, share, transfer, cost)


def gross_only(spend, hours, share, transfer, once, month, months):
    return net(spend, share, transfer, [0, 0, 0])


def points_from_points(spend, hours, share, transfer, once, month, months):
    left = [s - (1 - t) for s, t in zip(share, transfer, strict=True)]
    return net(spend, left, (1, 1, 1), over(once, month, months))


def low_cost_with_low(spend, hours, share, transfer, once, month, months):
    cost = over(once, month, months)
    return net(spend, share, transfer, cost[::-1])


def all_carries_over(spend, hours, share, transfer, once, month, months):
    return net(spend, share, (1, 1, 1), over(once, month, months))


# ---- second: a value, from the audit of the second company


@cache
def second():
    found = audit.audit(case.read(paths.root() / "case-tannhof"))
    return found, [x for x in found.levers if x.synthetic]


def decision(bottlenecks=None, needed=None):
    found, playbook = second()
    named = [x.id for x in found.bottlenecks]
    return {
        "bottlenecks": named if bottlenecks is None else bottlenecks,
        "needed": needed
        or {
            x.id: x.cost.base / (x.share.base * x.transfer.base)
            for x in playbook
        },
    }


def named(levers, worth, only=lambda x: True):
    paying = [x for x in levers if only(x)]
    return [x.id for x in sorted(paying, key=lambda x: -worth(x))][:3]


def before_cost():
    return decision(named(second()[1], lambda x: x.gross.base))


def the_most_spent():
    return decision(named(second()[0].levers, lambda x: x.spend))


def housekeeping():
    return decision(
        named(
            second()[0].levers, lambda x: x.net.base, lambda x: x.net.base > 0
        )
    )


def high_corner():
    found = second()[1]
    return decision(
        named(found, lambda x: x.net.high, lambda x: x.net.high > 0)
    )


def all_would_carry_over():
    return decision(
        needed={x.id: x.cost.base / x.share.base for x in second()[1]}
    )


def no_effect_asked():
    return decision(
        needed={x.id: x.cost.base / x.transfer.base for x in second()[1]}
    )


def the_cost_itself():
    return decision(needed={x.id: x.cost.base for x in second()[1]})


def what_is_missing():
    right = decision()["needed"]
    return decision(
        needed={x.id: right[x.id] - float(x.spend) for x in second()[1]}
    )


EXERCISES = [
    Exercise(
        "reconcile",
        minutes=8,
        difficulty="easy",
        oracle=reconcile,
        inputs=columns,
        tolerance=1e-12,
        hints=(
            "Three lists in one pass: walk the column with `enumerate(…, 1)`, try to read each "
            "text, and keep the number of the row where that fails.",
            "0.1 has no exact binary form. `Decimal` made from a *text* is exact; what error does "
            "it raise for a text that is no number?",
        ),
        wrong=(
            Wrong(
                in_floats,
                "money went through a float: each amount is off by a hair, and a sum that agrees "
                "comes out as not quite zero. Stay with what the text says",
            ),
            Wrong(
                to_the_cent,
                "amounts were rounded to cents before they were added; an export has more digits, "
                "and over many rows the cents are gone",
            ),
            Wrong(
                what_was_billed,
                "that is the billed column: it has a commitment in the month of its purchase, and "
                "its use at nothing. The control total is of the effective cost",
            ),
            Wrong(
                nothing_said,
                "the sum is right, but rows were left out and nobody was told: whoever reads the "
                "result must be able to find them",
            ),
            Wrong(
                commas_mended,
                "an amount with a comma was mended by guessing: is 12,50 twelve and a half, or "
                "twelve hundred and fifty? The reader cannot know, so it must ask",
            ),
            Wrong(
                credits_skipped,
                "negative amounts are missing from the sum: a credit is a line of the bill like "
                "any other, and the control total has it",
            ),
            Wrong(
                from_zero,
                "the rows are the right ones, counted from 0; the person who opens the file counts "
                "them from 1",
            ),
        ),
    ),
    Exercise(
        "rules",
        minutes=15,
        difficulty="medium",
        oracle=place,
        inputs=bill_lines,
        hints=(
            "Write one rule, run the cell after it, and look at what is still unclassified: the "
            "list shows the fields that you can ask for.",
            "Two pairs of rules overlap: one line is on the support plan's service and a credit, "
            "another is production, serving and a GPU machine. First match wins: which of each "
            "pair is the narrower one, and where must it stand?",
            "`resource ~ abc` finds abc anywhere in the name; `activity = a | b` means a or b; "
            "conditions are joined by `and`.",
        ),
        wrong=(
            Wrong(
                hardly_begun,
                "only the rules that were there: most lines of the bill reach the end of the list "
                "and no rule knows them. Begin with the largest that is left over",
            ),
            Wrong(
                both_orders,
                "the right rules in the wrong order: here the first match wins, not the last. Put "
                "the narrow rule above the wide one, twice",
            ),
            Wrong(
                serving_before_gpu,
                "GPU machines in production end up as serving: their tag says so, and the wide "
                "rule sees them first. Here the first match wins, not the last",
            ),
            Wrong(
                support_before_credits,
                "credits and corrections end up in operations, where they look like a saving. A "
                "credit runs out and the spend behind it does not: it needs a line of its own, "
                "which must be asked for earlier",
            ),
            Wrong(
                by_the_category,
                "you let the provider's category say what is AI. A vector store is booked under "
                "databases, a GPU machine under compute, and both answer customers with a model",
            ),
            Wrong(
                production_is_inference,
                "all of production is inference now, the order database too: production is where a "
                "line runs, not what it does",
            ),
            Wrong(
                any_commitment,
                "commitments that are *used* became idle: the field is set on both kinds, and what "
                "was used belongs to whatever used it",
            ),
            Wrong(
                catch_all,
                "nothing is left unclassified, because a last rule takes everything. The share is "
                "a warning light: what nobody can explain must stay visible",
            ),
            Wrong(
                this_machine_only,
                "the rule knows one machine by its full name; the next one has another number, and "
                "would be missed without a word",
            ),
            Wrong(
                training_is_cogs,
                "training is ML cost, and you made it cost of goods sold as well. This company's "
                "policy puts the building of models elsewhere: read the last column of the table",
            ),
        ),
    ),
    Exercise(
        "shared",
        minutes=9,
        difficulty="medium",
        oracle=deal_out,
        inputs=shared_months,
        tolerance=1e-12,
        hints=(
            "Add the parts that it gives in the example and compare with the amount. Then look at "
            "the class with a refund: what did it get?",
            "Round every part down. What is missing then is a whole number of millionths, fewer "
            "than there are parts.",
            "Hand the missing millionths out one each, beginning with the part that lost most by "
            "being rounded down.",
        ),
        wrong=(
            Wrong(
                each_by_itself,
                "that is still the dashboard's way: each part is rounded by itself, and a class "
                "with a refund draws a negative share that the others pay for",
            ),
            Wrong(
                refund_mended_only,
                "the refund is mended; the parts still do not add up to the amount, because each "
                "is rounded without looking at the others",
            ),
            Wrong(
                down,
                "every part is rounded down, so a few millionths went to nobody: they are on the "
                "bill and must be in a class",
            ),
            Wrong(
                rest_to_largest,
                "the sum is right, but the largest part took the whole rest: those who lost most "
                "by rounding have the better claim",
            ),
            Wrong(
                rest_to_last,
                "the sum is right, but the rest went to whoever stands last: another order of the "
                "classes would give other shares",
            ),
            Wrong(
                refund_pays_back,
                "the parts add up, but a class with a refund gets a negative part, and the others "
                "together more than there is to share",
            ),
        ),
    ),
    Exercise(
        "redundant",
        minutes=8,
        difficulty="medium",
        oracle=redundant_cost,
        inputs=jobs,
        hints=(
            "Two levels: what is computed is feature and source; who computes it is team and job. "
            "Add up the rows of the same who first.",
            "Of the sums that belong to one feature on one source one must stay. Which one leaves "
            "the most cautious claim?",
        ),
        wrong=(
            Wrong(
                all_of_them,
                "every computation counts as redundant, so nobody would compute the feature at "
                "all: somebody still has to",
            ),
            Wrong(
                all_rows,
                "you counted rows, not jobs, and all of them: one job has many rows, a missing tag "
                "is no feature, and somebody still has to compute it once",
            ),
            Wrong(
                dearest_goes,
                "the cheapest computation stays, which claims the most: whether it serves all "
                "teams is not known, so take the cautious end",
            ),
            Wrong(
                only_the_cheapest,
                "one computation of each feature goes; where three teams compute it, two are "
                "too many",
            ),
            Wrong(
                whatever_the_source,
                "the same feature on another source is another number: nobody could drop it",
            ),
            Wrong(
                each_row_a_job,
                "the bill has many rows for one job: they are one computation, not several",
            ),
            Wrong(
                between_teams,
                "you look for two teams; two jobs of one team compute a thing twice as well",
            ),
            Wrong(
                nameless_too,
                "rows without a feature or without a source were taken for the same: a missing tag "
                "says that nothing is known",
            ),
        ),
    ),
    Exercise(
        "saving",
        minutes=10,
        difficulty="hard",
        oracle=net_saving,
        inputs=levers,
        hints=(
            "Do the base case first: spend × share × transfer, less what the pipeline costs over "
            "the whole period.",
            "Which of the arguments are paid once, which every month, and which are no cash at "
            "all?",
            "The low corner is the worst that can come together: least saved *and* dearest "
            "pipeline.",
        ),
        wrong=(
            Wrong(
                hours_are_cash,
                "freed hours were counted as cash: the people are still paid until their job "
                "changes, so it is a capacity and no saving",
            ),
            Wrong(
                one_month,
                "the pipeline's monthly cost is counted once, but it runs as long as the saving "
                "does",
            ),
            Wrong(
                once_every_month,
                "what is built once is paid every month in yours: only the running cost recurs",
            ),
            Wrong(
                gross_only,
                "that is the gross saving: the pipeline that brings it must be built and run",
            ),
            Wrong(
                points_from_points,
                "percentage points were taken for per cent: a transfer of one half leaves half *of* "
                "the measured share, it does not take fifty points off it",
            ),
            Wrong(
                low_cost_with_low,
                "the low corner has the cheapest pipeline in it, and the high one the dearest: a "
                "corner joins what is bad with what is bad",
            ),
            Wrong(
                all_carries_over,
                "the whole measured effect is claimed: it was measured on small images, and the "
                "ledger says how much of that this company may expect",
            ),
        ),
    ),
    Exercise(
        "second",
        minutes=5,
        difficulty="medium",
        oracle=decision,
        expects='a dict of "bottlenecks", a list of lever ids (the largest net saving first, empty '
        'if none pays), and "needed", a dict of the outflow for each lever of the playbook',
        hints=(
            "A bottleneck is a lever of the *playbook* (`x.synthetic`) whose net saving is above "
            "zero in the base case. It may be that there is none, and that is an answer.",
            "At the outflow that you look for, outflow × share × transfer is just the cost of the "
            "pipeline, all in the base case.",
        ),
        wrong=(
            Wrong(
                before_cost,
                "ranked by the gross saving: every lever saves something before its pipeline is "
                "paid for. Look at what is left",
            ),
            Wrong(
                the_most_spent,
                "ranked by what goes out: a large outflow is no bottleneck as long as nothing that "
                "was measured brings it down at a profit",
            ),
            Wrong(
                housekeeping,
                "that one is worth doing, but it is housekeeping: it needs no synthetic data, and "
                "the playbook cannot take the credit",
            ),
            Wrong(
                high_corner,
                "chosen by the high corner, where the best of everything comes together: that a "
                "lever may pay is no plan. The base case decides, and the range says how sure",
            ),
            Wrong(
                all_would_carry_over,
                "the outflow that you name is enough only if the measured effect carries over in "
                "full; the ledger lets this company expect a part",
            ),
            Wrong(
                no_effect_asked,
                "you divide by the transfer alone: it is a share of the *measured* effect, which "
                "is itself less than all of the spend",
            ),
            Wrong(
                the_cost_itself,
                "that is the pipeline's cost; a lever takes away only a part of an outflow, so the "
                "outflow has to be larger",
            ),
            Wrong(
                what_is_missing,
                "that is how much outflow is missing; the outflow itself is asked for",
            ),
        ),
    ),
]
