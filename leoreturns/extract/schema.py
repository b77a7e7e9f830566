"""What a LEO table and its columns are: names, types, years, codes, keys and owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

Owner: TypeAlias = Literal["DfE", "HESA", "HMRC", "DWP", "UCAS", "ONS"]
# int_id: an id that the form declares as a whole number; id: any other, as text. tax_year and academic_year: the
# calendar year in which the year starts.
VariableType: TypeAlias = Literal["id", "int_id", "text", "int", "number", "date", "flag", "tax_year", "academic_year"]
PersonKey: TypeAlias = Literal["AE_ID", "EDUKEY", "PMR", "RECORDID", "external_id"]
# How a census column ends: FSMeligible_spr07, OverallAbsence_Annual_ab07, Category_ex07.
Suffix: TypeAlias = Literal["term", "ab", "ex"]

FIRST_YEAR, LAST_YEAR = 1995, 2020  # start years of the first and last years in LEO Iteration 2


@dataclass(frozen=True, slots=True)
class Variable:
    """One column of a table.

    Attributes
    ----------
    name : str
        As the variable request form prints it, without a census suffix.
    type : str
        What it holds; see `VariableType`.
    meaning : str
        One line.
    years : (int, int), optional
        Start years of the first and the last year for which it is filled; by default those of its table.
    codes : mapping of str -> str
        Code to label, where the codes are fixed; empty where they are not. In a column of numbers: the texts that stand
        for a missing number.
    required : bool
        Whether the table is of no use without it.
    suffixed : bool
        Whether its name carries a census suffix.
    also_called : tuple of str
        Other names of the same column: earlier names and the old short aliases, without suffix.
    variant_of : str, optional
        The column of earlier years that it continues under another name (``KS4_LEVEL2_EM_94``).
    month_first : bool
        Whether dates written with slashes have the month first, where their values leave it open.
    width : int
        Digits of a code that loses leading zeros where it is held as a number; 0 for any other column.
    """

    name: str
    type: VariableType
    meaning: str
    years: tuple[int, int] | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    required: bool = False
    suffixed: bool = False
    also_called: tuple[str, ...] = ()
    variant_of: str | None = None
    month_first: bool = False
    width: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", MappingProxyType(dict(self.codes)))


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the extract.

    Attributes
    ----------
    name : str
        Canonical name.
    owner : str
        Department whose data it holds; releases need that owner's rules.
    grain : str
        What one row is.
    years : (int, int), optional
        Start years of the first and last tax or academic year covered; None for lookups without a time.
    variables : tuple of Variable
        The columns that this package can use; others are left alone.
    key : tuple of str
        Columns whose values together should not repeat; empty where rows may repeat.
    person : str, optional
        Column with the person's id.
    person_key : str, optional
        Which kind of id that column holds.
    year : str, optional
        Column with the year; where a file lacks it, the year in the file's name or the columns' suffix fills it.
    term : str, optional
        Column with the census term, filled likewise.
    prefix : str
        Prefix of the form's names that files may omit (``KS4_``).
    spell : (str, str), optional
        Columns with the first and the last day of a spell.
    suffix : str, optional
        Kind of suffix of the suffixed columns.
    also_called : tuple of str
        Names of files and views seen for it, without years.
    known_issues : tuple of str
        What to know before using it.
    """

    name: str
    owner: Owner
    grain: str
    years: tuple[int, int] | None
    variables: tuple[Variable, ...]
    key: tuple[str, ...] = ()
    person: str | None = None
    person_key: PersonKey | None = None
    year: str | None = None
    term: str | None = None
    prefix: str = ""
    spell: tuple[str, str] | None = None
    suffix: Suffix | None = None
    also_called: tuple[str, ...] = ()
    known_issues: tuple[str, ...] = ()
    _by_name: Mapping[str, Variable] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {variable.name.lower(): variable for variable in self.variables}
        if len(by_name) != len(self.variables):
            raise ValueError(f"table '{self.name}' names a column twice")
        object.__setattr__(self, "_by_name", MappingProxyType(by_name))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the form."""
        return tuple(variable.name for variable in self.variables)

    def variable(self, name: str) -> Variable:
        """Return a column by its name in any case; KeyError if there is none."""
        return self._by_name[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name

    def variants(self, name: str) -> tuple[str, ...]:
        """Return a column and those that continue it in later years, earliest first."""
        first = self.variable(name).name
        return (first, *(variable.name for variable in self.variables if variable.variant_of == first))

    def coverage(self, name: str) -> tuple[int, int] | None:
        """Return the start years of the first and last year for which a column is filled."""
        return self.variable(name).years or self.years
