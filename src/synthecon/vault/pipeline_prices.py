"""What a step costs, from the company's ledger: nothing is measured while the pipeline runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synthecon import Problem, records
from synthecon.economics import model

LABEL, ANSWERS, HOUR = "price.label-bought", "price.vendor-request", "unit.core-hour"
TRAINING, LENGTH, BUSY = "measured.training", "transfer.training", "serving.utilisation"
ROWS = (LABEL, ANSWERS, HOUR, TRAINING, LENGTH, BUSY)
TRAINED = "cpu/lesson-1-physics/synthetic-worth"  # where one training was timed
SERVED = "cpu/lesson-1-physics/serving-cost"  # where two networks were served, one request a time


@dataclass(frozen=True)
class Prices:
    """Money in `currency`.  label: one human label.  answer: one answer of the provider's teacher.
    operation: one floating-point operation of the experiment, which stands for `LENGTH` of the
    company's own.  idle, work: core-seconds of a million answers, and of an operation more in each.
    core_second: of a machine that is busy.  busy: share of paid serving hours that are.
    """

    currency: str
    label: float
    answer: float
    operation: float
    idle: float
    work: float
    core_second: float
    busy: float

    def provider(self) -> dict[str, float]:
        """The provider's list: money a unit."""
        return {"label": self.label, "answer": self.answer}

    def million(self, operations: float) -> float:
        """A million answers of a network of so many operations an image, one request at a time.

        A straight line through the two networks whose serving was timed.
        """
        return (self.idle + self.work * operations) * self.core_second / self.busy


def load(company: Path) -> Prices:
    """The prices of a case folder.

    Raises:
        Problem: a case that cannot be read, or a ledger without one of `ROWS`.
    """
    found = model.load(company)
    values = found.base()
    if missing := [row for row in ROWS if row not in values]:
        raise Problem(
            f"{company / 'ledger.csv'}: the pipeline needs {', '.join(missing)}; "
            f"copy the rows from {company.parent / 'case' / 'ledger.csv'} and put your numbers in"
        )
    return of(values, found.currency)


def of(values: Mapping[str, float], currency: str) -> Prices:
    """The prices at these values of the ledger's rows."""
    record, _ = records.find(f"{TRAINED}#train.student")
    p = record.parameters
    weights = _weights(str(p["student"]))
    # forward and backward: three times the operations of an answer, two for each weight
    operations = 6 * weights * int(p["steps"]) * int(p["batch"])
    core_second = values[HOUR] / 3600
    served = {
        who: tuple(
            records.find(f"{SERVED}#{what}")[1].value
            for what in (f"flops.{who}", f"seconds.{who}.exported.batch-1")
        )
        for who in ("teacher", "student")
    }
    (large, slow), (small, fast) = served["teacher"], served["student"]
    work = (slow - fast) / (large - small)
    return Prices(
        currency,
        label=values[LABEL],
        answer=values[ANSWERS] / 1000,
        operation=values[TRAINING] * values[LENGTH] * core_second / operations,
        idle=fast - work * small,
        work=work,
        core_second=core_second,
        busy=values[BUSY],
    )


def _weights(student: str) -> int:
    """Weights of an MLP on 8×8 digits, as the timed student was one."""
    kind, *widths = student.split("-")
    if kind != "mlp":
        raise Problem(f"{TRAINED}: the timed student is {student!r}, and no MLP: count its weights")
    sizes = [64, *map(int, widths), 10]
    return sum(a * b for a, b in itertools.pairwise(sizes))
