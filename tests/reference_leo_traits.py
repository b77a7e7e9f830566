"""Traits of persons a second time, in plain pandas; see reference_leo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from reference_leo import (
    Population,
    achieved,
    as_index,
    coalesced,
    is_apprenticeship,
    is_programme,
    level_of,
    mapped,
    true,
)
from reference_leo_lists import level_of_row, subjects_of_row

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
CLASSES = {
    "first class": ("1", "First class honours"),
    "upper second class": ("2", "Upper second class honours"),
    "lower second class": ("3", "Lower second class honours"),
    "third class": ("4", "Third class honours or pass"),
    "unclassified": ("5", "Unclassified"),
}
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
        found["school_region"] = mapped(school, lookups["school_regions"])
    types = [mapped(persons[f"KS4_{column}"], known) for column, known in _type_codes(lookups).items()]
    found["school_type"] = mapped(school, lookups["school_types"])
    for other in types:
        found["school_type"] = else_(found["school_type"], other)
    points = _prior_attainment(population)
    found["prior_attainment"] = points
    found["prior_attainment_band"] = _banded(points, (24, 30), ("low", "middle", "high"))
    for name, column in (_ks4(persons) | _at_risk(population)).items():
        found[name] = column
    by_19 = _By19(population)
    found["ks5_route"] = by_19.seen(by_19.routes(), "ks5", "ypmad", "ilr_learners", "ilr_aims")
    found["n_a_levels"] = by_19.seen(by_19.a_levels(), "ks5", "ypmad")
    found["ks5_points"] = by_19.seen(by_19.points(), "ks5")
    found["pathway"] = by_19.seen(by_19.pathways(), "ks5", "ypmad", "ilr_learners", "ilr_aims", "hesa")
    for name, column in _highest(population, persons["ks4_five_ac"]).items():
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
    area = mapped(rows["COA_2011"], lookups["areas"]) if "areas" in lookups else rows["LAUA_anon"]
    area = first(rows.assign(place=places(rows, "TaxYear", "via")), area)
    if "home_areas" in lookups:
        area = else_(area if "areas" in lookups else area.iloc[:0], of_home(lookups["home_areas"]))
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
        "ever_excluded": ever(_who(out, excluded), 2006, set(rows["school_census"]["person"])),
        "ever_in_need": ever(_who(need, in_need), 2009),
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


# ---- after 16 -------------------------------------------------------------------------------------------------------


def _who(rows: pd.DataFrame, holds: pd.Series) -> set[int]:
    """Return the persons with a row for which something holds."""
    return set(rows.loc[holds.to_numpy(dtype=bool), "person"])


def _labelled(persons: pd.Index, otherwise: str, *groups: tuple[str | None, set[int]]) -> list[str | None]:
    """Return for each person the label of the first group that he is in."""
    return [next((label for label, members in groups if person in members), otherwise) for person in persons]


def _highest(population: Population, five_ac: pd.Series) -> dict[str, list[str | None]]:
    """Return the highest level by any record, and the education level that rests on it."""
    ks5, ypmad, learners, aims, hesa = (
        population.rows[name] for name in ("ks5", "ypmad", "ilr_learners", "ilr_aims", "hesa")
    )
    aims = aims[achieved(aims)]
    level, whole = level_of(aims), is_apprenticeship(aims) & is_programme(aims)
    qualified = hesa[true(hesa["HE_XPQUAL01"])]
    of_row = pd.Series([level_of_row(code) for code in qualified["HE_XQLEV601"]], qualified.index, dtype=object)
    full = [*(f"KS5_PASS2LV3{kind}" for kind in ("", "ALEV", "BTOC", "AVCE", "IB", "NVR", "OTH"))]
    ks5_3 = ks5[full].apply(true).any(axis=1) | (_academic(ks5, "KS5_PASSES_GA", "KS5_PASSES_GAS") >= FULL)
    young = [f"YPMAD_L3_{kind}" for kind in ("OVERALL", "ACADEMIC", "NISVQ", "FE_ILR", "WBL_ILR")]
    ypmad_3 = ypmad[young].apply(true).any(axis=1)
    ypmad_3 |= _academic(ypmad, "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS") >= FULL

    def level_of_hesa(*labels: str) -> set[int]:
        return _who(qualified, of_row.isin(labels))

    top = level_of_hesa("higher degree", "other postgraduate") | _who(aims, level >= 7)
    degree = level_of_hesa("first degree") | _who(aims, level >= 6)
    unknown = _who(qualified, of_row.isna())
    threes = _who(ks5, ks5_3) | _who(ypmad, ypmad_3) | _who(learners, true(learners["L_FullLevel3Ach"]))
    threes |= _who(aims, true(aims["FullL3"]) | (whole & (level == 3)))
    twos = set(five_ac.index[true(five_ac)]) | _who(ypmad, true(ypmad["YPMAD_L2_OVERALL"]))
    twos |= _who(learners, true(learners["L_FullLevel2Ach"])) | _who(
        aims, true(aims["FullL2"]) | (whole & (level == 2))
    )
    highest = _labelled(
        population.persons.index,
        "below level 2",
        ("level 7 or above", top),
        (None, unknown),
        ("level 6", degree),
        ("level 4 or 5", level_of_hesa("other undergraduate") | _who(aims, level >= 4)),
        ("level 3", threes),
        ("level 2", twos),
    )
    of_level = {
        "level 7 or above": "graduate",
        "level 6": "graduate",
        "level 4 or 5": "level 3 or above",
        "level 3": "level 3 or above",
        "level 2": "level 2 or below",
        "below level 2": "level 2 or below",
    }
    education = [
        "graduate" if person in degree else of_level.get(found)
        for person, found in zip(population.persons.index, highest, strict=True)
    ]
    return {"highest_level": highest, "education_level": education}


def _class(code: Any) -> str | None:
    words = "" if pd.isna(code) else code.strip().lower()
    return next(
        (name for start, (n, name) in CLASSES.items() if words.lstrip("0") == n or words.startswith(start)), None
    )


def first_degrees(population: Population) -> pd.DataFrame:
    """Return what the row of each graduate's first degree tells, index AE_ID."""
    rows = population.rows["hesa"]
    rows = rows[true(rows["HE_XPQUAL01"])]
    rows = rows[[level_of_row(code) == "first degree" for code in rows["HE_XQLEV601"]]]
    names = [name for _, name in CLASSES.values()]
    classes = [_class(code) for code in rows["HE_XCLASS01"]]
    found = pd.DataFrame({"person": rows["person"], "degree_class": pd.Series(classes, rows.index, dtype=object)})
    found["place"] = [names.index(name) if name else np.nan for name in classes]
    found["degree_year"] = (rows["HE_ACADYR"] + 1).astype(float)
    subjects = [subjects_of_row(row) for row in rows.to_dict("records")]
    # The largest weight; of equal ones `max` takes the first.
    main = [max(own, key=lambda entry: entry[1])[0] if own else None for own in subjects]
    found["degree_subject"] = pd.Series(main, rows.index, dtype=object)
    found["university"] = coalesced(rows, "HE_XINSTID01__ANON", "HE_INSTID_ANON")
    order = ["person", "degree_year", "place", "university", "degree_subject"]
    best = found.sort_values(order, na_position="last").drop_duplicates("person").set_index("person")
    return best[["degree_class", "degree_year", "degree_subject", "university"]]


# ---- by 19 ----------------------------------------------------------------------------------------------------------

FULL = 80
KINDS = {"NVQ": "NVQ", "national": "BTEC|OCR"}
YEARS = {
    "ks5": "KS5_ACADYR",
    "ypmad": "YPMAD_Academic_Year",
    "ilr_learners": "Year",
    "hesa": "HE_ACADYR",
    "ilr_aims": "Year",
}


class _By19:
    """What records of the academic years C to C+2 show."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.persons = population.persons.index
        self.ks5, self.ypmad, self.learners, self.hesa, aims = (
            _by_19(population, table, year) for table, year in YEARS.items()
        )
        self.aims = aims[achieved(aims)].assign(
            level=level_of, whole=lambda own: is_apprenticeship(own) & is_programme(own)
        )
        self.size = _sizes(self.aims, self.ks5, self.ypmad).reindex(self.persons).fillna(0)

    def seen(self, values: list[Any], *tables: str) -> list[Any]:
        """Return values where each of the tables reaches C+2, None elsewhere."""
        last = min(self.population.coverage[table] for table in tables)
        cohorts = self.population.persons["cohort"]
        return [value if cohort + 2 <= last else None for value, cohort in zip(values, cohorts, strict=True)]

    def sized(self, holds: pd.Series) -> set[int]:
        return set(self.size.index[holds])

    def ks5_has(self, *columns: str) -> set[int]:
        return set().union(*(_who(self.ks5, true(self.ks5[f"KS5_{column}"])) for column in columns))

    def ypmad_has(self, *columns: str) -> set[int]:
        """Return who has a flag, or a number above 0."""
        found = (self.ypmad[f"YPMAD_L3_{column}"] for column in columns)
        return set().union(*(_who(self.ypmad, true(column.astype(float) > 0)) for column in found))

    def aim(self, holds: pd.Series) -> set[int]:
        return _who(self.aims, holds)

    def programme(self, *codes: str) -> pd.Series:
        return true(self.aims["programme_type"].isin(codes))

    def large(self) -> dict[str, set[int]]:
        """Return Diplomas and T levels of level 3."""
        third = self.aims["level"] == 3
        return {
            "diploma": self.aim(third & self.programme("17", "18")),
            "t level": self.aim(third & (true(self.aims["Tlevel"]) | self.programme("31"))),
        }

    def learner(self, level: int) -> set[int]:
        return _who(self.learners, true(self.learners[f"L_FullLevel{level}Ach"]))

    def routes(self) -> list[str | None]:
        a, v = self.size["a"], self.size["v"]
        large = self.large()
        vocational = self.ks5_has(*(f"PASS2LV3{kind}" for kind in ("BTOC", "AVCE", "NVR", "OTH")))
        vocational |= self.ypmad_has("NISVQ", "FE_ILR") | large["diploma"] | large["t level"]
        third = self.ks5_has("PASS2LV3") | self.ypmad_has("OVERALL") | self.learner(3)
        apprentices = self.aim(self.aims["whole"] & (self.aims["level"] >= 3))
        return _labelled(
            self.persons,
            "none",
            ("apprenticeship", apprentices | self.ypmad_has("APPRENTICESHIP_WBL_ILR")),
            ("A level", self.sized(a >= FULL) | self.ks5_has("PASS2LV3ALEV", "PASS2LV3IB") | self.ypmad_has("IB_PASS")),
            ("vocational", self.sized(v >= FULL) | vocational),
            ("other level 3", self.sized(a + v >= FULL) | third),
        )

    def a_levels(self) -> list[float]:
        passes = {"KS5_PASSES_GA": self.ks5, "YPMAD_L3_A_PASS": self.ypmad}
        most = [rows.groupby("person")[column].max() for column, rows in passes.items()]
        return pd.concat(most, axis=1).max(axis=1).reindex(self.persons).fillna(0).astype(float).tolist()

    def points(self) -> list[float]:
        order = ["person", "KS5_ACADYR", "KS5_TOTPTSE"]
        latest = self.ks5.sort_values(order, ascending=[True, False, False], na_position="last").drop_duplicates(
            "person"
        )
        latest = latest.set_index("person").reindex(self.persons)
        return latest["KS5_TOTPTSE"].where(true(latest["KS5_ACADYR"] <= 2014)).tolist()

    def pathways(self) -> list[str | None]:
        """Return FFT's types."""
        size, aims = self.size, self.aims
        a, v, b, level_3 = size["a"], size["v"], size["b"], size["a"] + size["v"]
        level = {n: aims["level"] == n for n in (2, 3)}
        large = self.large()
        national = self.sized(size["national"] >= FULL) | self.ks5_has("PASS2LV3BTOC")
        third = self.ks5_has("PASS2LV3") | self.ypmad_has("OVERALL") | self.learner(3)
        apprentices = {n: self.aim(aims["whole"] & level[n]) for n in (2, 3)}
        return _labelled(
            size.index,
            "below level 2",
            ("level 4 or above", _who(self.hesa, true(self.hesa["HE_XPQUAL01"])) | self.aim(aims["level"] >= 4)),
            ("level 3 apprenticeship", apprentices[3] | self.ypmad_has("APPRENTICESHIP_WBL_ILR")),
            ("two or more A or AS levels", self.sized(a >= FULL) | self.ks5_has("PASS2LV3ALEV")),
            ("level 3 Diploma", large["diploma"]),
            ("large level 3 BTEC, OCR or T level", national | large["t level"]),
            ("level 3 NVQ", self.sized(size["nvq_3"] >= FULL) | self.ks5_has("PASS2LV3NVR")),
            ("mixed level 3", self.sized((level_3 >= FULL) & (a > 0) & (v > 0) & (v < FULL))),
            ("other full level 3", self.sized(v >= FULL) | third),
            ("mixed level 2 and 3", self.sized((level_3 > 0) & (b > 0) & (level_3 + b >= FULL))),
            ("partial level 2 and 3", self.sized((level_3 > 0) & (b > 0))),
            ("partial level 3", self.sized(level_3 > 0)),
            ("level 2 apprenticeship", apprentices[2]),
            ("traineeship", self.aim(true(aims["Traineeship"]) | self.programme("24"))),
            ("level 2 Diploma", self.aim(level[2] & self.programme("16"))),
            ("level 2 NVQ", self.sized(size["nvq_2"] >= FULL)),
            ("other full level 2", self.sized(b >= FULL) | self.learner(2)),
            ("partial level 2", self.sized(b > 0)),
        )


def _academic(rows: pd.DataFrame, a_levels: str, as_levels: str) -> pd.Series:
    """Return the width of the A and AS levels of each record."""
    return 50 * rows[a_levels].fillna(0) + 25 * rows[as_levels].fillna(0)


def _by_19(population: Population, table: str, year: str) -> pd.DataFrame:
    rows = population.rows[table]
    after = rows[year] - rows["person"].map(population.persons["cohort"])
    return rows[true(after.between(0, 2))]


def _sizes(aims: pd.DataFrame, ks5: pd.DataFrame, ypmad: pd.DataFrame) -> pd.DataFrame:
    """Return widths by person: a, v and b of the page, and those of national aims and NVQs."""
    academic = aims["QualificationType"].str.zfill(4).isin(["0001", "0002"])
    words = {kind: true(aims["AimTitle"].str.contains(rf"\b(?:{word})\b", case=False)) for kind, word in KINDS.items()}
    kind = np.select([true(academic), words["NVQ"], words["national"]], ["2 A level", "1 NVQ", "3 national"], "4 other")
    width = {
        n: aims[f"FL{n}Width"].fillna(0).where(~true(aims[f"FullL{n}"]), lambda known: known.clip(lower=100))
        for n in (2, 3)
    }
    each = aims.assign(kind=kind, w2=width[2], w3=width[3]).groupby(["person", "learning_aim_id"], dropna=False)
    each = each.agg({"kind": "min", "w2": "max", "w3": "max"}).reset_index()
    each["w2"] = each["w2"].where(each["w3"] == 0, 0)

    def total(width: str, holds: pd.Series | None = None) -> pd.Series:
        return (each if holds is None else each[holds]).groupby("person")[width].sum()

    found = {
        "v": total("w3", each["kind"] != "2 A level"),
        "b": total("w2"),
        "national": total("w3", each["kind"] == "3 national"),
        "nvq_3": total("w3", each["kind"] == "1 NVQ"),
        "nvq_2": total("w2", each["kind"] == "1 NVQ"),
    }
    passes = [
        _academic(rows, of_a, of_as).groupby(rows["person"]).max()
        for rows, of_a, of_as in (
            (ks5, "KS5_PASSES_GA", "KS5_PASSES_GAS"),
            (ypmad, "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS"),
        )
    ]
    found["a"] = pd.concat([*passes, total("w3", each["kind"] == "2 A level")], axis=1).max(axis=1)
    return pd.DataFrame(found)
