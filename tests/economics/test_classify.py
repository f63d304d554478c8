"""Rules place every line once; the money stays the same, whatever the rules say."""

from __future__ import annotations

import statistics
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthecon import Problem
from synthecon.economics import classify
from synthecon.economics.classify import Rule, parse

CLASSES = ("inference", "training", "feature_engineering", "redundant_features", "unclassified")


def rule(name, when, class_="inference", line="COGS"):
    return Rule(name, parse(when), class_, line, "")


@pytest.mark.parametrize(
    ("when", "matched"),
    [
        ("env = production", [True, False, False]),
        ("env = Production | dev", [True, True, False]),
        ("env != production", [False, True, True]),
        ("resource ~ ^vm-[12]$", [True, True, False]),
        ("env is empty", [False, False, True]),
        ("env is set and resource ~ VM", [True, True, False]),
        ("category = Nuts and Bolts | Compute and env is set", [True, True, False]),
        ("charge = Tax", [False, False, False]),
    ],
)
def test_conditions(read, when, matched):
    table = read(
        {"ResourceId": "vm-1", "ServiceCategory": "Nuts and Bolts"},
        {"ResourceId": "vm-2", "ServiceCategory": "Nuts and Bolts", "Tags": '{"env": "dev"}'},
        {"ResourceId": "db", "Tags": ""},
    ).table
    placed = classify.classify(table, [rule("r", when)])
    assert [r == "r" for r in placed["rule"].to_pylist()] == matched


@pytest.mark.parametrize(
    ("when", "complaint"),
    [
        ("environment = x", "unknown field 'environment'"),
        ("env production", "no condition"),
        ("env = ", "no condition"),
        ("env = a |", "nothing to compare"),
        ("env is red", "is empty or is set"),
        ("env ~ (", "no regular expression"),
    ],
)
def test_a_condition_that_is_none_is_refused(when, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse(when)


def test_the_first_rule_wins_and_the_rest_is_unclassified(read):
    table = read({}, {"Tags": '{"env": "dev"}'}, {"Tags": ""}).table
    rules = [
        rule("a", "env = production"),
        rule("b", "env is set", "training", "R&D"),
    ]
    placed = classify.classify(table, rules)
    assert placed["rule"].to_pylist() == ["a", "b", "unclassified"]
    assert placed["class"].to_pylist() == ["inference", "training", "unclassified"]
    assert placed["line"].to_pylist() == ["COGS", "R&D", "Unclassified"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["dev", "production", ""]), st.integers(-(10**8), 10**8), st.booleans()
        ),
        min_size=1,
        max_size=20,
    )
)
def test_classes_and_lines_always_add_up(read, rows):
    lines = read(
        *(
            {"Tags": f'{{"env": "{env}"}}' if tagged else "", "EffectiveCost": f"{cents / 100:.2f}"}
            for env, cents, tagged in rows
        )
    )
    placed = classify.classify(lines.table, [rule("a", "env = dev"), rule("b", "env is set")])
    for column in ("class", "line", "rule"):
        assert sum(classify.totals(placed, column).values()) == lines.total()
    assert sum(classify.totals(placed, "class", "month").values()) == lines.total()


def feature(name, source, team, job, cost):
    tags = f'{{"feature": "{name}", "source": "{source}", "team": "{team}", "job": "{job}"}}'
    return {"Tags": tags, "EffectiveCost": cost}


def test_all_but_the_dearest_computation_of_a_feature_is_redundant(read):
    table = read(
        feature("edges", "raw", "vision", "nightly", "30"),
        feature("edges", "raw", "vision", "nightly", "5"),
        feature("edges", "raw", "fraud", "edges-v2", "20"),
        feature("edges", "raw", "fraud", "edges-v3", "7"),
        feature("edges", "other", "fraud", "edges-v4", "50"),  # another source: its own feature
        feature("names", "raw", "fraud", "names", "9"),  # computed once
        {"Tags": "", "EffectiveCost": "1"},
    ).table
    placed = classify.classify(table, [rule("f", "feature is set", "feature_engineering", "R&D")])
    moved, features = classify.redundant(placed)
    (found,) = features
    assert (found.name, found.source, found.redundant) == ("edges", "raw", Decimal(27))
    assert list(found.costs.values()) == [Decimal(35), Decimal(20), Decimal(7)]
    total = classify.totals(moved, "class")
    assert total["redundant_features"] == 27 and total["feature_engineering"] == 94
    assert sum(total.values()) == sum(classify.totals(placed, "class").values())
    assert classify.totals(moved, "rule")[classify.REDUNDANT] == 27


WEIGHTS = st.dictionaries(
    st.sampled_from("abcdef"), st.decimals(0, 10**6, places=6), min_size=1, max_size=6
)


@given(st.decimals(-(10**7), 10**7, places=9), WEIGHTS)
def test_an_allocation_is_exact_and_near_to_proportional(amount, weights):
    parts = classify.allocate(amount, weights)
    assert sum(parts.values()) == amount and parts.keys() == weights.keys()
    whole = sum(weights.values())
    for key, part in parts.items():
        share = weights[key] / whole if whole else Decimal(1) / len(weights)
        assert abs(part - amount * share) <= Decimal("0.00001")


def test_nobody_to_allocate_to():
    with pytest.raises(ValueError, match="nobody"):
        classify.allocate(Decimal(1), {})


def test_hampel_by_hand_and_blind_to_the_outlier_itself():
    values = [10.0, 11.0, 9.0, 10.0, 100.0, 11.0, 9.0, 10.0, 10.0]
    ((index, usual, score),) = classify.hampel(values, 4, 8.0)
    assert (index, usual) == (4, statistics.median(values))
    spread = 1.4826 * statistics.median(abs(v - usual) for v in values)
    assert score == pytest.approx((100 - usual) / spread)


@given(st.lists(st.floats(1, 1e6), min_size=3, max_size=60), st.integers(1, 20))
def test_the_window_statistics_are_those_of_the_standard_library(values, window):
    for i, usual, score in classify.hampel(values, window, 3.0):
        near = values[max(0, i - window) : i + window + 1]
        assert usual == pytest.approx(statistics.median(near))
        assert values[i] > usual and score > 3.0


def test_a_flat_series_has_no_spike():
    assert classify.hampel([5.0] * 30, 7, 3.0) == []
    assert classify.hampel([5.0] * 15 + [5.01] + [5.0] * 15, 7, 3.0) == []


HEAD = "id,when,class,line,why\n"


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("a,env = x,inferense,COGS,", r"row 1, class: 'inferense' is none of"),
        ("a,env = x,inference,Cogs,", r"row 1, line: 'Cogs' is none of"),
        ("a,envi = x,inference,COGS,", r"row 1, when: unknown field"),
        ("a,env = x,inference,COGS,\na,env = y,inference,COGS,", r"row 2, id: 'a'"),
        ("unclassified,env = x,inference,COGS,", r"row 1, id"),
        ("a,env = x,inference", r"row 1: another number of fields"),
    ],
)
def test_wrong_rules_are_named_by_row(tmp_path, row, complaint):
    path = tmp_path / "rules.csv"
    path.write_text(HEAD + row + "\n")
    with pytest.raises(Problem, match=complaint):
        classify.read_rules(path, CLASSES)


def test_all_faults_of_the_rules_are_named_at_once(tmp_path):
    path = tmp_path / "rules.csv"
    path.write_text(HEAD + "a,x = y,inference,COGS,\nb,env = x,nothing,nowhere,\n")
    with pytest.raises(Problem) as told:
        classify.read_rules(path, CLASSES)
    assert len(str(told.value).splitlines()) == 3
