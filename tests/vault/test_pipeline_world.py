"""The real world of the pipeline, tiny: gates' evidence, counts, files; and its prices."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
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
from synthecon.vault.pipeline_budget import Amount
from synthecon.vault.pipeline_log import Decision, DecisionLog
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


def test_a_file_that_is_not_the_one_that_was_written_is_refused(tmp_path: Path):
    made = World(TINY, 3, folder=tmp_path)
    for kind in ("gaussians", "noise"):
        made.generate(kind)
    one, other = (tmp_path / f"set-{kind}" for kind in ("gaussians", "noise"))
    whole = one.with_suffix(".npz").read_bytes()
    for suffix in (".npz", ".sha256"):  # both of another set: the digest fits, the name does not
        one.with_suffix(suffix).write_bytes(other.with_suffix(suffix).read_bytes())
        with pytest.raises(Problem, match=r"set-gaussians\.npz: not the file that this run wrote"):
            made._load("set-gaussians")
    for suffix in (".npz", ".sha256"):
        one.with_suffix(suffix).unlink()
        with pytest.raises(Problem, match=rf"set-gaussians\{suffix}: cannot be read"):
            made._load("set-gaussians")
        made.generate("gaussians")
        assert one.with_suffix(".npz").read_bytes() == whole
        made._load("set-gaussians")


def test_a_kill_between_a_file_and_its_digest_is_mended_by_the_step(tmp_path: Path, monkeypatch):
    class Died(Exception):
        pass

    def die(path: Path, content: str | bytes) -> Path:
        if path.suffix == ".sha256":
            raise Died
        return write(path, content)

    write, made = paths.write_atomic, World(TINY, 3, folder=tmp_path)
    made.generate("gaussians")
    made.answer("gaussians", 5)
    with monkeypatch.context() as patch:
        patch.setattr(paths, "write_atomic", die)
        with pytest.raises(Died):  # with the digest of a shorter purchase beside it
            made.answer("gaussians", 20)
    again = World(TINY, 3, folder=tmp_path)
    again.answer("gaussians", 20)
    assert len(again._load("answers-gaussians")["logits"]) == 20


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
    asked = ["--money", "5", "--seed", "4", "--seconds", "99.5", "--joules", "inf"]
    assert cli.main(["pipeline", *asked]) == 1
    out = capsys.readouterr().out
    assert "digits-s4-1: budget spent (money" in out and "Nothing was promoted." in out
    everyone = len(pipeline_command.SPACE.all())
    assert f"all {everyone} candidates whole, before any gate, would have cost" in out
    assert " of 99.5 seconds.\n" in out
    assert re.search(r"[\d.]+ joules \((assumed, 10 W a core|by the machine's counter)\)\.\n", out)
    assert cli.main(["pipeline", "--log", "digits-s4-1"]) == 0
    assert "not even the cheapest student" in capsys.readouterr().out
    assert cli.main(["pipeline", "--list"]) == 0
    assert "digits-s4-1: budget spent" in capsys.readouterr().out
    assert cli.main(["pipeline", "--resume", "digits-s4-1"]) == 1  # as when it ended
    assert "this run is finished" in capsys.readouterr().out
    folder = tmp_path / "pipeline" / "digits-s4-1"
    asked = pipeline_command._read(folder)
    settings = asked.settings
    assert settings.space == pipeline_command.SPACE
    assert settings.limit == Amount(5.0, 99.5, math.inf)
    assert settings.rungs == pipeline_command.RUNGS and asked.plan.dataset == "digits"
    (folder / "summary.txt").unlink()
    assert cli.main(["pipeline", "--resume", "digits-s4-1"]) == 2
    assert "summary.txt" in capsys.readouterr().err


@pytest.mark.parametrize("promoted", [True, False])
def test_a_finished_run_has_its_exit_code_again(promoted: bool, tmp_path: Path, capsys):
    (tmp_path / "outcome.json").write_text(json.dumps({"promoted": promoted}))
    (tmp_path / "summary.txt").write_text("how it went\n")
    assert pipeline_command._run(tmp_path) == (0 if promoted else 1)
    assert "how it went" in capsys.readouterr().out


@pytest.fixture
def begun(tmp_path: Path, monkeypatch) -> tuple[Path, Path]:
    """A run that was asked for and never went far, and its company."""
    monkeypatch.setenv("SYNTHECON_OUT", str(tmp_path / "out"))
    company = tmp_path / "mine"
    shutil.copytree(paths.root() / "case", company)
    options = pipeline_command._parser().parse_args(["--company", str(company), "--money", "90"])
    return pipeline_command._begin(options), company


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("pipeline-gates.csv", ",above,70,", ",above,90,", "line 2: was 'quality,taught,"),
        ("pipeline-gates.csv", "lineage,made,When it was made,,,,validated,A day\n", "",
         "validated,A day' when digits-s0-1 began and is ''"),
        ("ledger.csv", "thousand requests,0.6,0.9,", "thousand requests,0.6,0.8,",
         "answer was 0.0009 and is 0.0008"),
    ],
)  # fmt: skip
def test_gates_and_prices_that_changed_since_a_run_began_stop_it(
    file: str, old: str, new: str, told: str, begun: tuple[Path, Path], capsys
):
    path = begun[1] / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert cli.main(["pipeline", "--resume", "digits-s0-1"]) == 2
    error = capsys.readouterr().err
    assert str(path) in error and told in error
    assert "put that back, or start a new run" in error
    assert not (begun[0] / "steps.sqlite").exists()


def test_a_log_needs_no_company(begun: tuple[Path, Path], capsys):
    folder, company = begun
    DecisionLog(folder / "decisions.jsonl").add(
        Decision("001.buy", "run", {}, "rule", None, "goes on", "because", 1.5)
    )
    shutil.rmtree(company)
    assert cli.main(["pipeline", "--log", folder.name]) == 0
    assert "1.50 USD spent" in capsys.readouterr().out


def test_a_run_of_an_older_version_is_told_so(begun: tuple[Path, Path], capsys):
    path = begun[0] / "run.json"
    asked = json.loads(path.read_text())
    for text, told in (
        (json.dumps({k: asked[k] for k in ("settings", "plan")}), "written by an older version"),
        ("{", "cannot read what this run was asked"),
        (json.dumps(asked | {"settings": {"space": []}}), "cannot read what this run was asked"),
    ):
        path.write_text(text)
        for option in ("--resume", "--log"):
            assert cli.main(["pipeline", option, begun[0].name]) == 2
            assert f"{path}: {told}" in capsys.readouterr().err


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
        (["--resume", ""], "no run ''"),
        (["--resume", "r", "--money", "500"], "--money: only for a new run"),
        (["--resume", "r", "--seed", "0"], "--seed: only for a new run"),
        (["--log", "r", "--target", ".9", "--seconds", "120"], "--target, --seconds: only for"),
        (["--list", "--joules", "5", "--company", "case"], "--company, --joules: only for"),
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
