"""Benefits and learning by tax year, and the order of the main activities."""

import pytest
from years_cases import by_year, day, spell, values, years_of

from leoreturns.extract.tables_leo import BENEFITS
from leoreturns.panel.activity import ACTIVITIES, INCAPACITY, OTHER_OUT_OF_WORK, UNEMPLOYMENT
from leoreturns.panel.records import LeftOut

GROUPS = ("unemployment", "incapacity", "other_out_of_work", "other")


def aim(year, start, end=None, expected=None, **more):
    """A record of a learning aim; dates as text."""
    dates = {"start_date": start, "end_date": end, "end_date_expected": expected}
    return {"Year": year} | {name: text and day(text) for name, text in dates.items()} | more


def course(year, start=None, end=None, left=None, **more):
    dates = {"HE_COMDATE": start, "HE_ENDDATE": end, "HE_DATELEFT": left}
    return {"HE_ACADYR": year} | {name: text and day(text) for name, text in dates.items()} | more


def non_zero(records, name, **options):
    return {year: value for year, value in by_year(years_of(records, **options), name).items() if value}


def activity(records, year, **options):
    return by_year(years_of(records, **options), "main_activity")[year]


# ---- benefits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["flag", "fft"])
@pytest.mark.parametrize("kind", [*BENEFITS, "XYZ", None])
def test_each_type_of_benefit_is_of_one_group(kind, rule):
    records = {"benefits": [spell("2005-05-01", "2005-05-10", Benefit_type=kind)]}
    years = years_of(records, settings={"out_of_work": rule})
    days = {group: by_year(years, f"days_{group}_benefit")[2005] for group in GROUPS}
    types = (UNEMPLOYMENT, INCAPACITY, OTHER_OUT_OF_WORK)
    group = next((name for name, own in zip(GROUPS, types, strict=False) if kind in own), "other")
    assert days == dict.fromkeys(GROUPS, 0) | {group: 10}
    # The classes agree with the types that the dictionary classes as out-of-work benefits.
    assert (group != "other") is BENEFITS.get(kind, ("", False))[1]


@pytest.mark.parametrize(
    ("kind", "flag", "by_flag", "by_list"),
    [
        ("JSA", True, "unemployment", "unemployment"),
        ("JSA", False, "other", "unemployment"),
        ("JSA", None, "unemployment", "unemployment"),
        ("DLA", True, "other_out_of_work", "other"),
        ("DLA", None, "other", "other"),
        ("ESA", False, "other", "incapacity"),
        (None, True, "other_out_of_work", "other_out_of_work"),
        (None, False, "other", "other"),
        (None, None, "other", "other"),
    ],
)
def test_out_of_work_benefits_by_the_flag_or_by_the_list(kind, flag, by_flag, by_list):
    records = {"benefits": [spell("2005-05-01", "2005-05-10", Benefit_type=kind, Out_of_work_benefit=flag)]}
    for rule, group in (("flag", by_flag), ("fft", by_list)):
        years = years_of(records, settings={"out_of_work": rule})
        days = {name: by_year(years, f"days_{name}_benefit")[2005] for name in GROUPS}
        assert days == dict.fromkeys(GROUPS, 0) | {group: 10}
        assert by_year(years, "months_out_of_work_benefit")[2005] == (0 if group == "other" else 2)


def test_what_benefits_without_their_type_cannot_tell_is_named():
    records = {"benefits": [spell(*WHOLE, Out_of_work_benefit=True)]}
    by_type = ("days_unemployment_benefit", "days_incapacity_benefit", "days_other_out_of_work_benefit")
    at_all = ("months_out_of_work_benefit", "out_of_work_benefits", "days_other_benefit")
    years = years_of(records, lacking=(("benefits", "Benefit_type"),))
    assert {name: years.absent.get(name) for name in (*by_type, *at_all)} == dict.fromkeys(
        by_type, ("benefits.Benefit_type",)
    ) | dict.fromkeys(at_all)
    assert by_year(years, "main_activity")[2005] == "out-of-work benefits"
    both = (("benefits", "Benefit_type"), ("benefits", "Out_of_work_benefit"))
    records = {"benefits": [spell(*WHOLE)]}
    years = years_of(records, lacking=both)
    assert years.absent["out_of_work_benefits"] == ("benefits.Benefit_type", "benefits.Out_of_work_benefit")
    assert by_year(years, "main_activity")[2005] == "no sustained activity"


def test_spells_on_different_benefits_are_joined_within_groups_and_by_month():
    records = {
        "benefits": [
            spell("2005-04-06", "2005-06-05", Benefit_type="JSA"),
            spell("2005-05-06", "2005-06-30", Benefit_type="JTA", via="B"),
            spell("2005-05-06", "2005-07-05", Benefit_type="ESA"),
            spell("2005-07-06", "2005-10-05", Benefit_type="DLA"),
        ]
    }
    assert non_zero(records, "days_unemployment_benefit") == {2005: 86}
    assert non_zero(records, "days_incapacity_benefit") == {2005: 61}
    assert non_zero(records, "days_other_benefit") == {2005: 92}
    assert non_zero(records, "months_out_of_work_benefit") == {2005: 3}


@pytest.mark.parametrize(
    ("spells", "in_row", "expected"),
    [
        ([("2005-05-05", "2005-10-05")], 6, {2005}),  # April to September
        ([("2005-05-05", "2005-09-05")], 6, set()),
        ([("2005-05-05", "2005-09-05")], 5, {2005}),
        ([("2006-01-06", "2006-07-05")], 6, set()),  # three months on either side of the year's end
        ([("2005-04-06", "2005-07-05"), ("2005-08-06", "2005-11-05")], 6, set()),  # a gap
        ([("2005-04-06", "2005-07-05"), ("2005-07-06", "2005-09-06")], 6, {2005}),
    ],
)
def test_out_of_work_benefits_need_months_in_a_row_of_the_same_year(spells, in_row, expected):
    types = ["JSA", "IS"]
    records = {"benefits": [spell(*dates, Benefit_type=kind) for dates, kind in zip(spells, types, strict=False)]}
    found = non_zero(records, "out_of_work_benefits", settings={"months_in_row": in_row})
    assert set(found) == expected


def test_other_benefits_do_not_count_as_out_of_work():
    records = {"benefits": [spell("2005-04-06", "2006-04-05", Benefit_type="PIP")]}
    assert non_zero(records, "out_of_work_benefits") == {}
    assert activity(records, 2005) == "no sustained activity"


# ---- learning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "expected", "months"),
    [
        ("2006-01-05", None, {2005: 4}),
        ("2006-01-05", "2007-01-05", {2005: 4}),
        (None, "2006-01-05", {2005: 4}),
        (None, "2007-01-05", {2005: 7, 2006: 4}),  # no further than 31 July 2006
        (None, None, {2005: 7, 2006: 4}),
        ("2007-01-05", None, {2005: 7, 2006: 9}),
    ],
)
def test_an_aim_without_a_last_day_ends_as_planned_or_with_the_academic_year(end, expected, months):
    assert non_zero({"ilr_aims": [aim(2005, "2005-09-06", end, expected)]}, "months_further_education") == months


@pytest.mark.parametrize(
    ("status", "more", "months"),
    [
        ("1", {}, {2005: 7, 2006: 4}),  # goes on to 31 July, whatever was planned
        (None, {"active": True}, {2005: 7, 2006: 4}),
        ("2", {"active": False}, {2005: 4}),
        ("2", {}, {2005: 4}),
        ("3", {}, {}),
        ("3", {"active": True}, {}),
        ("3", {"end_date": day("2005-11-05")}, {2005: 2}),
        ("2", {"end_date": day("1900-01-01")}, {2005: 4}),
        ("2", {"end_date_expected": day("1900-01-01")}, {2005: 7, 2006: 4}),
        ("2", {"start_date": day("1900-01-01")}, {}),
        ("2", {"Year": None}, {}),
        ("2", {"Year": None, "end_date": day("2005-11-05")}, {2005: 2}),
    ],
)
def test_an_aim_without_a_last_day_ends_by_its_status(status, more, months):
    record = aim(2005, "2005-09-06", None, "2006-01-05", Compstatus=status) | more
    assert non_zero({"ilr_aims": [record]}, "months_further_education") == months


def test_aims_without_what_they_need_are_left_out_and_counted():
    aims = [
        aim(2005, "2005-09-06", Compstatus="3"),
        aim(None, "2005-09-06", Compstatus="3"),
        aim(None, "2005-09-06"),
        aim(None, None, "2005-10-05"),
        aim(2005, "2006-09-06"),
    ]
    years = years_of({"ilr_aims": aims, "hesa": [course(2005), {"HE_ACADYR": None}]})
    assert years.left_out["ilr_aims"] == LeftOut(withdrawn=2, no_year=1, no_first_day=1, reversed=1)
    assert years.left_out["hesa"] == LeftOut(no_year=1)


@pytest.mark.parametrize("level", ["2", "3", "4", "6", None])
def test_aims_of_any_level_are_further_education(level):
    years = years_of({"ilr_aims": [aim(2005, "2005-09-06", "2005-10-05", Notional_Level_v2_latest=level)]})
    assert by_year(years, "months_further_education")[2005] == 1
    assert by_year(years, "months_higher_education")[2005] == 0


APPRENTICESHIPS = [{"app": True}, {"FrameworkApp": True}, {"StandardApp": True}]
APPRENTICESHIPS += [{"programme_type": code} for code in ("2", "3", "10", "20", "21", "22", "23", "25")]


@pytest.mark.parametrize("kind", APPRENTICESHIPS)
def test_apprenticeships_of_any_level(kind):
    years = years_of({"ilr_aims": [aim(2005, "2005-09-06", "2005-10-05", **kind, Notional_Level_v2_latest="4")]})
    names = ("months_further_education", "months_apprenticeship", "months_higher_education")
    assert [by_year(years, name)[2005] for name in names] == [1, 1, 0]


@pytest.mark.parametrize("kind", [{"app": False}, {"programme_type": "24"}, {"programme_type": "-1"}, {}])
def test_other_programmes_are_no_apprenticeships(kind):
    assert non_zero({"ilr_aims": [aim(2005, "2005-09-06", "2005-10-05", **kind)]}, "months_apprenticeship") == {}


@pytest.mark.parametrize(
    ("record", "months"),
    [
        (course(2005), {2005: 9, 2006: 4}),  # August to March, with July's end; April to July
        (course(2005, "2003-09-20"), {2005: 9, 2006: 4}),
        (course(2005, "2005-10-06"), {2005: 6, 2006: 4}),
        (course(2005, end="2005-10-05"), {2005: 3}),
        (course(2005, left="2005-10-05"), {2005: 3}),
        (course(2005, end="2005-10-05", left="2006-01-05"), {2005: 3}),
        (course(2005, end="2009-06-30"), {2005: 9, 2006: 4}),
    ],
)
def test_higher_education_lies_within_the_academic_year_of_its_record(record, months):
    assert non_zero({"hesa": [record]}, "months_higher_education") == months


@pytest.mark.parametrize(
    ("more", "months"),
    [
        ({"HE_XLEV601": "6"}, {}),
        ({"HE_XLEV601": "Further education"}, {}),
        ({"HE_XMODE01": "6"}, {}),
        ({"HE_XMODE01": "DORMANT"}, {}),
        ({"HE_XLEV601": "5", "HE_XMODE01": "3"}, {2005: 9, 2006: 4}),
        ({"HE_XLEV601": "First degree", "HE_XMODE01": "Part-time"}, {2005: 9, 2006: 4}),
    ],
)
def test_students_of_further_education_and_dormant_ones_do_not_study_at_university(more, months):
    assert non_zero({"hesa": [course(2005, **more)]}, "months_higher_education") == months


def test_a_course_outside_its_academic_year_is_left_out_and_counted():
    records = {"hesa": [course(2005, "2006-09-01"), course(2005, end="2005-07-01")], "ilr_aims": [aim(2005, None)]}
    years = years_of(records)
    assert set(values(years, "months_higher_education")) == {0}
    assert years.left_out["hesa"] == LeftOut(reversed=2)
    assert years.left_out["ilr_aims"] == LeftOut(no_first_day=1)


# ---- main activity --------------------------------------------------------------------------------------------------

WHOLE = ("2005-04-06", "2006-04-05")
EVERYTHING = {
    "ks5": [{"KS5_ACADYR": 2005}],
    "hesa": [course(2004), course(2005)],
    "ilr_aims": [aim(2004, *WHOLE)],
    "benefits": [spell(*WHOLE, Benefit_type="JSA")],
    "employment": [spell(*WHOLE)],
}


@pytest.mark.parametrize(
    ("without", "cohort", "expected"),
    [
        ((), 2004, "key stage 5"),
        ((), 2003, "key stage 5"),
        ((), 2002, "higher education"),
        (("ks5",), 2004, "higher education"),
        (("ks5", "hesa"), 2004, "other education"),
        (("ks5", "hesa"), 2003, "other education"),
        (("ks5", "hesa"), 2002, "adult further education"),
        (("ks5", "hesa", "ilr_aims"), 2004, "out-of-work benefits"),
        (("ks5", "hesa", "ilr_aims", "benefits"), 2004, "employment"),
        (tuple(EVERYTHING), 2004, "activity not captured"),
    ],
)
def test_the_first_rule_that_holds_is_the_main_activity(without, cohort, expected):
    records = {table: rows for table, rows in EVERYTHING.items() if table not in without}
    for options in ({}, {"lacking": without} if len(without) < len(EVERYTHING) else {}):
        assert activity(records, 2005, cohorts=(cohort,), **options) == expected


@pytest.mark.parametrize(
    ("academic_year", "years"), [(2001, set()), (2002, {2003}), (2003, {2003}), (2004, {2004}), (2005, set())]
)
def test_key_stage_5_lies_in_two_academic_years_first_and_then_in_one(academic_year, years):
    found = by_year(years_of({"ks5": [{"KS5_ACADYR": academic_year}, {"KS5_ACADYR": None}]}), "main_activity")
    assert {year for year, what in found.items() if what == "key stage 5"} == years


@pytest.mark.parametrize(
    ("records", "years"),
    [
        ({"ks5": [{"KS5_ACADYR": 2006}]}, {2006, 2007}),
        ({"plams": [{"pl_ACADYR": 2006}]}, {2006, 2007}),
        ({"school_census": [{"AcademicYear": 2006}]}, {2006, 2007}),
        ({"school_census": [{"AcademicYear": 2006, "OnRoll": True}]}, {2006, 2007}),
        ({"school_census": [{"AcademicYear": 2006, "OnRoll": False}]}, set()),
        ({"school_census": [{"AcademicYear": 2001}]}, set()),  # before the end of key stage 4
    ],
)
def test_whom_a_school_records_is_captured(records, years):
    found = by_year(years_of(records), "main_activity")
    assert {year for year, what in found.items() if what == "no sustained activity"} == years


def test_further_education_and_apprenticeship_make_months_in_a_row_together():
    aims = [
        aim(2005, "2005-09-06", "2005-12-05"),
        aim(2005, "2005-12-06", "2006-03-05", app=True, Notional_Level_v2="4"),
    ]
    assert activity({"ilr_aims": aims}, 2005) == "adult further education"
    assert activity({"ilr_aims": aims[:1]}, 2005) == "no sustained activity"
    assert activity({"ilr_aims": aims}, 2005, settings={"months_in_row": 7}) == "no sustained activity"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"employment": [spell("2015-05-01", "2015-05-01")]}, "no sustained activity"),
        ({"benefits": [spell("2015-05-01", "2015-05-01", Benefit_type="JSA")]}, "no sustained activity"),
        ({"benefits": [spell("2015-05-01", "2015-05-01")]}, "no sustained activity"),
        ({"ilr_aims": [aim(2014, "2015-05-01", "2015-05-01")]}, "no sustained activity"),
        ({"hesa": [course(2014, "2015-05-01", "2015-05-01")]}, "no sustained activity"),
        ({"earnings": [{"TaxYear": 2015, "Earnings": 1}]}, "no sustained activity"),
        ({"self_assessment": [{"TaxYear": 2015}]}, "no sustained activity"),
        ({"earnings": [{"TaxYear": 2015, "Earnings": 0}]}, "activity not captured"),
        ({"self_assessment": [{"TaxYear": 2015, "Self_Employed": False, "EARNINGS_SOLE": 9}]}, "activity not captured"),
        ({"geography": [{"TaxYear": 2015, "LAUA_anon": "x"}]}, "activity not captured"),
        ({"ks5": [{"KS5_ACADYR": 2016}]}, "activity not captured"),
    ],
)
def test_any_trace_is_no_sustained_activity(records, expected):
    assert activity(records, 2015) == expected


def test_self_assessment_before_2013_is_no_trace():
    assert activity({"self_assessment": [{"TaxYear": 2012, "Self_Employed": True}]}, 2012) == "activity not captured"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("keep", "employment"), ("exclude", "activity not captured"), ("unknown", "employment")],
)
def test_main_activity_under_uncertain_dates(policy, expected):
    records = {"employment": [spell(*WHOLE, UncertainStartDate=True)]}
    assert activity(records, 2005, settings={"uncertain_dates": policy}) == expected


def test_the_labels_of_main_activity_are_fixed():
    assert years_of({}).columns["main_activity"].labels == ACTIVITIES
