"""Employment spells, pay and self-employment of simulated persons."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from leoreturns._typing import AnyArray
from leoreturns.extract.simulate import facts
from leoreturns.extract.simulate.activities import FIRST_EDUCATION, NOT_CAPTURED
from leoreturns.extract.simulate.careers import NO_JOB, PART_YEAR, Careers
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.ids import Ids
from leoreturns.extract.simulate.pay import LAST_OLD_REGISTER, Pay
from leoreturns.extract.simulate.people import People
from leoreturns.extract.simulate.rows import Coded, Rows, coded, take, tax_year_bounds
from leoreturns.extract.simulate.spells import Spells, joined, strike
from leoreturns.extract.simulate.world import World

FIRST_PAY, FIRST_SELF_ASSESSMENT = 2003, 2013
MOST_PAY = 2_000_000_000  # pounds; the column has 32 bits
JOB_BREAKS = 0.06  # of the transitions between two years of work; they leave a day of work in every month
MOST_OF_YEAR = 0.82  # at most, so that work for part of a year leaves a month out


def working_days(people: People, careers: Careers, rng: Generator) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
    """Return one entry per person and year of work: person, year after key stage 4, first and last day."""
    works = careers.work < NO_JOB
    person, k = careers.cells(works)
    first, last = tax_year_bounds(people.cohort[person] + 1 + k)
    length = last - first + 1
    part = careers.work[person, k] == PART_YEAR
    share = 0.05 + (MOST_OF_YEAR - 0.05) * rng.random(len(person))
    worked = np.where(part, (length * share).astype(np.int32), length)
    # Part of a year follows on a year of work, or leads into one, or lies anywhere.
    before, after = np.zeros(len(person), bool), np.zeros(len(person), bool)
    same = (person[1:] == person[:-1]) & (k[1:] == k[:-1] + 1)
    before[1:], after[:-1] = same, same
    place = np.where(rng.random(len(person)) < 0.5, np.where(before, 0.0, 1.0), np.where(after, 1.0, 0.0))
    place = np.where(before | after, place, rng.random(len(person)))
    start = (first + np.where(part, (length - worked) * place, 0)).astype(np.int32)
    breaks = np.where(rng.random(len(person)) < JOB_BREAKS, rng.integers(2, 26, len(person)), 0)
    end = (start + worked - 1).astype(np.int32)
    return person, k, start, np.maximum(end - np.where(part, 0, breaks), start).astype(np.int32)


def employment(worked: tuple[AnyArray, ...], ids: Ids, rng: Generator, defects: Defects) -> Rows:
    """Return spells of employment, joined over years."""
    person, _, start, end = worked
    paid = np.ones(len(person), bool)
    paid[defects.choose("pay without a spell", len(person))] = False
    spells = joined(Spells(person[paid], start[paid], end[paid]))
    spells, uncertain = strike(spells, defects)
    return {
        "EduKey": ids.edukey_of(spells.person, rng),
        "StartDate": spells.start,
        "EndDate": spells.end,
        "UncertainStartDate": uncertain[0],
        "UncertainEndDate": uncertain[1],
    }


def earnings(
    people: People,
    careers: Careers,
    pay: Pay,
    worked: tuple[AnyArray, ...],
    ids: Ids,
    world: World,
    rng: Generator,
    defects: Defects,
) -> Rows:
    """Return one row per person and tax year of work from 2003-04: pay, enterprise, section and industry."""
    person, k, start, end = worked
    held = people.cohort[person] + 1 + k >= FIRST_PAY
    person, k, days = person[held], k[held], (end - start + 1)[held]
    n, year = len(person), people.cohort[person] + 1 + k
    enterprise = careers.enterprise[person, k]
    later = year > LAST_OLD_REGISTER
    section = np.where(later, world.section_later[enterprise], world.section[enterprise])
    growth = (1 + facts.INFLATION) ** (year - facts.PRICE_YEAR)
    length = np.subtract(*tax_year_bounds(year)[::-1]) + 1
    paid = np.round(np.exp(pay.log[person, k]) * growth * days / length).clip(1, MOST_PAY).astype(np.int32)
    paid[defects.choose("pay of zero", n)] = 0
    rows: Rows = {
        "Edukey": ids.edukey_of(person, rng),
        "TaxYear": year.astype(np.int32),
        "Earnings": paid,
        **_industry(paid, enterprise, section, later, world, rng, defects),
    }
    rows = take(rows, np.delete(np.arange(n), defects.choose("spell without pay", n)))
    rows = defects.repeat("repeated pay record", rows)
    return defects.misspell("unknown industry", rows, "Main_Section", "Z")


def _industry(
    pay: AnyArray,
    enterprise: AnyArray,
    section: AnyArray,
    later: AnyArray,
    world: World,
    rng: Generator,
    defects: Defects,
) -> Rows:
    """Return the columns on enterprises, sections and industries, which are aggregated apart and may disagree."""
    n = len(pay)
    jobs = 1 + (rng.random(n) < 0.2) + (rng.random(n) < 0.05)
    share = np.where(jobs > 1, 0.5 + 0.5 * rng.random(n), 1.0)
    sic = np.where(later, world.sic_later[enterprise], world.sic[enterprise])
    main_pay = np.floor(pay * share).astype(np.int32)
    # Of several jobs, two smaller ones in one section may together pay more than the main enterprise.
    other = (jobs > 2) & (rng.random(n) < 0.5)
    main_section = np.where(other, rng.integers(0, len(facts.SECTIONS), n), section)
    tied = defects.struck("tied main section", n)
    unknown = rng.random(n) < 0.02
    codes = np.where(unknown, -1, enterprise).astype(np.int32)
    return {
        "main_enterprise": Coded(codes, world.enterprise_codes),
        "enterprise_earnings": main_pay,
        "tied_main_record_enterprise_sic_fg": tied.astype(np.int8),
        "Num_Employments": (jobs - unknown).astype(np.int32),
        "Main_Section": coded(np.where(unknown, -1, main_section), facts.SECTIONS),
        "Section_Earnings": np.where(other, pay - main_pay, main_pay),
        "Tied_Main_Section_Flag": tied.astype(np.int8),
        "Num_Sections": np.maximum(jobs, 1 + tied).astype(np.int32),
        "Main_SIC2007": Coded(np.where(unknown, -1, sic).astype(np.int32), world.sic_codes),
        "SIC_Earnings": main_pay,
        "Tied_Main_SIC_Flag": tied.astype(np.int8),
        "Num_SIC": jobs.astype(np.int32),
        "main_enterprise_linked_sic2007": Coded(np.where(unknown, -1, sic).astype(np.int32), world.sic_codes),
        "main_enterprise_linked_section": coded(np.where(unknown, -1, section), facts.SECTIONS),
    }


def self_employed(people: People, careers: Careers, rng: Generator) -> tuple[AnyArray, AnyArray]:
    """Return persons and tax years of self-employment from 2013-14: of some throughout, of others now and then."""
    share = np.where(people.female, facts.SELF_EMPLOYED["F"], facts.SELF_EMPLOYED["M"])
    often = rng.random(len(people)) < share
    years = np.arange(careers.seen.shape[1])
    chance = np.where(often, 0.7, 0.25 * share)[:, None] * np.minimum(1, years / 8)
    open_ = careers.seen & (careers.activity != NOT_CAPTURED) & (careers.activity < FIRST_EDUCATION)
    person, k = careers.cells(open_ & (rng.random(careers.seen.shape, np.float32) < chance))
    year = people.cohort[person] + 1 + k
    held = year >= FIRST_SELF_ASSESSMENT
    return person[held], year[held].astype(np.int32)


def self_assessment(self_employed: tuple[AnyArray, AnyArray], ids: Ids, rng: Generator) -> Rows:
    """Return one row per self-employed person and tax year."""
    person, year = self_employed
    n = len(person)
    income = np.round(np.exp(9.3 + 0.9 * rng.standard_normal(n)))
    partner, none = rng.random(n) < 0.12, rng.random(n) < 0.05
    both = np.where(none, np.nan, income)
    # The total is not always there.
    total = np.where(rng.random(n) < 0.03, np.nan, both)
    return {
        "Edukey": ids.edukey_of(person, rng),
        "TaxYear": year,
        "Self_Employed": np.ones(n, np.int8),
        "EARNINGS_PTR": np.where(partner, both, np.nan),
        "EARNINGS_SOLE": np.where(partner, np.nan, both),
        "EARNINGS_SELF_EMPLOYMENT": total,
    }
