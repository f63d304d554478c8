"""Adoption: planted curves found, SciPy's fit as the oracle, forecasts that hold what comes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize

from synthecon import Problem, paths
from synthecon.economics import model as models
from synthecon.economics import tco
from synthecon.strategy import adoption, buyin, choices, debt

T = np.arange(1.0, 19)
HEAD = "month,teams,could,practice,source_type,source,as_of,owner,note\n"


def test_bass_solves_its_own_equation():
    p, q = 0.03, 0.4
    found = integrate.solve_ivp(
        lambda _, f: (p + q * f) * (1 - f), (0, 18), [0.0], t_eval=T, rtol=1e-9, atol=1e-10
    )
    assert adoption.share("bass", T, p, q) == pytest.approx(found.y[0], abs=1e-7)


def test_a_logistic_curve_is_half_way_at_its_half():
    assert adoption.share("logistic", np.array([9.0]), 0.5, 9.0) == pytest.approx([0.5])


@settings(max_examples=15, deadline=None)
@example(0.068359375, 0.1015625)  # a long valley, where a coarse grid goes astray
@given(st.floats(0.01, 0.1), st.floats(0.1, 0.8))
def test_a_planted_bass_curve_is_found(p, q):
    exact = 40 * adoption.share("bass", T, p, q)
    found = adoption.fit(T, exact, 40)
    assert (found.first, found.second) == pytest.approx((p, q), rel=2e-3)


@pytest.mark.parametrize(
    ("curve", "start", "limits"),
    [
        ("bass", (0.03, 0.3), ((1e-3, 1e-3), (0.5, 2))),
        ("logistic", (0.3, 9), ((0.01, 0.1), (3, 120))),
    ],
)  # fmt: skip
def test_scipy_fits_the_same_curve(curve, start, limits):
    seen = np.array([1, 1, 2, 3, 3, 5, 6, 8, 9, 10, 10, 11, 11, 12.0])
    t = np.arange(1.0, 15)
    found = adoption.fit(t, seen, 14, curve)
    theirs, _ = optimize.curve_fit(
        lambda t, a, b: 14 * adoption.share(curve, t, a, b), t, seen, start, bounds=limits
    )
    assert (found.first, found.second) == pytest.approx(tuple(theirs), rel=1e-3)
    assert found.rss == pytest.approx(((found.at(t) - seen) ** 2).sum())


@pytest.mark.parametrize(
    "adopted", [[1, 2], [1, 3, 2], [1, 2, 9], [-1, 0, 1]], ids=["two", "falls", "above", "negative"]
)
def test_what_is_no_adoption_is_refused(adopted):
    with pytest.raises(ValueError):
        adoption.fit(np.arange(1.0, len(adopted) + 1), np.array(adopted), 8)


def test_simulated_teams_follow_the_curve_on_average():
    found = adoption.Fit("bass", 20, 0.03, 0.3, 0.0)
    made = adoption.simulate(found, T, 4000, np.random.default_rng(0))
    assert made.mean(0) == pytest.approx(found.at(T), abs=0.3)
    assert np.all(np.diff(made, axis=1) >= 0) and made.max() <= 20


def test_a_forecast_holds_what_comes_as_often_as_it_says():
    truth, early, late = adoption.Fit("bass", 12, 0.05, 0.3, 0.0), T[:9], np.array([6.0, 12, 18])
    rng = np.random.default_rng(2)
    inside = []
    for trial in range(30):
        seen = adoption.simulate(truth, early, 1, rng)[0]
        comes = adoption.simulate(truth, late, 1, rng)[0]
        found = adoption.forecast(
            adoption.fit(early, seen, 12), early, late, draws=60, level=0.9, seed=trial
        )
        inside += [(found.low <= comes) & (comes <= found.high)]
    assert 0.83 < np.mean(inside) <= 1


def test_a_forecast_is_for_the_teams_of_this_time():
    found = adoption.Fit("bass", 14, 0.03, 0.3, 0.0)
    ahead = adoption.forecast(found, T, np.arange(1.0, 60), teams=4, draws=80)
    assert ahead.middle[-1] == pytest.approx(4, abs=0.01) and ahead.draws.max() == 4
    assert np.all(ahead.low <= ahead.high)
    again = adoption.forecast(found, T, np.arange(1.0, 60), teams=4, draws=80)
    assert np.array_equal(ahead.draws, again.draws)


def test_when_a_number_is_reached():
    draws = np.array([[0, 1, 3], [0, 0, 1]])
    t = np.array([1.0, 2, 3])
    nothing = np.zeros(3)
    found = adoption.Forecast(t, nothing, nothing, nothing, draws, nothing, nothing, 0.9)
    assert found.reached(2).tolist() == [3, np.inf]
    assert found.reached(1).tolist() == [2, 3]


# -- What late teams cost -------------------------------------------------------------------------


def planted(p, q):
    """A forecast of one curve."""
    nothing = np.zeros(3)
    one = (np.array([p]), np.array([q]))
    return adoption.Forecast(nothing, nothing, nothing, nothing, nothing, *one, 0.9)


@pytest.fixture(scope="module", params=[choices.WHOLE, choices.LEAN])
def option(request):
    m = models.load(paths.root() / "case")
    return choices.options(m)[request.param], m.draw(64, 1)


def test_teams_that_come_at_once_lose_next_to_nothing(option):
    m, drawn = option
    at_once, never = planted(1e9, 1.0), planted(1e-9, 1e-9)
    every = choices.result(m, drawn).careful
    assert adoption.late(m, drawn, at_once) == pytest.approx(np.zeros(64), abs=1e-6)
    mean, chance = adoption.adoption_stress(m, drawn, at_once)
    assert (mean, chance) == (pytest.approx(every.mean()), np.mean(every > 0))
    assert adoption.adoption_stress(m, drawn, never)[0] < mean


def test_teams_that_never_come_leave_the_benefit_of_inference(option):
    m, drawn = option
    # By another way: what each item pays, with no benefit of labels, data and retraining kept.
    lost = adoption.late(m, drawn, planted(1e-9, 1e-9))
    by_id = {i.id: i for i in m.items}
    gone = 0.0
    for key in ("labelling", "scarcity", "retraining"):
        subject = debt.SUBJECTS[key]
        spent, after = (
            tco.flows([by_id[n] for n in names if n in by_id and by_id[n].scenario == (way,)],
                      m.fill(drawn), m.months)
            for names, way in ((subject.spent, "status-quo"), (subject.after, "pipeline"))
        )  # fmt: skip
        gone = gone + np.maximum(spent - after, 0.0)
    gone = gone * (np.arange(m.months + 1) > drawn["time.student"][:, None])
    tax = drawn["finance.tax"]
    worth = tco.present(gone * (1 - np.broadcast_to(tax, 64))[:, None], drawn["finance.wacc"])
    assert lost == pytest.approx(worth, rel=1e-6)


def test_the_slower_the_teams_the_more_is_lost(option):
    m, drawn = option
    lost = [adoption.late(m, drawn, planted(p, 0.3)) for p in (0.3, 0.1, 0.03)]
    assert np.all(lost[0] <= lost[1]) and np.all(lost[1] <= lost[2]) and np.all(lost[0] > 0)


def test_nobody_adopts_before_the_start():
    found = adoption.uptake(planted(0.1, 0.3), np.array([4.0, 2.5]), 6, np.array([0, 7]))
    wanted = adoption.share("bass", np.array([0.5, 1.5, 2.5, 3.5]), 0.1, 0.3)
    assert np.all(found[0, :5] == 0) and found[1, 3:] == pytest.approx(wanted)


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_a_company_forecasts_from_its_own_practice(company):
    m = models.load(paths.root() / company)
    found = adoption.ahead(m, draws=20, seed=3)
    assert found.t[-1] == m.months and found.draws.max() <= m.rows["adoption.teams"].base
    assert found.middle == pytest.approx(np.median(found.draws, axis=0))


def test_a_company_without_such_a_record_has_no_forecast(tmp_path):
    m = models.load(paths.root() / "case")
    assert adoption.ahead(dataclasses.replace(m, folder=tmp_path)) is None


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_counts_of_a_case_are_read(company):
    t, teams, could = adoption.read(paths.root() / company / "adoption.csv")
    assert t[0] == 1 and np.all(np.diff(t) == 1) and np.all(np.diff(teams) >= 0)
    assert adoption.fit(t, teams, could).teams == could


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("1,1,9,x,expert,s,d,o,\n2,0,9,x,expert,s,d,o,\n", "line 3, teams: 0 after 1"),
        ("1,1,9,x,expert,s,d,o,\n1,1,9,x,expert,s,d,o,\n", "line 3, month: 1 after 1"),
        ("1,1,9,x,expert,s,d,o,\n2,1,8,x,expert,s,d,o,\n", "line 3, could: 8 after 9"),
        ("1,4,3,x,expert,s,d,o,\n", "line 2, teams: more than the 3 that could"),
        ("1,one,9,x,expert,s,d,o,\n", "line 2, teams: 'one' is no whole number"),
        ("1,1,9,x,rumour,s,d,o,\n", "line 2, source_type: 'rumour'"),
        ("1,1,9,x,expert,,d,o,\n", "line 2, source: empty"),
        ("1,1,9,x,expert,s,d,o,\n", "1 months; a curve"),
    ],
)
def test_wrong_counts_are_refused_with_file_and_line(tmp_path, lines, told):
    path = tmp_path / "adoption.csv"
    path.write_text(HEAD + lines, encoding="utf-8")
    with pytest.raises(Problem, match=told):
        adoption.read(path)


# -- Buy-in ---------------------------------------------------------------------------------------

PEOPLE = ",".join(buyin.COLUMNS) + "\n"
REAL = "cpu/lesson-1-physics/privacy#"


def plan(tmp_path, *lines):
    path = tmp_path / "stakeholders.csv"
    path.write_text(PEOPLE + "\n".join(lines) + "\n", encoding="utf-8")
    return buyin.read(path, {})


def test_an_objection_is_met_with_what_the_record_says(tmp_path):
    claim, number, nothing = plan(
        tmp_path,
        f"a,A,x,o,conceded,{REAL}inherent-privacy,s,w,1",
        f"b,B,x,o,answered,{REAL}auc.synthetic-kde,s,w,2",
        "c,C,x,o,open,,s,w,3",
    )
    assert claim.says == ("Synthetic data has inherent privacy properties: fails",)
    assert number.says[0].endswith("AUC") and "1 (1 to 1)" in number.says[0]
    assert nothing.says == (buyin.NOTHING,) and nothing.evidence == ()


def test_the_plan_is_in_the_order_of_its_months(tmp_path):
    found = plan(tmp_path, "a,A,x,o,open,,s,w,12", "b,B,x,o,open,,s,w,2")
    assert [e.id for e in found] == ["b", "a"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a,A,x,o,answered,,s,w,1", "line 2, evidence: answered by nothing"),
        (f"a,A,x,o,open,{REAL}auc.teacher,s,w,1", "line 2, evidence: the objection is open"),
        ("a,A,x,o,shouted,,s,w,1", "line 2, reply: 'shouted'"),
        (
            f"a,A,x,o,answered,{REAL}nothing,s,w,1",
            "line 2, evidence: .*unknown measurement nothing",
        ),
        ("a,A,x,o,answered,cpu/none#x,s,w,1", "line 2, evidence: there is no record"),
        ("a,A,x,o,answered,no.row,s,w,1", "line 2, evidence: the ledger has no row 'no.row'"),
        ("a,A,x,o,open,,s,w,soon", "line 2, by: 'soon'"),
        ("a,A,x,,open,,s,w,1", "line 2, objection: empty"),
    ],
)
def test_a_plan_that_hides_something_is_refused(tmp_path, line, told):
    with pytest.raises(Problem, match=told):
        plan(tmp_path, line)


@pytest.mark.parametrize("company", ["case", "case-tannhof"])
def test_the_plan_of_a_case_finds_its_evidence(company):
    from synthecon.economics import ledger

    folder = paths.root() / company
    found = buyin.read(folder / "stakeholders.csv", ledger.read(folder / "ledger.csv"))
    assert {e.reply for e in found} == set(buyin.REPLIES)
