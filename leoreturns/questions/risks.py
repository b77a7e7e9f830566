"""Risks: the yearly chances of entering a first sector and of leaving one, and how they add up over the years.

Time is discrete: a person is at risk in a year if known to be without the event before it, and observed in it. Whoever
is no longer followed (the last tax year, a state that is not known, another register of sectors) leaves the persons at
risk; what comes first among several events takes the person out of reach of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.aggregates.composition import composition
from leoreturns.errors import SupportError
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column
from leoreturns.questions.careers import FIRST_YEAR, NO_WORK, Careers
from leoreturns.resample.intervals import interval_of
from leoreturns.resample.joint import collecting
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate, CellKey, taken

LateEntry: TypeAlias = Literal["leave out", "at risk"]

YEAR, ENTERED, SECTOR, DURATION, LEFT = "year", "sector_entered", "sector", "years_in_sector", "left_for"
NONE_YET, STAYS, OTHER_SECTOR = "none yet", "stays", "another sector"
SHARE, INCIDENCE, ERROR = "share", "incidence", "greenwood_se"


def entry_risks(careers: Careers, start: int, late: LateEntry) -> Panel:
    """Return a row for every person and year without a sector so far, with the sector entered in it, if any.

    Parameters
    ----------
    careers : Careers
    start : int
        Year of the clock from which persons are followed; what they did before does not count.
    late : "leave out" or "at risk"
        Persons without a row of that year: left out, because an entry before their first row is not seen; or at risk
        from the year after their first row on, if they are in no sector in it (left truncation).

    Raises
    ------
    SupportError
        If the clock ends before that year.
    """
    first = start - FIRST_YEAR
    if first >= careers.n_year:
        raise SupportError(f"nobody has a row of year {start} or later, from which entry is to be followed")
    states = careers.states[:, first:]
    before = ~np.logical_or.accumulate(states >= 0, axis=1)
    fine = careers.known(states)
    for place in range(1, states.shape[1]):
        year = first + place + FIRST_YEAR
        fine[:, place] &= ~careers.crossing(year - 1, year)
    in_sector = careers.in_sector(states)
    earlier = np.zeros_like(in_sector)
    earlier[:, 1:] = np.logical_or.accumulate(in_sector, axis=1)[:, :-1]
    at_risk = np.logical_and.accumulate(before | fine, axis=1) & ~before & ~earlier
    if late == "leave out":
        at_risk &= ~before[:, :1]
    else:
        at_risk[:, 1:] &= ~before[:, :-1]  # not in the first row, which may be years after an entry
    event = np.where(in_sector, states, careers.n_sector).astype(np.int16)
    years = np.broadcast_to(np.arange(first + FIRST_YEAR, careers.n_year + FIRST_YEAR, dtype=np.int16), states.shape)
    labels = (*careers.labels[: careers.n_sector], NONE_YET)
    columns = [
        (Column(YEAR, "year", "number"), years),
        (Column(ENTERED, "year", "code", labels=labels, owner=careers.owner), event),
    ]
    return careers.panel(columns, (f"followed from year {start} on until in a first sector", at_risk))


def exit_risks(careers: Careers) -> Panel:
    """Return a row for every year of a person's first spell in each sector, with what the person left it for, if so.

    Spells count whose beginning is seen: the year before is known and of another state. One that is under way when a
    person is first seen has no known length.
    """
    states, n_sector = careers.states, careers.n_sector
    n_person, n_year = states.shape
    known, in_sector = careers.known(states), careers.in_sector(states)
    duration = np.zeros(states.shape, dtype=np.int16)
    event = np.full(states.shape, -1, dtype=np.int8)
    had, every = np.zeros((n_person, n_sector + 2), dtype=np.bool_), np.arange(n_person)
    had[every, states[:, 0]] = True
    for place in range(1, n_year):
        now, last, year = states[:, place], states[:, place - 1], place + FIRST_YEAR
        followed = known[:, place] & known[:, place - 1] & ~careers.crossing(year - 1, year)
        counted = duration[:, place - 1] > 0
        ends = followed & counted
        event[ends, place - 1] = np.where(now == last, 0, np.where(in_sector[:, place], 1, 2))[ends]
        goes_on = ends & (now == last)
        begins = followed & in_sector[:, place] & (now != last) & ~had[every, now]
        duration[goes_on, place] = duration[goes_on, place - 1] + 1
        duration[begins, place] = 1
        had[every, now] = True
    columns = [
        (Column(SECTOR, "year", "code", labels=careers.labels[:n_sector], owner=careers.owner), states),
        (Column(DURATION, "year", "number"), duration),
        (Column(LEFT, "year", "code", labels=(STAYS, OTHER_SECTOR, NO_WORK), owner=careers.owner), event),
    ]
    return careers.panel(columns, ("in the first spell in a sector, of which the beginning is seen", event >= 0))


def incidences(risks: Panel, by: Sequence[str], time: str, event: str, plan: BootstrapPlan | None) -> Aggregate | None:
    """Return the hazards of events and their cumulative incidence, by group and year.

    Parameters
    ----------
    risks : Panel
        Rows of persons at risk.
    by : sequence of str
        Keys of the groups.
    time, event : str
        Columns of the year, and of the event; its label for none is `NONE_YET` or `STAYS`.
    plan : BootstrapPlan, optional
        Gives hazards and incidences an interval.

    Returns
    -------
    Aggregate
        ``n_person``, the persons at risk; ``share``, the hazard; ``incidence``, the share with the event by the end of
        the year (Aalen and Johansen 1978), and ``greenwood_se``, its standard error of Greenwood's kind. Years without
        the event have no cell. None where nobody is at risk.
    """
    if not risks.n_row:
        return None
    with collecting() as found:
        table = composition(risks, event, by=[*by, time], plan=plan)
    grid = _Grid.of(table, by, time, event)
    hazards, _ = grid.hazards(np.asarray(table.statistics[SHARE], dtype=np.float64)[:, np.newaxis])
    incidence, error = (grid.of_cells(each) for each in aalen_johansen(hazards[..., 0], grid.at_risk(table)))
    intervals = dict(table.intervals)
    if plan is not None:
        drawn = grid.of_cells(cumulated(*grid.hazards(found[0].replicates)))
        intervals[INCIDENCE] = replace(interval_of(incidence, drawn, plan), n_units=table.intervals[SHARE].n_units)
    statistics = {**table.statistics, INCIDENCE: incidence, ERROR: error}
    # An incidence is made of all hazards until then: fewest behind any of them are behind it, and no difference of two
    # incidences gives back a hazard that is hidden.
    behind = np.minimum(table.evidence.n_person_nonzero, table.evidence.n_person_zero)
    fewest = np.minimum(table.evidence.n_person_nonzero, grid.fewest_until(behind))
    evidence = replace(table.evidence, n_person_nonzero=fewest)
    return grid.events_only(replace(table, statistics=statistics, intervals=intervals, evidence=evidence), event)


def aalen_johansen(hazards: FloatArray, at_risk: IntArray) -> tuple[FloatArray, FloatArray]:
    r"""Return cumulative incidences of competing events in discrete time, and their standard errors.

    Parameters
    ----------
    hazards : float64 of shape (n_group, n_time, n_event)
        Share of those at risk who have the event.
    at_risk : int64 of shape (n_group, n_time)
        Persons at risk; from a time without any on, incidences are NaN.

    Returns
    -------
    incidence, std_error : float64 of shape (n_group, n_time, n_event)

    Notes
    -----
    With the hazard h_k of event k, h of any event, and S(u) the product of 1 - h up to and without u, the incidence is
    I_k(t) = sum over u <= t of S(u) h_k(u) (Aalen and Johansen 1978). By the delta method, hazards being multinomial
    shares of n(u) persons and independent between times,

    .. math::
        \operatorname{var} I_k(t) = \sum_{u \le t} \frac{1}{n} \Bigl[ h_k (1 - h_k) S^2
        - 2 h_k S \{I_k(t) - I_k(u)\} + \frac{h}{1 - h} \{I_k(t) - I_k(u)\}^2 \Bigr],

    which for one event is Greenwood's formula (Marubini and Valsecchi 1995, section 10.2).
    """
    total = np.where(at_risk > 0, hazards.sum(axis=2), np.nan)
    incidence = cumulated(hazards, total)
    before = np.ones_like(total)
    before[:, 1:] = np.cumprod(1.0 - total, axis=1)[:, :-1]
    variance = np.zeros_like(incidence)
    for u in range(hazards.shape[1]):  # each u adds to the variances of all later times
        n = np.maximum(at_risk[:, u], 1)[:, np.newaxis, np.newaxis]
        h_k, s = hazards[:, u, np.newaxis, :], before[:, u, np.newaxis, np.newaxis]
        since = incidence[:, u:] - incidence[:, u, np.newaxis]
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.where(total[:, u] < 1.0, total[:, u] / (1.0 - total[:, u]), 0.0)[:, np.newaxis, np.newaxis]
        variance[:, u:] += (h_k * (1.0 - h_k) * s**2 - 2.0 * h_k * s * since + odds * since**2) / n
    return incidence, np.sqrt(np.maximum(variance, 0.0))


def cumulated(hazards: FloatArray, total: FloatArray) -> FloatArray:
    """Return the incidences of events.

    Parameters
    ----------
    hazards : float64 of shape (n_group, n_time, n_event, ...)
    total : float64 of shape (n_group, n_time, ...)
        Hazard of any event. Where it is not known no later incidence is, nor this one.
    """
    before = np.ones_like(total)
    before[:, 1:] = np.cumprod(1.0 - total, axis=1)[:, :-1]
    return np.asarray(np.cumsum((before + 0.0 * total)[:, :, np.newaxis] * hazards, axis=1))


@dataclass(frozen=True, slots=True)
class _Grid:
    """Cells of a table by group, time and event, on a grid without gaps in time.

    Attributes
    ----------
    place : three int64 arrays of shape (n_cells,)
        Group, time and event of every cell.
    shape : (int, int, int)
    happened : bool array of shape (n_event,)
        Events that are one: not the label of none.
    """

    place: tuple[IntArray, IntArray, IntArray]
    shape: tuple[int, int, int]
    happened: BoolArray

    @classmethod
    def of(cls, table: Aggregate, by: Sequence[str], time: str, event: str) -> _Grid:
        """Place the cells of a table."""
        codes = [table.keys[name].codes for name in by] or [np.zeros(table.n_cells, dtype=np.int64)]
        groups, group = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
        years = np.asarray(table.keys[time].labels, dtype=np.int64)[table.keys[time].codes]
        years -= years.min()
        events = table.keys[event]
        happened = np.array([label not in (NONE_YET, STAYS) for label in events.labels])
        shape = (len(groups), int(years.max()) + 1, len(happened))
        return cls((group.reshape(-1), years, events.codes), shape, happened)

    def hazards(self, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return shares of shape (n_cells, B) by group, time, event and B, and the hazard of any event.

        Shares without a cell are zero, and the label of none has no hazard. An event that one person alone has is given
        no replicates: those of all others leave it the rest, and several such events equal parts of that.
        """
        found = np.zeros((*self.shape, shares.shape[1]))
        found[self.place] = shares
        alone = np.isnan(found)
        rest = np.where(alone.all(axis=2), np.nan, 1.0 - np.nansum(found, axis=2)) / np.maximum(alone.sum(axis=2), 1)
        found = np.where(alone, rest[:, :, np.newaxis], found)
        none = found[:, :, ~self.happened].sum(axis=2)
        there = np.zeros(self.shape[:2], dtype=np.bool_)
        there[self.place[:2]] = True
        found[:, :, ~self.happened] = 0.0
        return found, np.where(there[..., np.newaxis], 1.0 - none, 0.0)

    def fewest_until(self, counts: IntArray) -> IntArray:
        """Return the smallest of the counts of any event of a cell's group, in its year and those before."""
        found = np.full(self.shape, np.iinfo(np.int64).max)
        found[self.place] = np.where(self.happened[self.place[2]], counts, np.iinfo(np.int64).max)
        until = np.minimum.accumulate(found.min(axis=2), axis=1)
        return np.asarray(until[self.place[:2]])

    def at_risk(self, table: Aggregate) -> IntArray:
        """Return the persons at risk by group and time."""
        found = np.zeros(self.shape[:2], dtype=np.int64)
        found[self.place[:2]] = table.evidence.n_person
        return found

    def of_cells(self, numbers: FloatArray) -> FloatArray:
        """Return the numbers of the cells."""
        return np.asarray(numbers[self.place])

    def events_only(self, table: Aggregate, event: str) -> Aggregate:
        """Return the cells of events, without the label of none."""
        key = table.keys[event]
        cells = taken(table, np.flatnonzero(self.happened[key.codes]))
        names = tuple(label for label, one in zip(key.labels, self.happened, strict=True) if one)
        place = np.cumsum(self.happened) - 1
        return replace(cells, keys={**cells.keys, event: CellKey(names, place[cells.keys[event].codes])})
