"""Every trait of one person once more, in plain Python over lists of rows: the twin that the SQL is held against."""

import datetime as dt

from leoreturns.extract.tables_schools import ETHNIC_MINOR

MISSING_LAST = (1, "")


def is_there(value):
    return value is not None


def text_place(value):
    return (0, value.encode()) if is_there(value) else MISSING_LAST


def highest_first(value):
    return (0, -value) if is_there(value) else (1, 0)


def first(values):
    return next((value for value in values if is_there(value)), None)


def traits_of_person(tables, cohort, regions, school_types):
    """Traits of a person from his rows by table; ``ks4`` holds the chosen record first."""
    record = tables["ks4"][0] if tables["ks4"] else {}
    found = census_traits(tables["school_census"], cohort, regions)
    own, eligible, urn = found.pop("own sex"), found.pop("eligible"), found.pop("urn")
    sex = record.get("KS4_GENDER") if record.get("KS4_GENDER") in ("F", "M") else own
    found["sex"] = sex or first(
        row["KS2_GENDER"]
        for row in sorted(
            tables["ks2"], key=lambda row: (highest_first(row["KS2_ACADYR"]), text_place(row["KS2_GENDER"]))
        )
        if row["KS2_GENDER"] in ("F", "M")
    )
    found["fsm"] = first([eligible, record.get("KS4_FSM")])
    found["school"] = record.get("KS4_URN_anon") or record.get("KS4_LAESTAB_anon") or urn
    types = {"1": "mainstream", "2": "selective", "3": "mainstream", "4": "mainstream", "5": "special", "6": "other"}
    found["school_type"] = school_types.get(found["school"]) or types.get(record.get("KS4_NEWER_TYPE"))
    points = found["prior_attainment"] = prior_attainment(tables["ks2"], cohort)
    found["prior_attainment_band"] = (
        None if points is None else "low" if points < 24 else "middle" if points < 30 else "high"
    )
    return found | key_stage_4(record, cohort) | post16(tables, cohort)


def census_traits(rows, cohort, regions):
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
    minor = in_order("EthnicGroupMinor", codes=real)
    by_minor = {"CHNE": "Chinese", "OOTH": "other"}.get(minor) or group.get((minor or " ")[0])
    language = {"1_ENG": "English", "2_OTH": "other"}.get(in_order("LanguageGroupMajor", codes=("1_ENG", "2_OTH")))
    spoken = in_order("FirstLanguage", codes=("ENG", "ENB", "OTH", "OTB"))
    need = in_order("SENprovisionMajor", year_11, ("1_NON", "2_SNS", "3_SS"))
    provision = in_order("SENprovision", year_11, "NAPKSE")
    seen = [row["FSMeligible"] for row in kept if is_there(row["FSMeligible"])]
    rank = in_order("IDACIRank", year_11, range(1, 32845))
    fifth = None if rank is None else min(5, 1 + (rank - 1) * 5 // 32482)
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
        "region": regions.get(in_order("LSOA11", year_11)) or regions.get(in_order("LSOA01", year_11)),
        "urn": in_order("URN_anon", year_11),
    }


def prior_attainment(rows, cohort):
    def points(row):
        english, mathematics = subject(row, "ENG"), subject(row, "MAT")
        if english is None and all(row[f"KS2_ENG{kind}"] is None for kind in ("FINE", "POINTS", "LEV")):
            english = None if row["KS2_READFINE"] is None else 6 * row["KS2_READFINE"] + 3
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
        return 6 * fine + 3
    if is_there(given):
        return given
    return 6 * int(level) + 3 if level in list("12345678") else None


def key_stage_4(record, cohort):
    def of(*names):
        return first(record.get(f"KS4_{name}") for name in names)

    both = ("LEVEL2", "LEVEL2_PTQ", "LEVEL2_PTQ_EE", "FIVEAC", "FIVEAC_PTQ", "FIVEAC_PTQ_EE")
    five = of("FIVEAC") if cohort <= 2003 else of(*both)
    with_both = of("LEVEL2_EM", "LEVEL2_EM_PTQ", "LEVEL2_EM_94")
    band = "5 A*-C" if five else None if five is None else "below 5 A*-C"
    return {
        "ks4_points": of("PTSTNEWE", "PTSTNEWE_PTQ", "PTSTNEWE_PTQ_EE", "PTSTNEWG", "PTSTNEWG_PTQ"),
        "ks4_five_ac": five,
        "ks4_five_ac_em": with_both,
        "ks4_band": "5 A*-C with English and maths" if with_both else band,
    }


# ---- after compulsory schooling -------------------------------------------------------------------------------------


def level_of(aim):
    known = {**{str(level): level for level in range(9)}, "1.5": 1, "9": 4}
    return first([known.get(aim["Notional_Level_v2_latest"]), known.get(aim["Notional_Level_v2"])])


def is_apprenticeship(aim):
    programmes = ("2", "3", "10", "20", "21", "22", "23", "25")
    return bool(aim["app"] or aim["FrameworkApp"] or aim["StandardApp"] or aim["programme_type"] in programmes)


def post16(tables, cohort):
    aims = [aim | {"level": level_of(aim) or 0} for aim in tables["ilr_aims"] if aim["outcome"] == "1"]
    route = ks5_route(tables, aims, cohort)
    qualified = [row for row in tables["hesa"] if row["HE_XPQUAL01"]]
    levels = [(row["HE_XQLEV601"] or "").lower() for row in qualified]
    degrees = [row for row, level in zip(qualified, levels, strict=True) if "first degree" in level]
    degrees.sort(
        key=lambda row: (
            (row["HE_ACADYR"] is None, row["HE_ACADYR"] or 0),
            text_place(row["HE_XCLASS01"]),
            text_place(row["HE_INSTID_ANON"]),
        )
    )
    degree = degrees[0] if degrees else dict.fromkeys(("HE_XCLASS01", "HE_ACADYR", "HE_INSTID_ANON"))
    is_graduate = any(word in level for level in levels for word in ("first degree", "higher degree", "postgraduate"))
    if is_graduate or any(aim["level"] >= 6 for aim in aims):
        reached = "graduate"
    elif route != "none" or qualified or any(aim["FullL3"] or aim["level"] >= 4 for aim in aims):
        reached = "level 3 or above"
    else:
        reached = "level 2 or below"
    return {
        "ks5_route": route,
        "education_level": reached,
        "degree_class": degree["HE_XCLASS01"],
        "degree_year": None if degree["HE_ACADYR"] is None else degree["HE_ACADYR"] + 1,
        "university": degree["HE_INSTID_ANON"],
        "pathway": pathway(tables, aims, cohort),
    }


def ks5_route(tables, aims, cohort):
    def some(table, *names):
        return any(row[name] for row in tables[table] for name in names)

    if some("ks5", "KS5_PASS2LV3ALEV") or any((row["KS5_PASSES_GA"] or 0) >= 2 for row in tables["ks5"]):
        return "A level"
    if some("ks5", *(f"KS5_PASS2LV3{route}" for route in ("BTOC", "AVCE", "NVR", "OTH"))):
        return "vocational"
    if some("ypmad", "YPMAD_L3_NISVQ"):
        return "vocational"
    cut_off = dt.date(cohort + 3, 9, 1)
    for aim in aims:
        if is_apprenticeship(aim) and aim["level"] >= 3 and aim["start_date"] and aim["start_date"] < cut_off:
            return "apprenticeship"
    level_3 = some("ks5", "KS5_PASS2LV3") or some("ypmad", "YPMAD_L3_OVERALL")
    return "other level 3" if level_3 or some("ilr_learners", "L_FullLevel3Ach") else "none"


def pathway(tables, aims, cohort):
    def young(rows, year):
        return [row for row in rows if is_there(row[year]) and cohort <= row[year] <= cohort + 2]

    ks5, ypmad = young(tables["ks5"], "KS5_ACADYR"), young(tables["ypmad"], "YPMAD_Academic_Year")
    learners, aims = young(tables["ilr_learners"], "Year"), young(aims, "Year")
    if young([row for row in tables["hesa"] if row["HE_XPQUAL01"]], "HE_ACADYR"):
        return "level 4 or above"
    if any(aim["level"] >= 4 for aim in aims):
        return "level 4 or above"

    def some(rows, *names):
        return any(row[name] for row in rows for name in names)

    def aim_of(level, *programmes):
        return any(aim["level"] == level and aim["programme_type"] in programmes for aim in aims)

    width_3, width_2 = widths(aims)
    passes = [50 * (row["KS5_PASSES_GA"] or 0) + 25 * (row["KS5_PASSES_GAS"] or 0) for row in ks5]
    passes += [50 * (row["YPMAD_L3_A_PASS"] or 0) + 25 * (row["YPMAD_L3_AS_PASS"] or 0) for row in ypmad]
    academic = max([*passes, width_3["academic"]])
    vocational = sum(width_3.values()) - width_3["academic"]
    partial_2 = sum(width_2.values())
    t_level = any(aim["level"] == 3 and (aim["Tlevel"] or aim["programme_type"] == "31") for aim in aims)
    level_3 = some(ks5, "KS5_PASS2LV3") or some(ypmad, "YPMAD_L3_OVERALL") or some(learners, "L_FullLevel3Ach")
    if any(is_apprenticeship(aim) and aim["level"] == 3 for aim in aims):
        return "level 3 apprenticeship"
    if academic >= 80 or some(ks5, "KS5_PASS2LV3ALEV"):
        return "two or more A or AS levels"
    if aim_of(3, "17", "18"):
        return "level 3 Diploma"
    if width_3["national"] >= 80 or some(ks5, "KS5_PASS2LV3BTOC") or t_level:
        return "large level 3 BTEC, OCR or T level"
    if width_3["nvq"] >= 80 or some(ks5, "KS5_PASS2LV3NVR"):
        return "level 3 NVQ"
    if academic + vocational >= 80 and academic and 0 < vocational < 80:
        return "mixed level 3"
    if vocational >= 80 or level_3:
        return "other full level 3"
    if academic + vocational:
        both = "mixed" if academic + vocational + partial_2 >= 80 else "partial"
        return f"{both} level 2 and 3" if partial_2 else "partial level 3"
    if any(is_apprenticeship(aim) and aim["level"] == 2 for aim in aims):
        return "level 2 apprenticeship"
    if some(aims, "Traineeship") or any(aim["programme_type"] == "24" for aim in aims):
        return "traineeship"
    if aim_of(2, "16"):
        return "level 2 Diploma"
    if width_2["nvq"] >= 80:
        return "level 2 NVQ"
    if partial_2 >= 80 or some(learners, "L_FullLevel2Ach"):
        return "other full level 2"
    return "partial level 2" if partial_2 else "below level 2"


def widths(aims):
    """Percent of a full level by kind of aim; an aim in several records counts once, with what is most."""
    kinds = ("nvq", "academic", "national", "other")
    width_3, width_2 = dict.fromkeys(kinds, 0), dict.fromkeys(kinds, 0)
    for aim_id in {aim["learning_aim_id"] for aim in aims}:
        records = [aim for aim in aims if aim["learning_aim_id"] == aim_id]
        kind = min((kind_of(aim) for aim in records), key=kinds.index)
        wide_3 = max(max(aim["FL3Width"] or 0, 100 if aim["FullL3"] else 0) for aim in records)
        wide_2 = max(max(aim["FL2Width"] or 0, 100 if aim["FullL2"] else 0) for aim in records)
        width_3[kind] += wide_3
        width_2[kind] += 0 if wide_3 else wide_2
    return width_3, width_2


def kind_of(aim):
    words = (aim["AimTitle"] or "").lower().split()
    if aim["QualificationType"] in ("0001", "2"):
        return "academic"
    return "nvq" if "nvq" in words else "national" if {"btec", "ocr"} & set(words) else "other"
