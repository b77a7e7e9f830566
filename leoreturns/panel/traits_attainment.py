"""Traits from attainment at 11 and at 16: key stages 2 and 4."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from leoreturns.extract.tables import table
from leoreturns.extract.tables_schools import GRADES, REFORMED_GRADES
from leoreturns.panel.rules import PERSONS, Trait, first, known, labelled, rows_of

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

SEXES = ("F", "M")
LEVELS = tuple("12345678")
LOW_END, HIGH_START = 24, 30  # points of the middle band
LAST_WITHOUT_LEVEL2 = 2003  # last cohort whose records hold no 5 A*-C with equivalents
GRADE_LABELS = {code: {"*": "A*"}.get(code, code) for code in (*GRADES, *REFORMED_GRADES)}

KS2_COLUMNS = (
    "KS2_ACADYR",
    "KS2_GENDER",
    "KS2_MONTHOFBIRTH",
    "KS2_TOTPTS",
    "KS2_MATTOTMRK",
    "KS2_APS",
    "KS2_READFINE",
    *(f"KS2_{subject}{measure}" for subject in ("ENG", "MAT") for measure in ("FINE", "POINTS", "LEV")),
)
# The highest of records that are equal in all else, so that one is chosen.
KS2_ORDER = "KS2_ACADYR DESC, KS2_TOTPTS DESC NULLS LAST, KS2_MATTOTMRK DESC NULLS LAST, points DESC NULLS LAST"
LATEST_KS2 = "KS2_ACADYR DESC NULLS LAST"

KS4 = table("ks4")
# Points: a trait for each scale, as they cannot be told apart in one column.
POINTS = {
    "ks4_points": KS4.variants("KS4_PTSTNEWE"),
    "ks4_gcse_points": KS4.variants("KS4_PTSTNEWG"),
    "ks4_gcse_points_old": KS4.variants("KS4_POINTS_OLD_G"),
}
FIVE_AC = (*KS4.variants("KS4_LEVEL2"), *KS4.variants("KS4_FIVEAC"))
FIVE_AC_EM = KS4.variants("KS4_LEVEL2_EM")
# Latest first: where a year has grades of both kinds, those of the reformed examination count.
MATHS = (*reversed(KS4.variants("KS4_HGMATH")), *reversed(KS4.variants("KS4_APMAT")))
ENGLISH = tuple(reversed(KS4.variants("KS4_APENG")))
KS4_OTHERS = (
    "KS4_GENDER",
    "KS4_MONTHOFBIRTH",
    "KS4_FSM",
    "KS4_FSM6",
    "KS4_IDACI",
    "KS4_URN_anon",
    "KS4_LAESTAB_anon",
    "KS4_NEWER_TYPE",
    "KS4_NEW_TYPE",
    "KS4_NFTYPE",
)


# ---- relations of persons -------------------------------------------------------------------------------------------


def month(column: str) -> str:
    """Return a calendar month; missing where it is none."""
    return f"CASE WHEN {column} BETWEEN 1 AND 12 THEN {column} END"


def _subject(prefix: str, instead: str | None = None) -> str:
    """Return the points of a subject: six times the finely graded level, points, or those of the middle of a level."""
    level = f"CASE WHEN {known(f'{prefix}LEV', LEVELS)} IS NOT NULL THEN 6.0 * TRY_CAST({prefix}LEV AS INTEGER) + 3 END"
    # Reading stands in where the record holds nothing of English, not where it says that there was no level.
    last = f", CASE WHEN {prefix}LEV IS NULL THEN 6 * {instead} END" if instead else ""
    return f"coalesce(6 * {prefix}FINE, {prefix}POINTS, {level}{last})"


def key_stage_2(block: Block) -> str:
    """Return the key stage 2 relation: points of the latest record before year 11, sex and month of birth."""
    english, mathematics = _subject("KS2_ENG", "KS2_READFINE"), _subject("KS2_MAT")
    # Not `first`: the chosen record's points count, and may be missing.
    chosen = f"first(points ORDER BY {KS2_ORDER}) FILTER (WHERE KS2_ACADYR < cohort - 1)"
    return f"""
        SELECT number, {chosen} AS points, {first("sex", LATEST_KS2)} AS sex, {first("month", LATEST_KS2)} AS month
        FROM (
            SELECT *, coalesce((english + mathematics) / 2, english, mathematics, KS2_APS) AS points
            FROM (
                SELECT *, {known("KS2_GENDER", SEXES)} AS sex, {month("KS2_MONTHOFBIRTH")} AS month,
                    {english} AS english, {mathematics} AS mathematics
                FROM {rows_of(block, "ks2", KS2_COLUMNS)}
            ) JOIN {PERSONS} USING (number)
        ) GROUP BY number"""


def key_stage_4(block: Block) -> str:
    """Return the key stage 4 relation: the record chosen for each person."""
    points = ", ".join(f"coalesce({', '.join(names)}, NULL) AS {name}" for name, names in POINTS.items())
    maths, english = (", ".join(labelled(name, GRADE_LABELS) for name in names) for names in (MATHS, ENGLISH))
    columns = (*sum(POINTS.values(), ()), *FIVE_AC, *FIVE_AC_EM, *MATHS, *ENGLISH, *KS4_OTHERS)
    return f"""
        SELECT number, {known("KS4_GENDER", SEXES)} AS sex, {month("KS4_MONTHOFBIRTH")} AS month,
            KS4_FSM AS eligible, KS4_FSM6 AS six_years, KS4_IDACI AS deprivation,
            coalesce(KS4_URN_anon, KS4_LAESTAB_anon) AS school, KS4_NEWER_TYPE AS newer_type, KS4_NEW_TYPE AS new_type,
            KS4_NFTYPE AS institution, {points}, coalesce({maths}) AS maths, coalesce({english}) AS english,
            coalesce({", ".join(FIVE_AC_EM)}) AS five_ac_em,
            CASE WHEN cohort <= {LAST_WITHOUT_LEVEL2} THEN KS4_FIVEAC ELSE coalesce({", ".join(FIVE_AC)}) END AS five_ac
        FROM {rows_of(block, "ks4", columns, view="ks4_record")} JOIN {PERSONS} USING (number)"""


def relations(block: Block) -> dict[str, str]:
    """Return the relations that the traits below are taken from."""
    return {"key_stage_2": key_stage_2(block), "key_stage_4": key_stage_4(block)}


# ---- traits ---------------------------------------------------------------------------------------------------------

_KS2, _KS4 = (("ks2",),), (("ks4",),)

TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "prior_attainment": Trait("key_stage_2.points", "DfE", _KS2, "points"),
        "prior_attainment_band": Trait(
            f"CASE WHEN prior_attainment < {LOW_END} THEN 'low' WHEN prior_attainment < {HIGH_START} THEN 'middle' "
            f"WHEN prior_attainment >= {HIGH_START} THEN 'high' END",
            "DfE",
            _KS2,
        ),
        **{name: Trait(f"key_stage_4.{name}", "DfE", _KS4, "points") for name in POINTS},
        "ks4_five_ac": Trait("key_stage_4.five_ac", "DfE", _KS4),
        "ks4_five_ac_em": Trait("key_stage_4.five_ac_em", "DfE", _KS4),
        # Without the result in English and maths, 5 A*-C is one of two bands: missing.
        "ks4_band": Trait(
            "CASE WHEN ks4_five_ac_em THEN '5 A*-C with English and maths' WHEN NOT ks4_five_ac THEN 'below 5 A*-C' "
            "WHEN ks4_five_ac AND NOT ks4_five_ac_em THEN '5 A*-C' END",
            "DfE",
            _KS4,
        ),
        "ks4_maths_grade": Trait("key_stage_4.maths", "DfE", _KS4),
        "ks4_english_grade": Trait("key_stage_4.english", "DfE", _KS4),
    }
)
