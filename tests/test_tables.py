"""The tables as data, and the matching of files and columns to them."""

import pytest

from leoreturns.errors import ExtractError
from leoreturns.extract.schema import Table, Variable
from leoreturns.extract.tables import TABLES, Occasion, match_table, occasion_of, resolve_columns, table
from leoreturns.extract.tables_leo import BENEFITS

CANONICAL = [
    "employment", "earnings", "idbr", "self_assessment", "benefits", "cjrs", "seiss", "geography", "school_census",
    "ks2", "ks4", "ks5", "plams", "ypmad", "nccis", "absence", "exclusions", "cin", "cla", "alternative_provision",
    "ilr_learners", "ilr_aims", "lars", "hesa", "ucas", "lookup_pmr", "lookup_recid", "lookup_edukey",
]  # fmt: skip


def test_every_table_of_the_standard_extract_is_there():
    assert set(CANONICAL) <= set(TABLES)
    assert all(name == known.name for name, known in TABLES.items())


@pytest.mark.parametrize("known", TABLES.values(), ids=lambda known: known.name)
def test_a_table_is_consistent(known):
    named = [*known.key, *(known.spell or ()), *filter(None, (known.person, known.year, known.term))]
    assert [name for name in named if name not in known] == []
    assert (known.person is None) == (known.person_key is None)
    assert known.person is None or known.variable(known.person).type in ("id", "int_id")
    assert known.year is None or known.variable(known.year).type in ("tax_year", "academic_year")
    assert known.grain
    assert any(variable.required for variable in known.variables)
    for variable in known.variables:
        assert variable.meaning
        assert variable.suffixed is (known.suffix is not None)
        first, last = known.coverage(variable.name) or (0, 0)
        assert first <= last
        assert known.years is None or (known.years[0] <= first and last <= known.years[1])
        assert variable.variant_of is None or variable.variant_of in known


def test_no_name_leads_to_two_tables():
    names = [name for known in TABLES.values() for name in (known.name, *known.also_called)]
    assert len(names) == len(set(names))
    assert all(match_table(name).name in TABLES for name in names)


@pytest.mark.parametrize("known", TABLES.values(), ids=lambda known: known.name)
def test_columns_resolve_to_themselves_in_any_case(known):
    ending = {"term": "_spr20", "ab": "_ab20", "ex": "_ex20", None: ""}[known.suffix]
    occasion = {"term": Occasion("spr", 2019), "ab": Occasion(None, 2019), "ex": Occasion(None, 2019)}.get(
        known.suffix, Occasion()
    )
    for change in (str.upper, str.lower, str):
        found = [change(f"{name}{ending}") for name in known.names]
        resolved = resolve_columns(known, found)
        assert resolved.columns == {occasion: dict(zip(known.names, found, strict=True))}
        assert (resolved.missing, resolved.unknown) == ((), ())


def test_facts_of_the_form():
    assert table("employment").names == ("EduKey", "StartDate", "EndDate", "UncertainStartDate", "UncertainEndDate")
    assert table("earnings").key == ("Edukey", "TaxYear")
    assert table("earnings").years == (2003, 2020)
    assert table("self_assessment").years == (2013, 2020)
    assert table("ks4").coverage("KS4_FIVEAC") == (2001, 2012)
    assert table("ks4").variants("ks4_level2_em") == ("KS4_LEVEL2_EM", "KS4_LEVEL2_EM_PTQ", "KS4_LEVEL2_EM_94")
    assert table("ks4").variants("KS4_HGMATH")[-1] == "KS4_HGMATH_91"
    assert table("ks4").variants("KS4_APENG") == ("KS4_APENG", "KS4_APENG_PTQ", "KS4_APENG_PTQ_EE", "KS4_APENG_91")
    assert table("ks4").coverage("KS4_POINTS_OLD_G") == (2001, 2012)
    assert table("hesa").owner == "HESA"
    assert table("hesa").variants("HE_INSTID_ANON") == ("HE_INSTID_ANON", "HE_XINSTID01__ANON")
    assert [table("hesa").coverage(name) for name in table("hesa").variants("HE_INSTID_ANON")] == [
        (2004, 2006),
        (2007, 2019),
    ]
    assert table("geography").owner == "DWP"
    assert "HE_XFPE01_5" in table("hesa")


def test_out_of_work_benefits():
    out_of_work = {code for code, (_, flag) in BENEFITS.items() if flag}
    assert out_of_work == {
        "AA", "ESA", "IB", "ICA", "IS", "JSA", "JTA", "PC", "PIB", "RP", "SDA", "UAA", "UBC", "UCE", "UDF"
    }  # fmt: skip
    assert set(BENEFITS) - out_of_work == {"BB", "DLA", "PIP", "UAB", "UBD", "UNA", "WB"}


@pytest.mark.parametrize(
    ("name", "column", "occasion"),
    [
        ("FSMeligible_spr07", "FSMeligible", Occasion("spr", 2006)),
        ("FSMELIGIBLE_AUT12", "FSMeligible", Occasion("aut", 2012)),
        ("FSMeligible_sum15", "FSMeligible", Occasion("sum", 2014)),
        ("URN_spr07_anon", "URN_anon", Occasion("spr", 2006)),
        ("LAEstab_anon_SPR07", "LAEstab_anon", Occasion("spr", 2006)),
        ("EVERFSM_6_P_spr17", "EVERFSM_6_P", Occasion("spr", 2016)),
        ("SENstage_spr02", "SENprovision", Occasion("spr", 2001)),
        ("SENstatus_spr04", "SENprovision", Occasion("spr", 2003)),
        ("fsm_07", "FSMeligible", Occasion("spr", 2006)),
        ("ethg_04", "EthnicGroup", Occasion("spr", 2003)),
        ("ethg_09", "EthnicGroupMinor", Occasion("spr", 2008)),
        ("s.PupilMatchingRefAnonymous_spr07", "PupilMatchingRefAnonymous", Occasion("spr", 2006)),
        ("PupilMatchingRefAnonymous", "PupilMatchingRefAnonymous", Occasion()),
    ],
)
def test_census_columns(name, column, occasion):
    assert resolve_columns(table("school_census"), [name]).columns == {occasion: {column: name}}


@pytest.mark.parametrize(
    ("known", "name", "column"),
    [
        ("ks4", "FIVEAC", "KS4_FIVEAC"),
        ("ks4", "k4_pmr", "KS4_PupilMatchingRefAnonymous"),
        ("ks4", "s.PupilMatchingRefAnonymous", "KS4_PupilMatchingRefAnonymous"),
        ("ks4", "ks4_urn", "KS4_URN_anon"),
        ("hesa", "PupilMatchingRefAnonymous", "HE_PUPILMATCHINGREFANONYMOUS"),
        ("hesa", "xjacsa01_2", "HE_XJACSA01_2"),
        ("hesa", "XINSTID01_ANON", "HE_XINSTID01__ANON"),
        ("hesa", "INSTID_ANON", "HE_INSTID_ANON"),
        ("ks4", "ps_old_g", "KS4_POINTS_OLD_G"),
        ("nccis", "Current_Activity_Code", "NCCIS_Current_Activity_Code"),
        ("plams", "PL_LEARNINGSTARTDATE", "pl_LearningStartDate"),
        ("ilr_aims", "NOTIONAL_LEVEL_V2", "Notional_Level_v2"),
        ("lookup_edukey", " EduKey ", "EDUKEY"),
    ],
)
def test_names_without_prefix_and_earlier_names(known, name, column):
    assert resolve_columns(table(known), [name]).columns == {Occasion(): {column: name}}


def test_yearly_tables_take_their_own_suffix_only():
    resolved = resolve_columns(
        table("absence"), ["OverallAbsence_Annual_ab07", "OverallAbsence_Annual_spr07", "Category_ex07"]
    )
    assert resolved.columns == {Occasion(None, 2006): {"OverallAbsence_Annual": "OverallAbsence_Annual_ab07"}}
    assert resolved.unknown == ("OverallAbsence_Annual_spr07", "Category_ex07")


def test_columns_missing_and_unknown_are_named():
    resolved = resolve_columns(table("employment"), ["EDUKEY", "StartDate", "employer"])
    assert resolved.missing == ("EndDate", "UncertainStartDate", "UncertainEndDate")
    assert resolved.unknown == ("employer",)
    assert resolved.names == ("EduKey", "StartDate")


def test_the_own_name_beats_an_earlier_one():
    for names in (["fsm_07", "FSMeligible_spr07"], ["FSMeligible_spr07", "fsm_07"]):
        resolved = resolve_columns(table("school_census"), names)
        assert resolved.columns == {Occasion("spr", 2006): {"FSMeligible": "FSMeligible_spr07"}}
        assert resolved.unknown == ("fsm_07",)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["EduKey", "EDUKEY"], "columns 'EduKey' and 'EDUKEY', which differ in case only"),
        (["junk", "JUNK", "EduKey", " edukey"], "columns 'EduKey' and ' edukey', which differ in case only"),
        (["EduKey", "junk", "JUNK", "junk "], "^table 'employment' has 2 columns called like another one: rename"),
    ],
)
def test_columns_that_differ_in_case_are_refused(names, match):
    with pytest.raises(ExtractError, match=match):
        resolve_columns(table("employment"), names)


def test_two_equally_good_names_are_refused():
    with pytest.raises(ExtractError, match="rename one of them"):
        resolve_columns(table("ks4"), ["FIVEAC", "KS4_FIVEAC"])


def test_unknown_table():
    with pytest.raises(ExtractError, match="unknown table 'pay'; known: employment"):
        table("pay")


@pytest.mark.parametrize(
    ("name", "known", "occasion"),
    [
        ("Spring_Census_2007", "school_census", Occasion("spr", 2006)),
        ("autumn census 2012", "school_census", Occasion("aut", 2012)),
        ("SC_Pupil", "school_census", Occasion()),
        ("KS4_2014", "ks4", Occasion(None, 2013)),
        ("KS4_2013_14", "ks4", Occasion(None, 2013)),
        ("ks4_201314", "ks4", Occasion(None, 2013)),
        ("KS5_Student_2013-2014", "ks5", Occasion(None, 2013)),
        ("HESA_1999_00", "hesa", Occasion(None, 1999)),
        ("LEO_Earnings", "earnings", Occasion()),
        ("LEARNER_AE_ID_TO_PMR_LOOKUP", "lookup_pmr", Occasion()),
    ],
)
def test_names_of_files(name, known, occasion):
    assert match_table(name).name == known
    assert occasion_of(name) == occasion


@pytest.mark.parametrize("name", ["", "readme", "earnings_final", "2014", "employments"])
def test_other_files_are_no_table(name):
    assert match_table(name) is None


def test_a_table_cannot_name_a_column_twice():
    with pytest.raises(ValueError, match="twice"):
        Table("x", "DfE", "row", None, (Variable("a", "id", "one"), Variable("A", "id", "two")))
