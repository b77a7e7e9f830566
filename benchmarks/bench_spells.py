"""Days and months employed by person and tax year from spells: leoreturns against DuckDB and polars streaming.

3.6 million spells of 400,000 persons from April 2004 to April 2019, unsorted, overlapping, some the same twice, some
across either edge; two threads each, one process (on more than two cores set POLARS_MAX_THREADS=2). Timed: from columns
in memory (a loaded table for DuckDB) to the days and the month bits of every person-year, which must be the same to the
last one; leoreturns also finds the longest run. The median of three calls after a first. At the default size the result
has a known answer, computed by others.

    python -m benchmarks.bench_spells [persons]
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks.measure import Measured, measure
from leoreturns._core import spells as kernel
from leoreturns._parallel import ordered_map
from leoreturns.panel import rows
from leoreturns.panel.calendar import MONTHS, TAX_YEAR

PERSONS, SPELLS_EACH = 400_000, 9
FIRST_YEAR, LAST_YEAR = 2004, 2018
N_YEARS = LAST_YEAR - FIRST_YEAR + 1
FIRST_DAY, LAST_DAY = int(TAX_YEAR.first_day(FIRST_YEAR)), int(TAX_YEAR.last_day(LAST_YEAR))
FROM, TO = datetime.date(2004, 4, 6), datetime.date(2019, 4, 5)
THREADS = 2
PERSON_SLICE = 1 << 14
DAYS_OF_PERSON = 1 << 16
BAR = 0.2
# At the default size: merged intervals, person-years, days, month bits and a check sum over all four columns.
KNOWN = {
    "intervals": 2_153_919,
    "person-years": 3_779_067,
    "days": 808_012_029,
    "month bits": 28_469_545,
    "check sum": 123_773_159_244,
}

Table = tuple[np.ndarray, ...]  # person, tax year, days, months, by person and year


class Grid(NamedTuple):
    """Days, months and longest runs of persons by years, and the merged intervals found."""

    days: np.ndarray
    months: np.ndarray
    longest: np.ndarray
    n_interval: int


def simulate(n_person: int, *, seed: int = 909) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Persons, first and last days of spells: log-normal lengths (median 148 days), three in a hundred repeated."""
    draw, n = np.random.default_rng(seed), n_person * SPELLS_EACH
    person = draw.integers(0, n_person, n).astype(np.int32)
    start = draw.integers(FIRST_DAY - 400, LAST_DAY + 1, n)
    length = np.minimum(np.exp(draw.normal(5.0, 1.3, n)).astype(int), 4000)
    repeated = draw.random(n) < 0.03
    source = draw.integers(0, n, repeated.sum())
    for column in (person, start, length):
        column[repeated] = column[source]
    return person, start.astype(np.int32), (start + length).astype(np.int32)


# ---- the three ------------------------------------------------------------------------------------------------------


def with_kernel(person: np.ndarray, start: np.ndarray, end: np.ndarray, n_person: int) -> Grid:
    """Every person in every year, slices of persons in two threads."""
    spells, offsets = np.empty((len(person), 2), dtype=np.int32), np.empty(n_person + 1, dtype=np.int64)
    kernel.order_spells(person, start, end, spells, offsets)
    n_row = n_person * N_YEARS
    row_offsets = np.arange(0, n_row + 1, N_YEARS, dtype=np.int64)
    first_year = np.full(n_person, FIRST_YEAR, dtype=np.int16)
    calendar = TAX_YEAR.month_starts(FIRST_YEAR, LAST_YEAR)
    out = np.empty(n_row, dtype=np.int16), np.empty(n_row, dtype=np.uint16), np.empty(n_row, dtype=np.int32)

    def part(bounds: tuple[int, int]) -> int:
        return kernel.unite(spells, offsets, *bounds, calendar, FIRST_YEAR, row_offsets, first_year, *out)

    n_interval = ordered_map(part, rows.slices(n_person, PERSON_SLICE), n_jobs=THREADS)
    return Grid(*out, sum(n_interval))


# A day moved back by five lies in the calendar month that gives a tax month its name; from April these count 0 to 11.
YEAR = "(year({0} - 5) - (month({0} - 5) < 4)::int)"
MONTH = "((month({0} - 5) + 8) % 12)"
CLIPPED = f"""
    clipped as (
        select person, greatest(first_day, date '{FROM}') as a, least(last_day, date '{TO}') as b
        from spells where first_day <= date '{TO}' and last_day >= date '{FROM}'
    )"""
# A spell opens an interval where it begins after the day that follows all before it. The running count has the default
# RANGE frame: with ROWS, two spells of the same days could fall to different intervals.
COUNTED = f"""{CLIPPED},
    marked as (
        select *, coalesce(a > 1 + max(b) over (
            partition by person order by a, b rows between unbounded preceding and 1 preceding
        ), true) as opens
        from clipped
    ),
    numbered as (select *, count(*) filter (opens) over (partition by person order by a, b) as number from marked),
    merged as (select person, min(a) as a, max(b) as b from numbered group by person, number)"""
# Without counting: an interval ends on the latest day before the next opening, the last one on the person's latest.
OPENINGS = f"""{CLIPPED},
    marked as (
        select person, a,
               max(b) over (
                   partition by person order by a, b rows between unbounded preceding and 1 preceding
               ) as before,
               max(b) over (
                   partition by person order by a, b rows between unbounded preceding and unbounded following
               ) as latest
        from clipped
    ),
    merged as (
        select person, a, coalesce(lead(before) over (partition by person order by a), latest) as b
        from marked where before is null or a > before + 1
    )"""
BY_YEAR = f""",
    years as (select *, unnest(range({YEAR.format("a")}, {YEAR.format("b")} + 1)) as tax_year from merged),
    parts as (
        select person, tax_year, greatest(a, make_date(tax_year, 4, 6)) as a,
               least(b, make_date(tax_year + 1, 4, 5)) as b
        from years
    )
    select person, tax_year, sum(b - a + 1)::smallint as days,
           bit_or((2 << {MONTH.format("b")}) - (1 << {MONTH.format("a")}))::smallint as months
    from parts group by person, tax_year"""
QUERIES = {"DuckDB, islands": COUNTED, "DuckDB, openings": OPENINGS}


def with_duckdb(connection: duckdb.DuckDBPyConnection, merged: str) -> None:
    """Leave the person-years in a table, so that fetching them is not timed."""
    connection.execute(f"create or replace table united as with {merged} {BY_YEAR}")


def fetched(connection: duckdb.DuckDBPyConnection) -> Table:
    columns = connection.execute("select person, tax_year, days, months from united").fetchnumpy()
    return ordered(*columns.values())


def with_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """The islands in polars' lazy form, streamed."""
    a, b, year = pl.col("a"), pl.col("b"), pl.col("tax_year")
    # Numbered through, persons above days, the running maximum needs no window by person, which takes longer.
    of_person = pl.col("person").cast(pl.Int64) * DAYS_OF_PERSON
    merged = (
        frame.lazy()
        .filter(pl.col("first_day") <= TO, pl.col("last_day") >= FROM)
        .select("person", a=pl.col("first_day").clip(lower_bound=FROM), b=pl.col("last_day").clip(upper_bound=TO))
        .sort("person", "a", "b")
        .with_columns(before=(of_person + b.cast(pl.Int32)).cum_max().shift(1))
        .with_columns(number=(of_person + a.cast(pl.Int32) > pl.col("before") + 1).fill_null(True).cum_sum())
        .group_by("number")
        .agg(pl.col("person").first(), a.min(), b.max())
    )
    return (
        merged.with_columns(tax_year=pl.int_ranges(_year(a), _year(b) + 1, dtype=pl.Int32))
        .explode("tax_year")
        .with_columns(
            a=pl.max_horizontal(a, pl.date(year, 4, 6)),
            b=pl.min_horizontal(b, pl.date(year + 1, 4, 5)),
        )
        .select(
            "person",
            "tax_year",
            days=((b - a).dt.total_days() + 1).cast(pl.Int16),
            months=(pl.lit(2, pl.Int32).pow(_month(b) + 1) - pl.lit(2, pl.Int32).pow(_month(a))).cast(pl.Int16),
        )
        .group_by("person", "tax_year")
        .agg(pl.col("days").sum(), pl.col("months").bitwise_or())
        .collect(engine="streaming")
    )


def _moved(day: pl.Expr) -> pl.Expr:
    return day - pl.duration(days=5)


def _year(day: pl.Expr) -> pl.Expr:
    return _moved(day).dt.year() - (_moved(day).dt.month() < 4).cast(pl.Int32)


def _month(day: pl.Expr) -> pl.Expr:
    return (_moved(day).dt.month().cast(pl.Int32) + 8) % 12


# ---- their answers --------------------------------------------------------------------------------------------------


def ordered(person: np.ndarray, year: np.ndarray, days: np.ndarray, months: np.ndarray) -> Table:
    """The person-years of a table by person and year."""
    place = np.lexsort((year, person))
    return tuple(np.asarray(column)[place].astype(np.int64) for column in (person, year, days, months))


def covered(grid: Grid) -> Table:
    """The person-years of the grid with at least one day."""
    found = np.flatnonzero(grid.days)
    person, year = np.divmod(found, N_YEARS)
    return person, year + FIRST_YEAR, grid.days[found].astype(np.int64), grid.months[found].astype(np.int64)


def summary(table: Table, n_interval: int) -> dict[str, int]:
    """The figures of the known answer."""
    person, year, days, months = table
    check = (person * 31 + year) * 1009 % 65521 * days % 65521 * months % 65521
    bits = sum(int((months >> k & 1).sum()) for k in range(MONTHS))
    return dict(zip(KNOWN, (n_interval, len(days), int(days.sum()), bits, int(check.sum())), strict=True))


def line(name: str, measured: Measured) -> str:
    return f"{name:<20}{measured.warm:>10.3f}{measured.first:>12.3f}{measured.peak:>10.2f}"


def main(n_person: int) -> bool:
    """Run all; return whether they agree and the bar is met."""
    person, start, end = simulate(n_person)
    dates = {"first_day": start, "last_day": end}
    frame = pl.DataFrame({"person": person, **dates}).with_columns(pl.col(*dates).cast(pl.Date))
    connection = duckdb.connect(config={"threads": THREADS, "preserve_insertion_order": False})
    connection.register("frame", pd.DataFrame({"person": person, **dates}))
    epoch = "date '1970-01-01'"
    connection.execute(
        f"create table spells as select person, {epoch} + first_day first_day, {epoch} + last_day last_day from frame"
    )
    versions = f"DuckDB {duckdb.__version__}, polars {pl.__version__} on {pl.thread_pool_size()} threads"
    print(f"{len(person):,} spells of {n_person:,} persons; {versions}\n")
    print(f"{'':<20}{'warm s':>10}{'first s':>12}{'peak GB':>10}")
    ours = measure(lambda: with_kernel(person, start, end, n_person))
    print(line("leoreturns", ours))
    table = covered(ours.result)
    calls: dict[str, Callable[[], object]] = {
        name: lambda merged=merged: with_duckdb(connection, merged) for name, merged in QUERIES.items()
    }
    calls["polars, streaming"] = lambda: with_polars(frame)
    met = True
    for name, call in calls.items():
        theirs = measure(call)
        other = fetched(connection) if theirs.result is None else ordered(*theirs.result.to_dict().values())
        equal = all(np.array_equal(a, b) for a, b in zip(table, other, strict=True))
        ratio = ours.warm / theirs.warm
        print(line(name, theirs), f"   ratio {ratio:.3f} (bar {BAR}), {'same' if equal else 'OTHER'} person-years")
        met &= equal and ratio <= BAR
    figures = summary(table, ours.result.n_interval)
    print("\n" + ", ".join(f"{value:,} {name}" for name, value in figures.items()))
    if n_person == PERSONS:
        print("the known answer" if figures == KNOWN else f"NOT THE KNOWN ANSWER {KNOWN}")
        met &= figures == KNOWN
    print("every bar met" if met else "A BAR IS NOT MET")
    return met


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else PERSONS))
