"""Traits from school records: the school census, key stages 2 and 4."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from leoreturns.extract.tables import TERM_NAMES, table
from leoreturns.extract.tables_schools import ETHNIC_MAJOR, ETHNIC_MINOR
from leoreturns.panel.rules import PERSONS, Trait, first, known, labelled, lookup, rows

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

# ---- codes and labels -----------------------------------------------------------------------------------------------

SEXES = ("F", "M")
ETHNICITIES = {code: label for code, label in ETHNIC_MAJOR.items() if code != "UNCL"}
NO_ETHNICITY = ("INVA", "MISS", "N/A", "NOBT", "REFU")
ETHNICITIES_MINOR = {code: label for code, label in ETHNIC_MINOR.items() if code not in NO_ETHNICITY}
GROUPS = {
    "Asian": ("ABAN", "AIND", "AOTH", "APKN"),
    "Black": ("BAFR", "BCRB", "BOTH"),
    "Chinese": ("CHNE",),
    "Mixed": ("MOTH", "MWAS", "MWBA", "MWBC"),
    "White": ("WBRI", "WIRI", "WIRT", "WOTH", "WROM"),
    "other": ("OOTH",),
}
GROUP_OF_MINOR = {code: group for group, codes in GROUPS.items() for code in codes}
LANGUAGE_GROUPS = {"1_ENG": "English", "2_OTH": "other"}
LANGUAGES = {"ENG": "English", "ENB": "English", "OTH": "other", "OTB": "other"}
SUPPORT, STATEMENT = "without a statement", "with a statement"
NEED_GROUPS = {"1_NON": "none", "2_SNS": SUPPORT, "3_SS": STATEMENT}
NEEDS = {"N": "none", "A": SUPPORT, "P": SUPPORT, "K": SUPPORT, "S": STATEMENT, "E": STATEMENT}
QUINTILES = {1: "1 most deprived", 2: "2", 3: "3", 4: "4", 5: "5 least deprived"}
# Types of schools by key stage 4's own code.
SCHOOL_TYPES = {
    "1": "mainstream",
    "2": "selective",
    "3": "mainstream",
    "4": "mainstream",
    "5": "special",
    "6": "other",
}

AREAS_2001, AREAS_2011 = 32_482, 32_844  # areas of England that deprivation ranks
LEVELS = tuple("12345678")
LOW_END, HIGH_START = 24, 30  # points of the middle band
LAST_WITHOUT_LEVEL2 = 2003  # last cohort whose records hold no 5 A*-C with equivalents


# ---- relations of persons: one row of each person that the table has -----------------------------------------------

CENSUS_COLUMNS = (
    "AcademicYear",
    "CensusTerm",
    "RecordStatus",
    "OnRoll",
    "LAEstab_anon",
    "URN_anon",
    "Gender",
    "EthnicGroupMajor",
    "EthnicGroupMinor",
    "LanguageGroupMajor",
    "FirstLanguage",
    "FSMeligible",
    "SENprovisionMajor",
    "SENprovision",
    "IDACIRank",
    "LSOA11",
    "LSOA01",
)
# Spring first: the fullest census, and the only one before 2005-06.
TERM_PLACES = " ".join(f"WHEN '{TERM_NAMES[term]}' THEN {place}" for place, term in enumerate(("spr", "aut", "sum")))
CENSUS_ORDER = "AcademicYear DESC, term, LAEstab_anon NULLS LAST, URN_anon NULLS LAST"


def census(block: Block) -> str:
    """Return the census relation: of each attribute the first value in census order, or among the year-11 rows."""
    earlier = {
        "sex": known("Gender", SEXES),
        "major": known("EthnicGroupMajor", ETHNICITIES),
        "minor": known("EthnicGroupMinor", ETHNICITIES_MINOR),
        "language_group": known("LanguageGroupMajor", LANGUAGE_GROUPS),
        "language": known("FirstLanguage", LANGUAGES),
    }
    year_11 = {
        "eligible": "FSMeligible",
        "need_group": known("SENprovisionMajor", NEED_GROUPS),
        "need": known("SENprovision", NEEDS),
        "rank": f"CASE WHEN IDACIRank BETWEEN 1 AND {AREAS_2011} THEN IDACIRank END",
        "area_11": "LSOA11",
        "area_01": "LSOA01",
        "urn": "URN_anon",
    }
    attributes = ", ".join(f"{value} AS {name}" for name, value in (earlier | year_11).items())
    firsts = [f"{first(name, CENSUS_ORDER)} AS {name}" for name in earlier]
    firsts += [f"{first(name, CENSUS_ORDER, 'in_year_11')} AS {name}" for name in year_11]
    return f"""
        SELECT number, {", ".join(firsts)}, bool_or(FSMeligible) AS ever_eligible
        FROM (
            SELECT number, AcademicYear, LAEstab_anon, URN_anon, FSMeligible,
                CASE CensusTerm {TERM_PLACES} ELSE {len(TERM_NAMES)} END AS term,
                AcademicYear = cohort - 1 AS in_year_11, {attributes}
            FROM {rows(block, "school_census", CENSUS_COLUMNS)} JOIN {PERSONS} USING (number)
            WHERE (RecordStatus IS NULL OR RecordStatus BETWEEN 1 AND 10 OR RecordStatus = 20)
                AND OnRoll IS DISTINCT FROM false AND AcademicYear <= cohort - 1
        ) GROUP BY number"""


KS2_COLUMNS = (
    "KS2_ACADYR",
    "KS2_GENDER",
    "KS2_TOTPTS",
    "KS2_MATTOTMRK",
    "KS2_APS",
    "KS2_READFINE",
    *(f"KS2_{subject}{measure}" for subject in ("ENG", "MAT") for measure in ("FINE", "POINTS", "LEV")),
)
# The highest of records that are equal in all else, so that one is chosen.
KS2_ORDER = "KS2_ACADYR DESC, KS2_TOTPTS DESC NULLS LAST, KS2_MATTOTMRK DESC NULLS LAST, points DESC NULLS LAST"


def _subject(prefix: str, instead: str | None = None) -> str:
    """Return the points of a subject: a finely graded level, points, or a level, whose middle has 6 x level + 3."""
    level = f"CASE WHEN {known(f'{prefix}LEV', LEVELS)} IS NOT NULL THEN 6.0 * TRY_CAST({prefix}LEV AS INTEGER) + 3 END"
    # Reading stands in where the record holds nothing of English, not where it says that there was no level.
    last = f", CASE WHEN {prefix}LEV IS NULL THEN 6 * {instead} + 3 END" if instead else ""
    return f"coalesce(6 * {prefix}FINE + 3, {prefix}POINTS, {level}{last})"


def key_stage_2(block: Block) -> str:
    """Return the key stage 2 relation: points of the latest record before year 11, and sex."""
    english, mathematics = _subject("KS2_ENG", "KS2_READFINE"), _subject("KS2_MAT")
    # Not `first`: the chosen record's points count, and may be missing.
    chosen = f"first(points ORDER BY {KS2_ORDER}) FILTER (WHERE KS2_ACADYR < cohort - 1)"
    return f"""
        SELECT number, {chosen} AS points, {first("sex", "KS2_ACADYR DESC NULLS LAST")} AS sex
        FROM (
            SELECT *, coalesce((english + mathematics) / 2, english, mathematics, KS2_APS) AS points
            FROM (
                SELECT *, {known("KS2_GENDER", SEXES)} AS sex, {english} AS english, {mathematics} AS mathematics
                FROM {rows(block, "ks2", KS2_COLUMNS)}
            ) JOIN {PERSONS} USING (number)
        ) GROUP BY number"""


KS4 = table("ks4")
POINTS = (*KS4.variants("KS4_PTSTNEWE"), *KS4.variants("KS4_PTSTNEWG"))
FIVE_AC = (*KS4.variants("KS4_LEVEL2"), *KS4.variants("KS4_FIVEAC"))
FIVE_AC_EM = KS4.variants("KS4_LEVEL2_EM")
KS4_OTHERS = ("KS4_GENDER", "KS4_FSM", "KS4_URN_anon", "KS4_LAESTAB_anon", "KS4_NEWER_TYPE")


def key_stage_4(block: Block) -> str:
    """Return the key stage 4 relation: the record chosen for each person."""
    return f"""
        SELECT number, {known("KS4_GENDER", SEXES)} AS sex, KS4_FSM AS eligible,
            coalesce(KS4_URN_anon, KS4_LAESTAB_anon) AS school, {labelled("KS4_NEWER_TYPE", SCHOOL_TYPES)} AS type,
            coalesce({", ".join(POINTS)}) AS points,
            coalesce({", ".join(FIVE_AC_EM)}) AS five_ac_em,
            CASE WHEN cohort <= {LAST_WITHOUT_LEVEL2} THEN KS4_FIVEAC ELSE coalesce({", ".join(FIVE_AC)}) END AS five_ac
        FROM {rows(block, "ks4", (*POINTS, *FIVE_AC, *FIVE_AC_EM, *KS4_OTHERS), view="ks4_record")}
            JOIN {PERSONS} USING (number)"""


SCHOOL = "coalesce(ks4.school, census.urn)"


def relations(block: Block) -> dict[str, str]:
    """Return the relations that the traits below are taken from."""
    return {"census": census(block), "ks2": key_stage_2(block), "ks4": key_stage_4(block)}


def joins(block: Block) -> str:
    """Return the joins of outside lookups, each of one row at most."""
    regions = lookup(block, "regions")
    return f"""
        LEFT JOIN {regions} AS region_11 ON region_11.code = census.area_11
        LEFT JOIN {regions} AS region_01 ON region_01.code = census.area_01
        LEFT JOIN {lookup(block, "school_types")} AS school_type_of ON school_type_of.code = {SCHOOL}"""


# ---- traits ---------------------------------------------------------------------------------------------------------

_CENSUS = (("school_census",),)
_KS2 = (("ks2",),)
_KS4 = (("ks4",),)
_EITHER = (("ks4", "school_census"),)
_QUINTILE = f"least(1 + (census.rank - 1) * 5 // {AREAS_2001}, 5)"

TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "sex": Trait("coalesce(ks4.sex, census.sex, ks2.sex)", "DfE", (("ks4", "school_census", "ks2"),)),
        "ethnicity": Trait(
            f"coalesce({labelled('census.major', ETHNICITIES)}, {labelled('census.minor', GROUP_OF_MINOR)})",
            "DfE",
            _CENSUS,
        ),
        "ethnicity_minor": Trait(labelled("census.minor", ETHNICITIES_MINOR), "DfE", _CENSUS),
        "first_language": Trait(
            f"coalesce({labelled('census.language_group', LANGUAGE_GROUPS)}, {labelled('census.language', LANGUAGES)})",
            "DfE",
            _CENSUS,
        ),
        "fsm": Trait("coalesce(census.eligible, ks4.eligible)", "DfE", _EITHER),
        "fsm_ever": Trait("census.ever_eligible", "DfE", _CENSUS),
        "sen": Trait(
            f"coalesce({labelled('census.need_group', NEED_GROUPS)}, {labelled('census.need', NEEDS)})", "DfE", _CENSUS
        ),
        "idaci_quintile": Trait(
            labelled(f"CAST({_QUINTILE} AS VARCHAR)", {str(fifth): label for fifth, label in QUINTILES.items()}),
            "DfE",
            _CENSUS,
        ),
        "region": Trait("coalesce(region_11.label, region_01.label)", "DfE", (*_CENSUS, ("lookup_regions",))),
        "school": Trait(SCHOOL, "DfE", _EITHER, entity=True),
        "school_type": Trait("coalesce(school_type_of.label, ks4.type)", "DfE", (("lookup_school_types", "ks4"),)),
        "prior_attainment": Trait("ks2.points", "DfE", _KS2, "points"),
        "prior_attainment_band": Trait(
            f"CASE WHEN prior_attainment < {LOW_END} THEN 'low' WHEN prior_attainment < {HIGH_START} THEN 'middle' "
            f"WHEN prior_attainment >= {HIGH_START} THEN 'high' END",
            "DfE",
            _KS2,
        ),
        "ks4_points": Trait("ks4.points", "DfE", _KS4, "points"),
        "ks4_five_ac": Trait("ks4.five_ac", "DfE", _KS4),
        "ks4_five_ac_em": Trait("ks4.five_ac_em", "DfE", _KS4),
        "ks4_band": Trait(
            "CASE WHEN ks4_five_ac_em THEN '5 A*-C with English and maths' WHEN ks4_five_ac THEN '5 A*-C' "
            "WHEN NOT ks4_five_ac THEN 'below 5 A*-C' END",
            "DfE",
            _KS4,
        ),
    }
)
