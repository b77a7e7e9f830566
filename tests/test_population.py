"""Who is in a panel: which records are of the end of key stage 4, which one counts, and whose cohort that makes."""

import pandas as pd
import pytest

from leoreturns.extract.link import link_persons
from leoreturns.extract.source import open_extract
from leoreturns.panel.definitions import Definitions, illustrative_deflator
from leoreturns.panel.population import select_population


def population_of(*records, cohorts=range(2002, 2015), persons=None):
    """Select persons from key stage 4 records (PMR, year, other columns); each PMR is of a person unless told."""
    rows = [{"KS4_PupilMatchingRefAnonymous": pmr, "KS4_ACADYR": year} | more for pmr, year, more in records]
    persons = persons or {pmr: number for number, pmr in enumerate(sorted({pmr for pmr, _, _ in records}), 1)}
    lookup = {"AE_ID": list(persons.values()), "PUPILMATCHINGREFANONYMOUS": list(persons)}
    definitions = Definitions.preset("dfe-2021", deflator=illustrative_deflator(), cohorts=cohorts)
    with open_extract({"ks4": pd.DataFrame(rows), "lookup_pmr": pd.DataFrame(lookup)}) as extract:
        link_persons(extract, "drop")
        found = select_population(extract, definitions)
    return dict(zip(found.ids.tolist(), found.cohort.tolist(), strict=True)), [dict(by) for _, by in found.waterfall]


def ended(**values):
    return {f"KS4_{name}": value for name, value in values.items()}


@pytest.mark.parametrize(
    ("record", "counts"),
    [
        (ended(ENDKS=1, AGE_START=14), True),
        (ended(ENDKS=0, AGE_START=15), False),
        (ended(ENDKS=None, AGE_START=15), True),
        (ended(ENDKS=None, AGE_START=16), False),
        (ended(ENDKS=None, AGE_START=None), True),
    ],
)
def test_the_end_of_key_stage_4_is_told_by_the_record_or_by_age(record, counts):
    found, _ = population_of(("a", 2004, ended(ENDKS=1, AGE_START=15)), ("b", 2004, record))
    assert set(found) == ({1, 2} if counts else {1})


def test_without_flag_and_age_every_record_counts():
    assert population_of(("a", 2004, {}), ("b", 2005, {}))[0] == {1: 2005, 2: 2006}


def test_points_on_each_scale_choose_the_record():
    def year(first, second):
        return population_of(("a", 2003, ended(**first)), ("a", 2004, ended(**second)))[0][1] - 1

    assert year({"PTSTNEWE": 300}, {"PTSTNEWE": 200}) == 2003
    assert year({"PTSTNEWE": 300, "PTSTNEWG": 100}, {"PTSTNEWE": 300, "PTSTNEWG": 200}) == 2004
    assert year({"PTSTNEWE": 300, "POINTS_OLD_G": 50}, {"PTSTNEWE": 300, "POINTS_OLD_G": 40}) == 2003
    assert year({"PTSTNEWE": None, "PTSTNEWG": 300}, {"PTSTNEWE": 1, "PTSTNEWG": None}) == 2004
    assert year({"PTSTNEWE": 300}, {"PTSTNEWE": 300}) == 2003


def test_the_cohort_is_the_same_whichever_cohorts_are_asked_for():
    records = (("a", 2004, ended(PTSTNEWE=100)), ("a", 2006, ended(PTSTNEWE=300)), ("b", 2004, ended(PTSTNEWE=50)))
    assert population_of(*records)[0] == {1: 2007, 2: 2005}
    found, waterfall = population_of(*records, cohorts=[2005])
    assert found == {2: 2005}
    assert waterfall == [{2005: 2}, *[{2005: 1}] * 4]
    assert population_of(*records, cohorts=[2007])[0] == {1: 2007}


def test_the_other_pupils_of_a_person_count_too():
    records = (("a", 2004, ended(PTSTNEWE=100)), ("b", 2006, ended(PTSTNEWE=300)), ("c", 2004, ended(PTSTNEWE=1)))
    persons = {"a": 1, "b": 1, "c": 2}
    found, waterfall = population_of(*records, cohorts=[2005], persons=persons)
    assert found == {2: 2005}
    assert [step.get(2005) for step in waterfall] == [2, 2, 2, 1, 1]
