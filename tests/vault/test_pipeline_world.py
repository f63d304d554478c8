"""The real world of the pipeline, tiny: gates' evidence, counts, files; and its prices."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from forge import TINY
from scipy.stats import rankdata

from synthecon import Problem, cli, paths, records
from synthecon.economics import model
from synthecon.physics import nets
from synthecon.vault import pipeline_command, pipeline_prices
from synthecon.vault.pipeline_search import Candidate, Rung
from synthecon.vault.pipeline_world import World, area

ONE = Candidate("mlp-4", "gaussians", 20, 4.0, 0.5)
TWO = replace(ONE, student="mlp-8")
RUNG = Rung(4, 2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    torch.set_num_threads(1)
    made = World(TINY, 3, folder=tmp_path_factory.mktemp("files"))
    made.generate("gaussians")
    made.answer("labelled", TINY.labels)
    made.answer("gaussians", 20)
    made.distil("both", [ONE, TWO], RUNG, lambda: None)
    return made


def test_nothing_is_shared_between_the_parts_of_a_split(world: World):
    parts = [world.owned, world.pool, world.validation, world.test]
    rows = torch.cat(parts)
    assert len(rows.unique()) == len(rows)
    assert set(world.labelled.tolist()) <= set(world.pool.tolist())
    assert len(world.labelled) == TINY.labels


def test_doing_it_again_leaves_the_same_bytes(world: World):
    names = ("set-gaussians", "answers-gaussians", "both-mlp-4", "both-mlp-8")
    before = [(world.folder / f"{n}.npz").read_bytes() for n in names]
    world.generate("gaussians")
    world.answer("gaussians", 20)
    world.distil("both", [ONE, TWO], RUNG, lambda: None)
    assert [(world.folder / f"{n}.npz").read_bytes() for n in names] == before


def test_a_shorter_purchase_is_the_beginning_of_a_longer_one(world: World):
    long = np.load(world.folder / "answers-gaussians.npz")["logits"]
    world.answer("gaussians", 7)
    short = np.load(world.folder / "answers-gaussians.npz")["logits"]
    np.testing.assert_allclose(short, long[:7], atol=1e-5)
    world.answer("gaussians", 20)


def test_operations_are_counted_by_hand(world: World):
    weights = 64 * 4 + 4 * 10
    assert world.operations("mlp-4") == 2 * weights
    assert world.training(ONE, RUNG) == 3 * 2 * weights * RUNG.steps * TINY.batch * RUNG.inits
    assert world.scoring(ONE, RUNG) == 2 * weights * TINY.validation * RUNG.inits


def test_noise_is_told_from_data(world: World):
    world.generate("noise")
    noise, made = world.examine("noise"), world.examine("gaussians")
    assert noise["taught"][2] < 35 < made["taught"][1]
    assert noise["closed"][0] < 40 < 80 < made["closed"][0]
    for row in (*noise.values(), *made.values()):
        assert row[1] <= row[0] <= row[2]


def test_the_area_is_the_rank_sum_with_the_textbook_error():
    draws = np.random.default_rng(1)
    member = np.arange(60) < 25
    scores = draws.normal(size=60) + member
    i = area(torch.from_numpy(scores), torch.from_numpy(member))
    ranks = rankdata(scores)[member].sum()
    a = (ranks - 25 * 26 / 2) / (25 * 35)
    assert i.value == pytest.approx(a)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = math.sqrt((a * (1 - a) + 24 * (q1 - a * a) + 34 * (q2 - a * a)) / (25 * 35))
    assert i.high - i.value == pytest.approx(1.959964 * error)


def test_scores_come_back_in_the_order_of_the_candidates(world: World):
    there, back = (world.evaluate("both", c, RUNG) for c in ([ONE, TWO], [TWO, ONE]))
    assert there == back[::-1]
    assert len(there) == 2 and len(there[0]) == RUNG.inits


def test_right_answers_are_told_image_by_image(world: World):
    right = world.right("both", [TWO, ONE], RUNG)
    assert right.shape == (2, len(world.test))
    assert set(np.unique(right)) <= {0.0, 0.5, 1.0}  # two networks each
    tested = np.mean(world.tested("both", [TWO, ONE], RUNG), axis=1)
    np.testing.assert_allclose(right.mean(1, dtype=float), tested, atol=1e-6)


def test_dealt_parts_share_nothing_but_the_test_images():
    plan = replace(TINY, parts=3)
    worlds = [World(plan, seed) for seed in range(4)]
    rows = [torch.cat([w.owned, w.pool, w.validation]) for w in worlds]
    everything = torch.cat([*rows[:3], worlds[0].test])
    assert len(everything.unique()) == len(everything)
    assert all(torch.equal(w.test, worlds[0].test) for w in worlds)
    assert torch.equal(rows[3], rows[0])
    assert set(worlds[1].labelled.tolist()) <= set(worlds[1].pool.tolist())
    with pytest.raises(Problem, match="rows to draw"):
        World(replace(TINY, parts=99), 0)


def test_a_card_means_a_whole_student(world: World, tmp_path: Path):
    class Died(Exception):
        pass

    def die() -> None:
        raise Died

    world.halfway = die
    with pytest.raises(Died):
        world.promote(tmp_path, "both", [ONE, TWO], RUNG, TWO, 1, {"run": "r"})
    assert not (tmp_path / "card.json").exists()
    world.halfway = lambda: None
    told = world.promote(tmp_path, "both", [ONE, TWO], RUNG, TWO, 1, {"run": "r"})
    content = (tmp_path / "student.npz").read_bytes()
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["weights"]["sha256"] == told["sha256"] == hashlib.sha256(content).hexdigest()
    plain = nets.extract(nets.build("mlp-8", (1, 8, 8), 10, [0]), 0)
    with np.load(tmp_path / "student.npz") as arrays:
        plain.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()})
    images, labels = world.images.images[world.validation], world.images.labels[world.validation]
    share = float((plain(images).argmax(1) == labels).float().mean())
    assert share == pytest.approx(world.evaluate("both", [ONE, TWO], RUNG)[1][1])


def test_a_plan_that_does_not_fit_is_a_problem():
    with pytest.raises(Problem, match="multiple of the 10 classes"):
        World(replace(TINY, labels=25), 0)
    with pytest.raises(Problem, match="per_class=40"):
        World(replace(TINY, labels=400), 0)


@pytest.mark.parametrize("case", ["case", "case-tannhof"])
def test_prices_are_the_ledger_by_hand(case: str):
    found = model.load(paths.root() / case)
    rows = found.base()
    p = pipeline_prices.of(rows, found.currency)
    assert p.label == rows["price.label-bought"]
    assert 1000 * p.answer == pytest.approx(rows["price.vendor-request"])
    seconds = records.find("cpu/lesson-1-physics/synthetic-worth#train.student")[1].value
    mlp_64 = 6 * (64 * 64 + 64 * 10) * 500 * 32
    one = seconds * rows["transfer.training"] / 3600 * rows["unit.core-hour"]
    assert p.operation * mlp_64 == pytest.approx(one, rel=1e-6)
    record, _ = records.find("cpu/lesson-1-physics/serving-cost#flops.student")
    for who in ("student", "teacher"):
        served = record.measurement(f"seconds.{who}.exported.batch-1").value
        money = served / 3600 * rows["unit.core-hour"] / rows["serving.utilisation"]
        assert p.million(record.measurement(f"flops.{who}").value) == pytest.approx(money)


# ---- the command


def test_the_command_runs_shows_and_lists(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("SYNTHECON_OUT", str(tmp_path))
    # a moment's money: the labels are not even bought, and that is said
    assert cli.main(["pipeline", "--money", "5", "--seed", "4"]) == 1
    out = capsys.readouterr().out
    assert "digits-s4-1: budget spent (money" in out and "Nothing was promoted." in out
    assert cli.main(["pipeline", "--log", "digits-s4-1"]) == 0
    assert "not even the cheapest student" in capsys.readouterr().out
    assert cli.main(["pipeline", "--list"]) == 0
    assert "digits-s4-1: budget spent" in capsys.readouterr().out
    assert cli.main(["pipeline", "--resume", "digits-s4-1"]) == 0
    assert "this run is finished" in capsys.readouterr().out
    folder = tmp_path / "pipeline" / "digits-s4-1"
    settings, plan = pipeline_command._read(folder)
    assert settings.space == pipeline_command.SPACE and settings.limit.money == 5
    assert settings.rungs == pipeline_command.RUNGS and plan.dataset == "digits"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--money", "-1"], "--money -1: must be above 0"),
        (["--seconds", "nan"], "--seconds nan"),
        (["--target", "90"], "above 0 and below 1"),
        (["--target", "high"], "above 0 and below 1"),
        (["--company", "nowhere"], "nowhere: no ledger.csv"),
        (["--resume", "../x"], "no run '../x'"),
        (["--log", "digits"], "there are: none yet"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, told, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("SYNTHECON_OUT", str(tmp_path))
    assert cli.main(["pipeline", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_case_without_gates_is_told_where_to_find_some(tmp_path: Path):
    (tmp_path / "ledger.csv").touch()
    with pytest.raises(Problem, match=r"copy .*/pipeline-gates\.csv"):
        pipeline_command._gates(tmp_path)


def test_two_processes_do_not_share_a_run(tmp_path: Path):
    with (
        pipeline_command._alone(tmp_path),
        pytest.raises(Problem, match="another process"),
        pipeline_command._alone(tmp_path),
    ):
        pass
