"""Every decision of a run with its reason, one JSON object a line, in the order it was taken.

The log holds what the same seed gives again: money, accuracies, counts.  Seconds and joules are
measured, differ from run to run and stand in the run's meter instead.  Standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from synthecon import Problem, paths


@dataclass(frozen=True)
class Decision:
    """step: the step after which it was taken.  subject: a candidate, a data set or the run.
    saw: values that were looked at.  rule, threshold: what they were held against.  decision,
    reason: what follows, in words.  spent: money so far.
    """

    step: str
    subject: str
    saw: Mapping[str, Any]
    rule: str
    threshold: float | None
    decision: str
    reason: str
    spent: float


@dataclass
class DecisionLog:
    """Decisions in memory and, where there is a path, in a file that grows line by line.

    A run that goes on after a kill takes its decisions again, from the same results.  Lines that
    the file has already are compared, not written twice.
    """

    path: Path | None = None
    entries: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._written: list[str] = []
        if self.path and self.path.exists():
            content = self.path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]  # the last line may be torn
            if whole != content:
                paths.write_atomic(self.path, whole)
            self._written = whole.decode(errors="replace").split("\n")[:-1]

    def add(self, decision: Decision) -> None:
        """Take a decision down; it is on the disk when this returns.

        Raises:
            Problem: the file says that another decision was taken here.
        """
        line = json.dumps(asdict(decision), ensure_ascii=False, sort_keys=True)
        at = len(self.entries)
        self.entries.append(decision)
        if self.path is None:
            return
        if at < len(self._written):
            if self._written[at] != line:
                raise Problem(
                    f"{self.path}, line {at + 1}: this code decides otherwise than the run did "
                    "before it stopped, or the line was edited; resume with the version that began "
                    "it, put the line back, or start a new run"
                )
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


def read(path: Path) -> list[Decision]:
    """The decisions in a file.

    Raises:
        Problem: no such file, or a line that is no decision.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: no log of decisions: {error}") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(Decision(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise Problem(f"{path}, line {number}: not a decision: {error}") from None
    return found


def told(decisions: Iterable[Decision], currency: str) -> list[str]:
    """The log as lines for a person."""
    lines = []
    for d in decisions:
        saw = ", ".join(f"{k} {_short(v)}" for k, v in d.saw.items())
        limit = "" if d.threshold is None else f" (threshold {d.threshold:g})"
        lines.append(f"{d.step}  {d.subject}: {d.decision}")
        lines.append(f"    {d.reason}")
        lines.append(f"    saw {saw or 'nothing'}; rule: {d.rule}{limit}; "
                     f"{d.spent:,.2f} {currency} spent")  # fmt: skip
    return lines


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
