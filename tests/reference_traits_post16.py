"""Traits from what follows compulsory schooling, in plain Python over lists of rows; see reference_traits."""

from reference_rows import first, highest_first, is_there, text_place


def level_of(aim):
    known = {**{str(level): level for level in range(9)}, "1.5": 1, "9": 4}
    return first([known.get(aim["Notional_Level_v2_latest"]), known.get(aim["Notional_Level_v2"])])


def is_apprenticeship(aim):
    programmes = ("2", "3", "10", "20", "21", "22", "23", "25")
    return bool(aim["app"] or aim["FrameworkApp"] or aim["StandardApp"] or aim["programme_type"] in programmes)


def achieved(tables):
    """Achieved aims, with their level (0 unknown) and whether they are an apprenticeship as a whole."""
    return [
        aim
        | {
            "level": level_of(aim) or 0,
            "whole": is_apprenticeship(aim) and (aim["AimType"] in (None, "1", "35") or bool(aim["app"])),
        }
        for aim in tables["ilr_aims"]
        if aim["outcome"] in ("1", "6", "7")
    ]


def some(rows, *names):
    return any(row[name] for row in rows for name in names)


def academic_width(rows, a_levels, as_levels):
    return max((50 * (row[a_levels] or 0) + 25 * (row[as_levels] or 0) for row in rows), default=0)


def hesa_level(code):
    labels = ("higher degree", "higher degree", "other postgraduate", "first degree", "other undergraduate")
    labels += ("further education",)
    words = (code or "").strip().lower()
    digit = words.lstrip("0")
    return labels[int(digit) - 1] if digit in list("123456") else first(name for name in labels if name in words)


CLASSES = ("First class honours", "Upper second class honours", "Lower second class honours")
CLASSES += ("Third class honours or pass", "Unclassified")


def degree_class(code):
    words = (code or "").strip().lower()
    starts = ("first class", "upper second", "lower second", "third class", "unclassified")
    return first(
        label
        for digit, (start, label) in enumerate(zip(starts, CLASSES, strict=True), 1)
        if words.lstrip("0") == str(digit) or words.startswith(start)
    )


def main_subject(row):
    """The code of the largest weight, the first of equal ones."""
    year = row["HE_ACADYR"]
    jacs = "jacs" if year is None else "jacs3" if year >= 2012 else "jacs2"
    known = []
    for k in range(1, 6):
        columns = {"HE_XJACS01_": jacs, "HE_XCAH03_": "cah", "HE_SBJQA": "sbjqa"}
        codes = [f"{coding}:{row[f'{name}{k}']}" for name, coding in columns.items() if row.get(f"{name}{k}")]
        if codes:
            known.append((row[f"HE_XFPE01_{k}"], codes[0]))
    if not known:
        return None
    weights = [1 / len(known) if share is None else share / 100 for share, _ in known]
    return known[weights.index(max(weights))][1]


def post16(tables, cohort, five_ac):
    aims = achieved(tables)
    qualified = [row | {"level": hesa_level(row["HE_XQLEV601"])} for row in tables["hesa"] if row["HE_XPQUAL01"]]
    levels = {row["level"] for row in qualified}
    most = max((aim["level"] for aim in aims), default=0)
    wholes = {aim["level"] for aim in aims if aim["whole"]}
    ks5, ypmad = tables["ks5"], tables["ypmad"]
    level_3 = (
        some(ks5, "KS5_PASS2LV3", *(f"KS5_PASS2LV3{kind}" for kind in ("ALEV", "BTOC", "AVCE", "IB", "NVR", "OTH")))
        or academic_width(ks5, "KS5_PASSES_GA", "KS5_PASSES_GAS") >= 80
        or some(ypmad, *(f"YPMAD_L3_{kind}" for kind in ("OVERALL", "ACADEMIC", "NISVQ", "FE_ILR", "WBL_ILR")))
        or academic_width(ypmad, "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS") >= 80
        or some(tables["ilr_learners"], "L_FullLevel3Ach")
        or some(aims, "FullL3")
        or 3 in wholes
    )
    level_2 = five_ac or some(ypmad, "YPMAD_L2_OVERALL") or some(tables["ilr_learners"], "L_FullLevel2Ach")
    graduate = levels & {"first degree", "higher degree", "other postgraduate"} or most >= 6
    if levels & {"higher degree", "other postgraduate"} or most >= 7:
        highest = "level 7 or above"
    elif None in levels:
        highest = None
    elif graduate:
        highest = "level 6"
    elif "other undergraduate" in levels or most >= 4:
        highest = "level 4 or 5"
    elif level_3:
        highest = "level 3"
    else:
        highest = "level 2" if level_2 or some(aims, "FullL2") or 2 in wholes else "below level 2"
    education = {"level 4 or 5": "level 3 or above", "level 3": "level 3 or above", None: None}
    return {
        "highest_level": highest,
        "education_level": "graduate" if graduate else education.get(highest, "level 2 or below"),
        **first_degree([row for row in qualified if row["level"] == "first degree"]),
    }


def first_degree(rows):
    found = [
        {
            "degree_class": degree_class(row["HE_XCLASS01"]),
            "degree_year": None if row["HE_ACADYR"] is None else row["HE_ACADYR"] + 1,
            "degree_subject": main_subject(row),
            "university": row["HE_XINSTID01__ANON"] or row["HE_INSTID_ANON"],
        }
        for row in rows
    ]
    found.sort(
        key=lambda row: (
            (row["degree_year"] is None, row["degree_year"] or 0),
            CLASSES.index(row["degree_class"]) if row["degree_class"] else len(CLASSES),
            text_place(row["university"]),
            text_place(row["degree_subject"]),
        )
    )
    return found[0] if found else dict.fromkeys(("degree_class", "degree_year", "degree_subject", "university"))


# ---- by 19 ----------------------------------------------------------------------------------------------------------


def by_19(tables, cohort, coverage):
    years = {"ks5": "KS5_ACADYR", "ypmad": "YPMAD_Academic_Year", "ilr_learners": "Year", "hesa": "HE_ACADYR"}
    young = {
        name: [row for row in tables[name] if is_there(row[year]) and cohort <= row[year] <= cohort + 2]
        for name, year in years.items()
    }
    young["aims"] = [aim for aim in achieved(tables) if is_there(aim["Year"]) and cohort <= aim["Year"] <= cohort + 2]

    def seen(value, *names):
        return value if all(cohort + 2 <= coverage[name] for name in names) else None

    latest = sorted(young["ks5"], key=lambda row: (-row["KS5_ACADYR"], highest_first(row["KS5_TOTPTSE"])))
    points = latest[0]["KS5_TOTPTSE"] if latest and latest[0]["KS5_ACADYR"] <= 2014 else None
    passes = [row["KS5_PASSES_GA"] for row in young["ks5"]] + [row["YPMAD_L3_A_PASS"] for row in young["ypmad"]]
    sources = ("ks5", "ypmad", "ilr_learners", "ilr_aims")
    return {
        "ks5_route": seen(ks5_route(**young), *sources),
        "n_a_levels": seen(int(max([0, *filter(None, passes)])), "ks5", "ypmad"),
        "ks5_points": seen(points, "ks5"),
        "pathway": seen(pathway(**young), *sources, "hesa"),
    }


def academic_and_not(aims, ks5, ypmad):
    width_3, _ = widths(aims)
    academic = max(
        academic_width(ks5, "KS5_PASSES_GA", "KS5_PASSES_GAS"),
        academic_width(ypmad, "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS"),
        width_3["academic"],
    )
    return academic, sum(width_3.values()) - width_3["academic"]


def above_0(rows, name):
    return any((row[name] or 0) > 0 for row in rows)


def is_large(aims, *programmes, t_level=False):
    return any(
        aim["level"] == 3 and (aim["programme_type"] in programmes or (t_level and aim["Tlevel"])) for aim in aims
    )


def ks5_route(ks5, ypmad, ilr_learners, hesa, aims):
    a, v = academic_and_not(aims, ks5, ypmad)
    if any(aim["whole"] and aim["level"] >= 3 for aim in aims):
        return "apprenticeship"
    if above_0(ypmad, "YPMAD_L3_APPRENTICESHIP_WBL_ILR"):
        return "apprenticeship"
    if a >= 80 or some(ks5, "KS5_PASS2LV3ALEV", "KS5_PASS2LV3IB") or above_0(ypmad, "YPMAD_L3_IB_PASS"):
        return "A level"
    if v >= 80 or is_large(aims, "17", "18", "31", t_level=True):
        return "vocational"
    if some(ks5, *(f"KS5_PASS2LV3{route}" for route in ("BTOC", "AVCE", "NVR", "OTH"))):
        return "vocational"
    if some(ypmad, "YPMAD_L3_NISVQ", "YPMAD_L3_FE_ILR"):
        return "vocational"
    other = some(ks5, "KS5_PASS2LV3") or some(ypmad, "YPMAD_L3_OVERALL") or some(ilr_learners, "L_FullLevel3Ach")
    return "other level 3" if other or a + v >= 80 else "none"


def pathway(ks5, ypmad, ilr_learners, hesa, aims):
    if some(hesa, "HE_XPQUAL01") or any(aim["level"] >= 4 for aim in aims):
        return "level 4 or above"
    width_3, width_2 = widths(aims)
    academic, vocational = academic_and_not(aims, ks5, ypmad)
    partial_2 = sum(width_2.values())
    level_3 = some(ks5, "KS5_PASS2LV3") or some(ypmad, "YPMAD_L3_OVERALL") or some(ilr_learners, "L_FullLevel3Ach")
    if any(aim["whole"] and aim["level"] == 3 for aim in aims) or above_0(ypmad, "YPMAD_L3_APPRENTICESHIP_WBL_ILR"):
        return "level 3 apprenticeship"
    if academic >= 80 or some(ks5, "KS5_PASS2LV3ALEV"):
        return "two or more A or AS levels"
    if is_large(aims, "17", "18"):
        return "level 3 Diploma"
    if width_3["national"] >= 80 or some(ks5, "KS5_PASS2LV3BTOC") or is_large(aims, "31", t_level=True):
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
    if any(aim["whole"] and aim["level"] == 2 for aim in aims):
        return "level 2 apprenticeship"
    if some(aims, "Traineeship") or any(aim["programme_type"] == "24" for aim in aims):
        return "traineeship"
    if any(aim["level"] == 2 and aim["programme_type"] == "16" for aim in aims):
        return "level 2 Diploma"
    if width_2["nvq"] >= 80:
        return "level 2 NVQ"
    if partial_2 >= 80 or some(ilr_learners, "L_FullLevel2Ach"):
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
