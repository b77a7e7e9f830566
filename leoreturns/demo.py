"""The showcase on simulated persons: an extract, the panel, the questions of the Department's report, a release.

Nobody in it exists. The study below is what a study file holds; see `leoreturns.study`.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from leoreturns.disclosure import Released
from leoreturns.errors import DisclosureError
from leoreturns.extract.simulate import simulate_extract
from leoreturns.study import run_study, study_of

FOLDER = "showcase"
PERSONS, SEED = 60_000, 2021
BY = ["sex", "fsm"]
STUDY: Mapping[str, Any] = {
    "title": "Post-16 education and labour market activities, pathways and outcomes: simulated persons",
    "panel": {"path": "panel"},
    "extract": {
        "path": "extract",
    },
    "definitions": {"preset": "dfe-2021", "deflator": "illustrative"},
    "plan": {"n_replicates": 999, "seed": SEED},
    "question": [
        {
            "ask": "main_activities",
            "name": "activities",
            "release": ["activities", "activities_chart", "activities_by_education_level*", "activities_by_*_chart"],
        },
        {
            "ask": "earnings_trajectories",
            "name": "trajectories",
            "characteristics": BY,
            "statistics": ["p50"],
            "intervals": True,
        },
        {
            "ask": "labour_outcomes",
            "name": "year_13",
            "intervals": True,
            "release": [f"*_by_{name}*" for name in (*BY, "ks4_five_ac", "education_level")],
        },
        {
            "ask": "education_levels",
            "name": "levels",
            "intervals": True,
            "release": ["degree", "level_3_among_non_graduates", *(f"*_by_{name}" for name in BY)],
        },
        {"ask": "pathways", "name": "pathways", "characteristics": BY, "level": False},
    ],
    "release": {"policy": "ons-srs", "to": "release"},
}


def run_demo(to: Path, show: Callable[[str], None] = print, *, persons: int = PERSONS) -> Released:
    """Run from a simulated extract to released files, telling what happens.

    Parameters
    ----------
    to : Path
        Folder in which ``showcase`` is made. One that an earlier demo left is replaced; any other is refused. Extract
        and panel are temporary.
    show : callable
        Takes each part of the report.
    persons : int
        How many are simulated.

    Returns
    -------
    Released
        The files.

    Raises
    ------
    DisclosureError
        If ``showcase`` exists and is not an earlier demo's.
    """
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="leoreturns-demo-") as name:
        folder, start = Path(name), time.perf_counter()
        show(f"Simulating {persons:,} persons")
        simulate_extract(folder / "extract", n_persons=persons, seed=SEED).close()
        # Beside its place first: what an earlier demo left goes when its successor is whole.
        with tempfile.TemporaryDirectory(prefix=f".{FOLDER}-", dir=to) as beside:
            study = replace(study_of(STUDY, folder), to=Path(beside) / "release")
            released = run_study(study, show)
            _clear_earlier(to / FOLDER, released)
            released.path.rename(to / FOLDER)
    released = replace(released, path=to / FOLDER)
    show(f"{released!r}\nin {time.perf_counter() - start:.0f} s")
    return released


def _clear_earlier(folder: Path, released: Released) -> None:
    """Remove the folder of an earlier demo: one that holds nothing but files of the names that are there now."""
    if not folder.exists() and not folder.is_symlink():
        return
    plain = folder.is_dir() and not folder.is_symlink()
    if not plain or {path.name for path in folder.iterdir()} != set(released.files):
        raise DisclosureError(f"'{folder}' exists already and is not an earlier demo's: move it away")
    shutil.rmtree(folder)
