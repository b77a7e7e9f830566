"""Traits of persons: every rule by hand, and all of them against a twin on random records."""

import numpy as np
import pyarrow as pa
import pytest
from reference_traits import traits_of_person
from traits_cases import APPRENTICE, LSOAS, SCHOOLS, aim, block_of, day, random_tables, traits_of

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
LOOKUPS = {"regions": REGIONS, "school_types": TYPES}


def derived(seed=None, threads=1):
    with block_of(RANDOM, cohort=COHORT, lookups=LOOKUPS, seed=seed, threads=threads, columns=COLUMNS) as block:
        return pa.table(derive_traits(block))


def test_every_trait_of_random_records_is_that_of_the_twin():
    found = derived().to_pylist()
    for number, values in enumerate(found):
        own = {name: [row for row in rows if row["number"] == number] for name, rows in RANDOM.items()}
        assert values == traits_of_person(own, int(COHORT[number]), REGIONS, TYPES), f"person {number}"


def test_random_records_reach_every_label():
    found = derived()
    for name in ("ks5_route", "education_level", "ks4_band", "prior_attainment_band", "sen", "idaci_quintile"):
        assert len(set(found[name].to_pylist()) - {None}) == {"ks5_route": 5, "idaci_quintile": 3}.get(name, 3)
    assert len(set(found["pathway"].to_pylist())) >= 14


@pytest.mark.parametrize(("seed", "threads"), [(1, 1), (2, 2), (None, 2)])
def test_the_order_of_rows_and_threads_do_not_matter(seed, threads):
    assert derived(seed, threads).equals(derived())


# ---- who gets which columns -----------------------------------------------------------------------------------------


def test_columns_without_any_of_their_tables_are_left_out():
    assert set(traits_of(ks2=[{"KS2_GENDER": "F"}])) == {"sex", "prior_attainment", "prior_attainment_band"}
    assert set(traits_of(hesa=[{"HE_XPQUAL01": True}])) == {
        "education_level",
        "degree_class",
        "degree_year",
        "university",
    }
    assert "region" not in traits_of(school_census=[census(LSOA11="E1")])
    assert "region" not in traits_of(ks4=[{"KS4_FSM": True}], lookups={"regions": {"E1": "London"}})
    assert "ethnicity" not in traits_of(ks4=[{"KS4_FSM": True}])


def test_absent_tables_are_named():
    with block_of({"ks4": [{"KS4_FSM": True}]}) as block:
        assert absent_tables(TRAITS["region"], block) == ("school_census", "lookup_regions")
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
        assert caught.value.__suppress_context__
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


def test_region_by_the_area_of_2011_then_of_2001():
    lookups = {"regions": {"new": "London", "old": "North East"}}

    def region(*rows):
        return traits_of(school_census=list(rows), lookups=lookups)["region"]

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


# ---- key stages 2 and 4 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "points", "band"),
    [
        ({"KS2_ENGFINE": 4.0, "KS2_MATFINE": 5.0}, 30.0, "high"),
        ({"KS2_ENGFINE": 4.5, "KS2_ENGPOINTS": 1.0}, 30.0, "high"),
        ({"KS2_ENGPOINTS": 27.0, "KS2_MATLEV": "3"}, 24.0, "middle"),
        ({"KS2_ENGLEV": "B", "KS2_MATLEV": "3"}, 21.0, "low"),
        ({"KS2_ENGLEV": "B", "KS2_READFINE": 5.0, "KS2_APS": 29.9}, 29.9, "middle"),
        ({"KS2_READFINE": 4.0, "KS2_MATFINE": 4.0}, 27.0, "middle"),
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


def test_points_at_key_stage_4_take_equivalents_and_later_variants_first():
    assert traits_of(ks4=[{"KS4_PTSTNEWG": 300, "KS4_PTSTNEWE_PTQ_EE": 0}])["ks4_points"] == 0
    assert traits_of(ks4=[{"KS4_PTSTNEWE": 1, "KS4_PTSTNEWE_PTQ": 2}])["ks4_points"] == 1
    assert traits_of(ks4=[{"KS4_PTSTNEWG_PTQ": 3, "KS4_PTSTNEWE": None}])["ks4_points"] == 3


def test_five_a_to_c_is_that_without_equivalents_to_2003():
    record = {"KS4_FIVEAC": False, "KS4_LEVEL2": True}
    assert traits_of(2003, ks4=[record])["ks4_five_ac"] is False
    assert traits_of(2004, ks4=[record])["ks4_five_ac"] is True
    assert traits_of(2014, ks4=[{"KS4_LEVEL2_PTQ": None, "KS4_FIVEAC_PTQ": True}])["ks4_five_ac"] is True
    assert traits_of(2003, ks4=[{"KS4_LEVEL2": True}])["ks4_five_ac"] is None


@pytest.mark.parametrize(
    ("both", "five", "band"),
    [(True, False, "5 A*-C with English and maths"), (False, True, "5 A*-C"), (None, True, "5 A*-C"),
     (None, False, "below 5 A*-C"), (False, None, None)],
)  # fmt: skip
def test_bands_of_key_stage_4(both, five, band):
    assert traits_of(ks4=[{"KS4_LEVEL2_EM": both, "KS4_LEVEL2": five}])["ks4_band"] == band
    assert traits_of(ks4=[{"KS4_LEVEL2_EM_94": both, "KS4_FIVEAC": five}])["ks4_band"] == band


# ---- after compulsory schooling -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "route"),
    [
        ({"ks5": [{"KS5_PASS2LV3ALEV": True, "KS5_PASS2LV3BTOC": True}]}, "A level"),
        ({"ks5": [{"KS5_PASSES_GA": 1}, {"KS5_PASSES_GA": 2}]}, "A level"),
        ({"ks5": [{"KS5_PASSES_GA": 1}, {"KS5_PASSES_GA": 1}]}, "none"),
        ({"ks5": [{"KS5_PASS2LV3AVCE": True}], "ilr_aims": [APPRENTICE]}, "vocational"),
        ({"ypmad": [{"YPMAD_L3_NISVQ": True}]}, "vocational"),
        ({"ks5": [{"KS5_PASS2LV3": True}], "ilr_aims": [APPRENTICE]}, "apprenticeship"),
        ({"ks5": [{"KS5_PASS2LV3IB": True, "KS5_PASS2LV3": True}]}, "other level 3"),
        ({"ypmad": [{"YPMAD_L3_OVERALL": True}]}, "other level 3"),
        ({"ilr_learners": [{"L_FullLevel3Ach": False}, {"L_FullLevel3Ach": True}]}, "other level 3"),
        ({"ilr_aims": [APPRENTICE | {"start_date": day("2010-08-31")}]}, "apprenticeship"),
        ({"ilr_aims": [APPRENTICE | {"start_date": day("2010-09-01")}]}, "none"),
        ({"ilr_aims": [APPRENTICE | {"start_date": None}]}, "none"),
        ({"ilr_aims": [APPRENTICE | {"outcome": "2"}]}, "none"),
        ({"ilr_aims": [APPRENTICE | {"Notional_Level_v2": "2"}]}, "none"),
        ({"ilr_aims": [APPRENTICE | {"Notional_Level_v2": "2", "Notional_Level_v2_latest": "3"}]}, "apprenticeship"),
        ({"ilr_aims": [APPRENTICE | {"Notional_Level_v2_latest": "-1"}]}, "apprenticeship"),
        ({"ilr_aims": [aim(programme_type="25", Notional_Level_v2="5")]}, "apprenticeship"),
        ({"ilr_aims": [aim(programme_type="24", Notional_Level_v2="3")]}, "none"),
    ],
)
def test_route_of_key_stage_5(tables, route):
    assert traits_of(**tables)["ks5_route"] == route


@pytest.mark.parametrize(
    ("tables", "level"),
    [
        ({"hesa": [{"HE_XPQUAL01": True, "HE_XQLEV601": "FIRST DEGREE"}]}, "graduate"),
        ({"hesa": [{"HE_XPQUAL01": True, "HE_XQLEV601": "Higher degree (research)"}]}, "graduate"),
        ({"hesa": [{"HE_XPQUAL01": True, "HE_XQLEV601": "Other undergraduate"}]}, "level 3 or above"),
        ({"hesa": [{"HE_XPQUAL01": False, "HE_XQLEV601": "First degree"}]}, "level 2 or below"),
        ({"hesa": [{"HE_XPQUAL01": None}]}, "level 2 or below"),
        ({"ilr_aims": [aim(Notional_Level_v2="6")]}, "graduate"),
        ({"ilr_aims": [aim(Notional_Level_v2="6", outcome="2")]}, "level 2 or below"),
        ({"ilr_aims": [aim(Notional_Level_v2="9")]}, "level 3 or above"),
        ({"ilr_aims": [aim(Notional_Level_v2="15")]}, "level 2 or below"),
        ({"ilr_aims": [aim(FullL3=True)]}, "level 3 or above"),
        ({"ilr_aims": [aim(Notional_Level_v2="3", FullL3=False)]}, "level 2 or below"),
        ({"ks5": [{"KS5_PASSES_GA": 3}]}, "level 3 or above"),
    ],
)
def test_education_level(tables, level):
    assert traits_of(**tables)["education_level"] == level


def test_the_degree_is_the_earliest_first_degree():
    def degree(*rows):
        names = ("HE_ACADYR", "HE_XQLEV601", "HE_XCLASS01", "HE_INSTID_ANON")
        records = [{"HE_XPQUAL01": True} | dict(zip(names, row, strict=True)) for row in rows]
        found = traits_of(hesa=records)
        return found["degree_class"], found["degree_year"], found["university"]

    earlier, later = (2010, "First degree", None, "U2"), (2011, "First degree", "Third", "U1")
    assert degree(earlier, later, (2008, "Other undergraduate", "First", "U0")) == (None, 2011, "U2")
    assert degree((2010, "First degree", "Third", "U1"), (2010, "First degree", "First", "U9")) == ("First", 2011, "U9")
    assert degree((2010, "First degree", "Third", "U3"), (2010, "First degree", "Third", "U2")) == ("Third", 2011, "U2")
    assert degree((2010, "Higher degree", "First", "U1")) == (None, None, None)
