"""Lists of persons from linked tables: subjects, aims, benefits."""

import pytest
from traits_cases import block_of, day

from leoreturns.panel import Panel
from leoreturns.panel.aims import APPRENTICESHIPS
from leoreturns.panel.person_lists import derive_lists


def entries_of(name, *, seed=None, threads=1, cohort=(2007, 2007), **tables):
    """Entries of a list as tuples (number, code, start, end, weight)."""
    with block_of(tables, cohort=cohort, seed=seed, threads=threads) as block:
        return [tuple(row.values()) for row in derive_lists(block)[name].to_pylist()]


def degree(year=2010, **values):
    return {"HE_XPQUAL01": True, "HE_ACADYR": year} | values


YEAR = (day("2010-08-01"), day("2011-07-31"))


def test_subjects_take_each_coding_in_turn_and_the_share_of_time():
    codes = {"HE_XJACS01_1": "L100", "HE_XCAH03_1": "CAH15", "HE_XCAH03_2": "CAH20", "HE_SBJQA3": "old"}
    row = degree(**codes, HE_XQLEV601="4", HE_XFPE01_1=50.0, HE_XFPE01_2=0.0)
    subjects = entries_of("subjects", hesa=[row])
    assert [(code, weight) for _, code, _, _, weight in subjects] == [
        ("first degree:cah:CAH20", 0.0),
        ("first degree:jacs2:L100", 0.5),
        ("first degree:sbjqa:old", pytest.approx(1 / 3, rel=1e-15)),
    ]
    assert {dates for _, _, *dates, _ in map(tuple, subjects) for dates in [tuple(dates)]} == {YEAR}


@pytest.mark.parametrize(
    ("values", "code"),
    [({}, "unknown level:jacs2:L1"), ({"HE_ACADYR": 2012, "HE_XQLEV601": "1"}, "higher degree:jacs3:L1"),
     ({"HE_ACADYR": 2011, "HE_XQLEV601": "Other undergraduate"}, "other undergraduate:jacs2:L1")],
)  # fmt: skip
def test_subjects_name_their_level_and_coding(values, code):
    assert entries_of("subjects", hesa=[degree(HE_XJACS01_1="L1") | values])[0][1] == code


def test_only_qualifications_obtained_have_subjects():
    rows = [degree(HE_XJACS01_1="L100") | {"HE_XPQUAL01": obtained} for obtained in (True, False, None)]
    assert len(entries_of("subjects", hesa=rows)) == 1
    assert entries_of("subjects", hesa=[degree()]) == []


@pytest.mark.parametrize(
    ("values", "start", "end"),
    [
        ({"HE_COMDATE": day("2008-09-20")}, YEAR[0], YEAR[1]),
        ({"HE_COMDATE": day("2011-01-05"), "HE_ENDDATE": day("2011-06-30")}, day("2011-01-05"), day("2011-06-30")),
        ({"HE_ENDDATE": day("2012-06-30"), "HE_DATELEFT": day("2011-01-01")}, YEAR[0], YEAR[1]),
        ({"HE_DATELEFT": day("2011-02-01")}, YEAR[0], day("2011-02-01")),
        ({"HE_ACADYR": None, "HE_COMDATE": day("2008-09-20")}, day("2008-09-20"), None),
    ],
)
def test_subjects_have_the_dates_of_the_course_within_the_academic_year(values, start, end):
    assert entries_of("subjects", hesa=[degree(HE_SBJQA1="x") | values]) == [
        (0, "unknown level:sbjqa:x", start, end, 1.0)
    ]


def test_aims_are_those_achieved_weighted_by_their_share_of_level_3():
    rows = [
        {"number": 1, "learning_aim_id": "a", "outcome": "1", "FL3Width": 50.0, "start_date": day("2008-09-01")},
        {"number": 0, "learning_aim_id": "b", "outcome": "1", "end_date": day("2009-07-01")},
        {"number": 0, "learning_aim_id": "c", "outcome": "1", "FL3Width": -1.0},
        {"number": 0, "learning_aim_id": "d", "outcome": "2", "FL3Width": 50.0},
        {"number": 0, "outcome": "1", "FL3Width": 100.0},
        {"number": 1, "learning_aim_id": "e", "outcome": "6"},
        {"number": 1, "learning_aim_id": "f", "outcome": "7"},
        {"number": 1, "learning_aim_id": "g", "outcome": "8"},
    ]
    assert entries_of("aims", ilr_aims=rows) == [
        (0, None, None, None, 1.0),
        (0, "b", None, day("2009-07-01"), 0.0),
        (0, "c", None, None, 0.0),
        (1, "a", day("2008-09-01"), None, 0.5),
        (1, "e", None, None, 0.0),
        (1, "f", None, None, 0.0),
    ]


def test_benefits_are_all_spells():
    rows = [
        {"Benefit_type": "JSA", "StartDate": day("2010-01-01"), "EndDate": day("2010-02-01")},
        {"Benefit_type": None, "StartDate": day("2010-01-01"), "EndDate": None},
        {"Benefit_type": "JSA", "StartDate": day("2010-01-01"), "EndDate": day("2010-02-01")},
    ]
    spell = (0, "JSA", day("2010-01-01"), day("2010-02-01"), 1.0)
    assert entries_of("benefits", benefits=rows) == [(0, None, day("2010-01-01"), None, 1.0), spell, spell]


def test_lists_of_absent_tables_are_left_out_and_those_without_a_column_are_missing():
    with block_of({"ks4": [{"KS4_FSM": True}]}) as block:
        assert derive_lists(block) == {}
    assert entries_of("benefits", benefits=[{"Out_of_work_benefit": True}]) == [(0, None, None, None, 1.0)]
    assert entries_of("aims", ilr_aims=[{"learning_aim_id": "a"}]) == []


@pytest.mark.parametrize(("seed", "threads"), [(1, 1), (2, 2), (3, 2)])
def test_the_order_of_rows_and_threads_do_not_matter(seed, threads):
    rows = [
        {"number": number % 2, "learning_aim_id": f"aim {number % 7}", "outcome": "1", "FL3Width": float(number % 3)}
        for number in range(60)
    ]
    assert entries_of("aims", ilr_aims=rows, seed=seed, threads=threads) == entries_of("aims", ilr_aims=rows)


def test_a_panel_takes_the_lists():
    rows = [{"number": 1, "Benefit_type": "JSA", "StartDate": day("2010-01-01"), "EndDate": None}]
    with block_of({"benefits": rows}, cohort=(2007, 2007)) as block:
        benefits = derive_lists(block)["benefits"].rename_columns(["person", "code", "start", "end", "weight"])
    frame = {"person": [0, 1], "tax_year": [2010, 2010], "pay": [1.0, 2.0]}
    panel = Panel.from_frame(frame, person="person", time="tax_year", lists={"benefits": benefits})
    assert panel.lists["benefits"].offsets.tolist()[-1] == 1


def test_programmes_of_apprenticeships():
    assert set(APPRENTICESHIPS) == {"2", "3", "10", "20", "21", "22", "23", "25"}
