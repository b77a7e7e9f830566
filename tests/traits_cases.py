"""Blocks of hand-made or random records for the tests of traits."""

import datetime as dt
from contextlib import contextmanager

import duckdb
import numpy as np
import pyarrow as pa

from leoreturns.extract.tables import TABLES
from leoreturns.panel.block import Block
from leoreturns.panel.traits import derive_traits

ARROW_TYPES = {
    "id": pa.string(),
    "text": pa.string(),
    "int_id": pa.int64(),
    "int": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "date": pa.date32(),
    "tax_year": pa.int32(),
    "academic_year": pa.int32(),
}


def day(text):
    return dt.date.fromisoformat(text)


@contextmanager
def block_of(tables, *, cohort=(2007,), lookups=None, threads=1, seed=None, columns=None, coverage=None):
    """Yield a block over tables given as lists of rows (mappings of column -> value; ``number`` is 0 by default).

    A table's columns are those that any row names, or all those in `columns`. The first ``ks4`` row of a person is the
    chosen record. With a seed, rows are shuffled.
    """
    with duckdb.connect(config={"threads": threads}) as connection:
        present = {}
        for name, rows in tables.items():
            known = TABLES[name]
            found = set(columns[name] if columns else {column for row in rows for column in row} - {"number"})
            present[name] = frozenset(found)
            make_view(connection, name, known, found, shuffled(rows, seed))
            if name == "ks4":
                chosen = {row.get("number", 0): row for row in reversed(rows)}
                make_view(connection, "ks4_record", known, found, shuffled(list(chosen.values()), seed))
        for name, labels in (lookups or {}).items():
            table = pa.table({"code": pa.array(list(labels), pa.string()), "label": pa.array([*labels.values()])})
            connection.register(f"lookup_{name}", table)
        cohorts, names = np.array(cohort, dtype=np.int16), frozenset(lookups or ())
        yield Block(connection, len(cohort), cohorts, present, 2017, names, coverage or {})


def make_view(connection, name, known, columns, rows):
    table = {"number": pa.array([row.get("number", 0) for row in rows], pa.int32())}
    table["via"] = pa.array([f"id {row.get('number', 0)}" for row in rows], pa.string())
    for column in sorted(columns):
        variable = known.variable(column)
        assert variable.name == column
        table[column] = pa.array([row.get(column) for row in rows], ARROW_TYPES[variable.type])
    connection.register(name, pa.table(table))


def shuffled(rows, seed):
    return rows if seed is None else [rows[at] for at in np.random.default_rng(seed).permutation(len(rows))]


def traits_of(cohort=2007, lookups=None, coverage=None, **tables):
    """Traits of one person with these rows."""
    with block_of(tables, cohort=(cohort,), lookups=lookups, coverage=coverage) as block:
        return {name: values[0].as_py() for name, values in derive_traits(block).items()}


def aim(**values):
    return {"outcome": "1", "Year": 2008, "start_date": day("2008-09-01")} | values


APPRENTICE = aim(FrameworkApp=True, Notional_Level_v2="3")


# ---- random records -------------------------------------------------------------------------------------------------

LSOAS = [f"E0100{k}" for k in range(6)]
SCHOOLS = [f"S{k}" for k in range(5)]
LEVELS = ["0", "1", "1.5", "2", "3", "4", "5", "6", "7", "9", "-1", "X", "15"]
TITLES = ["BTEC Diploma", "NVQ in Care", "OCR National", "ocr nvq", "Mediocre Award", "Award"]
QUALIFICATION_LEVELS = ["First degree", "Higher degree (taught)", "Other postgraduate", "Other undergraduate"]
QUALIFICATION_LEVELS += ["4", "04", "1", "2", "3", "5", "6", "Further education", "Foundation", "7"]
GRADES = ["*", "A", "C", "G", "U", "Q", "9", "4", "1", "AA"]
CODES = {
    "CensusTerm": ["Spring", "Autumn", "Summer", "Winter"],
    "LAEstab_anon": SCHOOLS,
    "URN_anon": SCHOOLS,
    "Gender": ["F", "M", "U"],
    "EthnicGroup": ["Caribbean", "WHITE BRITISH", "Gypsy / Romany", "BAFR", "Pre 2002 Code", "INDI", "REFU"],
    "EthnicGroupMajor": ["WHIT", "ASIA", "AOEG", "UNCL"],
    "EthnicGroupMinor": ["WBRI", "AIND", "BCRB", "OOTH", "MWAS", "CHNE", "NOBT", "ZZZZ"],
    "LanguageGroupMajor": ["1_ENG", "2_OTH", "3_UNCL"],
    "FirstLanguage": ["ENG", "OTB", "REF"],
    "SENprovisionMajor": ["1_NON", "2_SNS", "3_SS", "4_UNCL"],
    "SENprovision": ["N", "A", "K", "S", "E", "Z"],
    "LSOA11": LSOAS,
    "LSOA01": LSOAS,
    "KS2_GENDER": ["F", "M", "X"],
    "KS2_ENGLEV": ["3", "4", "5", "B", "N"],
    "KS2_MATLEV": ["3", "4", "5", "B", "10"],
    "KS4_GENDER": ["F", "M", "?"],
    "KS4_URN_anon": SCHOOLS,
    "KS4_LAESTAB_anon": SCHOOLS,
    "KS4_NEWER_TYPE": ["1", "2", "4", "5", "6", "9"],
    "KS4_NEW_TYPE": ["0", "1", "2", "4", "5", "7"],
    "KS4_NFTYPE": ["20", "30", "32"],
    "Category": ["FIXD", "PERM", "LNCH"],
    "PermanentExclusionInd": ["0", "1", "Y", "N"],
    "CIN_PrimaryNeedCode": ["N1", "N9"],
    "COA_2011": ["E00A", "E00B", "E00C"],
    "LAUA_anon": ["L1", "L2"],
    "Notional_Level_v2": LEVELS,
    "Notional_Level_v2_latest": LEVELS,
    "programme_type": ["2", "3", "17", "16", "24", "25", "31", "-1"],
    "outcome": ["1", "1", "1", "6", "7", "2", "3"],
    "AimType": ["1", "3", "35", "4"],
    "AimTitle": TITLES,
    "QualificationType": ["0001", "2", "0016", "0036"],
    "learning_aim_id": [f"aim {k}" for k in range(6)],
    "HE_XQLEV601": [*QUALIFICATION_LEVELS, *(level.upper() for level in QUALIFICATION_LEVELS)],
    "HE_XCLASS01": ["First class honours", "UPPER SECOND CLASS HONOURS", "3", "04", "5", "6", "A", "Pass"],
    "HE_INSTID_ANON": ["U1", "U2", "U3"],
    "HE_XINSTID01__ANON": ["V1", "V2", "V3"],
    "Benefit_type": ["JSA", "DLA"],
}
CODES |= {name: GRADES for name in TABLES["ks4"].names if name.startswith(("KS4_HGMATH", "KS4_APMAT", "KS4_APENG"))}
NUMBERS = {
    "MonthOfBirth": [0, 1, 7, 12, 13],
    "KS4_MONTHOFBIRTH": [0, 2, 9],
    "KS2_MONTHOFBIRTH": [0, 3, 8],
    "YPMAD_L3_IB_PASS": [0, 0, 0, 0, 0, 0, 1],
    "YPMAD_L3_APPRENTICESHIP_WBL_ILR": [0, 0, 0, 0, 0, 0, 1],
    "TotalFixedExclusions": [0, 0, 1],
    "PermanentExclusionCount": [0, 0, 0, 1],
    "RecordStatus": [1, 3, 10, 20, 11, 101],
    "IDACIRank": [0, 1, 6497, 6498, 32482, 32844, 32845],
    "KS5_PASSES_GA": [0, 1, 2, 3],
    "KS5_PASSES_GAS": [0, 1, 2],
    "YPMAD_L3_A_PASS": [0, 1, 2],
    "YPMAD_L3_AS_PASS": [0, 1],
    "FL2Width": [0.0, 25.0, 60.0, 100.0],
    "FL3Width": [0.0, 25.0, 60.0, 100.0],
    "KS2_ENGFINE": [3.5, 4.2],
    "KS2_MATFINE": [3.5, 4.2],
    "KS2_READFINE": [4.1],
}
RARE_FLAGS = (
    "PermanentExclusionIndicator",
    "KS5_",
    "YPMAD_",
    "L_Full",
    "app",
    "FrameworkApp",
    "StandardApp",
    "FullL",
    "Tlevel",
    "Traineeship",
)


def random_tables(n_person, cohort, seed):
    """Random records of all the tables that traits use, with all their columns, codes that are none, and gaps."""
    rng = np.random.default_rng(seed)
    per_person = {
        "absence": 3,
        "exclusions": 2,
        "cin": 2,
        "cla": 2,
        "geography": 3,
        "school_census": 8,
        "ks2": 3,
        "ks4": 2,
        "ks5": 2,
        "ypmad": 2,
        "ilr_learners": 2,
        "ilr_aims": 4,
        "hesa": 3,
    }
    tables = {}
    for name, most in per_person.items():
        rows = []
        for number in range(n_person):
            for _ in range(rng.integers(0, most + 1)):
                row = {"number": number}
                row |= {each.name: random_value(rng, each, cohort[number]) for each in TABLES[name].variables}
                rows.append(row)
        tables[name] = rows
    return tables


def random_value(rng, variable, cohort):
    name = variable.name
    if rng.random() < 0.35 and name not in ("AcademicYear", "outcome"):
        return None
    if name in CODES:
        return CODES[name][rng.integers(len(CODES[name]))]
    if name in NUMBERS:
        return NUMBERS[name][rng.integers(len(NUMBERS[name]))]
    if name == "cla_PROCESSING_YEAR":
        return int(cohort) + int(rng.integers(-3, 4))
    if variable.type in ("academic_year", "tax_year"):
        early = name in ("AcademicYear", "KS2_ACADYR", "CIN_ACADYR")
        return int(cohort) + int(rng.integers(-3, 2) if early else rng.integers(-1, 5))
    if variable.type == "flag":
        often = 0.15 if name.startswith(RARE_FLAGS) else 0.9 if name == "OnRoll" else 0.5
        return bool(rng.random() < often)
    if variable.type == "date":
        return dt.date(int(cohort) + int(rng.integers(-1, 6)), int(rng.integers(1, 13)), int(rng.integers(1, 29)))
    return int(rng.integers(0, 4)) if variable.type in ("int", "int_id", "number") else f"x{rng.integers(3)}"
