"""How long a large bill takes to read and to classify, and how much memory."""

from __future__ import annotations

import gzip
import resource
import sys
import tempfile
import time
from pathlib import Path

from synthecon import Problem, paths
from synthecon.economics import bill, case, classify

SECONDS, GIGABYTES = 60.0, 2.0  # what a million rows may take


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
