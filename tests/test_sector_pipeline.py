"""Sector pipelines: every number against plain Python or a published table, and what a release shows of them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import reference_careers as reference
from build_cases import definitions
from scipy.stats import chi2_contingency
from statsmodels.duration.survfunc import CumIncidenceRight

import leoreturns as lr
from leoreturns.errors import PanelError, SupportError
from leoreturns.questions.careers import NO_WORK, UNKNOWN, Careers, Rules
from leoreturns.questions.flows import likelihood_ratio
from leoreturns.questions.risks import aalen_johansen, entry_risks, incidences
from leoreturns.results.answer import Answer
from leoreturns.testing import check_question

DATA = Path(__file__).parent / "data"
PLAN = lr.BootstrapPlan(99, seed=3, interval="normal")
HORIZONS = (1, 3, 5)


@cache
def panel() -> lr.Panel:
    return lr.simulate_panel(n_persons=3_000, seed=5, definitions=definitions())


@cache
def people() -> dict:
    return reference.careers(panel().to_frame())


@cache
def traits() -> pd.DataFrame:
    return panel().to_frame().drop_duplicates("person").set_index("person")


@cache
def answer() -> Answer:
    return lr.sector_pipeline(
        panel(), horizons=HORIZONS, groups=["sex"], characteristics=["sex", "fsm"], growth={"Q": 0.05}
    )


def cells(name: str, keys: list[str], statistic: str = "share") -> dict:
    """Return one number of each cell of a table by its keys."""
    frame = answer()[name].to_frame()
    return dict(zip(zip(*(frame[key].astype(object) for key in keys), strict=True), frame[statistic], strict=True))


# ---- published flows ------------------------------------------------------------------------------------------------


def published() -> pd.DataFrame:
    """Return the Department's flows of graduates between industries, one row per person and year."""
    table = pd.read_csv(DATA / "graduate_industry_flows.csv.gz")
    table = table[table["sex"] == "F+M"]
    rows = table.loc[table.index.repeat(table["persons"])].reset_index(drop=True)
    years = {1: rows["industry_year_1"], 3: rows["industry_year_3"]}
    return pd.concat(
        [pd.DataFrame({"graduate": rows.index, "year": year, "industry": of}) for year, of in years.items()]
    )


def test_flows_of_graduates_are_those_that_the_department_published() -> None:
    table = pd.read_csv(DATA / "graduate_industry_flows.csv.gz")
    counts = table[(table["sex"] == "F+M") & (table["persons"] > 0)]
    counts = counts.set_index(["industry_year_1", "industry_year_3"])["persons"]
    graduates = lr.Panel.from_frame(published(), person="graduate", time="year", time_varying=["industry"])
    found = lr.sector_pipeline(
        graduates, sector="industry", since="year", year=1, horizons=[2], qualification=None, next_qualification=None,
        characteristics=[], region=None,
    )  # fmt: skip
    stayers, mobility = found["stayers"].to_frame().iloc[0], found["mobility"].to_frame().iloc[0]
    assert stayers["n_person"] == mobility["n_person"] == 142_455
    assert round(stayers["share"], 4) == 0.7153
    assert round(mobility["shorrocks"], 4) == 0.3234
    assert mobility["shorrocks"] == pytest.approx(0.32343832123037053, rel=1e-12)
    flows = found["transitions"]
    back = flows.to_frame().set_index(["sector_from", "sector_to"])
    assert len(back) == len(counts)
    assert (back["share"] * back["n_person"]).round().astype(int).to_dict() == counts.to_dict()
    np.testing.assert_array_equal(flows.evidence.n_person_nonzero, (back["share"] * back["n_person"]).round())
    stay = found["retention"].to_frame().set_index("sector_from")["share"]
    assert stay["EDUCATION"] == pytest.approx(0.7917612714888096, rel=1e-12)


# ---- flows ----------------------------------------------------------------------------------------------------------


def test_transitions_are_those_counted_person_by_person() -> None:
    found = cells("transitions", ["years_later", "sector_from", "sector_to"])
    expected = {}
    for horizon in HORIZONS:
        counts = reference.flows(people(), 5, horizon)
        origins = Counter(one for one, _ in counts.elements())
        expected |= {(horizon, *flow): n / origins[flow[0]] for flow, n in counts.items()}
    assert found == expected
    assert {NO_WORK, UNKNOWN} <= {origin for _, origin, _ in found}
    kept = cells("retention", ["years_later", "sector_from"])
    diagonal = {key[:2]: x for key, x in expected.items() if key[1] == key[2] and reference.in_sector(key[1])}
    assert kept == diagonal
    routes = traits()["ks5_route"].astype(object)
    vocational = {person: states for person, states in people().items() if routes[person] == "vocational"}
    counts = reference.flows(vocational, 5, 3)
    in_retail = sum(n for (one, _), n in counts.items() if one == "G")
    kept = cells("retention_by_ks5_route", ["ks5_route", "years_later", "sector_from"])
    assert kept["vocational", 3, "G"] == counts["G", "G"] / in_retail
    origins = cells("origins", ["years_later", "sector_to", "sector_from"])
    counts = reference.flows(people(), 5, 3)
    arrived = sum(n for (_, to), n in counts.items() if to == "Q")
    assert origins[3, "Q", "G"] == counts["G", "Q"] / arrived


def test_stayers_and_mobility_are_those_of_the_matrix_of_sectors() -> None:
    stayers, mobility = (
        cells(*each) for each in (("stayers", ["years_later"]), ("mobility", ["years_later"], "shorrocks"))
    )
    for horizon in HORIZONS:
        counts = reference.flows(people(), 5, horizon)
        matrix = pd.Series(counts).unstack().fillna(0.0)
        sectors = [each for each in matrix.index if reference.in_sector(each)]
        matrix = matrix.reindex(index=sectors, columns=sectors).fillna(0.0).to_numpy()
        assert stayers[horizon,] == pytest.approx(np.trace(matrix) / matrix.sum(), rel=1e-14)
        rows = matrix.sum(axis=1)
        share = np.diag(matrix)[rows > 0] / rows[rows > 0]
        assert mobility[horizon,] == pytest.approx((len(share) - share.sum()) / (len(share) - 1), rel=1e-12)


def test_flows_by_sex_are_those_of_each_sex() -> None:
    women = lr.sector_pipeline(panel().where("sex == 'F'"), horizons=HORIZONS, characteristics=[])
    for name in ("transitions", "retention", "stayers", "mobility", "conversion", "entry", "exit"):
        both = answer()[f"{name}_by_sex"].to_frame()
        alone = women[name].to_frame()
        of_women = both[both["sex"] == "F"].drop(columns="sex").reset_index(drop=True)
        pd.testing.assert_frame_equal(of_women.astype(object), alone.astype(object), check_exact=False, rtol=1e-12)


def test_qualifications_lead_where_pandas_says() -> None:
    following = pd.crosstab(traits()["ks5_route"], traits()["education_level"], normalize="index")
    for (route, level), share in cells("qualifications", ["ks5_route", "education_level"]).items():
        assert share == pytest.approx(following.loc[route, level], rel=1e-14)
    rows = pd.DataFrame(
        [(person, year, state) for person, states in people().items() for year, (state, _) in states.items()],
        columns=["person", "year", "state"],
    )
    for name, column in (("conversion", "ks5_route"), ("conversion_from_education_level", "education_level")):
        rows["of"] = rows["person"].map(traits()[column].astype(object))
        shares = rows.groupby(["of", "year"])["state"].value_counts(normalize=True)
        found = cells(name, [column, "year", "sector"])
        expected = {key: x for key, x in shares.items() if key[1] in HORIZONS}
        assert found == pytest.approx(expected, rel=1e-14)


# ---- the break of the register --------------------------------------------------------------------------------------


def test_flows_across_the_break_of_the_register_are_left_out_and_counted() -> None:
    rules = dict(horizons=[1], year=11, characteristics=[])
    kept = lr.sector_pipeline(panel(), across_registers="keep", **rules)["transitions"]
    left_out = lr.sector_pipeline(panel(), **rules)["transitions"]
    counts = reference.flows(people(), 11, 1)
    assert left_out.flow.steps[-1].persons == counts.total() < kept.flow.steps[-1].persons
    assert left_out.flow.steps[-1].label == "of one register of sectors"
    assert left_out.flow.steps[:-1] == kept.flow.steps


def test_flows_that_all_cross_the_break_are_refused() -> None:
    with pytest.raises(SupportError, match=r"every flow from year 10 runs from one register .*across_registers='keep'"):
        lr.sector_pipeline(panel(), year=10, horizons=[5], characteristics=[])


def test_a_period_of_two_registers_is_refused() -> None:
    frame = published()
    frame["sector_vintage"] = frame["graduate"] % 2
    graduates = lr.Panel.from_frame(frame, person="graduate", time="year", time_varying=["industry"])
    with pytest.raises(SupportError, match="several registers"):
        lr.sector_pipeline(graduates, sector="industry", since="year", qualification=None, next_qualification=None)


def test_a_tied_sector_may_count_as_not_known() -> None:
    frame = pd.DataFrame({"person": [1, 1, 2, 2], "year": [1, 2, 1, 2], "sector": list("AAAB")})
    frame["sector_tied"] = [False, True, False, False]
    small = lr.Panel.from_frame(frame, person="person", time="year", time_varying=["sector", "sector_tied"])
    states = {tied: Careers.of(small, Rules("sector", "year", tied)).states for tied in ("keep", "not known")}
    assert sorted(map(tuple, states["keep"].tolist())) == [(0, 0), (0, 1)]
    assert sorted(map(tuple, states["not known"].tolist())) == [(0, 1), (0, 3)]


# ---- risks ----------------------------------------------------------------------------------------------------------


def brute_incidence(
    hazards: dict[tuple[int, str], float], events: list[str], last: int
) -> dict[tuple[int, str], float]:
    """Return incidences by adding the chance of every year's first event."""
    alive, found = 1.0, {}
    so_far = dict.fromkeys(events, 0.0)
    for year in range(1, last + 1):
        now = {event: alive * hazards.get((year, event), 0.0) for event in events}
        so_far = {event: so_far[event] + now[event] for event in events}
        alive -= sum(now.values())
        found |= {(year, event): x for event, x in so_far.items()}
    return found


@pytest.mark.parametrize(("start", "late"), [(1, "leave out"), (4, "leave out"), (3, "at risk")])
def test_entries_are_those_counted_person_by_person(start: int, late: str) -> None:
    data = panel()
    if late == "at risk":  # some persons are first seen some years on
        data = data.where("years_since_ks4 >= 5 or sex == 'F'")
    careers = Careers.of(data, Rules("sector", "years_since_ks4"))
    table = incidences(entry_risks(careers, start, late), [], "year", "sector_entered", None).to_frame()
    rows = list(reference.entries(reference.careers(data.to_frame()), start, late))
    at_risk = Counter(year for _, year, _ in rows)
    entered = Counter((year, event) for _, year, event in rows if event != "none yet")
    found = table.set_index(["year", "sector_entered"])
    assert found["n_person"].to_dict() == {key: at_risk[key[0]] for key in entered}
    hazards = {key: n / at_risk[key[0]] for key, n in entered.items()}
    assert found["share"].to_dict() == hazards
    shifted = {(year - start + 1, event): x for (year, event), x in hazards.items()}
    events = sorted({event for _, event in entered})
    expected = brute_incidence(shifted, events, max(at_risk) - start + 1)
    for (year, event), incidence in found["incidence"].items():
        assert incidence == pytest.approx(expected[year - start + 1, event], rel=1e-12)


def test_entries_and_their_errors_are_those_of_statsmodels() -> None:
    routes = traits()["ks5_route"].astype(object)
    rows = pd.DataFrame(reference.entries(people(), 1, "leave out"), columns=["person", "year", "event"])
    rows = rows[rows["person"].map(routes) == "vocational"]
    events = sorted(set(rows["event"]) - {"none yet"})
    last = rows.groupby("person").last()  # the year of the event, or the last year at risk
    status = last["event"].map({event: place for place, event in enumerate(events, start=1)}).fillna(0).astype(int)
    expected = CumIncidenceRight(last["year"].to_numpy(), status.to_numpy())
    found = answer()["entry"].to_frame()
    found = found[found["ks5_route"] == "vocational"]
    assert len(found) > 50
    for _, row in found.iterrows():
        place, at = events.index(row["sector_entered"]), np.flatnonzero(expected.times == row["year"])[0]
        assert row["incidence"] == pytest.approx(expected.cinc[place][at], rel=1e-10)
        assert row["greenwood_se"] == pytest.approx(expected.cinc_se[place][at], rel=1e-6)


def test_exits_are_those_counted_person_by_person() -> None:
    rows = list(reference.exits(people()))
    at_risk = Counter((sector, year) for _, sector, year, _ in rows)
    left = Counter((sector, year, event) for _, sector, year, event in rows if event != "stays")
    found = cells("exit", ["sector", "years_in_sector", "left_for"])
    assert found == {key: n / at_risk[key[:2]] for key, n in left.items()}
    assert max(Counter((person, sector, year) for person, sector, year, _ in rows).values()) == 1
    hazards = {(year, event): n / at_risk["G", year] for (sector, year, event), n in left.items() if sector == "G"}
    events = ["another sector", NO_WORK]
    expected = brute_incidence(hazards, events, max(year for year, _ in hazards))
    incidence = cells("exit", ["sector", "years_in_sector", "left_for"], "incidence")
    for (sector, year, event), x in incidence.items():
        assert sector != "G" or x == pytest.approx(expected[year, event], rel=1e-12)


def test_errors_of_incidences_are_those_of_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    at_risk = np.array([[90, 60, 31, 8]])
    hazards = rng.dirichlet([1.0, 2.0, 7.0], size=(1, 4))[..., :2]
    _, error = aalen_johansen(hazards, at_risk)

    def of(flat: np.ndarray) -> np.ndarray:
        return aalen_johansen(flat.reshape(hazards.shape), at_risk)[0].reshape(-1)

    flat, step = hazards.reshape(-1), 1e-6
    slopes = np.array([(of(flat + step * one) - of(flat - step * one)) / (2 * step) for one in np.eye(len(flat))])
    cov = np.zeros((len(flat), len(flat)))
    for time in range(4):
        h = hazards[0, time]
        cov[2 * time : 2 * time + 2, 2 * time : 2 * time + 2] = (np.diag(h) - np.outer(h, h)) / at_risk[0, time]
    np.testing.assert_allclose(error.reshape(-1), np.sqrt(np.diag(slopes.T @ cov @ slopes)), rtol=1e-6)
    greenwood = np.cumprod(1 - hazards[0, :, 0]) * np.sqrt(
        np.cumsum(hazards[0, :, 0] / (1 - hazards[0, :, 0]) / at_risk[0])
    )
    np.testing.assert_allclose(aalen_johansen(hazards[..., :1], at_risk)[1][0, :, 0], greenwood, rtol=1e-12)
    assert np.isnan(aalen_johansen(hazards, at_risk * [1, 1, 0, 1])[0][0, 2:]).all()


# ---- who is in a sector ---------------------------------------------------------------------------------------------


def base_year() -> pd.DataFrame:
    """Return persons in a known sector in year 5 with their traits."""
    states = {person: of[5][0] for person, of in people().items() if 5 in of}
    rows = panel().at(years_since_ks4=5).to_frame().set_index("person")
    rows["state"] = pd.Series(states)
    return rows[rows["state"].map(reference.in_sector)]


@pytest.mark.parametrize(
    ("name", "group", "ratio"),
    [
        ("representation_by_sex", "sex", "representation"),
        ("representation_by_fsm", "fsm", "representation"),
        ("location", "region_of_residence", "location_quotient"),
    ],
)
def test_representation_is_the_share_of_the_group_in_the_sector_over_that_in_all(
    name: str, group: str, ratio: str
) -> None:
    rows = base_year()
    rows = rows[rows[group].notna()]
    rows[group] = rows[group].astype(object)
    of_sector, of_all = (
        pd.crosstab(rows["state"], rows[group], normalize="index"),
        rows[group].value_counts(normalize=True),
    )
    for (level, sector), found in cells(name, [group, "sector"], ratio).items():
        assert found == pytest.approx(of_sector.loc[sector, level] / of_all[level], rel=1e-12)


def test_supply_balances_with_the_flows_of_the_year() -> None:
    counts = {flow: n for flow, n in reference.flows(people(), 5, 1).items() if UNKNOWN not in flow}
    table = answer()["supply"].to_frame().set_index("sector")
    for sector, row in table.iterrows():
        stock = sum(n for (one, _), n in counts.items() if one == sector)
        stay = counts.get((sector, sector), 0)
        entrants = sum(n for (_, two), n in counts.items() if two == sector) - stay
        needed = stock - stay + (0.05 * stock if sector == "Q" else 0.0)
        assert (row["n_person"], row["share"]) == (stock, (stock - stay) / stock)
        assert (row["entrants"], row["entrants_needed"]) == (entrants, pytest.approx(needed, rel=1e-14))
        assert row["supply_gap"] == pytest.approx(needed - entrants)


def test_the_order_test_adds_up_tests_of_independence() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(np.where(rng.random((5, 5, 5)) < 0.3, 0.0, 4.0))
    counts[:, 2, :] = 0
    statistic, df = 0.0, 0
    for middle in range(5):
        table = counts[:, middle, :]
        table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
        if min(table.shape) > 1:
            test = chi2_contingency(table, correction=False, lambda_="log-likelihood")
            statistic, df = statistic + test.statistic, df + test.dof
    assert likelihood_ratio(counts) == (pytest.approx(statistic, rel=1e-12), df)
    found = answer()["order_test"].to_frame().iloc[0]
    triples = Counter(tuple(of[year][0] for year in (5, 6, 7)) for of in people().values() if {5, 6, 7} <= set(of))
    n = sum(count for triple, count in triples.items() if UNKNOWN not in triple)
    assert found["n_person"] == n and 0 <= found["p_value"] <= 1 and found["df"] > 0


def test_a_process_of_the_second_order_is_told_from_one_of_the_first() -> None:
    rng = np.random.default_rng(9)
    states = rng.integers(0, 3, size=(6_000, 3))
    remembers = states.copy()
    remembers[:, 2] = np.where(rng.random(6_000) < 0.3, states[:, 0], states[:, 2])
    p_values = []
    for each in (states, remembers):
        frame = pd.DataFrame(
            {"person": np.repeat(np.arange(6_000), 3), "year": np.tile([1, 2, 3], 6_000),
             "sector": np.take(list("ABC"), each.reshape(-1))}
        )  # fmt: skip
        data = lr.Panel.from_frame(frame, person="person", time="year", time_varying=["sector"])
        found = lr.sector_pipeline(
            data, since="year", year=1, horizons=[1], qualification=None, next_qualification=None, characteristics=[]
        )
        p_values.append(found["order_test"].statistics["p_value"][0])
    assert p_values[0] > 0.01 and p_values[1] < 1e-6


# ---- intervals ------------------------------------------------------------------------------------------------------


def test_a_plan_gives_intervals_near_the_errors_of_the_formulas() -> None:
    plan = lr.BootstrapPlan(499, seed=2, interval="normal")
    found = lr.sector_pipeline(panel(), horizons=[1], characteristics=["sex"], plan=plan)
    entry = found["entry"].to_frame()
    many = entry[(entry["incidence"] > 0.05) & (entry["n_person"] > 200)]
    assert len(many) > 30
    assert (many["incidence_se"] / many["greenwood_se"]).between(0.85, 1.15).all()
    assert (many["incidence_low"] < many["incidence"]).all() and (many["incidence"] < many["incidence_high"]).all()
    stay = found["stayers"].to_frame().iloc[0]
    assert stay["share_se"] == pytest.approx(np.sqrt(stay["share"] * (1 - stay["share"]) / stay["n_person"]), rel=0.12)
    ratio = found["representation_by_sex"].to_frame()
    ratio = ratio[ratio["n_person"] * ratio["share"] > 50]
    assert (ratio["representation_se"] > 0).all() and (ratio["representation_se"] < ratio["representation"]).all()
    without = answer()["entry"].to_frame()
    np.testing.assert_array_equal(without["incidence"], entry["incidence"])


# ---- what an answer must be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [None, PLAN], ids=["counts", "plan"])
def test_the_question_keeps_the_rules(plan: lr.BootstrapPlan | None) -> None:
    small = lr.simulate_panel(n_persons=800, seed=6, definitions=definitions())
    check_question(lr.sector_pipeline, small, characteristics=["sex"], groups=["sex"], horizons=[1, 3], plan=plan)


def test_a_scan_gives_the_answer_of_its_panel(tmp_path: Path) -> None:
    panel().save(tmp_path / "stored", partitions=3)
    found = lr.sector_pipeline(
        lr.Panel.scan(tmp_path / "stored"), horizons=HORIZONS, groups=["sex"], characteristics=["sex", "fsm"],
        growth={"Q": 0.05},
    )  # fmt: skip
    assert list(found) == list(answer())
    for name, table in found.tables.items():
        pd.testing.assert_frame_equal(table.to_frame(), answer()[name].to_frame())
    assert found.flow == answer().flow


def test_an_answer_is_released_with_what_few_persons_stand_behind_hidden(tmp_path: Path) -> None:
    released = lr.release(answer(), policy="ons-srs", to=tmp_path / "out")
    assert {"transitions.csv", "retention_by_sex.csv", "pipeline_chart.png", "order_test.csv"} <= set(released.files)
    for name in ("transitions", "entry", "exit", "supply"):
        evidence = answer()[name].evidence
        few = np.minimum(evidence.n_person_nonzero, evidence.n_person_zero) < 10
        read = pd.read_csv(released.path / f"{name}.csv", dtype=str)
        numbers = [column for column in ("share", "incidence", "supply_gap", "entrants_needed") if column in read]
        for column in numbers:
            assert ((read[column] == "c") == few).all(), (name, column)
    mobility = pd.read_csv(released.path / "mobility.csv", dtype=str)
    assert (mobility["shorrocks"] == "c").all()  # a sector of it has fewer than ten stayers or leavers
    readme = (released.path / "README.txt").read_text()
    assert "persons in the state with a row in both years" in readme and "register" in readme


def test_mobility_between_large_sectors_is_released_with_its_interval(tmp_path: Path) -> None:
    frame = published()
    large = frame.groupby("industry")["graduate"].transform("size") > 20_000
    few = frame[large.groupby(frame["graduate"]).transform("all") & (frame["graduate"] % 10 == 0)]
    graduates = lr.Panel.from_frame(few, person="graduate", time="year", time_varying=["industry"])
    found = lr.sector_pipeline(
        graduates, sector="industry", since="year", year=1, horizons=[2], qualification=None, next_qualification=None,
        characteristics=[], plan=lr.BootstrapPlan(199, seed=1),
    )  # fmt: skip
    tables = ["transitions", "retention", "stayers", "mobility", "origins", "entry"]
    assert list(found) == [*tables, "retention_chart", "pipeline", "pipeline_chart"]
    released = lr.release(found, policy="ons-srs", to=tmp_path / "out")
    shown = pd.read_csv(released.path / "mobility.csv").iloc[0]
    exact = found["mobility"].to_frame().iloc[0]
    assert shown["shorrocks"] == pytest.approx(100 * exact["shorrocks"], abs=0.051)
    stay = found["retention"].to_frame()
    error = np.sqrt((stay["share"] * (1 - stay["share"]) / stay["n_person"]).sum()) / (len(stay) - 1)
    assert exact["shorrocks_se"] == pytest.approx(error, rel=0.15)
    assert shown["shorrocks_low"] < shown["shorrocks"] < shown["shorrocks_high"]


def test_graduates_are_followed_from_graduation_and_schools_resampled() -> None:
    plan = lr.BootstrapPlan(99, unit="school", seed=1, interval="percentile", level=0.9)
    found = lr.sector_pipeline(
        panel(), since="years_since_graduation", year=1, horizons=[1, 2], qualification="education_level",
        next_qualification=None, groups=["education_level"], characteristics=[], plan=plan,
    )  # fmt: skip
    graduates = reference.careers(panel().to_frame(), "years_since_graduation")
    counts = reference.flows(graduates, 1, 2)
    table = found["transitions"]
    row = table.to_frame().set_index(["years_later", "sector_from", "sector_to"]).loc[(2, "P", "P")]
    assert row["n_person"] == sum(n for (one, _), n in counts.items() if one == "P")
    assert row["share"] == counts["P", "P"] / row["n_person"]
    units = table.intervals["share"].n_units
    assert units is not None and (units <= table.statistics["n_person"]).all() and (units > 1).any()
    assert found["conversion"].keys["education_level"].labels == panel().column("education_level").labels
    assert found["entry_by_education_level"].to_frame().equals(found["entry"].to_frame())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"growth": {"Z9": 0.1}}, SupportError, "growth names 'Z9', which is no sector"),
        ({"growth": {"Q": float("nan")}}, SupportError, "growth is a number"),
        ({"growth": {"Q": 1000.0}}, SupportError, "growth is a number from -1 to 1"),
        ({"horizons": []}, ValueError, "whole years from 1 on"),
        ({"horizons": [0]}, ValueError, "whole years from 1 on"),
        ({"year": 60}, SupportError, "nobody has a row of year 60"),
        ({"start": 60}, SupportError, "nobody has a row of year 60 or later"),
        ({"tied": "drop"}, ValueError, "tied is one of 'keep', 'not known'"),
        ({"sector": "earnings"}, PanelError, "'earnings' must hold labels by person and year"),
        ({"since": "sector"}, PanelError, "whole years since an event"),
        ({"since": "log_earnings"}, PanelError, "must hold whole years"),
        ({"groups": ["sector"]}, PanelError, "one value per person"),
        ({"qualification": "colour"}, PanelError, "no column 'colour'"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lr.sector_pipeline(panel(), **{"characteristics": [], "horizons": [1], **arguments})


def test_several_rows_of_a_year_are_refused() -> None:
    frame = published()
    frame["one"] = 1
    graduates = lr.Panel.from_frame(frame, person="graduate", time="year", time_varying=["industry", "one"])
    with pytest.raises(SupportError, match="several rows of a year of 'one'"):
        lr.sector_pipeline(graduates, sector="industry", since="one", qualification=None, next_qualification=None)
