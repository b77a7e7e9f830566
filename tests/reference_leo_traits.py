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
    days_since_1970,
    is_apprenticeship,
    level_of,
    mapped,
    true,
)

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
SCHOOL_TYPES = {
    "1": "mainstream",
    "2": "selective",
    "3": "mainstream",
    "4": "mainstream",
    "5": "special",
    "6": "other",
}
QUINTILES = {1: "1 most deprived", 2: "2", 3: "3", 4: "4", 5: "5 least deprived"}
LAST_RANK = 32844
SEX = {"F": "F", "M": "M"}


def traits(population: Population, lookups: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return one row a person, index AE_ID: the traits of the contract."""
    persons = population.persons
    census = census_order(population)
    year_11 = census[census["AcademicYear"] == census["cohort"] - 1]
    found = pd.DataFrame(index=persons.index)
    found["cohort"] = persons["cohort"].astype(int)
    found["sex"] = _sex(population, census)
    for name, column in _census_traits(persons, census, year_11, lookups["regions"]).items():
        found[name] = as_index(column, persons.index)
    school = or_else(
        as_index(coalesced(persons, "KS4_URN_anon", "KS4_LAESTAB_anon"), persons.index), year_11, "URN_anon"
    )
    found["school"] = school
    found["school_type"] = else_(
        mapped(school, lookups["school_types"]), mapped(persons["KS4_NEWER_TYPE"], SCHOOL_TYPES)
    )
    points = _prior_attainment(population)
    found["prior_attainment"] = points
    found["prior_attainment_band"] = _banded(points, (24, 30), ("low", "middle", "high"))
    for name, column in _ks4(persons).items():
        found[name] = column
    found["ks5_route"] = _route(population)
    degrees = first_degrees(population)
    found["education_level"] = _education_level(population, found["ks5_route"])
    found["degree_class"] = as_index(degrees["HE_XCLASS01"], persons.index)
    found["degree_year"] = as_index(degrees["HE_ACADYR"] + 1, persons.index).astype(float)
    found["university"] = as_index(degrees["HE_INSTID_ANON"], persons.index)
    found["pathway"] = pathways(population)
    found["linked_to_tax_records"] = [person in population.linked for person in persons.index]
    return found


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


def _sex(population: Population, census: pd.DataFrame) -> pd.Series:
    persons = population.persons
    ks2 = population.rows["ks2"]
    ks2 = ks2.assign(place=-ks2["KS2_ACADYR"])
    found = else_(mapped(persons["KS4_GENDER"], SEX), first_label(census, census["Gender"], SEX))
    return as_index(else_(found, first_label(ks2, ks2["KS2_GENDER"], SEX)), persons.index)


def _census_traits(
    persons: pd.DataFrame, census: pd.DataFrame, year_11: pd.DataFrame, regions: Mapping[str, str]
) -> dict[str, pd.Series]:
    """Return what the census alone tells, but for free school meals."""
    minor = census["EthnicGroupMinor"]
    labels = TABLES["school_census"].variable("EthnicGroupMinor").codes
    labels = {code: label for code, label in labels.items() if code not in NO_ETHNICITY}
    rank = year_11["IDACIRank"]
    rank = rank.where(rank.between(1, LAST_RANK))
    quintile = (1 + (rank - 1) * 5 // 32482).clip(upper=5)
    ever = census.dropna(subset="FSMeligible").groupby("person")["FSMeligible"].any().astype(object)
    return {
        "ethnicity": _first_of(census, (census["EthnicGroupMajor"], ETHNIC_MAJOR), (minor, ETHNIC_MINOR)),
        "ethnicity_minor": first_label(census, minor, labels),
        "first_language": _first_of(
            census, (census["LanguageGroupMajor"], LANGUAGE_MAJOR), (census["FirstLanguage"], LANGUAGE)
        ),
        "fsm": else_(first(year_11, year_11["FSMeligible"]), persons["KS4_FSM"]),
        "fsm_ever": ever,
        "sen": _first_of(year_11, (year_11["SENprovisionMajor"], SEN_MAJOR), (year_11["SENprovision"], SEN)),
        "idaci_quintile": first_label(year_11, quintile, QUINTILES),
        "region": else_(*(mapped(first(year_11, year_11[f"LSOA{year}"]), regions) for year in ("11", "01"))),
    }


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
    english = english.where(~nothing, 6 * rows["KS2_READFINE"] + 3)
    points = pd.concat([english, mathematics], axis=1).mean(axis=1)
    rows = rows.assign(points=points.where(points.notna(), rows["KS2_APS"]))
    order = ["KS2_ACADYR", "KS2_TOTPTS", "KS2_MATTOTMRK", "points"]
    best = rows.sort_values(order, ascending=False, na_position="last").drop_duplicates("person").set_index("person")
    return best["points"].reindex(population.persons.index)


def _subject(rows: pd.DataFrame, subject: str) -> pd.Series:
    level = mapped(rows[f"KS2_{subject}LEV"], {str(level): level for level in range(1, 9)}).astype(float)
    points = 6 * rows[f"KS2_{subject}FINE"] + 3
    points = points.where(points.notna(), rows[f"KS2_{subject}POINTS"])
    return points.where(points.notna(), 6 * level + 3)


def _banded(values: pd.Series, borders: tuple[float, ...], labels: tuple[str, ...]) -> list[str | None]:
    return [None if np.isnan(value) else labels[sum(value >= border for border in borders)] for value in values]


def _ks4(persons: pd.DataFrame) -> dict[str, pd.Series]:
    with_em = coalesced(persons, *TABLES["ks4"].variants("KS4_LEVEL2_EM"))
    five = persons["ks4_five_ac"]
    band = pd.Series(None, persons.index, dtype=object)
    band[true(~five)] = "below 5 A*-C"
    band[true(five)] = "5 A*-C"
    band[true(with_em)] = "5 A*-C with English and maths"
    return {
        "ks4_points": persons["ks4_points"],
        "ks4_five_ac": as_index(five, persons.index),
        "ks4_five_ac_em": as_index(with_em, persons.index),
        "ks4_band": band,
    }


# ---- after 16 -------------------------------------------------------------------------------------------------------


def _who(rows: pd.DataFrame, holds: pd.Series) -> set[int]:
    """Return the persons with a row for which something holds."""
    return set(rows.loc[holds.to_numpy(dtype=bool), "person"])


def _labelled(persons: pd.Index, otherwise: str, *groups: tuple[str, set[int]]) -> list[str]:
    """Return for each person the label of the first group that he is in."""
    return [next((label for label, members in groups if person in members), otherwise) for person in persons]


def _route(population: Population) -> list[str]:
    rows, persons = population.rows, population.persons
    ks5, ypmad, learners, aims = (rows[name] for name in ("ks5", "ypmad", "ilr_learners", "ilr_aims"))
    academic = true(ks5["KS5_PASS2LV3ALEV"]) | true(ks5["KS5_PASSES_GA"] >= 2)
    vocational = pd.concat([true(ks5[f"KS5_PASS2LV3{kind}"]) for kind in ("BTOC", "AVCE", "NVR", "OTH")], axis=1)
    september = aims["person"].map(persons["cohort"]).map(lambda cohort: days_since_1970(cohort + 3, 9, 1))
    started = true(aims["start_date"] < september)
    apprentice = is_apprenticeship(aims) & (level_of(aims) >= 3) & achieved(aims) & started
    other = _who(ks5, true(ks5["KS5_PASS2LV3"])) | _who(ypmad, true(ypmad["YPMAD_L3_OVERALL"]))
    return _labelled(
        persons.index,
        "none",
        ("A level", _who(ks5, academic)),
        ("vocational", _who(ks5, vocational.any(axis=1)) | _who(ypmad, true(ypmad["YPMAD_L3_NISVQ"]))),
        ("apprenticeship", _who(aims, apprentice)),
        ("other level 3", other | _who(learners, true(learners["L_FullLevel3Ach"]))),
    )


def _says(level: pd.Series, *phrases: str) -> pd.Series:
    """Return whether a level of qualification has one of these phrases in it, in any case."""
    return true(level.str.lower().str.contains("|".join(phrases), regex=True))


def _education_level(population: Population, route: pd.Series) -> list[str]:
    hesa, aims = population.rows["hesa"], population.rows["ilr_aims"]
    qualified, level = true(hesa["HE_XPQUAL01"]), hesa["HE_XQLEV601"]
    degree = qualified & _says(level, "first degree", "higher degree", "other postgraduate")
    aim_level, done = level_of(aims), achieved(aims)
    level_3 = (true(aims["FullL3"]) & done) | ((aim_level >= 4) & done)
    return _labelled(
        population.persons.index,
        "level 2 or below",
        ("graduate", _who(hesa, degree) | _who(aims, (aim_level >= 6) & done)),
        ("level 3 or above", set(route.index[route != "none"]) | _who(hesa, qualified) | _who(aims, level_3)),
    )


def first_degrees(population: Population) -> pd.DataFrame:
    """Return the row of each graduate's first degree, index AE_ID."""
    rows = population.rows["hesa"]
    rows = rows[true(rows["HE_XPQUAL01"]) & _says(rows["HE_XQLEV601"], "first degree")]
    order = ["person", "HE_ACADYR", "HE_XCLASS01", "HE_INSTID_ANON"]
    return rows.sort_values(order, na_position="last").drop_duplicates("person").set_index("person")


# ---- pathways -------------------------------------------------------------------------------------------------------

FULL = 80
KINDS = {"NVQ": "NVQ", "national": "BTEC|OCR"}


def pathways(population: Population) -> list[str]:
    """Return FFT's type of what was achieved in the academic years C to C+2."""
    ks5, ypmad, learners, hesa, aims = (
        _by_19(population, table, year)
        for table, year in {
            "ks5": "KS5_ACADYR",
            "ypmad": "YPMAD_Academic_Year",
            "ilr_learners": "Year",
            "hesa": "HE_ACADYR",
            "ilr_aims": "Year",
        }.items()
    )
    aims = aims[achieved(aims)].assign(level=level_of, apprenticeship=is_apprenticeship)
    size = _sizes(aims, ks5, ypmad).reindex(population.persons.index).fillna(0)
    a, v, b, level_3 = size["a"], size["v"], size["b"], size["a"] + size["v"]
    level = {n: aims["level"] == n for n in (2, 3)}

    def sized(holds: pd.Series) -> set[int]:
        return set(size.index[holds])

    def ks5_has(column: str) -> set[int]:
        return _who(ks5, true(ks5[f"KS5_{column}"]))

    def aim(holds: pd.Series) -> set[int]:
        return _who(aims, holds)

    def programme(*codes: str) -> pd.Series:
        return true(aims["programme_type"].isin(codes))

    ypmad_3 = _who(ypmad, true(ypmad["YPMAD_L3_OVERALL"]))
    learner = {n: _who(learners, true(learners[f"L_FullLevel{n}Ach"])) for n in (2, 3)}
    return _labelled(
        size.index,
        "below level 2",
        ("level 4 or above", _who(hesa, true(hesa["HE_XPQUAL01"])) | aim(aims["level"] >= 4)),
        ("level 3 apprenticeship", aim(aims["apprenticeship"] & level[3])),
        ("two or more A or AS levels", sized(a >= FULL) | ks5_has("PASS2LV3ALEV")),
        ("level 3 Diploma", aim(level[3] & programme("17", "18"))),
        (
            "large level 3 BTEC, OCR or T level",
            sized(size["national"] >= FULL)
            | ks5_has("PASS2LV3BTOC")
            | aim(level[3] & (true(aims["Tlevel"]) | programme("31"))),
        ),
        ("level 3 NVQ", sized(size["nvq_3"] >= FULL) | ks5_has("PASS2LV3NVR")),
        ("mixed level 3", sized((level_3 >= FULL) & (a > 0) & (v > 0) & (v < FULL))),
        ("other full level 3", sized(v >= FULL) | ks5_has("PASS2LV3") | ypmad_3 | learner[3]),
        ("mixed level 2 and 3", sized((level_3 > 0) & (b > 0) & (level_3 + b >= FULL))),
        ("partial level 2 and 3", sized((level_3 > 0) & (b > 0))),
        ("partial level 3", sized(level_3 > 0)),
        ("level 2 apprenticeship", aim(aims["apprenticeship"] & level[2])),
        ("traineeship", aim(true(aims["Traineeship"]) | programme("24"))),
        ("level 2 Diploma", aim(level[2] & programme("16"))),
        ("level 2 NVQ", sized(size["nvq_2"] >= FULL)),
        ("other full level 2", sized(b >= FULL) | learner[2]),
        ("partial level 2", sized(b > 0)),
    )


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
        (50 * rows[of_a].fillna(0) + 25 * rows[of_as].fillna(0)).groupby(rows["person"]).max()
        for rows, of_a, of_as in (
            (ks5, "KS5_PASSES_GA", "KS5_PASSES_GAS"),
            (ypmad, "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS"),
        )
    ]
    found["a"] = pd.concat([*passes, total("w3", each["kind"] == "2 A level")], axis=1).max(axis=1)
    return pd.DataFrame(found)
