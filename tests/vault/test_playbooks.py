"""The data file of the playbooks: what it must say, and that what it names is there."""

from __future__ import annotations

import ast
import contextlib
import copy
import dataclasses
import functools
import io
import re
import shlex

import pytest

from synthecon import Problem, cli, notebooks, paths
from synthecon.economics import ledger
from synthecon.vault import known, playbooks

CASES = ("case", "case-tannhof")
MADE = "FOLDER"


RAW = notebooks.load_yaml(playbooks.file().read_text("utf-8"))


def refused(change) -> list[str]:
    data = copy.deepcopy(RAW)
    change(data)
    with pytest.raises(Problem) as problem:
        playbooks.made(data, "file.yml")
    return str(problem.value).splitlines()


def test_every_notebook_has_one_and_every_claim_is_served(shelf, runs):
    toc = (paths.root() / "_toc.yml").read_text("utf-8")
    listed = re.findall(r"file: notebooks/(lesson-[123]\S+)", toc)
    assert sorted(p.notebook for p in shelf.playbooks) == sorted(listed)
    assert playbooks.judge(shelf, runs) == []


def test_no_playbook_sells_what_a_record_does_not_hold(shelf, runs):
    """The verdicts are read here by themselves, not by `judge`."""
    seen = 0
    for playbook in shelf.playbooks:
        claims = {c.name: c.verdict for c in runs[f"cpu/{playbook.notebook}"].claims}
        assert {s.claim.partition("#")[2] for s in playbook.claims} == claims.keys()
        for served in playbook.claims:
            if claims[served.claim.partition("#")[2]] != "holds":
                assert len(served.instead.split()) >= 8, served
                seen += 1
    assert seen > 30


def test_a_verdict_that_turns_makes_the_playbook_wrong(shelf, runs):
    name = "cpu/lesson-1-physics/distillation"
    claims = tuple(
        dataclasses.replace(c, verdict="fails") if c.name == "labels-for-free" else c
        for c in runs[name].claims
    )
    turned = {**runs, name: dataclasses.replace(runs[name], claims=claims)}
    [wrong] = playbooks.judge(shelf, turned)
    assert "distillation" in wrong and "labels-for-free" in wrong and "instead" in wrong


def test_what_is_missing_or_double_is_named(shelf, runs):
    first, second, *rest = shelf.playbooks
    wrong = playbooks.judge(dataclasses.replace(shelf, playbooks=(second, *rest)), runs)
    assert any(f"no playbook for {first.notebook}" in line for line in wrong)
    assert sum("no playbook serves it" in line for line in wrong) == len(first.claims)
    twice = dataclasses.replace(second, claims=(*second.claims, first.claims[0]))
    wrong = playbooks.judge(dataclasses.replace(shelf, playbooks=(first, twice, *rest)), runs)
    assert wrong and all("served twice" in line for line in wrong)
    other = dataclasses.replace(first.claims[0], claim=first.claims[0].claim + "x")
    gone = dataclasses.replace(first, claims=(other, *first.claims[1:]))
    wrong = playbooks.judge(dataclasses.replace(shelf, playbooks=(gone, second, *rest)), runs)
    assert any("did you mean" in line and first.id in line for line in wrong)


# ---- the schema


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["playbooks"][1].pop("symptom"), "playbooks, serving-cost, symptom: must be"),
        (lambda d: d["playbooks"][1].update(symtom="x"), "serving-cost, symtom: unknown field"),
        (lambda d: d["playbooks"][1]["steps"].pop(), "serving-cost, steps: there must be 3"),
        (
            lambda d: d["playbooks"][1]["steps"][0].update(owner="wizard"),
            "serving-cost, steps 1, owner: 'wizard' is none of",
        ),
        (
            lambda d: d["playbooks"][1]["steps"][2].update(hours=0),
            "serving-cost, steps 3, hours: must be a number above 0, got 0",
        ),
        (
            lambda d: d["playbooks"][1]["trigger"].update(metric="a -"),
            "serving-cost, trigger, metric: 'a -': ends where",
        ),
        (
            lambda d: d["playbooks"][1]["exit"].update(better="over"),
            "serving-cost, exit, better: 'over' is none of above, below",
        ),
        (
            lambda d: d["playbooks"][1]["exit"].update(threshold=0.1),
            "serving-cost, exit, threshold: 0.1 is no id of a ledger row",
        ),
        (
            lambda d: d["playbooks"][1]["claims"][1].update(instead="It was undecided here."),
            "serving-cost, claims 2, instead: 'undecided' is a verdict",
        ),
        (
            lambda d: d["playbooks"][1]["claims"][1].update(instead="Held in part."),
            "serving-cost, claims 2, instead: 'in part' is a verdict",
        ),
        (lambda d: d["playbooks"][1].update(leaks=["inferense"]), "did you mean inference"),
        (lambda d: d["playbooks"][1].update(id="serving"), "is not the last part of its notebook"),
        (lambda d: d["playbooks"].append(d["playbooks"][1]), "serving-cost, id: stands twice"),
        (lambda d: d["leaks"][0].update(when="klass = idle"), "leaks, idle, when: unknown field"),
        (lambda d: d["leaks"][0].pop("share"), "leaks, idle, share: must be a formula"),
        (lambda d: d["leaks"][0].update(amount="x"), "leaks, idle, when: say either"),
        (lambda d: d["leaks"][-1].update(back="1"), "leaks, plateau, back: only for a leak in"),
        (lambda d: d["roles"].update(engineer=95), "roles, engineer: 95 is no id"),
        (lambda d: d.pop("roles"), "its keys must be roles, leaks and playbooks"),
    ],
)
def test_a_broken_rule_names_file_entry_and_field(change, told):
    lines = refused(change)
    assert any(told in line for line in lines), lines
    assert all(line.startswith("file.yml") for line in lines)


def test_all_faults_are_told_at_once():
    def change(data):
        data["playbooks"][0].pop("title")
        data["playbooks"][4]["exit"]["rows"] = "all"
        data["leaks"][2]["share"] = "1 +"

    lines = refused(change)
    assert [any(x in line for line in lines) for x in ("title", "rows", "share")] == [True] * 3


def test_a_key_that_stands_twice_is_no_playbook():
    with pytest.raises(Problem, match="stands twice"):
        playbooks.read("roles: {}\nroles: {}\n")


# ---- what it names is there


def commands() -> list[tuple[str, str]]:
    return [(p["id"], step["run"]) for p in RAW["playbooks"] for step in p["steps"]]


@functools.cache
def helped(*words: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        cli.main([*words, "--help"])
    return out.getvalue()


@pytest.mark.parametrize(("name", "run"), commands())
def test_what_a_step_runs_exists(name, run):
    if not run.startswith("python "):
        assert (paths.root() / run).is_file()
        return
    python, module, program, word, *rest = shlex.split(run)
    assert (python, module, program) == ("python", "-m", "synthecon")
    assert f"    {word} " in helped()
    text = helped(word)
    assert f" {word} " in text.splitlines()[0], "the command has help of its own"
    for option in (x for x in rest if x.startswith("-")):
        assert re.search(rf"(^|[\s\[]){re.escape(option)}\b", text), option
    if word == "run":
        given = dict(x.split("=") for x in rest[2::2])
        [notebook] = [n for n in notebooks.names() if n.endswith(f"/{rest[0]}")]
        expected = notebooks.expected(notebook, "cpu", "")
        for key, value in given.items():
            wanted = type(expected[key])
            assert value == MADE if wanted is str else wanted(value) or True
    if word == "trace":
        every = ledger.read_book(paths.root() / "case" / "ledger.csv")
        assert rest[0] in {*every.rows, *every.derived, "npv.base"}
    if "--playbook" in rest:
        assert rest[rest.index("--playbook") + 1] == name


@pytest.fixture(scope="module", params=CASES)
def told(request):
    return known.read(paths.root() / request.param)


def test_every_row_that_a_playbook_names_is_in_the_ledger(told, shelf):
    every = {*told.book.rows, *told.book.derived}
    named = set(shelf.roles.values())
    for p in shelf.playbooks:
        named |= {p.trigger.threshold, p.exit.threshold, *p.exit.rows}
        assert p.trigger.threshold == f"playbook.{p.id}.threshold"
    assert named <= every, named - every
    own = {n for n in every if n.startswith("playbook.")}
    used = named | {n for p in shelf.playbooks for n in _names(p)}
    assert own <= used, "a row that no playbook uses"
    for name in own & told.book.rows.keys():
        row = told.book.rows[name]
        assert row.unit and row.source and row.owner


def _names(playbook):
    for limit in (playbook.trigger, playbook.exit):
        yield from playbooks.formula.names(limit.metric)


def test_a_price_is_hours_times_rates(told, shelf):
    by_hand = {"engineer": 95.0, "finance": 80.0}
    rates = {shelf.roles[role]: rate for role, rate in by_hand.items()}
    tco = shelf.find("tco")
    price = playbooks.price(tco, shelf.roles, rates)
    assert [s.owner for s in tco.steps] == ["finance", "finance", "engineer"]
    assert price.steps == (24 * 80, 10 * 80, 40 * 95)
    assert (price.cost, price.hours, price.days) == (24 * 80 + 10 * 80 + 40 * 95, 74, 27)
    for p in shelf.playbooks:
        assert playbooks.price(p, shelf.roles, told.values).cost > 0


def test_no_such_playbook(shelf):
    with pytest.raises(Problem, match="did you mean noise"):
        shelf.find("noize")


# ---- the wall


def test_the_vault_stands_above_and_nothing_rests_on_it():
    source = paths.root() / "src" / "synthecon"
    for room in ("physics", "economics", "strategy"):
        for file in (source / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                else:
                    continue
                assert not any(n.startswith("synthecon.vault") for n in names), file
