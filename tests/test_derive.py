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
SECTORS = {"01110": "land", "62010": "computing", "62020": "computing", "?": "?"}
COVERAGE = {"hesa": 2018, "ilr_aims": 2019, "ks5": 2019, "self_assessment": 2018, "benefits": 2019, "cjrs": 2019}
LINKED = (True, True, False, True, True, False, True, True, True, True)
DEGREES = (None, 2010, 2009, None, None, 2008, None, None, 2007, None)
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

    def no_day(date):
        return dt.date(1900, 1, 1) if rng.random() < 0.1 else date

    def year():
        return int(rng.integers(2000, 2022))

    n = n_person * each
    records = {
        "employment": [
            person() | dates() | {"UncertainStartDate": flag(0.2), "UncertainEndDate": flag(0.2)} for _ in range(2 * n)
        ],
        "benefits": [
            person()
            | dates()
            | {"Benefit_type": pick(np.array(BENEFIT_TYPES, object)), "Out_of_work_benefit": flag(0.6)}
            for _ in range(n)
        ],
        "self_assessment": [
            person()
            | {"TaxYear": year(), "Self_Employed": flag(0.9)}
            | {f"EARNINGS_{kind}": maybe(int(rng.integers(-9, 99)), 0.5) for kind in ("PTR", "SOLE", "SELF_EMPLOYMENT")}
            for _ in range(n)
        ],
        "cjrs": [person() | {"TAXYEAR": year(), "CJRS_TOT_WKS": maybe(int(rng.integers(0, 3)))} for _ in range(n)],
        "ks5": [person() | {"KS5_ACADYR": maybe(year(), 0.1)} for _ in range(n_person)],
        "plams": [person() | {"pl_ACADYR": maybe(year(), 0.1)} for _ in range(n_person // 3)],
        "school_census": [person() | {"AcademicYear": maybe(year()), "OnRoll": flag(0.5)} for _ in range(n_person)],
        "ilr_aims": [
            person()
            | {
                "Year": maybe(year(), 0.1),
                "start_date": no_day(maybe(any_day(), 0.05)),
                "end_date": no_day(maybe(any_day(), 0.5)),
                "end_date_expected": no_day(maybe(any_day(), 0.3)),
                "Compstatus": maybe(str(pick(["1", "2", "3"]))),
                "active": flag(0.3),
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
                "HE_ACADYR": maybe(year(), 0.1),
                "HE_XLEV601": maybe(str(pick(["4", "6", "First degree", "Further Education"]))),
                "HE_XMODE01": maybe(str(pick(["1", "6", "Dormant"])), 0.6),
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
        | {name: maybe(str(pick(list(SECTORS)))) for name in ("Main_SIC2007", "main_enterprise_linked_sic2007")}
        | {name: flag(0.5) for name in ("Tied_Main_Section_Flag", "tied_main_record_enterprise_sic_fg")}
        | {"main_enterprise": maybe(f"K{rng.integers(0, 9)}"), "Num_Employments": maybe(int(rng.integers(0, 4)))}
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
    {"sustained": "181 days", "uncertain_dates": "unknown", "self_employment": "include", "out_of_work": "fft"},
]
# What is there beside the records, by setting.
AROUND = [
    {"areas": AREAS, "sectors": SECTORS},
    {"coverage": COVERAGE, "linked": LINKED, "degree_years": DEGREES},
    {"areas": AREAS, "coverage": {"employment": 2018, "earnings": 2017}, "last_tax_year": 2019},
    {"linked": LINKED},
    {"sectors": SECTORS, "coverage": {"self_assessment": 2016}},
]


def expected_rows(records, settings, *, degree_years=None, linked=None, last_tax_year=2020, **around):
    rows = []
    for number, cohort in enumerate(COHORTS):
        own = {
            table: [record for record in entries if record["number"] == number] for table, entries in records.items()
        }
        one = {"is_linked": linked is None or linked[number]}
        one["degree_year"] = None if degree_years is None else degree_years[number]
        rows += twin.person_years(own, cohort, define(**settings), last_tax_year, **one, **around)
    return rows


@pytest.mark.parametrize(("settings", "around"), list(zip(SETTINGS, AROUND, strict=True)))
def test_every_column_against_the_twin(settings, around):
    records = random_records(len(COHORTS), seed=7)
    years = years_of(records, cohorts=COHORTS, settings=settings, seed=1, **around)
    rows = expected_rows(records, settings, **around)
    assert tuple(years.columns) == tuple(name for name in COLUMNS if name != "sector_group" or "sectors" in around)
    assert len(rows) == years.row_offsets[-1]
    for name in years.columns:
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
    for name in whole.columns:
        assert values(whole, name) == [value for part in parts for value in values(part, name)]
    for table in TABLES:
        if table in whole.left_out:
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
    assert tuple(years.columns) == tuple(name for name in COLUMNS if name != "sector_group")
    assert {len(column.values) for column in years.columns.values()} == {0}


def test_types_do_not_hang_on_the_values():
    full, empty = (years_of(records, cohorts=COHORTS) for records in (random_records(len(COHORTS)), {}))
    texts = {"sector", "employer", "area", "region_of_residence", "country"}
    for name in set(full.columns) - texts:
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
PAID = {"earnings", "employer", "n_enterprises", "sector", "sector_tied", "sector_group", "sector_vintage"}
TOTAL = {"total_earnings", "real_total_earnings"}
AT_UNIVERSITY = {"months_higher_education", "years_since_graduation"}
LEFT_OUT = {
    ("employment",): EMPLOYMENT | RATED,
    ("earnings",): RATED | PAID | TOTAL,
    ("self_assessment",): TOTAL | {"self_employed", "self_employment_earnings"},
    ("benefits",): BENEFITS,
    ("cjrs",): {"furloughed", "furlough_weeks"},
    ("geography",): {"area", "region_of_residence", "country", "moved"},
    ("ks5",): set(),
    ("plams", "school_census"): set(),
    ("ilr_aims",): {"months_further_education", "months_apprenticeship"},
    ("hesa",): AT_UNIVERSITY,
    ("hesa", "ilr_aims"): AT_UNIVERSITY | {"months_further_education", "months_apprenticeship"},
    ("employment", "benefits", "ilr_aims"): EMPLOYMENT
    | RATED
    | BENEFITS
    | {"months_further_education", "months_apprenticeship"},
}


@pytest.mark.parametrize("lacking", LEFT_OUT, ids="-".join)
def test_columns_whose_tables_are_absent_are_left_out_and_named(lacking):
    years = years_of(random_records(1, seed=2), lacking=lacking, sectors=SECTORS)
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
    assert years.absent["months_higher_education"] == ("hesa",)
    assert years.absent["days_unemployment_benefit"] == ("benefits",)
    assert years.absent["sector_group"] == ("earnings", "lookup_sectors")
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
            if name == "Benefit_type":
                continue  # what hangs on it is left out: test_activity
            lacking = years_of(records, cohorts=COHORTS[:3], lacking=((table, name),))
            blank = {**records, table: [record | {name: None} for record in records[table]]}
            assert content(lacking) == content(years_of(blank, cohorts=COHORTS[:3])), (table, name)


# ---- what is not observed -------------------------------------------------------------------------------------------

OBSERVED = {
    ("employment", 2015): EMPLOYMENT | RATED | {"main_activity"},
    ("earnings", 2015): RATED | PAID | {"total_earnings", "real_total_earnings"},
    ("self_assessment", 2015): TOTAL | {"self_employed", "self_employment_earnings"},
    ("benefits", 2015): BENEFITS | {"main_activity"},
    ("cjrs", 2019): {"furloughed", "furlough_weeks"},
    ("hesa", 2015): {"months_higher_education", "main_activity"},
    ("ilr_aims", 2015): {"months_further_education", "months_apprenticeship", "main_activity"},
    ("ks5", 2015): set(),
}


@pytest.mark.parametrize(("table", "last"), OBSERVED)
def test_what_a_table_does_not_reach_is_missing_and_nothing_else(table, last):
    records = random_records(len(COHORTS), seed=8)
    options = {"cohorts": COHORTS, "sectors": SECTORS, "degree_years": DEGREES}
    whole, short = years_of(records, **options), years_of(records, coverage={table: last}, **options)
    later = whole.columns["tax_year"].values > last
    for name in COLUMNS:
        found, full = np.array(values(short, name), object), np.array(values(whole, name), object)
        if name in OBSERVED[table, last]:
            assert set(found[later]) == {None}
            full = np.where(later, None, full)
        if name == "main_activity" and table == "ks5":
            full = np.where(later & (whole.columns["years_since_ks4"].values <= 2), None, full)
        assert found.tolist() == full.tolist(), name


def test_included_self_employment_is_observed_as_far_as_self_assessment():
    for rule, expected in {"exclude": False, "include": None}.items():
        settings = {"self_employment": rule, "sustained": "five of six"}
        years = years_of({}, coverage={"self_assessment": 2018}, settings=settings)
        for name in ("in_paid_work", "sustained_employment"):
            found = by_year(years, name)
            assert (found[2018], found[2019]) == (False, expected)
        assert by_year(years, "employed_all_year")[2019] is False


def test_persons_who_are_not_linked_have_no_tax_and_benefit_columns():
    records = random_records(len(COHORTS), seed=8)
    options = {"cohorts": COHORTS, "sectors": SECTORS}
    whole, some = years_of(records, **options), years_of(records, linked=LINKED, **options)
    unlinked = np.repeat(~np.array(LINKED), np.diff(whole.row_offsets))
    for name, column in COLUMNS.items():
        full = np.array(values(whole, name), object)
        if column.owner in ("HMRC", "DWP"):
            full = np.where(unlinked, None, full)
        assert values(some, name) == full.tolist(), name


def test_main_activity_of_who_is_not_linked_is_that_of_education_or_not_captured():
    records = {"ks5": [{"KS5_ACADYR": 2003}], "hesa": [{"HE_ACADYR": 2005}]}
    found = by_year(years_of(records, linked=[False]), "main_activity")
    assert [found[year] for year in (2003, 2004, 2005, 2007)] == [
        "key stage 5",
        "no sustained activity",
        "higher education",
        "activity not captured",
    ]


def test_years_since_graduation_count_from_the_degree():
    years = years_of({}, cohorts=(2002, 2003), degree_years=[2008, None])
    found = by_year(years, "years_since_graduation")
    assert (found[2003], found[2008], found[2009], found[2020]) == (-5, 0, 1, 12)
    assert set(by_year(years, "years_since_graduation", person=1).values()) == {None}


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
    assert caught.value.__context__ is None


def test_what_is_shown_holds_counts_only():
    years = years_of({"earnings": [{"TaxYear": 2005, "Earnings": 987654, "via": "canary"}]})
    assert repr(years) == "<Years: 38 columns of 18 rows>"
    assert by_year(years, "earnings")[2005] == 987654
