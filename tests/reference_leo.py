"""The panel of linked LEO tables a second time, in plain pandas: tables read, persons linked, and who is in.

Written from the contract of the derived columns alone. Every rule is spelled out where it is used; nothing is streamed,
nothing is shared with the package but the names and types of the tables' columns, and which of them rules read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leoreturns.extract.tables import TABLES, TERM_NAMES, resolve_columns
from leoreturns.panel.inputs import READ

EPOCH = dt.date(1970, 1, 1)
# Tables that columns are derived from, each with its column of the person's id and the lookup that id is in.
LINKED_BY = {
    "ks2": ("KS2_PupilMatchingRefAnonymous", "PMR"),
    "absence": ("PupilMatchingRefAnonymous", "PMR"),
    "exclusions": ("PupilMatchingRefAnonymous", "PMR"),
    "cin": ("CIN_PupilMatchingRefAnonymous", "PMR"),
    "cla": ("cla_PupilMatchingRefAnonymous", "PMR"),
    "school_census": ("PupilMatchingRefAnonymous", "PMR"),
    "ks5": ("KS5_PupilMatchingRefAnonymous", "PMR"),
    "plams": ("pl_PupilMatchingRefAnonymous", "PMR"),
    "ypmad": ("YPMAD_PupilMatchingRefAnonymous", "PMR"),
    "hesa": ("HE_PUPILMATCHINGREFANONYMOUS", "PMR"),
    "ilr_learners": ("RECORDID", "RECORDID"),
    "ilr_aims": ("RECORDID", "RECORDID"),
    "employment": ("EduKey", "EDUKEY"),
    "earnings": ("Edukey", "EDUKEY"),
    "self_assessment": ("Edukey", "EDUKEY"),
    "benefits": ("EduKey", "EDUKEY"),
    "cjrs": ("EDUKEY", "EDUKEY"),
    "geography": ("Edukey", "EDUKEY"),
}
ID_LOOKUPS = {
    "PMR": ("lookup_pmr", "PUPILMATCHINGREFANONYMOUS"),
    "RECORDID": ("lookup_recid", "RECORDID"),
    "EDUKEY": ("lookup_edukey", "EDUKEY"),
}

Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Population:
    """Who is in the panel.

    Attributes
    ----------
    persons : DataFrame
        Index AE_ID, ascending; the chosen KS4 record, with ``cohort``, ``ks4_points`` and ``ks4_five_ac``.
    waterfall : list of (step, counts by cohort)
    linked : set of int
        Persons with an EDUKEY.
    rows : dict of table -> DataFrame
        Rows of these persons, with ``person`` and ``via``, the id that led there.
    last_tax_year : int
        The last of the extract.
    coverage : dict of table -> int
        The last year of each table of the extract that tells one.
    """

    persons: pd.DataFrame
    waterfall: list[dict[int, int]]
    linked: set[int]
    rows: dict[str, pd.DataFrame]
    last_tax_year: int
    coverage: dict[str, int]


# ---- reading --------------------------------------------------------------------------------------------------------


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return every table with all its columns under their own names, typed; columns that are nowhere are missing."""
    return {name: _read_table(folder, name) for name in TABLES if any((folder / name).glob("*.parquet"))}


def _read_table(folder: Path, name: str) -> pd.DataFrame:
    table = TABLES[name]
    pieces = []
    for file in sorted((folder / name).glob("*.parquet")):
        frame = pd.read_parquet(file, dtype_backend="numpy_nullable")
        found = resolve_columns(table, frame.columns).columns
        plain = {}
        for occasion, columns in found.items():
            plain |= {canonical: frame[stored] for canonical, stored in columns.items()}
            for name, told in ((table.year, occasion.year), (table.term, TERM_NAMES.get(occasion.term))):
                if told is not None:  # fills what the column of the occasion does not tell
                    there = plain.get(name, pd.Series(pd.NA, frame.index, dtype="string"))
                    plain[name] = there.astype("string").fillna(str(told))
        lacking = {
            column: pd.Series(pd.NA, frame.index, dtype="string") for column in table.names if column not in plain
        }
        whole = pd.DataFrame(plain | lacking)
        pieces.append(pd.DataFrame({v.name: _typed(whole[v.name], v.type, v.codes) for v in table.variables}))
    return pd.concat(pieces, ignore_index=True)


def _typed(column: pd.Series, kind: str, codes: Mapping[str, str]) -> pd.Series:
    """Return a column of the extract in one dtype a type: string, Int64, boolean, float64, or days as Int64."""
    if kind in ("id", "text"):
        text = column.astype("string").str.strip()
        return text.mask(text == "")
    if kind == "date":
        return (pd.to_datetime(column) - pd.Timestamp(EPOCH)).dt.days.astype("Int64")
    if kind == "academic_year":
        return column.astype("string").str[:4].astype("Int64")
    if kind == "tax_year":
        return column.astype("Int64") // 100
    if kind == "flag":
        return (column.astype("Int64") == 1).astype("boolean")
    if kind == "number":
        number = column.mask(column.isin(list(codes))) if pd.api.types.is_string_dtype(column.dtype) else column
        return number.astype("Float64").astype("float64")
    return column.astype("Int64")


def read_lookups(folder: Path) -> dict[str, dict[str, str]]:
    """Return the outside lookups of a simulated extract: file name -> code -> label."""
    frames = {file.stem: pd.read_csv(file, dtype="string") for file in sorted((folder / "lookups").glob("*.csv"))}
    return {name: dict(zip(frame.iloc[:, 0], frame.iloc[:, 1], strict=True)) for name, frame in frames.items()}


# ---- linking --------------------------------------------------------------------------------------------------------


def person_of(tables: Frames, kind: str, shared_ids: str) -> pd.Series:
    """Return the person of every id of a kind that is linked to one; shared ids by the rule."""
    name, column = ID_LOOKUPS[kind]
    links = tables[name][["AE_ID", column]].dropna().drop_duplicates()
    persons = links.astype({"AE_ID": "int64"}).groupby(column)["AE_ID"]
    first = persons.min()
    return first if shared_ids == "first" else first[persons.size() == 1]


def select(tables: Frames, definitions: Any) -> Population:
    """Return the persons of the panel, with the counts of each step and their rows in all tables."""
    people = {kind: person_of(tables, kind, definitions.shared_ids) for kind in ID_LOOKUPS}
    records = _best_first(_end_of_ks4(tables["ks4"]))
    pupils = records.drop_duplicates("pmr")
    linked = pupils.assign(person=pupils["pmr"].map(people["PMR"])).dropna(subset="person").astype({"person": "int64"})
    chosen = linked.drop_duplicates("person").set_index("person").sort_index()
    persons = chosen[chosen["cohort"].isin(definitions.cohorts)]
    observed = persons[persons["cohort"] < definitions.last_tax_year]
    steps = (records, pupils, linked, persons, observed)
    persons = observed
    waterfall = [{c: int((step["cohort"] == c).sum()) for c in definitions.cohorts} for step in steps]
    members = set(persons.index)
    rows = {
        name: _rows_of(tables[name], column, people[kind], members)
        for name, (column, kind) in LINKED_BY.items()
        if name in tables
    }
    last = int(tables["earnings"]["TaxYear"].max())
    years = {name: TABLES[name].year for name in rows}
    coverage = {name: min(last, int(tables[name][year].max())) for name, year in years.items() if year is not None}
    return Population(persons, waterfall, members & set(people["EDUKEY"]), rows, last, coverage)


def _end_of_ks4(ks4: pd.DataFrame) -> pd.DataFrame:
    """Return the records of pupils at the end of key stage 4."""
    ks4 = ks4.assign(
        pmr=ks4["KS4_PupilMatchingRefAnonymous"],
        cohort=ks4["KS4_ACADYR"] + 1,
        ks4_points=coalesced(ks4, *TABLES["ks4"].variants("KS4_PTSTNEWE")),
        ks4_gcse_points=coalesced(ks4, *TABLES["ks4"].variants("KS4_PTSTNEWG")),
        ks4_gcse_points_old=ks4["KS4_POINTS_OLD_G"],
        school_code=coalesced(ks4, "KS4_URN_anon", "KS4_LAESTAB_anon"),
    )
    gcse = ks4["KS4_FIVEAC"]
    equivalents = coalesced(ks4, *TABLES["ks4"].variants("KS4_LEVEL2"), *TABLES["ks4"].variants("KS4_FIVEAC"))
    ks4["ks4_five_ac"] = gcse.where(ks4["cohort"] <= 2003, equivalents)
    aged = (ks4["KS4_AGE_START"] == 15).where(ks4["KS4_AGE_START"].notna(), True)
    return ks4[ks4["pmr"].notna() & true(ks4["KS4_ENDKS"].where(ks4["KS4_ENDKS"].notna(), aged))]


def _best_first(records: pd.DataFrame) -> pd.DataFrame:
    """Return KS4 records with the one to keep first, of a pupil and also of a person."""
    keys = -records[["ks4_points", "ks4_gcse_points", "ks4_gcse_points_old"]]
    keys["five_ac"] = records["ks4_five_ac"].astype("Int64").rsub(1).fillna(2)
    keys[["year", "school", "pmr"]] = records[["KS4_ACADYR", "school_code", "pmr"]]
    # What is equal so far is told apart by the other columns of rules as text, so that no row's place decides.
    texts = {name: _as_text(records[name]) for name in TABLES["ks4"].names if name in READ["ks4"]}
    keys = pd.concat([keys, pd.DataFrame(texts)], axis=1)
    return records.loc[keys.sort_values(list(keys), na_position="last").index]


def _as_text(column: pd.Series) -> pd.Series:
    """Return values as text: true and false in small letters, floats with a decimal."""
    text = column.astype("string")
    return text.str.lower() if column.dtype == "boolean" else text


def _rows_of(rows: pd.DataFrame, column: str, people: pd.Series, members: set[int]) -> pd.DataFrame:
    found = rows.assign(via=rows[column].astype("string"), person=rows[column].map(people))
    return found[found["person"].isin(members)].astype({"person": "int64"})


# ---- what traits and years share ------------------------------------------------------------------------------------


def coalesced(rows: pd.DataFrame, *columns: str) -> pd.Series:
    """Return row by row the first that is there of several columns."""
    found = rows[columns[0]]
    for column in columns[1:]:
        found = found.where(found.notna(), rows[column])
    return found


def mapped(codes: pd.Series, labels: Mapping[Any, Any]) -> pd.Series:
    """Return labels of codes; missing where the code is not among them."""
    return pd.Series([labels.get(code) if pd.notna(code) else None for code in codes], codes.index, dtype=object)


def true(flags: pd.Series) -> pd.Series:
    """Return where a flag is true, as plain bool."""
    return flags.astype("boolean").fillna(False).astype(bool)


def level_of(aims: pd.DataFrame) -> pd.Series:
    """Return the level of aims; NaN where it is not known."""
    levels = {"1.5": 1.0, "9": 4.0} | {str(level): float(level) for level in range(9)}
    latest, earlier = (mapped(aims[f"Notional_Level_v2{ending}"], levels) for ending in ("_latest", ""))
    return latest.where(latest.notna(), earlier).astype(float)


def is_apprenticeship(aims: pd.DataFrame) -> pd.Series:
    """Return whether aims are part of an apprenticeship."""
    programmes = aims["programme_type"].isin(["2", "3", "10", "20", "21", "22", "23", "25"])
    return true(aims["app"]) | true(aims["FrameworkApp"]) | true(aims["StandardApp"]) | true(programmes)


def achieved(aims: pd.DataFrame) -> pd.Series:
    """Return whether aims are achieved."""
    return true(aims["outcome"].isin(["1", "6", "7"]))


def is_programme(aims: pd.DataFrame) -> pd.Series:
    """Return whether apprenticeship aims are the programme itself."""
    return aims["AimType"].isna() | true(aims["AimType"].isin(["1", "35"])) | true(aims["app"])


def days_since_1970(year: int, month: int, day: int) -> int:
    return (dt.date(year, month, day) - EPOCH).days


def as_index(values: Mapping[int, Any] | pd.Series, persons: pd.Index) -> pd.Series:
    """Return one entry a person, None where there is none."""
    found = pd.Series(values, dtype=object).reindex(persons)
    return found.where(found.notna(), None)


def run_of(months: np.ndarray, length: int) -> np.ndarray:
    """Return whether the last axis, twelve months, holds a run of true entries of at least a length."""
    starts = range(12 - length + 1)
    return np.any([months[..., start : start + length].all(axis=-1) for start in starts], axis=0)
