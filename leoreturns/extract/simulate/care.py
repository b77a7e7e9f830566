"""Small tables of young people: activity returns, need, care and alternative provision."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.extract.simulate.attainment import only_covered
from leoreturns.extract.simulate.ids import Ids
from leoreturns.extract.simulate.people import FEMALE_LABELS, NO_ROUTE, People
from leoreturns.extract.simulate.rows import MISSING, Rows, coded, days, draw, flag
from leoreturns.extract.tables_care import NEEDS
from leoreturns.extract.tables_schools import PMR

ACTIVITIES = ("210", "220", "310", "330", "610", "619", "680")
PROVISION = ("Independent school", "Hospital", "One to one tuition", "Other")
MONTHS = (9, 12, 3)


def _young(
    people: People, ages: tuple[int, int], first: int, chance: AnyArray, rng: Generator
) -> tuple[AnyArray, AnyArray]:
    """Return persons and academic years drawn among all years of these ages from a first year on.

    Ages are those at the start of the academic year: the last year of key stage 4 starts at 15.
    """
    years = np.arange(ages[0], ages[1] + 1) - 16
    person = np.repeat(np.arange(len(people)), len(years))
    year = people.cohort[person] + np.tile(years, len(people))
    kept = (rng.random(len(person)) < chance[person]) & (year >= first)
    return person[kept], year[kept].astype(np.int32)


def nccis(people: People, ids: Ids, rng: Generator) -> Rows:
    """Return monthly returns on 16 to 19 year olds, three months of each year."""
    person, year = _young(people, (16, 19), 2010, np.full(len(people), 0.7), rng)
    person, year, month = np.repeat(person, 3), np.repeat(year, 3), np.tile(np.array(MONTHS, np.int32), len(person))
    n = len(person)
    out = rng.random(n) < np.where(people.route[person] == NO_ROUTE, 0.15, 0.03)
    activity = np.where(out, 4 + draw(rng, (6, 2, 2), n), draw(rng, (60, 20, 15, 5), n))
    since = days(year, 9, 1) + rng.integers(0, 60, n).astype(np.int32)
    return only_covered(
        "nccis",
        {
            f"NCCIS_{PMR}": ids.pmr_of(person, rng),
            "NCCIS_ACADYR": year,
            "NCCIS_MonthNo": month,
            "NCCIS_Current_Activity_Code": coded(activity, ACTIVITIES),
            "NCCIS_Current_Activity_Start_Date": since,
            "NCCIS_NEET_Start_Date": np.where(out, since, MISSING).astype(np.int32),
            "NCCIS_Gender": coded(people.female[person].astype(np.int8), FEMALE_LABELS),
        },
        "NCCIS_ACADYR",
    )


def _at_risk(people: People) -> FloatArray:
    chance: FloatArray = 0.012 + 0.02 * people.fsm + 0.03 * (people.sen == 2)
    return chance


def cin(people: People, ids: Ids, rng: Generator) -> Rows:
    """Return episodes of need of children under 18."""
    person, year = _young(people, (10, 17), 2008, 2 * _at_risk(people), rng)
    n = len(person)
    referral = days(year, 4, 1) + rng.integers(0, 360, n).astype(np.int32)
    closed = rng.random(n) < 0.6
    return only_covered(
        "cin",
        {
            f"CIN_{PMR}": ids.pmr_of(person, rng),
            "CIN_ACADYR": year,
            "CIN_CINAt31March": flag(~closed),
            "CIN_CINReferralDate": referral,
            "CIN_CINClosureDate": np.where(closed, referral + 90, MISSING).astype(np.int32),
            "CIN_PrimaryNeedCode": coded(draw(rng, np.ones(10), n), tuple(NEEDS)),
            "CIN_ReferralNFA": flag(rng.random(n) < 0.1),
            "CIN_CPPstartDate": np.where(rng.random(n) < 0.15, referral + 20, MISSING).astype(np.int32),
        },
        "CIN_ACADYR",
    )


def cla(people: People, ids: Ids, rng: Generator) -> Rows:
    """Return children looked after, by the year to 31 March."""
    person, year = _young(people, (10, 17), 2005, 0.5 * _at_risk(people), rng)
    n = len(person)
    start = days(year - 1, 6, 1) + rng.integers(0, 500, n).astype(np.int32)
    ended = rng.random(n) < 0.3
    return {
        f"cla_{PMR}": ids.pmr_of(person, rng),
        "cla_PROCESSING_YEAR": (year + 1).astype(np.int32),
        "cla_SEX": coded(people.female[person].astype(np.int8), ("1", "2")),
        "cla_POC_START": start,
        "cla_DATE_EPI_COMM": start,
        "cla_DATE_EPI_CEASED": np.where(ended, start + 100, MISSING).astype(np.int32),
        "cla_CAT_NEED": coded(draw(rng, np.ones(8), n), tuple(NEEDS)),
        "cla_CLA_31_MARCH": flag(~ended),
        "cla_CLA_12_MONTHS": flag(~ended & (rng.random(n) < 0.7)),
    }


def alternative_provision(people: People, ids: Ids, rng: Generator) -> Rows:
    """Return placements in alternative provision."""
    person, year = _young(people, (11, 17), 2007, 0.5 * _at_risk(people), rng)
    n = len(person)
    return only_covered(
        "alternative_provision",
        {
            f"AP_{PMR}": ids.pmr_of(person, rng),
            "AP_ACADYR": year,
            "AP_RecordStatus": np.ones(n, np.int32),
            "AP_Gender": coded(people.female[person].astype(np.int8), FEMALE_LABELS),
            "AP_FSMeligible": flag(people.fsm[person]),
            "AP_SENProvision": coded(people.sen[person], ("N", "P", "S")),
            "AP_APTypeDescription": coded(draw(rng, (40, 10, 20, 30), n), PROVISION),
        },
        "AP_ACADYR",
    )
