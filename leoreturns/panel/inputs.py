"""What a panel is made of: the tables, and of each the columns that a rule reads.

No other column is read, so that what it holds, or fails to hold, cannot stop a build.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from leoreturns.extract.link import LOOKUPS as LINKS
from leoreturns.extract.lookups import SHAPES
from leoreturns.extract.source import Extract
from leoreturns.extract.tables import table
from leoreturns.panel import aims, traits_schools

# Key stage 4: the pupil, the year, and whether the pupil is at the end of it; they tell who is in the panel.
PMR, YEAR, AT_END = "KS4_PupilMatchingRefAnonymous", "KS4_ACADYR", "KS4_ENDKS"

READ: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ks2": traits_schools.KS2_COLUMNS,
        "ks4": (
            *traits_schools.POINTS,
            *traits_schools.FIVE_AC,
            *traits_schools.FIVE_AC_EM,
            *traits_schools.KS4_OTHERS,
        ),
        "school_census": traits_schools.CENSUS_COLUMNS,
        "ks5": (
            "KS5_ACADYR", "KS5_PASSES_GA", "KS5_PASSES_GAS", "KS5_PASS2LV3", "KS5_PASS2LV3ALEV", "KS5_PASS2LV3BTOC",
            "KS5_PASS2LV3AVCE", "KS5_PASS2LV3NVR", "KS5_PASS2LV3OTH",
        ),
        "ypmad": (
            "YPMAD_Academic_Year", "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS", "YPMAD_L3_NISVQ", "YPMAD_L3_OVERALL",
        ),
        "ilr_learners": ("Year", "L_FullLevel2Ach", "L_FullLevel3Ach"),
        "ilr_aims": (
            *aims.OTHER_COLUMNS,
            *aims.LEVEL_COLUMNS,
            *aims.APPRENTICESHIP_COLUMNS,
            "end_date",
            "end_date_expected",
        ),
        "hesa": (
            "HE_ACADYR", "HE_INSTID_ANON", "HE_XPQUAL01", "HE_COMDATE", "HE_DATELEFT", "HE_ENDDATE", "HE_XQLEV601",
            "HE_XCLASS01", *(f"HE_SBJQA{n}" for n in range(1, 4)), *(f"HE_XJACS01_{n}" for n in range(1, 5)),
            *(f"HE_XCAH03_{n}" for n in range(1, 6)), *(f"HE_XFPE01_{n}" for n in range(1, 6)),
        ),
        "employment": ("StartDate", "EndDate", "UncertainStartDate", "UncertainEndDate"),
        "earnings": ("TaxYear", "Earnings", "Main_Section", "main_enterprise_linked_section"),
        "self_assessment": ("TaxYear", "Self_Employed", "EARNINGS_PTR", "EARNINGS_SOLE", "EARNINGS_SELF_EMPLOYMENT"),
        "benefits": ("StartDate", "EndDate", "Benefit_type"),
        "cjrs": ("TAXYEAR", "CJRS_TOT_WKS"),
        "geography": ("TaxYear", "COA_2011", "LAUA_anon", "GORNM", "CTRYNM"),
    }
)  # fmt: skip
# Outside lookup -> its name among the views of a block.
LOOKUPS = MappingProxyType({"regions": "regions", "school_types": "school_types", "travel_to_work": "areas"})


def columns_read(extract: Extract, name: str) -> tuple[str, ...]:
    """Return the columns of a table of the extract that rules read, as far as they are there."""
    return tuple(column for column in READ[name] if extract.has(name, column))


def all_read(extract: Extract) -> dict[str, tuple[str, ...]]:
    """Return all that a panel is made of: tables of the extract, with their columns and ids, and outside lookups."""
    named = {name: (*columns, table(name).person or "") for name, columns in READ.items()}
    named["ks4"] += (YEAR, AT_END)
    named |= {lookup: ("AE_ID", column) for lookup, column in LINKS.values()}
    found = {
        name: tuple(column for column in columns if extract.has(name, column))
        for name, columns in named.items()
        if name in extract.tables
    }
    return found | {name: SHAPES[name].columns for name in LOOKUPS if name in extract.lookups}
