"""All columns of the years together: against the twin, for any order and partition, with tables and columns absent."""

import datetime as dt

import numpy as np
import pytest
import reference_years as twin
from years_cases import TABLES, by_year, define, make_block, values, years_of

from leoreturns.errors import ExtractError
from leoreturns.panel.derive import COLUMNS, derive_years
from leoreturns.panel.records import LeftOut

AREAS = {f"E{at}": f"area {at % 4}" for at in range(7)}
BENEFIT_TYPES = ("JSA", "JTA", "ESA", "IS", "UDF", "PIP", "BB", "?", None)


def random_records(n_person, seed=0, each=4):
    """Records of every table the years read: overlaps, ties, repeats, missing values, dates at every border."""
    rng = np.random.default_rng(seed)
    pick = rng.choice

    def person():
        return {"number": int(rng.integers(0, n_person)), "via": str(pick(["A", "B", "b"]))}

    def any_day(first=2002, last=2021):
        near = int(rng.integers(first, last + 1))
        if rng.random() < 0.5:
            return dt.date(near, int(pick([4, 5, 10, 3])), int(pick([5, 6])))
        return dt.date(near, 1, 1) + dt.timedelta(days=int(rng.integers(0, 365)))

    def dates():
        start = None if rng.random() < 0.03 else any_day()
        end = None if rng.random() < 0.05 else (start or any_day()) + dt.timedelta(days=int(rng.integers(-3, 500)))
        return {"StartDate": start, "EndDate": end}

    def maybe(value, share=0.2):
        return None if rng.random() < share else value

    def flag(share):
        return maybe(bool(rng.random() < share))

    def year():
        return int(rng.integers(2000, 2022))

    n = n_person * each
    records = {
        "employment": [
            person() | dates() | {"UncertainStartDate": flag(0.2), "UncertainEndDate": flag(0.2)} for _ in range(2 * n)
        ],
        "benefits": [person() | dates() | {"Benefit_type": pick(np.array(BENEFIT_TYPES, object))} for _ in range(n)],
        "self_assessment": [
            person()
            | {"TaxYear": year(), "Self_Employed": flag(0.9)}
            | {f"EARNINGS_{kind}": maybe(int(rng.integers(-9, 99)), 0.5) for kind in ("PTR", "SOLE", "SELF_EMPLOYMENT")}
            for _ in range(n)
        ],
        "cjrs": [person() | {"TAXYEAR": year(), "CJRS_TOT_WKS": maybe(int(rng.integers(0, 3)))} for _ in range(n)],
        "ks5": [person() | {"KS5_ACADYR": maybe(year(), 0.1)} for _ in range(n_person)],
        "ilr_aims": [
            person()
            | {
                "Year": year(),
                "start_date": maybe(any_day(), 0.05),
                "end_date": maybe(any_day(), 0.5),
                "end_date_expected": maybe(any_day(), 0.3),
                "Notional_Level_v2_latest": maybe(str(pick(["0", "1.5", "2", "3", "4", "6", "-1", "X"]))),
                "Notional_Level_v2": maybe(str(pick(["E", "1", "3", "4", "H"]))),
                "app": flag(0.1),
                "FrameworkApp": flag(0.1),
                "StandardApp": flag(0.05),
                "programme_type": maybe(str(pick(["2", "10", "24", "99"]))),
            }
            for _ in range(2 * n)
        ],
        "hesa": [
            person()
            | {
                "HE_ACADYR": year(),
                "HE_COMDATE": maybe(any_day()),
                "HE_ENDDATE": maybe(any_day(), 0.5),
                "HE_DATELEFT": maybe(any_day(), 0.5),
            }
            for _ in range(n)
        ],
    }
    # One record of an id and year: of more, test_earnings.
    keys = {(at % n_person, via, year()) for at in range(4 * n) for via in "ABb" if rng.random() < 0.4}
    records["earnings"] = [
        {"number": number, "via": via, "TaxYear": tax_year, "Earnings": maybe(int(rng.integers(0, 4)) * 1000, 0.1)}
        | {name: maybe(str(pick(list("ACG")))) for name in ("Main_Section", "main_enterprise_linked_section")}
        for number, via, tax_year in sorted(keys)
    ]
    records["geography"] = [
        {"number": number, "via": via, "TaxYear": tax_year, "COA_2011": maybe(f"E{rng.integers(0, 9)}")}
        | {"LAUA_anon": maybe(str(pick(["x", "y"]))), "GORNM": maybe(str(pick(["London", "Wales"])))}
        | {"CTRYNM": maybe(str(pick(["England", "Unknown"])))}
        for number, via, tax_year in sorted(keys)
    ]
    return records


COHORTS = (2002, 2005, 2008, 2019, 2020, 2003, 2004, 2006, 2002, 2007)
SETTINGS = [
    {"sustained": "five of six", "uncertain_dates": "keep"},
    {"sustained": "181 days", "uncertain_dates": "exclude", "pay_without_days": "as paid", "sector": "enterprise"},
    {"sustained": "five of six", "uncertain_dates": "unknown", "minimum_days": 30, "moves_across_2012": True},
    {"sustained": "twelve months", "months_in_row": 3, "annualised_cap": 9000, "last_tax_year": 2017},
]


def expected_rows(records, settings, areas):
    rows = []
    for number, cohort in enumerate(COHORTS):
        own = {
            table: [record for record in entries if record["number"] == number] for table, entries in records.items()
        }
        rows += twin.person_years(own, cohort, define(**settings), areas=areas)
    return rows


@pytest.mark.parametrize(("settings", "areas"), list(zip(SETTINGS, [AREAS, None, AREAS, None], strict=True)))
def test_every_column_against_the_twin(settings, areas):
    records = random_records(len(COHORTS), seed=7)
    years = derive_years(make_block(COHORTS, records, areas=areas, seed=1), define(**settings))
    rows = expected_rows(records, settings, areas)
    assert tuple(years.columns) == tuple(COLUMNS)
    assert len(rows) == years.row_offsets[-1]
    for name in COLUMNS:
        expected = [row[name] for row in rows]
        if name == "log_earnings":
            expected = [value if value is None else pytest.approx(value, rel=1e-14) for value in expected]
        assert values(years, name) == expected, name
    activities = {row["main_activity"] for row in rows}
    assert len(activities) >= 7  # the records reach the rules


def content(years):
    """Everything derived, as bytes."""
    columns = {
        name: (column.values.dtype.str, column.values.tobytes(), column.kind, column.labels)
        for name, column in years.columns.items()
    }
    return columns, years.row_offsets.tobytes(), dict(years.absent), dict(years.left_out)


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_order_of_records_and_the_number_of_threads_change_nothing(settings):
    records = random_records(len(COHORTS), seed=3)
    records["earnings"] = [record | {"Earnings": (record["Earnings"] or 0) / 7} for record in records["earnings"]] * 3
    first = content(derive_years(make_block(COHORTS, records, areas=AREAS), define(**settings)))
    for seed, threads in ((1, 1), (2, 2)):
        block = make_block(COHORTS, records, areas=AREAS, seed=seed, threads=threads)
        assert content(derive_years(block, define(**settings))) == first


def test_persons_do_not_touch_each_other():
    """Blocks of some of the persons give these persons' rows, and counts that add up."""
    records = random_records(len(COHORTS), seed=4)
    whole = derive_years(make_block(COHORTS, records), define())
    parts = []
    for first, last in ((0, 3), (3, 7), (7, 10)):
        own = {
            table: [
                record | {"number": record["number"] - first} for record in entries if first <= record["number"] < last
            ]
            for table, entries in records.items()
        }
        parts.append(derive_years(make_block(COHORTS[first:last], own), define()))
    for name in COLUMNS:
        assert values(whole, name) == [value for part in parts for value in values(part, name)]
    for table in TABLES:
        if table != "ks5":
            assert whole.left_out[table] == sum((part.left_out[table] for part in parts), LeftOut())


def test_inputs_are_not_written_to():
    block = make_block(COHORTS, random_records(len(COHORTS)))
    block.cohort.flags.writeable = False
    first = content(derive_years(block, define()))
    assert content(derive_years(block, define())) == first


# ---- the grid -------------------------------------------------------------------------------------------------------


def test_rows_run_from_the_year_after_key_stage_4_to_the_last():
    years = years_of({}, cohorts=(2018, 2020, 2021, 2019))
    assert years.row_offsets.tolist() == [0, 2, 2, 2, 3]
    assert values(years, "tax_year") == [2019, 2020, 2020]
    assert values(years, "years_since_ks4") == [1, 2, 1]


@pytest.mark.parametrize("cohorts", [(), (2020,), (2020, 2020)])
def test_a_block_without_rows_has_every_column(cohorts):
    records = random_records(len(cohorts)) if cohorts else {}
    years = years_of(records, cohorts=cohorts)
    assert tuple(years.columns) == tuple(COLUMNS)
    assert {len(column.values) for column in years.columns.values()} == {0}


def test_types_do_not_hang_on_the_values():
    full, empty = (years_of(records, cohorts=COHORTS) for records in (random_records(len(COHORTS)), {}))
    texts = {"sector", "area", "region_of_residence", "country"}
    for name in set(COLUMNS) - texts:
        assert full.columns[name].values.dtype == empty.columns[name].values.dtype, name
        assert full.columns[name].labels == empty.columns[name].labels, name


# ---- absent tables and columns --------------------------------------------------------------------------------------

EMPLOYMENT = {
    "days_employed",
    "months_employed",
    "in_paid_work",
    "employed_all_year",
    "sustained_employment",
    "continuous_employment",
}
RATED = {"annualised_earnings", "real_earnings", "log_earnings"}
BENEFITS = {
    "days_unemployment_benefit",
    "days_incapacity_benefit",
    "days_other_out_of_work_benefit",
    "months_out_of_work_benefit",
    "out_of_work_benefits",
    "days_other_benefit",
}
LEFT_OUT = {
    ("employment",): EMPLOYMENT | RATED,
    ("earnings",): RATED | {"earnings", "sector", "sector_vintage"},
    ("self_assessment",): {"self_employed", "self_employment_earnings"},
    ("benefits",): BENEFITS,
    ("cjrs",): {"furloughed", "furlough_weeks"},
    ("geography",): {"area", "region_of_residence", "country", "moved"},
    ("ks5",): set(),
    ("ilr_aims",): {"months_further_education", "months_apprenticeship"},
    ("hesa",): set(),
    ("hesa", "ilr_aims"): {"months_further_education", "months_apprenticeship", "months_higher_education"},
    ("employment", "benefits", "ilr_aims"): EMPLOYMENT
    | RATED
    | BENEFITS
    | {"months_further_education", "months_apprenticeship"},
}


@pytest.mark.parametrize("lacking", LEFT_OUT, ids="-".join)
def test_columns_whose_tables_are_absent_are_left_out_and_named(lacking):
    years = years_of(random_records(1, seed=2), lacking=lacking)
    assert set(COLUMNS) - set(years.columns) == LEFT_OUT[lacking] == set(years.absent)
    assert all(set(tables) <= set(lacking) for tables in years.absent.values())
    assert not set(years.left_out) & set(lacking)


@pytest.mark.parametrize("lacking", [(table,) for table in TABLES], ids="-".join)
def test_an_absent_table_counts_as_an_empty_one(lacking):
    records = random_records(3, seed=2)
    absent = years_of(records, cohorts=COHORTS[:3], lacking=lacking)
    empty = years_of({table: rows for table, rows in records.items() if table not in lacking}, cohorts=COHORTS[:3])
    for name in absent.columns:
        assert values(absent, name) == values(empty, name)


def test_nothing_but_the_calendar_needs_no_table():
    years = years_of({}, lacking=TABLES)
    assert tuple(years.columns) == ("tax_year", "years_since_ks4")
    assert years.absent["main_activity"] == ("employment", "benefits", "ilr_aims", "hesa")
    assert years.absent["months_higher_education"] == ("hesa", "ilr_aims")
    assert years.absent["real_earnings"] == ("employment", "earnings")
    assert years.left_out == {}


def test_an_absent_column_counts_as_one_without_values():
    records = random_records(3, seed=6)
    used = {
        table: sorted({name for record in entries for name in record} - {"number", "via"})
        for table, entries in records.items()
    }
    for table, names in used.items():
        for name in names:
            lacking = years_of(records, cohorts=COHORTS[:3], lacking=((table, name),))
            blank = {**records, table: [record | {name: None} for record in records[table]]}
            assert content(lacking) == content(years_of(blank, cohorts=COHORTS[:3])), (table, name)


def test_a_table_that_cannot_be_read_is_named_without_values():
    block = make_block((2002,), {})
    block.connection.execute('ALTER TABLE earnings ALTER "Earnings" TYPE VARCHAR')
    block.connection.execute('INSERT INTO earnings (number, "TaxYear", "Earnings") VALUES (0, 2005, \'987654 pounds\')')
    block.connection.execute("ALTER TABLE earnings RENAME TO stored")
    block.connection.execute(
        'CREATE VIEW earnings AS SELECT * REPLACE (CAST("Earnings" AS DOUBLE) AS "Earnings") FROM stored'
    )
    with pytest.raises(ExtractError, match="table 'earnings'") as caught:
        derive_years(block, define())
    assert "987654" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_what_is_shown_holds_counts_only():
    years = years_of({"earnings": [{"TaxYear": 2005, "Earnings": 987654, "via": "canary"}]})
    assert repr(years) == "<Years: 32 columns of 18 rows>"
    assert by_year(years, "earnings")[2005] == 987654
