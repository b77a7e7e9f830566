"""match(): treated and controls alike, on a score within exact strata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from leoreturns._core import neighbours as kernel
from leoreturns._core import pairing
from leoreturns._parallel import ordered_map, threads
from leoreturns._typing import FloatArray, IntArray, UIntArray
from leoreturns.errors import SupportError
from leoreturns.estimation.arms import numbered_arms
from leoreturns.estimation.coarsened import Cuts, coarsened
from leoreturns.estimation.covariates import Units, cells_of, columns_of, once_per_person, right_side
from leoreturns.estimation.design import Variables
from leoreturns.estimation.formula import Term, parse
from leoreturns.estimation.imputed import Sides
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.matched import Candidates, Matched
from leoreturns.estimation.ols import identified
from leoreturns.estimation.points import Points, nearest_windows, runs_of_strata
from leoreturns.estimation.propensity import Propensity, by_arm, fit_propensity
from leoreturns.estimation.sample import draw_sample
from leoreturns.estimation.solve import single_threaded
from leoreturns.estimation.variables import Codes, Numbers
from leoreturns.panel.panel import Panel

Matching = Literal["nearest", "optimal", "exact", "cem"]
STRATA = ("exact", "cem")  # methods that weight all units of a stratum
Distance = Literal["logit", "probit", "linear_logit", "linear_probit", "column"]
Order = Literal["largest", "smallest", "closest"]
Estimand = Literal["ATT", "ATC", "ATE"]


def match(
    treatment: str,
    covariates: str | Sequence[str],
    data: Panel | pd.DataFrame,
    *,
    estimand: Estimand,
    method: Matching = "nearest",
    distance: Distance = "logit",
    exact: Sequence[str] = (),
    cuts: Cuts | None = None,
    caliper: float | None = None,
    ratio: int = 1,
    replace: bool = True,
    ties: bool = True,
    order: Order = "largest",
    where: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Matched:
    """Match the persons of two arms on covariates.

    Parameters
    ----------
    treatment : str
        ``"route"`` or ``"C(route, ref='academic')"``: a column of two labels, of which that of reference (by default
        the first) are the controls.
    covariates : str or sequence of str
        The right side of a formula, or names of columns: what the chances are estimated from, or, with
        ``distance="column"``, the one column that is the score, and, with ``method="exact"``, the columns that must
        be equal.
    data : Panel or pandas.DataFrame
        One row per person.
    estimand : "ATT", "ATC" or "ATE"
        Whether the treated get matches, the controls, or both.
    method : "nearest", "optimal", "exact" or "cem"
        Nearest neighbours; pairs whose distances sum to the least (without replacement and caliper); strata of equal
        covariates; strata of covariates that are equal once the numeric ones are put in bins (coarsened exact
        matching, Iacus, King and Porro 2012).
    distance : str
        Differences of the chance of treatment by logit or probit, of its linear predictor, or of a column.
    exact : sequence of str
        Columns in which matches must agree.
    cuts : mapping of column -> int or sequence of float, optional
        For ``"cem"``: a number of bins of equal width, or the points between bins; by default Sturges' number. A bin
        includes its upper end, the first its lower as well.
    caliper : float, optional
        Largest distance, in standard deviations of the score over all units.
    ratio : int
        Matches for each unit.
    replace : bool
        Whether a unit may be the match of several.
    ties : bool
        With replacement: whether all units as near as the last match are taken, or those of the smallest key.
    order : "largest", "smallest" or "closest"
        Without replacement: who chooses first, those of the largest or smallest score, or the closest pair.
    where : str, optional
        Condition on rows, in the grammar of `Panel.where`.
    person : str, optional
        Id column of a frame.
    n_jobs : int, optional
        Threads over strata; the result is the same for any number.

    Returns
    -------
    Matched
        An inside object: who was matched with whom. Its methods give balance, effects and sensitivity.

    Raises
    ------
    SupportError
        For several rows of a person, more or fewer than two arms, and where nobody has a match.
    """
    _check(estimand, method, distance, order, ratio, replace, caliper, cuts)
    exact = (exact,) if isinstance(exact, str) else tuple(exact)
    specification = parse(f"{treatment} ~ {right_side(covariates)}")[0]
    with threads(n_jobs), single_threaded():
        # Outcomes are named later: a frame's columns are all read.
        others = [*exact, *(data.columns if isinstance(data, pd.DataFrame) else ())]
        panel = estimation_panel(data, [specification], others, None, where=where, person=person)
        variables = Variables(panel)
        factor = specification.outcome
        arms = variables.coded(factor.columns)
        known = [variables.coded((name,)) for name in exact]
        sample = draw_sample(
            panel,
            [
                ("treatment known", [arms]),
                ("covariates known", variables.of_terms(specification.terms)),
                ("exact columns known", known),
            ],
            None,
            [],
        )
        units = Units.of(sample)
        once_per_person(units)
        codes, labels = numbered_arms(units.take(arms.codes, arms.level), arms, factor, "")
        if len(labels) != 2:
            raise SupportError(f"matching compares two arms, and '{arms.name}' has {len(labels)}; choose two by where=")
        cells = cells_of(units, specification.terms, variables, all_equal=method == "exact")
        columns = columns_of(cells, specification.terms, variables)
        chances: Propensity | None = None
        if method in STRATA:
            score = np.zeros(units.n)
            coarse = coarsened(units, variables.of_terms(specification.terms), cuts or {}) if method == "cem" else None
            strata = _strata(units, known, cells.codes if coarse is None else coarse)
        else:
            strata = _strata(units, known, None)
            if distance == "column":
                score = _column(units, variables, specification.terms)
            else:
                counts = by_arm(cells, codes, 2, None)
                chances = fit_propensity(columns.values, counts, labels, _link(distance))
                of_cell = chances.eta[:, 0] if distance.startswith("linear") else chances.chances[:, 1]
                score = of_cell[cells.codes]
        candidates = Candidates(
            panel, units, variables, cells, columns, codes, labels, strata, score, chances, estimand,
            {"method": method, "distance": distance, "exact": exact, "caliper": caliper, "ratio": ratio,
             "cuts": {name: np.asarray(cut).tolist() for name, cut in (cuts or {}).items()},
             "replace": replace, "ties": ties, "order": order, "where": where},
            identified(data, person),
        )  # fmt: skip
        keys = panel.keys[units.people]
        reach = np.inf if caliper is None else caliper * float(np.std(score, ddof=1))
        if method in STRATA:
            found = _in_strata(candidates)
        elif replace and method == "nearest":
            found = _with_replacement(candidates, keys, ratio, reach, ties)
        else:
            found = _without_replacement(candidates, keys, ratio, reach, method, order)
    _some_matched(found)
    return found


def _check(
    estimand: str, method: str, distance: str, order: str, ratio: int, replace: bool, caliper: float | None,
    cuts: Cuts | None,
) -> None:  # fmt: skip
    """Refuse options that are not, or do not go together."""
    for name, value, allowed in (
        ("estimand", estimand, get_args(Estimand)),
        ("method", method, get_args(Matching)),
        ("distance", distance, get_args(Distance)),
        ("order", order, get_args(Order)),
    ):
        if value not in allowed:
            raise ValueError(f"{name} is one of {', '.join(map(repr, allowed))}, not {value!r}")
    if isinstance(ratio, bool) or not isinstance(ratio, int | np.integer) or ratio < 1:
        raise ValueError(f"ratio is a positive number of matches, not {ratio}")
    if caliper is not None and not caliper > 0:
        raise ValueError(f"caliper is a positive number of standard deviations of the score, not {caliper}")
    if cuts is not None and method != "cem":
        raise SupportError(f"cuts= serves method='cem', not {method!r}")
    if method in STRATA and (caliper is not None or ratio != 1):
        raise SupportError(f"method={method!r} takes all units of a stratum: caliper= and ratio= belong to the others")
    if method == "optimal" and (replace or caliper is not None):
        raise SupportError("optimal matching is without replacement and without a caliper: replace=False, caliper=None")
    if estimand == "ATE" and method not in STRATA and not (replace and method == "nearest"):
        raise SupportError("without replacement there are matches for one arm: estimand is 'ATT' or 'ATC'")


def _some_matched(found: Matched) -> None:
    """Refuse a match of nobody."""
    if not found.weights.any():
        arms = " and ".join(f"{count['persons']:,} of {label}" for label, count in found.counts.items())
        raise SupportError(
            f"nobody has a match among {arms}: no unit of the other arm is in the same exact stratum and within the "
            "caliper; widen caliper=, or use fewer or coarser columns to be equal in"
        )


def _link(distance: Distance) -> Literal["logit", "probit"]:
    return "probit" if distance.endswith("probit") else "logit"


def _column(units: Units, variables: Variables, terms: Sequence[Term]) -> FloatArray:
    found = variables.of_terms(terms)
    if len(found) != 1 or not isinstance(found[0], Numbers):
        raise SupportError("distance='column' takes one numeric column as covariates: the score")
    return units.take(found[0].values, found[0].level).astype(np.float64) + 0.0


def _strata(units: Units, exact: Sequence[Codes], more: IntArray | None) -> IntArray:
    """Number the strata that occur, by the order of the columns' levels."""
    pair = np.zeros(units.n, dtype=np.int64)
    for codes in exact:
        pair = pair * codes.n_levels + units.take(codes.codes, codes.level)
        pair = np.unique(pair, return_inverse=True)[1]
    if more is not None:
        pair = np.unique(pair * (int(more.max(initial=0)) + 1) + more, return_inverse=True)[1]
    return pair


def _points(candidates: Candidates, keys: UIntArray, *, single: bool) -> tuple[Points, Points]:
    n_strata = int(candidates.strata.max()) + 1
    made = [
        Points.of(np.flatnonzero(candidates.arms == arm), candidates.score, candidates.strata, keys, n_strata,
                  single=single)
        for arm in (0, 1)
    ]  # fmt: skip
    return made[0], made[1]


def _with_replacement(candidates: Candidates, keys: UIntArray, ratio: int, reach: float, ties: bool) -> Matched:
    """Give every focal unit its nearest units of the other arm."""
    points = _points(candidates, keys, single=not ties)
    windows = {
        arm: nearest_windows(points[arm], points[1 - arm], ratio, caliper=reach, ties=ties) for arm in candidates.focal
    }
    return Matched(
        candidates, _received_weights(candidates, sides := Sides(points, windows, ratio, reach)), sides, None
    )


def _received_weights(candidates: Candidates, sides: Sides) -> FloatArray:
    """Return what every unit counts: one as a focal unit with a match, and its shares as a match."""
    weights = np.zeros(candidates.units.n)
    for arm in (0, 1):
        points = sides.points[arm]
        weights[points.members] += sides.received(arm, 1)[points.of_member]
        if arm in sides.windows:
            weights[points.members] += sides.matched(arm)
    return weights


def _without_replacement(
    candidates: Candidates, keys: UIntArray, ratio: int, reach: float, method: Matching, order: Order
) -> Matched:
    """Give every focal unit units of its own."""
    (arm,) = candidates.focal
    points = _points(candidates, keys, single=True)
    focus, pool = points[arm], points[1 - arm]
    out = np.full((focus.n, ratio), -1, dtype=np.int64)
    if method == "optimal":
        _pair(focus, pool, out)
    else:
        _greedy(focus, pool, out, reach, order)
    pairs = np.full((candidates.units.n, ratio), -1, dtype=np.int64)
    pairs[focus.members] = np.where(out >= 0, pool.members[out], -1)
    found = (out >= 0).sum(axis=1)
    weights = np.zeros(candidates.units.n)
    weights[focus.members] = found > 0
    weights[pool.members[out[out >= 0]]] = np.repeat(1.0 / np.maximum(found, 1), found)
    return Matched(candidates, weights, None, pairs)


def _greedy(focus: Points, pool: Points, out: IntArray, reach: float, order: Order) -> None:
    """Match in turn, or the closest pair first."""
    stratum = np.repeat(np.arange(len(focus.offsets) - 1), np.diff(focus.offsets))
    by_score = focus.scores if order == "smallest" else -focus.scores
    turns = np.lexsort((focus.keys, by_score, stratum)) - focus.offsets[:-1][stratum]
    links = np.empty((2, pool.n + len(pool.offsets) - 1), dtype=np.int64)
    room = np.empty((2, focus.n if order == "closest" else 0))

    def run(bounds: tuple[int, int]) -> None:
        kernel.without_replacement(
            focus.scores, focus.offsets, turns, pool.scores, pool.offsets, pool.keys, reach, order == "closest",
            *bounds, links, room, out,
        )  # fmt: skip

    ordered_map(run, runs_of_strata(focus.offsets), label="matching")


def _pair(focus: Points, pool: Points, out: IntArray) -> None:
    """Match optimally, where every stratum has donors enough."""
    n_focus, n_pool = np.diff(focus.offsets), np.diff(pool.offsets)
    short = int((n_pool < n_focus * out.shape[1]).sum())
    if short:
        raise SupportError(
            f"{short:,} exact strata have fewer than {out.shape[1]:,} units for each to be matched; lower ratio=, "
            "coarsen exact=, or use method='nearest'"
        )
    began = np.empty(pool.n, dtype=np.int64)

    def run(bounds: tuple[int, int]) -> None:
        first, last = bounds
        longest = int((n_focus + n_pool)[first:last].max(initial=0))
        room = np.empty((4, 4 * longest + 2))
        pairing.pair(focus.scores, focus.offsets, pool.scores, pool.offsets, first, last, began, room, out)

    ordered_map(run, runs_of_strata(focus.offsets), label="matching")


def _in_strata(candidates: Candidates) -> Matched:
    """Weight the units of strata that have both arms so that each stratum counts as its focal units do."""
    n_strata = int(candidates.strata.max()) + 1
    counts = np.stack([np.bincount(candidates.strata[candidates.arms == arm], minlength=n_strata) for arm in (0, 1)])
    both = (counts > 0).all(axis=0)
    target = counts.sum(axis=0) if candidates.estimand == "ATE" else counts[candidates.focal[0]]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(both, target / counts, 0.0)
    weights = factor[candidates.arms, candidates.strata]
    return Matched(candidates, weights, None, None)
