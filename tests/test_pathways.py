"""Routes and pathways: every one by hand; random records are held against the twin with the other traits."""

from itertools import permutations

import pytest
from traits_cases import APPRENTICE, aim, traits_of

from leoreturns.panel.pathways import NO_ROUTE, OTHERWISE, PATHWAYS, ROUTES

HALF = aim(learning_aim_id="half", FL3Width=50)


CASES = [
    ({"hesa": [{"HE_XPQUAL01": True, "HE_ACADYR": 2009}], "ks5": []}, "level 4 or above"),
    ({"hesa": [{"HE_XPQUAL01": True, "HE_ACADYR": 2010}], "ks5": []}, "below level 2"),
    ({"ilr_aims": [aim(Notional_Level_v2="4"), APPRENTICE]}, "level 4 or above"),
    ({"ilr_aims": [APPRENTICE], "ks5": [{"KS5_ACADYR": 2008, "KS5_PASSES_GA": 3}]}, "level 3 apprenticeship"),
    ({"ilr_aims": [APPRENTICE | {"Year": 2006}]}, "below level 2"),
    ({"ilr_aims": [APPRENTICE | {"AimType": "3", "FL3Width": 50}]}, "partial level 3"),
    ({"ypmad": [{"YPMAD_Academic_Year": 2008, "YPMAD_L3_APPRENTICESHIP_WBL_ILR": 1}]}, "level 3 apprenticeship"),
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


# ---- routes ---------------------------------------------------------------------------------------------------------


def ks5(**values):
    return {"KS5_ACADYR": 2008} | {f"KS5_{name}": value for name, value in values.items()}


def ypmad(**values):
    return {"YPMAD_Academic_Year": 2008} | {f"YPMAD_L3_{name}": value for name, value in values.items()}


ROUTE_CASES = [
    ({"ks5": [ks5(PASS2LV3ALEV=True, PASS2LV3BTOC=True)]}, "A level"),
    ({"ks5": [ks5(PASSES_GA=1), ks5(PASSES_GA=2)]}, "A level"),
    ({"ks5": [ks5(PASSES_GA=1), ks5(PASSES_GA=1)]}, "none"),
    ({"ks5": [ks5(PASSES_GA=1, PASSES_GAS=3)]}, "A level"),
    ({"ks5": [ks5(PASS2LV3IB=True, PASS2LV3=True)]}, "A level"),
    ({"ks5": [ks5(PASSES_GA=3) | {"KS5_ACADYR": 2010}]}, "none"),
    ({"ks5": [ks5(PASSES_GA=3) | {"KS5_ACADYR": 2006}]}, "none"),
    ({"ypmad": [ypmad(A_PASS=1, AS_PASS=2)]}, "A level"),
    ({"ypmad": [ypmad(IB_PASS=1)]}, "A level"),
    ({"ks5": [ks5(PASS2LV3AVCE=True)]}, "vocational"),
    ({"ypmad": [ypmad(NISVQ=True)]}, "vocational"),
    ({"ypmad": [ypmad(FE_ILR=True, OVERALL=True)]}, "vocational"),
    ({"ilr_aims": [aim(FL3Width=80)]}, "vocational"),
    ({"ilr_aims": [aim(programme_type="31", Notional_Level_v2="3")]}, "vocational"),
    ({"ks5": [ks5(PASSES_GA=3)], "ilr_aims": [APPRENTICE]}, "apprenticeship"),
    ({"ypmad": [ypmad(APPRENTICESHIP_WBL_ILR=1, A_PASS=3)]}, "apprenticeship"),
    ({"ilr_aims": [aim(programme_type="25", Notional_Level_v2="5", AimType="1")]}, "apprenticeship"),
    ({"ilr_aims": [APPRENTICE | {"AimType": "3"}]}, "none"),
    ({"ilr_aims": [APPRENTICE | {"AimType": "3", "app": True}]}, "apprenticeship"),
    ({"ilr_aims": [APPRENTICE | {"Year": 2009}]}, "apprenticeship"),
    ({"ilr_aims": [APPRENTICE | {"Year": 2010}]}, "none"),
    ({"ilr_aims": [APPRENTICE | {"outcome": "2"}]}, "none"),
    ({"ilr_aims": [APPRENTICE | {"Notional_Level_v2": "2"}]}, "none"),
    ({"ilr_aims": [APPRENTICE | {"Notional_Level_v2": "2", "Notional_Level_v2_latest": "3"}]}, "apprenticeship"),
    ({"ilr_aims": [APPRENTICE | {"Notional_Level_v2_latest": "-1"}]}, "apprenticeship"),
    ({"ilr_aims": [aim(programme_type="24", Notional_Level_v2="3")]}, "none"),
    ({"ypmad": [ypmad(OVERALL=True)]}, "other level 3"),
    ({"ks5": [ks5(PASSES_GA=1)], "ilr_aims": [aim(FL3Width=30)]}, "other level 3"),
    ({"ilr_learners": [{"Year": 2008, "L_FullLevel3Ach": True}]}, "other level 3"),
]


@pytest.mark.parametrize(("tables", "route"), ROUTE_CASES)
def test_routes(tables, route):
    assert traits_of(**tables)["ks5_route"] == route


def test_every_route_has_a_case():
    assert {route for _, route in ROUTE_CASES} == {*ROUTES, NO_ROUTE}


def test_as_levels_count_with_their_own_outcomes():
    rows = [
        aim(learning_aim_id=f"{k}", QualificationType="0001", FL3Width=25, outcome=f"{6 + k % 2}") for k in range(4)
    ]
    assert traits_of(ilr_aims=rows)["ks5_route"] == "A level"
    assert traits_of(ilr_aims=[row | {"outcome": "8"} for row in rows])["ks5_route"] == "none"


def test_traits_by_19_are_missing_where_a_source_ends_before():
    tables = {"ks5": [ks5(PASSES_GA=3, TOTPTSE=900)], "ilr_aims": [], "hesa": []}

    def found(**coverage):
        by_19 = traits_of(coverage=coverage, **tables)
        return tuple(by_19[name] for name in ("ks5_route", "n_a_levels", "ks5_points", "pathway"))

    whole = ("A level", 3, 900, "two or more A or AS levels")
    assert found() == found(ks5=2009, ilr_aims=2009, hesa=2009, ypmad=2001) == whole
    assert found(hesa=2008) == (*whole[:3], None)
    assert found(ilr_aims=2008) == (None, 3, 900, None)
    assert found(ks5=2008) == (None, None, None, None)


def test_a_levels_and_points():
    def both(*rows, cohort=2007, young=()):
        found = traits_of(cohort, ks5=list(rows), ypmad=list(young))
        return found["n_a_levels"], found["ks5_points"]

    assert both() == (0, None)
    assert both(ks5(PASSES_GA=1), ks5(PASSES_GA=2), young=[ypmad(A_PASS=3)]) == (3, None)
    later = {"KS5_ACADYR": 2009}
    assert both(ks5(TOTPTSE=900), ks5(TOTPTSE=300) | later)[1] == 300
    assert both(ks5(TOTPTSE=900), ks5() | later)[1] is None
    assert both(ks5(TOTPTSE=900), ks5(TOTPTSE=300))[1] == 900
    assert both(ks5(TOTPTSE=900), ks5(TOTPTSE=300) | {"KS5_ACADYR": 2010})[1] == 900
    # The scale of points changes after 2014-15.
    assert both(ks5(TOTPTSE=900) | {"KS5_ACADYR": 2014}, cohort=2013)[1] == 900
    assert both(ks5(TOTPTSE=150) | {"KS5_ACADYR": 2015}, cohort=2013)[1] is None
