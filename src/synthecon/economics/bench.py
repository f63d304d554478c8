"""How long a large bill takes to read, and what a model in matrices is worth against a loop."""

from __future__ import annotations

import gzip
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from synthecon import Problem, paths
from synthecon.economics import bill, case, classify, model, tco

SECONDS, GIGABYTES = 60.0, 2.0  # what a million rows may take
MATRICES, LOOP = "drawn and valued in matrices", "a loop over scenarios, items and months"


def run(rows: int) -> list[str]:
    """Write a bill of so many rows (the worked case's, again and again), read it, classify it.

    Returns:
        Lines to print: seconds, rows, the largest memory of this process so far.

    Raises:
        Problem: fewer than one row.
    """
    if rows < 1:
        raise Problem(f"--bench {rows}: at least one row")
    folder = paths.root() / "case"
    policy = case.read_policy(folder)
    spelling = bill.read_spelling(folder / "tags.csv")
    rules = classify.read_rules(folder / "rules.csv", list(policy.classes))
    text = gzip.decompress(policy.files["bill"][0].read_bytes()).decode()
    head, *body = text.splitlines(keepends=True)
    with tempfile.TemporaryDirectory(prefix="synthecon-bench-") as temporary:
        path = Path(temporary) / "bill.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write(head)
            for written in range(0, rows, len(body)):
                file.writelines(body[: rows - written])
        began = time.perf_counter()
        lines = bill.read(path, "bill", spelling, policy.currency)
        read = time.perf_counter()
        table, _ = classify.redundant(classify.classify(lines.table, rules))
        done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_gb = peak / (1e9 if sys.platform == "darwin" else 1e6)  # bytes there, kilobytes elsewhere
    met = done - began < SECONDS and peak_gb < GIGABYTES
    return [
        f"{len(table):,} lines, {len(lines.refused)} refused",
        f"read {read - began:.1f} s, classified {done - read:.1f} s, memory {peak_gb:.2f} GB",
        f"wanted for a million rows: under {SECONDS:g} s and {GIGABYTES:g} GB: "
        + ("met" if met else "MISSED"),
    ]


def textbook(items: Sequence[tco.Item], values: Mapping[str, float], plan: tco.Plan) -> float:
    """Net present value of the pivot as a spreadsheet or a first script computes it: one scenario,
    item by item, month by month, discounted by pyxirr."""
    import pyxirr

    cash = [0.0] * (plan.months + 1)
    life = round(12 * plan.life)
    for scenario, sign in (("status-quo", 1), ("pipeline", -1)):
        for item in items:
            if not item.cash or scenario not in item.scenario:
                continue
            amount = 1.0
            for name, power in item.factors:
                amount *= (values[name] if name in values else float(name)) ** power
            for month in range(plan.months + 1):
                paid = sign * amount * _share(item, values, month)
                if item.growth:
                    paid *= (1 + values[item.growth]) ** (month / 12)
                if item.category != "CapEx":
                    cash[month] += paid * (1 - plan.tax)
                    continue
                cash[month] += paid
                for later in range(month + 1, month + life + 1):
                    cash[min(later, plan.months)] -= plan.tax * paid / life
    return pyxirr.npv((1 + plan.rate) ** (1 / 12) - 1, cash)


def _share(item: tco.Item, values: Mapping[str, float], month: int) -> float:
    """The part of an item's full amount that is paid in a month."""
    start, ramp, end, fade = (values[w] if isinstance(w, str) else w for w in item.times)
    if item.kind == "once":
        return max(0.0, 1 - abs(month - start))
    if month == 0 or month <= start - 1:
        return 0.0
    rise = (month - start + 1) / ramp if ramp > 1 else month - start + 1
    fall = 1.0 if month <= end else 1 - (month - end) / (fade + 1)
    return max(0.0, min(rise, fall, 1.0))


def contenders(
    folder: Path, scenarios: int, sample: int
) -> dict[str, tuple[Callable[[], object], int]]:
    """Two ways to the same values, and how many scenarios each call makes.  The loop gets its
    scenarios drawn.

    Raises:
        Problem: they do not agree on the sample.
    """
    own = model.load(folder, check_sources=False)
    drawn = own.draw(sample, seed=1)
    each = [{k: float(v[s]) for k, v in drawn.items()} for s in range(sample)]

    def loop() -> list[float]:
        return [textbook(own.items, values, own.plan(values)) for values in each]

    if not np.allclose(loop(), own.npv(drawn), rtol=1e-9, atol=1e-3):
        raise Problem("the loop and the matrices do not agree")
    return {
        LOOP: (loop, sample),
        MATRICES: (lambda: own.npv(own.draw(scenarios, seed=0)), scenarios),
    }
