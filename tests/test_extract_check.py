"""The check of an extract: counts against a plain pandas recount, and no value of a person anywhere."""

import numpy as np
import pandas as pd
import pytest
from extract_cases import CANARY_DATE, CANARY_ID, assert_silent, earnings, employment, lookup_edukey

from leoreturns.extract.check import ExtractCheck, Finding
from leoreturns.extract.source import open_extract


def counts(check, table):
    """Findings of a table other than rows by year, as {(column, check): count}."""
    return {
        (entry.column, entry.check): entry.count
        for entry in check.findings
        if entry.table == table and not entry.detail
    }


def checked(**tables):
    with open_extract(tables) as extract:
        return extract.check()


def test_sound_tables_have_nothing_but_notes():
    check = checked(
        employment=employment(StartDate=["2003-11-23", "2004-04-06", "2010-01-31", "2012-02-29"]),
        earnings=earnings(Earnings=[1, 2, 3, 4]).iloc[:3],
        lookup_edukey=lookup_edukey(),
    )
    assert check.ok
    warned = check.to_frame().query("severity != 'note'")
    assert warned[["table", "column", "check"]].to_numpy().tolist() == [["employment", "EndDate", "missing"]]


def defective(n=3_000, seed=4):
    """Earnings, benefits and lookups with every defect at random."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"{CANARY_ID}{k}" for k in range(200)])
    pay = pd.DataFrame(
        {
            "Edukey": np.where(rng.random(n) < 0.03, None, rng.choice(ids, n)),
            "TaxYear": rng.choice([200203, 200304, 200405, 200910, 202122], n),
            "Earnings": rng.integers(-50, 500, n).astype(float),
            "Main_Section": rng.choice(["A", "P", "Z", "not known", None], n),
        }
    )
    pay.loc[rng.random(n) < 0.1, "Earnings"] = np.nan
    start = pd.Timestamp("1998-01-01") + pd.to_timedelta(rng.integers(0, 9_500, n), unit="D")
    spells = pd.DataFrame(
        {
            "EduKey": rng.choice(ids, n),
            "StartDate": start,
            "EndDate": start + pd.to_timedelta(rng.integers(-30, 300, n), unit="D"),
            "Benefit_type": rng.choice(["JSA", "ESA", "XX", "YY"], n),
        }
    )
    spells = pd.concat([spells, spells.iloc[:40]], ignore_index=True)
    link = pd.DataFrame({"AE_ID": rng.integers(0, 150, 220), "EDUKEY": rng.choice(ids[:180], 220)})
    return pay, spells, pd.concat([link, link.iloc[:5]], ignore_index=True)


def test_counts_are_those_of_a_plain_recount():
    pay, spells, link = defective()
    check = checked(earnings=pay, benefits=spells, lookup_edukey=link)
    year = pay["TaxYear"] // 100
    known = pay.dropna(subset=["Edukey"])
    assert counts(check, "earnings") == {
        ("", "rows"): len(pay),
        ("Edukey", "missing"): int(pay["Edukey"].isna().sum()),
        ("TaxYear", "year outside coverage"): int((~year.between(2003, 2020)).sum()),
        ("Earnings", "missing"): int(pay["Earnings"].isna().sum()),
        ("Earnings", "negative amount"): int((pay["Earnings"] < 0).sum()),
        ("Main_Section", "missing"): int(pay["Main_Section"].isna().sum()),
        ("Main_Section", "unknown code"): int(pay["Main_Section"].isin(["Z", "not known"]).sum()),
        ("", "duplicate row"): int(pay.duplicated().sum()),
        ("Edukey, TaxYear", "duplicate key"): int(known.duplicated(["Edukey", "TaxYear"]).sum()),
        ("Edukey", "person not in lookup_edukey"): len(set(known["Edukey"]) - set(link["EDUKEY"])),
    }
    first, last = pd.Timestamp("1999-04-06"), pd.Timestamp("2021-04-05")
    assert counts(check, "benefits") == {
        ("", "rows"): len(spells),
        ("Benefit_type", "unknown code"): int(spells["Benefit_type"].isin(["XX", "YY"]).sum()),
        ("StartDate, EndDate", "end before start"): int((spells["EndDate"] < spells["StartDate"]).sum()),
        ("StartDate", "starts after coverage"): int((spells["StartDate"] > last).sum()),
        ("EndDate", "ends before coverage"): int((spells["EndDate"] < first).sum()),
        ("EndDate", "ends after coverage"): int((spells["EndDate"] > last).sum()),
        ("", "duplicate row"): int(spells.duplicated().sum()),
        ("EduKey", "person not in lookup_edukey"): len(set(spells["EduKey"]) - set(link["EDUKEY"])),
    }
    pairs = link.drop_duplicates()
    assert counts(check, "lookup_edukey") == {
        ("", "rows"): len(link),
        ("", "duplicate row"): int(link.duplicated().sum()),
        ("AE_ID, EDUKEY", "duplicate key"): int(link.duplicated().sum()),
        ("AE_ID", "id with several EDUKEY"): int((pairs.groupby("AE_ID").size() > 1).sum()),
        ("EDUKEY", "id with several AE_ID"): int((pairs.groupby("EDUKEY").size() > 1).sum()),
    }
    assert_silent(f"{check!r}{check._repr_html_()}{check.to_frame().to_string()}")


def test_rows_by_year_tell_the_empty_ones():
    check = checked(earnings=earnings(TaxYear=[200304, 200304, 200506, 201213]))
    by_year = check.to_frame().query("column == 'TaxYear'").set_index("detail")
    assert by_year.loc[["2003-04", "2005-06", "2012-13"], "count"].tolist() == [2, 1, 1]
    assert by_year.loc["2003-04", "share"] == 0.5
    assert list(by_year.index) == [f"{year}-{(year + 1) % 100:02d}" for year in range(2003, 2021)]
    empty = by_year[by_year["check"] == "no rows in"]
    gaps = ["2004-05", *(f"{year}-{year - 1999:02d}" for year in range(2006, 2012))]
    assert empty.index[empty["severity"] == "warning"].tolist() == gaps
    assert set(empty["severity"]) == {"warning", "note"}


def test_a_column_that_cannot_be_read_is_an_error_and_the_rest_is_checked():
    check = checked(employment=employment(StartDate=[CANARY_DATE, "23/11/1987", CANARY_ID, None]))
    assert not check.ok
    [error] = [finding for finding in check.findings if finding.severity == "error"]
    assert (error.table, error.column, error.count) == ("employment", "StartDate", None)
    assert "mixes formats over its 3 dates: 1 as yyyy-mm-dd, 1 as dd/mm/yyyy" in error.detail
    # The reason holds small counts: it is not printed.
    assert repr(check).splitlines()[2].split() == ["error", "employment", "StartDate", "cannot", "be", "read", "-"]
    assert "mixes" not in check._repr_html_()
    assert counts(check, "employment")["EndDate", "missing"] == 1
    assert_silent(f"{check!r}{check._repr_html_()}{check.to_frame().to_string()}")


def test_a_table_that_cannot_be_read_at_all_is_told_of_and_the_others_are_checked(tmp_path):
    for name in ("earnings", "employment"):
        (tmp_path / name).mkdir()
    lines = earnings().to_csv(index=False).splitlines()
    (tmp_path / "earnings" / "earnings.csv").write_text("\n".join([*lines, f"{CANARY_ID},{CANARY_DATE}"]))
    employment().to_parquet(tmp_path / "employment" / "gone.parquet")
    lookup_edukey().to_csv(tmp_path / "lookup_edukey.csv", index=False)
    with open_extract(tmp_path) as extract:
        (tmp_path / "employment" / "gone.parquet").unlink()
        check = extract.check()
    errors = check.to_frame().query("severity == 'error'")
    assert errors["check"].unique().tolist() == ["cannot be read"]
    told = errors.groupby("table")["detail"].unique().map(list).to_dict()
    assert "1 row that cannot be read" in told["earnings"][0]
    assert told["employment"][0].startswith("'gone.parquet' is no longer where it was")
    assert [len(told["earnings"]), len(told["employment"])] == [1, 1]
    assert counts(check, "lookup_edukey") == {("", "rows"): 3}
    assert_silent(f"{check!r}{check._repr_html_()}{check.to_frame().to_string()}")


def test_an_empty_table():
    check = checked(earnings=earnings().iloc[:0], employment=employment())
    assert counts(check, "earnings") == {("", "rows"): 0}
    assert check.to_frame().query("table == 'earnings'")["severity"].tolist() == ["warning"]


def test_the_lookup_of_records_and_of_pupils():
    check = checked(
        ilr_learners=pd.DataFrame({"external_id": [1, 1, 2], "RECORDID": [7, 8, 9]}),
        lookup_recid=pd.DataFrame({"AE_ID": [1, 1], "RECORDID": [7, 8]}),
        ks4=pd.DataFrame({"KS4_PupilMatchingRefAnonymous": ["P1", "P2", "P2"], "KS4_HGMATH": ["A", "Q", None]}),
        lookup_pmr=pd.DataFrame({"AE_ID": [1, 2], "PUPILMATCHINGREFANONYMOUS": ["P1", "P9"]}),
    )
    assert counts(check, "ilr_learners")["RECORDID", "person not in lookup_recid"] == 1
    assert counts(check, "ilr_learners")["external_id", "duplicate key"] == 1
    assert counts(check, "lookup_recid")["AE_ID", "id with several RECORDID"] == 1
    assert ("RECORDID", "id with several AE_ID") not in counts(check, "lookup_recid")
    assert counts(check, "ks4")["KS4_PupilMatchingRefAnonymous", "person not in lookup_pmr"] == 1
    assert counts(check, "ks4")["KS4_HGMATH", "unknown code"] == 1


def test_small_counts_are_masked_where_they_are_shown():
    check = ExtractCheck(
        (
            Finding("earnings", "Edukey", "missing", "", 9, 100, "warning"),
            Finding("earnings", "Earnings", "missing", "", 10, 100, "warning"),
            Finding("earnings", "TaxYear", "no rows in", "2004-05", 0, 100, "warning"),
            Finding("earnings", "TaxYear", "rows in", "2005-06", 4, 100, "note"),
        )
    )
    lines = repr(check).splitlines()
    assert lines[0] == "Check of an extract: 0 errors, 3 warnings; counts in to_frame()"
    assert [line.split()[-1] for line in lines[2:]] == ["<10", "10", "0"]
    assert "&lt;10" in check._repr_html_()
    assert "9" not in repr(check) + repr(check.findings)
    assert check.to_frame()["count"].tolist() == [9, 10, 0, 4]
    assert check.to_frame()["share"].tolist() == [0.09, 0.1, 0.0, 0.04]


def test_nothing_to_say():
    assert repr(ExtractCheck(())) == "Check of an extract: 0 errors, 0 warnings; counts in to_frame()"
    assert list(ExtractCheck(()).to_frame()) == ["table", "column", "check", "detail", "count", "share", "severity"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_rows_changes_nothing(order):
    pay, spells, link = defective(500)
    given = {"earnings": pay, "benefits": spells, "lookup_edukey": link}
    changed = {name: frame.iloc[::order] for name, frame in given.items()}
    assert checked(**changed) == checked(**given)
