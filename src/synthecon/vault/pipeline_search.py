"""Which candidate next: a finite space, searched by asking and telling, cheap looks first.

Optuna's tree of Parzen estimators proposes; a ladder of rungs decides who is trained longer.  The
same seed and the same answers give the same proposals, so a search needs no memory of its own: a
resumed run asks and tells again.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from synthecon import Problem

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, order=True)
class Candidate:
    """One student and what it learns from.

    student: a name for `nets.build`.  kind, amount: of made-up images, `amount` of them beside the
    labelled ones.  temperature, alpha: of the distillation loss; alpha = 1 trusts the teacher's
    soft answers alone.
    """

    student: str
    kind: str
    amount: int
    temperature: float
    alpha: float

    def __str__(self) -> str:
        return (
            f"{self.student} on {self.amount} {self.kind}, T={self.temperature:g}, α={self.alpha:g}"
        )


@dataclass(frozen=True)
class Space:
    """A finite space: every combination is a candidate."""

    students: tuple[str, ...]
    kinds: tuple[str, ...]
    amounts: tuple[int, ...]
    losses: tuple[tuple[float, float], ...]  # temperature and alpha

    def __post_init__(self) -> None:
        for name, values in vars(self).items():
            if not values or len(set(values)) < len(values):
                raise Problem(f"{name} of the space: {list(values)}; give each value once")

    def all(self) -> list[Candidate]:
        """Every candidate, in a fixed order."""
        product = itertools.product(self.students, self.kinds, self.amounts, self.losses)
        return [Candidate(s, k, a, t, alpha) for s, k, a, (t, alpha) in product]

    def only(self, kinds: Sequence[str]) -> Space:
        """The space without the kinds of data that a gate keeps out."""
        return Space(
            self.students, tuple(k for k in self.kinds if k in kinds), self.amounts, self.losses
        )


@dataclass(frozen=True)
class Rung:
    """How long a look is: so many steps, so many first weights."""

    steps: int
    inits: int


@dataclass
class Search:
    """Proposals for candidates nobody tried, and what was heard of them."""

    space: Space
    seed: int
    startup: int = 24  # proposals before the model of what is good speaks
    told: dict[Candidate, tuple[int, float]] = field(default_factory=dict)  # last rung, score

    def __post_init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental options say so each time
            sampler = TPESampler(
                seed=self.seed, n_startup_trials=self.startup, multivariate=True, constant_liar=True
            )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._open: dict[Candidate, optuna.trial.Trial] = {}
        self._left = dict.fromkeys(self.space.all())
        self._axes = {
            "student": CategoricalDistribution(self.space.students),
            "kind": CategoricalDistribution(self.space.kinds),
            "amount": CategoricalDistribution(self.space.amounts),
            "loss": CategoricalDistribution(tuple(range(len(self.space.losses)))),
        }

    @property
    def left(self) -> int:
        """Candidates that were never proposed."""
        return len(self._left)

    def ask(self, count: int) -> list[Candidate]:
        """Up to `count` candidates, each for the first time; fewer when the space is used up."""
        found: list[Candidate] = []
        misses = 0
        while len(found) < count and self._left:
            if misses > 20:  # the model has one favourite: take the nearest that is left
                self._study.enqueue_trial(self._params(next(iter(self._left))))
            trial = self._study.ask(self._axes)
            candidate = self._candidate(trial.params)
            if candidate not in self._left:
                misses += 1
                self._repeat(trial, candidate)
                continue
            del self._left[candidate]
            self._open[candidate] = trial
            found.append(candidate)
        return found

    def tell(self, candidate: Candidate, rung: int, score: float, last: bool) -> None:
        """The score of a look, and whether it was the longest there is."""
        self.told[candidate] = (rung, score)
        trial = self._open.pop(candidate, None)
        if trial is None:  # heard of before, on a lower rung
            self._study.add_trial(
                create_trial(
                    params=self._params(candidate),
                    distributions=self._axes,
                    value=score if last else None,
                    intermediate_values={rung: score},
                    state=TrialState.COMPLETE if last else TrialState.PRUNED,
                )
            )
        elif last:
            self._study.tell(trial, score)
        else:
            trial.report(score, rung)
            self._study.tell(trial, state=TrialState.PRUNED)

    def _repeat(self, trial: optuna.trial.Trial, candidate: Candidate) -> None:
        """A proposal that was made before: its answer is known, or on its way."""
        if candidate in self.told:
            rung, score = self.told[candidate]
            trial.report(score, rung)
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    def _candidate(self, params: dict[str, object]) -> Candidate:
        temperature, alpha = self.space.losses[int(params["loss"])]  # type: ignore[call-overload]
        return Candidate(
            str(params["student"]),
            str(params["kind"]),
            int(params["amount"]),  # type: ignore[call-overload]
            temperature,
            alpha,
        )

    def _params(self, c: Candidate) -> dict[str, object]:
        loss = self.space.losses.index((c.temperature, c.alpha))
        return {"student": c.student, "kind": c.kind, "amount": c.amount, "loss": loss}


def ladder(count: int, rungs: int, keep: float) -> list[int]:
    """How many of `count` reach each rung: the best share `keep` of each goes on, one at least."""
    sizes = [count]
    for _ in range(rungs - 1):
        sizes.append(max(1, math.ceil(keep * sizes[-1])))
    return sizes
