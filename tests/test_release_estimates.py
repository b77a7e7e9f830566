"""Release of regressions: coefficients that few persons stand behind stay, the others leave rounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_feols_evidence import people

import leoreturns as lr
from leoreturns.disclosure.estimates import REASONS, protect_curve, protect_regressions
from leoreturns.results.protected import ProtectedTable

FRAME = people()
BASE = lr.Policy("ons-srs")


def estimate(formula: str, data: pd.DataFrame = FRAME, cov: lr.Covariance | None = None, **options: str) -> lr.Estimate:
    found = lr.feols(formula, data, cov=cov or lr.Clustered("person"), person="person", **options)  # type: ignore[arg-type]
    assert isinstance(found, lr.Estimate)
    return found


def protected(*estimates: lr.Estimate, policy: lr.Policy = BASE) -> tuple[ProtectedTable, ProtectedTable]:
    return protect_regressions(lr.table(list(estimates)), policy)


def texts(found: lr.Estimate, policy: lr.Policy = BASE) -> dict[str, str]:
    shown, _ = protected(found, policy=policy)
    return dict(zip(shown.keys["name"].values(), shown.texts["coefficient"], strict=True))


def reasons(found: lr.Estimate, part: str = "coefficient") -> set[str]:
    shown, _ = protected(found)
    return {REASONS[at - 1] for at in shown.columns[part].hidden.tolist() if at}


@pytest.mark.parametrize(
    ("formula", "hidden"),
    [
        ("y ~ exper + group", set()),
        ("y ~ exper + one", {"one", "Intercept"}),
        ("y ~ exper + three", {"three", "Intercept"}),
        ("y ~ exper + treated + small_school + treated:small_school", {"small_school", "treated:small_school"}),
        ("y ~ exper + outlier", {"outlier", "Intercept"}),
        ("y ~ exper + moved | person + year", {"moved"}),
    ],
)
def test_a_coefficient_of_few_persons_is_hidden_and_the_others_are_not(formula: str, hidden: set[str]) -> None:
    found = estimate(formula)
    shown = texts(found)
    others = set(found.names) - hidden - {"Intercept"}
    assert {name for name, text in shown.items() if text == "c"} - {"Intercept"} == hidden - {"Intercept"}
    assert ("Intercept" in found.names and shown["Intercept"] == "c") == bool(hidden and "Intercept" in found.names)
    for name in others:
        assert float(shown[name]) == pytest.approx(found.params[name], rel=5e-4)


def test_what_is_hidden_is_hidden_with_its_uncertainty() -> None:
    shown, _ = protected(estimate("y ~ exper + one"))
    at = list(shown.keys["name"].values()).index("one")
    assert {column.texts[at] for column in shown.columns.values()} == {"c"}


def test_numbers_are_rounded_to_four_figures_and_counts_to_five() -> None:
    found = estimate("y ~ exper + group")
    shown, fits = protected(found)
    for name, text, error, p in zip(
        shown.keys["name"].values(),
        *(shown.texts[part] for part in ("coefficient", "coefficient_se", "p")),
        strict=True,
    ):
        assert text == f"{found.params[name]:.4g}".rstrip("0").ljust(len(text), "0")
        assert float(error) == float(f"{found.std_errors[name]:.4g}")
        assert float(p) == round(found.pvalues[name], 3)
    odd = estimate("y ~ exper", FRAME[FRAME.person < 397])
    _, fits = protected(odd)
    assert (odd.n_person, odd.n_row) == (397, 3970)
    assert {name: fits.texts[name] for name in ("n_person", "n_row", "clusters_person")} == {
        "n_person": ("395",),
        "n_row": ("3970",),
        "clusters_person": ("395",),
    }
    assert fits.texts["r2"] == (f"{odd.r2:.3g}",)
    assert texts(odd, lr.Policy("coarse", estimate_sigfig=2))["exper"] == f"{odd.params['exper']:.2g}"


def test_a_regression_of_few_persons_is_hidden_as_a_whole() -> None:
    few = estimate("y ~ exper", FRAME[FRAME.person < 9])
    shown, fits = protected(few)
    assert {text for column in (shown, fits) for each in column.texts.values() for text in each} == {"c"}


def test_degrees_of_freedom_are_counted_in_persons() -> None:
    rows = FRAME[FRAME.person < 18]
    found = estimate("y ~ exper | year", rows)
    assert found.df_resid > 100 and found.evidence.df_persons < 10
    assert reasons(found) == {REASONS[1]}


def test_a_table_of_means_is_no_regression() -> None:
    found = estimate("y ~ group", FRAME.assign(group=np.where(FRAME.group > 0, "yes", "no")))
    assert found.evidence.saturated
    with pytest.raises(lr.DisclosureError, match="'group': none of its 1 levels"):
        protected(found)
    numbers = estimate("y ~ C(treated) * C(half) - C(treated):C(half)", FRAME.assign(half=FRAME.year % 2))
    assert not numbers.evidence.saturated and not reasons(numbers)


def test_an_exact_fit_is_hidden() -> None:
    assert reasons(estimate("z ~ exper", FRAME.assign(z=2.0 * FRAME.exper + 1.0), lr.Robust("HC1"))) == {REASONS[3]}


def test_coefficients_are_no_more_than_a_tenth_of_the_persons() -> None:
    draw = np.random.default_rng(2)
    rows = FRAME[FRAME.person < 60].assign(**{f"z{at}": draw.normal(size=600) for at in range(6)})
    assert reasons(estimate("y ~ z0 + z1 + z2 + z3 + z4", rows)) == set()
    assert reasons(estimate("y ~ z0 + z1 + z2 + z3 + z4 + z5", rows)) == {REASONS[4]}


def test_a_standard_error_of_few_clusters_is_hidden_and_the_coefficient_is_not() -> None:
    nine = FRAME.assign(region=FRAME.person % 9)
    found = estimate("y ~ exper", nine, lr.Clustered("region"))
    shown, _ = protected(found)
    assert "c" not in shown.texts["coefficient"] and set(shown.texts["coefficient_se"]) == {"c"}
    both = estimate("y ~ exper", nine, lr.Clustered("region", "person"))
    assert not reasons(both, "coefficient_se")


def test_levels_that_would_list_small_units_are_refused() -> None:
    for column in (FRAME.person % 200, FRAME.person / 7):
        with pytest.raises(lr.DisclosureError, match="levels"):
            protected(estimate("y ~ exper + C(unit)", FRAME.assign(unit=column)))
    small = FRAME.assign(region=np.where(FRAME.person < 4, "islands", np.where(FRAME.person % 2, "north", "south")))
    shown = texts(estimate("y ~ exper + C(region, ref='south')", small))
    assert shown["region::islands"] == "c" and shown["region::north"] != "c"


def test_a_split_that_would_list_small_units_is_refused() -> None:
    units = FRAME.assign(unit=FRAME.person // 9)
    split = lr.feols("y ~ exper", units, cov=lr.Clustered("person"), person="person", split="unit")
    assert isinstance(split, lr.Estimates)
    with pytest.raises(lr.DisclosureError, match="of 45 regressions, 45 have no number"):
        protect_regressions(lr.table(split), BASE)
    halves = lr.feols(
        "y ~ exper", units.assign(unit=FRAME.person // 200), cov=lr.Clustered("person"), person="person", split="unit"
    )
    assert isinstance(halves, lr.Estimates)
    shown, _ = protect_regressions(lr.table(halves), BASE)
    assert "c" not in shown.texts["coefficient"]
    samples = {f"unit {number}": f"unit == {number}" for number in range(12)}
    curve = lr.specification_curve("y", "exper", units, cov=lr.Clustered("person"), samples=samples, person="person")
    with pytest.raises(lr.DisclosureError, match="of 12 choices of sample, 12"):
        protect_curve(curve, BASE)


def test_persons_must_be_known() -> None:
    found = lr.feols("y ~ exper", FRAME, cov=lr.Robust("HC1"))
    with pytest.raises(lr.DisclosureError, match="person id required"):
        lr.release({"fit": found}, policy="ons-srs", to=Path("/nowhere"))  # type: ignore[dict-item]


def test_a_release_writes_coefficients_counts_and_the_table(tmp_path: Path) -> None:
    first, second = estimate("y ~ exper + group"), estimate("y ~ exper + one | year")
    table = lr.table({"pooled": first, "years": second}, keep=["exper", "one"], stars=(0.05,), labels={"one": "Only"})
    both = lr.feols("y ~ sw(exper, group)", FRAME, cov=lr.Clustered("person"), person="person")
    assert isinstance(both, lr.Estimates)
    released = lr.release({"table": table, "one": first, "two": both}, policy="ons-srs", to=tmp_path / "out")
    assert released.files[:4] == ("README.txt", "table.csv", "table.md", "table_fit.csv")
    assert released.n_cells == {"table": 3, "table_fit": 2, "one": 3, "one_fit": 1, "two": 4, "two_fit": 2}
    assert released.suppressed["table"]["coefficient"] == 1
    read = pd.read_csv(tmp_path / "out" / "table.csv", na_values="c")
    assert read.columns.tolist() == [
        "model", "name", "coefficient", "coefficient_se", "coefficient_low", "coefficient_high", "t", "p",
    ]  # fmt: skip
    assert read["name"].tolist() == ["exper", "exper", "one"] and read["coefficient"].isna().tolist() == [
        False,
        False,
        True,
    ]
    shown = (tmp_path / "out" / "table.md").read_text()
    assert "| Only |  | c |" in shown and "| exper | 0." in shown and "| year effects |  | yes |" in shown
    assert "Inside only" not in shown
    readme = (tmp_path / "out" / "README.txt").read_text()
    assert "standard errors clustered by person" in readme and "fewer persons with another value" in readme


def test_no_exact_number_is_in_any_file(tmp_path: Path) -> None:
    found = estimate("y ~ exper + group | year")
    lr.release({"fit": found}, policy="ons-srs", to=tmp_path / "out")
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir()).decode()
    exact = [*found.values, *np.diag(found.covariance) ** 0.5, *found.tstats, found.r2, found.fit["rss"]]
    for number in exact:
        assert f"{abs(number):.6g}" not in written
    assert str(found.evidence.fingerprint) not in written


def test_the_same_release_has_the_same_bytes(tmp_path: Path) -> None:
    found = estimate("y ~ exper + group | year")
    for name in ("a", "b"):
        lr.release({"fit": found}, policy="ons-srs", to=tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
