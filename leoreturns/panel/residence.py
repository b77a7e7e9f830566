"""Residence by person and tax year: area, region and country of the address held longest, and moves between areas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leoreturns.panel.encode import Encoded
from leoreturns.panel.grid import Grid, chosen, condition, missing_last, taken
from leoreturns.panel.records import LeftOut, fetch, place, year_number
from leoreturns.panel.rules import VIA, lookup

if TYPE_CHECKING:
    from leoreturns.panel.block import Block
    from leoreturns.panel.definitions import Definitions

AREAS = "areas"  # the outside lookup of output areas
RECODED = 2013  # its addresses were coded anew: a move from 2012 to 2013 may be none


def residence_columns(block: Block, grid: Grid, definitions: Definitions) -> tuple[dict[str, Encoded], LeftOut]:
    """Read residence; of several EDUKEYs of a person the smallest with a record counts."""
    found = fetch(
        block,
        "geography",
        ("TaxYear", "COA_2011", "LAUA_anon", "GORNM", "CTRYNM", VIA),
        {
            "tax_year": year_number("TaxYear"),
            "via": VIA,
            "area": "area.label" if AREAS in block.lookups else '"LAUA_anon"',
            "region": '"GORNM"',
            "country": "NULLIF(\"CTRYNM\", 'Unknown')",
        },
        join=f'LEFT JOIN {lookup(block, AREAS)} AS area ON area.code = record."COA_2011"',
    )
    rows, left_out = place(found, grid)
    columns = {
        "area": found.texts("area"),
        "region_of_residence": found.texts("region"),
        "country": found.texts("country"),
    }
    # The last three keys decide between records of one EDUKEY and year, which should not be there.
    keys = [missing_last(column.values) for column in columns.values()]
    first = chosen(rows, grid.n_row, found.ranks("via"), *keys)
    columns = {name: taken(column, first) for name, column in columns.items()}
    moved = move(columns["area"], grid, across_2012=definitions.moves_across_2012)
    return columns | {"moved": moved}, left_out


def move(area: Encoded, grid: Grid, *, across_2012: bool) -> Encoded:
    """Return whether the area differs from that of the row before; missing on first rows and next to a gap."""
    here = area.values
    before = np.roll(here, 1)
    missing = (here < 0) | (before < 0) | (grid.years_since_ks4 == 1)
    if not across_2012:
        missing |= grid.tax_year == RECODED
    return condition(here != before, missing)
