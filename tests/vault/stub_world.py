"""A world without images: accuracies follow from a formula, everything else as in the real one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from synthecon import paths
from synthecon.strategy.gates import Gate
from synthecon.vault.pipeline import Settings
from synthecon.vault.pipeline_budget import Amount
from synthecon.vault.pipeline_prices import Prices
from synthecon.vault.pipeline_search import Candidate, Rung, Space

SPACE = Space(
    students=("mlp-4", "mlp-8"),
    kinds=("good", "bad"),
    amounts=(10, 20),
    losses=((1.0, 1.0), (4.0, 0.5)),
)
RUNGS = (Rung(2, 1), Rung(6, 2))
PRICES = Prices("USD", 0.5, 0.01, 0.001, 10.0, 0.01, 1e-5, 0.5)
GATES = (
    Gate("quality", "taught", "taught", "above", 50.0, "%", "validated", "e"),
    Gate("shift", "closed", "closed", "above", 50.0, "%", "validated", "e"),
    Gate("privacy", "auc", "auc", "below", 0.55, "AUC", "released", "e"),
    Gate("quality", "student.gain", "gain", "above", 0.0, "points", "released", "e"),
    Gate("lineage", "made", "made", "", float("nan"), "", "validated", "e"),
)
VALIDATED = 400


def settings(**changes: object) -> Settings:
    """A run of a few steps."""
    plain = {"run": "toy", "seed": 3, "labels": 10, "space": SPACE, "rungs": RUNGS,
             "target": None, "batch": 3, "made": "2026-01-01",
             "limit": Amount(20.0, 1e6, 1e9)}  # fmt: skip
    return Settings(**{**plain, **changes})  # type: ignore[arg-type]


class Stub:
    """`folder`: where trainings leave a file, as the real one does."""

    def __init__(self, folder: Path | None = None, gain: float = 2.0, best: float = 0.93) -> None:
        self.folder, self.gain, self.best = folder, gain, best
        self.halfway = lambda: None
        self.begun: list[str] = []

    def generate(self, kind: str) -> dict:
        return {"images": 20}

    def generating(self, kind: str) -> float:
        return 7.0

    def examine(self, kind: str) -> dict[str, list]:
        share = 90.0 if kind == "good" else 20.0
        return {
            "taught": [share, share - 3, share + 3, 0.95, 400, "m"],
            "closed": [90.0, 88.0, 92.0, 0.95, 400, "m"],
            "auc": [0.7, 0.6, 0.8, 0.95, 400, "m"],
        }

    def answer(self, kind: str, upto: int) -> dict:
        return {"answers": upto}

    def operations(self, student: str) -> int:
        return 10 * int(student.split("-")[1])

    def training(self, candidate: Candidate, rung: Rung) -> float:
        return 3.0 * self.operations(candidate.student) * rung.steps * rung.inits

    def scoring(self, candidate: Candidate, rung: Rung) -> float:
        return 1.0 * self.operations(candidate.student) * rung.inits

    def distil(self, name, candidates, rung, tick) -> dict[str, str]:
        self.begun.append(name)
        for _ in range(rung.steps):
            tick()
        self.halfway()
        text = json.dumps([str(c) for c in candidates])
        if self.folder:
            paths.write_atomic(self.folder / f"{name}.json", text)
        return {"sha256": hashlib.sha256(text.encode()).hexdigest()}

    def accuracy(self, c: Candidate, rung: Rung, init: int) -> float:
        """More steps and wider is better; the rest is fixed luck."""
        luck = int(hashlib.sha256(f"{c}{init}".encode()).hexdigest()[:4], 16) / 65535
        wide = 0.02 * (c.student == "mlp-8")
        return round(self.best - 0.2 / rung.steps - 0.05 + wide + 0.03 * luck, 4)

    def evaluate(self, name, candidates, rung) -> list[list[float]]:
        return [[self.accuracy(c, rung, i) for i in range(rung.inits)] for c in candidates]

    def tested(self, name, candidates, rung) -> list[list[float]]:
        return [[s - 0.01 for s in row] for row in self.evaluate(name, candidates, rung)]

    def student_evidence(self, name, candidates, rung, chosen, init, plain) -> dict[str, list]:
        return {"student.gain": [self.gain, self.gain - 1, self.gain + 1, 0.95, 400, "m"]}

    def promote(self, folder, name, candidates, rung, chosen, init, card) -> dict[str, str]:
        paths.write_atomic(folder / "student.npz", f"{chosen} {init}")
        self.halfway()
        text = json.dumps(card, sort_keys=True)
        paths.write_atomic(folder / "card.json", text)
        return {"card": hashlib.sha256(text.encode()).hexdigest()}
