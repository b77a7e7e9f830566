"""Traits from what follows compulsory schooling: key stage 5, further education, higher education."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from leoreturns.panel.aims import HIGHER_LEVEL
from leoreturns.panel.rules import Trait, any_row, rows

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

TWO_A_LEVELS = 2  # make a full level 3
VOCATIONAL = ("BTOC", "AVCE", "NVR", "OTH")  # routes of KS5_PASS2LV3 that are neither A levels nor the Baccalaureate
DEGREE_LEVEL = 6
FIRST_DEGREE = "first degree"
DEGREES = (FIRST_DEGREE, "higher degree", "other postgraduate")


# ---- relations of persons -------------------------------------------------------------------------------------------


def key_stage_5(block: Block) -> str:
    """Return the key stage 5 relation: two A levels or their equivalent, by route, in any record."""
    routes = [f"KS5_PASS2LV3{route}" for route in VOCATIONAL]
    names = ("KS5_PASS2LV3ALEV", "KS5_PASSES_GA", "KS5_PASS2LV3", *routes)
    return f"""
        SELECT number, {any_row(f"KS5_PASS2LV3ALEV OR KS5_PASSES_GA >= {TWO_A_LEVELS}")} AS a_level,
            {any_row(" OR ".join(routes))} AS vocational, {any_row("KS5_PASS2LV3")} AS level_3
        FROM {rows(block, "ks5", names)} GROUP BY number"""


def young_people(block: Block) -> str:
    """Return the relation of level 3 by any route, and by vocational qualifications of awarding bodies."""
    return f"""
        SELECT number, {any_row("YPMAD_L3_NISVQ")} AS vocational, {any_row("YPMAD_L3_OVERALL")} AS level_3
        FROM {rows(block, "ypmad", ("YPMAD_L3_NISVQ", "YPMAD_L3_OVERALL"))} GROUP BY number"""


def learners(block: Block) -> str:
    """Return the relation of learners in further education who achieved a full level 3."""
    return f"""
        SELECT number, {any_row("L_FullLevel3Ach")} AS level_3
        FROM {rows(block, "ilr_learners", ("L_FullLevel3Ach",))} GROUP BY number"""


def achievements(block: Block) -> str:
    """Return the relation of what a person's achieved aims amount to."""
    young = "start_date < make_date(cohort + 3, 9, 1)"
    return f"""
        SELECT number, {any_row(f"is_apprenticeship AND level >= 3 AND {young}")} AS apprenticeship,
            {any_row(f"FullL3 OR level >= {HIGHER_LEVEL}")} AS level_3, {any_row(f"level >= {DEGREE_LEVEL}")} AS degree
        FROM achieved_aim GROUP BY number"""


def higher_education(block: Block) -> str:
    """Return the relation of qualifications obtained in higher education, with the earliest first degree."""
    names = ("HE_ACADYR", "HE_XPQUAL01", "HE_XQLEV601", "HE_XCLASS01", "HE_INSTID_ANON")
    level = "lower(HE_XQLEV601)"
    degree = " OR ".join(f"contains({level}, '{words}')" for words in DEGREES)
    order = "HE_ACADYR NULLS LAST, HE_XCLASS01 NULLS LAST, HE_INSTID_ANON NULLS LAST"

    def of_degree(column: str) -> str:
        # Not the first value that is not missing: all three are of one row.
        return f"first({column} ORDER BY {order}) FILTER (WHERE contains({level}, '{FIRST_DEGREE}'))"

    return f"""
        SELECT number, true AS qualified, {any_row(degree)} AS graduate, {of_degree("HE_XCLASS01")} AS class,
            {of_degree("HE_ACADYR")} + 1 AS year, {of_degree("HE_INSTID_ANON")} AS university
        FROM {rows(block, "hesa", names)} WHERE HE_XPQUAL01 GROUP BY number"""


def relations(block: Block) -> dict[str, str]:
    """Return the relations that the traits below are taken from; ``achieved_aim`` stands before them."""
    return {
        "ks5": key_stage_5(block),
        "ypmad": young_people(block),
        "learner": learners(block),
        "aims": achievements(block),
        "hesa": higher_education(block),
    }


# ---- traits ---------------------------------------------------------------------------------------------------------

ROUTE_TABLES = ("ks5", "ypmad", "ilr_learners", "ilr_aims")
_HESA = (("hesa",),)

TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "ks5_route": Trait(
            "CASE WHEN ks5.a_level THEN 'A level' WHEN ks5.vocational OR ypmad.vocational THEN 'vocational' "
            "WHEN aims.apprenticeship THEN 'apprenticeship' "
            "WHEN ks5.level_3 OR ypmad.level_3 OR learner.level_3 THEN 'other level 3' ELSE 'none' END",
            "DfE",
            (ROUTE_TABLES,),
        ),
        "education_level": Trait(
            "CASE WHEN hesa.graduate OR aims.degree THEN 'graduate' "
            "WHEN ks5_route <> 'none' OR hesa.qualified OR aims.level_3 THEN 'level 3 or above' "
            "ELSE 'level 2 or below' END",
            "DfE, HESA",
            ((*ROUTE_TABLES, "hesa"),),
        ),
        "degree_class": Trait("hesa.class", "HESA", _HESA),
        "degree_year": Trait("hesa.year", "HESA", _HESA, "calendar year"),
        "university": Trait("hesa.university", "HESA", _HESA, entity=True),
    }
)
