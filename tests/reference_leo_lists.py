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


def _subjects(hesa: pd.DataFrame) -> Counter[tuple[Any, ...]]:
    """Return the subjects of qualifications: JACS, else CAH, else the earlier codes, with the share of time."""
    found: Counter[tuple[Any, ...]] = Counter()
    for row in hesa[true(hesa["HE_XPQUAL01"])].to_dict("records"):
        names = {k: (f"HE_XJACS01_{k}", f"HE_XCAH03_{k}", f"HE_SBJQA{k}") for k in range(1, 6)}
        codes = {k: [row[name] for name in own if pd.notna(row.get(name))] for k, own in names.items()}
        codes = {k: own for k, own in codes.items() if own}
        start, end = days_since_1970(row["HE_ACADYR"], 8, 1), days_since_1970(row["HE_ACADYR"] + 1, 7, 31)
        if pd.notna(row["HE_COMDATE"]):
            start = max(start, row["HE_COMDATE"])
        left = [row[name] for name in ("HE_ENDDATE", "HE_DATELEFT") if pd.notna(row[name])]
        end = min([end, *left[:1]])
        for k, own in codes.items():
            share = row[f"HE_XFPE01_{k}"]
            found[row["person"], own[0], start, end, 1 / len(codes) if pd.isna(share) else share / 100] += 1
    return found
