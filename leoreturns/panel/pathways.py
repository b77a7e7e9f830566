"""Pathways: what a young person had achieved after key stage 4, in the types of FFT Education Datalab.

Everything that records of the academic years C to C+2 show as achieved counts, so by 1 September of C+3. The size of
qualifications is measured in percent of a full level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leoreturns.panel.aims import HIGHER_LEVEL
from leoreturns.panel.rules import PERSONS, Trait, among, any_row, rows
from leoreturns.panel.traits_post16 import ROUTE_TABLES

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

A_LEVEL_WIDTH, AS_WIDTH = 50, 25
FULL = 80  # percent from which a level counts as full: 1.6 A levels, as FFT has it
# Kinds of aims, which the form's own types tell for A and AS levels only; titles tell the others.
KIND = (
    "CASE WHEN lpad(QualificationType, 4, '0') IN ('0001', '0002') THEN 'academic' "
    r"WHEN regexp_matches(AimTitle, '\bNVQ\b', 'i') THEN 'NVQ' "
    r"WHEN regexp_matches(AimTitle, '\b(BTEC|OCR)\b', 'i') THEN 'national' ELSE 'other' END"
)
ADVANCED_DIPLOMAS, HIGHER_DIPLOMA, TRAINEESHIP, T_LEVEL = ("17", "18"), ("16",), ("24",), ("31",)  # programmes

# Type of pathway -> the condition, over the relations below; the first that holds counts.
PATHWAYS = {
    "level 4 or above": "aim_19.higher OR hesa_19.higher",
    "level 3 apprenticeship": "aim_19.apprenticeship_3",
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


def _width(width: str, full: str) -> str:
    """Return the share of a full level in percent, 100 at least where an aim is marked as a full one."""
    # Decimals, as the form has them: their sums are exact, so the same in any order.
    percent = f"coalesce(TRY_CAST({width} AS DECIMAL(12, 2)), 0)"
    return f"greatest({percent}, CASE WHEN {full} THEN 100 ELSE 0 END)"


def relations(block: Block) -> dict[str, str]:
    """Return the relations of persons that the pathway is taken from; ``achieved_aim`` stands before them."""
    return {
        "ks5_19": _key_stage_5(block),
        "ypmad_19": _young_people(block),
        "learner_19": _learners(block),
        "hesa_19": _higher_education(block),
        "aim_19": _aims(),
        "width_19": _widths(),
        "size": _sizes(),
    }


def _key_stage_5(block: Block) -> str:
    names = ("KS5_ACADYR", "KS5_PASSES_GA", "KS5_PASSES_GAS", "KS5_PASS2LV3")
    routes = {"a_level": "KS5_PASS2LV3ALEV", "national": "KS5_PASS2LV3BTOC", "nvq": "KS5_PASS2LV3NVR"}
    passed = ", ".join(f"{any_row(column)} AS {name}" for name, column in routes.items())
    width = f"{A_LEVEL_WIDTH} * coalesce(KS5_PASSES_GA, 0) + {AS_WIDTH} * coalesce(KS5_PASSES_GAS, 0)"
    return f"""
        SELECT number, {passed}, {any_row("KS5_PASS2LV3")} AS level_3, max({width}) AS academic
        FROM {rows(block, "ks5", (*names, *routes.values()))} JOIN {PERSONS} USING (number)
        WHERE {_by_19("KS5_ACADYR")} GROUP BY number"""


def _young_people(block: Block) -> str:
    names = ("YPMAD_Academic_Year", "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS", "YPMAD_L3_OVERALL")
    width = f"{A_LEVEL_WIDTH} * coalesce(YPMAD_L3_A_PASS, 0) + {AS_WIDTH} * coalesce(YPMAD_L3_AS_PASS, 0)"
    return f"""
        SELECT number, {any_row("YPMAD_L3_OVERALL")} AS level_3, max({width}) AS academic
        FROM {rows(block, "ypmad", names)} JOIN {PERSONS} USING (number)
        WHERE {_by_19("YPMAD_Academic_Year")} GROUP BY number"""


def _learners(block: Block) -> str:
    return f"""
        SELECT number, {any_row("L_FullLevel2Ach")} AS level_2, {any_row("L_FullLevel3Ach")} AS level_3
        FROM {rows(block, "ilr_learners", ("Year", "L_FullLevel2Ach", "L_FullLevel3Ach"))}
            JOIN {PERSONS} USING (number)
        WHERE {_by_19("Year")} GROUP BY number"""


def _higher_education(block: Block) -> str:
    return f"""
        SELECT number, true AS higher
        FROM {rows(block, "hesa", ("HE_ACADYR", "HE_XPQUAL01"))} JOIN {PERSONS} USING (number)
        WHERE HE_XPQUAL01 AND {_by_19("HE_ACADYR")} GROUP BY number"""


def _aims() -> str:
    """Return the relation of what single achieved aims tell."""
    marks = {
        "higher": f"level >= {HIGHER_LEVEL}",
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


_CASES = " ".join(f"WHEN {condition} THEN '{label}'" for label, condition in PATHWAYS.items())
TRAITS = {"pathway": Trait(f"CASE {_CASES} ELSE '{OTHERWISE}' END", "DfE, HESA", (ROUTE_TABLES,))}
