"""How far the tables of an extract reach: what lies beyond is not observed, which is another thing than not there."""

from __future__ import annotations

from collections.abc import Mapping

from leoreturns.errors import PanelError
from leoreturns.extract.database import quoted
from leoreturns.extract.source import Extract
from leoreturns.extract.tables import table
from leoreturns.panel.calendar import TAX_YEAR
from leoreturns.panel.definitions import Definitions

# The first that is there tells the last tax year of the extract.
OF_TAX_YEARS = ("earnings", "geography", "self_assessment", "cjrs", "employment", "benefits")
OF_ACADEMIC_YEARS = ("ks5", "ypmad", "ilr_learners", "ilr_aims", "hesa")


def observed_years(extract: Extract) -> dict[str, int]:
    """Return the last tax year or academic year that tables observe, by table, of those that are there.

    That is the latest year of their rows; of spells that have none, the tax year of the latest first day, as last days
    can be defaults.
    """
    return within({name: last for name in (*OF_TAX_YEARS, *OF_ACADEMIC_YEARS) if (last := _last_year(extract, name))})


def within(found: Mapping[str, int]) -> dict[str, int]:
    """Return the last years of tables, none beyond the last tax year of the extract."""
    end = next((found[name] for name in OF_TAX_YEARS if name in found), None)
    # A first day in times to come is a defect: it does not carry a table beyond the extract.
    return dict(found) if end is None else {name: min(last, end) for name, last in found.items()}


def _last_year(extract: Extract, name: str) -> int | None:
    """Return the latest year of a table; None where it has none."""
    year, spell = table(name).year, table(name).spell
    column = year or (spell[0] if spell else "")
    if not extract.has(name, column):
        return None
    last = f"SELECT max({quoted(column)}) AS last FROM {extract.select(name, [column])}"
    if year is not None:
        found = extract.query(last, name)["last"][0].as_py()
        return None if found is None else int(found)
    days = extract.query(f"SELECT date_diff('day', DATE '1970-01-01', last) AS last FROM ({last})", name)["last"][0]
    return int(TAX_YEAR.year_of(days.as_py())) if days.is_valid else None


def last_tax_year(coverage: Mapping[str, int], definitions: Definitions) -> int:
    """Return the last tax year of the extract, to which spells without a last day run.

    Not that of the panel: a person-year is the same in panels that end in different years.

    Raises
    ------
    PanelError
        If the panel is to go on after it.
    """
    name = next((name for name in OF_TAX_YEARS if name in coverage), None)
    if name is None:
        return definitions.last_tax_year
    if definitions.last_tax_year > coverage[name]:
        raise PanelError(
            f"the panel is to run to tax year {definitions.last_tax_year}, but table {name!r} ends in "
            f"{coverage[name]}: set last_tax_year={coverage[name]} in the definitions, or open a later extract"
        )
    return coverage[name]
