"""Estimators of linearmodels under the formulas, panels and results of this package: LIML, GMM, random effects.

The rows are those that `feols` takes, and so are counts, clusters and evidence: those of two-stage, or of pooled, least
squares on the same columns. Columns are made along the rows, which takes 8 bytes for each of their entries and several
times that inside linearmodels: for samples of millions of rows, not of tens of millions.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from leoreturns._parallel import threads
from leoreturns._typing import CodeArray, FloatArray, IntArray, Weights
from leoreturns.errors import NotIdentifiedError, SupportError
from leoreturns.estimation.covariance import Clustered, Covariance, Robust, Unadjusted
from leoreturns.estimation.design import CONSTANT, Variables, build_design, sample_of
from leoreturns.estimation.formula import parse
from leoreturns.estimation.inputs import estimation_panel
from leoreturns.estimation.matrices import columns_along
from leoreturns.estimation.ols import check_options, feols
from leoreturns.estimation.variables import numbers
from leoreturns.panel.panel import Panel
from leoreturns.panel.rows import expand
from leoreturns.results.estimate import Estimate
from leoreturns.results.hypothesis import Test


def liml(
    formula: str,
    data: Panel | pd.DataFrame,
    *,
    cov: Covariance,
    fuller: float = 0.0,
    weights: Weights | None = None,
    where: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Estimate:
    """Estimate a linear regression with instruments by limited-information maximum likelihood, or Fuller's variant.

    Parameters
    ----------
    formula : str
        As in `feols`, with ``endogenous ~ instruments`` and without effects.
    data, weights, where, person, n_jobs
        As in `feols`.
    cov : Unadjusted, Robust ("HC0" or "HC1") or Clustered (by one or two columns)
    fuller : float
        Fuller's alpha: 0 is LIML; with 1 the estimator has moments, and is nearly unbiased.

    Returns
    -------
    Estimate
        The estimated kappa is in the settings. With one instrument for each endogenous regressor it is 1, and the
        estimate that of two stages.

    References
    ----------
    Anderson and Rubin (1949, Annals of Mathematical Statistics 20), Fuller (1977, Econometrica 45).
    """
    with threads(n_jobs):
        read = _read(formula, data, cov, weights, where, person, n_jobs, instruments=True)
        model = _linearmodels("iv").IVLIML(*read.sides(), **read.weighted(), fuller=fuller)
        found = model.fit(**read.covariance(cov))
    return _taken_over(read, found, "LIML" if not fuller else f"Fuller({fuller:g})", {"kappa": float(found.kappa)})


def gmm(
    formula: str,
    data: Panel | pd.DataFrame,
    *,
    cov: Covariance,
    weights: Weights | None = None,
    where: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Estimate:
    """Estimate a linear regression with instruments by two-step efficient generalised method of moments.

    Parameters
    ----------
    formula, data, weights, where, person, n_jobs
        As in `liml`.
    cov : Unadjusted, Robust ("HC0" or "HC1") or Clustered (by one column)
        Of the coefficients, and of the moments that the second step weights by.

    Returns
    -------
    Estimate
        Hansen's test of the overidentifying restrictions is in ``settings["overidentification"]``, where there are any.

    References
    ----------
    Hansen (1982, Econometrica 50).
    """
    if isinstance(cov, Clustered) and len(cov.clusters) > 1:
        raise SupportError("moments are weighted by one way of clustering; name a single column")
    with threads(n_jobs):
        read = _read(formula, data, cov, weights, where, person, n_jobs, instruments=True)
        options = read.covariance(cov)
        weighting = {"clusters": options["clusters"]} if "clusters" in options else {}
        debiased = {"debiased": options["debiased"]} if isinstance(cov, Clustered) else {}
        given = {**read.weighted(), "weight_type": options["cov_type"], **weighting, **debiased}
        model = _linearmodels("iv").IVGMM(*read.sides(), **given)
        found = model.fit(**options)
    degrees = len(read.instruments) - len(read.endogenous)
    notes: dict[str, object] = {}
    if degrees:
        test = found.j_stat
        notes["overidentification"] = Test(float(test.stat) / degrees, (float(degrees), np.inf), float(test.pval))
    return _taken_over(read, found, "GMM", notes)


def random_effects(
    formula: str,
    data: Panel | pd.DataFrame,
    *,
    cov: Covariance,
    weights: Weights | None = None,
    where: str | None = None,
    person: str | None = None,
    n_jobs: int | None = None,
) -> Estimate:
    """Estimate a linear regression with random effects of persons, by feasible generalised least squares.

    Parameters
    ----------
    formula : str
        As in `feols`, without effects or instruments.
    data, where, person, n_jobs
        As in `feols`; the persons must be known.
    cov : Unadjusted, Robust or Clustered (by one or two columns)
    weights : Weights, optional
        Analytic weights. The probability of observing a person does not say that of a row given the
        person, which the components of the variance need as well (Pfeffermann et al. 1998, J. Royal Statistical Society
        B 60).

    Returns
    -------
    Estimate
        The standard deviations of the two components are in the settings. Whether the effects may be taken as random is
        what `hausman` and, robustly, `mundlak` test.

    References
    ----------
    Swamy and Arora (1972, Econometrica 40), for unbalanced panels as in Baltagi and Chang (1994, J. Econometrics 62).
    """
    if not isinstance(data, Panel) and person is None:
        raise SupportError("random effects of persons need the persons: name the id column with person=...")
    if weights is not None and weights.kind != "analytic":
        raise SupportError(
            f"{weights.kind} weights of rows do not determine the components of a variance; use lr.feols without "
            "effects, or with those of persons, which is consistent under them; persons who stand for several are "
            "written out under ids of their own"
        )
    with threads(n_jobs):
        read = _read(formula, data, cov, weights, where, person, n_jobs, instruments=False)
        options = read.covariance(cov)
        if "clusters" in options:
            options = {**options, "clusters": read.frame_of(options["clusters"]), "group_debias": True}
        given = {name: read.frame_of(values[None, :]) for name, values in read.weighted().items()}
        sides = read.frame_of(read.y), read.frame_of(read.x, read.fit.names)
        model = _linearmodels("panel").RandomEffects(*sides, **given)
        found = model.fit(**options)
    components = found.variance_decomposition
    notes = {
        "effects (standard deviation)": float(np.sqrt(components["Effects"])),
        "residual (standard deviation)": float(np.sqrt(components["Residual"])),
    }
    return _taken_over(read, found, "random effects", notes)


def hausman(fixed: Estimate, random: Estimate) -> Test:
    """Test that fixed and random effects estimate the same, as they do if the effects are unrelated to the regressors.

    Parameters
    ----------
    fixed : Estimate
        Of `feols` with effects of persons.
    random : Estimate
        Of `random_effects` on the same rows. The test takes it for efficient: give both unadjusted covariances, or else
        use `mundlak`.

    Returns
    -------
    Test
        Chi-squared over its degrees of freedom, the number of coefficients that both have.

    Raises
    ------
    SupportError
        If rows or weights are not the same, the covariances are not unadjusted, or no coefficient is in both.
    NotIdentifiedError
        If the difference of the covariances is not positive definite in this sample, so that there is no statistic.

    References
    ----------
    Hausman (1978, Econometrica 46).
    """
    names = [name for name in fixed.names if name in random.names and name != "Intercept"]
    if not names or (fixed.n_row, fixed.evidence.fingerprint) != (random.n_row, random.evidence.fingerprint):
        raise SupportError(
            "the two regressions must share coefficients, and be of the same rows; effects leave out persons of a "
            "single row, so leave them out of both"
        )
    if fixed.settings["weights"] != random.settings["weights"]:
        raise SupportError("the two regressions have different weights: give both the same")
    if {fixed.cov_name, random.cov_name} != {Unadjusted().name}:
        raise SupportError("Hausman's test needs lr.Unadjusted() covariances; with others use lr.mundlak")
    apart = (fixed.params[names] - random.params[names]).to_numpy()
    spread = (fixed.cov.loc[names, names] - random.cov.loc[names, names]).to_numpy()
    scale = np.sqrt(np.diag(fixed.cov.loc[names, names]))
    if np.linalg.eigvalsh(spread / np.outer(scale, scale))[0] <= 0.0:
        raise NotIdentifiedError("fixed effects are not less precise in every direction; use lr.mundlak")
    statistic, degrees = float(apart @ np.linalg.solve(spread, apart)), len(names)
    return Test(statistic / degrees, (float(degrees), np.inf), float(stats.chi2.sf(statistic, degrees)))


# ---- columns and results ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Read:
    """The columns of a regression along its rows, and what least squares say of the same columns.

    Rows of frequency weights stand as often as they say; other weights are in `weights`, of shape (n,), or (0,).
    """

    fit: Estimate
    y: FloatArray
    x: FloatArray
    instruments: FloatArray
    endogenous: list[str]
    clusters: CodeArray
    people: IntArray
    weights: FloatArray

    def weighted(self) -> dict[str, FloatArray]:
        """Return the weights as an option of linearmodels."""
        return {"weights": self.weights} if len(self.weights) else {}

    def sides(self) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame, pd.DataFrame]:
        """Return outcome, exogenous and endogenous regressors and instruments, as linearmodels takes them."""
        x = pd.DataFrame(self.x.T, columns=list(self.fit.names))
        exogenous = x.drop(columns=self.endogenous)
        names = [f"instrument {at}" for at in range(len(self.instruments))]
        given = pd.DataFrame(self.instruments.T, columns=names)
        outcome = pd.DataFrame(self.y.T, columns=["outcome"])
        return outcome, exogenous if exogenous.shape[1] else None, x[self.endogenous], given

    def covariance(self, cov: Covariance) -> dict[str, Any]:
        """Return a covariance as the options of linearmodels."""
        if isinstance(cov, Clustered):
            return {"cov_type": "clustered", "clusters": self.clusters.T, "debiased": True}
        if isinstance(cov, Robust):
            return {"cov_type": "robust", "debiased": cov.kind == "HC1"}
        return {"cov_type": "unadjusted", "debiased": True}

    def frame_of(self, columns: Any, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Return columns keyed by person and by the place among the person's rows."""
        values = np.asarray(columns)
        values = values.T if values.shape[0] != len(self.people) else values
        starts = np.flatnonzero(np.diff(self.people, prepend=-1))
        lengths = np.diff(np.append(starts, len(self.people)))
        index = pd.MultiIndex.from_arrays([self.people, np.arange(len(self.people)) - np.repeat(starts, lengths)])
        labels = list(names) if names is not None else [f"column {at}" for at in range(values.shape[1])]
        return pd.DataFrame(values, index=index, columns=labels)


def _read(
    formula: str,
    data: Panel | pd.DataFrame,
    cov: Covariance,
    weights: Weights | None,
    where: str | None,
    person: str | None,
    n_jobs: int | None,
    *,
    instruments: bool,
) -> _Read:
    """Estimate by least squares, and read the columns that were kept."""
    check_options(cov, weights, None)
    allowed = isinstance(cov, Unadjusted | Clustered) or (isinstance(cov, Robust) and cov.kind in ("HC0", "HC1"))
    if not allowed or (isinstance(cov, Clustered) and len(cov.clusters) > 2):
        raise SupportError(
            "cov is lr.Unadjusted(), lr.Robust('HC0' or 'HC1') or lr.Clustered(...) by up to two columns"
        )
    specifications = parse(formula)
    (given, *others) = specifications
    if others or given.effects or bool(given.endogenous) != instruments:
        with_them = "with instruments" if instruments else "without instruments"
        raise SupportError(f"one regression {with_them} and without absorbed effects is estimated: write C(year)")
    fit = feols(formula, data, cov=cov, weights=weights, where=where, person=person, n_jobs=n_jobs)
    assert isinstance(fit, Estimate)
    panel = estimation_panel(data, specifications, cov.columns, weights, where=where, person=person)
    variables = Variables(panel)
    weighting = None if weights is None else (weights, numbers(panel, weights.column))
    sample = sample_of(panel, given, cov.columns, weighting, variables)
    design = build_design(sample, [given], variables, weighting)
    (model,) = design.models
    at = {name: place for place, name in model.names.items() if place in (*model.exogenous, *model.endogenous)}
    regressors = [CONSTANT if name == "Intercept" else at[name] for name in fit.names]
    places = np.array([model.outcome, *regressors, *model.instruments], dtype=np.int64)
    columns, people, rows = columns_along(design, places)
    codes = []
    for name in cov.clusters if isinstance(cov, Clustered) else ():
        found = variables.coded(tuple(name.split("^")), labelled=False)
        along = found.codes if found.level == "year" else expand(found.codes, panel.offsets)
        codes.append(along[rows])
    clusters, of_rows = np.array(codes), np.empty(0)
    if weighting is not None:
        of_rows = np.asarray(sample.on_rows(weighting[1].values, weighting[1].level), dtype=np.float64)
    if design.weight_kind == "frequency":
        times = of_rows.astype(np.int64)
        columns, people, of_rows = np.repeat(columns, times, axis=1), np.repeat(people, times), np.empty(0)
        clusters = np.repeat(clusters, times, axis=1) if len(clusters) else clusters
    last = 1 + len(regressors)
    endogenous = [model.names[place] for place in model.endogenous]
    return _Read(fit, columns[:1], columns[1:last], columns[last:], endogenous, clusters, people, of_rows)


def _taken_over(read: _Read, found: Any, method: str, notes: dict[str, Any]) -> Estimate:
    """Return linearmodels' coefficients and covariance with the counts and evidence of least squares."""
    names = list(read.fit.names)
    values = np.asarray(found.params[names], dtype=np.float64)
    residuals = (read.y - values @ read.x).ravel()
    squares = residuals**2 * read.weights if len(read.weights) else residuals**2
    return dataclasses.replace(
        read.fit,
        method=method,
        values=values,
        covariance=np.asarray(found.cov.loc[names, names], dtype=np.float64),
        fit={**read.fit.fit, "rss": float(squares.sum())},
        settings={**read.fit.settings, "path": "linearmodels", **notes},
    )


def _linearmodels(part: str) -> Any:
    """Return a part of linearmodels, or say what to do without it."""
    try:
        return importlib.import_module(f"linearmodels.{part}")
    except ImportError as error:
        raise ImportError("this estimator is that of linearmodels: install linearmodels") from error
