"""The tables of schools' post-16 education in LEO Iteration 2: key stage 5, learning aims, levels 2 and 3 by age."""

from __future__ import annotations

from leoreturns.extract.schema import Table, Variable
from leoreturns.extract.tables_schools import FROM_FILE, PMR, SEX, SOURCE_PMR, YES_NO

KS5_ROUTES = {
    "1": "International Baccalaureate",
    "2": "applied A level",
    "3": "BTEC or OCR",
    "4": "NVQ or VRQ",
    "5": "A level",
    "6": "other",
}
AIM_STATUS = {"1": "continuing", "2": "completed", "3": "withdrawn", "4": "transferred", "6": "on a break"}
AIM_OUTCOMES = {
    "1": "achieved",
    "2": "partly achieved",
    "3": "not achieved",
    "4": "result not known yet",
    "5": "examination not taken yet",
    "6": "achieved, uncashed AS level",
    "7": "achieved, cashed AS level",
    "8": "complete, outcome not known yet",
}
AIM_TYPES = {
    "1": "programme",
    "3": "component of a programme",
    "4": "not part of a programme",
    "5": "core aim, 16 to 19",
    "30": "standard aim, earlier",
    "35": "programme aim, earlier",
}
PROGRAMMES = {
    "-1": "none or not known",
    "2": "advanced apprenticeship",
    "3": "intermediate apprenticeship",
    "10": "higher apprenticeship, earlier",
    "15": "Diploma, level 1",
    "16": "Diploma, level 2",
    "17": "Diploma, level 3 progression",
    "18": "Diploma, level 3 advanced",
    "19": "foundation learning",
    "20": "higher apprenticeship, level 4",
    "21": "higher apprenticeship, level 5",
    "22": "higher apprenticeship, level 6",
    "23": "higher apprenticeship, level 7",
    "24": "traineeship",
    "25": "apprenticeship standard",
    "30": "T level transition",
    "31": "T level",
    "99": "none",
}
LEVELS = {
    **{str(level): f"level {level}" for level in range(1, 9)},
    "0": "entry level",
    "1.5": "level 1 or 2",
    "9": "higher level",
    "-1": "not known",
}
LARS_LEVELS = {**LEVELS, "E": "entry level", "H": "higher level", "M": "mixed", "X": "not applicable"}
PRIOR_ATTAINMENT = {
    "-1": "not known",
    "1": "level 1",
    "2": "full level 2",
    "3": "full level 3",
    "4": "level 4",
    "5": "level 5 and above",
    "7": "below level 1",
    "9": "entry level",
    "10": "level 4",
    "11": "level 5",
    "12": "level 6",
    "13": "level 7 and above",
    "97": "other",
    "98": "not known",
    "99": "none",
}

_KS5_PERSON = Variable(f"KS5_{PMR}", "id", "the student", required=True, also_called=(*SOURCE_PMR, "k5_pmr"))
_KS5_YEAR = Variable("KS5_ACADYR", "academic_year", FROM_FILE, also_called=("k5_ac",))


def _passes(route: str, meaning: str) -> Variable:
    return Variable(
        f"KS5_PASS2LV3{route}", "flag", f"2 A levels or equivalent, mainly by {meaning}", (2010, 2014), YES_NO
    )


KS5 = Table(
    name="ks5",
    owner="DfE",
    grain="one student at the end of 16 to 18 study",
    years=(2001, 2020),
    variables=(
        _KS5_PERSON,
        _KS5_YEAR,
        Variable("KS5_GENDER", "text", "sex", codes=SEX, also_called=("k5_gend",)),
        Variable("KS5_LAESTAB_anon", "id", "school or college", (2001, 2018), also_called=("KS5_LAESTAB", "k5_laest")),
        Variable(
            "KS5_URN_anon", "id", "school or college by reference number", also_called=("KS5_URN", "k5_urn", "REEURN")
        ),
        Variable("KS5_NFTYPE", "text", "type of institution", (2004, 2020)),
        Variable(
            "KS5_TRIGGER", "flag", "counted as at the end of 16 to 18 study", codes=YES_NO, also_called=("k5_trig",)
        ),
        Variable("KS5_TOTPTS", "number", "total points", also_called=("k5_tps",)),
        Variable("KS5_TOTPTSE", "number", "total points with equivalents", (2004, 2020)),
        Variable("KS5_TOTENTS", "number", "entries in A level equivalents", (2003, 2020), also_called=("k5_ent",)),
        Variable("KS5_ALEV", "flag", "entered for an A level", (2008, 2020), YES_NO),
        Variable("KS5_PASSES_GA", "number", "A level passes", also_called=("tot_ga",)),
        Variable("KS5_PASSES_GAS", "number", "AS level passes", also_called=("tot_gas",)),
        Variable("KS5_PASS1L3", "flag", "a level 3 qualification", (2010, 2014), YES_NO),
        Variable("KS5_PASS2LV3", "flag", "2 A levels or equivalent", (2008, 2020), YES_NO),
        _passes("ALEV", "A and AS levels"),
        _passes("BTOC", "BTEC or OCR"),
        _passes("AVCE", "applied A levels"),
        _passes("IB", "the International Baccalaureate"),
        _passes("NVR", "NVQ or VRQ"),
        _passes("OTH", "other qualifications"),
        Variable(
            "KS5_QROUTE", "text", "route with the largest volume", (2006, 2014), KS5_ROUTES, also_called=("qroute",)
        ),
        Variable("KS5_TOTENTS_ALEV", "number", "size of A level entries", (2011, 2020)),
        Variable("KS5_TOTENTS_ACAD", "number", "size of academic entries", (2011, 2020)),
        Variable("KS5_TOTENTS_VQ", "number", "size of vocational awards", (2014, 2014)),
        Variable("KS5_TOTENTS_AGEN", "number", "size of applied general entries", (2015, 2020)),
        Variable("KS5_TOTENTS_TLEV", "number", "size of tech level entries", (2015, 2020)),
        Variable("KS5_TOTPTSE_ALEV", "number", "points in A levels", (2011, 2020)),
        Variable("KS5_TOTPTSE_ACAD", "number", "points in academic qualifications", (2011, 2020)),
        Variable("KS5_TOTPTSE_VQ", "number", "points in vocational qualifications", (2014, 2014)),
        Variable("KS5_TOTPTSE_AGEN", "number", "points in applied general qualifications", (2015, 2020)),
        Variable("KS5_TOTPTSE_TLEV", "number", "points in tech levels", (2015, 2020)),
        Variable("KS5_TOTKS4", "number", "points at key stage 4", (2004, 2014), also_called=("ptsks4",)),
    ),
    key=(f"KS5_{PMR}",),
    person=f"KS5_{PMR}",
    person_key="PMR",
    year="KS5_ACADYR",
    prefix="KS5_",
    also_called=("ks5_student", "ks5_candidate", "ks5_students", "key_stage_5"),
    known_issues=(
        "a student can be reported in several years: keep the latest",
        "counting rules change in 2015-16: points are not comparable across",
        "grades without examinations in 2019-20 and 2020-21",
    ),
)

KS5_EXAMS = Table(
    name="ks5_exams",
    owner="DfE",
    grain="one examination result of a student",
    years=(2001, 2020),
    variables=(
        _KS5_PERSON,
        _KS5_YEAR,
        Variable("KS5_EXAMYEAR", "int", "calendar year of the examination", also_called=("k5r_ey",)),
        Variable("KS5_SUBLEVNO", "text", "qualification and level", also_called=("k5r_qac",)),
        Variable("KS5_QAN", "text", "qualification number", also_called=("k5r_qan", "KS5_GNUMBER")),
        Variable("KS5_MAPPING", "text", "subject", also_called=("k5r_lsm",)),
        Variable("KS5_GRADE", "text", "grade", also_called=("k5r_eg",)),
        Variable("KS5_POINTS", "number", "points", (2005, 2020), also_called=("k5r_pts",)),
        Variable("KS5_ASIZE", "number", "size in A levels", (2005, 2020), also_called=("k5r_size",)),
        Variable("KS5_LEV3", "number", "share of the level 3 threshold", (2005, 2020), also_called=("k5r_lev3",)),
    ),
    person=f"KS5_{PMR}",
    person_key="PMR",
    year="KS5_ACADYR",
    prefix="KS5_",
    also_called=("ks5_exam", "ks5_results", "ks5_result"),
    known_issues=("retakes and discounted results are included",),
)

PLAMS = Table(
    name="plams",
    owner="DfE",
    grain="one learning aim of a pupil in a school sixth form in one academic year",
    years=(2007, 2020),
    variables=(
        Variable(f"pl_{PMR}", "id", "the pupil", required=True, also_called=SOURCE_PMR),
        Variable("pl_ACADYR", "academic_year", FROM_FILE),
        Variable(
            "pl_OnRoll", "text", "source of the record", codes={"0": "off roll", "1": "on roll", "2": "result only"}
        ),
        Variable("pl_RecordStatus", "int", "1 to 10 and 20 are main records, 101 and above duplicates"),
        Variable("pl_LAEstab_anon", "id", "school", (2008, 2020), also_called=("pl_LAEstab",)),
        Variable("pl_QAN", "text", "qualification number", (2007, 2014)),
        Variable("pl_QN", "text", "qualification number", (2015, 2020), variant_of="pl_QAN"),
        Variable("pl_Disc_Code", "text", "subject", (2007, 2014)),
        Variable("pl_Qual_Lev_Ref", "text", "level of the qualification"),
        Variable("pl_Qual_Type_Ref", "text", "type of the qualification"),
        Variable("pl_Title_Ref", "text", "title of the qualification"),
        Variable("pl_LearningStartDate", "date", "first day of the aim"),
        Variable("pl_LearningPlannedEndDate", "date", "planned last day"),
        Variable("pl_LearningActualEndDate", "date", "actual last day"),
        Variable("pl_LearningAimStatus", "text", "status", (2011, 2020), AIM_STATUS),
        Variable("pl_CoreAim", "flag", "core aim", (2013, 2020), YES_NO),
        Variable("pl_ProgType", "text", "programme", (2019, 2020)),
        Variable("pl_Traineeship", "flag", "part of a traineeship", (2015, 2020), YES_NO),
        Variable("pl_Grade_ATT", "text", "grade", (2009, 2020), also_called=("pl_Grade_AAT",)),
        Variable("pl_GradePassFail", "text", "pass or fail", (2009, 2020), {"P": "pass", "F": "fail"}),
    ),
    person=f"pl_{PMR}",
    person_key="PMR",
    spell=("pl_LearningStartDate", "pl_LearningActualEndDate"),
    year="pl_ACADYR",
    prefix="pl_",
    also_called=("post_16_learning_aims", "post16_learning_aims"),
    known_issues=(
        "actual last days are often missing: the planned one stands in",
        "an aim recurs in each of its years",
    ),
)


def _ypmad(name: str, kind: str, meaning: str) -> Variable:
    flag = kind == "flag"
    return Variable(f"YPMAD_{name}", "flag" if flag else "number", meaning, codes=YES_NO if flag else {})


YPMAD = Table(
    name="ypmad",
    owner="DfE",
    grain="one young person in one academic year",
    years=(2001, 2020),
    variables=(
        Variable(f"YPMAD_{PMR}", "id", "the young person", required=True, also_called=SOURCE_PMR),
        Variable("YPMAD_Academic_Year", "academic_year", "academic year of the record"),
        Variable("YPMAD_AgeAtStartofAcadYear", "int", "age in years at the start of the academic year"),
        _ypmad("L2_GCSE_AC", "number", "GCSEs at A*-C or 9-4"),
        _ypmad("L3_A_PASS", "number", "A level passes"),
        _ypmad("L3_AS_PASS", "number", "AS level passes"),
        _ypmad("L3_IB_PASS", "number", "International Baccalaureate passes"),
        _ypmad("L3_TOTAL_PASS", "number", "level 3 passes"),
        _ypmad("L2_ACADEMIC_WIDTH", "number", "width of academic level 2"),
        _ypmad("L3_ACADEMIC_WIDTH", "number", "width of academic level 3"),
        _ypmad("L3_ACWIDTH_A", "number", "width of A levels"),
        _ypmad("L3_ACWIDTH_AS", "number", "width of AS levels"),
        _ypmad("L3_ACWIDTH_IB", "number", "width of the International Baccalaureate"),
        _ypmad("L2_ACADEMIC", "flag", "level 2 by academic qualifications"),
        _ypmad("L3_ACADEMIC", "flag", "level 3 by academic qualifications"),
        _ypmad("L3_NISVQ", "flag", "level 3 by vocational qualifications of awarding bodies"),
        _ypmad("L3_FE_ILR", "flag", "level 3 by further education"),
        _ypmad("L3_WBL_ILR", "flag", "level 3 by work-based learning"),
        _ypmad("L3_APPRENTICESHIP_WBL_ILR", "number", "advanced apprenticeships"),
        _ypmad("L2_OVERALL", "flag", "level 2 by any route"),
        _ypmad("L3_OVERALL", "flag", "level 3 by any route"),
    ),
    person=f"YPMAD_{PMR}",
    person_key="PMR",
    year="YPMAD_Academic_Year",
    prefix="YPMAD_",
    also_called=("level_2_and_3_attainment", "young_persons_matched_administrative_dataset"),
    known_issues=("learning outside England is not seen",),
)

TABLES = (KS5, KS5_EXAMS, PLAMS, YPMAD)
