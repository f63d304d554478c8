"""Gates for synthetic data sets: quality, shift, privacy, lineage; and the states between them.

A gate passes on evidence alone: a measurement whose whole interval lies on the right side of a
threshold.  What nobody measured blocks, and so does a record that its code has outrun.
gates.csv holds the thresholds, datasets.csv the data sets with the measurements that speak for
each of them.  Standard library only.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from synthecon import Problem, records, stats
from synthecon.economics import table

Kind = Literal["quality", "shift", "privacy", "lineage"]
State = Literal["draft", "validated", "released", "retired"]
MOVES: Mapping[State, tuple[State, ...]] = {
    "draft": ("validated", "retired"),
    "validated": ("draft", "released", "retired"),
    "released": ("retired",),
    "retired": (),
}
"""Where a data set may go from each state.  What was released is never changed: a better version is
a new data set, with its own id."""
LINEAGE = ("generator", "source", "licence", "owner", "made")
GATES = ("gate", "measure", "title", "better", "threshold", "unit", "state", "evidence")
DATASETS = ("id", "name", "state", *LINEAGE, "evidence", "note")


@dataclass(frozen=True)
class Gate:
    """One row of gates.csv.

    kind: see `Kind`.  measure: what is looked at: a key of a data set's evidence, or a field of its
    lineage.  better, threshold, unit: the side on which the whole interval must lie; empty for
    lineage, which must be there.  state: the first that needs the gate.  evidence: what counts.
    """

    kind: str
    measure: str
    title: str
    better: str
    threshold: float
    unit: str
    state: str
    evidence: str


@dataclass(frozen=True)
class DataSet:
    """One row of datasets.csv.  lineage: generator, source data, licence, owner and date, empty
    where nobody knows.  evidence: measurement id by measure."""

    id: str
    name: str
    state: State
    lineage: Mapping[str, str]
    evidence: Mapping[str, str]
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """What one gate says of one data set.  reason: why, in words; evidence: the measurement that
    was looked at."""

    data: str
    gate: Gate
    passed: bool
    reason: str
    evidence: str = ""


def examine(
    data: DataSet,
    gates: Iterable[Gate],
    *,
    measured: Mapping[str, stats.Interval] | None = None,
    fresh: bool = True,
    find: Callable = records.find,  # type: ignore[type-arg]
    stale: Callable = records.stale,  # type: ignore[type-arg]
) -> list[Finding]:
    """Every gate's answer for one data set.

    measured: measurements at hand, by measure, which count before those of records.  fresh: block
    on a record whose notebook, modules or parameters have changed since (`records.stale`).
    """
    found = []
    for gate in gates:
        if gate.kind == "lineage":
            known = data.lineage.get(gate.measure, "")
            reason = known or "nobody wrote it down"
            found.append(Finding(data.id, gate, bool(known), reason))
            continue
        if measured and gate.measure in measured:
            found.append(_judged(data, gate, measured[gate.measure], gate.unit, "given"))
            continue
        name = data.evidence.get(gate.measure, "")
        if not name:
            found.append(Finding(data.id, gate, False, "nobody measured it"))
            continue
        try:
            record, m = find(name)
        except Problem as problem:
            found.append(Finding(data.id, gate, False, str(problem), name))
            continue
        if fresh and (reasons := stale(record, data=False)):
            told = f"the record is stale: {reasons[0]}"
            found.append(Finding(data.id, gate, False, told, name))
            continue
        found.append(_judged(data, gate, m, m.unit, name))
    return found


def _judged(data: DataSet, gate: Gate, m: stats.Interval, unit: str, evidence: str) -> Finding:
    if unit != gate.unit:
        return Finding(
            data.id, gate, False, f"measured in {unit}, the gate is in {gate.unit}", evidence
        )
    if m.low is None or m.high is None:
        return Finding(data.id, gate, False, "measured without an interval", evidence)
    test = stats.Test(gate.title, gate.measure, gate.better, gate.threshold)  # type: ignore[arg-type]
    verdict = stats.judge_one(test, m)
    numbers = f"{m.low:.3g} to {m.high:.3g} {unit}, wanted {gate.better} {gate.threshold:g}"
    why = {"holds": "", "fails": "wrong side: ", "undecided": "not shown: "}[verdict]
    return Finding(data.id, gate, verdict == "holds", (why + numbers).replace("-", "−"), evidence)


def blocking(findings: Iterable[Finding], to: State) -> list[Finding]:
    """The findings that keep a data set from a state: failed gates of that state and of those
    before it."""
    order = get_args(State)
    return [
        f
        for f in findings
        if not f.passed and to != "draft" and order.index(f.gate.state) <= order.index(to)
    ]


def advance(data: DataSet, to: State, findings: Sequence[Finding]) -> DataSet:
    """The data set in its new state.  To retire it, or to send it back, needs no gate.

    Raises:
        Problem: a move that MOVES does not know; findings about another data set, or none of a
            kind of gate; gates that block, each with its reason.
    """
    if to not in MOVES[data.state]:
        allowed = ", ".join(MOVES[data.state]) or "nowhere"
        raise Problem(f"{data.id}: from {data.state} it may go to {allowed}, and not to {to}")
    if to in ("validated", "released"):
        if others := sorted({f.data for f in findings} - {data.id}):
            raise Problem(f"{data.id}: these findings are about {', '.join(others)}")
        if missing := [k for k in get_args(Kind) if k not in {f.gate.kind for f in findings}]:
            raise Problem(f"{data.id}: no gate of {', '.join(missing)} was asked")
        if blocked := blocking(findings, to):
            told = [f"{data.id}: {f.gate.kind}, {f.gate.title}: {f.reason}" for f in blocked]
            raise Problem("\n".join(told))
    return replace(data, state=to)


def due(data: DataSet, findings: Sequence[Finding]) -> State:
    """The state that a data set must be in after it was examined again.

    A gate can fail later: a record goes stale, a licence ends.  What was validated goes back to
    draft; what was released cannot be taken back, and is retired.
    """
    if data.state in ("draft", "retired") or not blocking(findings, data.state):
        return data.state
    return "draft" if data.state == "validated" else "retired"


def furthest(findings: Sequence[Finding]) -> State:
    """The last state that no gate keeps the data set from."""
    open_to: list[State] = [s for s in ("validated", "released") if not blocking(findings, s)]  # type: ignore[arg-type]
    return open_to[-1] if open_to else "draft"


def read_gates(path: Path) -> list[Gate]:
    """The thresholds of gates.csv.

    Raises:
        Problem: everything that is wrong with the file, at once: file, line, field; a kind of gate
            that has no row.
    """
    lines, wrong = table.read(path, GATES)
    found: list[Gate] = []
    for line, cells in lines:
        lineage = cells["gate"] == "lineage"
        numbers = ("better", "threshold", "unit")
        faults = [f"{k}: empty" for k in GATES if not cells[k] and not (lineage and k in numbers)]
        faults += [f"{k}: must be empty, it is lineage" for k in numbers if lineage and cells[k]]
        choices = {"gate": get_args(Kind), "state": ("validated", "released")}
        choices |= {} if lineage else {"better": ("above", "below")}
        choices |= {"measure": LINEAGE} if lineage else {}
        faults += [
            f"{k}: {cells[k]!r} is none of {', '.join(allowed)}"
            for k, allowed in choices.items()
            if cells[k] and cells[k] not in allowed
        ]
        if any((g.kind, g.measure) == (cells["gate"], cells["measure"]) for g in found):
            faults.append(f"measure: {cells['measure']!r} has a row already")
        threshold = math.nan
        if cells["threshold"] and not lineage:
            with contextlib.suppress(ValueError):
                threshold = float(cells["threshold"])
            if not math.isfinite(threshold):
                faults.append(f"threshold: {cells['threshold']!r} is no finite number")
        wrong += [f"{path}, line {line}, {fault}" for fault in faults]
        texts = [cells[k] for k in ("gate", "measure", "title", "better")]
        found.append(Gate(*texts, threshold, cells["unit"], cells["state"], cells["evidence"]))
    kinds = {g.kind for g in found}
    wrong += [f"{path}: no gate of {k}; a gate without a row never blocks"
              for k in get_args(Kind) if k not in kinds]  # fmt: skip
    if wrong:
        raise Problem("\n".join(wrong))
    return found


def read_datasets(path: Path, gates: Sequence[Gate]) -> dict[str, DataSet]:
    """The data sets of datasets.csv by id.  Lineage may be empty here: that is for a gate to say.

    Raises:
        Problem: everything that is wrong with the file, at once: file, line, field.
    """
    lines, wrong = table.read(path, DATASETS)
    measures = {g.measure for g in gates if g.kind != "lineage"}
    found: dict[str, DataSet] = {}
    for line, cells in lines:
        faults = [f"{k}: empty" for k in ("id", "name", "state") if not cells[k]]
        if cells["state"] and cells["state"] not in MOVES:
            faults.append(f"state: {cells['state']!r} is none of {', '.join(MOVES)}")
        if cells["id"] in found:
            faults.append(f"id: {cells['id']!r} is there already")
        evidence: dict[str, str] = {}
        for part in filter(None, map(str.strip, cells["evidence"].split(";"))):
            measure, _, name = (x.strip() for x in part.partition("="))
            if measure not in measures:
                known = ", ".join(sorted(measures))
                faults.append(f"evidence: no gate looks at {measure!r}, only at {known}")
            elif "#" not in name:
                faults.append(f"evidence: {part!r}; write {measure}=cpu/LESSON/NOTEBOOK#NAME")
            evidence[measure] = name
        wrong += [f"{path}, line {line}, {fault}" for fault in faults]
        lineage = {k: cells[k] for k in LINEAGE}
        state: State = cells["state"]  # type: ignore[assignment]
        found[cells["id"]] = DataSet(
            cells["id"], cells["name"], state, lineage, evidence, cells["note"]
        )
    if wrong:
        raise Problem("\n".join(wrong))
    return found
