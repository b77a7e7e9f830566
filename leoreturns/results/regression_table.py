"""RegressionTable: several regressions side by side, as the field prints them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from leoreturns.errors import SupportError
from leoreturns.results.estimate import INSIDE_ONLY, LEVEL, Estimate, Estimates
from leoreturns.results.flow import MASK
from leoreturns.results.labels import one_line
from leoreturns.results.layout import Layout

Below: TypeAlias = Literal["std_error", "t", "p", "interval"]
Tabled: TypeAlias = Estimate | Estimates
INTERCEPT = "Intercept"
PARTS = ("coefficient", "std_error", "t", "p", "low", "high")
DIGITS = 4  # significant, as in a release
BELOW = {
    "std_error": "Standard errors in parentheses.",
    "t": "t statistics in parentheses.",
    "p": "p-values in brackets.",
    "interval": "{level:g} per cent confidence intervals in brackets.",
}
CLUSTERS = "clusters_"  # before the name of what they are
COUNTS = {"n_person": "Persons", "n_row": "Rows"}
MEASURES = {"r2": "R2", "r2_within": "R2 within", "effective_f": "Effective F"}
FACTORS = re.compile(r"(?<!:):(?!:)")  # a single colon joins the factors of a product, two the level to its column


@dataclass(frozen=True, slots=True)
class Texts:
    """The numbers of a table as they are written; what is not there is blank.

    Attributes
    ----------
    coefficients : mapping of (model, coefficient, part) -> str
        Parts are "coefficient", "std_error", "t", "p", "low" and "high".
    fits : mapping of (model, statistic) -> str
    """

    coefficients: Mapping[tuple[int, str, str], str]
    fits: Mapping[tuple[int, str], str]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RegressionTable:
    """Regressions side by side: a column each, coefficients with their uncertainty beneath, then effects and counts.

    Attributes
    ----------
    models : tuple of Estimate
    headings : tuple of str
        Of the columns.
    rows : tuple of str
        Coefficients shown, from top to bottom.
    below : "std_error", "t", "p" or "interval"
        What stands beneath a coefficient.
    labels : mapping of str -> str
        Labels of coefficients, columns, levels (``"route::vocational"``), outcomes and effects.
    stars : tuple of float
        Levels of significance marked by stars, descending; none by default.
    level : float
        Of the intervals.
    title : str
    """

    models: tuple[Estimate, ...]
    headings: tuple[str, ...]
    rows: tuple[str, ...]
    below: Below
    labels: Mapping[str, str]
    stars: tuple[float, ...]
    level: float
    title: str

    def to_frame(self) -> pd.DataFrame:
        """Return the cells as text: one row per line of the table, one column per regression."""
        layout = self._inside()
        rows = [row for section in layout.sections for row in section]
        return pd.DataFrame([row[1:] for row in rows], index=[row[0] for row in rows], columns=list(self.headings))

    def to_text(self) -> str:
        """Return the table as plain text; regressions of fewer than 10 persons are masked."""
        return self._inside().text()

    def to_markdown(self) -> str:
        """Return the table in Markdown; regressions of fewer than 10 persons are masked."""
        return self._inside().markdown()

    def to_latex(self) -> str:
        """Return the table in LaTeX, with the rules of booktabs; regressions of fewer than 10 persons are masked."""
        return self._inside().latex()

    def to_html(self) -> str:
        """Return the table in HTML; regressions of fewer than 10 persons are masked."""
        return self._inside().html()

    def layout(self, texts: Texts, notes: Sequence[str] = ()) -> Layout:
        """Put numbers as they are written into the table's places.

        Parameters
        ----------
        texts : Texts
            Of the coefficients and of the fits.
        notes : sequence of str
            Under the table's own.
        """
        header = [["", *self.headings], ["", *(self.label(model.outcome) for model in self.models)]]
        sections = [self._coefficients(texts), self._effects(), self._fits(texts)]
        own = [BELOW[self.below].format(level=100 * self.level)]
        if self.stars:
            own.append(", ".join(f"{'*' * (at + 1)} p < {level:g}" for at, level in enumerate(self.stars)))
        return Layout(header, [section for section in sections if section], [*own, *notes], self.title)

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _coefficients(self, texts: Texts) -> list[list[str]]:
        lines = []
        for name in self.rows:
            upper, lower = [self.label(name)], [""]
            for number in range(len(self.models)):
                parts = {part: texts.coefficients.get((number, name, part), "") for part in PARTS}
                upper.append(parts["coefficient"] + self._stars(parts["p"]))
                lower.append(self._beneath(parts))
            lines += [upper, lower]
        return lines

    def _beneath(self, parts: Mapping[str, str]) -> str:
        if self.below == "interval":
            ends = (parts["low"], parts["high"])
            return f"[{', '.join(ends)}]" if any(map(_is_number, ends)) else ends[0]  # one end may be infinite
        written = parts[self.below]
        if not _is_number(written):
            return written
        return f"[{written}]" if self.below == "p" else f"({written})"

    def _stars(self, pvalue: str) -> str:
        """Return one star for each level that a p-value, as it is written, lies below."""
        return "*" * sum(float(pvalue) < level for level in self.stars) if _is_number(pvalue) else ""

    def _effects(self) -> list[list[str]]:
        names = dict.fromkeys(name for model in self.models for name in model.effects)
        return [
            [f"{self.label(name)} effects", *("yes" if name in model.effects else "" for model in self.models)]
            for name in names
        ]

    def _fits(self, texts: Texts) -> list[list[str]]:
        found = dict.fromkeys(name for model in self.models for name in fit_statistics(model))
        clusters = [name for name in found if name.startswith(CLUSTERS)]
        labels = {name: f"Clusters of {self.label(name.removeprefix(CLUSTERS))}" for name in clusters}
        lines = [
            [label, *(texts.fits.get((number, name), "") for number in range(len(self.models)))]
            for name, label in {**COUNTS, **labels, **MEASURES}.items()
            if name in found
        ]
        if len({model.method for model in self.models}) > 1:
            lines.append(["Estimator", *(model.method for model in self.models)])
        lines.append(["Standard errors", *(model.cov_name for model in self.models)])
        return lines

    def label(self, name: str) -> str:
        """Return the label of a coefficient or column: the caller's, or one made of those of its parts."""
        if name in self.labels:
            return one_line(self.labels[name])
        factors = []
        for factor in FACTORS.split(name):
            column, level, rest = factor.partition("::")
            whole = f"{self.labels.get(column, column)}: {rest}" if level else self.labels.get(factor, factor)
            factors.append(self.labels.get(factor, whole))
        return one_line(" x ".join(factors))

    def _inside(self) -> Layout:
        """Return the table of the numbers as they are, small regressions masked."""
        coefficients, fits = {}, {}
        for number, model in enumerate(self.models):
            small = model._is_small()
            for name, row in model.to_frame(self.level).iterrows():
                for part in PARTS:
                    written = MASK if small else significant(float(row[part]))
                    coefficients[number, str(name), part] = written
                if not small:
                    coefficients[number, str(name), "p"] = f"{row['p']:.3f}"
            for name, value in fit_statistics(model).items():
                shown = significant(value) if name in MEASURES else f"{value:,.0f}"
                fits[number, name] = MASK if small else shown
        return self.layout(Texts(coefficients, fits), [INSIDE_ONLY])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()


def table(
    estimates: Tabled | Sequence[Tabled] | Mapping[str, Tabled],
    *,
    below: Below = "std_error",
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    order: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    stars: Sequence[float] = (),
    level: float | None = None,
    title: str = "",
) -> RegressionTable:
    """Put regressions side by side.

    Parameters
    ----------
    estimates : Estimate, Estimates, or a sequence or mapping of these
        Columns, from left to right. The names of a mapping, or the parts of a split, stand in the headings.
    below : "std_error", "t", "p" or "interval"
        What stands beneath each coefficient.
    keep, drop : sequence of str
        Regular expressions, searched for in the names of coefficients: those of any of `keep`, but of none of `drop`.
    order : sequence of str
        Regular expressions: coefficients of the first come first, then those of the second, then all others. The
        intercept is last unless it is named.
    labels : mapping of str -> str, optional
        Labels of coefficients, columns, levels (``"route::vocational"``), outcomes and effects. Products and levels
        without a label are made of those of their parts.
    stars : sequence of float
        Levels of significance to mark, such as ``(0.1, 0.05, 0.01)``. None by default: an interval says more.
    level : float, optional
        Of the intervals; by default that at which they were drawn, where there is a bootstrap, else 0.95.
    title : str

    Returns
    -------
    RegressionTable
        For a look inside in plain text, Markdown, LaTeX or HTML; `release` takes it and writes protected numbers.

    Raises
    ------
    SupportError
        If no coefficient is left to show.
    """
    if below not in get_args(Below):
        raise ValueError(f"below is one of {', '.join(map(repr, get_args(Below)))}, not {below!r}")
    if any(not 0.0 < each < 1.0 for each in stars):
        raise ValueError("stars are levels of significance between 0 and 1, such as (0.1, 0.05, 0.01)")
    named = list(_named(estimates))
    if not named:
        raise SupportError("a table needs at least one regression")
    headings = tuple(f"({at}) {one_line(name)}".rstrip() for at, (name, _) in enumerate(named, start=1))
    models = tuple(model for _, model in named)
    rows = _rows(models, keep, drop, order)
    if not rows:
        raise SupportError("no coefficient is left to show: look at keep and drop")
    if level is None:
        level = next((model.level for model in models if model.drawn is not None), LEVEL)
    descending = tuple(sorted(stars, reverse=True))
    return RegressionTable(models, headings, rows, below, dict(labels or {}), descending, level, one_line(title))


def _named(
    estimates: Tabled | Sequence[Tabled] | Mapping[str, Tabled], name: str = ""
) -> Iterable[tuple[str, Estimate]]:
    """Yield regressions with what tells them apart beyond their number."""
    if isinstance(estimates, Estimate):
        yield name, estimates
    elif isinstance(estimates, Estimates):
        for label, model in estimates.items():
            part = label.removesuffix(model.formula).removesuffix(": ")
            yield f"{name} {part}".strip(), model
    elif isinstance(estimates, Mapping):
        for label, each in estimates.items():
            yield from _named(each, str(label))
    elif isinstance(estimates, Sequence) and not isinstance(estimates, str):
        for each in estimates:
            yield from _named(each)
    else:
        raise TypeError(f"a table is made of Estimates, not of a {type(estimates).__name__}")


def _rows(
    models: Sequence[Estimate], keep: Sequence[str], drop: Sequence[str], order: Sequence[str]
) -> tuple[str, ...]:
    """Return the coefficients to be shown, in their order."""

    def found(patterns: Sequence[str], name: str) -> list[int]:
        return [at for at, pattern in enumerate(patterns) if re.search(pattern, name)]

    names = dict.fromkeys(name for model in models for name in model.names)
    shown = [name for name in names if (not keep or found(keep, name)) and not found(drop, name)]
    last = len(order)
    return tuple(sorted(shown, key=lambda name: min([*found(order, name), last + (name == INTERCEPT)])))


def fit_statistics(model: Estimate) -> dict[str, float]:
    """Return the counts and measures of fit that a table shows of a regression; what is not defined is left out."""
    stages = list(model.first_stages.values())
    numbers = {
        "n_person": model.n_person if model.n_person >= 0 else np.nan,
        "n_row": model.n_row,
        **{f"{CLUSTERS}{name}": count for name, count in model.n_clusters.items()},
        "r2": np.nan if stages else model.r2,
        "r2_within": np.nan if stages else model.r2_within,
        "effective_f": stages[0].effective if len(stages) == 1 else np.nan,
    }
    return {name: float(number) for name, number in numbers.items() if np.isfinite(number)}


def significant(number: float, digits: int = DIGITS) -> str:
    """Return a number to some significant figures, in plain decimal notation; blank where there is none."""
    if not np.isfinite(number):
        return "" if np.isnan(number) else str(number)
    rounded = Decimal(repr(float(number)))
    for _ in range(2):  # 9.9996 became 10.000 at four figures: one too many
        rounded = rounded.quantize(Decimal(1).scaleb(rounded.adjusted() - digits + 1), rounding=ROUND_HALF_EVEN)
    return f"{rounded:,f}" if rounded else "0"


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(",", "").replace(".", "").isdigit()
