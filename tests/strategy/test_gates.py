"""Gates: what is good passes, and each way of not being good blocks with its reason."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthecon import Problem, paths, stats
from synthecon.strategy import gates

CASE = paths.root() / "case"
GATES = gates.read_gates(CASE / "gates.csv")
LINEAGE = dict.fromkeys(gates.LINEAGE, "known")


def interval(value, half):
    return stats.Interval(value, value - half, value + half, 0.95, 9, "planted")


GOOD = {
    "gain": interval(3, 1),
    "worst-class": interval(0, 2),
    "closed": interval(80, 5),
    "auc": interval(0.51, 0.02),
    "outliers": interval(0.5, 0.03),
}


def data(state="draft", evidence=None, **lineage):
    return gates.DataSet("d", "D", state, LINEAGE | lineage, evidence or {})


def asked(measured=GOOD, **lineage):
    return gates.examine(data(**lineage), GATES, measured=measured)


def failed(findings):
    return {f.gate.measure: f.reason for f in findings if not f.passed}


def test_a_good_data_set_goes_all_the_way():
    found = asked()
    assert failed(found) == {} and gates.furthest(found) == "released"
    now = gates.advance(data(), "validated", found)
    now = gates.advance(now, "released", found)
    assert gates.advance(now, "retired", []).state == "retired"


@pytest.mark.parametrize(
    ("measure", "value", "told"),
    [
        ("gain", interval(-1, 0.5), "wrong side"),
        ("gain", interval(0.2, 0.5), "not shown"),
        ("closed", interval(49, 3), "not shown"),
        ("auc", interval(0.9, 0.01), "wrong side"),
        ("outliers", interval(0.54, 0.03), "not shown"),
        ("worst-class", interval(-9, 1), "wrong side"),
    ],
)
def test_each_gate_blocks_on_the_whole_interval(measure, value, told):
    found = asked(GOOD | {measure: value})
    assert list(failed(found)) == [measure] and told in failed(found)[measure]


@given(st.floats(0.3, 0.9), st.floats(0.001, 0.2))
def test_privacy_passes_only_wholly_below_its_limit(auc, half):
    blocked = "auc" in failed(asked(GOOD | {"auc": interval(auc, half)}))
    assert blocked == (auc + half >= 0.55)


def test_what_nobody_measured_blocks():
    found = asked({k: v for k, v in GOOD.items() if k != "auc"})
    assert failed(found) == {"auc": "nobody measured it"}
    assert gates.furthest(found) == "validated"


def test_a_number_without_an_interval_blocks():
    bare = SimpleNamespace(value=0.5, low=None, high=None)
    assert "without an interval" in failed(asked(GOOD | {"auc": bare}))["auc"]


@pytest.mark.parametrize("field", gates.LINEAGE)
def test_without_lineage_nothing_is_validated(field):
    found = asked(**{field: ""})
    assert failed(found) == {field: "nobody wrote it down"}
    with pytest.raises(Problem, match="lineage"):
        gates.advance(data(), "validated", found)


def with_record(stale, unit="AUC", **options):
    measurement = SimpleNamespace(value=0.51, low=0.5, high=0.52, unit=unit)
    return gates.examine(
        data(evidence={"auc": "cpu/x/y#z"}), GATES,
        measured={k: v for k, v in GOOD.items() if k != "auc"},
        find=lambda name: ("the record", measurement), stale=stale, **options,
    )  # fmt: skip


def test_a_stale_record_blocks():
    found = with_record(lambda record, data: ["module attack changed"])
    assert failed(found) == {"auc": "the record is stale: module attack changed"}
    assert failed(with_record(lambda record, data: [])) == {}
    assert failed(with_record(lambda record, data: ["changed"], fresh=False)) == {}


def test_a_measurement_in_another_unit_blocks():
    assert failed(with_record(lambda record, data: [], unit="%")) == {
        "auc": "measured in %, the gate is in AUC"
    }


def test_a_record_that_is_not_there_blocks():
    found = gates.examine(data(evidence={"auc": "cpu/lesson-1-physics/privacy#auc.none"}), GATES)
    assert "auc.none" in failed(found)["auc"]


@pytest.mark.parametrize(
    ("state", "to"),
    [
        ("draft", "released"), ("draft", "draft"), ("released", "draft"),
        ("released", "validated"), ("retired", "draft"), ("retired", "released"),
    ],
)  # fmt: skip
def test_a_move_that_the_life_cycle_does_not_know(state, to):
    with pytest.raises(Problem, match="may go to"):
        gates.advance(data(state), to, asked())


def test_release_needs_the_gates_of_both_states():
    only_private = asked(GOOD | {"gain": interval(-1, 0.5)})
    with pytest.raises(Problem, match="quality, Points"):
        gates.advance(data("validated"), "released", only_private)


def test_no_question_is_no_pass():
    with pytest.raises(Problem, match="no gate of quality, shift, privacy, lineage"):
        gates.advance(data(), "validated", [])
    some = [f for f in asked() if f.gate.kind != "privacy"]
    with pytest.raises(Problem, match="no gate of privacy"):
        gates.advance(data("validated"), "released", some)


def test_findings_about_another_data_set_do_not_count():
    other = gates.DataSet("other", "O", "draft", LINEAGE, {})
    with pytest.raises(Problem, match="d: these findings are about other"):
        gates.advance(data(), "validated", gates.examine(other, GATES, measured=GOOD))


def test_sending_back_and_retiring_need_no_gate():
    assert gates.advance(data("validated"), "draft", []).state == "draft"
    assert gates.advance(data("draft"), "retired", []).state == "retired"


@pytest.mark.parametrize(
    ("state", "measured", "wanted"),
    [
        ("validated", GOOD | {"gain": interval(-1, 0.5)}, "draft"),
        ("validated", GOOD | {"auc": interval(0.9, 0.1)}, "validated"),
        ("released", GOOD | {"auc": interval(0.9, 0.1)}, "retired"),
        ("released", GOOD, "released"),
        ("retired", {}, "retired"),
        ("draft", {}, "draft"),
    ],
)
def test_what_fails_later_goes_back_or_is_retired(state, measured, wanted):
    assert gates.due(data(state), asked(measured)) == wanted


# -- Lesson 1's own generators --------------------------------------------------------------------


def own(company="case"):
    folder = paths.root() / company
    table = gates.read_gates(folder / "gates.csv")
    sets = gates.read_datasets(folder / "datasets.csv", table)
    return {k: gates.examine(d, table, fresh=False) for k, d in sets.items()}


@pytest.mark.parametrize("name", ["digits-mixture", "digits-kde"])
def test_samples_of_the_generators_fail_at_privacy(name):
    found = {f.gate.measure: f for f in own()[name]}
    for measure in ("auc", "outliers"):
        assert found[measure].reason.startswith("wrong side"), measure
        assert found[measure].evidence.startswith("cpu/lesson-1-physics/privacy#")


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_none_of_our_own_data_sets_may_be_released(company):
    found = {k: gates.furthest(f) for k, f in own(company).items()}
    assert "released" not in found.values()
    assert found["digits-matched"] == "validated"


def test_good_numbers_without_papers_do_not_pass():
    found = own()["digits-bought"]
    assert {f.gate.measure for f in found if f.gate.kind == "quality" and f.passed} == {"gain"}
    assert gates.furthest(found) == "draft"


# -- Files ----------------------------------------------------------------------------------------


def edited(tmp_path, name, old, new):
    text = (CASE / name).read_text(encoding="utf-8")
    assert old in text, "adapt this test to the file"
    path = tmp_path / name
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\nquality,gain,", "\nquantity,gain,", "line 2, gate: 'quantity'"),
        (",below,0.55,", ",under,0.55,", "line 5, better: 'under'"),
        (",below,0.55,", ",below,low,", "line 5, threshold: 'low'"),
        (",below,0.55,", ",below,,", "line 5, threshold: empty"),
        (",AUC,released", ",AUC,printed", "line 5, state: 'printed'"),
        ("\nlineage,made,", "\nlineage,colour,", "line 11, measure: 'colour'"),
        ("\nlineage,made,", "\nlineage,owner,", "line 11, measure: 'owner' has a row already"),
        ("\nshift,closed,", "\nquality,closed,", "no gate of shift"),
    ],
)
def test_wrong_thresholds_are_refused(tmp_path, old, new, told):
    with pytest.raises(Problem, match=told):
        gates.read_gates(edited(tmp_path, "gates.csv", old, new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Gaussians,draft,", "Gaussians,done,", "line 2, state: 'done'"),
        ("\ndigits-kde,", "\ndigits-mixture,", "line 3, id: 'digits-mixture' is there already"),
        ("gain=cpu", "beauty=cpu", "line 2, evidence: no gate looks at 'beauty'"),
        ("gain=cpu/lesson-1-physics/synthetic-worth#", "gain=", "line 2, evidence: .*write gain="),
    ],
)
def test_a_wrong_register_is_refused(tmp_path, old, new, told):
    with pytest.raises(Problem, match=told):
        gates.read_datasets(edited(tmp_path, "datasets.csv", old, new), GATES)
