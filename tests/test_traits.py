"""Traits of persons: every rule by hand, and all of them against a twin on random records."""

import numpy as np
import pyarrow as pa
import pytest
from reference_traits import traits_of_person
from traits_cases import APPRENTICE, LSOAS, SCHOOLS, aim, block_of, random_tables, traits_of

from leoreturns.errors import ExtractError
from leoreturns.panel.rules import PERSONS
from leoreturns.panel.traits import TRAITS, absent_tables, derive_traits


def census(year=2006, term="Spring", **values):
    return {"AcademicYear": year, "CensusTerm": term} | values


# ---- all of them against the twin -----------------------------------------------------------------------------------

N_PERSON = 400
COHORT = np.random.default_rng(5).integers(2002, 2009, N_PERSON).astype(np.int16)
RANDOM = random_tables(N_PERSON, COHORT, seed=6)
COLUMNS = {name: {column for row in rows for column in row} - {"number"} for name, rows in RANDOM.items()}
REGIONS = {
    area: region for area, region in zip(LSOAS[:4], ("London", "North East", "London", "South West"), strict=True)
}
TYPES = {SCHOOLS[0]: "independent", SCHOOLS[1]: "selective"}
HOMES = {area: f"T{place}" for place, area in enumerate(LSOAS[1:])}
LOOKUPS = {
    "regions": REGIONS,
    "school_types": TYPES,
    "school_regions": {SCHOOLS[2]: "London"},
    "institution_types": {"30": "independent"},
}
AREAS = {"areas": {"E00A": "T1", "E00B": "T2"}}
COVERAGE = {"ks5": 2010, "ypmad": 2009, "ilr_learners": 2010, "ilr_aims": 2010, "hesa": 2008}


def derived(seed=None, threads=1, lookups=LOOKUPS):
    options = {"lookups": lookups, "seed": seed, "threads": threads, "columns": COLUMNS, "coverage": COVERAGE}
    with block_of(RANDOM, cohort=COHORT, **options) as block:
        return pa.table(derive_traits(block))


@pytest.mark.parametrize("more", [{}, AREAS, {"home_areas": HOMES}, AREAS | {"home_areas": HOMES}])
def test_every_trait_of_random_records_is_that_of_the_twin(more):
    found = derived(lookups=LOOKUPS | more).to_pylist()
    for number, values in enumerate(found):
        own = {name: [row for row in rows if row["number"] == number] for name, rows in RANDOM.items()}
        assert values == traits_of_person(own, int(COHORT[number]), LOOKUPS | more, COVERAGE), f"person {number}"


def test_random_records_reach_every_label():
    found = derived()
    counts = {
        "ks5_route": 5,
        "highest_level": 6,
        "education_level": 3,
        "degree_class": 5,
        "school_type": 5,
        "ks4_band": 3,
        "prior_attainment_band": 3,
        "sen": 3,
        "idaci_quintile": 3,
        "ethnicity": 6,
        "fsm_6": 2,
        "ever_excluded": 2,
        "ever_in_need": 1,
        "ever_looked_after": 2,
    }
    assert {name: len(set(found[name].to_pylist()) - {None}) for name in counts} == counts
    assert len(set(found["pathway"].to_pylist())) >= 14


@pytest.mark.parametrize(("seed", "threads"), [(1, 1), (2, 2), (None, 2)])
def test_the_order_of_rows_and_threads_do_not_matter(seed, threads):
    assert derived(seed, threads).equals(derived())


# ---- who gets which columns -----------------------------------------------------------------------------------------


def test_columns_without_any_of_their_tables_are_left_out():
    prior = {"prior_attainment", "prior_attainment_band"}
    assert set(traits_of(ks2=[{"KS2_GENDER": "F"}])) == {"sex", "birth_month", *prior}
    degree = {"degree_class", "degree_year", "degree_subject", "university"}
    assert set(traits_of(hesa=[{"HE_XPQUAL01": True}])) == degree
    both = set(traits_of(hesa=[{"HE_XPQUAL01": True}], ilr_aims=[]))
    assert both == {*degree, "highest_level", "education_level", "ks5_route", "pathway"}
    assert "home_region" not in traits_of(school_census=[census(LSOA11="E1")])
    assert "home_region" not in traits_of(ks4=[{"KS4_FSM": True}], lookups={"regions": {"E1": "London"}})
    assert "ethnicity" not in traits_of(ks4=[{"KS4_FSM": True}])


def test_absent_tables_are_named():
    with block_of({"ks4": [{"KS4_FSM": True}]}) as block:
        assert absent_tables(TRAITS["home_region"], block) == ("school_census", "lookup_regions")
        assert absent_tables(TRAITS["ks5_route"], block) == ("ks5", "ypmad", "ilr_learners", "ilr_aims")
        assert absent_tables(TRAITS["fsm"], block) == ()


def test_tables_without_a_column_of_use_give_missing_values():
    found = traits_of(school_census=[census()], ks4=[{"KS4_ACADYR": 2006}], ks2=[{"KS2_ACADYR": 2000}])
    assert set(found.values()) == {None}


def test_persons_without_rows_are_missing_and_nobody_is_lost():
    with block_of({"ks4": [{"number": 1, "KS4_GENDER": "F"}]}, cohort=(2005, 2006, 2007)) as block:
        assert derive_traits(block)["sex"].to_pylist() == [None, "F", None]
    with block_of({"ks4": []}, cohort=(), columns={"ks4": {"KS4_GENDER"}}) as block:
        assert derive_traits(block)["sex"].to_pylist() == []


def test_a_failure_names_no_value_and_leaves_nothing_behind():
    with block_of({"ks4": [{"KS4_GENDER": "F"}]}) as block:
        block.connection.unregister("ks4_record")
        block.connection.execute("CREATE VIEW ks4_record AS SELECT 0 AS number, error('canary') AS KS4_GENDER")
        with pytest.raises(ExtractError, match="traits") as caught:
            derive_traits(block)
        assert "canary" not in str(caught.value)
        assert caught.value.__context__ is None
        assert PERSONS not in {name for (name,) in block.connection.execute("SHOW TABLES").fetchall()}


# ---- school census --------------------------------------------------------------------------------------------------


def test_census_order_takes_the_latest_year_then_spring_autumn_summer_none():
    rows = [
        census(2005, "Spring", Gender="M"),
        census(2006, None, Gender="M"),
        census(2006, "Summer", Gender="M"),
        census(2006, "Autumn", Gender="F"),
        census(2007, "Spring", Gender="M"),  # after key stage 4
    ]
    assert traits_of(school_census=rows)["sex"] == "F"
    rows[3] = census(2006, "Spring", Gender=None)
    assert traits_of(school_census=rows)["sex"] == "M"


def test_within_a_term_schools_are_in_the_order_of_their_codes_as_text():
    def sex(*places):
        rows = [census(LAEstab_anon=school, URN_anon=urn, Gender=sex) for school, urn, sex in places]
        return traits_of(school_census=rows)["sex"]

    assert sex(("9", None, "M"), ("10", None, "F")) == "F"
    assert sex((None, "1", "M"), ("a", None, "F")) == "F"
    assert sex(("a", "2", "F"), ("a", None, "M")) == "F"
    assert sex(("a", "2", "M"), ("a", "1", "F")) == "F"
    assert sex(("a", "1", "M"), ("a", "1", "F")) == sex(("a", "1", "F"), ("a", "1", "M")) == "F"


@pytest.mark.parametrize(
    ("status", "on_roll", "counts"),
    [(None, None, True), (1, True, True), (10, True, True), (20, None, True), (11, True, False), (101, True, False),
     (0, True, False), (1, False, False)],
)  # fmt: skip
def test_main_records_on_roll_count(status, on_roll, counts):
    found = traits_of(school_census=[census(RecordStatus=status, OnRoll=on_roll, Gender="F")])
    assert (found["sex"] == "F") is counts


def test_sex_falls_back_from_key_stage_4_to_census_to_key_stage_2():
    ks2 = [{"KS2_ACADYR": 2001, "KS2_GENDER": "M"}, {"KS2_ACADYR": 2000, "KS2_GENDER": "F"}]
    assert traits_of(ks2=ks2)["sex"] == "M"
    assert traits_of(ks2=ks2, school_census=[census(Gender="F")])["sex"] == "F"
    assert traits_of(ks2=ks2, school_census=[census(Gender="U")])["sex"] == "M"
    assert traits_of(ks4=[{"KS4_GENDER": "M"}], school_census=[census(Gender="F")])["sex"] == "M"
    assert traits_of(ks4=[{"KS4_GENDER": "1"}])["sex"] is None


def test_major_ethnic_group_of_any_year_comes_before_the_minor_one():
    rows = [census(2006, EthnicGroupMajor="UNCL", EthnicGroupMinor="BAFR"), census(2003, EthnicGroupMajor="MIXD")]
    found = traits_of(school_census=rows)
    assert (found["ethnicity"], found["ethnicity_minor"]) == ("Mixed", "Black African")
    assert traits_of(school_census=rows[:1])["ethnicity"] == "Black"
    refused = traits_of(school_census=[census(EthnicGroupMajor="UNCL", EthnicGroupMinor="REFU")])
    assert refused["ethnicity"] is None and refused["ethnicity_minor"] is None


@pytest.mark.parametrize(
    ("code", "group", "label"),
    [("Caribbean", "Black", "Black Caribbean"), ("white british", "White", "White British"),
     ("Gypsy / Romany", "White", "Gypsy or Roma"), ("AIND", "Asian", "Indian"), ("Pre 2002 Code", None, None),
     ("INDI", None, None), ("REFU", None, None)],
)  # fmt: skip
def test_ethnic_group_of_the_earlier_coding(code, group, label):
    found = traits_of(school_census=[census(EthnicGroup=code, EthnicGroupMajor="UNCL", EthnicGroupMinor="MISS")])
    assert (found["ethnicity"], found["ethnicity_minor"]) == (group, label)
    later = [census(EthnicGroup=code), census(2005, EthnicGroupMajor="MIXD", EthnicGroupMinor="MOTH")]
    assert traits_of(school_census=later)["ethnicity_minor"] == "other Mixed"


def test_free_meals_of_six_years():
    def six(*years, cohort=2007, **more):
        rows = [census(year, FSMeligible=eligible) for year, eligible in years]
        return traits_of(cohort, school_census=rows, **more)["fsm_6"]

    assert six((2006, False), (2001, True)) is True
    assert six((2006, False), (2000, True)) is False
    assert six((2006, None)) is None
    assert six((2005, True), cohort=2006) is None  # there was no census in 2000-01
    assert six((2006, True), ks4=[{"KS4_FSM6": False}]) is False
    told = [census(FSMeligible=False, EVERFSM_6=True), census(2004, EVERFSM_6=False)]
    assert traits_of(school_census=told)["fsm_6"] is True
    assert traits_of(2006, school_census=[census(2005, EVERFSM_6=False)])["fsm_6"] is False


def test_month_of_birth():
    ks2 = [{"KS2_ACADYR": 2001, "KS2_MONTHOFBIRTH": 3}]
    assert traits_of(ks2=ks2)["birth_month"] == 3
    assert traits_of(ks2=ks2, school_census=[census(MonthOfBirth=13), census(2005, MonthOfBirth=4)])["birth_month"] == 4
    assert traits_of(ks4=[{"KS4_MONTHOFBIRTH": 5}], school_census=[census(MonthOfBirth=4)])["birth_month"] == 5


def test_first_language():
    rows = [census(LanguageGroupMajor="3_UNCL", FirstLanguage="OTB"), census(2004, LanguageGroupMajor="1_ENG")]
    assert traits_of(school_census=rows)["first_language"] == "English"
    assert traits_of(school_census=rows[:1])["first_language"] == "other"
    assert traits_of(school_census=[census(FirstLanguage="REF")])["first_language"] is None


def test_free_school_meals_in_year_11_and_ever():
    earlier = census(2004, FSMeligible=True)
    assert traits_of(school_census=[earlier])["fsm"] is None
    assert traits_of(school_census=[earlier], ks4=[{"KS4_FSM": False}])["fsm"] is False
    found = traits_of(school_census=[earlier, census(FSMeligible=False)], ks4=[{"KS4_FSM": True}])
    assert (found["fsm"], found["fsm_ever"]) == (False, True)
    assert traits_of(school_census=[census(FSMeligible=None), census(2004, FSMeligible=False)])["fsm_ever"] is False
    assert traits_of(school_census=[census(FSMeligible=None)])["fsm_ever"] is None


def test_special_needs_in_year_11():
    both = census(term="Summer", SENprovisionMajor="3_SS", SENprovision="N")
    assert traits_of(school_census=[both, census(SENprovision="N")])["sen"] == "with a statement"
    for code, label in {
        "N": "none",
        "A": "without a statement",
        "K": "without a statement",
        "E": "with a statement",
    }.items():
        assert traits_of(school_census=[census(SENprovisionMajor="4_UNCL", SENprovision=code)])["sen"] == label
    assert traits_of(school_census=[census(2005, SENprovision="N")])["sen"] is None


@pytest.mark.parametrize(
    ("rank", "label"),
    [(1, "1 most deprived"), (6497, "1 most deprived"), (6498, "2"), (25986, "4"), (25987, "5 least deprived"),
     (32844, "5 least deprived"), (0, None), (32845, None)],
)  # fmt: skip
def test_fifths_of_deprivation(rank, label):
    assert traits_of(school_census=[census(IDACIRank=rank)])["idaci_quintile"] == label


def test_score_of_deprivation():
    record = {"KS4_IDACI": 0.3}
    assert traits_of(ks4=[record], school_census=[census(IDACIScore=0.2)])["idaci_score"] == 0.2
    assert traits_of(ks4=[record], school_census=[census(2005, IDACIScore=0.2)])["idaci_score"] == 0.3


def test_area_at_16_is_that_of_the_tax_year_in_which_key_stage_4_ends():
    def area(*rows, lookups=None, home=None):
        records = [{"TaxYear": year, "COA_2011": coa, "LAUA_anon": authority} for year, coa, authority in rows]
        return traits_of(geography=records, school_census=[census(LSOA11=home)], lookups=lookups)["area_at_16"]

    assert area((2008, "a", "next"), (2007, "a", "own"), (2006, "a", "before"), (2009, "a", "late")) == "own"
    assert area((2008, "a", "next"), (2007, "a", None)) == "next"
    areas, homes = {"areas": {"a": "T1"}}, {"home_areas": {"l": "T2"}}
    assert area((2007, "a", "own"), lookups=areas | homes, home="l") == "T1"
    assert area((2007, "unknown", "own"), lookups=areas | homes, home="l") == "T2"
    assert area((2007, "a", "own"), lookups=homes, home="l") == "T2"
    assert area((2007, "a", "own"), lookups=homes) is None


def test_region_by_the_area_of_2011_then_of_2001():
    lookups = {"regions": {"new": "London", "old": "North East"}}

    def region(*rows):
        return traits_of(school_census=list(rows), lookups=lookups)["home_region"]

    assert region(census(LSOA11="new", LSOA01="old")) == "London"
    assert region(census(LSOA11="unknown", LSOA01="old")) == "North East"
    assert region(census(term="Summer", LSOA01="old"), census(LSOA11=None)) == "North East"
    assert region(census(2005, LSOA11="new")) is None


def test_school_and_its_type():
    rows = [census(URN_anon="census", LAEstab_anon="x"), census(2005, URN_anon="earlier")]
    record = {"KS4_URN_anon": None, "KS4_LAESTAB_anon": "estab", "KS4_NEWER_TYPE": "2"}
    assert traits_of(school_census=rows)["school"] == "census"
    found = traits_of(school_census=rows, ks4=[record])
    assert (found["school"], found["school_type"]) == ("estab", "selective")
    types = {"school_types": {"urn": "independent"}}
    assert traits_of(ks4=[record | {"KS4_URN_anon": "urn"}], lookups=types)["school_type"] == "independent"
    assert traits_of(ks4=[record], lookups=types)["school_type"] == "selective"
    assert traits_of(ks4=[{"KS4_NEWER_TYPE": "7"}])["school_type"] is None
    assert traits_of(ks4=[record], lookups={"school_regions": {"estab": "London"}})["region"] == "London"


@pytest.mark.parametrize(
    ("newer", "new", "institution", "kind"),
    [("3", "5", None, "mainstream"), ("4", None, None, None), ("4", "1", None, "mainstream"),
     (None, "5", None, "independent"), (None, "4", None, None), (None, "4", "30", "independent"),
     (None, None, "30", "independent"), ("5", "4", "30", "special"), (None, "7", None, "other"),
     (None, None, "21", None)],
)  # fmt: skip
def test_type_of_school_by_what_key_stage_4_says_in_its_years(newer, new, institution, kind):
    record = {"KS4_NEWER_TYPE": newer, "KS4_NEW_TYPE": new, "KS4_NFTYPE": institution}
    assert traits_of(ks4=[record], lookups={"institution_types": {"30": "independent"}})["school_type"] == kind


# ---- key stages 2 and 4 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "points", "band"),
    [
        ({"KS2_ENGFINE": 4.0, "KS2_MATFINE": 5.0}, 27.0, "middle"),
        ({"KS2_ENGFINE": 4.5, "KS2_ENGPOINTS": 1.0}, 27.0, "middle"),
        ({"KS2_ENGFINE": 5.0}, 30.0, "high"),
        ({"KS2_ENGPOINTS": 27.0, "KS2_MATLEV": "3"}, 24.0, "middle"),
        ({"KS2_ENGLEV": "B", "KS2_MATLEV": "3"}, 21.0, "low"),
        ({"KS2_ENGLEV": "B", "KS2_READFINE": 5.0, "KS2_APS": 29.9}, 29.9, "middle"),
        ({"KS2_READFINE": 4.0, "KS2_MATFINE": 4.0}, 24.0, "middle"),
        ({"KS2_READFINE": 4.0, "KS2_ENGLEV": "5"}, 33.0, "high"),
        ({"KS2_MATLEV": "10"}, None, None),
    ],
)
def test_prior_attainment(record, points, band):
    found = traits_of(ks2=[{"KS2_ACADYR": 2001} | record])
    assert (found["prior_attainment"], found["prior_attainment_band"]) == (points, band)


def test_the_key_stage_2_record_is_the_latest_before_year_11_with_the_most_points_and_marks():
    def points(*records):
        names = ("KS2_ACADYR", "KS2_TOTPTS", "KS2_MATTOTMRK", "KS2_APS")
        return traits_of(ks2=[dict(zip(names, record, strict=True)) for record in records])["prior_attainment"]

    assert points((2000, 90, 90, 20), (2001, 10, 10, 25), (2006, 99, 99, 30), (None, 99, 99, 31)) == 25
    assert points((2001, None, 90, 20), (2001, 10, 10, 25)) == 25
    assert points((2001, 10, None, 20), (2001, 10, 5, 25)) == 25
    assert points((2001, 10, 5, 25), (2001, 10, 5, 20)) == points((2001, 10, 5, 20), (2001, 10, 5, 25)) == 25
    assert points((2001, 10, 5, None), (2000, 10, 5, 20)) is None


def test_each_scale_of_points_at_key_stage_4_has_a_column():
    def points(**record):
        found = traits_of(ks4=[{f"KS4_{name}": value for name, value in record.items()}])
        return tuple(found[name] for name in ("ks4_points", "ks4_gcse_points", "ks4_gcse_points_old"))

    assert points(PTSTNEWG=300, PTSTNEWE_PTQ_EE=0) == (0, 300, None)
    assert points(PTSTNEWE=1, PTSTNEWE_PTQ=2) == (1, None, None)
    assert points(PTSTNEWG_PTQ=3, POINTS_OLD_G=41) == (None, 3, 41)


@pytest.mark.parametrize(
    ("record", "maths", "english"),
    [
        ({"HGMATH": "*", "APMAT": "B", "APENG": "U"}, "A*", "U"),
        ({"HGMATH": "Q", "APMAT_PTQ": "B", "APENG_PTQ_EE": "AA"}, "B", None),
        ({"HGMATH_91": "9", "HGMATH_PTQ_EE": "A", "APENG_91": "4"}, "9", "4"),
        ({"HGMATH_91": "Q", "HGMATH_PTQ_EE": "A"}, "A", None),
    ],
)
def test_grades_at_key_stage_4(record, maths, english):
    found = traits_of(ks4=[{f"KS4_{name}": grade for name, grade in record.items()}])
    assert (found["ks4_maths_grade"], found["ks4_english_grade"]) == (maths, english)


def test_five_a_to_c_is_that_without_equivalents_to_2003():
    record = {"KS4_FIVEAC": False, "KS4_LEVEL2": True}
    assert traits_of(2003, ks4=[record])["ks4_five_ac"] is False
    assert traits_of(2004, ks4=[record])["ks4_five_ac"] is True
    assert traits_of(2014, ks4=[{"KS4_LEVEL2_PTQ": None, "KS4_FIVEAC_PTQ": True}])["ks4_five_ac"] is True
    assert traits_of(2003, ks4=[{"KS4_LEVEL2": True}])["ks4_five_ac"] is None


@pytest.mark.parametrize(
    ("both", "five", "band"),
    [(True, False, "5 A*-C with English and maths"), (False, True, "5 A*-C"), (None, True, None),
     (None, False, "below 5 A*-C"), (False, None, None)],
)  # fmt: skip
def test_bands_of_key_stage_4(both, five, band):
    assert traits_of(ks4=[{"KS4_LEVEL2_EM": both, "KS4_LEVEL2": five}])["ks4_band"] == band
    assert traits_of(ks4=[{"KS4_LEVEL2_EM_94": both, "KS4_FIVEAC": five}])["ks4_band"] == band


# ---- pupils at risk -------------------------------------------------------------------------------------------------


def test_absence_is_that_of_year_11_over_all_enrolments():
    def rate(*rows):
        names = ("AcademicYear", "OverallAbsence_3Term", "SessionsPossible_3Term")
        return traits_of(absence=[dict(zip(names, row, strict=True)) for row in rows])["absence_rate"]

    assert rate((2006, 10, 100), (2006, 20, 200), (2005, 90, 100)) == 0.1
    assert rate((2006, 10, 0), (2006, None, 100)) is None
    later = {"AcademicYear": 2013, "OverallAbsence_5HalfTerms": 5, "SessionsPossible_5HalfTerms": 50}
    special = {"OverallAbsence_Annual": 40, "SessionsPossible_Annual": 50}
    assert traits_of(2014, absence=[later | special])["absence_rate"] == 0.1
    assert (
        traits_of(2014, absence=[{"AcademicYear": 2013, "SessionsPossible_3Term": 0} | special])["absence_rate"] == 0.8
    )


@pytest.mark.parametrize(
    ("row", "excluded"),
    [({"Category": "FIXD"}, True), ({"Category": "LNCH"}, False), ({"TotalFixedExclusions": 0}, False),
     ({"TotalFixedExclusions": 1}, True), ({"PermanentExclusionIndicator": True}, True),
     ({"PermanentExclusionInd": "Y", "AcademicYear": 2003}, True), ({"Category": "PERM", "AcademicYear": 2007}, False)],
)  # fmt: skip
def test_ever_excluded_up_to_year_11(row, excluded):
    found = traits_of(exclusions=[{"AcademicYear": 2006} | row], school_census=[census()])
    assert found["ever_excluded"] is excluded


def test_not_excluded_only_where_that_would_be_seen():
    row = {"number": 1, "AcademicYear": 2006, "Category": "FIXD"}
    assert traits_of(exclusions=[row])["ever_excluded"] is False
    assert traits_of(exclusions=[row], school_census=[census(number=1)])["ever_excluded"] is None
    assert traits_of(2005, exclusions=[row])["ever_excluded"] is None
    assert traits_of(2008, exclusions=[row], coverage={"exclusions": 2006})["ever_excluded"] is None


def test_ever_in_need_and_in_care():
    need = {"CIN_ACADYR": 2008, "CIN_PrimaryNeedCode": "N1"}
    assert traits_of(2009, cin=[need])["ever_in_need"] is True
    assert traits_of(2009, cin=[need | {"CIN_PrimaryNeedCode": "N9"}])["ever_in_need"] is False
    assert traits_of(2009, cin=[need | {"CIN_ReferralNFA": True}])["ever_in_need"] is False
    assert traits_of(2009, cin=[need | {"CIN_ACADYR": 2009}])["ever_in_need"] is False
    assert traits_of(2008, cin=[need])["ever_in_need"] is None
    assert traits_of(2007, cla=[{"cla_PROCESSING_YEAR": 2007}])["ever_looked_after"] is True
    assert traits_of(2007, cla=[{"cla_PROCESSING_YEAR": 2008}])["ever_looked_after"] is False
    assert traits_of(2005, cla=[{"cla_PROCESSING_YEAR": 2008}])["ever_looked_after"] is None


# ---- after compulsory schooling -------------------------------------------------------------------------------------


def qualification(level, **values):
    return {"HE_XPQUAL01": True, "HE_XQLEV601": level} | values


@pytest.mark.parametrize(
    ("tables", "level"),
    [
        ({"hesa": [qualification("1")]}, "level 7 or above"),
        ({"hesa": [qualification("02")]}, "level 7 or above"),
        ({"hesa": [qualification("3")]}, "level 7 or above"),
        ({"hesa": [qualification("Higher degree (research)")]}, "level 7 or above"),
        ({"hesa": [qualification("4")]}, "level 6"),
        ({"hesa": [qualification("FIRST DEGREE")]}, "level 6"),
        ({"hesa": [qualification("5")]}, "level 4 or 5"),
        ({"hesa": [qualification("Other undergraduate")]}, "level 4 or 5"),
        ({"hesa": [qualification("6")]}, "below level 2"),
        ({"hesa": [qualification("4", HE_XPQUAL01=False)]}, "below level 2"),
        ({"hesa": [qualification(None)]}, None),
        ({"hesa": [qualification(None), qualification("1")]}, "level 7 or above"),
        ({"ilr_aims": [aim(Notional_Level_v2="7")]}, "level 7 or above"),
        ({"ilr_aims": [aim(Notional_Level_v2="6")]}, "level 6"),
        ({"ilr_aims": [aim(Notional_Level_v2="6", outcome="2")]}, "below level 2"),
        ({"ilr_aims": [aim(Notional_Level_v2="9")]}, "level 4 or 5"),
        ({"ilr_aims": [aim(Notional_Level_v2="15")]}, "below level 2"),
        ({"ilr_aims": [aim(FullL3=True, outcome="7")]}, "level 3"),
        ({"ilr_aims": [APPRENTICE]}, "level 3"),
        ({"ilr_aims": [APPRENTICE | {"AimType": "3"}]}, "below level 2"),
        ({"ilr_aims": [aim(Notional_Level_v2="3", FullL3=False)]}, "below level 2"),
        ({"ks5": [{"KS5_PASSES_GA": 1, "KS5_PASSES_GAS": 2}]}, "level 3"),
        ({"ks5": [{"KS5_PASSES_GA": 1, "KS5_PASSES_GAS": 1}]}, "below level 2"),
        ({"ks5": [{"KS5_PASS2LV3IB": True}]}, "level 3"),
        ({"ypmad": [{"YPMAD_L3_FE_ILR": True}]}, "level 3"),
        ({"ypmad": [{"YPMAD_L2_OVERALL": True}]}, "level 2"),
        ({"ilr_learners": [{"L_FullLevel2Ach": True}]}, "level 2"),
        ({"ilr_aims": [aim(FullL2=True)]}, "level 2"),
        ({"ks4": [{"KS4_LEVEL2": True}]}, "level 2"),
    ],
)
def test_highest_level(tables, level):
    found = traits_of(**{"hesa": [], "ks5": []} | tables)
    assert found["highest_level"] == level
    graduates = {"level 6", "level 7 or above"}
    lower = {"below level 2": "level 2 or below", "level 2": "level 2 or below", None: None}
    assert found["education_level"] == ("graduate" if level in graduates else lower.get(level, "level 3 or above"))


def test_a_graduate_is_one_also_with_a_qualification_of_unknown_level():
    found = traits_of(hesa=[qualification("4"), qualification(None)], ks5=[])
    assert (found["highest_level"], found["education_level"]) == (None, "graduate")


@pytest.mark.parametrize(
    ("column", "row"),
    [("HE_XQLEV601", {"HE_XQLEV601": "canary"}), ("HE_XCLASS01", {"HE_XQLEV601": "4", "HE_XCLASS01": "canary"})],
)
def test_codes_of_which_none_is_known_stop_the_build(column, row):
    with pytest.raises(ExtractError, match=f"none of the 2 values of column '{column}'") as caught:
        traits_of(hesa=[qualification(None) | row] * 2)
    assert "canary" not in str(caught.value)
    assert traits_of(hesa=[qualification(None) | row, qualification("4", HE_XCLASS01="1")])["degree_class"] is not None


def test_the_degree_is_the_earliest_first_degree():
    def degree(*rows):
        names = ("HE_ACADYR", "HE_XQLEV601", "HE_XCLASS01", "HE_INSTID_ANON", "HE_XJACS01_1")
        found = traits_of(hesa=[{"HE_XPQUAL01": True} | dict(zip(names, row, strict=False)) for row in rows])
        return tuple(found[name] for name in ("degree_class", "degree_year", "university", "degree_subject"))

    first, third = "First class honours", "Third class honours or pass"
    earlier, later = (2010, "4", "A", "U2"), (2011, "First degree", "4", "U1")
    assert degree(earlier, later, (2008, "5", "1", "U0")) == (None, 2011, "U2", None)
    assert degree((2010, "4", "4", "U1"), (2010, "4", "1", "U9")) == (first, 2011, "U9", None)
    assert degree((2010, "4", "4", "U3"), (2010, "4", "Third class honours/Pass", "U2")) == (third, 2011, "U2", None)
    assert degree((2010, "4", "1", "U1", "L1"), (2010, "4", "1", "U1", "A1")) == (first, 2011, "U1", "jacs2:A1")
    assert degree((2010, "1", "1", "U1")) == (None, None, None, None)


def test_the_university_has_a_column_for_each_of_two_periods():
    codes = {"HE_INSTID_ANON": "old", "HE_XINSTID01__ANON": "new"}
    assert traits_of(hesa=[qualification("4", **codes)])["university"] == "new"
    assert traits_of(hesa=[qualification("4", HE_INSTID_ANON="old")])["university"] == "old"


def test_the_subject_of_a_degree_is_that_of_the_largest_weight():
    def subject(*shares, **codes):
        row = {f"HE_XFPE01_{k}": share for k, share in enumerate(shares, 1)} | codes
        return traits_of(hesa=[qualification("4", **{"HE_ACADYR": 2012} | row)])["degree_subject"]

    assert subject(40.0, 60.0, HE_XJACS01_1="L100", HE_XJACS01_2="G100") == "jacs3:G100"
    assert subject(50.0, 50.0, HE_XJACS01_1="L100", HE_XJACS01_2="G100") == "jacs3:L100"
    assert subject(HE_SBJQA1="L1", HE_SBJQA2="G1", HE_ACADYR=2005) == "sbjqa:L1"
    assert subject(100.0, HE_XCAH03_2="CAH01", HE_ACADYR=2019) == "cah:CAH01"
    assert subject(100.0) is None
