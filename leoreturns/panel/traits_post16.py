"""Traits from all that follows compulsory schooling: the highest level reached, and the first degree."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from leoreturns.panel import degrees
from leoreturns.panel.aims import HIGHER_LEVEL
from leoreturns.panel.pathways import FULL, ROUTE_TABLES, academic_width
from leoreturns.panel.rules import Trait, any_row, rows_of

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

DEGREE_LEVEL, POSTGRADUATE_LEVEL = 6, 7
ROUTES = ("ALEV", "BTOC", "AVCE", "IB", "NVR", "OTH")
SOURCES = ("ACADEMIC", "NISVQ", "FE_ILR", "WBL_ILR", "OVERALL")  # of YPMAD's level 3
HIGHEST_LEVELS = ("below level 2", "level 2", "level 3", "level 4 or 5", "level 6", "level 7 or above")
EDUCATION_LEVELS = ("level 2 or below", "level 3 or above", "graduate")


# ---- relations of persons: what any record of any year shows --------------------------------------------------------


def key_stage_5(block: Block) -> str:
    """Return the key stage 5 relation: two A levels or their equivalent."""
    flags = ("KS5_PASS2LV3", *(f"KS5_PASS2LV3{route}" for route in ROUTES))
    passes = ("KS5_PASSES_GA", "KS5_PASSES_GAS")
    full = f"{' OR '.join(flags)} OR {academic_width(*passes)} >= {FULL}"
    return f"""
        SELECT number, {any_row(full)} AS level_3
        FROM {rows_of(block, "ks5", (*flags, *passes))} GROUP BY number"""


def young_people(block: Block) -> str:
    """Return the relation of levels 2 and 3 of young people, by any route."""
    flags = tuple(f"YPMAD_L3_{source}" for source in SOURCES)
    passes = ("YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS")
    full = f"{' OR '.join(flags)} OR {academic_width(*passes)} >= {FULL}"
    return f"""
        SELECT number, {any_row(full)} AS level_3, {any_row("YPMAD_L2_OVERALL")} AS level_2
        FROM {rows_of(block, "ypmad", (*flags, *passes, "YPMAD_L2_OVERALL"))} GROUP BY number"""


def learners(block: Block) -> str:
    """Return the relation of full levels 2 and 3 of learners in further education."""
    names = {"level_2": "L_FullLevel2Ach", "level_3": "L_FullLevel3Ach"}
    columns = ", ".join(f"{any_row(column)} AS {name}" for name, column in names.items())
    return f"SELECT number, {columns} FROM {rows_of(block, 'ilr_learners', names.values())} GROUP BY number"


def achievements() -> str:
    """Return the relation of what a person's achieved aims amount to."""
    levels = {
        "level_2": "FullL2 OR is_apprenticeship AND level = 2",
        "level_3": "FullL3 OR is_apprenticeship AND level = 3",
        "higher": f"level >= {HIGHER_LEVEL}",
        "degree": f"level >= {DEGREE_LEVEL}",
        "postgraduate": f"level >= {POSTGRADUATE_LEVEL}",
    }
    columns = ", ".join(f"{any_row(condition)} AS {name}" for name, condition in levels.items())
    return f"SELECT number, {columns} FROM achieved_aim GROUP BY number"


def relations(block: Block) -> dict[str, str]:
    """Return the relations that the traits below are taken from; ``achieved_aim`` stands before them."""
    return {
        "key_stage_5": key_stage_5(block),
        "young": young_people(block),
        "learner": learners(block),
        "achieved": achievements(),
        "qualification": degrees.qualifications(block),
    }


# ---- traits ---------------------------------------------------------------------------------------------------------

_HESA = (("hesa",),)
_LEVELS = (ROUTE_TABLES, ("hesa",))
# Without the level of a qualification the highest one is known only where it is the top.
_HIGHEST = (
    "CASE WHEN qualification.postgraduate OR achieved.postgraduate THEN 'level 7 or above' "
    "WHEN qualification.unknown THEN NULL "
    "WHEN qualification.degree OR achieved.degree THEN 'level 6' "
    "WHEN qualification.undergraduate OR achieved.higher THEN 'level 4 or 5' "
    "WHEN key_stage_5.level_3 OR young.level_3 OR learner.level_3 OR achieved.level_3 THEN 'level 3' "
    "WHEN key_stage_4.five_ac OR young.level_2 OR learner.level_2 OR achieved.level_2 THEN 'level 2' "
    "ELSE 'below level 2' END"
)

TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "highest_level": Trait(_HIGHEST, "DfE, HESA", _LEVELS),
        "education_level": Trait(
            "CASE WHEN qualification.postgraduate OR qualification.degree OR achieved.degree THEN 'graduate' "
            "WHEN highest_level IN ('level 3', 'level 4 or 5') THEN 'level 3 or above' "
            "WHEN highest_level IN ('below level 2', 'level 2') THEN 'level 2 or below' END",
            "DfE, HESA",
            _LEVELS,
        ),
        "degree_class": Trait("qualification.class", "HESA", _HESA),
        "degree_year": Trait("qualification.year", "HESA", _HESA, "calendar year"),
        "degree_subject": Trait("qualification.subject", "HESA", _HESA),
        "university": Trait("qualification.university", "HESA", _HESA, entity=True),
    }
)
