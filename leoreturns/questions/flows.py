"""Flows: where persons are some years on by where they were, who stays, and whether more than the last state counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2

from leoreturns._typing import BoolArray, FloatArray, IntArray
from leoreturns.aggregates.composition import composition, share_of_true
from leoreturns.errors import SupportError
from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column
from leoreturns.questions.careers import Careers, condition
from leoreturns.resample.intervals import interval_of
from leoreturns.resample.joint import collecting
from leoreturns.resample.plan import BootstrapPlan
from leoreturns.results.aggregate import Aggregate, taken

FROM, TO, LATER, STAYED = "sector_from", "sector_to", "years_later", "stayed"
SHORROCKS = "shorrocks"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Flows:
    """Persons with a row in a year and in one some years later, one row for each horizon; microdata.

    Attributes
    ----------
    panel : Panel
        With where they were and where they are.
    sectors : Panel
        Those of them in a known sector of paid work in both years, and whether it is the same.
    labels : tuple
        The states.
    """

    panel: Panel
    sectors: Panel
    labels: tuple[object, ...]

    @classmethod
    def of(cls, careers: Careers, year: int, horizons: Sequence[int]) -> Flows:
        """Follow all persons with a row in a year.

        Raises
        ------
        SupportError
            If nobody has a row in a later year, or none whose sectors come from the same register.
        """
        later = [careers.at(year + horizon) for horizon in horizons]
        to = np.stack(later, axis=1)
        origin = np.repeat(careers.at(year)[:, np.newaxis], len(horizons), axis=1)
        same = ~np.stack([careers.crossing(year, year + horizon) for horizon in horizons], axis=1)
        both = (origin >= 0) & (to >= 0)
        if not both.any():
            raise SupportError(f"nobody has a row of year {year} and of one of {list(horizons)} years later to follow")
        if not (both & same).any():
            raise SupportError(
                f"every flow from year {year} runs from one register of sectors to another, which is no move: choose "
                "another year or shorter horizons, or ask with across_registers='keep'"
            )
        years = np.broadcast_to(np.asarray(horizons, dtype=np.int16), to.shape)
        columns = [
            (Column(LATER, "year", "number"), years),
            (careers.state_column(FROM), origin),
            (careers.state_column(TO), to),
            (condition(STAYED, careers.owner), (origin == to).astype(np.int8)),
        ]
        steps = [(f"with a row of year {year} and of a later year that is asked for", both)]
        if not same[both].all():
            steps.append(("of one register of sectors", both & same))
        known = careers.in_sector(origin) & careers.in_sector(to)
        panel = careers.panel(columns, *steps)
        in_sectors = careers.panel(columns, *steps, ("in a known sector in both years", both & same & known))
        return cls(panel, in_sectors, careers.labels)

    def transitions(self, by: Sequence[str], plan: BootstrapPlan | None) -> Aggregate:
        """Return where those of each state are later, as shares of them."""
        return composition(self.panel, TO, by=[*by, LATER, FROM], plan=plan)

    def origins(self, plan: BootstrapPlan | None) -> Aggregate:
        """Return where those of each state were before, as shares of them: where a sector's persons come from."""
        return composition(self.panel, FROM, by=[LATER, TO], plan=plan)

    def stayers(self, by: Sequence[str], plan: BootstrapPlan | None) -> Aggregate | None:
        """Return the share of those in a sector at both ends who are in the same; None where nobody is in one."""
        if not self.sectors.n_row:
            return None
        return share_of_true(self.sectors, STAYED, by=[*by, LATER], plan=plan)

    def mobility(self, by: Sequence[str], plan: BootstrapPlan | None) -> Aggregate | None:
        """Return the Shorrocks index of each transition matrix of sectors.

        (k - sum p_ii) / (k - 1) of the k sectors that persons come from (Shorrocks 1978): 0 where all stay, 1 where
        where they go does not depend on where they were. It tells the share of stayers of one sector to whoever has
        those of all others, so its evidence is of the sector with the fewest stayers, and with the fewest leavers.
        Every sector counts alike: where one has a handful of persons intervals are too short, and there is none where
        one has a single person. None where nobody is in a sector at both ends.
        """
        if not self.sectors.n_row:
            return None
        with collecting() as found:
            rows = composition(self.sectors, TO, by=[*by, LATER, FROM], plan=plan)
        whole = share_of_true(self.sectors, STAYED, by=[*by, LATER])
        group, place = _groups(rows, whole, [*by, LATER])
        size = (whole.n_cells, len(self.labels))
        stay = rows.keys[FROM].codes == rows.keys[TO].codes
        at = (group, rows.keys[FROM].codes)
        share = np.full(size, np.nan)
        share[at] = 0.0  # of sectors that nobody stays in there is no cell
        share[group[stay], place[stay]] = rows.statistics["share"][stay]
        point = shorrocks(share[..., np.newaxis])[:, 0]
        persons, stayers = (np.zeros(size, dtype=np.int64) for _ in range(2))
        persons[at] = rows.evidence.n_person
        stayers[group[stay], place[stay]] = rows.evidence.n_person_nonzero[stay]
        fewest = np.where(persons > 0, stayers, persons.max(initial=0)).min(axis=1)
        leavers = np.where(persons > 0, persons - stayers, persons.max(initial=0)).min(axis=1)
        evidence = replace(whole.evidence, n_person_nonzero=fewest, n_person_zero=leavers)
        statistics = {"n_person": whole.statistics["n_person"], SHORROCKS: point}
        table = replace(whole, statistics=statistics, evidence=evidence)
        if plan is None:
            return table
        drawn = np.full((*size, plan.n_replicates), np.nan)
        drawn[at] = 0.0
        drawn[group[stay], place[stay]] = found[0].replicates[stay]
        interval = interval_of(point, shorrocks(drawn, np.isfinite(share)), plan)
        units, of_row = np.zeros(whole.n_cells, dtype=np.int64), rows.intervals["share"].n_units
        assert of_row is not None
        np.maximum.at(units, group, of_row)  # there are no fewer than in the row of most
        settings = {**whole.settings, "plan": plan.settings}
        return replace(table, intervals={SHORROCKS: replace(interval, n_units=units)}, settings=settings)


def shorrocks(stay: FloatArray, there: BoolArray | None = None) -> FloatArray:
    """Return the Shorrocks index of transition matrices from the shares that stay.

    Parameters
    ----------
    stay : float64 of shape (n_matrix, n_state, n_replicates)
        Shares of each state's persons who stay; NaN for states that nobody comes from.
    there : bool of shape (n_matrix, n_state), optional
        States that count; by default those with a share in the first replicate.

    Returns
    -------
    float64 of shape (n_matrix, n_replicates)
        NaN for fewer than two states, and where a state that counts has no share.
    """
    there = np.isfinite(stay[..., 0]) if there is None else there
    k = there.sum(axis=1, dtype=np.float64)[:, np.newaxis]
    total = np.where(there[..., np.newaxis], stay, 0.0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(k > 1, (k - total) / (k - 1), np.nan)


def retention(transitions: Aggregate, n_sector: int) -> Aggregate:
    """Return the diagonal of a table of transitions: of those in a sector the share who are in it again later."""
    origin, to = transitions.keys[FROM], transitions.keys[TO]
    cells = taken(transitions, np.flatnonzero((origin.codes == to.codes) & (origin.codes < n_sector)))
    return replace(cells, keys={name: key for name, key in cells.keys.items() if name != TO})


def order_test(careers: Careers, year: int) -> Aggregate | None:
    """Test whether the state before last matters beside the last one: second-order Markov against first-order.

    The likelihood ratio 2 sum n_ijk log(n_ijk n_j / (n_ij n_jk)) over persons' states in three years in a row, with the
    degrees of freedom of the occupied cells, sum over j of (origins of j - 1)(destinations of j - 1) (Anderson and
    Goodman 1957).

    Returns
    -------
    Aggregate
        One cell: ``n_person``, ``likelihood_ratio``, ``df``, ``p_value``. The chi-squared distribution is that of many
        persons in every occupied cell: with few, group the sectors. None where nobody is in a known state three times.
    """
    states = [careers.at(year + step) for step in range(3)]
    there = np.logical_and.reduce([careers.known(each) for each in states])
    there &= ~careers.crossing(year, year + 1) & ~careers.crossing(year + 1, year + 2)
    column = (condition(STAYED, careers.owner), (states[0] == states[2])[:, np.newaxis].astype(np.int8))
    label = f"in a known state in years {year}, {year + 1} and {year + 2}"
    if not there.any():
        return None
    table = share_of_true(careers.panel([column], (label, there[:, np.newaxis])), STAYED, by=[])
    n = careers.n_sector + 1
    counts = np.bincount(
        (states[0][there].astype(np.int64) * n + states[1][there]) * n + states[2][there], minlength=n**3
    ).reshape(n, n, n)
    statistic, df = likelihood_ratio(counts)
    numbers = {"likelihood_ratio": statistic, "df": float(df), "p_value": float(chi2.sf(statistic, df))}
    return replace(
        table,
        statistics={"n_person": table.statistics["n_person"]} | {name: np.array([x]) for name, x in numbers.items()},
    )


def likelihood_ratio(counts: IntArray) -> tuple[float, int]:
    """Return the likelihood ratio of the second order against the first, and its degrees of freedom.

    Parameters
    ----------
    counts : int64 of shape (n_state, n_state, n_state)
        Persons by the states of three years in a row.
    """
    first, last, middle = counts.sum(axis=2), counts.sum(axis=0), counts.sum(axis=(0, 2))
    i, j, k = np.nonzero(counts)
    n = counts[i, j, k].astype(np.float64)
    statistic = 2.0 * float((n * np.log(n * middle[j] / (first[i, j].astype(np.float64) * last[j, k]))).sum())
    origins, destinations = (first > 0).sum(axis=0), (last > 0).sum(axis=1)
    freedom = np.where(middle > 0, (origins - 1) * (destinations - 1), 0)
    return max(statistic, 0.0), int(freedom.sum())


def _groups(cells: Aggregate, groups: Aggregate, by: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Return the group of every cell, and the place of the state that its persons come from."""
    place = {key: number for number, key in enumerate(zip(*(groups.keys[name].values() for name in by), strict=True))}
    found = [place[key] for key in zip(*(cells.keys[name].values() for name in by), strict=True)]
    return np.array(found, dtype=np.int64), cells.keys[FROM].codes
