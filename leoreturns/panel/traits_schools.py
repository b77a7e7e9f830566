"""Traits of pupils and their schools: the school census, with what key stage 4 records say of them too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from leoreturns.extract.tables import TERM_NAMES
from leoreturns.extract.tables_schools import ETHNIC_EARLIER, ETHNIC_MAJOR, ETHNIC_MINOR
from leoreturns.panel.rules import PERSONS, VIA, Trait, first, known, labelled, lookup, rows_of
from leoreturns.panel.traits_attainment import SEXES, month

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

# ---- codes and labels -----------------------------------------------------------------------------------------------

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
# The column of the first years holds words in any case, or codes that are those of the minor groups.
EARLIER = {words.upper(): code for words, code in ETHNIC_EARLIER.items()} | {code: code for code in ETHNICITIES_MINOR}
GROUP_OF_MINOR = {code: group for group, codes in GROUPS.items() for code in codes}
LANGUAGE_GROUPS = {"1_ENG": "English", "2_OTH": "other"}
LANGUAGES = {"ENG": "English", "ENB": "English", "OTH": "other", "OTB": "other"}
SUPPORT, STATEMENT = "without a statement", "with a statement"
NEED_GROUPS = {"1_NON": "none", "2_SNS": SUPPORT, "3_SS": STATEMENT}
NEEDS = {"N": "none", "A": SUPPORT, "P": SUPPORT, "K": SUPPORT, "S": STATEMENT, "E": STATEMENT}
QUINTILES = {1: "1 most deprived", 2: "2", 3: "3", 4: "4", 5: "5 least deprived"}
# Types of schools by key stage 4's own codes, of 2010-11 on and of 2008-09 on; a school whose admissions policy is not
# known, or that is "other maintained", may be of several.
SCHOOL_TYPES = {"1": "mainstream", "2": "selective", "3": "mainstream", "5": "special", "6": "other"}
EARLIER_SCHOOL_TYPES = {
    "1": "mainstream",
    "2": "selective",
    "3": "mainstream",
    "5": "independent",
    "6": "other",
    "7": "other",
}

AREAS_2001, AREAS_2011 = 32_482, 32_844  # areas of England that deprivation ranks
SIX_YEARS = 6  # of eligibility for free school meals, up to year 11
FIRST_OBSERVED = 2007  # first cohort with a census in each of them
AREAS, HOME_AREAS = "areas", "home_areas"  # outside lookups of output areas, and of lower super output areas


# ---- relations of persons: one row of each person that the table has -----------------------------------------------

CENSUS_COLUMNS = (
    "AcademicYear",
    "CensusTerm",
    "RecordStatus",
    "OnRoll",
    "LAEstab_anon",
    "URN_anon",
    "Gender",
    "MonthOfBirth",
    "EthnicGroup",
    "EthnicGroupMajor",
    "EthnicGroupMinor",
    "LanguageGroupMajor",
    "FirstLanguage",
    "FSMeligible",
    "EVERFSM_6",
    "SENprovisionMajor",
    "SENprovision",
    "IDACIRank",
    "IDACIScore",
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
        "month": month("MonthOfBirth"),
        "earlier": labelled("upper(EthnicGroup)", EARLIER),
        "major": known("EthnicGroupMajor", ETHNICITIES),
        "minor": known("EthnicGroupMinor", ETHNICITIES_MINOR),
        "language_group": known("LanguageGroupMajor", LANGUAGE_GROUPS),
        "language": known("FirstLanguage", LANGUAGES),
    }
    year_11 = {
        "eligible": "FSMeligible",
        "six_years_told": "EVERFSM_6",
        "need_group": known("SENprovisionMajor", NEED_GROUPS),
        "need": known("SENprovision", NEEDS),
        "rank": f"CASE WHEN IDACIRank BETWEEN 1 AND {AREAS_2011} THEN least(IDACIRank, {AREAS_2001}) END",
        "deprivation": "IDACIScore",
        "area_11": "LSOA11",
        "area_01": "LSOA01",
        "urn": "URN_anon",
    }
    attributes = ", ".join(f"{value} AS {name}" for name, value in (earlier | year_11).items())
    firsts = [f"{first(name, CENSUS_ORDER)} AS {name}" for name in earlier]
    firsts += [f"{first(name, CENSUS_ORDER, 'in_year_11')} AS {name}" for name in year_11]
    return f"""
        SELECT number, {", ".join(firsts)}, bool_or(FSMeligible) AS ever_eligible,
            bool_or(FSMeligible) FILTER (WHERE in_six_years) AS six_years
        FROM (
            SELECT number, AcademicYear, LAEstab_anon, URN_anon, FSMeligible,
                CASE CensusTerm {TERM_PLACES} ELSE {len(TERM_NAMES)} END AS term,
                AcademicYear = cohort - 1 AS in_year_11, AcademicYear >= cohort - {SIX_YEARS} AS in_six_years,
                {attributes}
            FROM {rows_of(block, "school_census", CENSUS_COLUMNS)} JOIN {PERSONS} USING (number)
            WHERE (RecordStatus IS NULL OR RecordStatus BETWEEN 1 AND 10 OR RecordStatus = 20)
                AND OnRoll IS DISTINCT FROM false AND AcademicYear <= cohort - 1
        ) GROUP BY number"""


def residence(block: Block) -> str:
    """Return the relation of the area at 16: of the tax year in which key stage 4 ends, else of the next."""
    area = "area.label" if AREAS in block.lookups else "LAUA_anon"
    if HOME_AREAS in block.lookups and AREAS not in block.lookups:
        area = "CAST(NULL AS VARCHAR)"  # codes of authorities do not go with the areas of homes
    return f"""
        SELECT number, {first("area", "TaxYear, via")} AS area
        FROM (
            SELECT record.number, TaxYear, via, {area} AS area
            FROM {rows_of(block, "geography", ("TaxYear", "COA_2011", "LAUA_anon", VIA))} AS record
                LEFT JOIN {lookup(block, AREAS)} AS area ON area.code = record.COA_2011
        ) JOIN {PERSONS} USING (number)
        WHERE TaxYear BETWEEN cohort AND cohort + 1 GROUP BY number"""


SCHOOL = "coalesce(key_stage_4.school, census.urn)"


def relations(block: Block) -> dict[str, str]:
    """Return the relations that the traits below are taken from, beside those of attainment."""
    return {"census": census(block), "residence": residence(block)}


def joins(block: Block) -> str:
    """Return the joins of outside lookups, each of one row at most."""
    joined = {
        "region_11": ("regions", "census.area_11"),
        "region_01": ("regions", "census.area_01"),
        "home_11": (HOME_AREAS, "census.area_11"),
        "home_01": (HOME_AREAS, "census.area_01"),
        "region_of_school": ("school_regions", SCHOOL),
        "type_of_school": ("school_types", SCHOOL),
        "type_of_institution": ("institution_types", "key_stage_4.institution"),
    }
    return " ".join(
        f"LEFT JOIN {lookup(block, name)} AS {alias} ON {alias}.code = {code}" for alias, (name, code) in joined.items()
    )


# ---- traits ---------------------------------------------------------------------------------------------------------

_CENSUS = (("school_census",),)
_EITHER = (("ks4", "school_census"),)
_ANY = (("ks4", "school_census", "ks2"),)
_QUINTILE = f"1 + (census.rank - 1) * 5 // {AREAS_2001}"
_MINOR = "coalesce(census.minor, census.earlier)"
_GROUP = f"coalesce({labelled('census.major', ETHNICITIES)}, {labelled(_MINOR, GROUP_OF_MINOR)})"
_LANGUAGE = f"{labelled('census.language_group', LANGUAGE_GROUPS)}, {labelled('census.language', LANGUAGES)}"
_NEED = f"{labelled('census.need_group', NEED_GROUPS)}, {labelled('census.need', NEEDS)}"
_TYPE = (
    f"type_of_school.label, {labelled('key_stage_4.newer_type', SCHOOL_TYPES)}, "
    f"{labelled('key_stage_4.new_type', EARLIER_SCHOOL_TYPES)}, type_of_institution.label"
)
_SIX_YEARS = (
    "key_stage_4.six_years, census.six_years_told, "
    f"CASE WHEN person.cohort >= {FIRST_OBSERVED} THEN census.six_years END"
)

TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "sex": Trait("coalesce(key_stage_4.sex, census.sex, key_stage_2.sex)", "DfE", _ANY),
        "birth_month": Trait("coalesce(key_stage_4.month, census.month, key_stage_2.month)", "DfE", _ANY),
        "ethnicity": Trait(_GROUP, "DfE", _CENSUS),
        "ethnicity_minor": Trait(labelled(_MINOR, ETHNICITIES_MINOR), "DfE", _CENSUS),
        "first_language": Trait(f"coalesce({_LANGUAGE})", "DfE", _CENSUS),
        "fsm": Trait("coalesce(census.eligible, key_stage_4.eligible)", "DfE", _EITHER),
        "fsm_6": Trait(f"coalesce({_SIX_YEARS})", "DfE", _EITHER),
        "fsm_ever": Trait("census.ever_eligible", "DfE", _CENSUS),
        "sen": Trait(f"coalesce({_NEED})", "DfE", _CENSUS),
        "idaci_quintile": Trait(
            labelled(f"CAST({_QUINTILE} AS VARCHAR)", {str(fifth): label for fifth, label in QUINTILES.items()}),
            "DfE",
            _CENSUS,
        ),
        "idaci_score": Trait("coalesce(census.deprivation, key_stage_4.deprivation)", "DfE", _EITHER, "share"),
        "home_region": Trait("coalesce(region_11.label, region_01.label)", "DfE", (*_CENSUS, ("lookup_regions",))),
        "area_at_16": Trait(
            "coalesce(residence.area, home_11.label, home_01.label)",
            "DWP, DfE",
            (("geography", "school_census"), ("geography", f"lookup_{HOME_AREAS}")),
        ),
        "school": Trait(SCHOOL, "DfE", _EITHER, entity=True),
        "region": Trait("region_of_school.label", "DfE", (*_EITHER, ("lookup_school_regions",))),
        "school_type": Trait(f"coalesce({_TYPE})", "DfE", (("lookup_school_types", "ks4"),)),
    }
)
