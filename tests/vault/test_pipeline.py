"""The pipeline's books, log, search and order of steps, on a world without images."""

from __future__ import annotations

import itertools
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest
import stub_world
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_world import GATES, PRICES, SPACE, Stub

from synthecon import Problem
from synthecon.vault import pipeline, pipeline_log, pipeline_meter
from synthecon.vault.pipeline_budget import Amount, OverBudgetError, Wallet
from synthecon.vault.pipeline_engine import Memory
from synthecon.vault.pipeline_log import Decision, DecisionLog
from synthecon.vault.pipeline_meter import Journal
from synthecon.vault.pipeline_provider import Provider
from synthecon.vault.pipeline_search import Candidate, Rung, Search, Space, ladder


def ran(folder: Path, world: Stub | None = None, gates=GATES, **changes: object):
    """One run: outcome, decisions, provider."""
    provider = Provider(folder / "books.sqlite", PRICES.provider())
    asked = stub_world.settings(**changes)
    outcome, log = pipeline.run(
        asked, world or Stub(), PRICES, provider, gates, folder=folder, validation=400
    )
    return outcome, log.entries, provider


# ---- the wallet

amounts = st.floats(0, 50)


@given(st.floats(1, 100), st.lists(st.tuples(amounts, st.floats(0, 1)), max_size=30))
def test_a_wallet_that_is_asked_first_never_overspends(limit: float, steps):
    wallet, begun = Wallet(Amount(limit, limit, limit)), 0.0
    for reserve, share in steps:
        need = Amount(reserve, reserve / 2, reserve / 3)
        if wallet.refuses(need):
            assert begun + reserve > limit - 1e-6  # it refuses only what would not fit
            with pytest.raises(Problem, match="budget spent"):
                wallet.reserve(need)
            continue
        wallet.reserve(need)
        wallet.settle(Amount(share * need.money, share * need.seconds, share * need.joules))
        begun += share * reserve
        assert wallet.spent.money <= limit + 1e-9
    assert wallet.spent.money == pytest.approx(begun)


@pytest.mark.parametrize("kind", ["money", "seconds", "joules"])
def test_each_limit_refuses_on_its_own(kind: str):
    limit = replace(Amount(math.inf, math.inf, math.inf), **{kind: 5.0})
    wallet = Wallet(limit, Amount(4, 4, 4))
    assert wallet.refuses(replace(Amount(), **{kind: 1.0})) == ""  # exactly the limit may be spent
    assert wallet.refuses(replace(Amount(), **{kind: 1.5})) == kind


def test_a_step_that_takes_more_than_it_reserved_is_booked_and_told():
    wallet = Wallet(Amount(10, 10, 10))
    wallet.reserve(Amount(1))
    with pytest.raises(Problem, match="had reserved 1"):
        wallet.settle(Amount(2))
    assert wallet.spent.money == 2
    with pytest.raises(RuntimeError, match="nothing was reserved"):
        wallet.settle(Amount(1))


def test_amounts_are_never_negative():
    with pytest.raises(ValueError, match="joules"):
        Amount(joules=-1)
    with pytest.raises(ValueError, match="money"):
        Amount(math.nan)


# ---- the provider

orders = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["label", "answer"]), st.integers(0, 5)),
    max_size=12,
)


@settings(max_examples=25)
@given(orders)
def test_a_provider_charges_each_key_once(tmp_path_factory: pytest.TempPathFactory, orders):
    provider = Provider(tmp_path_factory.mktemp("p") / "books.sqlite", {"label": 2, "answer": 3})
    first: dict[str, tuple[str, int]] = {}
    for key, item, units in orders:
        kept = first.setdefault(key, (item, units))
        if kept == (item, units):
            assert provider.buy(key, item, units).amount == provider.quote(item, units)
        else:
            with pytest.raises(Problem, match="the first time"):
                provider.buy(key, item, units)
    assert [(r.key, (r.item, r.units)) for r in provider.bill()] == sorted(first.items())
    assert provider.orders() == len(orders)


def test_a_provider_sells_only_its_list(tmp_path: Path):
    with pytest.raises(Problem, match="on sale are label"):
        Provider(tmp_path / "b", {"label": 1}).buy("k", "gold", 1)


# ---- the log and the journal


def entry(subject: str, **saw: object) -> Decision:
    return Decision("001.buy", subject, saw, "rule", 0.5, "goes on", "because", 1.0)


def test_a_log_goes_on_where_it_was_and_mends_a_torn_line(tmp_path: Path):
    path = tmp_path / "d.jsonl"
    log = DecisionLog(path)
    log.add(entry("a"))
    log.add(entry("b", x=1.5))
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    again = DecisionLog(path)
    again.add(entry("a"))
    again.add(entry("b", x=1.5))
    assert path.read_bytes() == whole
    path.write_bytes(whole[:-1] + "≥".encode()[:1])  # torn inside a letter
    assert DecisionLog(path)._written == whole.decode().splitlines()[:1]
    path.write_bytes(whole)
    assert pipeline_log.read(path) == again.entries
    told = "\n".join(pipeline_log.told(again.entries, "USD"))
    assert "b: goes on" in told and "because" in told and "x 1.5" in told and "1.00 USD" in told


def test_code_that_decides_otherwise_than_before_is_stopped(tmp_path: Path):
    DecisionLog(tmp_path / "d").add(entry("a"))
    with pytest.raises(Problem, match="line 1: this code decides otherwise"):
        DecisionLog(tmp_path / "d").add(entry("b"))


def test_the_time_of_a_step_that_was_killed_is_counted(tmp_path: Path):
    path = tmp_path / "j"
    now = time.time()
    lines = [{"step": "a", "began": now - 100, "lost": 0.0}, {"step": "a", "seconds": 3.0,
             "joules": 30.0}, {"step": "b", "began": now - 50, "lost": 0.0}]  # fmt: skip
    path.write_text("".join(json.dumps(x) + "\n" for x in lines) + '{"torn')
    alive = tmp_path / "alive.txt"
    alive.write_text(f"{now - 43}")  # and not the date of a file: this is how a copy looks
    journal = Journal(path)
    assert journal.begin("b") == pytest.approx(7, abs=0.01)
    assert journal.begin("a") == 3.0  # ended, and its result was never kept
    alive.write_text(f"{time.time() + 2}")
    assert Journal(path).begin("b") == pytest.approx(9, abs=0.2)  # and a second attempt, killed
    assert pipeline_meter.totals(path) == {"a": {"seconds": 3.0, "joules": 30.0}}


def test_a_living_run_gives_signs_of_life(tmp_path: Path):
    alive = tmp_path / "alive.txt"
    with Journal(tmp_path / "j") as journal:
        assert float(alive.read_text()) == pytest.approx(time.time(), abs=5)  # before any step
        alive.write_text(f"{1:17.6f}\n")
        for _ in range(100):
            if float(alive.read_text()) > 1:
                break
            time.sleep(0.02)
        assert float(alive.read_text()) == pytest.approx(time.time(), abs=5)
        assert journal.begin("a") == 0.0


@pytest.mark.parametrize("line", ["{", "5", "[]", '{"step": "a"}', '{"step": "a", "began": "x"}'])
def test_a_journal_that_was_touched_is_a_problem(line: str, tmp_path: Path):
    path = tmp_path / "j"
    path.write_text('{"step": "a", "seconds": 1, "joules": 2}\n' + line + "\n")
    for read in (Journal, pipeline_meter.totals):
        with pytest.raises(Problem, match=r"j, line 2: .* start a new run"):
            read(path)


def test_a_journal_without_its_last_sign_of_life_is_a_problem(tmp_path: Path):
    Journal(tmp_path / "j").begin("a")
    for harm in (lambda p: None, lambda p: p.write_text("noon")):
        harm(tmp_path / "alive.txt")
        with pytest.raises(Problem, match=r"alive\.txt: missing or not a time"):
            Journal(tmp_path / "j")


# ---- the search


@pytest.mark.parametrize("seed", [0, 1])
def test_a_search_proposes_every_candidate_once_and_the_same_again(seed: int):
    def asked() -> list[Candidate]:
        search, found = Search(SPACE, seed, startup=4), []
        while batch := search.ask(3):
            found += batch
            for c in batch:
                search.tell(c, 0, c.amount / 20, last=c.student == "mlp-8")
        assert search.left == 0
        return found

    once = asked()
    assert sorted(once) == sorted(SPACE.all()) and len(once) == len(set(once))
    assert asked() == once


def test_the_search_learns():
    """Told that one corner is good, it proposes that corner sooner than chance would."""
    space = Space(tuple(f"mlp-{w}" for w in range(2, 12)), ("a", "b", "c"), (1, 2, 3, 4), ((1, 1),))
    half = []
    for seed in range(4):
        search, found = Search(space, seed, startup=16), []
        while search.left:
            for c in search.ask(8):
                good = c.kind == "a" and int(c.student.split("-")[1]) > 6
                search.tell(c, 0, float(good), last=True)
                found.append(good)
        half.append(sum(found[: len(found) // 2]) / sum(found))
    assert sum(half) / 4 > 0.65


def test_a_ladder_narrows():
    assert ladder(36, 3, 1 / 3) == [36, 12, 4]
    assert ladder(1, 3, 0.25) == [1, 1, 1]
    with pytest.raises(Problem, match="amounts of the space"):
        Space(("a",), ("k",), (1, 1), ((1, 1),))


# ---- the order of steps


def test_a_run_ends_in_a_student_with_a_card(tmp_path: Path):
    outcome, log, _ = ran(tmp_path)
    assert outcome.promoted and outcome.reason in (pipeline.SPENT, pipeline.EXHAUSTED)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["candidate"]["kind"] == "good" == card["lineage"]["generator"]
    assert card["price"]["search"] == pytest.approx(outcome.spent.money)
    assert sum(outcome.paid.values()) == pytest.approx(outcome.spent.money)
    assert card["lineage"]["made"] == "2026-01-01"
    decisions = {d.decision for d in log}
    assert {"admitted", "blocked", "kept inside", "goes on", "waits", "promote"} <= decisions
    assert all(d.reason and d.rule for d in log)
    best = max(outcome.looked, key=lambda x: x.mean)
    assert outcome.chosen == outcome.picked == best


def test_the_money_is_what_the_provider_and_the_operations_say(tmp_path: Path):
    class Counted(Stub):
        """Operations by hand: ten a pass and unit of width, three passes for a step."""

        def distil(self, name, candidates, rung, tick):
            passes = sum(10 * int(c.student[4:]) * rung.inits for c in candidates)
            trained.append(3 * passes * rung.steps)
            if not name.startswith("plain-"):  # which the gates alone look at
                scored.append(passes)
            return super().distil(name, candidates, rung, tick)

    trained, scored, world = [], [], Counted()
    outcome, _, provider = ran(tmp_path, world)
    bought = {item: 0.0 for item in ("label", "answer")}
    for r in provider.bill():
        bought[r.item] += r.amount
    assert f"plain-{outcome.chosen.candidate.student}" in world.begun
    wanted = {
        "buy labels": bought["label"], "buy answers": bought["answer"],
        "generate": 7 * len(SPACE.kinds) * PRICES.operation,
        "distil": sum(trained) * PRICES.operation, "evaluate": sum(scored) * PRICES.operation,
    }  # fmt: skip
    paid = {kind: money for kind, money in outcome.paid.items() if money}
    assert paid == pytest.approx(wanted)
    assert outcome.spent.money == pytest.approx(sum(wanted.values()))


def test_data_that_a_gate_blocks_costs_no_answer_and_no_training(tmp_path: Path):
    outcome, log, provider = ran(tmp_path)
    assert {x.candidate.kind for x in outcome.looked} == {"good"}
    assert not [r for r in provider.bill() if "bad" in r.key]
    why = next(d for d in log if d.subject == "bad")
    assert why.decision == "blocked" and why.threshold == 50.0 and "wrong side" in why.reason


def test_no_data_passes(tmp_path: Path):
    gates = [replace(g, threshold=99.0) if g.measure == "taught" else g for g in GATES]
    outcome, _, provider = ran(tmp_path, gates=gates)
    assert (outcome.reason, outcome.promoted) == (pipeline.BLOCKED, False)
    assert {r.item for r in provider.bill() if r.units} == {"label", "answer"}
    assert not (tmp_path / "card.json").exists()


def test_a_student_that_gained_nothing_is_not_promoted(tmp_path: Path):
    outcome, log, _ = ran(tmp_path, Stub(gain=0.5))  # the interval reaches below zero
    assert (outcome.reason, outcome.promoted) == (pipeline.BLOCKED, False)
    assert outcome.picked and outcome.chosen is None
    refused = [d for d in log if d.decision == "blocked" and "student.gain" in d.saw]
    assert len(refused) == len(outcome.looked)  # each of them was asked
    assert not (tmp_path / "card.json").exists()


def test_a_target_that_is_reached_ends_the_run(tmp_path: Path):
    rich = Amount(1e9, 1e9, 1e9)
    outcome, log, _ = ran(tmp_path, Stub(best=0.99), target=0.85, limit=rich, keep=1.0)
    assert outcome.reason == pipeline.REACHED and outcome.promoted
    x = outcome.chosen
    assert pipeline.lower(x.scores[x.init], 400) >= 0.85
    able = [y for y in outcome.looked if pipeline.lower(y.scores[y.init], 400) >= 0.85]
    sizes = [int(y.candidate.student.split("-")[1]) for y in able]
    assert len(set(sizes)) > 1
    assert int(x.candidate.student.split("-")[1]) == min(sizes)  # the cheapest to serve of those
    everything = len(SPACE.only(["good"]).all())
    assert len(outcome.looked) < everything
    assert any(d.decision == "ask the gates" for d in log)
    own = pipeline.lower(x.scores[x.init], 400)
    better = max(pipeline.lower(y.scores[y.init], 400) for y in outcome.looked)
    assert own < better  # so that the sentence can only be about one of them
    assert outcome.detail.startswith(f"{own:.3f} at least")


def test_a_target_out_of_reach_promotes_nothing(tmp_path: Path):
    outcome, log, _ = ran(tmp_path, target=0.99, limit=Amount(1e9, 1e9, 1e9))
    assert (outcome.reason, outcome.promoted) == (pipeline.EXHAUSTED, False)
    assert log[-1].decision == "stop, nothing promoted"
    whole = [x.candidate for x in outcome.looked]  # with money left, those that waited climb
    assert sorted(whole) == sorted(SPACE.only(["good"]).all())


def test_a_refused_student_does_not_end_a_run_that_has_money_left(tmp_path: Path):
    class Picky(Stub):
        def student_evidence(self, name, candidates, rung, chosen, init, plain):
            good = 2.0 if chosen.amount == 20 and chosen.temperature == 4 else -2.0
            return {"student.gain": [good, good - 1, good + 1, 0.95, 400, "m"]}

    rich = Amount(1e9, 1e9, 1e9)
    outcome, log, _ = ran(tmp_path, Picky(best=0.99), target=0.8, limit=rich, keep=1.0)
    assert (outcome.reason, outcome.promoted) == (pipeline.REACHED, True)
    assert (outcome.chosen.candidate.amount, outcome.chosen.candidate.temperature) == (20, 4)
    asked = [d.subject for d in log if "student.gain" in d.saw]
    assert len(asked) == len(set(asked)) > 1  # nobody is asked twice
    plain = [d.step for d in log if ".distil.plain" in d.step]
    assert len(plain) == len(set(plain))


def test_the_best_of_a_rung_go_on(tmp_path: Path):
    _, log, _ = ran(tmp_path)
    by_step: dict[str, dict[str, list[float]]] = {}
    for d in log:
        if "rung" in d.saw:
            by_step.setdefault(d.step, {}).setdefault(d.decision, []).append(d.saw["accuracy"])
    assert by_step
    for row in by_step.values():
        assert min(row["goes on"]) >= max(row.get("waits", [0.0]))


def test_the_lower_end_is_below_the_share():
    from scipy.stats import beta

    assert pipeline.lower(0.9, 400) == pytest.approx(beta.ppf(0.1, 360, 41))
    assert pipeline.lower(1.0, 50) == pytest.approx(0.1 ** (1 / 50))


@settings(max_examples=25)
@given(st.floats(0.01, 30), st.integers(0, 3), st.sampled_from([None, 0.86]))
def test_no_run_ever_spends_more_than_it_may(
    tmp_path_factory: pytest.TempPathFactory, money: float, seed: int, target: float | None
):
    outcome, log, provider = ran(
        tmp_path_factory.mktemp("r"), limit=Amount(money, 1e9, 1e9), seed=seed, target=target
    )
    assert outcome.spent.money <= money + 1e-9
    assert sum(r.amount for r in provider.bill()) <= money + 1e-9
    assert all(d.spent <= money + 1e-6 for d in log)
    spent = [d.spent for d in log]
    assert spent == sorted(spent)
    if not outcome.promoted:
        assert outcome.reason in (pipeline.SPENT, pipeline.EXHAUSTED)


def test_enough_money_is_kept_back_to_promote_what_was_found(tmp_path: Path):
    """As soon as anything was trained whole, its gates can be paid."""
    for cents in range(700, 1400, 25):
        outcome, log, _ = ran(tmp_path / str(cents), limit=Amount(cents / 100, 1e9, 1e9))
        assert outcome.promoted == bool(outcome.looked), cents
        assert outcome.looked or log[-1].decision == "stop, nothing promoted"


def test_what_waits_climbs_with_the_money_that_is_left(tmp_path: Path):
    """More money, no fewer trained whole; and at the end less is left than one climb costs."""
    counts = []
    for money in (8, 9, 10, 11, 12, 14):
        outcome, log, _ = ran(tmp_path / str(money), limit=Amount(money, 1e9, 1e9))
        counts.append(len(outcome.looked))
        climbs = [d for d in log if d.decision == "climb"]
        assert all(d.saw["needed"] <= d.saw["left"] for d in climbs)
        whole = [x.candidate for x in outcome.looked]
        assert len(whole) == len(set(whole))
        if outcome.reason == pipeline.SPENT:
            stop = next(d for d in log if d.decision == "stop")
            assert stop.saw["needed"] > stop.saw["left"] == pytest.approx(money - stop.spent)
    assert counts == sorted(counts) and counts[-1] > counts[0]


@pytest.mark.parametrize(
    ("limit", "kind"),
    [
        (Amount(5.3, 1e9, 1e9), "money"),  # labels and answers, and nothing to do with them
        (Amount(1e9, 1e-9, 1e9), "seconds"),
        (Amount(1e9, 1e9, 1e-9), "joules"),
    ],
)
def test_nothing_is_bought_where_nothing_can_come_of_it(limit: Amount, kind: str, tmp_path: Path):
    outcome, log, provider = ran(tmp_path, limit=limit)
    assert outcome.reason == pipeline.SPENT and outcome.detail.startswith(kind)
    assert provider.bill() == [] and outcome.spent.money == 0
    assert log[0].decision == "stop" and kind in log[0].rule


def test_a_student_whose_check_no_longer_fits_is_not_promoted(tmp_path: Path):
    """The plain student to compare with was never trained: nothing may ask for it."""

    class Careful(Stub):
        def student_evidence(self, name, candidates, rung, chosen, init, plain):
            assert plain in self.begun
            return super().student_evidence(name, candidates, rung, chosen, init, plain)

    class Late(pipeline.Run):
        def do(self, kind, what, work, **more):
            if what.startswith("plain-"):
                raise pipeline._Stop("seconds", "seconds: all of them are gone")
            return super().do(kind, what, work, **more)

    run = Late(
        stub_world.settings(target=0.8), Careful(best=0.99), PRICES,
        Provider(tmp_path / "books.sqlite", PRICES.provider()), GATES, DecisionLog(None),
        Journal(None), lambda name, work: work(), validation=400,
    )  # fmt: skip
    outcome = run.go()
    assert (outcome.reason, outcome.promoted) == (pipeline.SPENT, False)
    assert outcome.looked and outcome.detail.endswith("before a student was checked")


def test_time_to_check_a_student_is_kept_back(tmp_path: Path):
    """A training that would leave no time for the check of what was found is not begun."""
    world = Stub()
    run = pipeline.Run(
        stub_world.settings(limit=Amount(1e9, 100.0, 1e9)), world, PRICES,
        Provider(tmp_path / "books.sqlite", PRICES.provider()), GATES, DecisionLog(None),
        Journal(None), lambda name, work: work(),
    )  # fmt: skip
    run.pace.seconds, run.pace.done = 1.0, 1.0  # a second an operation, and half of that on top
    run.kept = 40.0
    with pytest.raises(pipeline._Stop, match="seconds"):
        run.do("distil", "more to choose from", lambda _: {}, operations=50.0)
    run.do("distil", "what is needed to check", lambda _: {}, operations=50.0, closing=True)


class Slow(Stub):
    """A world in which every training step takes a while."""

    def distil(self, name, candidates, rung, tick) -> dict[str, str]:
        for _ in range(rung.steps):
            end = time.process_time() + 0.02
            while time.process_time() < end:
                pass
            tick()
        return super().distil(name, candidates, rung, lambda: None)


@pytest.mark.parametrize("kind", ["seconds", "joules"])
def test_time_and_energy_stop_a_training_in_its_middle(kind: str, tmp_path: Path):
    """A training of two seconds and twenty joules, of which a fraction is allowed."""
    limit = replace(Amount(1e9, 1e9, 1e9), **{kind: 0.2 if kind == "seconds" else 2.0})
    outcome, log, _ = ran(tmp_path, Slow(), limit=limit, rungs=(Rung(100, 1),))
    assert outcome.reason == pipeline.SPENT and outcome.detail.startswith(kind)
    # a training step and what follows it may come on top, on a slow machine too
    assert getattr(outcome.spent, kind) < 3 * getattr(limit, kind)
    assert log[-1].decision == "stop, nothing promoted"
    assert any(d.decision == "stop" and kind in d.rule for d in log)


def test_what_an_earlier_life_lost_counts_against_the_limit(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    path.write_text(json.dumps({"step": "001.buy.labels", "began": time.time() - 60,
                                "lost": 0.0}) + "\n")  # fmt: skip
    (tmp_path / "alive.txt").write_text(f"{time.time()}")
    outcome, _, provider = ran(tmp_path, limit=Amount(1e9, 50.0, 1e9))
    assert outcome.reason == pipeline.SPENT and outcome.detail.startswith("seconds")
    assert outcome.spent.seconds >= 59
    assert provider.bill() == []  # it was not begun again


def test_a_late_step_is_paid_and_said(tmp_path: Path):
    class Late(Stub):
        def generate(self, kind: str) -> dict:
            raise OverBudgetError("seconds")

    outcome, _, _ = ran(tmp_path, Late())
    assert outcome.reason == pipeline.SPENT
    assert outcome.paid["generate"] == pytest.approx(7.0 * PRICES.operation)


def test_seconds_never_steer_a_decision(tmp_path: Path):
    quick, slow = (ran(tmp_path / w.__name__, w())[1] for w in (Stub, Slow))
    assert quick == slow


def test_the_exhaustive_bill_is_a_sum_by_hand():
    asked, world = stub_world.settings(), Stub()
    bill = pipeline.everything(asked, world, PRICES, ["good"])
    work = sum(
        3 * 10 * width * 6 * 2 for width, _, _ in itertools.product((4, 8), (10, 20), (1, 2))
    )
    assert bill["distil"] == pytest.approx(work * 0.001)
    assert bill["buy labels"] == 5.0
    assert bill["buy answers"] == pytest.approx(0.3)  # 20 made-up and 10 labelled images
    assert bill["generate"] == pytest.approx(0.007)


def test_memory_runs_a_flow_once():
    seen, memory = [], Memory()
    for life in (1, 2):  # and forgets it
        found = memory.run(lambda step, x=life: step("a", lambda: seen.append(x) or {"x": x}))
        assert found == {"x": life} and seen == [1, 2][:life]
