"""Run records: written by notebooks, read by everybody else.

A notebook opens a run with `begin`, tells it measurements and claims, and closes it with `finish`.
Prose, figures and ledger name a measurement by its id: `find`. `stale` says what changed since.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from synthecon import Problem, notebooks, paths, provenance, stats
from synthecon.energy import Meter
from synthecon.record import (
    Claim,
    Measurement,
    RunRecord,
    Tested,
    number,
    rounded,
)

__all__ = ["Claim", "Measurement", "Run", "RunRecord", "Tested"]
__all__ += ["begin", "find", "load_all", "read", "record_path", "stale"]

ELSEWHERE = "elsewhere/"


def read(path: Path) -> RunRecord:
    """The record in a file.

    Raises:
        Problem: missing or refused; names file and field.
    """
    try:
        return RunRecord.from_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: cannot read this record: {error}") from None


def load_all(folder: Path | None = None) -> dict[str, RunRecord]:
    """Every record below `folder` (default: the committed results/) by id, sorted.

    Raises:
        Problem: one of them is refused, or stands where its id does not belong.
    """
    folder = folder or paths.results()
    found = {}
    for path in sorted(folder.rglob("*.json")):
        record = read(path)
        if path != record_path(record.id, folder):
            raise Problem(f"{path}: id is {record.id!r}, which belongs elsewhere: move the file")
        found[record.id] = record
    return found


def record_path(record_id: str, folder: Path) -> Path:
    return folder / f"{record_id}.json"


def find(measurement_id: str, folder: Path | None = None) -> tuple[RunRecord, Measurement]:
    """The measurement "FOLDER/NOTEBOOK[@VARIANT]#NAME" and its record.

    Raises:
        Problem: no such record or measurement.
    """
    record_id, _, name = measurement_id.partition("#")
    path = record_path(record_id, folder or paths.results())
    if not path.is_file():
        known = load_all(folder)
        raise Problem(f"{measurement_id}: {notebooks.unknown('record', record_id, known)}")
    record = read(path)
    return record, record.measurement(name)


def stale(record: RunRecord, *, data: bool = True) -> list[str]:
    """Why the record no longer describes the code, parameters or data here; empty when it does.

    data: look at the data sets too (which may have to be loaded).  Another torch or another machine
    is not a reason, nor is a data set that is not at hand.
    """
    reasons = []
    try:
        notebook = notebooks.read(notebooks.path(record.notebook))
        if notebooks.code_hash(notebook) != record.code:
            reasons.append("the notebook's code cells changed")
        if record.promotable:
            wanted = rounded(notebooks.expected(record.notebook, record.profile, record.variant))
            for key in sorted(wanted.keys() | record.parameters.keys()):
                ran, now = record.parameters.get(key), wanted.get(key)
                if ran != now:
                    reasons.append(f"parameter {key} changed: ran with {ran!r}, now {now!r}")
    except Problem as problem:
        reasons.append(str(problem))
    for name, then in sorted(record.modules.items()):
        if (now := provenance.module_hash(name)) != then:
            reasons.append(f"module {name} {'changed' if now else 'is gone'}")
    for used in record.data if data else ():
        try:
            now = _current(used["name"])
        except Exception as error:  # a broken copy is at hand: that is a reason, whatever it raises
            reasons.append(f"data {used['name']}: {error}")
        else:
            if now not in (None, used["sha256"]):
                reasons.append(f"data {used['name']} changed")
    return reasons


def _known_as(path: Path) -> str:
    """A file's name in a record: from the top of the checkout; a reader's own file by its folder,
    since a path of somebody's machine has no place there."""
    try:
        return path.resolve().relative_to(paths.root().resolve()).as_posix()
    except ValueError:
        return f"{ELSEWHERE}{path.resolve().parent.name}/{path.name}"


def _current(name: str) -> str | None:
    """The hash of a data set or of a file of the checkout now; None: the data is not at hand."""
    if name.startswith(ELSEWHERE):
        return None
    if "#" in name:
        file, _, row = name.partition("#")
        return provenance.row_hash(paths.root() / file, row)
    if "/" in name:
        return provenance.file_hash(paths.root() / name)
    from synthecon.physics import text

    if text.knows(name):
        return text.fingerprint(name)
    from synthecon.physics import data  # here, not above: it brings torch with it

    return data.fingerprint(name)


class Data(Protocol):
    """What `Run.used` wants of a data set (`physics.data.Dataset` has it)."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class Run:
    """A run under way in a notebook. Made by `begin`; it ends with `finish`."""

    def __init__(self, record: RunRecord, target: Path) -> None:
        self._record, self._target, self._finished = record, target, False
        self._clock = time.perf_counter()
        self._meter = Meter(record.environment["device"])
        self._meter.start()

    def used(self, dataset: Data) -> None:
        """Say which data the run used: which copy, and its hash."""
        self._note(dataset.name, dataset.source, dataset.sha256)

    def used_file(self, path: Path) -> None:
        """Say that the run read a file of the checkout (a ledger, say): a change makes it stale."""
        self._note(_known_as(path), "file of the checkout", provenance.file_hash(path))

    def used_rows(self, path: Path, ids: Iterable[str]) -> None:
        """Say which rows of a CSV file of the checkout the run read, by their column `id`.

        Rows added or changed elsewhere in the file leave the record fresh.

        Raises:
            Problem: no such row.
        """
        name = _known_as(path)
        for row in sorted(set(ids)):
            digest = provenance.row_hash(path, row)
            if digest is None:
                raise Problem(f"{path}: no row with id {row!r}")
            self._note(f"{name}#{row}", "row of a file of the checkout", digest)

    def _note(self, name: str, source: str, digest: str) -> None:
        entry = {"name": name, "source": source, "sha256": digest}
        if entry not in self._record.data:
            self._add(data=(*self._record.data, entry))

    def measure(
        self,
        name: str,
        title: str,
        value: float,
        *,
        unit: str,
        n: int | None = None,
        interval: tuple[float, float] | None = None,
        level: float | None = None,
        method: str | None = None,
    ) -> Measurement:
        """Record one number; with an `interval` also its level and n.

        Raises:
            Problem: not finite, a name already taken, or an interval that does not hold the value.
        """
        low, high = interval or (None, None)
        fields = {"value": value, "low": low, "high": high, "level": level}
        numbers = {key: number(x, f"{name}.{key}") for key, x in fields.items()}
        count = n if n is None else int(n)
        m = Measurement(name=name, title=title, unit=unit, n=count, method=method, **numbers)
        self._add(measurements=(*self._record.measurements, m))
        return m

    def measure_interval(
        self, name: str, title: str, interval: stats.Interval, *, unit: str
    ) -> Measurement:
        """Record a `stats.Interval`."""
        i = interval
        bounds = (i.low, i.high)
        return self.measure(
            name, title, i.value, unit=unit, n=i.n, interval=bounds, level=i.level, method=i.method
        )

    def claim(self, name: str, *, text: str, source: str, tests: Sequence[stats.Test]) -> Claim:
        """Judge a claim by the recorded intervals, and record it with its verdict.

        Raises:
            Problem: a test names a measurement that was not recorded or has no interval.
        """
        recorded = [self._record.measurement(test.measurement) for test in tests]
        try:
            with_interval = {m.name: m for m in recorded if m.low is not None}
            verdict, each = stats.judge(tests, with_interval)
        except ValueError as error:
            raise Problem(f"claim {name}: {error}") from None
        judged = zip(tests, recorded, each, strict=True)
        why = "; ".join(
            f"{t.regime}: {one} ({m.low:.3g} to {m.high:.3g} {m.unit}, "
            f"wanted {t.better} {t.smallest_effect:g})"
            for t, m, one in judged
        )
        tested = tuple(
            Tested(t.regime, t.measurement, t.better, number(t.smallest_effect, name), one)
            for t, one in zip(tests, each, strict=True)
        )
        claim = Claim(name, text, source, tested, verdict, why)
        self._add(claims=(*self._record.claims, claim))
        return claim

    def finish(self, *, seeds: Sequence[int] = ()) -> Path:
        """Stop the clock and the meter, check the record and write it, whole or not at all.

        Raises:
            Problem: finished before, nothing measured, refused by the schema, or a full disk.
        """
        self._meter.stop()
        if not self._record.measurements:
            raise Problem(f"{self._record.id}: the run measured nothing")
        meter = self._meter
        self._add(
            seeds=tuple(int(seed) for seed in seeds),
            seconds=time.perf_counter() - self._clock,
            energy={"joules": meter.joules, "level": meter.level, "how": meter.how},
            # What was loaded at the beginning counts as it was then, should a file change meanwhile
            modules=provenance.modules() | dict(self._record.modules),
        )
        self._finished = True
        return paths.write_atomic(self._target, self._record.to_json())

    def _add(self, **fields: Any) -> None:
        """Add to the record, or refuse and leave it as it was."""
        if self._finished:
            raise Problem(f"{self._record.id}: this run is finished; begin a new one")
        record = replace(self._record, **fields)
        record.check()
        self._record = record


def begin(name: str, namespace: Mapping[str, Any]) -> Run:
    """Open the run of notebook `name`; `namespace` is the notebook's `globals()`.

    Under the runner, the run belongs to its profile. By hand it counts as the cpu run as long as
    every parameter has its default and the device is the CPU, and as "custom" otherwise.

    Raises:
        Problem: no such notebook, or a parameter that is missing or cannot go into JSON.
    """
    notebook = notebooks.read(notebooks.path(name))
    values = {}
    for key in notebooks.parameters(notebook, name):
        try:
            values[key] = rounded(json.loads(json.dumps(namespace[key], allow_nan=False)))
        except KeyError:
            raise Problem(f"{name}: run the parameters cell first: {key} has no value") from None
        except (TypeError, ValueError):
            raise Problem(f"{name}: {key} = {namespace[key]!r} does not fit into JSON") from None
    environment = provenance.environment(str(values.get("device", "cpu")))
    profile = os.environ.get("SYNTHECON_PROFILE_FILE", "cpu")
    folder = os.environ.get("SYNTHECON_PROFILE", "cpu")
    variant = os.environ.get("SYNTHECON_VARIANT", "")
    defaults = rounded(notebooks.expected(name, "cpu", ""))
    by_hand = "SYNTHECON_PROFILE" not in os.environ
    if by_hand and (values != defaults or environment["device"] != "cpu"):
        folder = "custom"
    commit, dirty = provenance.commit(name, notebooks.code_hash(notebook))
    record = RunRecord(
        id=f"{folder}/{name}" + (f"@{variant}" if variant else ""),
        notebook=name,
        profile=profile,
        variant=variant,
        parameters=values,
        code=notebooks.code_hash(notebook),
        modules=provenance.modules(),
        data=(),
        seeds=(),
        start=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=0.0,
        environment=environment,
        commit=commit,
        dirty=dirty,
        energy={"joules": 0.0, "level": "assumed", "how": "not measured yet"},
        measurements=(),
        claims=(),
    )
    staged = os.environ.get("SYNTHECON_RECORD")  # the runner promotes it when the notebook is good
    target = Path(staged) if staged else record_path(record.id, paths.out() / "results")
    return Run(record, target)
