"""Routes and pathways: what a young person had achieved by 19, in few routes and in FFT Education Datalab's types.

Everything that records of the academic years C to C+2 show as achieved counts, so by 1 September of C+3. The size of
qualifications is measured in percent of a full level.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from leoreturns.panel.aims import HIGHER_LEVEL
from leoreturns.panel.rules import PERSONS, Trait, among, any_row, covered, rows_of

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

ROUTE_TABLES = ("ks5", "ypmad", "ilr_learners", "ilr_aims")
A_LEVEL_TABLES = ("ks5", "ypmad")
A_LEVEL_WIDTH, AS_WIDTH = 50, 25
FULL = 80  # percent from which a level counts as full: 1.6 A levels, as FFT has it
# Kinds of aims, which the form's own types tell for A and AS levels only; titles tell the others.
KIND = (
    "CASE WHEN lpad(QualificationType, 4, '0') IN ('0001', '0002') THEN 'academic' "
    r"WHEN regexp_matches(AimTitle, '\bNVQ\b', 'i') THEN 'NVQ' "
    r"WHEN regexp_matches(AimTitle, '\b(BTEC|OCR)\b', 'i') THEN 'national' ELSE 'other' END"
)
ADVANCED_DIPLOMAS, HIGHER_DIPLOMA, TRAINEESHIP, T_LEVEL = ("17", "18"), ("16",), ("24",), ("31",)  # programmes

VOCATIONAL = ("BTOC", "AVCE", "NVR", "OTH")  # routes of KS5_PASS2LV3 that are not academic
LAST_POINTS = 2014  # last academic year of key stage 5 points before their scale changed

# Route, and type of pathway -> the condition, over the relations below; the first that holds counts.
ROUTES = {
    "apprenticeship": "aim_19.apprenticeship OR ypmad_19.apprenticeship",
    "A level": f"size.academic >= {FULL} OR ks5_19.a_level OR ks5_19.baccalaureate OR ypmad_19.baccalaureate",
    "vocational": (
        f"size.vocational >= {FULL} OR aim_19.diploma_3 OR aim_19.t_level OR ks5_19.vocational OR ypmad_19.vocational"
    ),
    "other level 3": f"size.level_3 >= {FULL} OR ks5_19.level_3 OR ypmad_19.level_3 OR learner_19.level_3",
}
NO_ROUTE = "none"
PATHWAYS = {
    "level 4 or above": "aim_19.higher OR hesa_19.higher",
    "level 3 apprenticeship": "aim_19.apprenticeship_3 OR ypmad_19.apprenticeship",
    "two or more A or AS levels": f"size.academic >= {FULL} OR ks5_19.a_level",
    "level 3 Diploma": "aim_19.diploma_3",
    "large level 3 BTEC, OCR or T level": f"size.national >= {FULL} OR ks5_19.national OR aim_19.t_level",
    "level 3 NVQ": f"size.nvq_3 >= {FULL} OR ks5_19.nvq",
    "mixed level 3": (
        f"size.level_3 >= {FULL} AND size.academic > 0 AND size.vocational > 0 AND size.vocational < {FULL}"
    ),
    "other full level 3": (f"size.vocational >= {FULL} OR ks5_19.level_3 OR ypmad_19.level_3 OR learner_19.level_3"),
    "mixed level 2 and 3": f"size.level_3 > 0 AND size.level_2 > 0 AND size.level_3 + size.level_2 >= {FULL}",
    "partial level 2 and 3": "size.level_3 > 0 AND size.level_2 > 0",
    "partial level 3": "size.level_3 > 0",
    "level 2 apprenticeship": "aim_19.apprenticeship_2",
    "traineeship": "aim_19.traineeship",
    "level 2 Diploma": "aim_19.diploma_2",
    "level 2 NVQ": f"size.nvq_2 >= {FULL}",
    "other full level 2": f"size.level_2 >= {FULL} OR learner_19.level_2",
    "partial level 2": "size.level_2 > 0",
}
OTHERWISE = "below level 2"


def _by_19(year: str) -> str:
    return f"{year} BETWEEN cohort AND cohort + 2"


def academic_width(a_levels: str, as_levels: str) -> str:
    """Return the width of a record's A and AS levels, in percent of a full level 3."""
    return f"({A_LEVEL_WIDTH} * coalesce({a_levels}, 0) + {AS_WIDTH} * coalesce({as_levels}, 0))"


def _width(width: str, full: str) -> str:
    """Return the share of a full level in percent, 100 at least where an aim is marked as a full one."""
    # Decimals, as the form has them: their sums are exact, so the same in any order.
    percent = f"coalesce(TRY_CAST({width} AS DECIMAL(12, 2)), 0)"
    return f"greatest({percent}, CASE WHEN {full} THEN 100 ELSE 0 END)"


def relations(block: Block) -> dict[str, str]:
    """Return the relations of persons that traits are taken from; ``achieved_aim`` stands before them."""
    return {
        "seen_to_19": _observed(block),
        "ks5_19": _key_stage_5(block),
        "ypmad_19": _young_people(block),
        "learner_19": _learners(block),
        "hesa_19": _higher_education(block),
        "aim_19": _aims(),
        "width_19": _widths(),
        "size": _sizes(),
    }


def _observed(block: Block) -> str:
    """Return the relation of whether the sources of each trait reach the academic year C+2."""
    sources = {
        "a_levels": A_LEVEL_TABLES,
        "routes": ROUTE_TABLES,
        "pathways": (*ROUTE_TABLES, "hesa"),
        "points": ("ks5",),
    }
    columns = ", ".join(f"{covered(block, tables, 'cohort + 2')} AS {name}" for name, tables in sources.items())
    return f"SELECT number, {columns} FROM {PERSONS}"


def _key_stage_5(block: Block) -> str:
    names = ("KS5_ACADYR", "KS5_PASSES_GA", "KS5_PASSES_GAS", "KS5_TOTPTSE")
    routes = [f"KS5_PASS2LV3{route}" for route in VOCATIONAL]
    flags = {
        "a_level": "KS5_PASS2LV3ALEV",
        "baccalaureate": "KS5_PASS2LV3IB",
        "national": "KS5_PASS2LV3BTOC",
        "nvq": "KS5_PASS2LV3NVR",
        "level_3": "KS5_PASS2LV3",
    }
    passed = ", ".join(f"{any_row(column)} AS {name}" for name, column in flags.items())
    points = f"CASE WHEN KS5_ACADYR <= {LAST_POINTS} THEN KS5_TOTPTSE END"
    return f"""
        SELECT number, {passed}, {any_row(" OR ".join(routes))} AS vocational, max(KS5_PASSES_GA) AS a_levels,
            max({academic_width("KS5_PASSES_GA", "KS5_PASSES_GAS")}) AS academic,
            first({points} ORDER BY KS5_ACADYR DESC, KS5_TOTPTSE DESC NULLS LAST) AS points
        FROM {rows_of(block, "ks5", dict.fromkeys((*names, *flags.values(), *routes)))} JOIN {PERSONS} USING (number)
        WHERE {_by_19("KS5_ACADYR")} GROUP BY number"""


def _young_people(block: Block) -> str:
    flags = {
        "level_3": "YPMAD_L3_OVERALL",
        "baccalaureate": "YPMAD_L3_IB_PASS > 0",
        "vocational": "YPMAD_L3_NISVQ OR YPMAD_L3_FE_ILR",
        "apprenticeship": "YPMAD_L3_APPRENTICESHIP_WBL_ILR > 0",
    }
    names = (
        "YPMAD_Academic_Year",
        *(f"YPMAD_L3_{name}" for name in ("A_PASS", "AS_PASS", "IB_PASS", "NISVQ", "FE_ILR", "OVERALL")),
        "YPMAD_L3_APPRENTICESHIP_WBL_ILR",
    )
    columns = ", ".join(f"{any_row(condition)} AS {name}" for name, condition in flags.items())
    return f"""
        SELECT number, {columns}, max(YPMAD_L3_A_PASS) AS a_levels,
            max({academic_width("YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS")}) AS academic
        FROM {rows_of(block, "ypmad", names)} JOIN {PERSONS} USING (number)
        WHERE {_by_19("YPMAD_Academic_Year")} GROUP BY number"""


def _learners(block: Block) -> str:
    return f"""
        SELECT number, {any_row("L_FullLevel2Ach")} AS level_2, {any_row("L_FullLevel3Ach")} AS level_3
        FROM {rows_of(block, "ilr_learners", ("Year", "L_FullLevel2Ach", "L_FullLevel3Ach"))}
            JOIN {PERSONS} USING (number)
        WHERE {_by_19("Year")} GROUP BY number"""


def _higher_education(block: Block) -> str:
    return f"""
        SELECT number, true AS higher
        FROM {rows_of(block, "hesa", ("HE_ACADYR", "HE_XPQUAL01"))} JOIN {PERSONS} USING (number)
        WHERE HE_XPQUAL01 AND {_by_19("HE_ACADYR")} GROUP BY number"""


def _aims() -> str:
    """Return the relation of what single achieved aims tell."""
    marks = {
        "higher": f"level >= {HIGHER_LEVEL}",
        "apprenticeship": "is_apprenticeship AND level >= 3",
        "apprenticeship_3": "is_apprenticeship AND level = 3",
        "apprenticeship_2": "is_apprenticeship AND level = 2",
        "diploma_3": f"level = 3 AND {among('programme_type', ADVANCED_DIPLOMAS)}",
        "diploma_2": f"level = 2 AND {among('programme_type', HIGHER_DIPLOMA)}",
        "t_level": f"level = 3 AND (Tlevel OR {among('programme_type', T_LEVEL)})",
        "traineeship": f"Traineeship OR {among('programme_type', TRAINEESHIP)}",
    }
    columns = ", ".join(f"{any_row(condition)} AS {name}" for name, condition in marks.items())
    return f"""
        SELECT number, {columns}
        FROM achieved_aim WHERE {_by_19("Year")} GROUP BY number"""


def _widths() -> str:
    """Return the relation of the widths of a person's achieved aims by kind; an aim in several records counts once."""
    sums = {
        "academic": "width_3) FILTER (WHERE kind = 'academic'",
        "vocational": "width_3) FILTER (WHERE kind <> 'academic'",
        "national": "width_3) FILTER (WHERE kind = 'national'",
        "nvq_3": "width_3) FILTER (WHERE kind = 'NVQ'",
        "nvq_2": "width_2) FILTER (WHERE width_3 = 0 AND kind = 'NVQ'",
        "level_2": "width_2) FILTER (WHERE width_3 = 0",
    }
    columns = ", ".join(f"coalesce(sum({values}), 0) AS {name}" for name, values in sums.items())
    return f"""
        SELECT number, {columns}
        FROM (
            SELECT number, min({KIND}) AS kind,
                max({_width("FL3Width", "FullL3")}) AS width_3, max({_width("FL2Width", "FullL2")}) AS width_2
            FROM achieved_aim WHERE {_by_19("Year")} GROUP BY number, learning_aim_id
        ) GROUP BY number"""


def _sizes() -> str:
    """Return the relation of all widths, with A and AS levels by whichever source saw most of them."""
    vocational = ("vocational", "national", "nvq_3", "nvq_2", "level_2")
    columns = ", ".join(f"coalesce(width_19.{name}, 0) AS {name}" for name in vocational)
    academic = "greatest(ks5_19.academic, ypmad_19.academic, width_19.academic, 0)"
    return f"""
        SELECT number, {columns}, {academic} AS academic, {academic} + coalesce(width_19.vocational, 0) AS level_3
        FROM {PERSONS} LEFT JOIN ks5_19 USING (number) LEFT JOIN ypmad_19 USING (number)
            LEFT JOIN width_19 USING (number)"""


def _first_of(conditions: Mapping[str, str], otherwise: str, seen: str) -> str:
    """Return the first label whose condition holds; missing where the sources end before the person is 19."""
    cases = " ".join(f"WHEN {condition} THEN '{label}'" for label, condition in conditions.items())
    return f"CASE WHEN NOT seen_to_19.{seen} THEN NULL {cases} ELSE '{otherwise}' END"


TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "ks5_route": Trait(_first_of(ROUTES, NO_ROUTE, "routes"), "DfE", (ROUTE_TABLES,)),
        "n_a_levels": Trait(
            "CASE WHEN seen_to_19.a_levels THEN CAST(greatest(ks5_19.a_levels, ypmad_19.a_levels, 0) AS INTEGER) END",
            "DfE",
            (A_LEVEL_TABLES,),
        ),
        "ks5_points": Trait("CASE WHEN seen_to_19.points THEN ks5_19.points END", "DfE", (("ks5",),), "points"),
        "pathway": Trait(_first_of(PATHWAYS, OTHERWISE, "pathways"), "DfE, HESA", (ROUTE_TABLES,)),
    }
)
