"""The plug-in protocol of maketables: what its ETable asks a regression for, without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd


class _Fitted(Protocol):
    """What the protocol reads of a regression."""

    outcome: str
    nobs: int
    n_person: int
    cov_name: str
    n_clusters: Mapping[str, int]
    effects: Mapping[str, int]
    r2: float
    r2_adjusted: float
    r2_within: float
    rmse: float
    level: float

    def to_frame(self, level: float | None = ...) -> pd.DataFrame: ...

    def _is_small(self) -> bool: ...


class Maketables:
    """Attributes by which ``maketables.ETable`` reads a regression; those of fewer than 10 persons are blank."""

    __slots__ = ()

    @property
    def __maketables_coef_table__(self: _Fitted) -> pd.DataFrame:
        """Coefficients with their uncertainty, under the names of maketables."""
        frame = self.to_frame()
        ends = {"low": f"ci{100 * self.level:g}l", "high": f"ci{100 * self.level:g}u"}
        names = {"coefficient": "b", "std_error": "se", "t": "t", "p": "p", **ends}
        found = frame.rename(columns=names).rename_axis("Coefficient")
        return found * np.nan if self._is_small() else found

    def __maketables_stat__(self: _Fitted, key: str) -> Any:
        """Return a measure of the fit by its key; None for one that is not known."""
        if self._is_small():
            return None
        known = {
            "N": self.nobs,
            "persons": self.n_person if self.n_person >= 0 else None,
            "r2": self.r2,
            "adj_r2": self.r2_adjusted,
            "r2_within": self.r2_within if self.effects else None,
            "rmse": self.rmse,
            "se_type": self.cov_name,
        }
        return known.get(key)

    @property
    def __maketables_depvar__(self: _Fitted) -> str:
        """The outcome."""
        return self.outcome

    @property
    def __maketables_fixef_string__(self: _Fitted) -> str | None:
        """Absorbed effects, joined by plus signs."""
        return "+".join(self.effects) or None

    @property
    def __maketables_vcov_info__(self: _Fitted) -> dict[str, Any]:
        """The covariance and its clusters."""
        return {"vcov_type": self.cov_name, "clustervar": list(self.n_clusters)}

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        """Labels of measures that maketables does not know."""
        return {"persons": "Persons"}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        """Measures shown unless others are asked for."""
        return ["persons", "N", "r2", "r2_within", "se_type"]
