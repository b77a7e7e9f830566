"""The school tables of LEO Iteration 2: census, absence, exclusions, key stages 2 and 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from leoreturns.extract.schema import PersonKey, Table, Variable, VariableType

YES_NO = {"1": "yes", "0": "no"}
SEX = {"F": "female", "M": "male"}
TERMS = {"aut": "Autumn", "spr": "Spring", "sum": "Summer"}
SEN = {
    "N": "no special educational need",
    "A": "school action, to 2014-15",
    "P": "school action plus, to 2014-15",
    "S": "statement, to 2017-18",
    "K": "SEN support, from 2014-15",
    "E": "education, health and care plan, from 2014-15",
}
SEN_MAJOR = {"1_NON": "none", "2_SNS": "without a statement", "3_SS": "with a statement", "4_UNCL": "unclassified"}
ETHNIC_MAJOR = {
    "AOEG": "other",
    "ASIA": "Asian",
    "BLAC": "Black",
    "CHIN": "Chinese",
    "MIXD": "Mixed",
    "UNCL": "unclassified",
    "WHIT": "White",
}
ETHNIC_MINOR = {
    "ABAN": "Bangladeshi",
    "AIND": "Indian",
    "AOTH": "other Asian",
    "APKN": "Pakistani",
    "BAFR": "Black African",
    "BCRB": "Black Caribbean",
    "BOTH": "other Black",
    "CHNE": "Chinese",
    "INVA": "invalid",
    "MISS": "missing",
    "MOTH": "other Mixed",
    "MWAS": "White and Asian",
    "MWBA": "White and Black African",
    "MWBC": "White and Black Caribbean",
    "N/A": "not applicable",
    "NOBT": "not obtained",
    "OOTH": "other",
    "REFU": "refused",
    "WBRI": "White British",
    "WIRI": "White Irish",
    "WIRT": "Traveller of Irish heritage",
    "WOTH": "other White",
    "WROM": "Gypsy or Roma",
}
# Words of the column of the years to 2008-09 -> the code that they have now; others name no group for certain.
ETHNIC_EARLIER = {
    "African": "BAFR",
    "Any Other Asian Background": "AOTH",
    "Any Other Black Background": "BOTH",
    "Any Other Ethnic Group": "OOTH",
    "Any Other Mixed Background": "MOTH",
    "Any Other White Background": "WOTH",
    "Bangladeshi": "ABAN",
    "British": "WBRI",
    "Caribbean": "BCRB",
    "Chinese": "CHNE",
    "Gypsy / Romany": "WROM",
    "Indian": "AIND",
    "Irish": "WIRI",
    "Pakistani": "APKN",
    "Traveller Of Irish Heritage": "WIRT",
    "White and Asian": "MWAS",
    "White and Black African": "MWBA",
    "White and Black Caribbean": "MWBC",
    "White British": "WBRI",
}
LANGUAGE = {
    "ENG": "English",
    "ENB": "believed to be English",
    "OTH": "other",
    "OTB": "believed to be other",
    "REF": "refused",
    "NOT": "not obtained",
}
LANGUAGE_MAJOR = {"1_ENG": "English", "2_OTH": "other than English", "3_UNCL": "unclassified"}
GRADES = {**{grade: grade for grade in ("*", "A", "B", "C", "D", "E", "F", "G")}, "U": "ungraded"}
REFORMED_GRADES = {**{str(grade): str(grade) for grade in range(9, 0, -1)}, "U": "ungraded"}
SCHOOL_TYPES = {
    "1": "comprehensive",
    "2": "selective",
    "3": "modern",
    "4": "without an admissions policy",
    "5": "maintained special",
    "6": "hospital or pupil referral unit",
}
EARLIER_SCHOOL_TYPES = {
    "0": "invalid",
    "1": "comprehensive",
    "2": "selective",
    "3": "modern",
    "4": "other maintained",
    "5": "independent",
    "6": "sixth form college",
    "7": "other further education college",
}
NO_MARK = {"A": "absent", "IN": "invalid", "M": "missing", "_NV": "missing"}
EXCLUSIONS = {"FIXD": "fixed period", "PERM": "permanent", "LNCH": "lunchtime"}
PMR = "PupilMatchingRefAnonymous"
SOURCE_PMR = ("s.PupilMatchingRefAnonymous", "PMR")

FROM_FILE = "academic year; the file's name gives it where the column is absent"


def _term(
    name: str,
    kind: VariableType,
    meaning: str,
    years: tuple[int, int] | None = None,
    codes: Mapping[str, str] | None = None,
    also: tuple[str, ...] = (),
    required: bool = False,
) -> Variable:
    """Return a column whose name carries a census suffix."""
    return Variable(name, kind, meaning, years, codes or {}, required, suffixed=True, also_called=also)


SCHOOL_CENSUS = Table(
    name="school_census",
    owner="DfE",
    grain="one registration of a pupil in one census (term and year)",
    years=(2001, 2020),
    variables=(
        _term(PMR, "id", "the pupil", also=(*SOURCE_PMR, "pmr"), required=True),
        _term("AcademicYear", "academic_year", "academic year of the census", also=("ac",)),
        _term(
            "CensusTerm", "text", "term of the census", (2005, 2020), {term: term for term in TERMS.values()}, ("ctrm",)
        ),
        _term("RecordStatus", "int", "1 to 10 and 20 are main records, 101 and above duplicates", also=("rs",)),
        _term("OnRoll", "flag", "on the school's roll at the census", (2008, 2020), YES_NO, ("onrl",)),
        _term("EnrolStatus", "text", "kind of registration", also=("RegistrationType", "enrol")),
        _term("NCyearActual", "text", "year group taught in", also=("ActualNCYearGroup", "ncyr")),
        _term("Gender", "text", "sex", codes=SEX, also=("gend",)),
        _term("YearOfBirth", "int", "calendar year of birth", also=("yob",)),
        _term("MonthOfBirth", "int", "month of birth, 1 to 12", also=("mob",)),
        _term("EthnicGroup", "text", "ethnic group of the earlier coding", (2001, 2008), also=("ethg",)),
        _term("EthnicGroupMinor", "text", "minor ethnic group", (2005, 2020), ETHNIC_MINOR, ("ethg",)),
        _term("EthnicGroupMajor", "text", "major ethnic group", (2005, 2020), ETHNIC_MAJOR, ("ethgm",)),
        _term("FirstLanguage", "text", "first language", codes=LANGUAGE, also=("MotherTongue", "flang")),
        _term("LanguageGroup", "text", "language group", (2006, 2008), LANGUAGE | {"INV": "invalid"}, ("lgrp",)),
        _term("LanguageGroupMajor", "text", "major language group", (2005, 2020), LANGUAGE_MAJOR, ("lgrpm",)),
        _term(
            "FSMeligible",
            "flag",
            "eligible for free school meals on census day; from periods of eligibility from 2012-13",
            codes=YES_NO,
            also=("FreeSchoolMeals", "FSMeligibility", "fsm"),
        ),
        _term("EVERFSM_3", "flag", "eligible at a census in the last 3 years", (2009, 2020), YES_NO),
        _term("EVERFSM_6", "flag", "eligible at a census in the last 6 years", (2016, 2020), YES_NO),
        _term("EVERFSM_6_P", "flag", "eligible at any time in the last 6 years", (2015, 2020), YES_NO),
        _term("EVERFSM_ALL", "flag", "eligible at any spring census so far", (2009, 2020), YES_NO),
        _term("SENprovision", "text", "special educational need", codes=SEN, also=("SENstage", "SENstatus", "sen")),
        _term("SENprovisionMajor", "text", "special educational need, grouped", (2008, 2020), SEN_MAJOR),
        _term("EntryDate", "date", "entry to the school", also=("DateOfJoining", "entry")),
        _term("LeavingDate", "date", "leaving the school", also=("DateOfLeavingSch", "leave")),
        _term("LSOA01", "text", "lower super output area of 2001 of residence", (2001, 2013), also=("LLSOA", "soa")),
        _term("LSOA11", "text", "lower super output area of 2011 of residence", (2012, 2020)),
        _term(
            "IDACIScore",
            "number",
            "deprivation score of the area of residence",
            (2001, 2014),
            also=("IDACI_S", "idaci"),
        ),
        _term(
            "IDACIRank",
            "int",
            "deprivation rank of the area of residence, 1 most deprived",
            (2001, 2014),
            also=("IDACI_R", "rank"),
        ),
        _term("LA_anon", "id", "local authority of the school, pseudonymised", also=("LA", "la")),
        _term("LAEstab_anon", "id", "school by authority and number, pseudonymised", also=("LAEstab", "laest")),
        _term("URN_anon", "id", "school by reference number, pseudonymised", also=("URN", "urn")),
        _term("PHASE", "text", "phase of education of the school", (2013, 2020), also=("phase",)),
    ),
    key=(PMR, "AcademicYear", "CensusTerm", "LAEstab_anon"),
    person=PMR,
    person_key="PMR",
    year="AcademicYear",
    term="CensusTerm",
    suffix="term",
    also_called=("sc_pupil", "spring_census", "autumn_census", "summer_census", "school_census_pupil", "census"),
    known_issues=(
        "several records of a pupil in a census: keep those with RecordStatus missing, 1 to 10 or 20, and on roll",
        "state-funded schools only; no summer census in 2019-20",
        "ethnicity is coded anew in 2002-03 and 2005-06; special needs in 2014-15",
        "before 2005-06 there is a spring census only",
    ),
)

KS2 = Table(
    name="ks2",
    owner="DfE",
    grain="one pupil at the end of key stage 2",
    years=(1995, 2015),
    variables=(
        Variable(
            "KS2_PupilMatchingRefAnonymous", "id", "the pupil", required=True, also_called=(*SOURCE_PMR, "k2_pmr")
        ),
        Variable("KS2_ACADYR", "academic_year", FROM_FILE, also_called=("k2_ac",)),
        Variable("KS2_GENDER", "text", "sex", codes=SEX, also_called=("k2_gend",)),
        Variable("KS2_YEAROFBIRTH", "int", "calendar year of birth", also_called=("k2_yob",)),
        Variable("KS2_MONTHOFBIRTH", "int", "month of birth", also_called=("k2_mob",)),
        Variable("KS2_ENGLEV", "text", "level in English", (1995, 2011), also_called=("k2_leve",)),
        Variable("KS2_MATLEV", "text", "level in mathematics", (1995, 2015), also_called=("k2_levm",)),
        Variable("KS2_SCILEV", "text", "level in science", (1995, 2008), also_called=("k2_levs",)),
        Variable("KS2_ENGTOTMRK", "number", "marks in English", (1995, 2011), NO_MARK, also_called=("k2_tote",)),
        Variable("KS2_MATTOTMRK", "number", "marks in mathematics", (1995, 2015), NO_MARK, also_called=("k2_totm",)),
        Variable("KS2_SCITOTMRK", "number", "marks in science", (1995, 2008), NO_MARK, also_called=("k2_tots",)),
        Variable("KS2_ENGFINE", "number", "finely graded level in English", (2005, 2011), also_called=("k2_efine",)),
        Variable(
            "KS2_MATFINE", "number", "finely graded level in mathematics", (2005, 2015), also_called=("k2_mfine",)
        ),
        Variable("KS2_SCIFINE", "number", "finely graded level in science", (2005, 2008), also_called=("k2_sfine",)),
        Variable("KS2_READFINE", "number", "finely graded level in reading", (2012, 2015)),
        Variable("KS2_ENGPOINTS", "number", "points in English", (2005, 2011), also_called=("k2_epts",)),
        Variable("KS2_MATPOINTS", "number", "points in mathematics", (2005, 2015), also_called=("k2_mpts",)),
        Variable("KS2_SCIPOINTS", "number", "points in science", (2005, 2008), also_called=("k2_spts",)),
        Variable("KS2_TOTPTS", "number", "total points", (2003, 2011), NO_MARK, also_called=("k2_totps",)),
        Variable("KS2_APS", "number", "average points in reading, mathematics and writing", (2012, 2015)),
    ),
    key=("KS2_PupilMatchingRefAnonymous",),
    person="KS2_PupilMatchingRefAnonymous",
    person_key="PMR",
    year="KS2_ACADYR",
    prefix="KS2_",
    also_called=("ks2_pupil", "key_stage_2", "ks2_candindicators"),
    known_issues=(
        "letters stand for absent pupils in marks: they are read as missing",
        "tests of 2009-10 were boycotted by a quarter of the schools",
    ),
)


def _revised(variable: Variable, *endings: tuple[str, tuple[int, int]]) -> tuple[Variable, ...]:
    """Return a column of the years to 2012-13 and those that continue it under the later counting rules."""
    return (
        variable,
        *(
            replace(variable, name=f"{variable.name}_{ending}", years=years, also_called=(), variant_of=variable.name)
            for ending, years in endings
        ),
    )


def _reformed(name: str, meaning: str) -> Variable:
    """Return the column of grades 9 to 1 that continues one of letters."""
    return Variable(f"{name}_91", "text", meaning, (2017, 2020), REFORMED_GRADES, variant_of=name)


PTQ, PTQ_EE = ("PTQ", (2013, 2013)), ("PTQ_EE", (2014, 2020))

KS4 = Table(
    name="ks4",
    owner="DfE",
    grain="one pupil at the end of key stage 4; a pupil can have several records",
    years=(2001, 2020),
    variables=(
        Variable(
            "KS4_PupilMatchingRefAnonymous", "id", "the pupil", required=True, also_called=(*SOURCE_PMR, "k4_pmr")
        ),
        Variable("KS4_ACADYR", "academic_year", FROM_FILE, also_called=("k4_ac",)),
        Variable("KS4_GENDER", "text", "sex", codes=SEX, also_called=("k4_gend",)),
        Variable("KS4_YEAROFBIRTH", "int", "calendar year of birth", also_called=("k4_yob",)),
        Variable("KS4_MONTHOFBIRTH", "int", "month of birth", also_called=("k4_mob",)),
        Variable("KS4_AGE_START", "int", "age in years at the start of the academic year", also_called=("k4_age",)),
        Variable("KS4_ENDKS", "flag", "at the end of key stage 4", (2006, 2020), YES_NO, also_called=("k4_endks",)),
        Variable("KS4_FSM", "flag", "eligible for free school meals", (2006, 2020), YES_NO, also_called=("fsm",)),
        Variable("KS4_FSM6", "flag", "eligible at a census in the last 6 years", (2011, 2020), YES_NO),
        Variable("KS4_SENF", "text", "special educational need", (2014, 2020), SEN),
        Variable("KS4_SENPS", "flag", "action plus or statement", (2006, 2020), YES_NO, also_called=("senps",)),
        Variable("KS4_SENA", "flag", "school action", (2006, 2020), YES_NO, also_called=("sena",)),
        Variable("KS4_FLANG", "flag", "first language is not English", (2006, 2020), YES_NO, also_called=("flang",)),
        Variable("KS4_LANG1ST", "text", "first language", (2014, 2020), LANGUAGE),
        Variable(
            "KS4_IDACI", "number", "deprivation score of the area of residence", (2005, 2020), also_called=("k4_idaci",)
        ),
        Variable("KS4_LA_anon", "id", "local authority of the school", also_called=("KS4_LA", "k4_la")),
        Variable("KS4_LAESTAB_anon", "id", "school by authority and number", also_called=("KS4_LAESTAB", "k4_laest")),
        Variable("KS4_URN_anon", "id", "school by reference number", also_called=("KS4_URN", "k4_urn", "REEURN")),
        Variable("KS4_NFTYPE", "text", "type of institution, two digits", (2004, 2020), also_called=("k4_nftyp",)),
        Variable("KS4_NEW_TYPE", "text", "type of school", (2008, 2020), EARLIER_SCHOOL_TYPES),
        Variable("KS4_NEWER_TYPE", "text", "type of school", (2010, 2020), SCHOOL_TYPES),
        Variable("KS4_ADMPOL", "text", "admissions policy", (2014, 2020)),
        Variable("KS4_MMSCH", "flag", "maintained mainstream school", (2006, 2020), YES_NO, also_called=("k4_mms",)),
        *_revised(
            Variable("KS4_FIVEAC", "flag", "5 or more A*-C", (2001, 2012), YES_NO),
            PTQ,
            ("PTQ_EE", (2014, 2015)),
        ),
        *_revised(Variable("KS4_LEVEL2", "flag", "5 or more A*-C or equivalent", (2003, 2012), YES_NO), PTQ, PTQ_EE),
        *_revised(
            Variable("KS4_LEVEL2_EM", "flag", "5 or more A*-C with English and maths", (2003, 2012), YES_NO),
            PTQ,
            ("94", (2014, 2020)),
        ),
        *_revised(Variable("KS4_PTSTNEWG", "number", "total GCSE points", (2003, 2012)), PTQ),
        *_revised(Variable("KS4_PTSTNEWE", "number", "total points with equivalents", (2003, 2012)), PTQ, PTQ_EE),
        Variable(
            "KS4_POINTS_OLD_G", "number", "total GCSE points, earlier scale", (2001, 2012), also_called=("ps_old_g",)
        ),
        *_revised(
            Variable("KS4_GPTSPE", "number", "points per GCSE entry", (2010, 2012)), ("PTQ", (2012, 2013)), PTQ_EE
        ),
        *_revised(Variable("KS4_HGMATH", "text", "best grade in GCSE mathematics", (2006, 2012), GRADES), PTQ, PTQ_EE),
        Variable(
            "KS4_HGMATH_91",
            "text",
            "best grade in reformed GCSE mathematics",
            (2018, 2020),
            REFORMED_GRADES | {"Q": "pending"},
            variant_of="KS4_HGMATH",
        ),
        *_revised(
            Variable("KS4_APMAT", "text", "grade in GCSE mathematics", (2005, 2012), GRADES),
            PTQ,
            ("PTQ_EE", (2014, 2016)),
        ),
        _reformed("KS4_APMAT", "grade in reformed GCSE mathematics"),
        *_revised(
            Variable("KS4_APENG", "text", "best grade in GCSE English", (2005, 2012), GRADES),
            PTQ,
            ("PTQ_EE", (2014, 2016)),
        ),
        _reformed("KS4_APENG", "best grade in reformed GCSE English"),
        Variable("KS4_ATT8", "number", "Attainment 8 score", (2015, 2020)),
    ),
    key=("KS4_PupilMatchingRefAnonymous",),
    person="KS4_PupilMatchingRefAnonymous",
    person_key="PMR",
    year="KS4_ACADYR",
    prefix="KS4_",
    also_called=("ks4_pupil", "key_stage_4", "ks4_candindicators"),
    known_issues=(
        "duplicates: keep the record with the higher attainment",
        "equivalents inflate 5 A*-C until about 2012; use FIVEAC (GCSE and GNVQ) for 2001-02 and 2002-03",
        "centre-assessed grades instead of exams in 2019-20 and 2020-21",
    ),
)


def _yearly(
    name: str,
    suffix: str,
    grain: str,
    years: tuple[int, int],
    variables: tuple[Variable, ...],
    also_called: tuple[str, ...],
    known_issues: tuple[str, ...],
) -> Table:
    """Return a table whose columns end in a two-digit year: absence and exclusions."""
    person_key: PersonKey = "PMR"
    return Table(
        name=name,
        owner="DfE",
        grain=grain,
        years=years,
        variables=(
            _term(PMR, "id", "the pupil", also=SOURCE_PMR, required=True),
            _term("AcademicYear", "academic_year", "academic year"),
            _term("LAEstab_anon", "id", "school by authority and number", also=("LAEstab",)),
            _term("URN_anon", "id", "school by reference number", also=("URN",)),
            *variables,
        ),
        person=PMR,
        person_key=person_key,
        year="AcademicYear",
        suffix="ab" if suffix == "ab" else "ex",
        also_called=also_called,
        known_issues=known_issues,
    )


def _sessions(period: str, words: str, years: tuple[int, int]) -> tuple[Variable, ...]:
    return (
        _term(f"SessionsPossible_{period}", "int", f"half-day sessions possible {words}", years),
        _term(f"AuthorisedAbsence_{period}", "int", f"sessions missed with leave {words}", years),
        _term(f"UnauthorisedAbsence_{period}", "int", f"sessions missed without leave {words}", years),
        _term(f"OverallAbsence_{period}", "int", f"sessions missed {words}", years),
    )


ABSENCE = _yearly(
    "absence",
    "ab",
    "one enrolment of a pupil in one academic year",
    (2005, 2020),
    (
        *_sessions("Annual", "over the year", (2005, 2015)),
        *_sessions("3Term", "over three terms", (2005, 2011)),
        *_sessions("5HalfTerms", "to the fifth half-term", (2012, 2020)),
        *_sessions("6HalfTerms", "over six half-terms", (2012, 2020)),
        _term("MainRecord", "flag", "main record of a pupil with several", codes=YES_NO),
    ),
    ("pupil_absence", "absence_3term", "absence_annual"),
    ("2019-20 is not shared", "the periods counted change in 2012-13"),
)

EXCLUSIONS_TABLE = _yearly(
    "exclusions",
    "ex",
    "one exclusion, or one pupil and year with totals, by the file",
    (2001, 2020),
    (
        _term("Category", "text", "kind of exclusion", (2005, 2020), EXCLUSIONS),
        _term("StartDate", "date", "first day of the exclusion"),
        _term("Sessions", "number", "half-day sessions excluded", (2005, 2020)),
        _term("TotalFixedExclusions", "int", "fixed exclusions over the year", (2005, 2020)),
        _term("TotalFixedSessions", "number", "sessions of fixed exclusions over the year", (2005, 2020)),
        _term("PermanentExclusionCount", "int", "permanent exclusions over the year", (2007, 2020)),
        _term("PermanentExclusionIndicator", "flag", "excluded permanently in the year", (2005, 2006), YES_NO),
        _term("PermanentExclusionInd", "text", "excluded permanently, earlier files", (2001, 2004)),
    ),
    ("pupil_exclusions", "exclusion"),
    ("files come by exclusion, by enrolment and by pupil: do not add them up",),
)

TABLES = (SCHOOL_CENSUS, KS2, KS4, ABSENCE, EXCLUSIONS_TABLE)
