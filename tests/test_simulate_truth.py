"""The simulated population: careers that the build finds again, a truth that can be recovered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from build_cases import built, simulated

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate import estimands, facts, fitted, pay
from leoreturns.extract.simulate.activities import ACTIVITIES
from leoreturns.extract.simulate.careers import LAST_TAX_YEAR, NO_JOB, Careers, make_careers
from leoreturns.extract.simulate.chunk import TOPICS, Plan
from leoreturns.extract.simulate.ids import BITS, mixed
from leoreturns.extract.simulate.people import GRADUATE, LEVEL_3, People, make_people
from leoreturns.extract.simulate.population import DIMENSIONS, GROUPS
from leoreturns.extract.simulate.truth import Truth
from leoreturns.extract.simulate.world import World
from leoreturns.panel import Panel

N = 100_000


ROUTES = ("A level", "vocational", "apprenticeship", "other level 3", "none")  # in the order of the codes


@dataclass(frozen=True)
class Drawn:
    """Persons of one chunk as they are drawn, before any table is written: pay of those who work, and of all."""

    people: People
    careers: Careers
    world: World
    log_pay: AnyArray
    potential: AnyArray

    @classmethod
    def of(cls, n: int, seed: int, *, cohorts: tuple[int, ...] = (2002,), **changes: object) -> Drawn:
        plan = Plan(n, seed, n, cohorts, False, Truth.of(changes))
        rng = {topic: plan.stream(1, place) for place, topic in enumerate(TOPICS)}
        world = plan.world()
        people = make_people(n, cohorts, world, plan.truth, rng["people"])
        careers = make_careers(people, world, rng["careers"])
        earned = pay.make_pay(people, careers, world, plan.truth, rng["pay"]).log
        return cls(people, careers, world, np.where(careers.work < NO_JOB, earned, np.nan), earned)


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return Drawn.of(N, 21)


# ---- the population --------------------------------------------------------------------------------------------------


def test_shares_of_groups_and_levels(drawn: Drawn) -> None:
    people = drawn.people
    assert people.female.mean() == pytest.approx(0.484, abs=0.005)
    assert people.five_ac.mean() == pytest.approx(0.561, abs=0.005)
    fsm, state = people.fsm[people.state], people.state
    level = people.level[state]
    # The Department's figures of July 2021: degrees of 16 and 34 per cent; of the others, level 3 of 28 and 45.
    for eligible, degree, third in ((True, 0.161, 0.276), (False, 0.336, 0.447)):
        of = level[fsm == eligible]
        assert (of == GRADUATE).mean() == pytest.approx(degree, abs=0.01)
        assert (of[of != GRADUATE] == LEVEL_3).mean() == pytest.approx(third, abs=0.012)


def test_ability_and_marks(drawn: Drawn) -> None:
    marks = np.corrcoef([drawn.people.ability, drawn.people.ks2, drawn.people.ks4])
    assert marks[0, 1:] == pytest.approx([0.8, 0.8], abs=0.02)


def test_the_upper_tail_of_pay_is_that_of_pareto(drawn: Drawn) -> None:
    for female, index in ((False, 2.33), (True, 3.17)):
        chance = pay.chance(drawn.people, 13, np.random.default_rng(4))[drawn.people.female == female, 12]
        p90, p99 = np.quantile(chance, [0.9, 0.99])
        assert np.log(10) / (p99 - p90) == pytest.approx(index, rel=0.1)


def test_careers_persist(drawn: Drawn) -> None:
    """A person's activity of a year is the likeliest of the next; three years in higher education are a rule."""
    activity = drawn.careers.activity
    for name in ("employment", "out-of-work benefits", "activity not captured"):
        at = activity[:, 11] == ACTIVITIES.index(name)
        assert (activity[at, 12] == activity[at, 11]).mean() > 0.55, name
    years = (activity == ACTIVITIES.index("higher education")).sum(axis=1)[drawn.people.level == GRADUATE]
    assert 2.5 <= np.median(years) <= 4


# ---- what is drawn is what the build finds --------------------------------------------------------------------------


def test_the_build_finds_what_was_drawn(tmp_path: Path) -> None:
    n, seed, cohorts = 3_000, 11, tuple(range(2002, 2008))
    panel = built(simulated(tmp_path / "extract", n, defects=False, chunk_persons=n))
    plan = Plan(n, seed, n, cohorts, False)
    drawn = Drawn.of(n, seed, cohorts=cohorts)
    ids = mixed(np.arange(n), BITS["AE_ID"], plan.salt).astype(np.int64) + 1
    person = np.argsort(ids)[np.searchsorted(np.sort(ids), np.array(panel.ids.to_arrow().to_pylist(), np.int64))]
    row = np.repeat(person, np.diff(panel.offsets))
    k = panel.years["years_since_ks4"].astype(np.int64) - 1

    assert (labels(panel, "education_level") == np.array(facts.LEVELS)[drawn.people.level[person]]).mean() > 0.999
    activity = np.array(ACTIVITIES)[drawn.careers.activity[row, k]]
    assert (labels(panel, "main_activity") == activity).mean() > 0.999
    for name in ("sex", "fsm", "sen", "ks4_five_ac", "school_region"):
        code = drawn.people.codes[name][person]
        found = np.char.lower(labels(panel, {"school_region": "region"}.get(name, name))[code >= 0])
        assert (found == np.char.lower(np.array(GROUPS[name])[code[code >= 0]])).all(), name
    assert (labels(panel, "ks5_route") == np.array(ROUTES)[drawn.people.route[person]]).all()
    area = labels(panel, "area_at_16")
    # An address of the year in which key stage 4 ends, and before there are any the census.
    at_home = np.where(drawn.people.cohort >= 2004, drawn.people.linked, drawn.people.state)[person]
    at_home &= drawn.people.cohort[person] != 2003
    homes = np.array(drawn.world.ttwa_codes.to_pylist())[drawn.world.lsoa_ttwa[drawn.people.lsoa[person]]]
    assert (area == homes)[at_home].all()
    pounds = np.exp(drawn.log_pay[row, k])
    assert np.array_equal(np.isfinite(pounds), np.isfinite(panel.years["real_earnings"]))
    off = panel.years["real_earnings"] / pounds - 1
    assert np.nanquantile(np.abs(off), 0.95) < 0.01  # pounds are whole, and some worked for a few days


def labels(panel: Panel, name: str) -> AnyArray:
    """The labels of a column as texts, row by row."""
    values = panel.people[name] if name in panel.people else panel.years[name]
    return np.array([str(label) for label in panel.schema.columns[name].labels] + [""])[values]


# ---- the truth ------------------------------------------------------------------------------------------------------


def test_the_effect_of_a_degree_is_the_parameter() -> None:
    for degree in ((0.06, 0.26), (0.0, 0.5)):
        process = estimands.process(Truth(degree=degree))
        for sex, value in zip("MF", degree, strict=True):
            assert process[f"{sex}|all"] == pytest.approx(np.log1p(value), abs=0.004)


def test_effects_differ_between_groups_as_told() -> None:
    plain, more = (estimands.process(Truth(degree_by_fsm=value)) for value in (0.0, 0.1))
    for sex in "MF":
        added = {
            group: more[f"{sex}, fsm {group}|all"] - plain[f"{sex}, fsm {group}|all"] for group in ("true", "false")
        }
        assert added["true"] - added["false"] == pytest.approx(0.1)


def potential(changes: dict[str, object]) -> tuple[Drawn, AnyArray]:
    """Persons, and what a change of the truth adds to the log pay of each and year, whether they work or not."""
    before, after = (Drawn.of(4_000, 9, cohorts=(2003, 2007), **each) for each in ({}, changes))
    assert np.array_equal(before.careers.work, after.careers.work)
    return before, after.potential - before.potential


def test_what_a_degree_adds_is_what_the_truth_says() -> None:
    for changes, expected in (
        ({"degree": (0.16, 0.26)}, lambda people: np.log(1.16 / 1.06) * ~people.female),
        ({"degree_by_fsm": 0.2}, lambda people: 0.2 * (people.fsm - facts.FSM)),
        ({"degree_by_ks4": 0.1}, lambda people: 0.1 * people.ks4),
    ):
        drawn, added = potential(changes)
        of_graduates = (drawn.people.level == GRADUATE) * expected(drawn.people)
        assert added == pytest.approx(np.broadcast_to(of_graduates[:, None], added.shape), abs=1e-5)


def test_routes_pay_what_the_truth_says_by_sex() -> None:
    for name, route in (("vocational", 1), ("apprenticeship", 2), ("other_route", 3)):
        men, women = getattr(Truth(), name)
        drawn, added = potential({name: (men + 0.1, women + 0.2)})
        people = drawn.people
        expected = np.where(people.female, 0.2, 0.1) * ((people.route == route) & (people.level >= LEVEL_3))
        assert expected.any()
        assert added == pytest.approx(np.broadcast_to(expected[:, None], added.shape), abs=1e-5)


def test_years_of_study_without_a_degree_pay_what_the_truth_says() -> None:
    drawn, added = potential({"he_year": 0.05})
    studies = drawn.careers.activity == ACTIVITIES.index("higher education")
    behind = np.stack([studies[:, :k].sum(axis=1) for k in range(studies.shape[1])], axis=1)
    behind[drawn.people.level == GRADUATE] = 0
    assert behind.max() >= 2
    assert added == pytest.approx(0.05 * behind, abs=1e-5)


def test_places_moves_sectors_and_schools_pay_what_the_truth_says() -> None:
    drawn, added = potential({"place": 1.6})
    world, careers, home = drawn.world, drawn.careers, drawn.people.lsoa
    here = np.where(careers.lsoa < 0, home[:, None], careers.lsoa)
    region = np.array([pay for _, _, pay in facts.REGIONS.values()])
    expected = region[world.ttwa_region[world.lsoa_ttwa[here]]]
    assert added == pytest.approx(expected - region[world.ttwa_region[world.lsoa_ttwa[home]]][:, None], abs=1e-5)
    _, added = potential({"place_sd": 0.13})
    assert added == pytest.approx(0.1 * world.ttwa_effect[world.lsoa_ttwa[here]], abs=1e-5)
    _, added = potential({"first_move": 0.12})
    away = world.lsoa_ttwa[here] != world.lsoa_ttwa[home][:, None]
    assert added == pytest.approx(0.1 * np.logical_or.accumulate(away, axis=1), abs=1e-5)
    _, added = potential({"school_sd": 0.13})
    by_school = 0.1 * world.school_effect[drawn.people.school]
    assert added == pytest.approx(np.broadcast_to(by_school[:, None], added.shape), abs=1e-5)
    _, added = potential({"sector": 1.5})
    later = drawn.people.cohort[:, None] + 1 + np.arange(added.shape[1]) > 2016
    section = np.where(later, world.section_later[careers.enterprise], world.section[careers.enterprise])
    level = drawn.people.level
    assert added == pytest.approx(facts.SECTION_PAY[section] - facts.MEAN_SECTION_PAY[level][:, None], abs=1e-5)


def test_employers_learn_as_fast_as_the_truth_says() -> None:
    changes = {"ability_at_first": 0.1, "learning_speed": 0.5}
    drawn, added = potential(changes)
    people, price = drawn.people, fitted.load().pay["ability"][drawn.people.female.astype(int)]
    for k in (0, 4, pay.DEGREE_YEAR - 1):
        share = [
            (1 - (1 - first) * np.exp(-speed * k)) / (1 - (1 - first) * np.exp(-speed * (pay.DEGREE_YEAR - 1)))
            for first, speed in ((0.1, 0.5), (0.4, 0.15))
        ]
        assert added[:, k] == pytest.approx(price * people.ability * (share[0] - share[1]), abs=1e-4)


def test_the_covid_year_pays_what_the_truth_says_by_level() -> None:
    drawn, added = potential({"covid": (-0.16, -0.24, -0.32)})
    year = drawn.people.cohort[:, None] + 1 + np.arange(added.shape[1])
    by_level = np.array([-0.1, -0.2, -0.3])[drawn.people.level][:, None]
    assert added == pytest.approx(np.where(year == 2020, by_level, 0), abs=1e-5)


def test_every_parameter_of_pay_has_its_estimand() -> None:
    drawn = Drawn.of(500, 2)
    told = estimands.report(Truth(he_year=0.03), drawn.world, {})
    named = {"degree", "area", "school", "ability"} | set(Truth().settings)
    assert set(told) == named - {"place_sd", "school_sd", "ability_at_first", "learning_speed", "selection"}
    assert told["he_year"]["values"] == [{"process": 0.03, "population": 0.03}]
    assert told["ability"]["values"][0]["process"] == pytest.approx(0.4)


def test_truth_is_told_for_the_process_and_the_persons(tmp_path: Path) -> None:
    folders = [simulated(tmp_path / f"jobs{n_jobs}", 2_000, chunk_persons=700, n_jobs=n_jobs) for n_jobs in (1, 2)]
    first, second = ((folder / "truth.json").read_text(encoding="utf-8") for folder in folders)
    assert first == second
    told = json.loads(first)
    assert told["truth"] == Truth().settings
    values = {(value["group"], value["of"]): value for value in told["estimands"]["degree"]["values"]}
    assert sum(values[sex, "graduate"]["persons"] for sex in "MF") == pytest.approx(0.338 * 2_000, abs=100)
    for sex, expected in (("M", 0.06), ("F", 0.26)):
        value = values[sex, "all"]
        assert value["process"] == pytest.approx(np.log1p(expected), abs=0.004)
        assert value["population"] == pytest.approx(value["process"], abs=0.03)


def test_controls_recover_the_effect_and_a_raw_comparison_does_not(drawn: Drawn) -> None:
    """Linear regressions by level on what records show, averaged over both: nothing of this package."""
    people, k = drawn.people, pay.DEGREE_YEAR - 1
    process = estimands.process(Truth())
    for sex, raw in (("M", 1.219), ("F", 1.579)):
        log_pay = drawn.log_pay[:, k]
        rows = np.flatnonzero((people.female == (sex == "F")) & (people.level >= LEVEL_3) & np.isfinite(log_pay))
        controls, treated = controls_of(drawn)[rows], people.level[rows] == GRADUATE
        medians = [np.median(log_pay[rows][treated == of]) for of in (True, False)]
        assert np.exp(medians[0] - medians[1]) == pytest.approx(raw, abs=0.06)
        predicted = []
        for of in (True, False):
            part = treated == of
            weights, *_ = np.linalg.lstsq(controls[part], log_pay[rows][part], rcond=None)
            predicted.append(controls @ weights)
        effect, error = float(np.mean(predicted[0] - predicted[1])), 0.016
        assert effect == pytest.approx(process[f"{sex}|all"], abs=3 * error)
        assert np.log(raw) - process[f"{sex}|all"] > 6 * error


def controls_of(drawn: Drawn) -> AnyArray:
    """Characteristics as dummies, marks, and the route of key stage 5."""
    people = drawn.people
    parts = [np.ones(len(people)), people.ks4, people.ks2]
    for name in DIMENSIONS:
        if name != "sex":
            parts += [people.codes[name] == code for code in range(1, len(GROUPS[name]))]
    parts += [people.route == route for route in range(1, 5)]
    return np.stack(parts, axis=1).astype(np.float64)


def test_selection_into_work_is_a_variant() -> None:
    def of_workers(selection: float) -> float:
        sample = Drawn.of(20_000, 3, selection=selection)
        at_work = sample.careers.work[:, 12] < NO_JOB
        return float(sample.people.luck[at_work].mean() - sample.people.luck[~at_work].mean())

    assert abs(of_workers(0.0)) < 0.05
    assert of_workers(0.6) > 0.2


def test_the_number_of_schools_is_a_parameter(tmp_path: Path) -> None:
    folder = simulated(tmp_path / "few", 2_000, n_schools=60)
    assert len(pd.read_csv(folder / "lookups" / "school_types.csv")) == 60


def test_careers_end_with_the_extract(drawn: Drawn) -> None:
    late = Drawn.of(500, 1, cohorts=(2019, 2020))
    worked = np.nonzero(late.careers.work < NO_JOB)
    assert (late.people.cohort[worked[0]] + 1 + worked[1]).max() <= LAST_TAX_YEAR
    assert drawn.careers.activity.shape[1] == LAST_TAX_YEAR - 2002
