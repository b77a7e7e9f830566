"""Protection of contrasts: differences, ratios and percentage gaps between two cells of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from leoreturns._typing import BoolArray, ByteArray, ContrastKind, FloatArray
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.protection import known, roundings_of
from leoreturns.disclosure.rounding import Rounding, text_to
from leoreturns.disclosure.rules import rests_on_total
from leoreturns.disclosure.uncertainty import has_width, largest_effects
from leoreturns.errors import DisclosureError
from leoreturns.results.aggregate import Aggregate, CellKey
from leoreturns.results.chart import Chart
from leoreturns.results.interval import ContrastTable, column_name, contrasted, interval_parts
from leoreturns.results.protected import ProtectedColumn, ProtectedTable

KEY = "contrast"
REASONS = (
    "one of the two numbers compared is hidden",
    "the interval of one of the two numbers compared is hidden",
    "two persons may make up nearly the whole of the standard error of the contrast",
    "the contrast, or its interval, is not defined or has no width",
)
HIDDEN, UNCERTAIN, DOMINATED, UNDEFINED = (np.uint8(position) for position in range(1, 5))


def protect_contrast(
    table: Aggregate, contrast: ContrastTable, released: ProtectedTable, policy: Policy
) -> ProtectedTable:
    """Work out a contrast from the numbers of a protected table.

    The contrast is that of the two *released* numbers, and each end of its interval lies as far from it as from the
    exact contrast, before rounding. So nothing is told of the exact numbers beyond what the table tells: exact
    contrasts, however rounded, would place those numbers ever more finely within the rounding of the table, the more of
    them are asked for, and ratios of counts would give the counts away. The price is that a contrast is off by the
    rounding of two numbers, as the reader of a rounded table expects.

    Parameters
    ----------
    table : Aggregate
        The table whose cells are compared.
    contrast : ContrastTable
        One of its contrasts.
    released : ProtectedTable
        The table as protected.
    policy : Policy
        Thresholds and rounding.

    Returns
    -------
    ProtectedTable
        One row per contrast; the first key names it. A number is hidden where either of the two compared is. A
        difference is written to the place of the coarser of the two, ratios and percentages as the policy asks.

    Raises
    ------
    DisclosureError
        If the contrast of a statistic comes without the statistic, or its interval without the statistic's, or a key of
        the table has the name of the column that names the contrast.
    """
    if KEY in table.keys:
        raise DisclosureError(f"a key is named '{KEY}', like the column that names a contrast: rename the key")
    columns = {column.name: column for column in _columns(table, contrast, released, policy)}
    label = contrast.contrast.label
    return ProtectedTable(
        variable=released.variable,
        keys={KEY: CellKey((label,), np.zeros(contrast.n_cells, dtype=np.int64)), **contrast.keys},
        columns=columns,
        reasons=REASONS,
        plan=released.plan if contrast.intervals else {},
        contrast=label,
    )


def protect_gaps(chart: Chart, released: ProtectedTable, policy: Policy) -> ProtectedTable:
    """Work out the contrasts between all levels of a key and their base, as one table with the levels as its first key.

    Parameters
    ----------
    chart : Chart
        Of gaps.
    released : ProtectedTable
        Its table as protected.
    policy : Policy
        Thresholds and rounding.
    """
    parts = [protect_contrast(chart.data, each, released, policy) for each in chart.contrasts]
    levels = [each.contrast.level for each in chart.contrasts]
    labels = chart.data.keys[chart.x].labels
    at = [np.full(part.n_cells, labels.index(level), dtype=np.int64) for level, part in zip(levels, parts, strict=True)]
    first = parts[0]
    others = {
        name: CellKey(key.labels, np.concatenate([part.keys[name].codes for part in parts]))
        for name, key in first.keys.items()
        if name != KEY
    }
    columns = {
        name: replace(
            column,
            texts=tuple(text for part in parts for text in part.columns[name].texts),
            hidden=np.concatenate([part.columns[name].hidden for part in parts]),
        )
        for name, column in first.columns.items()
    }
    compared = chart.contrasts[0].contrast
    return replace(
        first,
        keys={chart.x: CellKey(labels, np.concatenate(at)), **others},
        columns=columns,
        contrast=f"{compared.key}: each level v {compared.base} ({compared.kind})",
    )


@dataclass(frozen=True, slots=True)
class _Gap:
    """The contrast of one statistic.

    Attributes
    ----------
    released, exact : float64 of shape (n_contrasts,)
        From the released numbers, in their unit as written; and from the exact ones.
    rounding : Rounding
        Of the contrast. Its scale takes exact contrasts to the unit as written.
    steps : list of Decimal, or None
        Of a difference, what it is written to a multiple of.
    dominated : bool array of shape (n_contrasts,)
        Where two persons may make up nearly the whole of the squared standard error.
    """

    released: FloatArray
    exact: FloatArray
    rounding: Rounding
    steps: list[Decimal] | None
    dominated: BoolArray

    def column(self, name: str, part: str, exact: FloatArray, hidden: ByteArray, policy: Policy) -> ProtectedColumn:
        """Return a part of the contrast as it is written; all but a standard error move with the contrast."""
        rounding = self.rounding.of_error(policy) if part == "se" else self.rounding
        with np.errstate(invalid="ignore"):
            moved = self.released + (exact - self.exact) * self.rounding.scale
        numbers = exact if part == "se" else moved
        steps = None if part == "se" else self.steps
        texts = tuple(
            policy.marker if why else rounding.text(number) if steps is None else text_to(number, steps[at])
            for at, (number, why) in enumerate(zip(numbers.tolist(), hidden.tolist(), strict=True))
        )
        words = self.words if steps is not None else rounding.words
        return ProtectedColumn(name, part, texts, hidden, rounding.unit, words)

    @property
    def words(self) -> str:
        """The rounding in words."""
        by_place = self.steps is not None and self.rounding.to == "sigfig"
        return "to the place of the coarser of the two numbers" if by_place else self.rounding.words


def _columns(
    table: Aggregate, contrast: ContrastTable, released: ProtectedTable, policy: Policy
) -> Iterator[ProtectedColumn]:
    """Yield the columns of a contrast as they are written."""
    roundings, gaps = roundings_of(table, policy), dict[str, _Gap]()
    for name, part, numbers in interval_parts(contrast.statistics, contrast.intervals, contrast.bands):
        if not part:
            _check_beside(contrast, name, released)
            gaps[name] = _gap(contrast, table, released.columns[name], roundings[name], policy)
        hidden = _hidden(contrast, name, part, released, gaps[name])
        yield gaps[name].column(name, part, numbers, hidden, policy)


def _check_beside(contrast: ContrastTable, name: str, released: ProtectedTable) -> None:
    """Refuse the contrast of a statistic, or its interval, that the table does not have: the rules are the table's."""
    if name not in released.columns:
        raise DisclosureError(f"a contrast of '{name}' without the statistic in the table")
    uncertain = name in contrast.intervals
    if (uncertain and column_name(name, "se") not in released.columns) or (name in contrast.bands and not uncertain):
        raise DisclosureError(f"the interval of a contrast of '{name}' without the interval of '{name}' in the table")


def _gap(
    contrast: ContrastTable, table: Aggregate, column: ProtectedColumn, rounding: Rounding, policy: Policy
) -> _Gap:
    """Work out the contrast of one statistic from its released numbers."""
    kind, numbers = contrast.contrast.kind, column.numbers
    in_logs = table.unit == "log" and known(column.statistic).is_log_ratio
    steps = None
    if kind == "difference":
        written = zip(column.texts, column.hidden.tolist(), strict=True)
        step = [Decimal(1) if why else rounding.step(text) for text, why in written]
        pairs = zip(contrast.cells.tolist(), contrast.base_cells.tolist(), strict=True)
        steps = [max(step[level], step[base]) for level, base in pairs]
    return _Gap(
        released=contrasted(numbers[contrast.cells], numbers[contrast.base_cells], kind, in_logs=in_logs),
        exact=np.asarray(contrast.statistics[column.statistic], dtype=np.float64),
        rounding=_rounding(kind, rounding, policy),
        steps=steps,
        dominated=_dominated(contrast, table, column.statistic, policy, in_logs=in_logs),
    )


def _dominated(contrast: ContrastTable, table: Aggregate, name: str, policy: Policy, *, in_logs: bool) -> BoolArray:
    """Ask whether two persons may make up nearly the whole of the squared standard error of a contrast.

    Where the same persons are in both cells, as between two years, it is made of their changes, and one large change
    may be most of it though nobody dominates either cell. What the changes are the evidence does not tell. At most the
    two largest persons of a cell are those of the other and their effects on both add; nor can the change of a total
    that is never negative pass the larger of the two.
    """
    if name not in contrast.intervals or not rests_on_total(known(name)):
        return np.zeros(contrast.n_cells, dtype=np.bool_)
    numbers = np.asarray(table.statistics[name], dtype=np.float64)
    level, base = numbers[contrast.cells], numbers[contrast.base_cells]
    with np.errstate(all="ignore"):
        match contrast.contrast.kind:
            case "difference":
                slopes = np.ones_like(level), np.ones_like(base)
            case kind if in_logs:
                slopes = ((100.0 if kind == "percent" else 1.0) * np.exp(level - base),) * 2
            case kind:
                scale = 100.0 if kind == "percent" else 1.0
                slopes = scale / np.abs(base), scale * np.abs(level) / base**2
        squared = np.zeros(contrast.n_cells)
        for effect, whole in largest_effects(table, known(name)):
            added = slopes[0] * effect[contrast.cells] + slopes[1] * effect[contrast.base_cells]
            larger = np.maximum(slopes[0] * whole[contrast.cells], slopes[1] * whole[contrast.base_cells])
            squared += np.minimum(added, larger) ** 2
        return ~np.asarray(squared <= policy.dominance_share * contrast.intervals[name].std_error ** 2)


def _rounding(kind: ContrastKind, rounding: Rounding, policy: Policy) -> Rounding:
    """Return the rounding of a contrast of numbers that are rounded in a given way."""
    match kind:
        case "difference":
            return replace(rounding, unit="percentage points") if rounding.unit == "per cent" else rounding
        case "ratio":
            return Rounding("ratio", "sigfig", policy.ratio_sigfig)
        case "percent":
            return Rounding("per cent", "decimals", policy.pct_dp)


def _hidden(contrast: ContrastTable, name: str, part: str, released: ProtectedTable, gap: _Gap) -> ByteArray:
    """Return, for each contrast, 0 or the position (from 1) of the reason that hides a part of it."""
    why = np.where(_either(contrast, released.columns[name]), HIDDEN, np.uint8(0))
    undefined = ~(np.isfinite(gap.released) & np.isfinite(gap.exact))
    if part:
        why[(why == 0) & _either(contrast, released.columns[column_name(name, "se")])] = UNCERTAIN
        why[(why == 0) & gap.dominated] = DOMINATED
        undefined |= ~has_width(contrast.intervals[name])
    if part.startswith("band"):
        undefined |= ~(np.isfinite(contrast.bands[name].low) & np.isfinite(contrast.bands[name].high))
    why[(why == 0) & undefined] = UNDEFINED
    return why


def _either(contrast: ContrastTable, column: ProtectedColumn) -> BoolArray:
    """Return where either of the two numbers compared is hidden."""
    return np.asarray((column.hidden[contrast.cells] > 0) | (column.hidden[contrast.base_cells] > 0))
