"""Every trait of one person once more, in plain Python over lists of rows: the twin that the SQL is held against."""

from reference_rows import first, highest_first, is_there, text_place
from reference_traits_post16 import by_19, post16

from leoreturns.extract.tables_schools import ETHNIC_EARLIER, ETHNIC_MINOR


def traits_of_person(tables, cohort, lookups, coverage):
    """Traits of a person from his rows by table; ``ks4`` holds the chosen record first.

    `coverage` is the last year of each table, `lookups` are the outside lookups by name.
    """
    record = tables["ks4"][0] if tables["ks4"] else {}
    found = census_traits(tables["school_census"], cohort, lookups)
    own = {name: found.pop(name) for name in ("own sex", "own month", "eligible", "told", "score", "urn", "home")}
    found["sex"] = first_known(
        ("F", "M"), record.get("KS4_GENDER"), own["own sex"], latest_key_stage_2(tables["ks2"], "GENDER", ("F", "M"))
    )
    months = range(1, 13)
    month = latest_key_stage_2(tables["ks2"], "MONTHOFBIRTH", months)
    found["birth_month"] = first_known(months, record.get("KS4_MONTHOFBIRTH"), own["own month"], month)
    found["fsm"] = first([own["eligible"], record.get("KS4_FSM")])
    found["fsm_6"] = first([record.get("KS4_FSM6"), own["told"], found["fsm_6"]])
    found["idaci_score"] = first([own["score"], record.get("KS4_IDACI")])
    found["area_at_16"] = area_at_16(tables["geography"], cohort, lookups) or own["home"]
    school = found["school"] = record.get("KS4_URN_anon") or record.get("KS4_LAESTAB_anon") or own["urn"]
    found["region"] = lookups["school_regions"].get(school)
    found["school_type"] = lookups["school_types"].get(school) or school_type(record, lookups["institution_types"])
    points = found["prior_attainment"] = prior_attainment(tables["ks2"], cohort)
    found["prior_attainment_band"] = (
        None if points is None else "low" if points < 24 else "middle" if points < 30 else "high"
    )
    found |= key_stage_4(record, cohort) | at_risk(tables, cohort)
    return found | post16(tables, cohort, found["ks4_five_ac"]) | by_19(tables, cohort, coverage)


def first_known(codes, *values):
    return first(value for value in values if value in codes)


def latest_key_stage_2(rows, name, codes):
    known = [row for row in rows if row[f"KS2_{name}"] in codes]
    known.sort(key=lambda row: (highest_first(row["KS2_ACADYR"]), row[f"KS2_{name}"]))
    return known[0][f"KS2_{name}"] if known else None


def school_type(record, institution_types):
    newer = {"1": "mainstream", "2": "selective", "3": "mainstream", "5": "special", "6": "other"}
    new = {"1": "mainstream", "2": "selective", "3": "mainstream", "5": "independent", "6": "other", "7": "other"}
    return (
        newer.get(record.get("KS4_NEWER_TYPE"))
        or new.get(record.get("KS4_NEW_TYPE"))
        or institution_types.get(record.get("KS4_NFTYPE"))
    )


def area_at_16(rows, cohort, lookups):
    if "areas" in lookups:
        rows = [row | {"area": lookups["areas"].get(row["COA_2011"])} for row in rows]
    else:
        rows = [row | {"area": None if "home_areas" in lookups else row["LAUA_anon"]} for row in rows]
    known = [row for row in rows if row["area"] and row["TaxYear"] in (cohort, cohort + 1)]
    return min(((row["TaxYear"], f"id {row['number']}", row["area"]) for row in known), default=(None,))[-1]


def census_traits(rows, cohort, lookups):
    terms = {"Spring": 0, "Autumn": 1, "Summer": 2}
    kept = [
        row
        for row in rows
        if (row["RecordStatus"] is None or row["RecordStatus"] in (*range(1, 11), 20))
        and row["OnRoll"] is not False
        and row["AcademicYear"] < cohort
    ]

    def in_order(column, rows=kept, codes=None):
        ordered = sorted(
            (row for row in rows if is_there(row[column]) and (codes is None or row[column] in codes)),
            key=lambda row: (
                -row["AcademicYear"],
                terms.get(row["CensusTerm"], 3),
                text_place(row["LAEstab_anon"]),
                text_place(row["URN_anon"]),
                row[column],
            ),
        )
        return ordered[0][column] if ordered else None

    year_11 = [row for row in kept if row["AcademicYear"] == cohort - 1]
    major = {"WHIT": "White", "ASIA": "Asian", "BLAC": "Black", "CHIN": "Chinese", "MIXD": "Mixed", "AOEG": "other"}
    group = {"A": "Asian", "B": "Black", "M": "Mixed", "W": "White"}
    real = [code for code in ETHNIC_MINOR if code not in ("INVA", "MISS", "N/A", "NOBT", "REFU")]
    words = {word.upper(): code for word, code in ETHNIC_EARLIER.items()} | {code: code for code in real}
    for row in kept:
        row["earlier"] = words.get((row["EthnicGroup"] or "").upper())
    minor = in_order("EthnicGroupMinor", codes=real) or in_order("earlier")
    by_minor = {"CHNE": "Chinese", "OOTH": "other"}.get(minor) or group.get((minor or " ")[0])
    language = {"1_ENG": "English", "2_OTH": "other"}.get(in_order("LanguageGroupMajor", codes=("1_ENG", "2_OTH")))
    spoken = in_order("FirstLanguage", codes=("ENG", "ENB", "OTH", "OTB"))
    need = in_order("SENprovisionMajor", year_11, ("1_NON", "2_SNS", "3_SS"))
    provision = in_order("SENprovision", year_11, "NAPKSE")
    seen = [row["FSMeligible"] for row in kept if is_there(row["FSMeligible"])]
    six = [row for row in kept if is_there(row["FSMeligible"]) and row["AcademicYear"] >= cohort - 6 and cohort >= 2007]
    rank = in_order("IDACIRank", year_11, range(1, 32845))
    fifth = None if rank is None else min(5, 1 + (rank - 1) * 5 // 32482)
    homes = [in_order(f"LSOA{year}", year_11) for year in ("11", "01")]

    def of_home(lookup):
        return first(lookups.get(lookup, {}).get(home) for home in homes)

    kinds = {"N": "none", "S": "with a statement", "E": "with a statement"}
    return {
        "own sex": in_order("Gender", codes=("F", "M")),
        "ethnicity": major.get(in_order("EthnicGroupMajor", codes=major)) or by_minor,
        "ethnicity_minor": ETHNIC_MINOR.get(minor),
        "first_language": language or (spoken and {"E": "English", "O": "other"}[spoken[0]]),
        "eligible": in_order("FSMeligible", year_11),
        "fsm_ever": any(seen) if seen else None,
        "sen": {"1_NON": "none", "2_SNS": "without a statement", "3_SS": "with a statement"}.get(need)
        or (provision and kinds.get(provision, "without a statement")),
        "idaci_quintile": {1: "1 most deprived", 5: "5 least deprived", None: None}.get(fifth, str(fifth)),
        "fsm_6": any(row["FSMeligible"] for row in six) if six else None,
        "told": in_order("EVERFSM_6", year_11),
        "score": in_order("IDACIScore", year_11),
        "own month": in_order("MonthOfBirth", codes=range(1, 13)),
        "home_region": of_home("regions"),
        "home": of_home("home_areas"),
        "urn": in_order("URN_anon", year_11),
    }


def prior_attainment(rows, cohort):
    def points(row):
        english, mathematics = subject(row, "ENG"), subject(row, "MAT")
        if english is None and all(row[f"KS2_ENG{kind}"] is None for kind in ("FINE", "POINTS", "LEV")):
            english = None if row["KS2_READFINE"] is None else 6 * row["KS2_READFINE"]
        there = [value for value in (english, mathematics) if is_there(value)]
        return sum(there) / len(there) if there else row["KS2_APS"]

    earlier = [row for row in rows if is_there(row["KS2_ACADYR"]) and row["KS2_ACADYR"] < cohort - 1]
    earlier.sort(
        key=lambda row: (
            -row["KS2_ACADYR"],
            *(highest_first(value) for value in (row["KS2_TOTPTS"], row["KS2_MATTOTMRK"], points(row))),
        )
    )
    return points(earlier[0]) if earlier else None


def subject(row, name):
    fine, given, level = (row[f"KS2_{name}{kind}"] for kind in ("FINE", "POINTS", "LEV"))
    if is_there(fine):
        return 6 * fine
    if is_there(given):
        return given
    return 6 * int(level) + 3 if level in list("12345678") else None


def key_stage_4(record, cohort):
    def of(*names):
        return first(record.get(f"KS4_{name}") for name in names)

    both = ("LEVEL2", "LEVEL2_PTQ", "LEVEL2_PTQ_EE", "FIVEAC", "FIVEAC_PTQ", "FIVEAC_PTQ_EE")
    five = of("FIVEAC") if cohort <= 2003 else of(*both)
    with_both = of("LEVEL2_EM", "LEVEL2_EM_PTQ", "LEVEL2_EM_94")
    if with_both:
        band = "5 A*-C with English and maths"
    elif five:
        band = None if with_both is None else "5 A*-C"
    else:
        band = None if five is None else "below 5 A*-C"
    letters = ("PTQ_EE", "PTQ")
    maths = [f"{name}_{kind}".removesuffix("_") for name in ("HGMATH", "APMAT") for kind in ("91", *letters, "")]
    english = [f"APENG_{kind}".removesuffix("_") for kind in ("91", *letters, "")]
    return {
        "ks4_points": of("PTSTNEWE", "PTSTNEWE_PTQ", "PTSTNEWE_PTQ_EE"),
        "ks4_gcse_points": of("PTSTNEWG", "PTSTNEWG_PTQ"),
        "ks4_gcse_points_old": of("POINTS_OLD_G"),
        "ks4_five_ac": five,
        "ks4_five_ac_em": with_both,
        "ks4_band": band,
        "ks4_maths_grade": first(grade(record.get(f"KS4_{name}")) for name in maths),
        "ks4_english_grade": first(grade(record.get(f"KS4_{name}")) for name in english),
    }


def grade(code):
    return "A*" if code == "*" else code if code and code in "ABCDEFGU987654321" else None


# ---- pupils at risk -------------------------------------------------------------------------------------------------


def at_risk(tables, cohort):
    def up_to_16(table, year, last=cohort - 1):
        return [row for row in tables[table] if is_there(row[year]) and row[year] <= last]

    def ever(held, observed):
        return True if held else False if observed else None

    excluded = [
        row
        for row in up_to_16("exclusions", "AcademicYear")
        if row["Category"] in ("FIXD", "PERM")
        or (row["TotalFixedExclusions"] or 0) > 0
        or (row["PermanentExclusionCount"] or 0) > 0
        or row["PermanentExclusionIndicator"]
        or row["PermanentExclusionInd"] in ("1", "Y")
    ]
    need = [
        row
        for row in up_to_16("cin", "CIN_ACADYR")
        if not row["CIN_ReferralNFA"] and row["CIN_PrimaryNeedCode"] != "N9"
    ]
    return {
        "absence_rate": absence_rate([row for row in tables["absence"] if row["AcademicYear"] == cohort - 1]),
        "ever_excluded": ever(excluded, cohort >= 2006 and tables["school_census"]),
        "ever_in_need": ever(need, cohort >= 2009),
        "ever_looked_after": ever(up_to_16("cla", "cla_PROCESSING_YEAR", cohort), cohort >= 2006),
    }


def absence_rate(rows):
    sessions = []
    for row in rows:
        periods = [kind for kind in ("3Term", "5HalfTerms", "Annual") if (row[f"SessionsPossible_{kind}"] or 0) > 0]
        if periods and is_there(row[f"OverallAbsence_{periods[0]}"]):
            sessions.append((row[f"OverallAbsence_{periods[0]}"], row[f"SessionsPossible_{periods[0]}"]))
    return sum(missed for missed, _ in sessions) / sum(possible for _, possible in sessions) if sessions else None
