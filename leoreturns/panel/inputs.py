"""What a panel is made of: the tables, and of each the columns that a rule reads.

No other column is read, so that what it holds, or fails to hold, cannot stop a build.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from leoreturns.extract.lookups import SHAPES
from leoreturns.extract.source import Extract
from leoreturns.extract.tables import LINKS, table

# Key stage 4: the pupil, the year, and whether the pupil is at the end of it; they tell who is in the panel.
PMR, YEAR = "KS4_PupilMatchingRefAnonymous", "KS4_ACADYR"
AT_END, AGE = "KS4_ENDKS", "KS4_AGE_START"

READ: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ks2": (
            "KS2_ACADYR", "KS2_GENDER", "KS2_MONTHOFBIRTH", "KS2_ENGLEV", "KS2_MATLEV", "KS2_MATTOTMRK", "KS2_ENGFINE",
            "KS2_MATFINE", "KS2_READFINE", "KS2_ENGPOINTS", "KS2_MATPOINTS", "KS2_TOTPTS", "KS2_APS",
        ),
        "ks4": (
            "KS4_GENDER", "KS4_MONTHOFBIRTH", "KS4_FSM", "KS4_FSM6", "KS4_IDACI", "KS4_LAESTAB_anon", "KS4_URN_anon",
            "KS4_NFTYPE", "KS4_NEW_TYPE", "KS4_NEWER_TYPE", "KS4_FIVEAC", "KS4_FIVEAC_PTQ", "KS4_FIVEAC_PTQ_EE",
            "KS4_LEVEL2", "KS4_LEVEL2_PTQ", "KS4_LEVEL2_PTQ_EE", "KS4_LEVEL2_EM", "KS4_LEVEL2_EM_PTQ",
            "KS4_LEVEL2_EM_94", "KS4_PTSTNEWG", "KS4_PTSTNEWG_PTQ", "KS4_PTSTNEWE", "KS4_PTSTNEWE_PTQ",
            "KS4_PTSTNEWE_PTQ_EE", "KS4_POINTS_OLD_G", "KS4_HGMATH", "KS4_HGMATH_PTQ", "KS4_HGMATH_PTQ_EE",
            "KS4_HGMATH_91", "KS4_APMAT", "KS4_APMAT_PTQ", "KS4_APMAT_PTQ_EE", "KS4_APMAT_91", "KS4_APENG",
            "KS4_APENG_PTQ", "KS4_APENG_PTQ_EE", "KS4_APENG_91",
        ),
        "school_census": (
            "AcademicYear", "CensusTerm", "RecordStatus", "OnRoll", "Gender", "MonthOfBirth", "EthnicGroup",
            "EthnicGroupMinor", "EthnicGroupMajor", "FirstLanguage", "LanguageGroupMajor", "FSMeligible", "EVERFSM_6",
            "SENprovision", "SENprovisionMajor", "LSOA01", "LSOA11", "IDACIScore", "IDACIRank", "LAEstab_anon",
            "URN_anon",
        ),
        "absence": (
            "AcademicYear", "SessionsPossible_Annual", "OverallAbsence_Annual", "SessionsPossible_3Term",
            "OverallAbsence_3Term", "SessionsPossible_5HalfTerms", "OverallAbsence_5HalfTerms",
        ),
        "exclusions": (
            "AcademicYear", "Category", "TotalFixedExclusions", "PermanentExclusionCount",
            "PermanentExclusionIndicator", "PermanentExclusionInd",
        ),
        "cin": ("CIN_ACADYR", "CIN_PrimaryNeedCode", "CIN_ReferralNFA"),
        "cla": ("cla_PROCESSING_YEAR",),
        "ks5": (
            "KS5_ACADYR", "KS5_TOTPTSE", "KS5_PASSES_GA", "KS5_PASSES_GAS", "KS5_PASS2LV3", "KS5_PASS2LV3ALEV",
            "KS5_PASS2LV3BTOC", "KS5_PASS2LV3AVCE", "KS5_PASS2LV3IB", "KS5_PASS2LV3NVR", "KS5_PASS2LV3OTH",
        ),
        "plams": ("pl_ACADYR",),
        "ypmad": (
            "YPMAD_Academic_Year", "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS", "YPMAD_L3_IB_PASS", "YPMAD_L3_ACADEMIC",
            "YPMAD_L3_NISVQ", "YPMAD_L3_FE_ILR", "YPMAD_L3_WBL_ILR", "YPMAD_L3_APPRENTICESHIP_WBL_ILR",
            "YPMAD_L2_OVERALL", "YPMAD_L3_OVERALL",
        ),
        "ilr_learners": ("Year", "L_FullLevel2Ach", "L_FullLevel3Ach"),
        "ilr_aims": (
            "Year", "learning_aim_id", "programme_type", "AimType", "start_date", "end_date_expected", "end_date",
            "Compstatus", "outcome", "FL2Width", "FL3Width", "AimTitle", "QualificationType", "app", "Traineeship",
            "Notional_Level_v2", "Notional_Level_v2_latest", "active", "FrameworkApp", "StandardApp", "FullL2",
            "FullL3", "Tlevel",
        ),
        "hesa": (
            "HE_ACADYR", "HE_INSTID_ANON", "HE_XINSTID01__ANON", "HE_XPQUAL01", "HE_COMDATE", "HE_DATELEFT",
            "HE_ENDDATE", "HE_XMODE01", "HE_XLEV601", "HE_XQLEV601", "HE_XCLASS01", "HE_SBJQA1", "HE_SBJQA2",
            "HE_SBJQA3", "HE_XJACS01_1", "HE_XJACS01_2", "HE_XJACS01_3", "HE_XJACS01_4", "HE_XCAH03_1", "HE_XCAH03_2",
            "HE_XCAH03_3", "HE_XCAH03_4", "HE_XCAH03_5", "HE_XFPE01_1", "HE_XFPE01_2", "HE_XFPE01_3", "HE_XFPE01_4",
            "HE_XFPE01_5",
        ),
        "employment": ("StartDate", "EndDate", "UncertainStartDate", "UncertainEndDate"),
        "earnings": (
            "TaxYear", "Earnings", "main_enterprise", "tied_main_record_enterprise_sic_fg", "Num_Employments",
            "Main_Section", "Tied_Main_Section_Flag", "Main_SIC2007", "main_enterprise_linked_sic2007",
            "main_enterprise_linked_section",
        ),
        "self_assessment": (
            "TaxYear", "Self_Employed", "EARNINGS_PTR", "EARNINGS_SOLE", "EARNINGS_SELF_EMPLOYMENT",
        ),
        "benefits": ("StartDate", "EndDate", "Benefit_type", "Out_of_work_benefit"),
        "cjrs": ("TAXYEAR", "CJRS_TOT_WKS"),
        "geography": ("TaxYear", "COA_2011", "LAUA_anon", "GORNM", "CTRYNM"),
    }
)  # fmt: skip
# Outside lookup -> its name among the views of a block.
LOOKUPS: Mapping[str, str] = MappingProxyType(
    {
        "regions": "regions", "school_regions": "school_regions", "school_types": "school_types",
        "institution_types": "institution_types", "travel_to_work": "areas", "home_areas": "home_areas",
        "sectors": "sectors",
    }
)  # fmt: skip


def columns_read(extract: Extract, name: str) -> tuple[str, ...]:
    """Return the columns of a table of the extract that rules read, as far as they are there."""
    return tuple(column for column in READ[name] if extract.has(name, column))


def all_read(extract: Extract) -> dict[str, tuple[str, ...]]:
    """Return all that a panel is made of: tables of the extract, with their columns and ids, and outside lookups."""
    named = {name: (*columns, table(name).person or "") for name, columns in READ.items()}
    named["ks4"] += (YEAR, AT_END, AGE)
    named |= {lookup: ("AE_ID", column) for lookup, column in LINKS.values()}
    found = {
        name: tuple(column for column in columns if extract.has(name, column))
        for name, columns in named.items()
        if name in extract.tables
    }
    return found | {name: SHAPES[name].columns for name in LOOKUPS if name in extract.lookups}
