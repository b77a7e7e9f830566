"""Pathways: every type by hand; random records are held against the twin with the other traits."""

from itertools import permutations

import pytest
from traits_cases import APPRENTICE, aim, traits_of

from leoreturns.panel.pathways import OTHERWISE, PATHWAYS

HALF = aim(learning_aim_id="half", FL3Width=50)


CASES = [
    ({"hesa": [{"HE_XPQUAL01": True, "HE_ACADYR": 2009}], "ks5": []}, "level 4 or above"),
    ({"hesa": [{"HE_XPQUAL01": True, "HE_ACADYR": 2010}], "ks5": []}, "below level 2"),
    ({"ilr_aims": [aim(Notional_Level_v2="4"), APPRENTICE]}, "level 4 or above"),
    ({"ilr_aims": [APPRENTICE], "ks5": [{"KS5_ACADYR": 2008, "KS5_PASSES_GA": 3}]}, "level 3 apprenticeship"),
    ({"ilr_aims": [APPRENTICE | {"Year": 2006}]}, "below level 2"),
    ({"ks5": [{"KS5_ACADYR": 2008, "KS5_PASSES_GA": 1, "KS5_PASSES_GAS": 2}]}, "two or more A or AS levels"),
    ({"ypmad": [{"YPMAD_Academic_Year": 2008, "YPMAD_L3_A_PASS": 2}]}, "two or more A or AS levels"),
    ({"ks5": [{"KS5_ACADYR": 2008, "KS5_PASSES_GA": 1, "KS5_PASSES_GAS": 1}]}, "partial level 3"),
    ({"ks5": [{"KS5_ACADYR": 2010, "KS5_PASSES_GA": 3}]}, "below level 2"),
    ({"ilr_aims": [aim(programme_type="18", Notional_Level_v2="3")]}, "level 3 Diploma"),
    ({"ilr_aims": [aim(AimTitle="Edexcel BTEC Diploma", FL3Width=80)]}, "large level 3 BTEC, OCR or T level"),
    ({"ilr_aims": [aim(Tlevel=True, Notional_Level_v2="3")]}, "large level 3 BTEC, OCR or T level"),
    ({"ilr_aims": [aim(AimTitle="NVQ in Care", FullL3=True)]}, "level 3 NVQ"),
    ({"ilr_aims": [HALF | {"QualificationType": "0002"}, aim(FL3Width=40)]}, "mixed level 3"),
    ({"ilr_aims": [HALF, aim(FL3Width=40)]}, "other full level 3"),
    ({"ilr_aims": [HALF, HALF | {"Year": 2009}]}, "partial level 3"),
    ({"ilr_learners": [{"Year": 2008, "L_FullLevel3Ach": True}]}, "other full level 3"),
    ({"ilr_aims": [aim(FL3Width=50), aim(learning_aim_id="y", FL2Width=40)]}, "mixed level 2 and 3"),
    ({"ilr_aims": [aim(FL3Width=50), aim(learning_aim_id="y", FL2Width=20)]}, "partial level 2 and 3"),
    ({"ilr_aims": [aim(FL3Width=50, FL2Width=100)]}, "partial level 3"),
    ({"ilr_aims": [aim(app=True, Notional_Level_v2="2", FL2Width=100)]}, "level 2 apprenticeship"),
    ({"ilr_aims": [aim(Traineeship=True)]}, "traineeship"),
    ({"ilr_aims": [aim(programme_type="16", Notional_Level_v2="2")]}, "level 2 Diploma"),
    ({"ilr_aims": [aim(AimTitle="NVQ in Care", FL2Width=100)]}, "level 2 NVQ"),
    ({"ilr_aims": [aim(AimTitle="Mediocre award", FullL2=True)]}, "other full level 2"),
    ({"ilr_learners": [{"Year": 2008, "L_FullLevel2Ach": True}]}, "other full level 2"),
    ({"ilr_aims": [aim(FL2Width=20)]}, "partial level 2"),
    ({"ilr_aims": [aim(FL2Width=100, outcome="3")]}, "below level 2"),
]


@pytest.mark.parametrize(("tables", "pathway"), CASES)
def test_pathways(tables, pathway):
    assert traits_of(**tables)["pathway"] == pathway


def test_widths_add_up_exactly_in_any_order():
    widths = (3.85, 19.99, 56.16)  # 80, or a little less, in floating point
    assert {sum(order) < 80 for order in permutations(widths)} == {True, False}
    for order in permutations(widths):
        rows = [aim(learning_aim_id=str(at), FL3Width=width) for at, width in enumerate(order)]
        assert traits_of(ilr_aims=rows)["pathway"] == "other full level 3"
    assert traits_of(ilr_aims=[aim(FL3Width=79.99)])["pathway"] == "partial level 3"


def test_every_type_has_a_case():
    assert {pathway for _, pathway in CASES} == {*PATHWAYS, OTHERWISE}
