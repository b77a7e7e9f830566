"""The demo: from simulated tables to released files, twice."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from leoreturns import demo
from leoreturns.__main__ import main
from leoreturns.disclosure import Released
from leoreturns.errors import DisclosureError

PERSONS = 3_000


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Released, str]:
    """Return what one run released, and its report."""
    parts: list[str] = []
    released = demo.run_demo(tmp_path_factory.mktemp("demo"), show=parts.append, persons=PERSONS)
    return released, "\n".join(parts)


def test_the_demo_leaves_tables_and_figures_and_nothing_else(ran: tuple[Released, str]) -> None:
    released, report = ran
    assert released.path.name == demo.FOLDER
    assert {path.name for path in released.path.iterdir()} == set(released.files)
    assert [path.name for path in released.path.parent.iterdir()] == [demo.FOLDER]
    assert {"activities_activities_chart.png", "year_13_earnings_by_sex_gaps.png"} <= set(released.files)
    assert "Simulating 3,000 persons" in report and str(released.path) in report


def test_released_shares_add_up_but_for_what_is_hidden(ran: tuple[Released, str]) -> None:
    released, _ = ran
    cells = pd.read_csv(released.path / "activities_activities.csv", na_values="c")
    sums = cells.groupby("years_since_ks4")["share"].agg(["sum", "count", "size"])
    whole = sums[sums["count"] == sums["size"]]
    assert len(whole) > 0 and ((whole["sum"] - 100).abs() < 0.5).all()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo ask one question of few persons."""
    question = {"ask": "education_levels", "name": "levels", "characteristics": ["sex"]}
    monkeypatch.setattr(demo, "STUDY", {**demo.STUDY, "question": [question]})
    monkeypatch.setattr(demo, "PERSONS", 500)


@pytest.mark.usefixtures("short")
def test_a_second_run_replaces_the_first_and_nothing_else(tmp_path: Path) -> None:
    def run() -> Result:
        return CliRunner().invoke(main, ["demo", "--to", str(tmp_path)])

    assert run().exit_code == 0
    folder = tmp_path / demo.FOLDER
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) >= {"README.txt", "levels_degree_by_sex.csv"}
    assert run().exit_code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "mine.txt").write_text("kept")
    done = run()
    assert done.exit_code == 1
    assert "is not an earlier demo's" in done.output and "Traceback" not in done.output
    assert (folder / "mine.txt").read_text() == "kept"


def test_a_link_in_the_place_of_the_demo_is_refused(tmp_path: Path, ran: tuple[Released, str]) -> None:
    released, _ = ran
    (tmp_path / demo.FOLDER).symlink_to(released.path)
    with pytest.raises(DisclosureError, match="not an earlier demo's"):
        demo._clear_earlier(tmp_path / demo.FOLDER, released)
    assert released.path.is_dir()
