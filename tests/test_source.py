"""Opening an extract: files, frames, connections; names, types, years; refusals without a person's value."""

import datetime as dt
import decimal
import gc
import sqlite3
import tempfile

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from extract_cases import (
    CANARY_DATE,
    CANARY_ID,
    assert_silent,
    earnings,
    employment,
    lookup_edukey,
    refused,
    rows,
)

from leoreturns._parallel import threads
from leoreturns.errors import ExtractError
from leoreturns.extract import parts
from leoreturns.extract.database import failure
from leoreturns.extract.lookups import SHAPES
from leoreturns.extract.parts import identifiers
from leoreturns.extract.source import open_extract

SPELLS = [
    (CANARY_ID, dt.date.fromisoformat(CANARY_DATE), dt.date(2004, 4, 5), True, False),
    ("B2", dt.date(2004, 4, 6), dt.date(2005, 4, 5), False, False),
    ("B2", dt.date(2010, 1, 31), None, False, True),
    ("C3", dt.date(2012, 2, 29), dt.date(2013, 2, 28), True, True),
]


def test_every_kind_of_input_gives_the_same_rows(tmp_path):
    frame = employment()
    (tmp_path / "csv").mkdir()
    frame.to_csv(tmp_path / "csv" / "Employment.csv", index=False)
    (tmp_path / "tsv").mkdir()
    frame.to_csv(tmp_path / "tsv" / "leo_employment.tsv", index=False, sep="\t")
    (tmp_path / "parquet").mkdir()
    frame.to_parquet(tmp_path / "parquet" / "LEO_EMPLOYMENT.parquet")
    typed = frame.assign(StartDate=pd.to_datetime(frame["StartDate"]), EndDate=pd.to_datetime(frame["EndDate"]))
    (tmp_path / "parts" / "employment").mkdir(parents=True)
    typed.iloc[:1].to_parquet(tmp_path / "parts" / "employment" / "part-0.parquet")
    typed.iloc[1:].to_parquet(tmp_path / "parts" / "employment" / "part-1.parquet")
    (tmp_path / "stata").mkdir()
    typed.to_stata(tmp_path / "stata" / "employment.dta", write_index=False)
    connection = sqlite3.connect(":memory:")
    frame.to_sql("employment_view", connection, index=False)
    inputs = [
        *(tmp_path / kind for kind in ("csv", "tsv", "parquet", "parts", "stata")),
        {"employment": frame},
        {"leo_employment": typed},
        {"employment": pl.from_pandas(typed)},
        {"employment": pa.Table.from_pandas(frame)},
        {"employment": str(tmp_path / "parts" / "employment")},
        {"employment": typed.set_index("EduKey")},
    ]
    for given in inputs:
        with open_extract(given) as extract:
            assert rows(extract, "employment") == SPELLS
            assert extract.count("employment") == 4
    with open_extract(connection, views={"employment": "main.employment_view"}) as extract:
        assert rows(extract, "employment") == SPELLS
        assert extract.count("employment") == 4


def test_types_and_names_of_a_relation():
    with open_extract({"earnings": earnings(), "lookup_edukey": lookup_edukey()}) as extract:
        read = pa.Table.from_batches(list(extract.read("earnings", ["TAXYEAR", "earnings", "edukey"])))
        assert read.schema.names == ["TaxYear", "Earnings", "Edukey"]
        assert [str(field.type) for field in read.schema] == ["int32", "double", "string"]
        assert read.column("TaxYear").to_pylist() == [2003, 2004, 2005, 2012]
        assert str(next(extract.read("lookup_edukey")).schema.field("AE_ID").type) == "int64"


def test_condition_and_query_across_tables():
    with open_extract({"earnings": earnings(), "lookup_edukey": lookup_edukey()}) as extract:
        assert rows(extract, "earnings", ["Edukey", "TaxYear"], "TaxYear > 2004") == [("B2", 2005), ("C3", 2012)]
        pay, link = extract.select("earnings", ["Edukey", "Earnings"]), extract.select("lookup_edukey")
        joined = extract.query(
            f"SELECT AE_ID, count(Earnings) AS n FROM {pay} JOIN {link} USING (Edukey) GROUP BY AE_ID ORDER BY AE_ID",
            "both",
        )
        assert joined.to_pydict() == {"AE_ID": [11, 12, 13], "n": [1, 1, 1]}
        extract.execute(f"CREATE TABLE work AS SELECT * FROM {link}", "lookup")
        assert sum(batch.num_rows for batch in extract.batches("SELECT * FROM work", "work", rows=2)) == 3


def test_an_unfinished_read_blocks_nothing():
    with open_extract({"earnings": earnings()}) as extract:
        stream = extract.read("earnings", rows=1)
        next(stream)
        assert extract.query(f"SELECT count(*) AS n FROM {extract.select('earnings')}", "n").to_pydict() == {"n": [4]}


# ---- years, terms and suffixes --------------------------------------------------------------------------------------


def census(year, fsm, **more):
    yy = f"{year % 100:02d}"
    return pd.DataFrame({f"PupilMatchingRefAnonymous_SPR{yy}": ["P1", "P2"], f"FSMeligible_SPR{yy}": fsm} | more)


def test_yearly_files_are_taken_together(tmp_path):
    census(2007, [1, 0]).to_csv(tmp_path / "Spring_Census_2007.csv", index=False)
    census(2008, ["true", "N"], SENprovision_spr08=["K", None]).to_parquet(tmp_path / "Spring_Census_2008.parquet")
    pd.DataFrame({"PupilMatchingRefAnonymous": ["P1"], "FSMeligible": [True]}).to_parquet(
        tmp_path / "Autumn_Census_2008.parquet"
    )
    with open_extract(tmp_path) as extract:
        columns = ["PupilMatchingRefAnonymous", "AcademicYear", "CensusTerm", "FSMeligible", "SENprovision"]
        assert sorted(rows(extract, "school_census", columns), key=str) == [
            ("P1", 2006, "Spring", True, None),
            ("P1", 2007, "Spring", True, "K"),
            ("P1", 2008, "Autumn", True, None),
            ("P2", 2006, "Spring", False, None),
            ("P2", 2007, "Spring", False, None),
        ]


def test_one_file_with_several_censuses_becomes_rows():
    wide = pd.DataFrame(
        {
            "PupilMatchingRefAnonymous": ["P1", "P2", "P3"],
            "FSMeligible_spr07": [1.0, 0.0, np.nan],
            "FSMeligible_aut07": [np.nan, 1.0, np.nan],
            "SENprovision_spr07": [None, "N", None],
        }
    )
    with open_extract({"school_census": wide}) as extract:
        assert rows(
            extract, "school_census", ["PupilMatchingRefAnonymous", "AcademicYear", "CensusTerm", "FSMeligible"]
        ) == [
            ("P1", 2006, "Spring", True),
            ("P2", 2006, "Spring", False),
            ("P2", 2007, "Autumn", True),
        ]
        assert extract.count("school_census") == 3


def test_a_column_of_years_beats_the_name_of_the_file(tmp_path):
    frame = pd.DataFrame({"KS4_PupilMatchingRefAnonymous": ["P1"], "KS4_FIVEAC": [1]})
    frame.to_parquet(tmp_path / "KS4_2004.parquet")
    frame.assign(KS4_ACADYR="2006/2007").to_parquet(tmp_path / "KS4_2005.parquet")
    with open_extract(tmp_path) as extract:
        assert rows(extract, "ks4", ["KS4_ACADYR"]) == [(2003,), (2006,)]


def test_a_piece_that_tells_no_year_is_named(tmp_path):
    frame = pd.DataFrame({"KS4_PupilMatchingRefAnonymous": [CANARY_ID], "KS4_FIVEAC": [1]})
    frame.to_parquet(tmp_path / "KS4_2004.parquet")
    frame.to_parquet(tmp_path / "KS4.parquet")
    with open_extract(tmp_path) as extract:
        assert len(rows(extract, "ks4", ["KS4_FIVEAC"])) == 2
        with refused(r"'KS4.parquet' of table 'ks4' does not tell its year; name it ks4_2013_14"):
            extract.select("ks4", ["KS4_ACADYR"])


@pytest.mark.parametrize(
    "given", ["200304", 200304, 200304.0, "2003/04", "2003/2004", "2003-04", "20032004", "2003", 2003]
)
def test_forms_of_a_year(given):
    with open_extract({"earnings": pd.DataFrame({"edukey": ["A"], "taxyear": [given]})}) as extract:
        assert rows(extract, "earnings", ["TaxYear"]) == [(2003,)]


@pytest.mark.parametrize("given", ["200305", "2003/05", "03/04", 2003.5, "tax", 20034])
def test_what_is_no_year_is_counted(given):
    frame = pd.DataFrame({"edukey": [CANARY_ID] * 3, "taxyear": [given, None, given]})
    with (
        open_extract({"earnings": frame}) as extract,
        refused(r"'taxyear' has 2 values that cannot be read as tax years"),
    ):
        extract.select("earnings", ["TaxYear"])


# ---- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ([" A1 ", "", "NULL", None], ["A1", None, None, None]),
        ([1.0, 25.0, np.nan, 3.0], ["1", "25", None, "3"]),
        ([7, 8, 9, 2**62], ["7", "8", "9", str(2**62)]),
        (["007", "7", "7.0", "x"], ["007", "7", "7.0", "x"]),
        (pd.Categorical(["a", "b", None, "a"]), ["a", "b", None, "a"]),
        ([b"a", 5, 5.0, dt.date(2001, 2, 3)], ["a", "5", "5", "2001-02-03"]),
        (["a", np.float32(5), decimal.Decimal("5.00"), bytearray(b"b")], ["a", "5", "5", "b"]),
        ([decimal.Decimal("5.00"), decimal.Decimal(7), None, decimal.Decimal(2**62)], ["5", "7", None, str(2**62)]),
    ],
)
def test_ids_are_text(given, read):
    with open_extract({"employment": pd.DataFrame({"edukey": given})}) as extract:
        assert [row[0] for row in rows(extract, "employment", ["EduKey"])] == read


@pytest.mark.parametrize(
    ("name", "column", "given", "read"),
    [
        ("lookup_edukey", "AE_ID", ["5", " 6.0", "", str(2**62)], [5, 6, None, 2**62]),
        ("lookup_edukey", "AE_ID", [5.0, np.nan, 0.0, -1.0], [5, None, 0, -1]),
        ("earnings", "Earnings", ["1e3", ".5", "-2.", "NULL"], [1000.0, 0.5, -2.0, None]),
        ("earnings", "Earnings", [1.5, np.nan, 0.0, -1.0], [1.5, None, 0.0, -1.0]),
        ("earnings", "Main_SIC2007", [1110, 85310, 0, 99999], ["01110", "85310", "00000", "99999"]),
        ("earnings", "Main_SIC2007", ["1110", "01110", None, "85310"], ["01110", "01110", None, "85310"]),
        ("ks2", "KS2_MATTOTMRK", ["57", "A", "_NV", "0"], [57.0, None, None, 0.0]),
        ("ilr_aims", "Notional_Level_v2", [1.5, 2.0, -1.0, np.nan], ["1.5", "2", "-1", None]),
        ("employment", "UncertainEndDate", ["1", "FALSE", "y", ""], [True, False, True, None]),
        ("employment", "UncertainEndDate", [1.0, 0.0, np.nan, 1.0], [True, False, None, True]),
        ("employment", "UncertainEndDate", [True, False, None, True], [True, False, None, True]),
    ],
)
def test_values_become_what_the_form_declares(name, column, given, read):
    with open_extract({name: pd.DataFrame({column: given})}) as extract:
        assert [row[0] for row in rows(extract, name, [column])] == read


DAY = dt.date(2004, 4, 6)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["2004-04-06", "2004-4-6", None], [DAY, DAY, None]),
        (["2004-04-06 00:00:00.000", "2004-04-06T23:59", " 2004-04-06"], [DAY] * 3),
        (["06/04/2004", "6/4/2004", ""], [DAY, DAY, None]),
        (["04/13/2004", "04/06/2004", None], [dt.date(2004, 4, 13), DAY, None]),
        (["20040406", "20040406", "20040406"], [DAY] * 3),
        ([20040406, 20040406, 20040406], [DAY] * 3),
        (["06APR2004", "6apr2004", None], [DAY, DAY, None]),
        (pd.to_datetime(["2004-04-06", None, "2004-04-06"]), [DAY, None, DAY]),
        ([DAY, None, DAY], [DAY, None, DAY]),
        ([None, None, None], [None, None, None]),
    ],
)
def test_forms_of_a_date(given, read):
    with open_extract({"employment": pd.DataFrame({"startdate": given})}) as extract:
        assert [row[0] for row in rows(extract, "employment", ["StartDate"])] == read


def test_slashed_dates_of_hesa_have_the_month_first_unless_they_cannot():
    frame = pd.DataFrame({"HE_COMDATE": ["09/10/2010"], "HE_ENDDATE": ["23/07/2013"]})
    with open_extract({"hesa": frame}) as extract:
        assert rows(extract, "hesa", ["HE_COMDATE", "HE_ENDDATE"]) == [(dt.date(2010, 9, 10), dt.date(2013, 7, 23))]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"StartDate": [CANARY_DATE, "23/11/1987", "2010-01-31", None]},
         r"column 'StartDate' mixes formats over its 3 dates: 2 as yyyy-mm-dd, 1 as dd/mm/yyyy; write every date as"),
        ({"StartDate": ["23/11/1987", "11/23/1987", None, None]},
         r"mixes formats over its 2 dates: 1 as dd/mm/yyyy, 1 as mm/dd/yyyy"),
        ({"StartDate": [CANARY_ID, None, None, None]}, r"'StartDate' has 1 value that should be dates, none of them"),
        ({"StartDate": ["1987-02-30", None, None, None]}, r"'StartDate' has 1 value that should be dates"),
        ({"StartDate": ["12-3-04", "2004-04-06", None, None]}, r"mixes formats over its 2 dates: 1 as yyyy-mm-dd"),
        ({"StartDate": [1.5, 2.5, 3.5, None]}, r"'StartDate' has 3 values that (cannot be read as|should be) dates"),
        ({"UncertainEndDate": [CANARY_ID, "2", "0", "1"]}, r"'UncertainEndDate' has 2 values that cannot be read as f"),
        ({"UncertainEndDate": [7431, 0, 1, 1]}, r"'UncertainEndDate' has 1 value that cannot be read as flags"),
        ({"EduKey": [7431.25, 1.0, 2.0, np.nan]}, r"'EduKey' has 1 value that cannot be read as ids"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["frame", "csv", "parquet", "view"])
def test_values_of_another_type_are_counted_and_refused(columns, match, kind, tmp_path):
    frame = employment(**columns)
    if kind != "frame" and "value that cannot be read as ids" in match:
        kind = "frame"  # a text file holds texts
    if kind == "csv":
        frame.to_csv(tmp_path / "employment.csv", index=False)
    elif kind == "parquet":
        frame.to_parquet(tmp_path / "employment.parquet")
    connection = sqlite3.connect(":memory:")
    frame.to_sql("v", connection, index=False)
    opened = {
        "frame": lambda: open_extract({"employment": frame}),
        "csv": lambda: open_extract(tmp_path),
        "parquet": lambda: open_extract(tmp_path),
        "view": lambda: open_extract(connection, views={"employment": "v"}),
    }[kind]
    with opened() as extract:
        with refused(match):
            list(extract.read("employment"))
        with refused(match):  # and again: what failed is not remembered as checked
            extract.select("employment")
        untouched = [name for name in extract.tables["employment"] if name not in columns]
        assert len(rows(extract, "employment", untouched)) == 4


@pytest.mark.parametrize(
    "given", [[CANARY_ID, "1", "2"], ["7431.5", "1", "2"], [1.5, 1, 2], ["0x1F", "1", "2"], [CANARY_ID, 1, 2.0]]
)
def test_an_id_with_letters_where_the_form_declares_a_number(given):
    with open_extract({"lookup_edukey": lookup_edukey(AE_ID=given)}) as extract:
        with refused(r"column 'AE_ID' has 1 value that cannot be read as whole-number ids"):
            extract.select("lookup_edukey")
        assert rows(extract, "lookup_edukey", ["EDUKEY"]) == [(CANARY_ID,), ("B2",), ("C3",)]


@pytest.mark.parametrize(
    ("given", "kind", "match"),
    [
        ([2**24 - 1, 2**24, 2**24 + 1], "float32", "has 2 values that cannot be read as"),
        ([2**53 - 1, 2**53, 2**53 + 1], "float64", "has 2 values that cannot be read as"),
        ([2**62, 2**62 + 1, 2**63], pa.decimal128(20, 0), "has 1 value that cannot be read as"),
    ],
)
@pytest.mark.parametrize(("table", "column"), [("lookup_edukey", "AE_ID"), ("lookup_edukey", "EDUKEY")])
def test_ids_that_their_type_cannot_tell_apart(given, kind, match, table, column):
    values = pa.array(np.array(given, kind)) if isinstance(kind, str) else pa.array(map(decimal.Decimal, given), kind)
    with open_extract({table: pa.table({column: values})}) as extract, refused(match):
        extract.select(table)
    with open_extract({table: pa.table({column: values[:1]})}) as extract:
        assert [str(row[0]) for row in rows(extract, table)] == [str(given[0])]


@pytest.mark.parametrize("given", ["£7318642", "inf", "7,318", "nan"])
def test_pay_that_is_no_number(given):
    frame = earnings(Earnings=[given, "1", "2", "3"])
    with (
        open_extract({"earnings": frame}) as extract,
        refused(r"'Earnings' has 1 value that cannot be read as numbers"),
    ):
        extract.select("earnings", ["Earnings"])


def test_infinite_pay_and_types_that_hold_no_such_thing():
    frame = earnings(Earnings=[np.inf, 1.0, 2.0, 3.0])
    with (
        open_extract({"earnings": frame}) as extract,
        refused(r"'Earnings' has 1 value that cannot be read as numbers"),
    ):
        extract.select("earnings", ["Earnings"])
    dated = earnings(Earnings=pd.to_datetime([CANARY_DATE] * 4))
    with open_extract({"earnings": dated}) as extract, refused(r"'Earnings' is stored as TIMESTAMP.*convert it first"):
        extract.select("earnings", ["Earnings"])


# ---- files that are not what they should be -------------------------------------------------------------------------


@pytest.mark.parametrize(("sign", "word"), [(";", "a semicolon"), ("\t", "a tab"), ("|", "a vertical bar")])
def test_a_wrong_delimiter(tmp_path, sign, word):
    employment().to_csv(tmp_path / "employment.csv", index=False, sep=sign)
    with refused(rf"'employment.csv' reads as one column: its columns are separated by {word}, not a comma"):
        open_extract(tmp_path)


def test_a_file_without_a_header(tmp_path):
    employment().to_csv(tmp_path / "employment.csv", index=False, header=False)
    with refused(r"'employment.csv' has none of the columns of table 'employment': its first row may not be a header"):
        open_extract(tmp_path)


def test_a_file_without_a_header_shows_no_cell_that_its_first_row_has_twice(tmp_path):
    employment(EndDate=[CANARY_DATE, *["2004-04-06"] * 3]).to_csv(
        tmp_path / "employment.csv", index=False, header=False
    )
    with refused(r"'employment' has 1 column called like another one: rename, or see whether the first row is a head"):
        open_extract(tmp_path)


def test_rows_that_do_not_fit_the_header(tmp_path):
    lines = employment().to_csv(index=False).splitlines()
    lines[2] = f"{CANARY_ID},{CANARY_DATE}"
    lines[4] += f",{CANARY_ID}"
    (tmp_path / "employment.csv").write_text("\n".join(lines))
    with open_extract(tmp_path) as extract:
        with refused(
            r"'employment.csv' has 2 rows that cannot be read: another number of columns than the 5 of its header"
        ):
            extract.select("employment")
        with refused("cannot be read"):
            extract.count("employment")


def test_text_that_is_not_utf8(tmp_path):
    text = employment().to_csv(index=False).replace(CANARY_ID, f"{CANARY_ID}\xe9")
    (tmp_path / "employment.csv").write_bytes(text.encode("latin-1"))
    with refused("'employment.csv' is not UTF-8 text; save it as such"):
        open_extract(tmp_path)
    # Beyond what is read for the header.
    far = pd.concat([employment()] * 5_000).to_csv(index=False) + text.splitlines()[1]
    (tmp_path / "employment.csv").write_bytes(far.encode("latin-1"))
    with open_extract(tmp_path) as extract, refused("'employment.csv' has 1 row that cannot be read"):
        list(extract.read("employment"))
    (tmp_path / "employment.csv").write_bytes("Edukey,\xe9\n".encode("latin-1"))
    with refused("'employment.csv' is not UTF-8 text"):
        open_extract(tmp_path)
    (tmp_path / "employment.csv").write_bytes(b"")
    with refused("'employment.csv' is empty"):
        open_extract(tmp_path)


def test_a_byte_order_mark_and_quoted_names(tmp_path):
    text = '\ufeff"EduKey","StartDate"\r\n"A, B","2004-04-06"\r\n'
    (tmp_path / "employment.csv").write_bytes(text.encode())
    with open_extract(tmp_path) as extract:
        assert rows(extract, "employment") == [("A, B", DAY)]


@pytest.mark.parametrize("keep", [0, 10, -9])
def test_a_truncated_parquet_file(tmp_path, keep):
    employment().to_parquet(tmp_path / "employment.parquet")
    whole = (tmp_path / "employment.parquet").read_bytes()
    (tmp_path / "employment.parquet").write_bytes(whole[:keep] if keep else b"")
    with refused("'employment.parquet' cannot be read: it is damaged, incomplete or no Parquet file"):
        open_extract(tmp_path)


def test_a_damaged_parquet_file_among_sound_ones(tmp_path):
    folder = tmp_path / "employment"
    folder.mkdir()
    frame = pd.concat([employment()] * 500)
    for place in range(3):
        pq.write_table(
            pa.Table.from_pandas(frame, preserve_index=False), folder / f"part-{place}.parquet", compression="zstd"
        )
    broken = bytearray((folder / "part-1.parquet").read_bytes())
    broken[4:400] = b"\xff" * 396
    (folder / "part-1.parquet").write_bytes(broken)
    with open_extract(tmp_path) as extract, refused("'part-1.parquet' cannot be read: it is damaged"):
        extract.select("employment")


@pytest.mark.parametrize("keep", [0, 40, -30])
def test_an_unreadable_stata_file(tmp_path, keep):
    pd.concat([employment()] * 50).to_stata(tmp_path / "employment.dta", write_index=False)
    whole = (tmp_path / "employment.dta").read_bytes()
    (tmp_path / "employment.dta").write_bytes(whole[:keep] if keep else CANARY_ID.encode())
    with refused("'employment.dta' cannot be read: it is damaged"), open_extract(tmp_path) as extract:
        list(extract.read("employment"))


@pytest.mark.parametrize(
    ("name", "other"), [("[ab]", "a"), ("data[1]", "data1"), ("le*", "leo"), ("le?", "leo"), ("[*]", "*")]
)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_path_is_no_pattern(name, other, kind, tmp_path):
    """What the name would match as a pattern lies beside it: a folder, then a part of the same table."""
    for stem, ids in ((name, "X"), (other, "Y")):
        frame = employment(EduKey=[ids] * 4)
        for folder, file in ((stem, "employment"), ("employment", stem)):
            (tmp_path / folder).mkdir(exist_ok=True)
            path = tmp_path / folder / f"{file}.{kind}"
            frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    with open_extract(tmp_path / name) as extract:
        assert rows(extract, "employment", ["EduKey"]) == [("X",)] * 4
    with open_extract({"employment": tmp_path / "employment"}) as extract:
        assert sorted(rows(extract, "employment", ["EduKey"])) == [("X",)] * 4 + [("Y",)] * 4


def test_files_that_are_no_table_are_named(tmp_path):
    employment().to_parquet(tmp_path / "employment.parquet")
    (tmp_path / "readme.txt").write_text("x")
    (tmp_path / "earnings.xlsx").write_bytes(b"x")
    (tmp_path / "LEO_i2").mkdir()
    earnings().to_csv(tmp_path / "LEO_i2" / "leo_earnings.csv", index=False)
    with open_extract(tmp_path) as extract:
        assert set(extract.unknown) == {"earnings.xlsx", "readme.txt"}
        assert list(extract.tables) == ["employment", "earnings"]


@pytest.mark.parametrize("left", ["_temporary/0/part-0.parquet", ".part-0.parquet", "_part-0.parquet", ".x/part.csv"])
def test_what_a_writer_left_in_the_folder_of_a_table_is_no_part_of_it(left, tmp_path):
    """The folder itself may lie in one that is called so."""
    folder = tmp_path / "_leo" / "employment"
    for path in (folder / "2003" / "part-0.parquet", folder / left):
        path.parent.mkdir(parents=True, exist_ok=True)
        employment().to_parquet(path)
    for given in (folder.parent, {"employment": folder}):
        with open_extract(given) as extract:
            assert extract.count("employment") == 4


def test_a_table_given_twice(tmp_path):
    employment().to_parquet(tmp_path / "employment.parquet")
    employment().to_parquet(tmp_path / "leo_employment.parquet")
    with refused("table 'employment' is given twice, as 'employment.parquet' and as 'leo_employment.parquet'"):
        open_extract(tmp_path)
    with refused("given twice"):
        open_extract({"employment": employment(), "EMPLOYMENT": employment()})


def test_what_cannot_be_opened(tmp_path):
    with refused("no LEO table found"):
        open_extract(tmp_path)
    with refused("is no folder"):
        open_extract(tmp_path / "absent")
    with refused("does not exist or holds no file"):
        open_extract({"employment": tmp_path / "absent"})
    with refused("unknown table 'pay'"):
        open_extract({"pay": employment()})
    with refused("cannot open the type int"):
        open_extract(5)
    with refused("is a list; give a path"):
        open_extract({"employment": [CANARY_ID]})
    with refused("tables are named by text, not by the type int"):
        open_extract({5: employment()})
    with refused("tables are named by text, not by the type int"):
        open_extract(sqlite3.connect(":memory:"), views={5: "v"})
    for given in (tmp_path, {"employment": employment()}):
        with refused("views= names the views of a connection"):
            open_extract(given, views={"employment": "v"})
    with refused("'employment' has an index and a column of one name"):
        open_extract({"employment": employment().set_index("EduKey", drop=False)})
    with refused("names are not text"):
        open_extract({"employment": pd.DataFrame({5: [CANARY_ID]})})
    with refused("differ in case only"):
        open_extract({"employment": pa.table({"EduKey": [CANARY_ID], "edukey": [CANARY_ID]})})


@pytest.mark.parametrize(
    "values", [pa.array(np.ones(4, np.float16)), pa.array([1] * 4).cast(pa.decimal256(40, 0))], ids=["half", "long"]
)
def test_a_type_that_no_relation_holds(values):
    table = pa.Table.from_pandas(employment())
    table = table.set_column(table.schema.get_field_index("UncertainEndDate"), "UncertainEndDate", values)
    with open_extract({"employment": table}) as extract:
        with refused("'employment': a column has a type that cannot be read, such as half floats"):
            extract.select("employment")
        assert len(rows(extract, "employment", ["EduKey"])) == 4


@pytest.mark.parametrize("kind", ["parquet", "csv", "dta"])
def test_a_file_that_is_not_there(kind, tmp_path, monkeypatch):
    path = tmp_path / f"employment.{kind}"
    frame = employment()[["EduKey", "StartDate"]]
    write = {"parquet": frame.to_parquet, "csv": frame.to_csv, "dta": frame.to_stata}[kind]
    write(path)
    # Opened by a relative path, and read from elsewhere.
    monkeypatch.chdir(tmp_path)
    opened = open_extract({"employment": path.name}), open_extract(".", lookups={})
    monkeypatch.chdir(tmp_path.parent)
    for extract in opened:
        assert len(rows(extract, "employment", ["EduKey"])) == 4
        extract.close()
    with open_extract(tmp_path) as extract:
        path.unlink()
        with refused(f"'employment.{kind}' (is no longer where it was|cannot be opened: No such file)"):
            extract.select("employment")
        with refused(f"'employment.{kind}' is no longer where it was"):
            extract.stamp({"employment": ["EduKey"]})
    with refused(f"'employment.{kind}' cannot be opened: No such file"):
        open_extract({"employment": employment()}, lookups={"regions": path})


# ---- what is absent -------------------------------------------------------------------------------------------------


def test_columns_that_are_none_of_the_tables_are_named():
    with open_extract({"employment": employment(employer=1, postcode="X"), "earnings": earnings()}) as extract:
        assert extract.unknown_columns == {"employment": ("employer", "postcode"), "earnings": ()}
        notes = extract.check().to_frame().query("check == 'unknown column'")
        assert notes[["table", "column", "severity"]].to_numpy().tolist() == [
            ["employment", "employer", "note"],
            ["employment", "postcode", "note"],
        ]


def test_absent_tables_and_columns_are_named_and_the_rest_goes_on():
    with open_extract({"employment": employment()[["EduKey", "StartDate"]]}) as extract:
        assert extract.missing["employment"] == ("EndDate", "UncertainStartDate", "UncertainEndDate")
        assert "KS4_FIVEAC" in extract.missing["ks4"]
        assert extract.has("employment", "edukey", "STARTDATE")
        assert not extract.has("employment", "EndDate")
        assert not extract.has("ks4")
        with refused(r"table 'employment' has no column 'EndDate' in this extract"):
            extract.select("employment", ["EndDate"])
        with refused(r"table 'employment' knows no column 'pay'"):
            extract.select("employment", ["pay"])
        with refused(r"the extract has no table 'ks4'; it has employment"):
            extract.select("ks4")
        with refused("unknown table 'pay'"):
            extract.select("pay")


# ---- connections ----------------------------------------------------------------------------------------------------


class Driver:
    """A DB-API connection, and its cursor, that gives chunks of rows and then may fail."""

    def __init__(self, chunks, columns=("EduKey",), error=None):
        self.description = [(name, None) for name in columns]
        self._chunks, self._error = chunks, error

    def cursor(self):
        return self

    def execute(self, sql):
        self._left = iter(self._chunks)

    def fetchmany(self, size):
        chunk = next(self._left, [])
        if not chunk and self._error:
            raise self._error
        return chunk

    def close(self):
        pass


def test_views_are_read_in_chunks_and_only_the_columns_asked_for(monkeypatch):
    monkeypatch.setattr(parts, "CHUNK_ROWS", 2)
    connection = sqlite3.connect(":memory:")
    pd.concat([employment()] * 3).to_sql('odd "view"', connection, index=False)
    asked = []
    connection.set_trace_callback(asked.append)
    with open_extract(connection, views={"employment": '[main].[odd "view"]'}) as extract:
        assert [sql for sql in asked if "1 = 0" not in sql] == []  # opening reads no row
        assert len(rows(extract, "employment", ["StartDate"])) == 12
        assert len(rows(extract, "employment", ["StartDate", "EduKey"])) == 12
        assert len(rows(extract, "employment", ["EduKey"])) == 12
    reads = [sql for sql in asked if "1 = 0" not in sql]
    assert reads == [
        'SELECT "StartDate" FROM "main"."odd ""view"""',
        'SELECT "StartDate", "EduKey" FROM "main"."odd ""view"""',
    ]


D = decimal.Decimal


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ([D("5.00"), D("12345678901234567890.0"), None], ["5", "12345678901234567890", None]),
        ([np.float32(5), np.float64(6), np.int64(7)], ["5", "6", "7"]),
        ([bytearray(b"a"), memoryview(b"b"), b"c"], ["a", "b", "c"]),
        ([D("5.50"), D("NaN"), D("0.10")], ["5.5", None, "0.1"]),
        ([True, np.bool_(False), 5], ["1", "0", "5"]),
    ],
)
def test_ids_of_a_view_are_those_of_a_file(given, read):
    """Drivers give numbers of a fixed number of decimals, NumPy's own numbers, and bytes."""
    for values in (given, [*given, "text"]):
        connection = Driver([[(value,) for value in values]])
        with open_extract(connection, views={"employment": "v"}) as extract:
            assert [row[0] for row in rows(extract, "employment", ["EduKey"])][:3] == read


def test_yearly_views_and_empty_ones():
    connection = sqlite3.connect(":memory:")
    census(2007, [1, 0]).to_sql("Spring_Census_2007", connection, index=False)
    census(2008, [0, 0]).iloc[:0].to_sql("Spring_Census_2008", connection, index=False)
    with open_extract(
        connection, views={"school_census": ["Spring_Census_2007", "main.Spring_Census_2008"]}
    ) as extract:
        assert rows(extract, "school_census", ["AcademicYear", "FSMeligible"]) == [(2006, True), (2006, False)]


def test_connections_that_fail():
    connection = sqlite3.connect(":memory:")
    with refused("needs views="):
        open_extract(connection)
    with refused(r"view 'main.v' cannot be read \(OperationalError\)"):
        open_extract(connection, views={"employment": "main.v"})

    broken = Driver([[(CANARY_ID, CANARY_DATE)] * 2], ("EduKey", "StartDate"), RuntimeError(f"lost at {CANARY_ID}"))
    opened = open_extract(broken, views={"employment": "v"})
    with opened as extract, refused(r"view 'v' broke off after 2 rows \(RuntimeError\)"):
        extract.select("employment")


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ((CANARY_ID,), "'v' gives 1 row of another number of columns than the 2 asked for"),
        ((b"\xff" * 16, CANARY_DATE), "column 'EduKey' of 'v' holds what is no text, number or date; convert it first"),
    ],
)
def test_rows_of_a_view_that_are_none(row, match):
    with (
        open_extract(Driver([[row]], ("EduKey", "StartDate")), views={"employment": "v"}) as extract,
        refused(match),
    ):
        extract.select("employment")


def test_a_view_that_breaks_off_leaves_no_copy(monkeypatch):
    broken = Driver([[(CANARY_ID,)] * 3], error=RuntimeError("lost"))
    with open_extract(broken, views={"employment": "v"}) as extract:
        for _ in range(2):
            with refused("broke off after 3 rows"):
                extract.select("employment")
            assert extract.query("SELECT table_name FROM duckdb_tables()", "tables").num_rows == 0
        # Interrupted while it is copied: the chunk is forgotten, and the driver is told that no more are wanted.
        closed = []
        monkeypatch.setattr(Driver, "close", lambda self: closed.append(self))
        run = extract._database.run

        def interrupted(sql, what):
            run(sql, what)
            if sql.startswith("CREATE"):
                raise KeyboardInterrupt

        monkeypatch.setattr(extract._database, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            extract.select("employment")
        assert closed == [broken] and extract._database._registered == {}
        assert extract.query("SELECT table_name FROM duckdb_tables()", "tables").num_rows == 0


@pytest.mark.parametrize(
    ("view", "parts"),
    [
        ("v", ["v"]),
        ("LEO_i2.2002237.leo_earnings", ["LEO_i2", "2002237", "leo_earnings"]),
        ("[NPD].[2002237].[Spring.Census]", ["NPD", "2002237", "Spring.Census"]),
        ('LEO_i2."20 02".v', ["LEO_i2", "20 02", "v"]),
    ],
)
def test_names_of_views(view, parts):
    assert identifiers(view) == parts


@pytest.mark.parametrize("view", ["", "a..b", "[a", '"a'])
def test_names_that_are_none(view):
    with refused("is no name"):
        identifiers(view)


# ---- outside lookups ------------------------------------------------------------------------------------------------


def test_outside_lookups(tmp_path):
    pd.DataFrame({"COA_2011": ["E1", "E2"], "AREA": ["Leeds", "York"], "x": [1, 2]}).to_csv(
        tmp_path / "a.csv", index=False
    )
    sectors = pd.DataFrame({"SIC2007": [1110, 85310], "sector": ["agriculture", "education"]})
    lookups = {"travel_to_work": tmp_path / "a.csv", "sectors": sectors}
    with open_extract({"employment": employment()}, lookups=lookups) as extract:
        assert extract.lookups == ("travel_to_work", "sectors")
        assert rows(extract, "travel_to_work") == [("E1", "Leeds"), ("E2", "York")]
        assert rows(extract, "sectors") == [("01110", "agriculture"), ("85310", "education")]


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        ({"COA_2011": [CANARY_ID, CANARY_ID], "area": ["a", "b"]}, "repeats a code in 1 row; give each code once"),
        ({"COA_2011": [CANARY_ID, None], "area": ["a", "b"]}, "misses a code or its area in 1 row; complete it"),
        ({"COA_2011": [CANARY_ID, "E"], "area": ["a", ""]}, "misses a code or its area in 1 row"),
        ({"COA_2011": [CANARY_ID], "region": ["a"]}, "lacks column 'area'; it must have 'COA_2011'"),
        ({"x": [CANARY_ID]}, "has none of the columns of table 'travel_to_work'"),
    ],
)
def test_lookups_of_another_shape(frame, match):
    with refused(match):
        open_extract({"employment": employment()}, lookups={"travel_to_work": pd.DataFrame(frame)})


def test_an_unknown_lookup():
    with refused(f"unknown lookup 'counties'; known: {', '.join(SHAPES)}"):
        open_extract({"employment": employment()}, lookups={"counties": employment()})


# ---- the private database -------------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_private_database_leaves_nothing_behind(temporary):
    extract = open_extract({"employment": employment()})
    extract.execute(f"CREATE TABLE t AS SELECT * FROM {extract.select('employment')}", "t")
    [folder] = temporary.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    extract.close()
    extract.close()
    assert list(temporary.iterdir()) == []
    with refused("the extract is closed"):
        extract.query("SELECT 1", "x")
    forgotten = open_extract({"employment": employment()})
    del forgotten
    gc.collect()
    assert list(temporary.iterdir()) == []
    with pytest.raises(ExtractError):
        open_extract({"employment": employment()}, lookups={"x": employment()})
    assert list(temporary.iterdir()) == []


def test_a_refused_number_of_threads_leaves_no_folder(temporary, monkeypatch):
    monkeypatch.setenv("LEORETURNS_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="LEORETURNS_NUM_THREADS"):
        open_extract({"employment": employment()})
    assert list(temporary.iterdir()) == []


def test_settings_of_the_private_database(temporary):
    with threads(1), open_extract({"employment": employment()}) as extract:
        names = (
            "threads",
            "temp_directory",
            "autoinstall_known_extensions",
            "autoload_known_extensions",
            "enable_progress_bar",
        )
        shown = ", ".join(f"CAST(current_setting('{name}') AS VARCHAR) AS {name}" for name in names)
        settings = extract.query(f"SELECT {shown}", "settings").to_pylist()[0]
        assert settings.pop("temp_directory").startswith(str(temporary))
        assert settings == {
            "threads": "1",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "enable_progress_bar": "false",
        }


def test_statements_that_fail_do_not_quote_values():
    with open_extract({"employment": employment()}) as extract:
        for sql in (
            f"SELECT CAST(EduKey AS INTEGER) FROM {extract.select('employment')}",
            f"SELECT '{CANARY_ID}' FROM absent",
            f"SELEC {CANARY_ID}",
        ):
            with refused(r"^work: the statement failed|^work: cannot be read"):
                extract.query(sql, "work")
            with refused("^work: "):
                list(extract.batches(sql, "work"))
            with refused("^work: "):
                extract.execute(sql, "work")


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (duckdb.IOException(f"No space left on device {CANARY_ID}"), "no space left for temporary files"),
        (OSError(28, "No space left on device", CANARY_ID), "no space left for temporary files"),
        (duckdb.OutOfMemoryException(f"failed to allocate {CANARY_ID}"), "out of memory"),
        (duckdb.ConversionException(f"Could not convert {CANARY_ID}"), "the statement failed .ConversionException"),
        (pa.ArrowInvalid(f"bad {CANARY_ID}"), "cannot be read"),
    ],
)
def test_failures_are_told_without_their_text(error, match):
    with refused(match):
        raise failure(error, "work") from None


def test_opening_reads_no_rows(tmp_path, monkeypatch):
    employment().to_csv(tmp_path / "employment.csv", index=False)
    earnings().to_parquet(tmp_path / "earnings.parquet")
    asked = []
    run = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *given, **options: Recorder(run(*given, **options), asked))
    with open_extract(tmp_path) as extract:
        repr(extract)
        assert asked == ["SET enable_progress_bar = false"]


class Recorder:
    """A connection that keeps what it is asked."""

    def __init__(self, connection, asked):
        self._connection, self._asked = connection, asked

    def execute(self, sql):
        self._asked.append(sql)
        return self._connection.execute(sql)

    def __getattr__(self, name):
        return getattr(self._connection, name)


def test_repr_shows_tables_and_masked_counts(tmp_path):
    employment().to_parquet(tmp_path / "employment.parquet")
    pd.concat([earnings()] * 5).to_parquet(tmp_path / "earnings.parquet")
    lookup_edukey().to_csv(tmp_path / "lookup_edukey.csv", index=False)
    with open_extract(tmp_path) as extract:
        shown = repr(extract)
        assert [line.split() for line in shown.splitlines()] == [
            ["Extract", "of", "3", "tables"],
            ["employment", "<10", "rows"],
            ["earnings", "20", "rows"],
            ["lookup_edukey", "rows", "not", "counted", "yet"],
        ]
        assert extract.count("lookup_edukey") == 3
        assert_silent(repr(extract))


def test_private_paths_are_not_shown():
    with open_extract({"employment": employment()}) as extract:
        private = extract._database._folder
        (private / "employment.parquet").write_bytes(b"PAR1 damaged")
        for sql in (
            f"SELECT * FROM read_parquet('{private}/employment.parquet')",
            f"COPY (SELECT 1) TO '{private}/nowhere/x.parquet'",
        ):
            with pytest.raises(duckdb.Error, match=str(private)):  # DuckDB's own text holds the path
                extract._database._connection.execute(sql)
            with refused("^work: ") as raised:
                extract.execute(sql, "work")
            assert str(private) not in str(raised.value)
