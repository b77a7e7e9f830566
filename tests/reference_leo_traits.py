"""Traits of persons a second time, in plain pandas; see reference_leo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from reference_leo import (
    Population,
    as_index,
    coalesced,
    mapped,
    true,
)
from reference_leo_post16 import By19, first_degrees, highest_levels, who

from leoreturns.extract.tables import TABLES

ETHNIC_GROUPS = {
    "Asian": ("ABAN", "AIND", "AOTH", "APKN"),
    "Black": ("BAFR", "BCRB", "BOTH"),
    "Chinese": ("CHNE",),
    "Mixed": ("MOTH", "MWAS", "MWBA", "MWBC"),
    "White": ("WBRI", "WIRI", "WIRT", "WOTH", "WROM"),
    "other": ("OOTH",),
}
ETHNIC_MAJOR = {"AOEG": "other", "ASIA": "Asian", "BLAC": "Black", "CHIN": "Chinese", "MIXD": "Mixed", "WHIT": "White"}
ETHNIC_MINOR = {code: group for group, codes in ETHNIC_GROUPS.items() for code in codes}
NO_ETHNICITY = ("INVA", "MISS", "N/A", "NOBT", "REFU")
LANGUAGE_MAJOR = {"1_ENG": "English", "2_OTH": "other"}
LANGUAGE = {"ENG": "English", "ENB": "English", "OTH": "other", "OTB": "other"}
SEN_MAJOR = {"1_NON": "none", "2_SNS": "without a statement", "3_SS": "with a statement"}
SEN = {"N": "none"} | dict.fromkeys("APK", "without a statement") | dict.fromkeys("SE", "with a statement")
WORDS = {
    "African": "BAFR",
    "Any Other Asian Background": "AOTH",
    "Any Other Black Background": "BOTH",
    "Any Other Ethnic Group": "OOTH",
    "Any Other Mixed Background": "MOTH",
    "Any Other White Background": "WOTH",
    "Bangladeshi": "ABAN",
    "British": "WBRI",
    "White British": "WBRI",
    "Caribbean": "BCRB",
    "Chinese": "CHNE",
    "Gypsy / Romany": "WROM",
    "Indian": "AIND",
    "Irish": "WIRI",
    "Pakistani": "APKN",
    "Traveller Of Irish Heritage": "WIRT",
    "White and Asian": "MWAS",
    "White and Black African": "MWBA",
    "White and Black Caribbean": "MWBC",
}
SCHOOL_TYPES = {"1": "mainstream", "2": "selective", "3": "mainstream", "5": "special", "6": "other"}
NEW_TYPES = {"1": "mainstream", "2": "selective", "3": "mainstream", "5": "independent", "6": "other", "7": "other"}
GRADES = {"*": "A*"} | {grade: grade for grade in (*"ABCDEFGU", *"987654321")}
MONTHS = {month: month for month in range(1, 13)}
QUINTILES = {1: "1 most deprived", 2: "2", 3: "3", 4: "4", 5: "5 least deprived"}
LAST_RANK = 32844
SEX = {"F": "F", "M": "M"}


def traits(population: Population, lookups: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return one row a person, index AE_ID: the traits of the contract; columns without their lookup are not there."""
    persons = population.persons
    census = census_order(population)
    year_11 = census[census["AcademicYear"] == census["cohort"] - 1]
    found = pd.DataFrame(index=persons.index)
    found["cohort"] = persons["cohort"].astype(int)
    for name, codes in {"sex": SEX, "birth_month": MONTHS}.items():
        found[name] = _from_three(population, census, name, codes)
    own = _census_traits(persons, census, year_11) | _free_meals(persons, census, year_11)
    own |= _places(population, year_11, lookups)
    for name, column in own.items():
        found[name] = as_index(column, persons.index)
    school = or_else(
        as_index(coalesced(persons, "KS4_URN_anon", "KS4_LAESTAB_anon"), persons.index), year_11, "URN_anon"
    )
    found["school"] = school
    if "school_regions" in lookups:
        found["region"] = mapped(school, lookups["school_regions"])
    types = [mapped(persons[f"KS4_{column}"], known) for column, known in _type_codes(lookups).items()]
    found["school_type"] = mapped(school, lookups["school_types"])
    for other in types:
        found["school_type"] = else_(found["school_type"], other)
    points = _prior_attainment(population)
    found["prior_attainment"] = points
    found["prior_attainment_band"] = _banded(points, (24, 30), ("low", "middle", "high"))
    for name, column in (_ks4(persons) | _at_risk(population)).items():
        found[name] = column
    by_19 = By19(population)
    found["ks5_route"] = by_19.seen(by_19.routes(), "ks5", "ypmad", "ilr_learners", "ilr_aims")
    found["n_a_levels"] = by_19.seen(by_19.a_levels(), "ks5", "ypmad")
    found["ks5_points"] = by_19.seen(by_19.points(), "ks5")
    found["pathway"] = by_19.seen(by_19.pathways(), "ks5", "ypmad", "ilr_learners", "ilr_aims", "hesa")
    for name, column in highest_levels(population, persons["ks4_five_ac"]).items():
        found[name] = column
    for name, column in first_degrees(population).items():
        found[name] = as_index(column, persons.index)
    found["linked_to_tax_records"] = [person in population.linked for person in persons.index]
    return found


def _type_codes(lookups: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    return {"NEWER_TYPE": SCHOOL_TYPES, "NEW_TYPE": NEW_TYPES, "NFTYPE": lookups.get("institution_types", {})}


# ---- school census --------------------------------------------------------------------------------------------------


def census_order(population: Population) -> pd.DataFrame:
    """Return the census rows of persons that count, first those to look at first."""
    rows = population.rows["school_census"]
    rows = rows.assign(cohort=rows["person"].map(population.persons["cohort"]).astype("int64"))
    status = rows["RecordStatus"]
    main = status.isna() | true(status.between(1, 10)) | true(status == 20)
    rows = rows[main & rows["OnRoll"].fillna(True) & true(rows["AcademicYear"] <= rows["cohort"] - 1)]
    term = mapped(rows["CensusTerm"], {"Spring": 0, "Autumn": 1, "Summer": 2}).astype("Int64").fillna(3)
    rows = rows.assign(latest=-rows["AcademicYear"], term=term)
    return rows.assign(place=places(rows, "latest", "term", "LAEstab_anon", "URN_anon"))


def places(rows: pd.DataFrame, *order: str) -> pd.Series:
    """Return the place of each row in an order, missing last; rows that it leaves equal have one place."""
    return rows.groupby(list(order), dropna=False, sort=True).ngroup()


def first(rows: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Return the first value that is there of each person, in the order of the rows; in ties the smallest."""
    known = pd.DataFrame({"person": rows["person"], "place": rows["place"], "value": values}).dropna()
    known = known.sort_values(["person", "place", "value"]).drop_duplicates("person")
    return known.set_index("person")["value"].astype(object)


def first_label(rows: pd.DataFrame, codes: pd.Series, labels: Mapping[Any, Any]) -> pd.Series:
    """Return the label of the first code that has one."""
    return mapped(first(rows, codes.where(codes.isin(list(labels)))), labels)


def else_(one: pd.Series, other: pd.Series) -> pd.Series:
    """Return one, and the other where one is missing."""
    both = one.index.union(other.index)
    one, other = as_index(one, both), as_index(other, both)
    return one.where(one.notna(), other)


def or_else(one: pd.Series, rows: pd.DataFrame, column: str) -> pd.Series:
    """Return one, and where it is missing the first that is there in a column."""
    return as_index(else_(one, first(rows, rows[column])), one.index)


def _from_three(population: Population, census: pd.DataFrame, name: str, codes: Mapping[Any, Any]) -> pd.Series:
    """Return what key stage 4, else the census, else key stage 2 tells."""
    ks4, own, ks2 = {
        "sex": ("KS4_GENDER", "Gender", "KS2_GENDER"),
        "birth_month": ("KS4_MONTHOFBIRTH", "MonthOfBirth", "KS2_MONTHOFBIRTH"),
    }[name]
    persons, rows = population.persons, population.rows["ks2"]
    rows = rows.assign(place=-rows["KS2_ACADYR"])
    found = else_(mapped(persons[ks4], codes), first_label(census, census[own], codes))
    return as_index(else_(found, first_label(rows, rows[ks2], codes)), persons.index)


def _census_traits(persons: pd.DataFrame, census: pd.DataFrame, year_11: pd.DataFrame) -> dict[str, pd.Series]:
    """Return what the census tells of pupils themselves."""
    labels = TABLES["school_census"].variable("EthnicGroupMinor").codes
    labels = {code: label for code, label in labels.items() if code not in NO_ETHNICITY}
    codes = {words.upper(): code for words, code in WORDS.items()} | {code: code for code in labels}
    minor = first_label(census, census["EthnicGroupMinor"], {code: code for code in labels})
    minor = else_(minor, first_label(census, census["EthnicGroup"].str.upper(), codes))
    major = first_label(census, census["EthnicGroupMajor"], ETHNIC_MAJOR)
    rank = year_11["IDACIRank"]
    rank = rank.where(rank.between(1, LAST_RANK))
    quintile = (1 + (rank - 1) * 5 // 32482).clip(upper=5)
    return {
        "ethnicity": else_(major, mapped(minor, ETHNIC_MINOR)),
        "ethnicity_minor": mapped(minor, labels),
        "first_language": _first_of(
            census, (census["LanguageGroupMajor"], LANGUAGE_MAJOR), (census["FirstLanguage"], LANGUAGE)
        ),
        "sen": _first_of(year_11, (year_11["SENprovisionMajor"], SEN_MAJOR), (year_11["SENprovision"], SEN)),
        "idaci_quintile": first_label(year_11, quintile, QUINTILES),
        "idaci_score": else_(first(year_11, year_11["IDACIScore"]), persons["KS4_IDACI"]),
    }


def _free_meals(persons: pd.DataFrame, census: pd.DataFrame, year_11: pd.DataFrame) -> dict[str, pd.Series]:
    def any_of(rows: pd.DataFrame) -> pd.Series:
        return rows.dropna(subset="FSMeligible").groupby("person")["FSMeligible"].any().astype(object)

    six = any_of(census[(census["AcademicYear"] >= census["cohort"] - 6) & (census["cohort"] >= 2007)])
    told = else_(persons["KS4_FSM6"].astype(object), first(year_11, year_11["EVERFSM_6"]))
    return {
        "fsm": else_(first(year_11, year_11["FSMeligible"]), persons["KS4_FSM"]),
        "fsm_6": else_(told, six),
        "fsm_ever": any_of(census),
    }


def _places(
    population: Population, year_11: pd.DataFrame, lookups: Mapping[str, Mapping[str, str]]
) -> dict[str, pd.Series]:
    """Return the region of the home, and the area at 16."""

    def of_home(known: Mapping[str, str]) -> pd.Series:
        return else_(*(mapped(first(year_11, year_11[f"LSOA{year}"]), known) for year in ("11", "01")))

    rows = population.rows["geography"]
    after = rows["TaxYear"] - rows["person"].map(population.persons["cohort"])
    rows = rows[true(after.between(0, 1))]
    area = mapped(rows["COA_2011"], lookups["travel_to_work"]) if "travel_to_work" in lookups else rows["LAUA_anon"]
    area = first(rows.assign(place=places(rows, "TaxYear", "via")), area)
    if "home_areas" in lookups:
        area = else_(area if "travel_to_work" in lookups else area.iloc[:0], of_home(lookups["home_areas"]))
    return {"home_region": of_home(lookups["regions"]), "area_at_16": area}


def _first_of(rows: pd.DataFrame, *sources: tuple[pd.Series, Mapping[Any, Any]]) -> pd.Series:
    """Return the first label of a source, else of the next one."""
    found = pd.Series(dtype=object)
    for codes, labels in sources:
        found = else_(found, first_label(rows, codes, labels))
    return found


# ---- attainment at 11 and 16 ----------------------------------------------------------------------------------------


def _prior_attainment(population: Population) -> pd.Series:
    """Return points at key stage 2."""
    rows = population.rows["ks2"]
    rows = rows[true(rows["KS2_ACADYR"] < rows["person"].map(population.persons["cohort"]) - 1)]
    english, mathematics = _subject(rows, "ENG"), _subject(rows, "MAT")
    nothing = rows[["KS2_ENGFINE", "KS2_ENGPOINTS", "KS2_ENGLEV"]].isna().all(axis=1)
    english = english.where(~nothing, 6 * rows["KS2_READFINE"])
    points = pd.concat([english, mathematics], axis=1).mean(axis=1)
    rows = rows.assign(points=points.where(points.notna(), rows["KS2_APS"]))
    order = ["KS2_ACADYR", "KS2_TOTPTS", "KS2_MATTOTMRK", "points"]
    best = rows.sort_values(order, ascending=False, na_position="last").drop_duplicates("person").set_index("person")
    return best["points"].reindex(population.persons.index)


def _subject(rows: pd.DataFrame, subject: str) -> pd.Series:
    level = mapped(rows[f"KS2_{subject}LEV"], {str(level): level for level in range(1, 9)}).astype(float)
    points = 6 * rows[f"KS2_{subject}FINE"]
    points = points.where(points.notna(), rows[f"KS2_{subject}POINTS"])
    return points.where(points.notna(), 6 * level + 3)


def _banded(values: pd.Series, borders: tuple[float, ...], labels: tuple[str, ...]) -> list[str | None]:
    return [None if np.isnan(value) else labels[sum(value >= border for border in borders)] for value in values]


def _ks4(persons: pd.DataFrame) -> dict[str, pd.Series]:
    with_em = coalesced(persons, *TABLES["ks4"].variants("KS4_LEVEL2_EM"))
    five = persons["ks4_five_ac"]
    band = pd.Series(None, persons.index, dtype=object)
    band[true(five) & true(~with_em)] = "5 A*-C"
    band[true(~five)] = "below 5 A*-C"
    band[true(with_em)] = "5 A*-C with English and maths"
    points = ("ks4_points", "ks4_gcse_points", "ks4_gcse_points_old")
    return {name: persons[name] for name in points} | {
        "ks4_five_ac": as_index(five, persons.index),
        "ks4_five_ac_em": as_index(with_em, persons.index),
        "ks4_band": band,
        "ks4_maths_grade": _grade(persons, "KS4_HGMATH", "KS4_APMAT"),
        "ks4_english_grade": _grade(persons, "KS4_APENG"),
    }


def _grade(persons: pd.DataFrame, *columns: str) -> pd.Series:
    """Return the grade of the latest variant that has one."""
    found = pd.Series(None, persons.index, dtype=object)
    for column in columns:
        for variant in reversed(TABLES["ks4"].variants(column)):
            found = else_(found, mapped(persons[variant], GRADES))
    return found


# ---- pupils at risk -------------------------------------------------------------------------------------------------


def _at_risk(population: Population) -> dict[str, pd.Series]:
    persons, rows = population.persons, population.rows
    cohort = persons["cohort"]

    def up_to_16(table: str, year: str, offset: int = 1) -> pd.DataFrame:
        return rows[table][true(rows[table][year] <= rows[table]["person"].map(cohort) - offset)]

    out = up_to_16("exclusions", "AcademicYear")
    fixed, permanent = out["TotalFixedExclusions"], out["PermanentExclusionCount"]
    excluded = true(out["Category"].isin(["FIXD", "PERM"])) | true(fixed > 0) | true(permanent > 0)
    excluded |= true(out["PermanentExclusionIndicator"]) | true(out["PermanentExclusionInd"].isin(["1", "Y"]))
    need = up_to_16("cin", "CIN_ACADYR")
    in_need = ~true(need["CIN_ReferralNFA"]) & ~true(need["CIN_PrimaryNeedCode"] == "N9")
    care = up_to_16("cla", "cla_PROCESSING_YEAR", 0)

    def ever(held: set[int], first: int, seen: set[int] | None = None) -> pd.Series:
        may = (cohort >= first) & (True if seen is None else persons.index.isin(list(seen)))
        known = pd.Series(np.where(may, False, None), persons.index, dtype=object)
        known[persons.index.isin(list(held))] = True
        return known

    return {
        "absence_rate": _absence(rows["absence"], cohort),
        "ever_excluded": ever(who(out, excluded), 2006, set(rows["school_census"]["person"])),
        "ever_in_need": ever(who(need, in_need), 2009),
        "ever_looked_after": ever(set(care["person"]), 2006),
    }


def _absence(rows: pd.DataFrame, cohort: pd.Series) -> pd.Series:
    rows = rows[true(rows["AcademicYear"] == rows["person"].map(cohort) - 1)]
    possible = pd.Series(pd.NA, rows.index, dtype="Int64")
    missed = possible.copy()
    for period in ("3Term", "5HalfTerms", "Annual"):
        here = possible.isna() & true(rows[f"SessionsPossible_{period}"] > 0)
        possible = possible.mask(here, rows[f"SessionsPossible_{period}"])
        missed = missed.mask(here, rows[f"OverallAbsence_{period}"])
    both = pd.DataFrame({"person": rows["person"], "possible": possible, "missed": missed}).dropna()
    added = both.groupby("person").sum().astype(float)
    return (added["missed"] / added["possible"]).reindex(cohort.index)
