"""The variables of a formula on a panel: numbers as they are stored, categories as codes, traits once per person."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leoreturns._typing import AnyArray, BoolArray, CodeArray, FloatArray, Level
from leoreturns.errors import SupportError
from leoreturns.estimation.formula import Factor
from leoreturns.panel.keys import interact
from leoreturns.panel.levels import code_dtype, number_distinct
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import expand
from leoreturns.panel.schema import Label
from leoreturns.panel.units import PERSON

KNOWN_NAMES = {"np", "log", "exp", "sqrt", "abs"}  # besides the transforms of formulaic
LEARNING = {"poly", "scale", "standardize", "center", "bs", "cr", "cs", "cc"}  # from the selected rows, each once
MAX_PRODUCT = 1 << 62


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Numbers:
    """A numeric variable: a stored column, or the value of an expression.

    Attributes
    ----------
    name : str
    values : float or integer array, one per stored person or stored row
        NaN for missing.
    level : {"person", "year"}
    """

    name: str
    values: AnyArray
    level: Level

    def missing(self) -> BoolArray | None:
        """Return which entries have no finite value; None if all have one."""
        return None if self.values.dtype.kind != "f" else _any(~np.isfinite(self.values))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Codes:
    """A categorical variable: codes into labels, -1 for missing.

    Attributes
    ----------
    name : str
    codes : integer array, one per stored person or stored row
    n_levels : int
        Codes are below it.
    labels : sequence of label, optional
        None for clusters, whose labels nobody reads.
    level : {"person", "year"}
    """

    name: str
    codes: CodeArray
    n_levels: int
    labels: Sequence[Label] | None
    level: Level

    def missing(self) -> BoolArray | None:
        """Return which entries have no label; None if all have one."""
        return _any(self.codes < 0)


Variable = Numbers | Codes


def _any(missing: BoolArray) -> BoolArray | None:
    return missing if missing.any() else None


def variable(panel: Panel, factor: Factor) -> list[Variable]:
    """Return what a factor stands for: one variable, or the several columns of a transform such as ``poly(x, 2)``."""
    if factor.kind == "transform":
        return list(_transformed(panel, factor))
    if factor.kind == "category":
        return [codes(panel, (factor.text,))]
    column = panel.column(factor.text)
    if column.kind == "code" and not column.is_bool:
        return [codes(panel, (factor.text,))]
    return [numbers(panel, factor.text)]


def numbers(panel: Panel, name: str) -> Numbers:
    """Return a column as numbers: a view of what is stored; conditions as 1 and 0."""
    column, values = panel.column(name), panel.array(name)
    if column.kind == "code":
        if not column.is_bool:
            raise SupportError(
                f"column '{name}' holds labels, not numbers: write C({name}) or put it among the effects"
            )
        truth = np.equal(values, column.labels.index(True) if True in column.labels else -2)
        values = truth.view(np.int8) if not (values < 0).any() else np.where(values < 0, np.nan, truth)
    return Numbers(name, values, column.level)


def codes(panel: Panel, names: Sequence[str], *, labelled: bool = True) -> Codes:
    """Return a column as codes, or the observed combinations of several.

    Parameters
    ----------
    names : sequence of str
        Columns, the id among them; combinations are numbered in the order of their labels.
    labelled : bool
        Whether labels are wanted; without them whole numbers and ids have no limit of levels.
    """
    parts = [_codes_of(panel, name, labelled) for name in names]
    if len(parts) == 1:
        return parts[0]
    level: Level = "person" if all(part.level == "person" for part in parts) else "year"
    arrays = [_along(panel, part, level) for part in parts]
    n_levels = [part.n_levels for part in parts]
    if np.prod([float(count) for count in n_levels]) > MAX_PRODUCT:
        raise SupportError(f"the combinations of {'^'.join(names)} are too many to number; combine fewer columns")
    combined, found = _ranked(interact(arrays, n_levels), coded=True)
    labels = None
    if labelled:
        places = np.unravel_index(found, n_levels)
        texts = [
            [str(part.labels[at]) for at in place] if part.labels is not None else list(map(str, place))
            for part, place in zip(parts, places, strict=True)
        ]
        labels = ["^".join(entry) for entry in zip(*texts, strict=True)]
    return Codes("^".join(names), combined, len(found), labels, level)


def _codes_of(panel: Panel, name: str, labelled: bool) -> Codes:
    """Return one column as codes."""
    if name == panel.schema.person or (name == PERSON and name not in panel.schema.columns):
        return Codes(name, np.arange(panel.n_person_stored, dtype=np.int32), panel.n_person_stored, None, "person")
    column, values = panel.column(name), panel.array(name)
    if column.kind == "code":
        return Codes(name, values, len(column.labels), column.labels, column.level)
    if labelled:
        with contextlib.suppress(SupportError):  # more levels than a key may have: ids, which need no labels
            key = panel.key(name)
            return Codes(name, key.codes, len(key.labels), key.labels, column.level)
    floating = values.dtype.kind == "f"
    coded, found = _ranked((values + 0.0).view(np.int64) if floating else values, floating=floating)
    return Codes(name, coded, len(found), None, column.level)


def _ranked(values: AnyArray, *, floating: bool = False, coded: bool = False) -> tuple[CodeArray, AnyArray]:
    """Number the distinct values by rank, -1 for NaN in floats and negative numbers in codes; return them as well."""
    numbered = number_distinct(values)
    assert numbered is not None  # there is no limit to pass
    first, found = numbered
    found = found.view(np.float64) if floating else found
    order = np.argsort(found, kind="stable")
    order = order[~np.isnan(found[order])] if floating else order[found[order] >= 0] if coded else order
    table = np.full(len(found), -1, dtype=code_dtype(len(order)))
    table[order] = np.arange(len(order))
    return table[first], found[order]


def _along(panel: Panel, part: Codes, level: Level) -> CodeArray:
    """Return codes at a level."""
    return part.codes if part.level == level else expand(part.codes, panel.offsets)


def _transformed(panel: Panel, factor: Factor) -> list[Numbers]:
    """Evaluate an expression over its columns, by person where all of them are traits."""
    from formulaic.transforms import TRANSFORMS  # slow to import, and needed by transforms alone

    names = [name for name in factor.columns if name in panel.schema.columns]
    known = {*names, *KNOWN_NAMES, *TRANSFORMS}
    if unknown := [name for name in factor.columns if name not in known]:
        panel.column(unknown[0])
    if not names:
        raise SupportError(f"'{factor.text}' names no column")
    traits = all(panel.column(name).level == "person" for name in names)
    level: Level = "person" if traits and not LEARNING & set(factor.columns) else "year"
    parts = [numbers(panel, name) for name in names]
    selected = panel.selection if level == "year" else None
    frame = pd.DataFrame({part.name: _selected(_numbers_along(panel, part, level), selected) for part in parts})
    found = _evaluated(factor.text, frame)
    columns = []
    for number, name in enumerate(found.columns):
        values = found.iloc[:, number].to_numpy(dtype=np.float64)
        if selected is not None:
            values, taken = np.full(len(selected), np.nan), values
            values[selected] = taken
        columns.append(Numbers(factor.text if len(found.columns) == 1 else str(name), values, level))
    return columns


def _numbers_along(panel: Panel, part: Numbers, level: Level) -> AnyArray:
    return part.values if part.level == level else expand(part.values, panel.offsets)


def _selected(values: AnyArray, selected: BoolArray | None) -> FloatArray:
    """Return the selected entries as floats."""
    return np.asarray(values if selected is None else values[selected], dtype=np.float64)


def _evaluated(text: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Let formulaic evaluate one expression; missing entries stay missing."""
    from formulaic import model_matrix
    from formulaic.errors import FormulaicError

    context = {"sqrt": np.sqrt, "abs": np.abs, "np": np}
    try:
        with np.errstate(all="ignore"):
            found = model_matrix(f"0 + {text}", frame, context=context, na_action="ignore")
    except FormulaicError as error:
        # Its own message may quote values.
        raise ValueError(
            f"'{text}' cannot be evaluated ({type(error).__name__}); use columns and known functions"
        ) from None
    if found.shape[0] != len(frame) or any(not pd.api.types.is_numeric_dtype(kind) for kind in found.dtypes):
        raise SupportError(f"'{text}' does not give one number per row")
    return pd.DataFrame(found)
