"""Moat: metrics from a file that refuses what is wrong, and a ratio with its interval."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthecon import Problem, paths, stats
from synthecon.strategy import moat

COMPANIES = ["case", "case-tannhof"]
SOURCE = paths.root() / "case" / "metrics.csv"


def interval(value, half, level=0.95):
    return stats.Interval(value, value - half, value + half, level, 8, "planted")


@pytest.mark.parametrize("company", COMPANIES)
def test_the_metrics_of_a_case_are_computed_in_order(company):
    found = moat.read(paths.root() / company / "metrics.csv")
    assert list(found)[: len(moat.NEEDED)] == list(moat.NEEDED)
    assert found["metric.generation-ip"].kinds == ("measured",)


def test_a_metric_is_its_formula():
    found = moat.read(SOURCE)["metric.adoption"]
    assert found.inputs == ("teams.using", "teams.all")
    assert found.value == 0
    assert not found.met and found.better == "above"


@pytest.mark.parametrize(("old", "mix"), [(10.0, 30.0), (30.0, 10.0)])
def test_what_is_ours_is_measured_against_the_strongest_rival(old, mix):
    def find(name):
        gains = {"matched": 40.0, "source-generator": old, "generalist": mix}
        return None, SimpleNamespace(value=gains[name.split("#gain.")[1]], unit="points")

    assert moat.read(SOURCE, find)["metric.generation-ip"].value == pytest.approx(0.25)


@pytest.mark.parametrize("company", COMPANIES)
def test_what_nobody_has_done_yet_counts_as_zero(company):
    found = moat.read(paths.root() / company / "metrics.csv")
    for name in ("metric.generation-throughput", "metric.adoption"):
        assert found[name].value == 0 and not found[name].met


@pytest.mark.parametrize(
    ("value", "better", "met"),
    [(2, "above", True), (1, "above", False), (2, "below", False), (1, "below", True),
     (1.5, "above", True), (1.5, "below", True)],
)  # fmt: skip
def test_a_target_is_met_from_its_side(value, better, met):
    m = moat.Metric("m", "M", value, "share", 1.5, better, "", "", (), (), "x")
    assert m.met is met


def changed(tmp_path, old, new):
    text = SOURCE.read_text(encoding="utf-8")
    assert text.count(old) == 1, "adapt this test to the file"
    path = tmp_path / "metrics.csv"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\nmetric.adoption,", "\nmetric.adopted,", "there is no row 'metric.adoption'"),
        ("teams.using / teams.all", "teams.using / teams.every", "source: there is no input"),
        ("deployments / deployment.months", "deployments * deployment.months", "unit: "),
        ("images.accepted / machine.hours", "images.accepted /", "source: "),
        ("machines made them,14,", "machines made them,many,", "value: 'many' is no finite"),
        ("\nteams.all,Teams that could,12,", "\nteams.all,Teams that could,0,", "divides by zero"),
        ("\nteams.all,Teams that could,12,", "\nteams.all,Teams that could,,", "value: empty"),
        ("\nteams.all,Teams that could,", "\nteams.using,Teams that could,", "already on line"),
        ("deployments/month,2,above", "deployments/month,2,more", "better: 'more'"),
        ("deployments/month,2,above", "deployments/month,,above", "target: empty"),
        ("bridging#gain.matched", "bridging#gain.mached", "source: .*gain.mached"),
        ("edge.own,Gain with a generator that knows our shift,,", "edge.own,Gain,62.3,",
         "value: must be empty, the row is measured"),
        ("edge.own,Gain with a generator that knows our shift,,points", "edge.own,Gain,,%",
         "source: is in 'points'"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_with_file_row_and_field(tmp_path, old, new, told):
    path = changed(tmp_path, old, new)
    with pytest.raises(Problem, match=told) as caught:
        moat.read(path)
    assert str(path) in str(caught.value)
    if "there is no row" not in told:
        assert ", line " in str(caught.value)


def test_all_wrong_rows_are_told_at_once(tmp_path):
    path = tmp_path / "metrics.csv"
    text = SOURCE.read_text(encoding="utf-8").replace(",above,", ",up,")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Problem) as caught:
        moat.read(path)
    assert str(caught.value).count("better: 'up'") == 5


def test_a_rivals_share_by_simulation():
    own, public = interval(60.0, 10.0), interval(20.0, 8.0)
    found = moat.rival_share(own, public)
    rng, z = np.random.default_rng(0), 1.959964
    ratio = rng.normal(20, 8 / z, 400_000) / rng.normal(60, 10 / z, 400_000)
    assert (found.low, found.high) == pytest.approx(np.quantile(ratio, [0.025, 0.975]), abs=0.004)
    assert found.value == pytest.approx(1 / 3)


@settings(max_examples=60)
@given(st.floats(1, 100), st.floats(-100, 100), st.floats(0, 0.9), st.floats(0.01, 30))
def test_a_share_at_an_end_is_just_compatible(own, public, part, other):
    """Fieller's ends: there, public − share · own is as far from zero as its own half-width."""
    half = part * own
    found = moat.rival_share(interval(own, half), interval(public, other))
    for end in (found.low, found.high):
        gap = (public - end * own) ** 2
        assert gap == pytest.approx(other**2 + end**2 * half**2, rel=1e-6, abs=1e-6)
    assert found.low <= found.value <= found.high


def test_who_is_as_good_has_no_moat():
    found = moat.rival_share(interval(10, 1), interval(10, 1))
    assert found.low < 1 < found.high


@pytest.mark.parametrize(
    ("own", "public"),
    [
        (interval(5, 6), interval(1, 1)),
        (interval(-5, 1), interval(1, 1)),
        (interval(5, 1, 0.9), interval(1, 1, 0.95)),
        (SimpleNamespace(value=5, low=None, high=None, level=None, n=None), interval(1, 1)),
    ],
)
def test_a_share_of_nothing_is_refused(own, public):
    with pytest.raises(ValueError):
        moat.rival_share(own, public)
