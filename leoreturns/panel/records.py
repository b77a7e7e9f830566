"""Records of the persons of a block, read from the block's views into columns.

A table or a column that the extract does not have reads as one without rows or without values: rules need not ask.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leoreturns._typing import AnyArray, BoolArray, IntArray
from leoreturns.extract.database import at_work, quoted
from leoreturns.panel import encode
from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import Grid
from leoreturns.panel.rules import rows_of

if TYPE_CHECKING:
    from leoreturns.panel.block import Block

NO_YEAR = -1  # in place of a year that is missing: no row of anybody


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of one table the years cannot use, by the reason; counts add up over blocks.

    Attributes
    ----------
    no_first_day : int
        Spells without a first day.
    reversed : int
        Spells that end before they start.
    uncertain : int
        Spells of which days were left out because their first or last day is a default; person-years whose days of
        employment hang on such spells.
    outside : int
        Records of a tax year that is no row of the person, or of none.
    repeated : int
        Further records of amounts of an id in a tax year, beside the highest.
    no_year : int
        Records without the academic year that they need.
    withdrawn : int
        Aims of learners who left on a day that is not known.
    no_days, no_pay, few_days, capped : int
        Person-years of pay without a day of employment, of days without pay, of fewer days than the definitions want,
        and with annualised pay above their cap.
    """

    no_first_day: int = 0
    reversed: int = 0
    uncertain: int = 0
    outside: int = 0
    repeated: int = 0
    no_year: int = 0
    withdrawn: int = 0
    no_days: int = 0
    no_pay: int = 0
    few_days: int = 0
    capped: int = 0

    def __add__(self, other: LeftOut) -> LeftOut:
        return LeftOut(*map(operator.add, dataclasses.astuple(self), dataclasses.astuple(other)))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Records:
    """Columns of the records read from one table.

    Attributes
    ----------
    table : str
        Canonical name.
    data : pyarrow.Table
        In no particular order.
    """

    table: str
    data: pa.Table

    def __repr__(self) -> str:
        return f"<Records of {self.table!r}: {self.data.num_rows:,}>"

    def numbers(self, name: str) -> AnyArray:
        """Return a column of numbers or conditions; missing entries of numbers are NaN."""
        return np.ascontiguousarray(self.data[name].to_numpy())

    def texts(self, name: str) -> Encoded:
        """Return a text column as codes into its sorted labels."""
        return encode.encode(name, self.data[name])

    def where(self, kept: BoolArray) -> Records:
        """Return some of the records."""
        return Records(self.table, self.data.filter(pa.array(kept)))

    def ranks(self, name: str) -> NDArray[np.int32]:
        """Return the place of each text in the order of the column's distinct texts (of their bytes); -1 missing."""
        codes, labels = encode.text_codes(name, self.data[name])
        places = np.full(len(labels) + 1, -1, dtype=np.int32)
        places[pc.sort_indices(labels).to_numpy()] = np.arange(len(labels))
        return places[codes]


def fetch(block: Block, table: str, names: Iterable[str], values: Mapping[str, str], join: str = "") -> Records:
    """Read records of a table.

    Parameters
    ----------
    block : Block
    table : str
        Canonical name of the table.
    names : iterable of str
        The table's columns, and ``via``, that `values` use beside ``number``.
    values : mapping of str -> str
        Name of a result -> SQL expression; the result ``number`` is always there.
    join : str
        Further relations to join to ``record``, in SQL.

    Raises
    ------
    ExtractError
        If the statement fails; DuckDB's own text, which quotes values, is withheld.
    """
    expressions = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in values.items())
    sql = f"SELECT record.number AS number, {expressions} FROM {rows_of(block, table, names)} AS record {join}"
    with at_work(f"table {table!r}"):
        relation: Any = block.connection.sql(sql)
        return Records(table, relation.to_arrow_table())


def year_number(name: str) -> str:
    """Return the SQL for a year; `NO_YEAR` where it is missing."""
    return f"CAST(COALESCE({quoted(name)}, {NO_YEAR}) AS INTEGER)"


def place(records: Records, grid: Grid) -> tuple[IntArray, LeftOut]:
    """Return the row of each record that was read with ``tax_year``, -1 without one, and count these."""
    found = grid.rows_of(records.numbers("number"), records.numbers("tax_year"))
    return found, LeftOut(outside=int((found < 0).sum()))
