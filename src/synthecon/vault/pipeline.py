"""A pipeline that runs itself in a budget: generate, validate, distil, evaluate, price, promote.

It goes on until a student reaches the target, the budget is spent, the space is used up or a gate
blocks.  Three rules hold it together.  *Reserve, then settle*: a step begins when what it may take
still fits, and not otherwise.  *Once*: a finished step is never done again, and what is bought
carries a key, so that a killed run resumes and pays nothing twice.  *Say why*: every decision is
written down with what was seen, the rule and what had been spent.

Money decides, and money is counted, so the same seed takes the same decisions.  Seconds are
measured, joules read from a counter or, without one, assumed from CPU seconds; they can only stop a
run, never steer it, and a step or one of its training steps may come on top.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from synthecon import Problem, stats
from synthecon.energy import Meter
from synthecon.physics.detect import clopper_pearson
from synthecon.strategy import gates
from synthecon.vault.pipeline_budget import (
    UNLIMITED,
    Amount,
    OverBudgetError,
    Pace,
    Tick,
    Wallet,
)
from synthecon.vault.pipeline_engine import Engine, Memory, Result, Step, reach
from synthecon.vault.pipeline_log import Decision, DecisionLog
from synthecon.vault.pipeline_meter import Journal
from synthecon.vault.pipeline_prices import Prices
from synthecon.vault.pipeline_provider import Provider
from synthecon.vault.pipeline_search import Candidate, Rung, Search, Space, ladder

STUDENT = "student."  # measures of gates.csv that are a student's, not a data set's
LABELLED = "labelled"
REACHED, SPENT, EXHAUSTED, BLOCKED = (
    "target reached",
    "budget spent",
    "space exhausted",
    "blocked by a gate",
)


@dataclass(frozen=True)
class Settings:
    """What a run is asked to do.

    target: share of right answers on the validation images that the lower end of a one-sided 90 %
    interval must reach; None: the best that the budget buys.  Of those trained whole that reach it
    the cheapest to serve is promoted.  They were chosen on these images, so expect less on others.
    batch: candidates a round.  keep: share of a rung that goes on to the next.  rungs: cheap looks
    first; the last is the whole training.  made: day of the run, for the lineage.  labels: how many
    are bought.
    """

    run: str
    seed: int
    labels: int
    space: Space
    rungs: tuple[Rung, ...]
    target: float | None = 0.9
    limit: Amount = UNLIMITED
    batch: int = 16
    keep: float = 1 / 4
    made: str = ""
    company: str = "case"
    source: str = "digits"
    owner: str = "engineering"


class World(Protocol):
    """What `pipeline_world.World` does; a test puts a quicker one in its place."""

    halfway: Callable[[], None]

    def generate(self, kind: str) -> dict: ...
    def generating(self, kind: str) -> float: ...
    def examine(self, kind: str) -> dict[str, list]: ...
    def answer(self, kind: str, upto: int) -> dict: ...
    def operations(self, student: str) -> int: ...
    def training(self, candidate: Candidate, rung: Rung) -> float: ...
    def scoring(self, candidate: Candidate, rung: Rung) -> float: ...
    def distil(
        self, name: str, candidates: Sequence[Candidate], rung: Rung, tick: Tick
    ) -> dict[str, str]: ...
    def evaluate(
        self, name: str, candidates: Sequence[Candidate], rung: Rung
    ) -> list[list[float]]: ...
    def tested(
        self, name: str, candidates: Sequence[Candidate], rung: Rung
    ) -> list[list[float]]: ...
    def student_evidence(
        self, name: str, candidates: Sequence[Candidate], rung: Rung, chosen: Candidate,
        init: int, plain: str,
    ) -> dict[str, list]: ...  # fmt: skip
    def promote(
        self, folder: Path, name: str, candidates: Sequence[Candidate], rung: Rung,
        chosen: Candidate, init: int, card: Mapping[str, object],
    ) -> dict[str, str]: ...  # fmt: skip


@dataclass(frozen=True)
class Looked:
    """A candidate that was trained whole: where its networks are, and how they score."""

    candidate: Candidate
    name: str  # of the training that holds it
    among: tuple[Candidate, ...]
    scores: tuple[float, ...]  # on validation, one an init

    @property
    def mean(self) -> float:
        return sum(self.scores) / len(self.scores)

    @property
    def init(self) -> int:
        return max(range(len(self.scores)), key=lambda i: (self.scores[i], -i))


@dataclass
class Outcome:
    """How a run ended.  reason: target reached, budget spent, space exhausted or blocked by a gate.
    picked: the search's own choice, before the gates of a student; chosen: what they let through.
    tested: its accuracy on the test images, one an init.  looked: every candidate that was trained
    whole.  front: after each round the money spent and how many those were.  paid: money by kind
    of step.
    """

    reason: str
    detail: str
    promoted: bool
    chosen: Looked | None
    tested: tuple[float, ...]
    spent: Amount
    looked: list[Looked] = field(default_factory=list)
    front: list[tuple[float, int]] = field(default_factory=list)
    paid: dict[str, float] = field(default_factory=dict)
    digest: dict[str, str] = field(default_factory=dict)
    picked: Looked | None = None


class _Stop(Exception):  # not an error: the budget's answer
    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


@dataclass
class Run:
    """A run under way: books, log and the order of steps."""

    settings: Settings
    world: World
    prices: Prices
    provider: Provider
    gates: Sequence[gates.Gate]
    log: DecisionLog
    journal: Journal
    step: Step
    folder: Path | None = None
    say: Callable[[str], None] = lambda _: None
    validation: int = 600
    core_watts: float = 10.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        self.wallet = Wallet(self.settings.limit)
        self.pace = Pace(1.0, self.core_watts, 1e9)  # until the first step was timed
        self.number = 0
        self.paid: dict[str, float] = {}
        self.plain: set[str] = set()  # students that were trained on the labels alone
        self.refused: set[Candidate] = set()  # by the gates of a student
        self.kept = 0.0  # operations of the dearest check of a student that may become necessary
        self.last = "start"

    # ---- one step

    def do(
        self, kind: str, what: str, work: Callable[[Tick], Result], *, operations: float = 0.0,
        order: tuple[str, int] | None = None, closing: bool = False,
    ) -> Result:  # fmt: skip
        """One durable step, between a reserve and a settlement.

        operations: counted, priced, and what its seconds are guessed from.  order: an item and so
        many units, bought from the provider before the work.  closing: a step that checks a
        student; for all others the time that such a check takes is kept back.

        Raises:
            _Stop: its reserve would pass the limit; or time ran out inside it.
        """
        self.number += 1
        name = self.last = f"{self.number:03d}.{kind}.{what}"
        money = operations * self.prices.operation
        money += self.provider.quote(*order) if order else 0.0
        if short := self.wallet.refuses(Amount(money)):
            self._refused(name, short, money)
        self.wallet.reserve(Amount(money))
        seconds, joules = self.pace.expects(operations + (0.0 if closing else self.kept))
        before = self.wallet.spent
        reach(f"{name}:before")
        found = self.step(
            name,
            lambda: self._perform(name, kind, work, money, seconds, joules, order, before),
        )
        used = Amount(0.0 if found["refused"] == "early" else money, *found["took"])
        self.wallet.settle(used)
        if operations and not found["lost"] and not found["refused"]:
            self.pace.learn(operations, *found["took"])
        item = f"{kind} {order[0]}s" if order else kind
        self.paid[item] = self.paid.get(item, 0.0) + used.money
        reach(f"{name}:after")
        if found["refused"]:
            self._refused(name, found["kind"], money)
        return found["value"]

    def _perform(
        self, name: str, kind: str, work: Callable[[Tick], Result], money: float,
        seconds: float, joules: float, order: tuple[str, int] | None, before: Amount,
    ) -> Result:  # fmt: skip
        """What happens inside the durable step: its result is kept, whatever it is."""
        limit = self.settings.limit
        lost = self.journal.begin(name)
        lost_joules = lost * self.core_watts
        gone = before + Amount(money, lost, lost_joules)
        short = Wallet(limit, gone).refuses(Amount(0.0, seconds, joules))
        if short:
            self.journal.end(name, lost, lost_joules)
            return {"refused": "early", "kind": short, "took": [lost, lost_joules], "lost": lost,
                    "value": {}}  # fmt: skip
        self.say(f"{name}")
        self.world.halfway = lambda: reach(f"{name}:during")
        meter, begun = Meter(self.device, self.core_watts), time.perf_counter()

        def tick() -> None:
            if begun + limit.seconds - gone.seconds < time.perf_counter():
                raise OverBudgetError("seconds")
            if limit.joules < math.inf and gone.joules + meter.stop().joules > limit.joules:
                raise OverBudgetError("joules")

        value: Result = {}
        refused = over = ""
        with meter:
            try:
                if order:
                    receipt = self.provider.buy(f"{self.settings.run}/{name}", *order)
                    self.world.halfway()
                    if abs(receipt.amount - self.provider.quote(*order)) > 1e-9:
                        raise Problem(f"{name}: the provider charged {receipt.amount}")
                value = work(tick)
            except OverBudgetError as error:
                refused, over = "late", error.kind
        took = [time.perf_counter() - begun + lost, meter.joules + lost_joules]
        self.journal.end(name, *took)
        return {"refused": refused, "kind": over, "took": took, "lost": lost, "value": value}

    def _refused(self, name: str, kind: str, money: float) -> None:
        spent, limit = getattr(self.wallet.spent, kind), getattr(self.settings.limit, kind)
        self.decide(
            "run", {"reserve": money} if kind == "money" else {}, f"{kind} after this step ≤ limit",
            limit, "stop", f"the {kind} left do not cover {name.partition('.')[2]}",
        )  # fmt: skip
        raise _Stop(kind, f"{kind}: {spent:,.6g} of {limit:,.6g}")

    def decide(
        self, subject: str, saw: Mapping[str, Any], rule: str, threshold: float | None,
        decision: str, reason: str,
    ) -> None:  # fmt: skip
        spent = round(self.wallet.spent.money, 6)
        self.log.add(Decision(self.last, subject, saw, rule, threshold, decision, reason, spent))

    # ---- the stages

    def admit(self) -> tuple[str, ...]:
        """Labels, made-up sets, and which of them the gates let through."""
        s, world = self.settings, self.world
        self._worthwhile()
        self.do("buy", "labels", lambda _: {}, order=("label", s.labels))
        self.do("buy", f"answers-{LABELLED}", lambda _: world.answer(LABELLED, s.labels),
                order=("answer", s.labels))  # fmt: skip
        ours = [g for g in self.gates if not g.measure.startswith(STUDENT)]
        admitted = []
        for kind in s.space.kinds:
            self.do("generate", kind, lambda _, k=kind: self._halved(world.generate, k),
                    operations=world.generating(kind))  # fmt: skip
            seen = self.do("validate", kind, lambda _, k=kind: self._halved(world.examine, k))
            found = self._examined(f"{s.source}-{kind}", kind, seen, ours)
            blocked = gates.blocking(found, "validated")
            for f in [*(blocked or [x for x in found if x.gate.state == "validated"])]:
                if f.gate.kind == "lineage" and not blocked:
                    continue
                saw = {f.gate.measure: seen[f.gate.measure][:3]} if f.gate.measure in seen else {}
                self.decide(
                    kind, saw, f"{f.gate.title}: whole interval {f.gate.better}",
                    f.gate.threshold if f.gate.better else None,
                    "blocked" if blocked else "admitted", f"{f.gate.kind} gate: {f.reason}",
                )  # fmt: skip
            if not blocked:
                admitted.append(kind)
                kept = [f for f in gates.blocking(found, "released")]
                for f in kept:
                    self.decide(
                        kind, {f.gate.measure: seen[f.gate.measure][:3]},
                        f"{f.gate.title}: whole interval {f.gate.better}", f.gate.threshold,
                        "kept inside", f"{f.gate.kind} gate of a release: {f.reason}",
                    )  # fmt: skip
        return tuple(admitted)

    def _worthwhile(self) -> None:
        """Stop before anything is paid for where even the cheapest student cannot be had.

        Raises:
            _Stop: money or time for labels, answers, one candidate's ladder and its check is short.
        """
        s, world = self.settings, self.world

        def operations(c: Candidate) -> float:
            check = world.training(_plain(c.student), s.rungs[-1])
            looks = sum(world.training(c, r) + world.scoring(c, r) for r in s.rungs)
            return check + looks + world.generating(c.kind)

        def money(c: Candidate) -> float:
            bought = self.provider.quote("label", s.labels)
            bought += self.provider.quote("answer", s.labels + c.amount)
            return bought + operations(c) * self.prices.operation

        some = s.space.all()
        least = Amount(min(map(money, some)), *self.pace.expects(min(map(operations, some))))
        if short := self.wallet.refuses(least):
            needed, limit = getattr(least, short), getattr(s.limit, short)
            self.decide(
                "run", {"needed": round(needed, 6), "left": limit} if short == "money" else {},
                f"{short} for the cheapest student ≤ limit", limit, "stop",
                f"not even the cheapest student can be had for the {short}",
            )  # fmt: skip
            raise _Stop(short, f"{short}: {needed:,.6g} at least for any student, {limit:,.6g} set")

    def _halved(self, work: Callable[[str], Result], kind: str) -> Result:
        found = work(kind)
        self.world.halfway()
        return found

    def _examined(
        self, name: str, generator: str, seen: Mapping[str, list], some: Iterable[gates.Gate]
    ) -> list[gates.Finding]:
        s = self.settings
        lineage = {
            "generator": generator, "source": s.source, "owner": s.owner, "made": s.made,
            "licence": "own labels; the provider's answers",
        }  # fmt: skip
        data = gates.DataSet(name, name, "draft", lineage, {})
        measured = {key: stats.Interval(*row) for key, row in seen.items()}
        return gates.examine(data, list(some), measured=measured)

    def round(self, number: int, search: Search, waiting: list[Candidate],
              standing: list[dict[Candidate, float]], bought: dict[str, int],
              looked: list[Looked], front: list[tuple[float, int]]) -> bool:  # fmt: skip
        """One round of the ladder: cheap looks at new candidates, whole trainings of the best.

        Where the money does not reach for a new one, or none is left, those that wait on a rung
        climb, one a round.

        Returns:
            False where the money left does not reach for that either.
        """
        s = self.settings
        waiting += search.ask(s.batch - len(waiting))
        sizes = self._affordable(waiting, standing, bought, looked)
        if not sizes:
            return False
        entering = [waiting.pop(0) for _ in range(sizes[0])]
        for r, rung in enumerate(s.rungs):
            if not sizes[r]:
                continue
            if r:
                ranked = sorted(standing[r - 1].items(), key=lambda e: (-e[1], str(e[0])))
                entering = [c for c, _ in ranked[: sizes[r]]]
                edge = ranked[len(entering) - 1][1]
                for c, score in ranked:
                    on = c in entering
                    self.decide(
                        str(c), {"accuracy": round(score, 6), "rung": r - 1},
                        f"among the best {len(entering)} of {len(ranked)}", edge,
                        "goes on" if on else "waits",
                        f"{rung.steps} steps × {rung.inits} next" if on else "others look better",
                    )  # fmt: skip
                for c in entering:
                    del standing[r - 1][c]
            self._answers(entering, bought)
            name = f"r{number}.{r}"
            scores = self._look(name, entering, rung)
            last = r == len(s.rungs) - 1
            for c, row in zip(entering, scores, strict=True):
                mean = sum(row) / len(row)
                search.tell(c, r, mean, last)
                if last:
                    looked.append(Looked(c, name, tuple(entering), tuple(row)))
                else:
                    standing[r][c] = mean
        front.append((self.wallet.spent.money, len(looked)))
        return True

    def _answers(self, candidates: Iterable[Candidate], bought: dict[str, int]) -> None:
        for kind, amount in sorted(_needed(candidates).items()):
            if (more := amount - bought.get(kind, 0)) > 0:
                self.do(
                    "buy", f"answers-{kind}-{amount}",
                    lambda _, k=kind, a=amount: self.world.answer(k, a), order=("answer", more),
                )  # fmt: skip
                bought[kind] = amount

    def _look(self, name: str, candidates: list[Candidate], rung: Rung) -> list[list[float]]:
        world = self.world
        self.do(
            "distil", name, lambda tick: world.distil(name, candidates, rung, tick),
            operations=sum(world.training(c, rung) for c in candidates),
        )  # fmt: skip
        return self.do(
            "evaluate", name,
            lambda _: {"scores": self._halved(lambda n: world.evaluate(n, candidates, rung), name)},
            operations=sum(world.scoring(c, rung) for c in candidates),
        )["scores"]  # fmt: skip

    def _cost(self, candidate: Candidate, rung: Rung) -> float:
        work = self.world.training(candidate, rung) + self.world.scoring(candidate, rung)
        return work * self.prices.operation

    def _affordable(
        self, waiting: Sequence[Candidate], standing: Sequence[Mapping[Candidate, float]],
        bought: Mapping[str, int], looked: Sequence[Looked],
    ) -> list[int]:  # fmt: skip
        """How many a round may take to each rung so that all of it can be paid; empty: not one.

        A whole ladder of new candidates, of fewer, or a climb of one that waits.
        """
        rungs, size = self.settings.rungs, len(waiting)
        free = self.settings.limit.money - self.wallet.spent.money
        plans: list[list[int]] = []
        while size:
            plans.append(ladder(size, len(rungs), self.settings.keep))
            size //= 2
        for r in range(1, len(rungs)):
            if standing[r - 1]:
                plans.append([0] * r + [1] * (len(rungs) - r))
        total = 0.0
        for n, sizes in enumerate(plans):
            total = self._reckoned(sizes, waiting, standing, bought, looked)
            if total <= free:
                if n:
                    self.decide(
                        "run", {"needed": round(total, 6), "left": round(free, 6)},
                        "the whole ladder of a round can be paid", None,
                        f"{sizes[0]} new candidates" if sizes[0] else "climb",
                        f"a ladder for {len(waiting)} would pass the limit" if waiting
                        else "nobody new is left",
                    )  # fmt: skip
                able = {x.candidate.student for x in looked}
                able |= {c.student for c in waiting[: sizes[0]]}
                able |= {c.student for row in standing for c in row}
                self.kept = max(self.world.training(_plain(x), rungs[-1]) for x in able)
                return sizes
        if plans:
            self.decide(
                "run", {"needed": round(total, 6), "left": round(free, 6)},
                "one more candidate can be paid", None, "stop", "too little money is left",
            )  # fmt: skip
        return []

    def _reckoned(
        self, sizes: Sequence[int], waiting: Sequence[Candidate],
        standing: Sequence[Mapping[Candidate, float]], bought: Mapping[str, int],
        looked: Sequence[Looked],
    ) -> float:  # fmt: skip
        """The most that a round may cost, with a check of a student after it.

        Who will climb is not known yet, so the dearest are reckoned with.
        """
        rungs = self.settings.rungs
        known = list(waiting[: sizes[0]])
        total = sum(self._cost(c, rungs[0]) for c in known)
        for r, count in enumerate(sizes):
            if r and count:
                known += standing[r - 1]
                total += sum(sorted(self._cost(c, rungs[r]) for c in known)[-count:])
        units = sum(max(0, n - bought.get(k, 0)) for k, n in _needed(known).items())
        able = {c.student for c in known} | {x.candidate.student for x in looked}
        total += max(self._cost(_plain(student), rungs[-1]) for student in able)
        return total + self.provider.quote("answer", units)

    def million(self, c: Candidate) -> float:
        """Money for a million answers of this candidate."""
        return self.prices.million(self.world.operations(c.student))

    def choose(self, looked: Sequence[Looked]) -> list[Looked]:
        """Whom to promote, best first: those that reach the target, the cheapest to serve before
        the others; without a target the most accurate before the others."""
        s = self.settings
        if s.target is None:
            return sorted(looked, key=lambda x: (-x.mean, self.million(x.candidate), x.name))
        able = [x for x in looked if lower(x.scores[x.init], self.validation) >= s.target]
        return sorted(able, key=lambda x: (self.million(x.candidate), -x.mean, x.name))

    def crown(self, order: Sequence[Looked]) -> tuple[Looked | None, dict, dict]:
        """The first of these that the gates let through, its evidence and its prices."""
        s, top = self.settings, self.settings.rungs[-1]
        theirs = [g for g in self.gates if g.measure.startswith(STUDENT) or g.kind == "lineage"]
        for x in order:
            c = x.candidate
            if c in self.refused:
                continue
            plain, name = _plain(c.student), f"plain-{c.student}"
            if name not in self.plain:
                self.do("distil", name, lambda tick, p=plain, n=name: self.world.distil(
                    n, [p], top, tick), operations=self.world.training(plain, top),
                    closing=True)  # fmt: skip
                self.plain.add(name)
            seen = self.do(
                "validate", f"student-{x.name}-{x.among.index(c)}",
                lambda _, x=x, n=name: self._halved(
                    lambda _k: self.world.student_evidence(
                        x.name, x.among, top, x.candidate, x.init, n), ""),
                closing=True,
            )  # fmt: skip
            found = self._examined(f"student-{s.run}", c.kind, seen, theirs)
            blocked = gates.blocking(found, "released")
            for f in blocked or [f for f in found if f.gate.kind != "lineage"]:
                self.decide(
                    str(c), {f.gate.measure: seen[f.gate.measure][:3]},
                    f"{f.gate.title}: whole interval {f.gate.better}", f.gate.threshold,
                    "blocked" if blocked else "passes", f"{f.gate.kind} gate: {f.reason}",
                )  # fmt: skip
            if blocked:
                self.refused.add(c)
                continue
            priced = self.do(
                "price",
                f"{x.name}-{x.among.index(c)}",
                lambda _, c=c: self._halved(
                    lambda _k: {"million": self.million(c), "currency": self.prices.currency}, ""
                ),
                closing=True,
            )
            return x, seen, priced
        return None, {}, {}

    def go(self) -> Outcome:
        """The whole run."""
        s = self.settings
        looked: list[Looked] = []
        front: list[tuple[float, int]] = []
        crowned: tuple[Looked | None, dict, dict] = (None, {}, {})
        reason, detail = EXHAUSTED, "every candidate was trained whole"
        try:
            admitted = self.admit()
            if not admitted:
                return self._end(BLOCKED, "no made-up data passed", None, {}, {}, looked, front)
            search = Search(s.space.only(admitted), s.seed, s.batch)
            waiting: list[Candidate] = []
            standing: list[dict[Candidate, float]] = [{} for _ in s.rungs]
            bought: dict[str, int] = {}
            number = 0
            while waiting or search.left or any(standing):
                number += 1
                if not self.round(number, search, waiting, standing, bought, looked, front):
                    reason = SPENT
                    left = s.limit.money - self.wallet.spent.money
                    detail = f"money: {left:,.2f} left, too little for one more candidate"
                    break
                if s.target is None:
                    best = max(looked, key=lambda x: x.mean)
                    self.decide(
                        str(best.candidate), {"accuracy": round(best.mean, 6)},
                        "no target: the best that the budget buys", None, "go on",
                        f"{len(looked)} trained whole, {search.left} never looked at",
                    )  # fmt: skip
                    continue
                left = [x for x in looked if x.candidate not in self.refused]
                if not left:
                    continue
                x = max(left, key=lambda x: x.scores[x.init])
                floor = lower(x.scores[x.init], self.validation)
                self.decide(
                    str(x.candidate),
                    {"accuracy": round(x.scores[x.init], 6), "at least": round(floor, 6)},
                    "lower end of the 90 % interval ≥ target", s.target,
                    "ask the gates" if floor >= s.target else "go on",
                    "the best network that no gate refused",
                )  # fmt: skip
                crowned = self.crown(self.choose(looked))
                if crowned[0]:
                    x = crowned[0]
                    floor = lower(x.scores[x.init], self.validation)
                    reason = REACHED
                    detail = f"{floor:.3f} at least where it was chosen, {s.target:g} wanted"
                    break
        except _Stop as stop:
            reason, detail = SPENT, stop.detail
        try:
            if not crowned[0]:
                crowned = self.crown(self.choose(looked))
        except _Stop as stop:
            reason, detail = SPENT, f"{stop.detail}; before a student was checked"
        if not crowned[0] and self.refused:
            reason, detail = BLOCKED, f"students refused: {len(self.refused)}; {reason}, {detail}"
        return self._end(reason, detail, *crowned, looked, front)

    def _end(
        self, reason: str, detail: str, chosen: Looked | None, seen: Mapping, priced: Mapping,
        looked: list[Looked], front: list[tuple[float, int]],
    ) -> Outcome:  # fmt: skip
        """Promote, or say why not.  What it takes was never refused: it is free of charge."""
        top = self.settings.rungs[-1]
        digest: dict[str, str] = {}
        tested: tuple[float, ...] = ()
        if chosen:
            x = chosen
            tested = tuple(self._free(
                "examine", "test", lambda: {"scores": self.world.tested(x.name, x.among, top)},
            )["scores"][x.among.index(x.candidate)])  # fmt: skip
            self.decide(
                str(x.candidate), {"validation": round(x.mean, 6), "million": priced["million"]},
                "passed its gates; the first in the order of choice",
                self.settings.target, "promote", f"{reason}: {detail}",
            )  # fmt: skip
            card = self._card(reason, detail, x, seen, priced, tested)
            if self.folder is not None:
                digest = self._free("promote", "student", lambda: self.world.promote(
                    self.folder, x.name, x.among, top, x.candidate, x.init, card))  # type: ignore[arg-type]  # fmt: skip
        else:
            best = max(looked, key=lambda x: x.mean) if looked else None
            self.decide(
                str(best.candidate) if best else "run",
                {"validation": round(best.mean, 6)} if best else {}, "a student passes everything",
                self.settings.target, "stop, nothing promoted", f"{reason}: {detail}",
            )  # fmt: skip
        return Outcome(reason, detail, chosen is not None, chosen, tested, self.wallet.spent,
                       looked, front, dict(self.paid), digest,
                       next(iter(self.choose(looked)), None))  # fmt: skip

    def _free(self, kind: str, what: str, work: Callable[[], Result]) -> Result:
        """A durable step without a price, which no limit keeps from being done: closing the books.
        Its seconds are booked."""
        self.number += 1
        name = self.last = f"{self.number:03d}.{kind}.{what}"

        def perform() -> Result:
            lost = self.journal.begin(name)
            self.world.halfway = lambda: reach(f"{name}:during")
            meter, begun = Meter(self.device, self.core_watts), time.perf_counter()
            with meter:
                value = work()
                if kind != "promote":
                    self.world.halfway()
            took = [time.perf_counter() - begun + lost, meter.joules + lost * self.core_watts]
            self.journal.end(name, *took)
            return {"value": value, "took": took}

        reach(f"{name}:before")
        found = self.step(name, perform)
        self.wallet.spent = self.wallet.spent + Amount(0.0, *found["took"])
        reach(f"{name}:after")
        return found["value"]

    def _card(
        self, reason: str, detail: str, x: Looked, seen: Mapping, priced: Mapping,
        tested: Sequence[float],
    ) -> dict[str, object]:  # fmt: skip
        s = self.settings
        text = "\n".join(json.dumps(asdict(d), sort_keys=True) for d in self.log.entries)
        return {
            "run": s.run, "reason": reason, "detail": detail, "candidate": asdict(x.candidate),
            "network": {"training": x.name, "init": x.init},
            "accuracy": {
                "validation": x.scores[x.init], "validation of all its trainings": list(x.scores),
                "test": tested[x.init], "images validated": self.validation,
            },
            "gates": {k: {"value": v[0], "low": v[1], "high": v[2]} for k, v in seen.items()},
            "price": {
                "a million answers": priced["million"], "currency": priced["currency"],
                "search": round(self.wallet.spent.money, 6), "by step": self.paid,
            },
            "lineage": {
                "generator": x.candidate.kind, "source": s.source, "labels bought": s.labels,
                "teacher": "the provider's", "owner": s.owner, "made": s.made,
                "company": s.company, "seed": s.seed,
            },
            "decisions": {"count": len(self.log.entries),
                          "sha256": hashlib.sha256(text.encode()).hexdigest()},
        }  # fmt: skip


def _plain(student: str) -> Candidate:
    """A student that has the labels and nothing else: what made-up data must beat."""
    return Candidate(student, "", 0, 1.0, 0.0)


def _needed(candidates: Iterable[Candidate]) -> dict[str, int]:
    """The most made-up images of each kind that these candidates learn from."""
    most: dict[str, int] = {}
    for c in candidates:
        if c.kind:
            most[c.kind] = max(c.amount, most.get(c.kind, 0))
    return most


def lower(share: float, count: int) -> float:
    """The lower end of a one-sided 90 % interval of a share seen on `count` images."""
    return clopper_pearson(round(share * count), count, 0.8)[0]


def everything(
    settings: Settings, world: World, prices: Prices, kinds: Sequence[str]
) -> dict[str, float]:
    """What it costs to train every candidate of these kinds whole: money by kind of step.

    Labels and the answers to the labelled images are as in the pipeline; each kind's answers are
    bought once.  No gate, no price step: those are free of charge.
    """
    top, some = settings.rungs[-1], settings.space.only(kinds).all()
    answers = sum(_needed(some).values())
    return {
        "buy labels": settings.labels * prices.label,
        "buy answers": (answers + settings.labels) * prices.answer,
        "generate": sum(world.generating(k) for k in kinds) * prices.operation,
        "distil": sum(world.training(c, top) for c in some) * prices.operation,
        "evaluate": sum(world.scoring(c, top) for c in some) * prices.operation,
    }


def run(
    settings: Settings, world: World, prices: Prices, provider: Provider,
    some: Sequence[gates.Gate], *, engine: Engine | None = None, folder: Path | None = None,
    say: Callable[[str], None] = lambda _: None, validation: int = 600,
    core_watts: float = 10.0, device: str = "cpu",
) -> tuple[Outcome, DecisionLog]:  # fmt: skip
    """Run or resume a pipeline.

    folder: where decisions and the promoted student go; None: nowhere.  validation: how many
    images a candidate's accuracy rests on.
    """
    log = DecisionLog(folder / "decisions.jsonl" if folder else None)
    journal = Journal(folder / "journal.jsonl" if folder else None)
    result: list[Outcome] = []

    def flow(step: Step) -> Result:
        one = Run(
            settings, world, prices, provider, some, log, journal, step, folder, say,
            validation, core_watts, device,
        )  # fmt: skip
        result.append(one.go())
        return {"reason": result[0].reason}

    with journal:
        (engine or Memory()).run(flow)
    return result[0], log
