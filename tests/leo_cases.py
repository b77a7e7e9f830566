"""Simulated LEO extracts for the tests of the build, the same ones made far worse, and the panel beside its twin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import reference_leo as twin
import reference_leo_traits as twin_traits
import reference_leo_years as twin_years

from leoreturns.extract.simulate import simulate_extract
from leoreturns.extract.source import open_extract
from leoreturns.panel import Panel
from leoreturns.panel.build import build_panel
from leoreturns.panel.definitions import Definitions, illustrative_deflator

RATE = 0.05  # of values, and of rows repeated, in a worse extract
LOOKUP_FILES = {"areas": "travel_to_work"}  # where file and lookup differ in name
FLOATS = {"rtol": 1e-12, "atol": 0}
# Codes that rules single out and that are rare, or absent, among simulated records.
RARE: dict[str, tuple[Any, ...]] = {
    "Notional_Level_v2": ("9", "-1", "1.5", "X", "6", "7", "0"),
    "Notional_Level_v2_latest": ("9", "-1", "1.5", "6", "8", "4"),
    "programme_type": ("2", "3", "10", "16", "17", "18", "21", "22", "23", "24", "25", "31", "99"),
    "outcome": ("1", "6", "7", "2"),
    "AimTitle": ("BTEC Diploma", "NVQ in Care", "nvq", "OCR National", "Subtec"),
    "QualificationType": ("1", "0001", "2", "0002", "1420"),
    "KS4_GENDER": ("U", "X"),
    "KS4_NEWER_TYPE": ("1", "2", "3", "4", "5", "6", "9"),
    "KS4_ENDKS": (0.0,),
    "KS4_AGE_START": (14, 16),
    "KS4_HGMATH_91": ("Q", "9", "U"),
    "EthnicGroup": ("Caribbean", "WHITE BRITISH", "gypsy / romany", "AIND", "Pre 2002 Code", "REFU"),
    "AimType": ("1", "3", "35", "4"),
    "MonthOfBirth": (0, 13),
    "KS5_PASS2LV3IB": (1,),
    "YPMAD_L3_IB_PASS": (1.0,),
    "CIN_PrimaryNeedCode": ("N9",),
    "Category": ("LNCH",),
    "KS2_GENDER": ("U",),
    "KS2_ENGLEV": ("N", "B", "6", "9", "0"),
    "KS2_MATLEV": ("N", "W", "6"),
    "KS2_MATTOTMRK": ("A", "M"),
    "Gender": ("U",),
    "FirstLanguage": ("REF", "ENB", "OTB"),
    "LanguageGroupMajor": ("3_UNCL",),
    "SENprovisionMajor": ("4_UNCL", "3_SS"),
    "SENprovision": ("K", "E", "S", "P"),
    "EthnicGroupMinor": ("REFU", "NOBT", "INVA", "ZZZZ"),
    "EthnicGroupMajor": ("UNCL", "ZZ"),
    "IDACIRank": (0, 32844, 32845, 40000, 1),
    "RecordStatus": (10, 11, 20, 21, 101, 5),
    "OnRoll": (0,),
    "HE_XQLEV601": ("1", "2", "3", "4", "04", "5", "6", "FIRST DEGREE", "Other Postgraduate", "Foundation degree"),
    "HE_XCLASS01": ("1", "2", "3", "4", "5", "6", "A", "upper second class honours", "Pass"),
    "HE_XPQUAL01": (1,),
    "Earnings": (0,),
    "Main_Section": ("Z", "U"),
    "Self_Employed": (0,),
    "Out_of_work_benefit": (0, 1),
    "Compstatus": ("1", "2", "3", "4"),
    "HE_XLEV601": ("6", "Further education", "4"),
    "HE_XMODE01": ("6", "Dormant", "1"),
    "Benefit_type": ("AA", "RP", "SDA", "PIB", "XX"),
    "CTRYNM": ("Unknown", "Abroad"),
    "CJRS_TOT_WKS": (0.0,),
}


@dataclass(frozen=True)
class Extract:
    """A folder of an extract, with its tables and outside lookups as the twin reads them."""

    folder: Path
    tables: dict[str, pd.DataFrame]
    lookups: dict[str, dict[str, str]]

    @classmethod
    def read(cls, folder: Path) -> Extract:
        return cls(folder, twin.read_tables(folder), twin.read_lookups(folder))


@dataclass(frozen=True)
class Twin:
    """What the twin makes of an extract: persons and person-years in the order of AE_ID."""

    population: twin.Population
    persons: pd.DataFrame
    years: pd.DataFrame
    left_out: dict[str, dict[str, int]]

    @classmethod
    def of(cls, extract: Extract, definitions: Definitions) -> Twin:
        population = twin.select(extract.tables, definitions)
        persons = twin_traits.traits(population, extract.lookups)
        last_years = twin_years.coverage(extract.tables)
        years, left_out = twin_years.person_years(
            population, definitions, extract.lookups, last_years, persons["degree_year"]
        )
        return cls(population, persons, years, left_out)


def define(preset: str, **settings: Any) -> Definitions:
    return Definitions.preset(preset, deflator=illustrative_deflator(), **settings)


def simulate(folder: Path, n_persons: int, **options: Any) -> Extract:
    simulate_extract(folder, n_persons=n_persons, **{"seed": 1} | options).close()
    return Extract.read(folder)


def build(extract: Extract, definitions: Definitions) -> Panel:
    files = sorted((extract.folder / "lookups").glob("*.csv"))
    lookups = {LOOKUP_FILES.get(file.stem, file.stem): file for file in files}
    with open_extract(extract.folder, lookups=lookups) as opened:
        return build_panel(opened, definitions=definitions)


# ---- a worse extract ------------------------------------------------------------------------------------------------


def worsen(extract: Extract, folder: Path, seed: int) -> Extract:
    """Return the extract with rows repeated and shuffled, and in every column values missing, swapped or rare.

    Ids are swapped too, so that rows go to other persons and ids come to be shared. Years are never made missing.
    """
    rng = np.random.default_rng(seed)
    (folder / "lookups").mkdir(parents=True)
    for file in (extract.folder / "lookups").glob("*.csv"):
        (folder / "lookups" / file.name).write_bytes(file.read_bytes())
    used = {*twin.LINKED_BY, "ks4", *(name for name, _ in twin.ID_LOOKUPS.values())}
    for file in sorted(extract.folder.glob("*/*.parquet")):
        table = file.parent.name
        if table in used:
            rows = pq.read_table(file)
            rows = rows.take(np.concatenate([np.arange(len(rows)), rng.integers(0, len(rows), int(len(rows) * RATE))]))
            worse = {name: _worsened(name, rows[name], table, rng) for name in rows.column_names}
            (folder / table).mkdir(exist_ok=True)
            pq.write_table(pa.table(worse).take(rng.permutation(len(rows))), folder / table / file.name)
    return Extract.read(folder)


def _worsened(name: str, column: pa.ChunkedArray, table: str, rng: np.random.Generator) -> pa.Array:
    plain = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    stem = re.sub(r"_(aut|spr|sum)\d\d$", "", name)
    is_year = (
        stem.lower() in ("academicyear", "censusterm", "year", "taxyear", "ypmad_academic_year") or "ACADYR" in stem
    )
    values = column.to_pylist()
    known = [value for value in values if value is not None]
    # Links and years fewer: else hardly a person were left.
    rate = RATE / 3 if is_year or table.startswith("lookup_") else RATE
    for at in np.flatnonzero(rng.random(len(values)) < rate):
        kind = rng.random()
        if stem in RARE and kind < 0.5:
            values[at] = RARE[stem][rng.integers(len(RARE[stem]))]
        elif known and (is_year or kind < 0.8):
            values[at] = known[rng.integers(len(known))]
        elif not is_year:
            values[at] = None
    return pa.array(values, plain)


# ---- side by side ---------------------------------------------------------------------------------------------------


def persons_of(panel: Panel) -> pd.DataFrame:
    """Return every person with his traits, index AE_ID."""
    columns = {
        name: labels_of(panel, name) for name, column in panel.schema.columns.items() if column.level == "person"
    }
    return pd.DataFrame(columns).set_axis(panel.ids.to_arrow().to_pylist()).sort_index()


def years_of(panel: Panel) -> pd.DataFrame:
    """Return every person-year, in the order of AE_ID and tax year."""
    columns = {name: labels_of(panel, name) for name, column in panel.schema.columns.items() if column.level == "year"}
    persons = np.repeat(panel.ids.to_arrow().to_numpy(), np.diff(panel.offsets))
    return pd.DataFrame({"person": persons} | columns).sort_values(["person", "tax_year"]).reset_index(drop=True)


def labels_of(panel: Panel, name: str) -> pd.Series:
    """Return a column's labels or numbers as objects, None for missing."""
    column, values = panel.column(name), panel.array(name)
    if column.kind == "code":
        return pd.Series([None if code < 0 else column.labels[code] for code in values], dtype=object)
    return pd.Series([None if value != value else value for value in values.tolist()], dtype=object)


def differences(found: pd.DataFrame, expected: pd.DataFrame) -> dict[str, int]:
    """Return in how many rows each column differs, those that differ only."""
    assert sorted(found.columns) == sorted(expected.columns)
    assert len(found) == len(expected)
    counts = {name: n_different(found[name], expected[name]) for name in expected.columns}
    return {name: count for name, count in counts.items() if count}


def n_different(found: pd.Series, expected: pd.Series) -> int:
    """Return in how many places two columns differ: labels exactly, floats by more than rounding."""
    missing = found.isna().to_numpy()
    wrong = missing != expected.isna().to_numpy()
    both = ~missing & ~wrong
    ours, theirs = found.to_numpy(dtype=object)[both], expected.to_numpy(dtype=object)[both]
    if any(isinstance(value, float) for value in (*ours[:1], *theirs[:1])):
        same = np.isclose(ours.astype(float), theirs.astype(float), **FLOATS)
    else:
        same = np.array([one == other for one, other in zip(ours, theirs, strict=True)], dtype=bool)
    return int(wrong.sum() + (~same).sum())
