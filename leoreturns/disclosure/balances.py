"""Protection of balance and overlap: standardised differences that rest on enough persons, bins of enough persons."""

from __future__ import annotations

import numpy as np

from leoreturns._typing import ByteArray, FloatArray, IntArray
from leoreturns.disclosure.estimates import check_levels
from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.rounding import Rounding
from leoreturns.errors import DisclosureError
from leoreturns.results.aggregate import CellKey
from leoreturns.results.balance import MEASURES, Balance
from leoreturns.results.overlap import Overlap
from leoreturns.results.protected import ProtectedColumn, ProtectedTable

COVARIATE, WHEN, ARM, FROM, TO = "covariate", "sample", "arm", "from", "to"
DIFFERENCE, SHARE = "standardised_difference", "share"
TIMES = ("before", "after")
FEW, FEW_OFF_MODE, FEW_EFFECTIVE, DOMINATED, UNDEFINED = range(1, 6)
REASONS = (
    "an arm has fewer persons than the policy asks for",
    "fewer persons of an arm with another value of the covariate than its most frequent one",
    "fewer persons of equal weight, which an arm is worth, than asked for",
    "one person makes up too much of an arm's weight",
    "the number is not defined",
)


def protect_balance(balance: Balance, policy: Policy) -> ProtectedTable:
    """Apply the rules and the rounding of a policy to standardised differences.

    Parameters
    ----------
    balance : Balance
    policy : Policy

    Returns
    -------
    ProtectedTable
        One cell per covariate, before and after.

    Raises
    ------
    DisclosureError
        If the persons are not known, or the names of levels look like persons' own data.
    """
    _check_identified(balance.identified)
    k = len(balance.names)
    why = np.zeros((k, len(TIMES)), dtype=np.uint8)
    differences = np.stack([part[:, MEASURES.index("smd")] for part in (balance.before, balance.after)], axis=1)
    if max(balance.largest_share.values()) > policy.max_person_share:
        why[:, TIMES.index("after")] = DOMINATED
    if min(balance.effective.values()) < policy.min_effective_persons:
        why[:, TIMES.index("after")] = FEW_EFFECTIVE
    why[balance.off_mode < policy.min_persons] = FEW_OFF_MODE
    if min(balance.persons.values()) < policy.min_persons:
        why[:] = FEW
    why[(why == 0) & ~np.isfinite(differences)] = UNDEFINED
    check_levels(balance.names, np.asarray((why > 0).all(axis=1)))
    # Two decimals are at most three figures of differences below ten.
    rounding = Rounding("standard deviations", "decimals", policy.ratio_sigfig - 1)
    return ProtectedTable(
        variable="standardised differences",
        keys={
            COVARIATE: CellKey(balance.names, np.repeat(np.arange(k), len(TIMES))),
            WHEN: CellKey(TIMES, np.tile(np.arange(len(TIMES)), k)),
        },
        columns={DIFFERENCE: _column(DIFFERENCE, differences.ravel(), why.ravel(), rounding, policy)},
        reasons=REASONS,
        notes=(f"Arms: {', '.join(balance.persons)}; standardised for {balance.estimand}.",),
    )


def protect_overlap(overlap: Overlap, policy: Policy) -> ProtectedTable:
    """Merge the bins of each arm until every one has the persons that a policy asks for, and round their shares.

    Parameters
    ----------
    overlap : Overlap
    policy : Policy

    Returns
    -------
    ProtectedTable
        One cell per arm and bin. An arm of too few persons is one bin without a number.

    Raises
    ------
    DisclosureError
        If the persons are not known, or the score is no chance.
    """
    _check_identified(overlap.identified)
    if overlap.edges[0] < 0.0 or overlap.edges[-1] > 1.0 + 1e-9:
        raise DisclosureError(
            "the bins of numbers other than chances end at the smallest and the largest, which are persons' own: "
            "release the overlap of chances, with distance='logit'"
        )
    arms, low, high, shares, why = list[int](), list[int](), list[int](), list[float](), list[int]()
    for arm, counts in enumerate(overlap.counts):
        for start, stop in merged_bins(counts, policy.min_persons):
            count = int(counts[start:stop].sum())
            arms.append(arm)
            low.append(start)
            high.append(stop)
            shares.append(count / int(counts.sum()))
            why.append(FEW if count < policy.min_persons else 0)
    edges = tuple(float(f"{edge:.10g}") for edge in overlap.edges)
    rounding = Rounding("per cent", "decimals", policy.pct_dp, scale=100)
    return ProtectedTable(
        variable=overlap.score,
        keys={
            ARM: CellKey(overlap.labels, np.array(arms, dtype=np.int64)),
            FROM: CellKey(edges, np.array(low, dtype=np.int64)),
            TO: CellKey(edges, np.array(high, dtype=np.int64)),
        },
        columns={SHARE: _column(SHARE, np.array(shares), np.array(why, dtype=np.uint8), rounding, policy)},
        reasons=REASONS,
        notes=(f"Bins of each arm are merged until every one has {policy.min_persons} persons or more.",),
    )


def merged_bins(counts: IntArray, least: int) -> list[tuple[int, int]]:
    """Merge neighbouring bins, from the left, until each has enough persons; what is left over joins the last.

    Empty bins at the ends belong to the outermost: where the persons begin and end is not told. Too few persons
    altogether are one bin.
    """
    bins, start, total = list[tuple[int, int]](), 0, 0
    for at in range(len(counts)):
        total += int(counts[at])
        if total >= least:
            bins.append((start, at + 1))
            start, total = at + 1, 0
    end = len(counts)
    if start < end and bins:
        bins[-1] = (bins[-1][0], end)
    return bins or [(start, end)]


def _check_identified(identified: bool) -> None:
    if not identified:
        raise DisclosureError("person id required: name the column that identifies persons with person=...")


def _column(statistic: str, numbers: FloatArray, why: ByteArray, rounding: Rounding, policy: Policy) -> ProtectedColumn:
    texts = tuple(
        policy.marker if reason else rounding.text(float(number))
        for number, reason in zip(numbers, why.tolist(), strict=True)
    )
    return ProtectedColumn(statistic, "", texts, why, rounding.unit, rounding.words)
