"""match(): treated and controls alike, on a score or in their covariates, within exact strata."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from leoreturns._parallel import threads
from leoreturns.errors import SupportError
from leoreturns.estimation.candidates import candidates_of
from leoreturns.estimation.coarsened import Cuts
from leoreturns.estimation.covariates import right_side
from leoreturns.estimation.formula import parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.match_rules import Distance, Estimand, Matching, Order, Rules
from leoreturns.estimation.matched import Matched
from leoreturns.estimation.matchers import matched
from leoreturns.estimation.ols import identified
from leoreturns.estimation.request import in_tuple
from leoreturns.estimation.smoothed import Kernel
from leoreturns.estimation.solve import single_threaded
from leoreturns.panel.panel import Panel


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
    kernel: Kernel = "epanechnikov",
    bandwidth: float | None = None,
    subclasses: int = 5,
    common_support: bool = False,
    arm: str | None = None,
    where: str | None = None,
    allow_later: str | Sequence[str] = (),
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
    method : str
        ``"nearest"``: nearest neighbours. ``"optimal"``: pairs whose distances sum to the least (without replacement
        and caliper). ``"radius"``: all units of the other arm within the caliper, equally. ``"kernel"``: all of them
        about the score, weighted by their distance (Heckman, Ichimura and Todd 1997). ``"local_linear"``: the value at
        the score of a line fitted with these weights. ``"subclass"``: classes of the score in which the units that the
        estimand is about are equally many (Rosenbaum and Rubin 1984). ``"exact"``: strata of equal covariates.
        ``"cem"``: strata of covariates that are equal once the numeric ones are put in bins (coarsened exact matching,
        Iacus, King and Porro 2012).
    distance : str
        Differences of the chance of treatment by logit or probit, of its linear predictor, or of a column; or
        ``"mahalanobis"``, the distance in the covariates themselves, standardised by their covariance over all units.
    exact : sequence of str
        Columns in which matches must agree.
    cuts : mapping of column -> int or sequence of float, optional
        For ``"cem"``: a number of bins of equal width, or the points between bins; by default Sturges' number. A bin
        includes its upper end, the first its lower as well.
    caliper : float, optional
        Largest difference of scores, in standard deviations of the score over all units. For the Mahalanobis distance
        the score is the linear predictor of a logit (Rosenbaum and Rubin 1985).
    ratio : int
        Matches for each unit.
    replace : bool
        Whether a unit may be the match of several.
    ties : bool
        With replacement: whether all units as near as the last match are taken, or those of the smallest key.
    order : "largest", "smallest" or "closest"
        Without replacement: who chooses first, those of the largest or smallest score, or the closest pair. For the
        Mahalanobis distance the score is the linear predictor of a logit.
    kernel : "epanechnikov", "biweight", "uniform" or "gaussian"
        For ``"kernel"`` and ``"local_linear"``. The first three cost O(n log n); the Gaussian, every pair of units.
    bandwidth : float, optional
        Distance at which the kernel ends (for the Gaussian: its standard deviation), in standard deviations of the
        score over all units. By default ``c s n^(-1/5)`` with the score's standard deviation among n donors or, if
        smaller, IQR / 1.349 as s, and c = 2.345, 2.778, 1.843 and 1.059 for the four kernels: the rule for normal
        scores (Silverman 1986).
    subclasses : int
        For ``"subclass"``: how many, between quantiles; each includes its lower end.
    common_support : bool
        Whether units that need matches are left out where their score is beyond the least or the greatest of the other
        arm's in their stratum.
    arm : str, optional
        Of several arms the one to compare with that of reference; the others are left out.
    where : str, optional
        Condition on rows, in the grammar of `Panel.where`.
    allow_later : str or sequence of str
        Covariates and exact columns that are meant although the schema says that they are measured after the treatment.
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
        For several rows of a person, covariates that are measured after the treatment, several arms without `arm`,
        subclasses that lack an arm, and where nobody has a match.

    Notes
    -----
    Mahalanobis distances that differ by less than 1e-10, which is rounding, are equal.
    """
    rules = Rules(
        estimand, method, distance, in_tuple(exact), cuts, caliper, ratio, replace,
        ties, order, kernel, bandwidth, subclasses, common_support, in_tuple(allow_later),
    )  # fmt: skip
    specification = parse(f"{treatment} ~ {right_side(covariates)}")[0]
    with threads(n_jobs), single_threaded():
        # Outcomes are named later: a frame's columns are all read.
        others = [*rules.exact, *(data.columns if isinstance(data, pd.DataFrame) else ())]
        panel = estimation_panel(data, [specification], others, None, where=where, person=person)
        candidates = candidates_of(panel, specification, rules, arm, where, identified=identified(data, person))
        found = matched(candidates, rules)
    if not found.weights.any():
        arms = " and ".join(f"{count['persons']:,} of {label}" for label, count in found.counts.items())
        raise SupportError(
            f"nobody has a match among {arms}: no unit of the other arm is in the same exact stratum and within the "
            "caliper; widen caliper=, or use fewer or coarser columns to be equal in"
        )
    return found
