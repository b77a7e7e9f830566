"""Sums of effects of characteristics by level and year, looked up for whole combinations at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from leoreturns._typing import AnyArray, FloatArray
from leoreturns.extract.simulate.population import GROUPS

YEARS = 15  # published; later years are like the last
# Dimensions whose effects are added up once, for all combinations of their groups; a last group is not known.
TOGETHER = (
    ("sex", "fsm", "sen", "school_type", "ks4_five_ac", "first_language"),
    ("ethnicity_minor", "school_region", "idaci"),
)


class Effects:
    """Effects by dimension (groups by levels, years and what else there is), and "all" for what everybody has.

    Parameters
    ----------
    effects : mapping of dimension -> array
        Groups by levels by years and further axes; "all" has no groups.
    """

    def __init__(self, effects: Mapping[str, FloatArray]) -> None:
        tables = []
        for dimensions in TOGETHER:
            total = np.zeros((1, *effects["all"].shape))
            for name in dimensions:
                added = np.concatenate([effects[name], np.zeros((1, *effects["all"].shape))])
                total = (total[:, None] + added).reshape(-1, *effects["all"].shape)
            tables.append(total)
        tables[0] = tables[0] + effects["all"]
        # By year first, so that a year's lookups lie together.
        self._tables = tuple(np.ascontiguousarray(np.moveaxis(table, 2, 0)).astype(np.float32) for table in tables)

    @staticmethod
    def places(codes: Mapping[str, AnyArray]) -> tuple[AnyArray, ...]:
        """Return where persons with these codes stand in the tables."""
        found = []
        for dimensions in TOGETHER:
            place = np.zeros(len(codes["sex"]), np.int64)
            for name in dimensions:
                size = len(GROUPS[name])
                place = place * (size + 1) + np.where(codes[name] < 0, size, codes[name])
            found.append(place)
        return tuple(found)

    def of(self, places: tuple[AnyArray, ...], level: AnyArray, year: int) -> FloatArray:
        """Return the sum of effects in a year after key stage 4 (1, 2, ...)."""
        at = min(year, YEARS) - 1
        first, second = (table[at][place, level] for table, place in zip(self._tables, places, strict=True))
        total: FloatArray = first + second
        return total
