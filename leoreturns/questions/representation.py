"""Representation: who is in a sector, beside who is in any; and how many entrants it takes to hold a sector's stock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.aggregates.composition import composition, share_of_true
from leoreturns.errors import SupportError
from leoreturns.questions.careers import Careers, condition
from leoreturns.resample.intervals import interval_of
from leoreturns.resample.joint import collecting
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate

SECTOR, LEFT = "sector", "left_sector"
REPRESENTATION, QUOTIENT = "representation", "location_quotient"
ENTRANTS, NEEDED, GAP = "entrants", "entrants_needed", "supply_gap"


def quotients(careers: Careers, year: int, group: str, name: str, plan: BootstrapPlan | None) -> Aggregate | None:
    """Return the share of each group that is in a sector, and its ratio to the share of all who are.

    The ratio of the group's share of the sector to its share of all is the same number: above 1 the group is more often
    in the sector than all are. Of regions it is the location quotient. Persons in a known sector count whose group is
    known; None where nobody does.

    Parameters
    ----------
    careers : Careers
    year : int
    group : str
        A column of labels with one value per person.
    name : "representation" or "location_quotient"
        How the ratio is called.
    plan : BootstrapPlan, optional
    """
    states = careers.at(year)
    kept = careers.in_sector(states) & (careers.people[group] >= 0)
    if not kept.any():
        return None
    column = (careers.state_column(SECTOR), states[:, np.newaxis])
    panel = careers.panel([column], (f"in a known sector in year {year}, of a known {group}", kept[:, np.newaxis]))
    with collecting() as found:
        table = composition(panel, SECTOR, by=[group], plan=plan)
        everyone = composition(panel, SECTOR, by=[], plan=plan)
    place = np.searchsorted(everyone.keys[SECTOR].codes, table.keys[SECTOR].codes)  # cells are in the order of levels
    ratio = table.statistics["share"] / everyone.statistics["share"][place]
    table = replace(table, statistics={**table.statistics, name: ratio})
    if plan is None:
        return table
    of_group, of_all = found[0].replicates, found[1].replicates[place]
    with np.errstate(divide="ignore", invalid="ignore"):
        interval = interval_of(ratio, np.asarray(of_group / of_all), plan)
    interval = replace(interval, n_units=table.intervals["share"].n_units)
    return replace(table, intervals={**table.intervals, name: interval})


def mix(careers: Careers, year: int, column: str, plan: BootstrapPlan | None) -> Aggregate | None:
    """Return how those in each state in a year divide over the levels of a trait: the skill mix of a sector.

    None where nobody has both.
    """
    states = careers.at(year)
    kept = (states >= 0) & (careers.people[column] >= 0)
    if not kept.any():
        return None
    state = (careers.state_column(SECTOR), states[:, np.newaxis])
    panel = careers.panel([state], (f"with a row of year {year}, of a known {column}", kept[:, np.newaxis]))
    return composition(panel, column, by=[SECTOR], plan=plan)


def supply(careers: Careers, year: int, growth: Mapping[str, float], plan: BootstrapPlan | None) -> Aggregate | None:
    """Return what it takes to hold, or grow, the stock of each sector for one year, and what enters.

    Of the persons in a sector in a year, a share leaves by the next; as many entrants hold the stock, and with growth g
    a stock of n takes g n more. The gap is what is needed less what enters. Persons count whose state is known in both
    years; the evidence of a sector is that of the fewer of its leavers and its entrants. None where nobody counts.

    Parameters
    ----------
    careers : Careers
    year : int
    growth : mapping of sector -> float
        Growth of the stock in a year, 0.02 for two per cent; none of sectors that are not named.
    plan : BootstrapPlan, optional
        Gives the share who leave an interval.

    Raises
    ------
    SupportError
        For a sector that is not there, or growth that is no number.
    """
    labels = careers.labels[: careers.n_sector]
    check_growth(labels, growth)
    now, then = careers.at(year), careers.at(year + 1)
    followed = careers.known(now) & careers.known(then) & ~careers.crossing(year, year + 1)
    left = (condition(LEFT, careers.owner), (now != then)[:, np.newaxis].astype(np.int8))
    columns = [(careers.state_column(SECTOR), now[:, np.newaxis]), left]
    inside = followed & careers.in_sector(now)
    if not inside.any():
        return None
    label = f"in a sector in year {year}, in a known state the year after"
    panel = careers.panel(columns, (label, inside[:, np.newaxis]))
    table = share_of_true(panel, LEFT, by=[SECTOR], plan=plan)
    sector = table.keys[SECTOR].codes
    arrives = followed & careers.in_sector(then) & (now != then)
    entrants = np.bincount(then[arrives], minlength=len(labels))[sector]
    leavers, stock = table.evidence.n_person_nonzero, table.statistics["n_person"]
    grown = np.array([float(growth.get(str(labels[code]), 0.0)) for code in sector])
    needed = leavers + grown * stock
    numbers: dict[str, AnyArray] = {ENTRANTS: entrants, NEEDED: needed, GAP: needed - entrants}
    evidence = replace(table.evidence, n_person_nonzero=np.minimum(leavers, entrants))
    return replace(table, statistics={**table.statistics, **numbers}, evidence=evidence)


def check_growth(labels: Sequence[object], growth: Mapping[str, float]) -> None:
    """Refuse growth of a sector that is not there, and growth that is no number."""
    known = {str(label) for label in labels}
    if unknown := [name for name in growth if name not in known]:
        raise SupportError(f"growth names {unknown[0]!r}, which is no sector of the panel: there are {sorted(known)}")
    rates: FloatArray = np.array([rate for rate in growth.values() if not isinstance(rate, bool)], dtype=np.float64)
    # A larger rate would multiply a stock beyond what the rounding of counts conceals.
    if len(rates) < len(growth) or not (np.abs(rates) <= 1.0).all():
        raise SupportError("growth is a number from -1 to 1 for each sector named: 0.02 for two per cent a year")
