"""What the ranges mean for the result, against SciPy's distributions and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from synthecon.economics import uncertain
from synthecon.economics.assumption import Assumption


def row(name, low, base, high, *, law="pert", group=""):
    return Assumption(name, low, base, high, "share", law, group)


LEDGER = {
    r.id: r
    for r in (
        row("volume", 80, 100, 140),
        row("price", 1, 2, 4, group="prices:0.6"),
        row("wage", 40, 50, 80, group="prices:0.6"),
        row("hours", 1, 2, 6, law="triangular"),
        row("build", 5, 10, 30, law="lognormal"),
        row("inflation", 0.0, 0.03, 0.06, law="uniform"),
        row("fee", 30, 30, 30, law="fixed"),
    )
}
BASE = {k: r.base for k, r in LEDGER.items()}


def model(v):
    return (1 + v["inflation"]) * v["volume"] * v["price"] - v["wage"] * v["hours"] - 9 * v["build"]


@pytest.mark.parametrize("law", ["pert", "triangular", "uniform"])
def test_quantiles_are_those_of_the_distribution(law):
    u = np.linspace(0.001, 0.999, 999)
    found = uncertain.quantile(row("x", 1.0, 3.0, 9.0, law=law))(u)
    exact = {
        "pert": stats.beta(2, 4, 1, 8),
        "triangular": stats.triang(0.25, 1, 8),
        "uniform": stats.uniform(1, 8),
    }[law].ppf(u)
    assert found == pytest.approx(exact, abs=2e-4)


@pytest.mark.parametrize("law", ["normal", "lognormal"])
def test_each_side_of_the_median_has_its_own_spread(law):
    quantile = uncertain.quantile(row("x", 1.0, 3.0, 27.0, law=law))
    assert quantile(np.array([0.025, 0.5, 0.975])) == pytest.approx([1, 3, 27])
    z = stats.norm.ppf(0.975)
    for u, end in ((0.2, 1.0), (0.9, 27.0)):
        if law == "normal":
            exact = stats.norm(3, abs(end - 3) / z)
        else:
            exact = stats.lognorm(abs(np.log(end / 3)) / z, scale=3)
        assert float(quantile(np.array([u]))[0]) == pytest.approx(exact.ppf(u))


def test_medians_and_means_of_a_draw():
    laws = ("pert", "triangular", "uniform", "normal", "lognormal")
    rows = {law: row(law, 1.0, 3.0, 9.0, law=law) for law in laws}
    drawn = uncertain.draw(rows, 8192, seed=5)
    sigma = 1 / stats.norm.ppf(0.975)
    half = np.sqrt(2 / np.pi) / 2  # mean of the positive half of a normal, times its probability
    exact = {
        "pert": (22 / 6, stats.beta(2, 4, 1, 8).median()),
        "triangular": (13 / 3, stats.triang(0.25, 1, 8).median()),
        "uniform": (5, 5),
        "normal": (3 + half * (6 - 2) * sigma, 3),
        "lognormal": (
            sum(
                3 * np.exp(s**2 / 2) * stats.norm.cdf(sign * s)
                for s, sign in ((np.log(3) * sigma, 1), (np.log(3) * sigma, -1))
            ),
            3,
        ),
    }
    for law, (mean, median) in exact.items():
        assert drawn[law].mean() == pytest.approx(mean, rel=2e-3), law
        assert np.median(drawn[law]) == pytest.approx(median, rel=2e-3), law


def test_a_row_that_cannot_move_stays_at_its_base():
    for law in ("fixed", "pert", "normal", "lognormal"):
        assert uncertain.quantile(row("x", 2, 2, 2, law=law))(np.array([0.1, 0.9])).tolist() == [
            2,
            2,
        ]
    with pytest.raises(ValueError, match="x: unknown distribution 'gauss'"):
        uncertain.law(row("x", 1, 2, 3, law="gauss"))


def test_rows_of_a_group_move_together_and_others_do_not():
    values = uncertain.draw(LEDGER, 4096, seed=1)
    scores = stats.spearmanr(np.stack([values[k] for k in ("price", "wage", "hours")], 1)).statistic
    assert scores[0, 1] == pytest.approx(6 / np.pi * np.arcsin(0.6 / 2), abs=0.02)
    assert abs(scores[0, 2]) < 0.02 and abs(scores[1, 2]) < 0.02
    assert np.all(values["fee"] == 30)
    for k, r in LEDGER.items():
        if r.distribution != "lognormal":
            assert values[k].min() >= r.low and values[k].max() <= r.high


def test_the_same_seed_draws_the_same_and_a_fixed_row_changes_nothing():
    values = uncertain.draw(LEDGER, 1000, seed=1)
    again = uncertain.draw({"new": row("new", 7, 7, 7, law="fixed")} | LEDGER, 1000, seed=1)
    assert all(np.array_equal(values[k], again[k]) for k in values)
    other = uncertain.draw(LEDGER, 1000, seed=2)
    assert not np.array_equal(values["price"], other["price"])
    assert {v.shape for v in values.values()} == {(1000,)}


def test_the_tornado_is_one_at_a_time():
    swings = uncertain.tornado(model, LEDGER)
    assert [s.width for s in swings] == sorted((s.width for s in swings), reverse=True)
    assert {s.id for s in swings} == set(LEDGER) - {"fee"}
    for s in swings:
        for end, result in ((LEDGER[s.id].low, s.low), (LEDGER[s.id].high, s.high)):
            assert float(model(BASE | {s.id: end})) == pytest.approx(result)


def test_at_its_break_even_an_assumption_makes_nothing():
    found = {n: uncertain.break_even(model, LEDGER, n) for n in ("price", "wage", "volume", "fee")}
    assert any(v is not None for v in found.values())
    for name, value in found.items():
        if value is None:
            ends = [float(model(BASE | {name: v})) for v in (LEDGER[name].low, LEDGER[name].high)]
            assert ends[0] * ends[1] > 0
        else:
            assert float(model(BASE | {name: value})) == pytest.approx(0, abs=1e-6)


def test_break_even_under_a_condition():
    rows = {r.id: r for r in (row("a", 0, 2, 9), row("b", 0, 3, 10), row("c", 1, 1, 1))}

    def line(v):
        return v["a"] - v["b"] * v["c"]

    assert uncertain.break_even(line, rows, "a") == pytest.approx(3)
    assert uncertain.break_even(line, rows, "a", {"b": 7.5}) == pytest.approx(7.5)
    scenarios = np.array([1.0, 2.0, 9.0])
    assert uncertain.break_even(line, rows, "a", {"b": scenarios}) == pytest.approx(4)
    assert uncertain.break_even(line, rows, "a", {"b": 10.0, "c": 2.0}) is None
    drawn = uncertain.draw(rows, 64, seed=0)
    found = uncertain.break_even(line, rows, "a", drawn)
    assert found == pytest.approx(drawn["b"].mean())  # the drawn values of a itself do not count


def test_sobol_indices_of_a_sum_are_its_shares_of_variance():
    rows = {n: row(n, 0, w / 2, w, law="uniform") for n, w in (("a", 1.0), ("b", 2.0), ("c", 3.0))}
    found = uncertain.sobol(lambda v: v["a"] + v["b"] + v["c"], rows, log2n=12)
    for name, share in (("a", 1 / 14), ("b", 4 / 14), ("c", 9 / 14)):
        assert found[name] == (pytest.approx(share, abs=0.01), pytest.approx(share, abs=0.01))


def test_sobol_indices_of_a_product_of_normals():
    """Means 1 and 2, deviations 1: Var[xy] = 4 + 1 + 1, of which 4 is x alone and 1 is y alone."""
    z = stats.norm.ppf(0.975)
    rows = {n: row(n, m - z, m, m + z, law="normal") for n, m in (("x", 1.0), ("y", 2.0))}
    found = uncertain.sobol(lambda v: v["x"] * v["y"], rows, log2n=13)
    assert found["x"] == (pytest.approx(4 / 6, abs=0.02), pytest.approx(5 / 6, abs=0.02))
    assert found["y"] == (pytest.approx(1 / 6, abs=0.02), pytest.approx(2 / 6, abs=0.02))


def test_rows_of_a_group_have_one_index():
    found = uncertain.sobol(model, LEDGER, log2n=8)
    assert "prices" in found and "price" not in found and "fee" not in found


def test_perfect_information_of_a_normal_result():
    results = stats.norm(1, 2).ppf((np.arange(20_000) + 0.5) / 20_000)
    exact = stats.norm.cdf(0.5) * 1 + 2 * stats.norm.pdf(0.5) - 1
    assert uncertain.perfect_information(results) == pytest.approx(exact, rel=1e-3)
    assert uncertain.perfect_information(np.array([1.0, 2.0])) == 0


def test_a_probability_knows_its_own_error():
    by_hand = uncertain.probability([np.array([1, 1, -1, 0]), np.array([1, 1, 1, -1])])
    half = stats.t.ppf(0.975, 1) * np.std([0.5, 0.75], ddof=1) / np.sqrt(2)
    assert (by_hand.value, by_hand.error) == (pytest.approx(0.625), pytest.approx(half))
    with pytest.raises(ValueError, match="two runs at least"):
        uncertain.probability([np.ones(4)])


def test_the_error_of_a_probability_holds_the_truth_and_shrinks():
    rows = {n: Assumption(n, -1, 0, 1, "share", "uniform") for n in "abc"}

    def runs(count):
        each = (uncertain.draw(rows, count, seed) for seed in range(8))
        return [v["a"] + v["b"] + v["c"] - 1 for v in each]

    truth = 1 / 6  # that the sum of three uniform numbers on [0, 1] is above 2
    few, many = (uncertain.probability(runs(count)) for count in (64, 4096))
    assert abs(few.value - truth) < 2 * few.error and abs(many.value - truth) < 2 * many.error
    assert many.error < few.error / 8  # plain Monte Carlo: exactly 8 on average
