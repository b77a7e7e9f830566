"""Traits from what follows compulsory schooling a second time, in plain pandas; see reference_leo."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from reference_leo import (
    Population,
    achieved,
    coalesced,
    is_apprenticeship,
    is_programme,
    level_of,
    true,
)
from reference_leo_lists import level_of_row, subjects_of_row

CLASSES = {
    "first class": ("1", "First class honours"),
    "upper second class": ("2", "Upper second class honours"),
    "lower second class": ("3", "Lower second class honours"),
    "third class": ("4", "Third class honours or pass"),
    "unclassified": ("5", "Unclassified"),
}


def who(rows: pd.DataFrame, holds: pd.Series) -> set[int]:
    """Return the persons with a row for which something holds."""
    return set(rows.loc[holds.to_numpy(dtype=bool), "person"])


def labelled(persons: pd.Index, otherwise: str, *groups: tuple[str | None, set[int]]) -> list[str | None]:
    """Return for each person the label of the first group that he is in."""
    return [next((label for label, members in groups if person in members), otherwise) for person in persons]


def highest_levels(population: Population, five_ac: pd.Series) -> dict[str, list[str | None]]:
    """Return the highest level by any record, and the education level that rests on it."""
    ks5, ypmad, learners, aims, hesa = (
        population.rows[name] for name in ("ks5", "ypmad", "ilr_learners", "ilr_aims", "hesa")
    )
    aims = aims[achieved(aims)]
    level, whole = level_of(aims), is_apprenticeship(aims) & is_programme(aims)
    qualified = hesa[true(hesa["HE_XPQUAL01"])]
    of_row = pd.Series([level_of_row(code) for code in qualified["HE_XQLEV601"]], qualified.index, dtype=object)
    full = [*(f"KS5_PASS2LV3{kind}" for kind in ("", "ALEV", "BTOC", "AVCE", "IB", "NVR", "OTH"))]
    ks5_3 = ks5[full].apply(true).any(axis=1) | (_academic(ks5, "KS5_PASSES_GA", "KS5_PASSES_GAS") >= FULL)
    young = [f"YPMAD_L3_{kind}" for kind in ("OVERALL", "ACADEMIC", "NISVQ", "FE_ILR", "WBL_ILR")]
    ypmad_3 = ypmad[young].apply(true).any(axis=1)
    ypmad_3 |= _academic(ypmad, "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS") >= FULL

    def level_of_hesa(*labels: str) -> set[int]:
        return who(qualified, of_row.isin(labels))

    top = level_of_hesa("higher degree", "other postgraduate") | who(aims, level >= 7)
    degree = level_of_hesa("first degree") | who(aims, level >= 6)
    unknown = who(qualified, of_row.isna())
    threes = who(ks5, ks5_3) | who(ypmad, ypmad_3) | who(learners, true(learners["L_FullLevel3Ach"]))
    threes |= who(aims, true(aims["FullL3"]) | (whole & (level == 3)))
    twos = set(five_ac.index[true(five_ac)]) | who(ypmad, true(ypmad["YPMAD_L2_OVERALL"]))
    twos |= who(learners, true(learners["L_FullLevel2Ach"])) | who(aims, true(aims["FullL2"]) | (whole & (level == 2)))
    highest = labelled(
        population.persons.index,
        "below level 2",
        ("level 7 or above", top),
        (None, unknown),
        ("level 6", degree),
        ("level 4 or 5", level_of_hesa("other undergraduate") | who(aims, level >= 4)),
        ("level 3", threes),
        ("level 2", twos),
    )
    of_level = {
        "level 7 or above": "graduate",
        "level 6": "graduate",
        "level 4 or 5": "level 3 or above",
        "level 3": "level 3 or above",
        "level 2": "level 2 or below",
        "below level 2": "level 2 or below",
    }
    education = [
        "graduate" if person in degree else of_level.get(found)
        for person, found in zip(population.persons.index, highest, strict=True)
    ]
    return {"highest_level": highest, "education_level": education}


def _class(code: Any) -> str | None:
    words = "" if pd.isna(code) else code.strip().lower()
    return next(
        (name for start, (n, name) in CLASSES.items() if words.lstrip("0") == n or words.startswith(start)), None
    )


def first_degrees(population: Population) -> pd.DataFrame:
    """Return what the row of each graduate's first degree tells, index AE_ID."""
    rows = population.rows["hesa"]
    rows = rows[true(rows["HE_XPQUAL01"])]
    rows = rows[[level_of_row(code) == "first degree" for code in rows["HE_XQLEV601"]]]
    names = [name for _, name in CLASSES.values()]
    classes = [_class(code) for code in rows["HE_XCLASS01"]]
    found = pd.DataFrame({"person": rows["person"], "degree_class": pd.Series(classes, rows.index, dtype=object)})
    found["place"] = [names.index(name) if name else np.nan for name in classes]
    found["degree_year"] = (rows["HE_ACADYR"] + 1).astype(float)
    subjects = [subjects_of_row(row) for row in rows.to_dict("records")]
    # The largest weight; of equal ones `max` takes the first.
    main = [max(own, key=lambda entry: entry[1])[0] if own else None for own in subjects]
    found["degree_subject"] = pd.Series(main, rows.index, dtype=object)
    found["university"] = coalesced(rows, "HE_XINSTID01__ANON", "HE_INSTID_ANON")
    order = ["person", "degree_year", "place", "university", "degree_subject"]
    best = found.sort_values(order, na_position="last").drop_duplicates("person").set_index("person")
    return best[["degree_class", "degree_year", "degree_subject", "university"]]


# ---- by 19 ----------------------------------------------------------------------------------------------------------

FULL = 80
KINDS = {"NVQ": "NVQ", "national": "BTEC|OCR"}
YEARS = {
    "ks5": "KS5_ACADYR",
    "ypmad": "YPMAD_Academic_Year",
    "ilr_learners": "Year",
    "hesa": "HE_ACADYR",
    "ilr_aims": "Year",
}


class By19:
    """What records of the academic years C to C+2 show."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self.persons = population.persons.index
        self.ks5, self.ypmad, self.learners, self.hesa, aims = (
            _by_19(population, table, year) for table, year in YEARS.items()
        )
        self.aims = aims[achieved(aims)].assign(
            level=level_of, whole=lambda own: is_apprenticeship(own) & is_programme(own)
        )
        self.size = _sizes(self.aims, self.ks5, self.ypmad).reindex(self.persons).fillna(0)

    def seen(self, values: list[Any], *tables: str) -> list[Any]:
        """Return values where each of the tables reaches C+2, None elsewhere."""
        last = min(self.population.coverage[table] for table in tables)
        cohorts = self.population.persons["cohort"]
        return [value if cohort + 2 <= last else None for value, cohort in zip(values, cohorts, strict=True)]

    def sized(self, holds: pd.Series) -> set[int]:
        return set(self.size.index[holds])

    def ks5_has(self, *columns: str) -> set[int]:
        return set().union(*(who(self.ks5, true(self.ks5[f"KS5_{column}"])) for column in columns))

    def ypmad_has(self, *columns: str) -> set[int]:
        """Return who has a flag, or a number above 0."""
        found = (self.ypmad[f"YPMAD_L3_{column}"] for column in columns)
        return set().union(*(who(self.ypmad, true(column.astype(float) > 0)) for column in found))

    def aim(self, holds: pd.Series) -> set[int]:
        return who(self.aims, holds)

    def programme(self, *codes: str) -> pd.Series:
        return true(self.aims["programme_type"].isin(codes))

    def large(self) -> dict[str, set[int]]:
        """Return Diplomas and T levels of level 3."""
        third = self.aims["level"] == 3
        return {
            "diploma": self.aim(third & self.programme("17", "18")),
            "t level": self.aim(third & (true(self.aims["Tlevel"]) | self.programme("31"))),
        }

    def learner(self, level: int) -> set[int]:
        return who(self.learners, true(self.learners[f"L_FullLevel{level}Ach"]))

    def routes(self) -> list[str | None]:
        a, v = self.size["a"], self.size["v"]
        large = self.large()
        vocational = self.ks5_has(*(f"PASS2LV3{kind}" for kind in ("BTOC", "AVCE", "NVR", "OTH")))
        vocational |= self.ypmad_has("NISVQ", "FE_ILR") | large["diploma"] | large["t level"]
        third = self.ks5_has("PASS2LV3") | self.ypmad_has("OVERALL") | self.learner(3)
        apprentices = self.aim(self.aims["whole"] & (self.aims["level"] >= 3))
        return labelled(
            self.persons,
            "none",
            ("apprenticeship", apprentices | self.ypmad_has("APPRENTICESHIP_WBL_ILR")),
            ("A level", self.sized(a >= FULL) | self.ks5_has("PASS2LV3ALEV", "PASS2LV3IB") | self.ypmad_has("IB_PASS")),
            ("vocational", self.sized(v >= FULL) | vocational),
            ("other level 3", self.sized(a + v >= FULL) | third),
        )

    def a_levels(self) -> list[float]:
        passes = {"KS5_PASSES_GA": self.ks5, "YPMAD_L3_A_PASS": self.ypmad}
        most = [rows.groupby("person")[column].max() for column, rows in passes.items()]
        return pd.concat(most, axis=1).max(axis=1).reindex(self.persons).fillna(0).astype(float).tolist()

    def points(self) -> list[float]:
        order = ["person", "KS5_ACADYR", "KS5_TOTPTSE"]
        latest = self.ks5.sort_values(order, ascending=[True, False, False], na_position="last").drop_duplicates(
            "person"
        )
        latest = latest.set_index("person").reindex(self.persons)
        return latest["KS5_TOTPTSE"].where(true(latest["KS5_ACADYR"] <= 2014)).tolist()

    def pathways(self) -> list[str | None]:
        """Return FFT's types."""
        size, aims = self.size, self.aims
        a, v, b, level_3 = size["a"], size["v"], size["b"], size["a"] + size["v"]
        level = {n: aims["level"] == n for n in (2, 3)}
        large = self.large()
        national = self.sized(size["national"] >= FULL) | self.ks5_has("PASS2LV3BTOC")
        third = self.ks5_has("PASS2LV3") | self.ypmad_has("OVERALL") | self.learner(3)
        apprentices = {n: self.aim(aims["whole"] & level[n]) for n in (2, 3)}
        return labelled(
            size.index,
            "below level 2",
            ("level 4 or above", who(self.hesa, true(self.hesa["HE_XPQUAL01"])) | self.aim(aims["level"] >= 4)),
            ("level 3 apprenticeship", apprentices[3] | self.ypmad_has("APPRENTICESHIP_WBL_ILR")),
            ("two or more A or AS levels", self.sized(a >= FULL) | self.ks5_has("PASS2LV3ALEV")),
            ("level 3 Diploma", large["diploma"]),
            ("large level 3 BTEC, OCR or T level", national | large["t level"]),
            ("level 3 NVQ", self.sized(size["nvq_3"] >= FULL) | self.ks5_has("PASS2LV3NVR")),
            ("mixed level 3", self.sized((level_3 >= FULL) & (a > 0) & (v > 0) & (v < FULL))),
            ("other full level 3", self.sized(v >= FULL) | third),
            ("mixed level 2 and 3", self.sized((level_3 > 0) & (b > 0) & (level_3 + b >= FULL))),
            ("partial level 2 and 3", self.sized((level_3 > 0) & (b > 0))),
            ("partial level 3", self.sized(level_3 > 0)),
            ("level 2 apprenticeship", apprentices[2]),
            ("traineeship", self.aim(true(aims["Traineeship"]) | self.programme("24"))),
            ("level 2 Diploma", self.aim(level[2] & self.programme("16"))),
            ("level 2 NVQ", self.sized(size["nvq_2"] >= FULL)),
            ("other full level 2", self.sized(b >= FULL) | self.learner(2)),
            ("partial level 2", self.sized(b > 0)),
        )


def _academic(rows: pd.DataFrame, a_levels: str, as_levels: str) -> pd.Series:
    """Return the width of the A and AS levels of each record."""
    return 50 * rows[a_levels].fillna(0) + 25 * rows[as_levels].fillna(0)


def _by_19(population: Population, table: str, year: str) -> pd.DataFrame:
    rows = population.rows[table]
    after = rows[year] - rows["person"].map(population.persons["cohort"])
    return rows[true(after.between(0, 2))]


def _sizes(aims: pd.DataFrame, ks5: pd.DataFrame, ypmad: pd.DataFrame) -> pd.DataFrame:
    """Return widths by person: a, v and b of the page, and those of national aims and NVQs."""
    academic = aims["QualificationType"].str.zfill(4).isin(["0001", "0002"])
    words = {kind: true(aims["AimTitle"].str.contains(rf"\b(?:{word})\b", case=False)) for kind, word in KINDS.items()}
    kind = np.select([true(academic), words["NVQ"], words["national"]], ["2 A level", "1 NVQ", "3 national"], "4 other")
    width = {
        n: aims[f"FL{n}Width"].fillna(0).where(~true(aims[f"FullL{n}"]), lambda known: known.clip(lower=100))
        for n in (2, 3)
    }
    each = aims.assign(kind=kind, w2=width[2], w3=width[3]).groupby(["person", "learning_aim_id"], dropna=False)
    each = each.agg({"kind": "min", "w2": "max", "w3": "max"}).reset_index()
    each["w2"] = each["w2"].where(each["w3"] == 0, 0)

    def total(width: str, holds: pd.Series | None = None) -> pd.Series:
        return (each if holds is None else each[holds]).groupby("person")[width].sum()

    found = {
        "v": total("w3", each["kind"] != "2 A level"),
        "b": total("w2"),
        "national": total("w3", each["kind"] == "3 national"),
        "nvq_3": total("w3", each["kind"] == "1 NVQ"),
        "nvq_2": total("w2", each["kind"] == "1 NVQ"),
    }
    passes = [
        _academic(rows, of_a, of_as).groupby(rows["person"]).max()
        for rows, of_a, of_as in (
            (ks5, "KS5_PASSES_GA", "KS5_PASSES_GAS"),
            (ypmad, "YPMAD_L3_A_PASS", "YPMAD_L3_AS_PASS"),
        )
    ]
    found["a"] = pd.concat([*passes, total("w3", each["kind"] == "2 A level")], axis=1).max(axis=1)
    return pd.DataFrame(found)
