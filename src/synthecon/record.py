"""The run record: one JSON file that says what a run measured and how to believe it.

A record that breaks record.schema.json, or whose verdict does not follow from its own intervals, is
refused on writing and on reading alike.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import fastjsonschema

from synthecon import Problem, notebooks, stats


@dataclass(frozen=True)
class Measurement:
    """One number, in `unit`; with an interval, low <= value <= high at `level` from `n` seeds."""

    name: str
    title: str
    value: float
    unit: str
    n: int | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    method: str | None = None


@dataclass(frozen=True)
class Tested:
    """A `stats.Test` and the verdict on it."""

    regime: str
    measurement: str
    better: str
    smallest_effect: float
    verdict: str


@dataclass(frozen=True)
class Claim:
    """A sentence of the course, and what the run says of it."""

    name: str
    text: str
    source: str
    tests: tuple[Tested, ...]
    verdict: str
    why: str


@dataclass(frozen=True)
class RunRecord:
    """The whole record. `modules`, `code` and `data` carry sha256 hashes; see record.schema.json.

    `id` is "FOLDER/NOTEBOOK" or "FOLDER/NOTEBOOK@VARIANT"; a measurement's id is "ID#NAME".
    `start` is UTC; `seconds` is wall time; `energy` joules with their level of trust.
    """

    id: str
    notebook: str
    profile: str
    variant: str
    parameters: Mapping[str, Any]
    code: str
    modules: Mapping[str, str]
    data: tuple[Mapping[str, str], ...]
    seeds: tuple[int, ...]
    start: str
    seconds: float
    environment: Mapping[str, Any]
    commit: str | None
    dirty: bool
    energy: Mapping[str, Any]
    measurements: tuple[Measurement, ...]
    claims: tuple[Claim, ...]
    schema: int = 1

    @property
    def folder(self) -> str:
        """The folder below results/: cpu, h200, …"""
        return self.id.partition("/")[0]

    @property
    def promotable(self) -> bool:
        """False for a run with parameters of its own: it may not stand for a profile."""
        return self.folder != "custom" and not self.folder.endswith("-rehearsal")

    def measurement(self, name: str) -> Measurement:
        """The measurement of that name.

        Raises:
            Problem: there is none; the message suggests the nearest.
        """
        for m in self.measurements:
            if m.name == name:
                return m
        known = [m.name for m in self.measurements]
        raise Problem(f"{self.id}: {notebooks.unknown('measurement', name, known)}")

    def check(self) -> dict[str, Any]:
        """The record as JSON holds it.

        Raises:
            Problem: it breaks its schema, or a verdict does not follow from the intervals.
        """
        content = rounded(asdict(self))
        _refuse(problems(content), f"record {self.id}")
        return content

    def to_json(self) -> str:
        """Stable text: sorted keys, floats to 12 significant digits; checked."""
        content = self.check()
        return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "record") -> Self:
        """The record in `text`.

        Raises:
            Problem: not JSON, or a record that breaks its schema; says `where` and which field.
        """
        try:
            content = json.loads(text, parse_constant=_not_finite)
        except ValueError as error:
            raise Problem(f"{where} is not a run record: {error}") from None
        _refuse(problems(content), where)
        return cls(
            **content
            | {
                "data": tuple(content["data"]),
                "seeds": tuple(content["seeds"]),
                "measurements": tuple(Measurement(**m) for m in content["measurements"]),
                "claims": tuple(
                    Claim(**c | {"tests": tuple(Tested(**t) for t in c["tests"])})
                    for c in content["claims"]
                ),
            }
        )


def problems(content: Any) -> list[str]:
    """Everything that is wrong with a parsed record; each line begins with the field's name."""
    try:
        _schema()(content)
    except fastjsonschema.JsonSchemaValueException as error:
        what = error.message.removeprefix(error.name).strip()
        return [f"{_field(content, error.name)}: {what}"]
    found, intervals = [], {}
    for m in content["measurements"]:
        where, low, high = f"measurements[{m['name']}]", m["low"], m["high"]
        if low is not None and high is not None:
            intervals[m["name"]] = Measurement(**m)
            if not low <= m["value"] <= high:
                found.append(f"{where}: the value {m['value']} is outside [{low}, {high}]")
            if m["level"] is None or m["n"] is None:
                found.append(f"{where}: an interval needs its level and n, the number of seeds")
        elif (low, high) != (None, None):
            found.append(f"{where}: low and high go together")
    for field in ("measurements", "claims"):
        for name, times in Counter(x["name"] for x in content[field]).items():
            if times > 1:
                found.append(f"{field}[{name}]: stands {times} times")
    for c in content["claims"]:
        where = f"claims[{c['name']}]"
        tests = [stats.Test(**{k: t[k] for k in t if k != "verdict"}) for t in c["tests"]]
        try:
            verdict, each = stats.judge(tests, intervals)
        except ValueError as error:
            found.append(f"{where}: {error}")
            continue
        if [c["verdict"], *(t["verdict"] for t in c["tests"])] != [verdict, *each]:
            found.append(
                f"{where}.verdict: {c['verdict']!r} was written, but the intervals say {verdict!r}"
            )
    expected = content["notebook"] + (f"@{content['variant']}" if content["variant"] else "")
    if content["id"].partition("/")[2] != expected:
        found.append(f"id: {content['id']!r} does not end in {expected!r}")
    return found


@functools.cache
def _schema() -> Callable[[Any], Any]:
    text = Path(__file__).with_name("record.schema.json").read_text(encoding="utf-8")
    return fastjsonschema.compile(json.loads(text))


def _field(content: Any, name: str) -> str:
    """measurements[gain.50].value rather than data.measurements[3].value."""
    if found := re.match(r"data\.(measurements|claims)\[(\d+)\]", name):
        entry = content[found[1]][int(found[2])]
        label = entry.get("name", found[2]) if isinstance(entry, dict) else found[2]
        return f"{found[1]}[{label}]{name[found.end() :]}"
    return name.removeprefix("data").lstrip(".") or "record"


def _refuse(found: Sequence[str], where: str) -> None:
    if found:
        raise Problem(f"{where} is refused:" + "".join(f"\n  {line}" for line in found))


def _not_finite(text: str) -> None:
    raise ValueError(f"{text} is not a finite number")


def number(value: Any, where: str) -> float | int | None:
    """A plain, finite, rounded number from Python, NumPy or a torch scalar."""
    if value is None or isinstance(value, int):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Problem(f"{where} must be a number, got {value!r}") from None
    if not math.isfinite(number):
        raise Problem(f"{where} is {number}: only finite numbers are recorded")
    return rounded(number)


def rounded(value: Any) -> Any:
    """Floats to 12 significant digits and tuples to lists, all the way down."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, Mapping):
        return {key: rounded(x) for key, x in value.items()}
    return [rounded(x) for x in value] if isinstance(value, list | tuple) else value
