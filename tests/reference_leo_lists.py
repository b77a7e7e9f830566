"""Lists of persons a second time, in plain pandas; see reference_leo."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
from reference_leo import Population, achieved, as_index, days_since_1970, true


def lists(population: Population) -> dict[str, Counter[tuple[Any, ...]]]:
    """Return the entries of each list: (person, code, first day, last day, weight) and how often."""
    aims, spells = population.rows["ilr_aims"], population.rows["benefits"]
    aims = aims[achieved(aims)]
    return {
        "subjects": _subjects(population.rows["hesa"]),
        "aims": _entries(aims, "learning_aim_id", "start_date", "end_date", (aims["FL3Width"] / 100).fillna(0)),
        "benefits": _entries(spells, "Benefit_type", "StartDate", "EndDate", pd.Series(1.0, spells.index)),
    }


def _entries(rows: pd.DataFrame, code: str, first: str, last: str, weight: pd.Series) -> Counter[tuple[Any, ...]]:
    persons = as_index(rows["person"], rows.index)
    columns = [as_index(rows[name], rows.index) for name in (code, first, last)]
    return Counter(zip(persons, *columns, weight, strict=True))


LEVELS = {
    "higher degree": ("1", "2"),
    "other postgraduate": ("3",),
    "first degree": ("4",),
    "other undergraduate": ("5",),
    "further education": ("6",),
}


def level_of_row(code: Any) -> str | None:
    """Return the level that HE_XQLEV601 names, None for an unknown one."""
    if pd.isna(code):
        return None
    words = code.strip().lower()
    return next((name for name, codes in LEVELS.items() if words.lstrip("0") in codes or name in words), None)


def subjects_of_row(row: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the subjects of a HESA row with their weights."""
    version = "jacs3" if row["HE_ACADYR"] >= 2012 else "jacs2"
    found = {}
    for k in range(1, 6):
        names = {f"HE_XJACS01_{k}": version, f"HE_XCAH03_{k}": "cah", f"HE_SBJQA{k}": "sbjqa"}
        codes = [f"{coding}:{row[name]}" for name, coding in names.items() if pd.notna(row.get(name))]
        if codes:
            found[k] = codes[0]
    shares = {k: row[f"HE_XFPE01_{k}"] for k in found}
    return [(code, 1 / len(found) if pd.isna(shares[k]) else shares[k] / 100) for k, code in found.items()]


def _subjects(hesa: pd.DataFrame) -> Counter[tuple[Any, ...]]:
    """Return the subjects of qualifications, after their level and coding, with the share of time."""
    found: Counter[tuple[Any, ...]] = Counter()
    for row in hesa[true(hesa["HE_XPQUAL01"])].to_dict("records"):
        start, end = days_since_1970(row["HE_ACADYR"], 8, 1), days_since_1970(row["HE_ACADYR"] + 1, 7, 31)
        if pd.notna(row["HE_COMDATE"]):
            start = max(start, row["HE_COMDATE"])
        left = [row[name] for name in ("HE_ENDDATE", "HE_DATELEFT") if pd.notna(row[name])]
        end = min([end, *left[:1]])
        level = level_of_row(row["HE_XQLEV601"]) or "unknown level"
        for code, weight in subjects_of_row(row):
            found[row["person"], f"{level}:{code}", start, end, weight] += 1
    return found
