"""Killed anywhere, a run resumes and pays nothing twice: real processes, SIGKILL, at every step."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synthecon import paths
from synthecon.vault.pipeline_meter import totals
from synthecon.vault.pipeline_provider import Provider

HERE = Path(__file__).parent
KILLED = -9


class Forge:
    """A warm parent; `live` is one life of a run."""

    def __init__(self) -> None:
        source = Path(paths.__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": f"{source}:{HERE}", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "forge.py")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=environment, encoding="utf-8",
        )  # fmt: skip

    def live(
        self, folder: Path, kill: str = "", real: bool = False, target: float | None = None
    ) -> int:
        asked = {"folder": str(folder), "kill": kill, "real": real, "target": target}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    one = Forge()
    yield one
    one.process.stdin.close()
    one.process.wait(10)


def trace(folder: Path) -> dict[str, object]:
    """Everything that must come out the same: decisions, files, the provider's books."""
    bill = Provider(folder / "provider.sqlite", {}).bill()
    files = ("decisions.jsonl", "student.npz", "card.json")
    kept = {f: (folder / f).read_bytes() if (folder / f).exists() else None for f in files}
    return kept | {"bill": bill, "money": json.loads((folder / "spent.json").read_text())["money"]}


def steps(folder: Path) -> list[str]:
    return list(totals(folder / "journal.jsonl"))


@pytest.fixture(scope="module")
def whole(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert forge.live(folder) == 0
    return folder


def test_a_run_has_every_kind_of_step(whole: Path):
    kinds = {name.split(".")[1] for name in steps(whole)}
    wanted = {"buy", "generate", "validate", "distil", "evaluate", "price", "examine", "promote"}
    assert kinds == wanted
    assert trace(whole)["card.json"] and len(trace(whole)["bill"]) >= 3


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_killed_at_every_step_and_resumed_nothing_is_lost_or_paid_twice(
    moment: str, forge: Forge, whole: Path, tmp_path: Path
):
    """One run dies once at each of its steps; every life goes on where the last one fell."""
    for name in steps(whole):
        assert forge.live(tmp_path, f"{name}:{moment}") == KILLED, name
    assert forge.live(tmp_path) == 0
    assert trace(tmp_path) == trace(whole)
    ended = [json.loads(x) for x in (tmp_path / "journal.jsonl").read_text().splitlines()]
    often = [e["step"] for e in ended if "seconds" in e]
    assert sorted(often) == sorted(set(often)), "a finished step was done again"
    orders = Provider(tmp_path / "provider.sqlite", {}).orders()
    once = Provider(whole / "provider.sqlite", {}).orders()
    bought = sum(".buy." in name for name in steps(whole))
    assert once == bought
    # killed between paying and writing it down, the pipeline ordered again and was not charged
    assert orders == (2 * bought if moment == "during" else bought)


@pytest.mark.parametrize("kind", ["buy", "distil", "promote"])
def test_killed_twice_at_the_same_place(kind: str, forge: Forge, whole: Path, tmp_path: Path):
    name = next(n for n in steps(whole) if f".{kind}." in n)
    assert [forge.live(tmp_path, f"{name}:during") for _ in range(2)] == [KILLED, KILLED]
    assert forge.live(tmp_path) == 0
    assert trace(tmp_path) == trace(whole)


@pytest.fixture(scope="module")
def real(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed, of real images, real generators and real students."""
    folder = tmp_path_factory.mktemp("real")
    assert forge.live(folder, real=True) == 0
    assert trace(folder)["student.npz"]
    return folder


def test_a_kill_in_a_real_training_changes_no_weight(forge: Forge, real: Path, tmp_path: Path):
    """Killed in the middle of three kinds of steps."""
    for kind in ("distil", "evaluate", "promote"):
        name = next(n for n in steps(real) if f".{kind}." in n)
        assert forge.live(tmp_path, f"{name}:during", real=True) == KILLED
    assert forge.live(tmp_path, real=True) == 0
    assert trace(tmp_path) == trace(real)


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scrawled(path: Path) -> None:
    path.write_text("neither a database nor a line of JSON\n" * 9)


HARM: list[tuple[str, Callable[[Path], object]]] = [
    ("files/set-gaussians.npz", lambda p: shutil.copy(p.with_name("set-noise.npz"), p)),
    ("files/set-gaussians.npz", halved),
    ("files/set-gaussians.npz", Path.unlink),
    ("files/answers-gaussians.sha256", Path.unlink),
    ("journal.jsonl", scrawled),
    ("alive.txt", Path.unlink),
    ("steps.sqlite", scrawled),
    ("steps.sqlite", halved),
    ("provider.sqlite", scrawled),
]


def test_a_run_whose_files_were_touched_goes_on_when_they_are_put_back(
    forge: Forge, real: Path, tmp_path: Path
):
    """It died in a training that reads made-up images, answers and their digests."""
    run, kept = tmp_path / "run", tmp_path / "kept"
    run.mkdir()
    name = [n for n in steps(real) if ".distil.r" in n][-1]
    assert forge.live(run, f"{name}:during", real=True) == KILLED
    shutil.copytree(run, kept)
    for file, harm in HARM:
        harm(run / file)
        assert forge.live(run, real=True) == 2, (file, harm)
        told = (run / "problem.txt").read_text()
        assert told.startswith(str(run / file)) and "\n" not in told
        assert told.endswith("as it was, or start a new run")
        shutil.copy(kept / file, run / file)
    assert forge.live(run, real=True) == 0
    assert trace(run) == trace(real)


def test_a_finished_run_is_gone_through_again_and_nothing_is_done(forge: Forge, whole: Path):
    """As after a kill between the last step and the summary."""
    before, journal = trace(whole), (whole / "journal.jsonl").read_bytes()
    (whole / "spent.json").unlink()
    assert forge.live(whole) == 0
    assert trace(whole) == before
    assert (whole / "journal.jsonl").read_bytes() == journal
