"""Building a panel: the same bytes however it is done, stopped and resumed; what is absent is named."""

import itertools
import json
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from build_cases import (
    build_killed,
    built,
    definitions,
    digest,
    linked_copy,
    lookups_of,
    opened,
    replaced,
    shuffled,
    simulated,
)

from leoreturns._parallel import threads
from leoreturns.errors import PanelError
from leoreturns.panel import build, columns, store
from leoreturns.panel.inputs import READ, all_read
from leoreturns.panel.panel import Panel
from leoreturns.panel.person_lists import LISTS
from leoreturns.panel.waterfall import Waterfall

PERSONS, BLOCK = 240, 75


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(build, "BLOCK_PERSONS", BLOCK)


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("extract") / "leo", PERSONS)


@pytest.fixture(scope="module")
def undisturbed(extract, tmp_path_factory):
    """The panel of a build that nothing disturbed, stored."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "BLOCK_PERSONS", BLOCK)
        target = tmp_path_factory.mktemp("undisturbed") / "panel"
        built(extract, target)
        return target


def assert_same(target, undisturbed):
    assert digest(target) == digest(undisturbed)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


# ---- the same bytes -------------------------------------------------------------------------------------------------


def test_the_panel_has_several_parts(undisturbed):
    assert Panel.scan(undisturbed).partitions >= 3


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("n_jobs", [2, 3])
def test_any_number_of_threads_gives_the_same_bytes(n_jobs, extract, undisturbed, tmp_path):
    built(extract, tmp_path / "panel", n_jobs=n_jobs)
    assert_same(tmp_path / "panel", undisturbed)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_and_partition_of_the_rows_gives_the_same_bytes(seed, extract, undisturbed, tmp_path):
    other = shuffled(extract, tmp_path / "leo", seed)
    (tmp_path / "to").mkdir()
    built(other, tmp_path / "to" / "panel")
    assert_same(tmp_path / "to" / "panel", undisturbed)


@pytest.mark.usefixtures("small_blocks")
def test_frames_give_the_same_bytes_as_files(extract, undisturbed, tmp_path):
    frames = {}
    for path in sorted(extract.glob("*/*.parquet")):
        frames[path.stem.removesuffix("-00000")] = pd.read_parquet(path)
    with opened_frames(frames, extract) as source:
        build.build_panel(source, definitions=definitions(), to=tmp_path / "panel")
    assert_same(tmp_path / "panel", undisturbed)


def opened_frames(frames, extract):
    from leoreturns.extract.source import open_extract

    return open_extract(frames, lookups=lookups_of(extract))


@pytest.mark.usefixtures("small_blocks")
def test_a_folder_that_is_named_like_a_partition_or_a_pattern_is_like_any_other(extract, undisturbed, tmp_path):
    folder = tmp_path / "cohort=2003" / "TaxYear=2004 [*] 'it''s' ?"
    (folder / "to").mkdir(parents=True)
    # What the name matches as a pattern lies beside it.
    beside = folder.with_name("TaxYear=2004 * 'it''s' x")
    beside.mkdir()
    simulated(beside / "leo", 20)
    built(linked_copy(extract, folder / "leo"), folder / "to" / "panel")
    assert_same(folder / "to" / "panel", undisturbed)


def test_names_of_files_suit_every_system(undisturbed):
    assert not [name for name in digest(undisturbed) if set(name) & set(':*?"<>|\\') or name.endswith((" ", "."))]


# ---- stopped and resumed --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("seed", range(5))
def test_killed_four_times_and_resumed(seed, extract, undisturbed, tmp_path):
    rng = np.random.default_rng(seed)
    killed = [
        build_killed(extract, tmp_path / "panel", block_persons=BLOCK, moment=int(moment), n_jobs=1 + seed % 2)
        for moment in rng.integers(0, 330, 4)
    ]
    assert all(killed)
    built(extract, tmp_path / "panel")
    assert_same(tmp_path / "panel", undisturbed)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("what", ["table 'employment'", "table 'ks4_record'"])
def test_killed_while_a_table_is_half_written(what, extract, undisturbed, tmp_path):
    assert build_killed(extract, tmp_path / "panel", block_persons=BLOCK, moment=what)
    assert build_killed(extract, tmp_path / "panel", block_persons=BLOCK, moment=what)
    built(extract, tmp_path / "panel")
    assert_same(tmp_path / "panel", undisturbed)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.slow
@pytest.mark.parametrize("moment", [*range(0, 40, 2), *range(40, 1300, 60), *range(1300, 1440, 3)])
def test_killed_at_any_moment_and_resumed(moment, extract, undisturbed, tmp_path):
    killed = build_killed(extract, tmp_path / "panel", block_persons=BLOCK, moment=moment)
    if killed and (tmp_path / "panel").exists():
        # All was done, but perhaps the removal of the lock, which nobody holds any more.
        (tmp_path / ".panel.building.lock").unlink(missing_ok=True)
    elif killed:
        built(extract, tmp_path / "panel")
    assert_same(tmp_path / "panel", undisturbed)


def stopped(monkeypatch, extract, target, **options):
    """Stop a build when it has built its second block."""
    write = store.write_arrays
    turn = itertools.count()

    def stop(panel, folder):
        if next(turn) == 2:
            raise KeyboardInterrupt
        write(panel, folder)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "write_arrays", stop)
        built(extract, target, **options)


def blocks_built(monkeypatch, *arguments, **options):
    """Build, and return the number of blocks that had to be built."""
    turn = itertools.count()
    block = build._build_block

    def counted(*given):
        next(turn)
        return block(*given)

    with monkeypatch.context() as patch:
        patch.setattr(build, "_build_block", counted)
        built(*arguments, **options)
    return next(turn)


@pytest.mark.usefixtures("small_blocks")
def test_a_resumed_build_goes_on_with_what_is_done(monkeypatch, extract, undisturbed, tmp_path):
    stopped(monkeypatch, extract, tmp_path / "panel")
    parts = Panel.scan(undisturbed).partitions
    assert blocks_built(monkeypatch, extract, tmp_path / "panel") == parts - 2
    assert_same(tmp_path / "panel", undisturbed)


@pytest.mark.usefixtures("small_blocks")
def test_a_build_need_not_resume(monkeypatch, extract, undisturbed, tmp_path):
    stopped(monkeypatch, extract, tmp_path / "panel")
    parts = Panel.scan(undisturbed).partitions
    assert blocks_built(monkeypatch, extract, tmp_path / "panel", resume=False) == parts
    assert_same(tmp_path / "panel", undisturbed)


@pytest.mark.usefixtures("small_blocks")
def test_other_definitions_do_not_go_on_with_what_is_done(monkeypatch, extract, undisturbed, tmp_path):
    stopped(monkeypatch, extract, tmp_path / "panel", minimum_days=30)
    parts = Panel.scan(undisturbed).partitions
    assert blocks_built(monkeypatch, extract, tmp_path / "panel") == parts
    assert_same(tmp_path / "panel", undisturbed)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["files", "frames"])
def test_another_extract_does_not_go_on_with_what_is_done(kind, monkeypatch, extract, undisturbed, tmp_path):
    """As many rows and columns, and another amount: only a look at the contents tells."""

    def more(table):
        place = table.schema.get_field_index("Earnings")
        return table.set_column(place, "Earnings", pa.compute.add(table["Earnings"], 1))

    (tmp_path / "to").mkdir()
    other = replaced(extract, tmp_path / "leo", ("earnings",), more)
    if kind == "files":
        stopped(monkeypatch, other, tmp_path / "to" / "panel")
        assert blocks_built(monkeypatch, extract, tmp_path / "to" / "panel") >= 3
        assert_same(tmp_path / "to" / "panel", undisturbed)
        return
    stamps = []
    for path in (extract, other):
        pay = pd.read_parquet(path / "earnings")
        for frame in (pay, pay.sample(frac=1, random_state=3)):
            with opened_frames({"earnings": frame}, path) as source:
                stamps.append(json.dumps(source.stamp(all_read(source))))
    assert stamps[0] == stamps[1] != stamps[2] == stamps[3]


def test_a_folder_that_tells_another_year_is_another_extract(tmp_path):
    """The file in it stays what it is, to the time of its change."""
    stamps = []
    for year in ("2003_04", "2004_05"):
        for folder in tmp_path.iterdir():
            folder.rename(tmp_path / f"ks4_{year}")
        if not stamps:
            (tmp_path / f"ks4_{year}").mkdir()
            pupils = pd.DataFrame({"KS4_PupilMatchingRefAnonymous": ["p"], "KS4_FIVEAC": [1]})
            pupils.to_parquet(tmp_path / f"ks4_{year}" / "part-0.parquet")
        with opened(tmp_path, {}) as source:
            stamps.append(source.stamp({"ks4": ["KS4_ACADYR"]}))
    assert stamps[0] != stamps[1]


def test_an_outside_lookup_of_other_contents_is_another_extract(monkeypatch, extract, tmp_path):
    regions = pd.read_csv(lookups_of(extract)["regions"])
    stamps = []
    for frame in (regions, regions.assign(region=regions["region"].str.upper())):
        with opened(extract, {"regions": frame}) as source:
            stamps.append(build._fingerprint(source, definitions()))
    assert stamps[0] != stamps[1]


def test_the_working_folder_of_somebody_else_is_left_alone(extract, tmp_path):
    mine = tmp_path / ".panel.building"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(PanelError, match="'.panel.building' exists and is not what a build left; move it away"):
        built(extract, tmp_path / "panel")
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_few_files_are_open_at_a_time(extract, undisturbed, tmp_path):
    """The blocks together have more files than a process may hold open; an open panel holds its own."""
    arrays = len(store.stored_arrays(Panel.scan(undisturbed).schema))
    script = (
        "import sys, resource; from pathlib import Path\n"
        "from leoreturns.panel import build; import build_cases\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]),) * 2); build.BLOCK_PERSONS = 25\n"
        "panel = build_cases.built(Path(sys.argv[1]), Path(sys.argv[2]), n_jobs=2)\n"
        "import os; print(panel.n_person, len(os.listdir('/proc/self/fd')))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(extract), str(tmp_path / "panel"), str(arrays + 64)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    persons, opened_files = map(int, done.stdout.split())
    assert persons == Panel.scan(tmp_path / "panel").n_person
    assert opened_files < arrays + 32
    assert Panel.scan(tmp_path / "panel").partitions > 6


# ---- what a panel tells of its build --------------------------------------------------------------------------------


def test_a_panel_in_memory_is_that_on_disk_and_needs_no_folder(extract, undisturbed):
    held, stored = built(extract), Panel.open(undisturbed)
    pd.testing.assert_frame_equal(held.to_frame(), stored.to_frame())
    assert held.settings == stored.settings
    assert held.flow == stored.flow
    assert held.lists.keys() == stored.lists.keys() == {"subjects", "aims", "benefits"}
    for name, entries in held.lists.items():
        for field in ("offsets", "codes", "start", "end", "weight"):
            np.testing.assert_array_equal(getattr(entries, field), getattr(stored.lists[name], field))


def test_settings_and_flow_stay_with_the_panel(undisturbed, tmp_path):
    panel = Panel.open(undisturbed)
    assert panel.settings["definitions"]["name"] == "dfe-2021"
    assert panel.settings["absent"] == {}
    assert panel.settings["unlinked"] == {}
    panel.save(tmp_path / "again", partitions=3)
    for other in (Panel.open(tmp_path / "again"), Panel.scan(tmp_path / "again"), pickle.loads(pickle.dumps(panel))):
        assert other.settings == panel.settings
        assert other.flow == panel.flow
    women = panel.where("sex == 'F'")
    assert Waterfall.of(women.settings).to_frame().equals(Waterfall.of(panel.settings).to_frame())
    np.testing.assert_array_equal(Panel.scan(undisturbed).to_frame()["person"], panel.to_frame()["person"])


def test_every_person_has_a_row_for_every_tax_year(undisturbed):
    panel = Panel.open(undisturbed)
    frame = panel.to_frame()
    years = frame.groupby("person")["tax_year"].agg(["min", "max", "size"])
    cohort = frame.groupby("person")["cohort"].first()
    assert (
        (years["min"] == cohort + 1).all() and (years["max"] == 2017).all() and (years["size"] == 2017 - cohort).all()
    )


def test_the_waterfall_counts_persons_and_their_years_by_cohort(undisturbed):
    panel = Panel.open(undisturbed)
    waterfall = Waterfall.of(panel.settings)
    frame = waterfall.to_frame()
    assert list(frame.columns) == ["step", "cohort", "persons", "person_years", "persons_removed"]
    last = frame[frame["step"] == "with a tax year after key stage 4"].set_index("cohort")
    people = panel.to_frame()
    pd.testing.assert_series_equal(
        last["persons"], people.groupby("cohort")["person"].nunique(), check_dtype=False, check_names=False,
        check_index_type=False,
    )  # fmt: skip
    pd.testing.assert_series_equal(
        last["person_years"], people.groupby("cohort").size(), check_dtype=False, check_names=False,
        check_index_type=False,
    )  # fmt: skip
    assert (frame["persons_removed"] >= 0).all()
    assert waterfall.flow() == panel.flow
    totals = frame.groupby("step", sort=False)[["persons", "person_years"]].sum()
    assert list(totals["persons"]) == [step.persons for step in panel.flow.steps]
    assert list(totals["person_years"]) == [step.rows for step in panel.flow.steps]
    assert panel.flow.steps[-1].rows == panel.n_row


def test_a_rendered_waterfall_masks_small_counts():
    settings = {
        "waterfall": [["records", {"2002": 1234, "2003": 9}], ["persons", {"2002": 1230, "2003": 0}]],
        "definitions": {"last_tax_year": 2005},
    }
    waterfall = Waterfall.of(settings)
    assert repr(waterfall).splitlines() == [
        "persons        2002  2003    all",
        "records       1,234   <10  1,243",
        "persons       1,230     0  1,230",
        "person-years   2002  2003    all",
        "records       3,702   <10  3,720",
        "persons       3,690     0  3,690",
    ]
    assert "<10" not in waterfall._repr_html_() and "&lt;10" in waterfall._repr_html_()
    assert waterfall.to_frame()["persons_removed"].tolist() == [0, 0, 4, 9]


def test_a_panel_from_a_frame_has_no_waterfall_by_cohort():
    frame = pd.DataFrame({"person": [1, 2], "tax_year": [2003, 2003], "pay": [1.0, 2.0]})
    with pytest.raises(PanelError, match="was not built from an extract"):
        Waterfall.of(Panel.from_frame(frame, person="person", time="tax_year").settings)


def test_a_cohort_without_a_tax_year_is_counted_and_left_out(extract):
    panel = built(extract, cohorts=range(2005, 2008), last_tax_year=2007)
    assert set(panel.to_frame()["cohort"]) == {2005, 2006}
    assert (np.diff(panel.offsets) > 0).all()
    frame = Waterfall.of(panel.settings).to_frame().pivot(index="step", columns="cohort", values="persons")
    assert frame.loc["one record per person", 2007] > 0 == frame.loc["with a tax year after key stage 4", 2007]


def test_two_builds_on_one_extract_wait_for_each_other(monkeypatch, extract):
    """Both make working tables of the same names: of the persons of their own cohorts."""
    cohorts = {"first": range(2002, 2004), "second": range(2004, 2008)}
    alone = {name: built(extract, cohorts=chosen).to_frame() for name, chosen in cohorts.items()}
    found, begun = {}, threading.Event()
    select, lay_out = build.select_population, build.stage

    def build_one(name):
        found[name] = build.build_panel(source, definitions=definitions(cohorts=cohorts[name]), n_jobs=1).to_frame()

    second = threading.Thread(target=build_one, args=("second",))

    def selected(*arguments):
        population = select(*arguments)
        if threading.current_thread() is second:
            begun.set()
        return population

    def staged(*arguments):
        if threading.current_thread() is not second:
            second.start()
            assert not begun.wait(timeout=1)
        return lay_out(*arguments)

    monkeypatch.setattr(build, "select_population", selected)
    monkeypatch.setattr(build, "stage", staged)
    with opened(extract) as source:
        build_one("first")
        second.join()
    for name, frame in alone.items():
        pd.testing.assert_frame_equal(found[name], frame)


def test_a_build_leaves_no_table_in_the_extract(monkeypatch, extract):
    with opened(extract) as source:

        def tables():
            return source.query("SELECT table_name FROM duckdb_tables()", "tables").num_rows

        build.build_panel(source, definitions=definitions())
        assert tables() == 0
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(build, "_build_blocks", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
            build.build_panel(source, definitions=definitions())
        assert tables() == 0


def test_threads_of_the_extract_are_those_of_the_build(extract):
    with threads(1):
        source = opened(extract)
    with source:

        def threads_now():
            return source.query("SELECT current_setting('threads') AS n", "threads")["n"][0].as_py()

        seen = []
        execute = source.execute

        def watched(sql, what):
            execute(sql, what)
            seen.append(threads_now())

        source.execute = watched
        build.build_panel(source, definitions=definitions(), n_jobs=3)
        assert set(seen[:-1]) == {3} and seen[-1] == threads_now() == 1


# ---- what is absent -------------------------------------------------------------------------------------------------

EMPLOYMENT = (
    "days_employed", "months_employed", "in_paid_work", "employed_all_year", "sustained_employment",
    "continuous_employment",
)  # fmt: skip
RATED = ("annualised_earnings", "real_earnings", "log_earnings")
TOTAL = ("total_earnings", "real_total_earnings")
REACHED = ("highest_level", "education_level")
LEVELS = ("ks5_route", "pathway", *REACHED)
# Table -> (what cannot be derived without it, what is derived without it but may differ).
WITHOUT = {
    "ks2": (("prior_attainment", "prior_attainment_band"), ("sex", "birth_month")),
    "school_census": (
        ("ethnicity", "ethnicity_minor", "first_language", "fsm_ever", "sen", "idaci_quintile", "home_region"),
        (
            "sex", "birth_month", "fsm", "fsm_6", "idaci_score", "area_at_16", "school", "school_type",
            "ever_excluded", "main_activity",
        ),
    ),
    "absence": (("absence_rate",), ()),
    "exclusions": (("ever_excluded",), ()),
    "cin": (("ever_in_need",), ()),
    "cla": (("ever_looked_after",), ()),
    "ks5": (("ks5_points",), (*LEVELS, "n_a_levels", "main_activity")),
    "plams": ((), ("main_activity",)),
    "ypmad": ((), (*LEVELS, "n_a_levels")),
    "ilr_learners": ((), LEVELS),
    "ilr_aims": (
        ("months_further_education", "months_apprenticeship", "aims"),
        (*LEVELS, "main_activity"),
    ),
    "hesa": (
        (
            *REACHED, "degree_class", "degree_year", "degree_subject", "university", "subjects",
            "years_since_graduation", "months_higher_education",
        ),
        ("pathway", "main_activity"),
    ),
    "employment": ((*EMPLOYMENT, *RATED), ("main_activity",)),
    "earnings": (
        (
            "earnings", *RATED, *TOTAL, "employer", "n_enterprises", "sector", "sector_tied", "sector_group",
            "sector_vintage",
        ),
        ("in_paid_work", "main_activity"),
    ),
    "self_assessment": ((*TOTAL, "self_employed", "self_employment_earnings"), ("main_activity",)),
    "benefits": (
        (
            "days_unemployment_benefit", "days_incapacity_benefit", "days_other_out_of_work_benefit",
            "months_out_of_work_benefit", "out_of_work_benefits", "days_other_benefit", "benefits",
        ),
        ("main_activity",),
    ),
    "cjrs": (("furloughed", "furlough_weeks"), ()),
    "geography": (("area", "region_of_residence", "country", "moved"), ("area_at_16",)),
}  # fmt: skip


def assert_equal_but_for(panel, whole, absent, differing):
    """The panel lacks what is absent, and has all else of the whole one, equal unless it may differ."""
    absent = {*absent, *whole.settings["absent"]}
    assert panel.settings["absent"].keys() == absent
    names = {*whole.schema.columns, *whole.lists} - absent
    assert {*panel.schema.columns, *panel.lists} == names
    ours, theirs = panel.to_frame(), whole.to_frame()
    kept = [name for name in ours.columns if name not in differing]
    pd.testing.assert_frame_equal(ours[kept], theirs[kept])
    for name in panel.lists.keys() - set(differing):
        np.testing.assert_array_equal(panel.lists[name].start, whole.lists[name].start)


def test_every_table_that_columns_come_from_has_its_case():
    assert {"ks4", *WITHOUT} == set(READ)
    known = {*columns.names(), *LISTS}
    assert {name for both in WITHOUT.values() for names in both for name in names} <= known


@pytest.mark.parametrize("table", WITHOUT)
def test_without_a_table_the_rest_is_the_same(table, extract, undisturbed, tmp_path):
    absent, differing = WITHOUT[table]
    panel = built(linked_copy(extract, tmp_path / "leo", without=(table,)))
    assert_equal_but_for(panel, Panel.open(undisturbed), absent, differing)
    assert all(table in panel.settings["absent"][name] for name in absent)
    assert panel.settings["unlinked"] == {}


def test_empty_tables_are_no_absent_ones(extract, undisturbed, tmp_path):
    panel = built(replaced(extract, tmp_path / "leo", tuple(WITHOUT), lambda rows: rows.slice(0, 0)))
    assert_equal_but_for(
        panel, Panel.open(undisturbed), (), {name for both in WITHOUT.values() for name in sum(both, ())}
    )
    frame = panel.to_frame()
    assert (frame["main_activity"] == "activity not captured").all() and frame["earnings"].isna().all()


@pytest.mark.parametrize(
    ("lookup", "tables"),
    [
        ("lookup_recid", ("ilr_learners", "ilr_aims")),
        ("lookup_edukey", ("employment", "earnings", "self_assessment", "benefits", "cjrs", "geography")),
    ],
)
def test_without_a_lookup_of_persons_its_tables_are_named(lookup, tables, extract, undisturbed, tmp_path):
    panel = built(linked_copy(extract, tmp_path / "leo", without=(lookup,)))
    assert panel.settings["unlinked"] == dict.fromkeys(tables, lookup)
    absent = {name for table in tables for name in WITHOUT[table][0]}
    absent |= {"linked_to_tax_records"} if lookup == "lookup_edukey" else set()
    differing = {name for table in tables for name in WITHOUT[table][1]}
    assert_equal_but_for(panel, Panel.open(undisturbed), absent, differing)


def test_a_lookup_without_one_of_its_columns_is_as_good_as_none(extract, tmp_path):
    other = replaced(extract, tmp_path / "leo", ("lookup_recid",), lambda table: table.drop_columns(["AE_ID"]))
    assert built(other).settings["unlinked"] == {"ilr_learners": "lookup_recid", "ilr_aims": "lookup_recid"}


def test_a_table_without_its_column_of_ids_is_named(extract, tmp_path):
    other = replaced(extract, tmp_path / "leo", ("cjrs",), lambda table: table.drop_columns(["EDUKEY"]))
    panel = built(other)
    assert panel.settings["unlinked"] == {"cjrs": "EDUKEY"}
    assert panel.settings["absent"].keys() == {"furloughed", "furlough_weeks"}


@pytest.mark.parametrize(
    ("lookup", "absent", "differing"),
    [
        ("regions", ("home_region",), ()),
        ("school_types", (), ("school_type",)),
        ("travel_to_work", (), ("area_at_16", "area", "moved")),
        ("home_areas", (), ("area_at_16",)),
        ("sectors", ("sector_group",), ()),
    ],
)
def test_without_an_outside_lookup(lookup, absent, differing, extract, undisturbed):
    given = {name: path for name, path in lookups_of(extract).items() if name != lookup}
    with opened(extract, given) as source:
        panel = build.build_panel(source, definitions=definitions())
    assert_equal_but_for(panel, Panel.open(undisturbed), absent, differing)


@pytest.mark.parametrize("seed", range(4))
def test_without_any_columns_there_still_is_a_panel(seed, extract, undisturbed, tmp_path):
    """Half of the columns of every table are gone, at random; who is in the panel stays."""
    rng = np.random.default_rng(seed)
    frames = {}
    for path in sorted(extract.glob("*/*.parquet")):
        table = pd.read_parquet(path)
        needed = {"AE_ID", "PUPILMATCHINGREFANONYMOUS", "EDUKEY", "RECORDID"} if "lookup" in path.name else set()
        needed |= {"KS4_PupilMatchingRefAnonymous", "KS4_ACADYR", "KS4_ENDKS"}
        kept = [name for name in table if name in needed or rng.random() < 0.5] or list(table)[:1]
        frames[path.stem.removesuffix("-00000")] = table[kept]
    with opened_frames(frames, extract) as source:
        panel = build.build_panel(source, definitions=definitions())
    whole = Panel.open(undisturbed)
    np.testing.assert_array_equal(panel.ids.data, whole.ids.data)
    np.testing.assert_array_equal(panel.array("cohort"), whole.array("cohort"))
    assert panel.n_row == whole.n_row
