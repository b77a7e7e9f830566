"""The tables of further and higher education in LEO Iteration 2: ILR learners and aims, LARS, HESA, UCAS."""

from __future__ import annotations

from collections.abc import Mapping

from leoreturns.extract.schema import Table, Variable
from leoreturns.extract.tables_post16 import (
    AIM_OUTCOMES,
    AIM_STATUS,
    AIM_TYPES,
    LARS_LEVELS,
    LEVELS,
    PRIOR_ATTAINMENT,
    PROGRAMMES,
)
from leoreturns.extract.tables_schools import FROM_FILE, PMR, SEX, YES_NO

# A student has up to five subjects (four in JACS), with weights that add up to 100.
SUBJECTS, JACS_SUBJECTS = range(1, 6), range(1, 5)
# HESA's six groups of levels, and its classes of first degrees; extracts hold the codes, or these words.
HE_LEVELS = {
    "1": "Higher degree (research)",
    "2": "Higher degree (taught)",
    "3": "Other postgraduate",
    "4": "First degree",
    "5": "Other undergraduate",
    "6": "Further education",
}
DEGREE_CLASSES = {
    "1": "First class honours",
    "2": "Upper second class honours",
    "3": "Lower second class honours",
    "4": "Third class honours/Pass",
    "5": "Unclassified",
    "6": "FE level qualification",
    "A": "Classification not applicable",
}

ILR_LEARNERS = Table(
    name="ilr_learners",
    owner="DfE",
    grain="one learner at one provider in one academic year",
    years=(2002, 2020),
    variables=(
        Variable("external_id", "int_id", "learner, provider, year and source", required=True),
        Variable("Year", "academic_year", "academic year"),
        Variable("ukprn_anon", "id", "provider, pseudonymised", also_called=("ukprn",)),
        Variable("Sex", "text", "sex", codes=SEX),
        Variable("Ethnicity", "text", "ethnicity, two digits"),
        Variable("AcAge", "int", "age on 31 August of the academic year"),
        Variable("PriorAttain", "text", "highest level on entry", codes=PRIOR_ATTAINMENT),
        Variable("L_FullLevel2", "flag", "takes a full level 2", codes=YES_NO),
        Variable("L_FullLevel3", "flag", "takes a full level 3", codes=YES_NO),
        Variable("L_FullLevel2Ach", "flag", "achieved a full level 2", codes=YES_NO),
        Variable("L_FullLevel3Ach", "flag", "achieved a full level 3", codes=YES_NO),
        Variable("RECORDID", "int_id", "the record that the lookup resolves to a person", required=True),
    ),
    key=("external_id",),
    person="RECORDID",
    person_key="RECORDID",
    year="Year",
    also_called=("lilr_learners", "ilr_learner", "longitudinal_ilr_learners"),
    known_issues=("a learner at two providers has two records",),
)

ILR_AIMS = Table(
    name="ilr_aims",
    owner="DfE",
    grain="one learning aim of a learner in one academic year",
    years=(2002, 2020),
    variables=(
        Variable("Year", "academic_year", "academic year", required=True),
        Variable("ukprn_anon", "id", "provider, pseudonymised", also_called=("ukprn",)),
        Variable("external_id", "int_id", "joins aims to learners"),
        Variable("sequence_index", "int", "number of the aim within the learner"),
        Variable("learning_aim_id", "text", "aim reference; joins to LARS"),
        Variable("RECORDID", "int_id", "the record that the lookup resolves to a person"),
        Variable("framework_id", "text", "apprenticeship framework"),
        Variable("pathway_id", "text", "apprenticeship pathway", (2012, 2020)),
        Variable("Standard_id", "text", "apprenticeship standard", (2014, 2020)),
        Variable("AgeAimStart", "int", "age at the start of the aim"),
        Variable("programme_type", "text", "programme", codes=PROGRAMMES),
        Variable("AimType", "text", "part that the aim plays in a programme", codes=AIM_TYPES),
        Variable("FundModel", "text", "funding model"),
        Variable("start_date", "date", "first day", required=True),
        Variable("end_date_expected", "date", "planned last day"),
        Variable("end_date", "date", "actual last day"),
        Variable("Compstatus", "text", "completion", codes=AIM_STATUS),
        Variable("outcome", "text", "outcome", codes=AIM_OUTCOMES),
        Variable("outcome_grade", "text", "grade"),
        Variable("Achievement_date", "date", "day of achievement"),
        Variable("FL2Width", "number", "share of a full level 2, percent", (2007, 2020)),
        Variable("FL3Width", "number", "share of a full level 3, percent", (2007, 2020)),
        Variable("AimTitle", "text", "title"),
        Variable("QualificationType", "text", "type of qualification, four digits"),
        Variable("app", "flag", "programme aim of an apprenticeship", codes=YES_NO),
        Variable("Traineeship", "flag", "traineeship", (2014, 2020), YES_NO),
        Variable("Notional_Level", "text", "level, earlier coding"),
        Variable("Notional_Level_v2", "text", "level", (2004, 2020), LEVELS),
        Variable("Notional_Level_v2_latest", "text", "level by the latest LARS", codes=LEVELS),
        Variable("SSATier1", "text", "sector subject area", (2004, 2020)),
        Variable("SSATier2", "text", "sector subject area in detail", (2004, 2020)),
        Variable("active", "flag", "in learning in the year", codes=YES_NO),
        Variable("enrolment", "flag", "counted in official statistics", codes=YES_NO),
        Variable("FrameworkApp", "flag", "framework apprenticeship", codes=YES_NO),
        Variable("StandardApp", "flag", "standard apprenticeship", codes=YES_NO),
        Variable("FullL2", "flag", "full level 2", codes=YES_NO),
        Variable("FullL3", "flag", "full level 3", codes=YES_NO),
        Variable("Tlevel", "flag", "T level", (2020, 2020), YES_NO),
    ),
    key=("external_id", "Year", "sequence_index"),
    person="RECORDID",
    person_key="RECORDID",
    spell=("start_date", "end_date"),
    year="Year",
    also_called=("lilr_aims", "ilr_aim", "longitudinal_ilr_aims"),
    known_issues=(
        "an aim recurs in each academic year in which it runs",
        "the apprenticeship indicator is wrong in 2002-03 and 2003-04",
        "an open aim has no actual last day; the planned one stands in",
    ),
)

LARS = Table(
    name="lars",
    owner="DfE",
    grain="one learning aim in one academic year",
    years=(2002, 2020),
    variables=(
        Variable("Year", "academic_year", "academic year"),
        Variable("LearnAimRef", "text", "aim reference", required=True),
        Variable("AimTitle", "text", "title"),
        Variable("QualType", "text", "type of qualification"),
        Variable("Notional_Level", "text", "level, earlier coding"),
        Variable("Notional_Level_v2", "text", "level", codes=LARS_LEVELS),
        Variable("SectorSubjectAreaT1", "text", "sector subject area"),
        Variable("SectorSubjectAreaT2", "text", "sector subject area in detail"),
        Variable("L2_percent", "number", "share of a full level 2, percent"),
        Variable("L3_percent", "number", "share of a full level 3, percent"),
        Variable(
            "FE_HE",
            "text",
            "further or higher education",
            codes={"F": "further", "H": "higher", "U": "unknown", "X": "none"},
        ),
    ),
    key=("LearnAimRef", "Year"),
    year="Year",
    also_called=("lilr_lars", "ilr_lars", "learning_aims_reference_service"),
    known_issues=("later files assign levels better than earlier ones",),
)


def _he(name: str, meaning: str, years: tuple[int, int] | None = None, **more: object) -> Variable:
    return Variable(f"HE_{name}", "text", meaning, years, **more)  # type: ignore[arg-type]


def _or_words(codes: Mapping[str, str]) -> dict[str, str]:
    """Return codes together with their words, for columns that hold either."""
    return dict(codes) | {words: words for words in codes.values()}


HESA = Table(
    name="hesa",
    owner="HESA",
    grain="one course of a student in one academic year",
    years=(2004, 2019),
    variables=(
        Variable(
            "HE_PUPILMATCHINGREFANONYMOUS",
            "id",
            "the pupil",
            required=True,
            also_called=("PUPILMATCHINGREFANONYMOUS", "PMR"),
        ),
        Variable("HE_ACADYR", "academic_year", FROM_FILE, also_called=("HE_YEAR", "ACADYR", "Year")),
        Variable("HE_INSTID_ANON", "id", "provider, pseudonymised", (2004, 2006), also_called=("HE_INSTID",)),
        Variable(
            "HE_XINSTID01__ANON",
            "id",
            "provider, pseudonymised",
            (2007, 2019),
            also_called=("HE_XINSTID01_ANON", "HE_XINSTID01"),
            variant_of="HE_INSTID_ANON",
        ),
        _he("XINSTG01", "region of the provider"),
        Variable("HE_XPQUAL01", "flag", "obtained a qualification in the year", codes=YES_NO),
        Variable("HE_XPSR01", "flag", "in the standard registration population", codes=YES_NO),
        Variable("HE_COMDATE", "date", "first day of the course", month_first=True),
        Variable("HE_DATELEFT", "date", "last day of the course, earlier files", (2004, 2006), month_first=True),
        Variable(
            "HE_ENDDATE", "date", "last day of the course", (2007, 2019), month_first=True, variant_of="HE_DATELEFT"
        ),
        Variable("HE_YEARPRG", "int", "year of the course"),
        _he("XMODE01", "full or part time"),
        _he("XLEV601", "level of study, six groups", codes=_or_words(HE_LEVELS)),
        _he("XQOBTN01", "highest qualification obtained"),
        _he("XQLEV601", "level of the qualification obtained, six groups", codes=_or_words(HE_LEVELS)),
        _he("XQLEV1003", "level of the qualification obtained, ten groups", (2008, 2019)),
        _he("XCLASS01", "class of the first degree", codes=_or_words(DEGREE_CLASSES)),
        *(_he(f"SBJQA{k}", f"subject {k} of the qualification aim", (2004, 2006)) for k in (1, 2, 3)),
        _he("SBJBID", "how time is split between the subjects", (2004, 2006)),
        *(_he(f"XJACSA01_{k}", f"subject group of subject {k}", (2007, 2019)) for k in JACS_SUBJECTS),
        *(_he(f"XJACS01_{k}", f"subject {k}", (2007, 2019)) for k in JACS_SUBJECTS),
        *(_he(f"XCAH01_{k}", f"subject group of subject {k}, CAH", (2019, 2019)) for k in SUBJECTS),
        *(_he(f"XCAH02_{k}", f"subject line of subject {k}, CAH", (2019, 2019)) for k in SUBJECTS),
        *(_he(f"XCAH03_{k}", f"subject {k}, CAH", (2019, 2019)) for k in SUBJECTS),
        *(
            Variable(f"HE_XFPE01_{k}", "number", f"share of time in subject {k}, percent", (2007, 2019))
            for k in SUBJECTS
        ),
        _he("SEXID", "sex", (2012, 2019), also_called=("HE_GENDER",)),
        _he("XETHNIC01", "ethnicity", (2008, 2019)),
        _he("SEC", "socio-economic class of the parents"),
        _he("PARED", "a parent has a higher education qualification", (2007, 2019)),
        _he("XDOMGR01", "region of domicile"),
        _he("XQUALENT01", "highest qualification on entry", (2010, 2019)),
    ),
    person="HE_PUPILMATCHINGREFANONYMOUS",
    person_key="PMR",
    year="HE_ACADYR",
    prefix="HE_",
    also_called=("hesa_student", "he", "higher_education"),
    known_issues=(
        "only students found in school or further education records",
        "qualifications are those of rows with HE_XPQUAL01 = 1",
        "subjects: SBJQA to 2006-07, JACS to 2018-19 (coded anew in 2012-13), CAH in 2019-20",
        "providers are identified anew in 2007-08",
        "the form lists no column with the year",
    ),
)

UCAS = Table(
    name="ucas",
    owner="UCAS",
    grain="one application, applicant or qualification in one cycle, by the file",
    years=(2007, 2020),
    variables=(
        Variable(PMR, "id", "the pupil", required=True, also_called=("PupilMatchingRefAnonymous (PMR)", "PMR")),
        Variable("unique_id_cycle", "id", "applicant in a cycle"),
        Variable("applicant_id", "id", "applicant over cycles"),
        Variable("application_cycle", "int", "calendar year of the cycle"),
        Variable("applicant_age", "int", "age in years"),
        Variable("accept_flag", "flag", "accepted in the cycle", codes=YES_NO),
        Variable("application_date", "date", "first application in the cycle"),
        Variable("unique_application_id_cycle", "id", "application"),
        Variable("entry_year", "int", "calendar year in which the course starts"),
        Variable("subject_group_name", "text", "subject group of the course"),
        Variable("he_provider_tariff_group", "text", "provider by the attainment of its entrants"),
        Variable("he_provider_uk_region", "text", "region of the provider"),
    ),
    person=PMR,
    person_key="PMR",
    also_called=("ucas_applicants", "ucas_applications"),
    known_issues=("applicants aged 18 from England only",),
)

TABLES = (ILR_LEARNERS, ILR_AIMS, LARS, HESA, UCAS)
