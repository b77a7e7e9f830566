"""Balance and overlap as figures: what is shown, what is hidden, and what a release writes of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matching_cases import pupils

import leoreturns as lr
from leoreturns import plots
from leoreturns.disclosure.balances import merged_bins, protect_balance, protect_overlap
from leoreturns.disclosure.policy import POLICIES

BASE = POLICIES["ons-srs"]


@pytest.fixture(scope="module")
def matched() -> lr.Matched:
    frame = pupils(1_500, 3)
    # Of a rare region few are vocational; of another flag only four persons of an arm have it.
    frame.loc[frame.index[::100], "region"] = "E"
    frame["flag"] = 0
    frame.loc[frame.index[frame["route"] == "vocational"][:4], "flag"] = 1
    frame.loc[frame.index[frame["route"] == "academic"][:40], "flag"] = 1
    return lr.match(
        "route", "points + attendance + region + flag", frame, estimand="ATT", caliper=0.3, replace=False,
        person="person",
    )  # fmt: skip


def test_balance_counts_the_persons_off_the_most_frequent_value(matched: lr.Matched) -> None:
    balance, own = matched.balance(), matched.candidates
    at = balance.names.index("flag")
    flag = own.variables.panel.array("flag")[own.units.rows]
    for when, used in enumerate((np.ones(len(flag), dtype=bool), matched.weights != 0)):
        wanted = min(int(flag[used & (own.arms == arm)].sum()) for arm in (0, 1))
        assert balance.off_mode[at, when] == wanted
    assert balance.largest_share["vocational"] == pytest.approx(1 / matched.counts["vocational"]["matched"])
    assert balance.identified


def test_a_difference_of_few_persons_is_hidden(matched: lr.Matched) -> None:
    balance = matched.balance()
    table = protect_balance(balance, BASE)
    keys = pd.MultiIndex.from_arrays([key.values() for key in table.keys.values()])
    shown = pd.Series(table.numbers("standardised_difference"), index=keys)
    assert shown["flag"].isna().all()
    exact = balance.to_frame()
    for name in ("points", "attendance", "region::S"):
        for when in ("before", "after"):
            assert shown[name, when] == pytest.approx(exact.loc[name, (when, "smd")], abs=0.0051)
    assert set(table.columns["standardised_difference"].texts) >= {"c"}


@pytest.mark.parametrize(
    ("changes", "hidden"),
    [
        ({"persons": {"academic": 9, "vocational": 400}}, ("before", "after")),
        ({"effective": {"academic": 9.0, "vocational": 400.0}}, ("after",)),
        ({"largest_share": {"academic": 0.6, "vocational": 0.01}}, ("after",)),
    ],
)
def test_an_arm_that_is_worth_few_persons_hides_all(
    matched: lr.Matched, changes: dict[str, object], hidden: tuple[str, ...]
) -> None:
    balance = matched.balance()
    few = replace(balance, names=balance.names[:2], before=balance.before[:2], after=balance.after[:2],
                  off_mode=balance.off_mode[:2], **changes)  # fmt: skip
    table = protect_balance(few, BASE)
    when = table.keys["sample"].values()
    missing = np.isnan(table.numbers("standardised_difference"))
    assert {str(name) for name in when[missing]} == set(hidden)


def test_what_is_not_identified_is_not_released(matched: lr.Matched, tmp_path: Path) -> None:
    nameless = replace(matched.balance(), identified=False), replace(matched.overlap(), identified=False)
    charts = lr.BalanceChart(nameless[0]), lr.OverlapChart(nameless[1])
    for chart in charts:
        with pytest.raises(lr.DisclosureError, match="person id required"):
            lr.release({"chart": chart}, policy="ons-srs", to=tmp_path / "out")
    with pytest.raises(lr.DisclosureError, match="fractional numbers"):
        odd = replace(matched.balance(), names=tuple(f"x::0.{at}5" for at in range(len(matched.balance().names))))
        lr.release({"chart": lr.BalanceChart(odd)}, policy="ons-srs", to=tmp_path / "out")
    assert not list(tmp_path.iterdir())


@given(counts=st.lists(st.integers(0, 14), min_size=1, max_size=40).filter(any), least=st.integers(1, 30))
def test_merged_bins_hold_enough_and_all(counts: list[int], least: int) -> None:
    bins = merged_bins(np.array(counts), least)
    sums = [sum(counts[start:stop]) for start, stop in bins]
    assert sum(sums) == sum(counts)
    assert all(total >= least for total in sums) or (len(bins) == 1 and sum(counts) < least)
    assert all(one[1] == other[0] for one, other in pairwise(bins))
    # Where the persons begin and end is not told.
    assert (bins[0][0], bins[-1][1]) == (0, len(counts))


def test_overlap_is_the_spread_of_the_score_in_each_arm(matched: lr.Matched) -> None:
    overlap, own = matched.overlap(), matched.candidates
    for arm in (0, 1):
        wanted = np.histogram(own.score[own.arms == arm], overlap.edges)[0]
        np.testing.assert_array_equal(overlap.counts[arm], wanted)
    assert 50 <= overlap.counts.shape[1] <= 126 or np.ptp(own.score) < 50 * np.diff(overlap.edges)[0]
    table = protect_overlap(overlap, BASE)
    low, high = (np.array(table.keys[name].values(), dtype=float) for name in ("from", "to"))
    arm, shares = table.keys["arm"].codes, table.numbers("share")
    for code in (0, 1):
        score = own.score[own.arms == code]
        for start, stop, share in zip(*(part[arm == code] for part in (low, high, shares)), strict=True):
            inside = (score >= start) & (score < stop)
            assert inside.sum() >= 10
            assert share == pytest.approx(100 * inside.mean(), abs=0.051)
    few = replace(overlap, counts=np.stack([overlap.counts[0], np.eye(1, overlap.counts.shape[1], 7, dtype=int)[0]]))
    hidden = protect_overlap(few, BASE)
    assert np.isnan(hidden.numbers("share")[hidden.keys["arm"].codes == 1]).all()
    assert "vocational: fewer than 10 persons" in repr(few)


def test_the_ends_of_other_numbers_are_not_released(matched: lr.Matched) -> None:
    overlap = matched.overlap()
    np.testing.assert_allclose(overlap.edges, np.linspace(0, 1, len(overlap.edges)))
    with pytest.raises(lr.DisclosureError, match="end at the smallest and the largest"):
        protect_overlap(replace(overlap, edges=overlap.edges * 1e5), BASE)


def test_figures_show_the_protected_numbers(matched: lr.Matched) -> None:
    balance = matched.balance()
    chart = lr.BalanceChart(balance, labels={"points": "KS4 points"}, title="Alike")
    table = protect_balance(balance, BASE)
    (axis,) = plots.draw_balance(chart, table).axes
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels[0] == "KS4 points"  # the largest difference before
    assert "flag" in labels[-2:]  # hidden ones come last
    before, after = (line.get_xdata() for line in axis.get_lines()[:2])
    numbers = table.numbers("standardised_difference").reshape(-1, 2)
    at = balance.names.index("points")
    assert [before[0], after[0]] == numbers[at].tolist()
    notes = [text.get_text() for text in axis.figure.texts]
    assert any(text.startswith("Too few persons for a number to be shown:") and "flag" in text for text in notes)

    overlap = protect_overlap(matched.overlap(), BASE)
    (axis,) = plots.draw_overlap(lr.OverlapChart(matched.overlap()), overlap).axes
    assert axis.get_xlabel() == "Chance of vocational (logit)"
    low, high = (np.array(overlap.keys[name].values(), dtype=float) for name in ("from", "to"))
    outline = axis.patches[1].get_data()
    own = overlap.keys["arm"].codes == 0
    np.testing.assert_allclose(outline.edges, [*low[own], high[own][-1]])
    area = outline.values * np.diff(outline.edges) / (high - low).min()
    np.testing.assert_allclose(area, overlap.numbers("share")[own])


def test_a_release_writes_the_figures_and_their_numbers(matched: lr.Matched, tmp_path: Path) -> None:
    charts = {"balance": lr.BalanceChart(matched.balance()), "overlap": lr.OverlapChart(matched.overlap())}
    done = [lr.release(charts, policy="ons-srs", to=tmp_path / name) for name in ("one", "two")]
    assert done[0].files == ("README.txt", "balance.png", "balance_data.csv", "overlap.png", "overlap_data.csv")
    for name in done[0].files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    balance = pd.read_csv(tmp_path / "one" / "balance_data.csv")
    assert list(balance.columns) == ["covariate", "sample", "standardised_difference"]
    assert list(pd.read_csv(tmp_path / "one" / "overlap_data.csv").columns) == ["arm", "from", "to", "share"]
    readme = (tmp_path / "one" / "README.txt").read_text()
    assert "merged until every one has 10 persons or more" in readme


def test_charts_refuse_what_they_do_not_draw(matched: lr.Matched) -> None:
    with pytest.raises(TypeError, match="draws a Balance"):
        lr.BalanceChart(matched)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="draws an Overlap"):
        lr.OverlapChart(matched.balance())  # type: ignore[arg-type]
    with pytest.raises(lr.SupportError, match="not among the covariates"):
        lr.BalanceChart(matched.balance(), labels={"nothing": "x"})
    frame = pupils(200, 4, whole=True)
    strata = lr.match("route", "points", frame, estimand="ATT", method="exact", person="person")
    with pytest.raises(lr.SupportError, match="there is a score where"):
        strata.overlap()
