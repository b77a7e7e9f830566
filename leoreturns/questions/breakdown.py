"""Breakdowns of a question: by each characteristic of the report, with and without the level of education."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from leoreturns._typing import Contrast, ContrastKind
from leoreturns.errors import PanelError
from leoreturns.panel.panel import Panel
from leoreturns.panel.scan import Scan
from leoreturns.panel.schema import Column, Label

Data: TypeAlias = Panel | Scan

# Characteristics of the report of 27 May 2021, and the level that the others are compared with.
CHARACTERISTICS: Mapping[str, Label] = MappingProxyType(
    {
        "sex": "M",
        "fsm": False,
        "sen": "none",
        "ethnicity": "White",
        "ethnicity_minor": "White British",
        "first_language": "English",
        "school_type": "mainstream",
        "region": "London",
        "idaci_quintile": "5 least deprived",
        "ks4_five_ac": True,
    }
)
# Where a panel does not know the school's region, that of the home at the end of key stage 4 stands for it.
IN_PLACE_OF = {"region": "home_region"}
BASES = {**CHARACTERISTICS, "home_region": "London", "ks4_band": "5 A*-C with English and maths"}
TITLES = {
    "fsm": "free school meals",
    "sen": "special educational needs",
    "region": "region of school",
    "home_region": "region of home",
    "idaci_quintile": "IDACI quintile",
    "ks4_five_ac": "five or more A*-C at key stage 4",
    "ks4_band": "attainment at key stage 4",
    "ks5_route": "route at key stage 5",
    "education_level": "level of education",
}
YEAR, LEVEL = "years_since_ks4", "education_level"
MAX_COLOURS, MAX_PANELS = 7, 12  # that a chart tells apart, and has room for
GRADUATE, LEVEL_3, LEVEL_2 = "graduate", "level 3 or above", "level 2 or below"


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One breakdown of a question.

    Attributes
    ----------
    characteristic : Column or None
        A characteristic; None for everybody.
    level : Column or None
        The level of education, where it is a key.
    """

    characteristic: Column | None
    level: Column | None

    @property
    def columns(self) -> list[Column]:
        """Columns that are the keys of its table."""
        return [column for column in (self.characteristic, self.level) if column is not None]

    @property
    def keys(self) -> list[str]:
        """Their names."""
        return [column.name for column in self.columns]

    @property
    def sizes(self) -> list[int]:
        """How many levels they have."""
        return [len(column.labels) for column in self.columns]

    def name(self, of: str) -> str:
        """Return the name of a result, such as ``earnings_by_sex_and_education_level``, fit to name a file."""
        return output_name(of, self.keys)

    def placed(self) -> tuple[str | None, str | None] | None:
        """Return the keys that a chart shows by colour and by panel; None where there are too many levels.

        What is compared shares a panel, unless it has more levels than colours can tell apart.
        """
        first, second = ([*self.columns, None, None])[:2]
        if first is not None and len(first.labels) > MAX_COLOURS:
            first, second = second, first
        sizes = [0 if column is None else len(column.labels) for column in (first, second)]
        if sizes[0] > MAX_COLOURS or sizes[1] > MAX_PANELS:
            return None
        return (None if first is None else first.name), (None if second is None else second.name)

    def gaps(self, kind: ContrastKind) -> list[Contrast]:
        """Return each level of the characteristic against its base, and graduates against others with level 3."""
        found = []
        if self.characteristic is not None:
            base = base_of(self.characteristic)
            found = [
                Contrast(self.characteristic.name, label, base, kind)
                for label in self.characteristic.labels
                if base is not None and label != base
            ]
        if self.level is not None and {GRADUATE, LEVEL_3} <= set(self.level.labels):
            found.append(Contrast(self.level.name, GRADUATE, LEVEL_3, kind))
        return found


def output_name(of: str, keys: Sequence[str]) -> str:
    """Return the name of a result by some keys, fit to name a file."""
    text = f"{of}_by_{'_and_'.join(keys)}" if keys else of
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())


def base_of(column: Column) -> Label | None:
    """Return the level that the others of a characteristic are compared with; None where the column lacks it."""
    base = BASES.get(column.name)
    if base is None or base not in column.labels:
        # The first of a trait that the report does not know; none of one whose base nobody has.
        return column.labels[0] if base is None and column.labels else None
    return base


def breakdowns(data: Data, characteristics: Sequence[str] | None, level: str | None) -> Iterator[Breakdown]:
    """Yield everybody, then every characteristic; each alone and then by level of education.

    Parameters
    ----------
    data : Panel or Scan
    characteristics : sequence of str or None
        Columns with one value per person; None for those of the report that the panel has, with ``home_region`` for
        ``region`` where only that is known.
    level : str or None
        Column of the level of education; None for tables without it.

    Raises
    ------
    PanelError
        For a column that the panel does not have, or numbers where labels are needed.
    """
    by_level = None if level is None else trait(data, level)
    for characteristic in (None, *(trait(data, name) for name in chosen(data, characteristics))):
        yield Breakdown(characteristic, None)
        if by_level is not None:
            yield Breakdown(characteristic, by_level)


def chosen(data: Data, characteristics: Sequence[str] | None) -> list[str]:
    """Return the characteristics of a question by name, those of the report that are there where None is given."""
    if characteristics is not None:
        return [characteristics] if isinstance(characteristics, str) else list(characteristics)
    there = data.schema.columns
    names = [name if name in there else IN_PLACE_OF.get(name, name) for name in CHARACTERISTICS]
    return [name for name in names if name in there]


def words(name: str) -> str:
    """Return the name of a column as words for a title."""
    return TITLES.get(name, name.replace("_", " "))


def trait(data: Data, name: str) -> Column:
    """Return a column of labels that is stored once per person."""
    column = required(data, name)
    if column.kind != "code" or column.level != "person":
        raise PanelError(
            f"{name!r} must be a column of labels with one value per person to break a question down by it"
        )
    return column


def required(data: Data, name: str) -> Column:
    """Return a column that a question cannot do without."""
    if not isinstance(data, Panel | Scan):
        raise TypeError(f"a question is asked of a Panel or a Scan, not of a {type(data).__name__}")
    if name not in data.schema.columns:
        raise PanelError(
            f"the panel has no column {name!r}, which this question needs: build it from the tables that docs/data.md "
            "names, or add it with panel.assign"
        )
    return data.schema.columns[name]
