"""Simulated extracts: same bytes, readable tables, plausible persons, and every defect where it is said to be."""

from __future__ import annotations

import errno
import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from leoreturns.errors import ExtractError
from leoreturns.extract.simulate import simulate_extract, write
from leoreturns.extract.simulate.defects import RATES, Defects
from leoreturns.extract.simulate.ids import mixed
from leoreturns.extract.simulate.rows import days, draw, expand, numbered, tax_year_bounds
from leoreturns.extract.source import open_extract
from leoreturns.extract.tables import TABLES, resolve_columns
from leoreturns.extract.tables_leo import BENEFITS

N = 4_500
CHUNK = 2_000


def simulated(folder: Path, **arguments: Any) -> Path:
    simulate_extract(folder, **arguments).close()
    return folder


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(tmp_path_factory.mktemp("sim") / "extract", n_persons=N, seed=11, chunk_persons=CHUNK)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sim") / "clean"
    return simulated(folder, n_persons=N, seed=11, chunk_persons=CHUNK, defects=False)


def rows(folder: Path, table: str, *columns: str) -> pd.DataFrame:
    """Read the parts of a table of unsuffixed columns."""
    parts = sorted((folder / table).iterdir())
    return pd.concat([pq.read_table(part, columns=list(columns) or None).to_pandas() for part in parts])


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def days_of(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column)


# ---------------------------------------------------------------------------------------------------- reproducibility


def test_the_same_bytes_for_any_number_of_threads(tmp_path: Path) -> None:
    made = [
        contents(simulated(tmp_path / f"jobs{n_jobs}", n_persons=400, seed=3, chunk_persons=150, n_jobs=n_jobs))
        for n_jobs in (1, 2, 3)
    ]
    assert made[0] == made[1] == made[2]
    assert len(made[0]) > 5 * len(TABLES)


def test_another_seed_gives_other_persons_and_ids(tmp_path: Path, extract: Path) -> None:
    other = simulated(tmp_path / "other", n_persons=300, seed=12)
    ids = rows(other, "lookup_pmr")["PUPILMATCHINGREFANONYMOUS"].dropna()
    assert not set(ids) & set(rows(extract, "lookup_pmr")["PUPILMATCHINGREFANONYMOUS"])


def test_persons_are_the_same_with_and_without_defects(extract: Path, clean: Path) -> None:
    first = ["KS4_PupilMatchingRefAnonymous", "KS4_GENDER", "KS4_ACADYR", "KS4_URN_anon"]
    struck, whole = (rows(folder, "ks4", *first).dropna().drop_duplicates() for folder in (extract, clean))
    assert len(whole.merge(struck)) > 0.95 * len(whole)
    pay = ["Edukey", "TaxYear", "Earnings"]
    struck, whole = (rows(folder, "earnings", *pay) for folder in (extract, clean))
    assert len(whole.merge(struck.drop_duplicates())) > 0.95 * len(whole)
    persons = rows(clean, "lookup_pmr")["AE_ID"]
    assert persons.isin(rows(extract, "lookup_pmr")["AE_ID"]).mean() > 0.99  # a few links have lost it


@pytest.mark.parametrize("n_persons", [1, 10])
def test_few_persons(tmp_path: Path, n_persons: int) -> None:
    folder = simulated(tmp_path / "few", n_persons=n_persons, seed=5)
    assert rows(folder, "lookup_pmr")["AE_ID"].nunique() <= n_persons
    with open_extract(folder) as opened:
        assert set(opened.tables) == set(TABLES)
        assert opened.count("lookup_pmr") >= n_persons


@pytest.mark.parametrize("cohorts", [(2002,), (2020,), range(2002, 2021)])
def test_any_cohorts(tmp_path: Path, cohorts: tuple[int, ...]) -> None:
    folder = simulated(tmp_path / "any", n_persons=200, seed=5, cohorts=cohorts, defects=False)
    years = set(rows(folder, "ks4", "KS4_ACADYR")["KS4_ACADYR"])
    assert years <= {f"{cohort - 1}/{cohort}" for cohort in cohorts} and len(years) >= min(len(cohorts), 15)


def test_a_last_chunk_of_one_person(tmp_path: Path) -> None:
    folder = simulated(tmp_path / "odd", n_persons=21, seed=5, chunk_persons=10, defects=False)
    assert rows(folder, "lookup_pmr")["AE_ID"].nunique() == 21
    assert len(list((folder / "ks4").iterdir())) == 3


# ---------------------------------------------------------------------------------------------------- the files


def test_every_table_has_rows_and_known_columns_only(extract: Path) -> None:
    for name, table in TABLES.items():
        files = sorted((extract / name).iterdir())
        assert sum(pq.ParquetFile(file).metadata.num_rows for file in files) > 0, name
        found: set[str] = set()
        for file in files:
            resolved = resolve_columns(table, pq.ParquetFile(file).schema_arrow.names)
            assert resolved.unknown == (), (name, file.name)
            assert len(resolved.columns) == 1, (name, file.name)
            found.update(resolved.names)
        required = {variable.name for variable in table.variables if variable.required}
        assert required <= found, name


def test_every_value_is_of_its_type(extract: Path) -> None:
    with open_extract(extract) as opened:
        assert set(opened.tables) == set(TABLES)
        assert opened.check().ok


def test_columns_hold_what_their_years_cover(tmp_path: Path) -> None:
    folder = simulated(tmp_path / "later", n_persons=600, seed=2, cohorts=(2012, 2014, 2016))
    held = rows(folder, "ks4").groupby("KS4_ACADYR").count()
    assert held.loc["2011/2012", "KS4_FIVEAC"] > 0 and held.loc["2011/2012", "KS4_LEVEL2_PTQ"] == 0
    assert held.loc["2013/2014", "KS4_LEVEL2_PTQ"] > 0 and held.loc["2013/2014", "KS4_LEVEL2"] == 0
    assert held.loc["2013/2014", "KS4_LEVEL2_PTQ_EE"] == 0 and held.loc["2015/2016", "KS4_LEVEL2_PTQ_EE"] > 0
    assert held.loc["2015/2016", "KS4_ATT8"] > 0
    assert rows(folder, "ks2")["KS2_MATFINE"].notna().mean() > 0.9
    with open_extract(folder) as opened:
        assert {"LSOA11", "EVERFSM_6", "SENprovisionMajor", "OnRoll"} <= set(opened.tables["school_census"])
        assert sum(batch.num_rows for batch in opened.read("school_census")) > 0


def test_census_files_have_the_names_of_their_time(extract: Path) -> None:
    census = extract / "school_census"
    stems = {path.stem.rsplit("-", 1)[0] for path in census.iterdir()}
    assert {"spring_census_2002", "spring_census_2007", "autumn_census_2006", "summer_census_2007"} <= stems
    assert not any(stem.startswith("autumn") and int(stem[-4:]) < 2005 for stem in stems)
    names = {stem: pq.ParquetFile(census / f"{stem}-00000.parquet").schema_arrow.names for stem in stems}
    assert "GENDER_SPR02" in names["spring_census_2002"] and "SENstage_spr02" in names["spring_census_2002"]
    assert "fsm_03" in names["spring_census_2003"]
    assert "FSMeligible_aut06" in names["autumn_census_2006"] and "FSMeligible_sum07" in names["summer_census_2007"]


def test_the_folder_is_marked_and_tells_what_was_simulated(extract: Path, clean: Path) -> None:
    assert (extract / "NOT-FOR-RELEASE").read_text(encoding="utf-8")
    truth = json.loads((extract / "truth.json").read_text(encoding="utf-8"))
    assert (truth["n_persons"], truth["seed"], truth["chunk_persons"]) == (N, 11, CHUNK)
    assert truth["cohorts"] == list(range(2002, 2008))
    assert set(truth["defects"]) == set(RATES)
    assert json.loads((clean / "truth.json").read_text(encoding="utf-8"))["defects"] == {}


def test_outside_lookups_cover_the_codes(extract: Path) -> None:
    read = {path.stem: pd.read_csv(path, dtype=str) for path in (extract / "lookups").iterdir()}
    assert set(read) == {"regions", "home_areas", "travel_to_work", "school_regions", "school_types", "sectors"}
    for frame in read.values():
        assert frame.notna().all(axis=None) and frame.iloc[:, 0].is_unique
    assert set(rows(extract, "geography", "COA_2011")["COA_2011"].dropna()) <= set(read["travel_to_work"]["COA_2011"])
    assert set(rows(extract, "ks4", "KS4_URN_anon")["KS4_URN_anon"].dropna()) <= set(read["school_types"]["school"])
    assert set(rows(extract, "earnings", "Main_SIC2007")["Main_SIC2007"].dropna()) <= set(read["sectors"]["SIC2007"])


# ---------------------------------------------------------------------------------------------------- the persons


def test_shares_are_near_the_published_ones(clean: Path) -> None:
    ks4 = rows(clean, "ks4")
    assert len(ks4) == N and ks4["KS4_PupilMatchingRefAnonymous"].is_unique
    assert (ks4["KS4_GENDER"] == "F").mean() == pytest.approx(0.484, abs=0.03)
    assert ks4["KS4_FIVEAC"].mean() == pytest.approx(0.561, abs=0.04)
    hesa = rows(clean, "hesa", "HE_PUPILMATCHINGREFANONYMOUS", "HE_XPQUAL01", "HE_XQLEV601")
    graduates = hesa[(hesa["HE_XPQUAL01"] == 1) & (hesa["HE_XQLEV601"] == "4")]
    share = graduates["HE_PUPILMATCHINGREFANONYMOUS"].nunique() / N
    assert share == pytest.approx(0.33, abs=0.04)
    linked = rows(clean, "lookup_edukey")["AE_ID"].nunique() / N
    assert 0.92 < linked < 0.98
    geography = rows(clean, "geography", "Edukey", "TaxYear")
    assert 0.80 < (geography["TaxYear"] == 202021).sum() / N < 0.90  # linked, and still in the country
    in_census = set(rows_of_census(clean)["pmr"])
    typed = ks4[ks4["KS4_NFTYPE"].notna()]
    independent = typed[typed["KS4_NFTYPE"] == "30"]["KS4_PupilMatchingRefAnonymous"]
    assert len(independent) / len(typed) == pytest.approx(0.07, abs=0.02)
    assert not in_census & set(independent)


def rows_of_census(folder: Path) -> pd.DataFrame:
    """Read pupil, status and enrolment of every census."""
    parts = []
    for path in sorted((folder / "school_census").iterdir()):
        frame = pq.read_table(path).to_pandas()
        (columns,) = resolve_columns(TABLES["school_census"], frame.columns).columns.values()
        wanted = {"PupilMatchingRefAnonymous": "pmr", "RecordStatus": "status", "OnRoll": "on_roll"}
        kept = {columns[name]: new for name, new in wanted.items() if name in columns}
        parts.append(frame[list(kept)].rename(columns=kept).assign(file=path.stem))
    return pd.concat(parts)


def test_pay_is_near_the_published_medians(clean: Path) -> None:
    pay = rows(clean, "earnings", "Edukey", "TaxYear", "Earnings")
    pay = pay[pay["TaxYear"] == 201718]
    spells = rows(clean, "employment")
    first, last = pd.Timestamp("2017-04-06"), pd.Timestamp("2018-04-05")
    start = days_of(spells["StartDate"]).clip(lower=first)
    end = days_of(spells["EndDate"]).clip(upper=last)
    length = ((end - start).dt.days + 1).clip(lower=0)
    worked = length.groupby(spells["EduKey"]).sum().rename("days")
    pay = pay.merge(worked[worked > 0], left_on="Edukey", right_index=True)
    annualised = pay["Earnings"] * 365 / pay["days"]
    # Cohorts of 2002 to 2007 are 10 to 15 years after key stage 4: published medians are 20,981 to 23,983.
    assert annualised.median() == pytest.approx(22_500, rel=0.07)
    assert annualised.quantile(0.9) / annualised.median() == pytest.approx(2.15, abs=0.4)


def test_tables_agree_on_years(clean: Path) -> None:
    assert rows(clean, "earnings", "TaxYear")["TaxYear"].between(200304, 202021).all()
    assert rows(clean, "self_assessment", "TaxYear")["TaxYear"].min() >= 201314
    assert rows(clean, "geography", "TaxYear")["TaxYear"].min() >= 200405
    assert set(rows(clean, "cjrs", "TAXYEAR")["TAXYEAR"]) == {201920, 202021}
    benefits = rows(clean, "benefits")
    assert set(benefits["Benefit_type"]) <= set(BENEFITS)
    expected = benefits["Benefit_type"].map({code: int(out) for code, (_, out) in BENEFITS.items()})
    assert (benefits["Out_of_work_benefit"] == expected).all()
    months = rows(clean, "cjrs", "TAXYEAR", "CJRS_EOM_IND")
    assert months["CJRS_EOM_IND"].str.fullmatch("0*1+0*").all() and (months["CJRS_EOM_IND"].str.len() == 12).all()
    assert (months[months["TAXYEAR"] == 201920]["CJRS_EOM_IND"] == "000000000001").all()


def test_aims_and_learners_join(clean: Path) -> None:
    learners, aims = rows(clean, "ilr_learners"), rows(clean, "ilr_aims")
    assert learners["external_id"].is_unique
    assert not aims.duplicated(["external_id", "sequence_index"]).any()
    joined = aims.merge(learners, on=["external_id", "Year", "RECORDID", "ukprn_anon"])
    assert len(joined) == len(aims)
    assert set(aims["learning_aim_id"]) <= set(rows(clean, "lars")["LearnAimRef"])
    assert set(learners["RECORDID"]) == set(rows(clean, "lookup_recid")["RECORDID"])
    assert learners["RECORDID"].between(0, 2**31 - 1).all()


def test_weights_of_subjects_add_up(clean: Path) -> None:
    hesa = rows(clean, "hesa")
    weights = hesa[[f"HE_XFPE01_{place}" for place in range(1, 6)]].sum(axis=1)
    assert set(weights[hesa["HE_ACADYR"] >= "2007/2008"]) == {100.0}


# ---------------------------------------------------------------------------------------------------- the defects


def test_every_defect_is_made_and_counted(extract: Path) -> None:
    truth = json.loads((extract / "truth.json").read_text(encoding="utf-8"))
    assert [name for name, made in truth["defects"].items() if made["count"] == 0] == []


def test_without_defects_ids_and_dates_are_in_order(clean: Path) -> None:
    for table, column in (("pmr", "PUPILMATCHINGREFANONYMOUS"), ("recid", "RECORDID"), ("edukey", "EDUKEY")):
        links = rows(clean, f"lookup_{table}")
        assert links.notna().all(axis=None) and links["AE_ID"].is_unique and links[column].is_unique
    for table in ("employment", "benefits"):
        spells = rows(clean, table)
        assert spells.notna().all(axis=None)
        assert (days_of(spells["EndDate"]) >= days_of(spells["StartDate"])).all()
    spells = rows(clean, "employment").sort_values(["EduKey", "StartDate"])
    gap = (days_of(spells["StartDate"]) - days_of(spells["EndDate"]).shift()).dt.days
    assert (gap[spells["EduKey"] == spells["EduKey"].shift()] > 1).all()  # no overlap, nothing that abuts
    assert not rows(clean, "earnings", "Edukey", "TaxYear").duplicated().any()
    census = rows_of_census(clean)
    assert (census["status"] == 1).all() and not census.duplicated(["pmr", "file"]).any()


def test_links_are_many_to_many_with_cycles(extract: Path) -> None:
    for table, column in (("pmr", "PUPILMATCHINGREFANONYMOUS"), ("recid", "RECORDID"), ("edukey", "EDUKEY")):
        links = rows(extract, f"lookup_{table}")
        assert links["AE_ID"].isna().any() and links[column].isna().any()
        whole = links.dropna()
        assert whole.duplicated().any()
        once = whole.drop_duplicates()
        assert once["AE_ID"].duplicated().any() and once[column].duplicated().any()
        # A cycle: two persons who share two ids.
        pairs = once.merge(once, on=column).query("AE_ID_x < AE_ID_y")
        assert pairs.duplicated(["AE_ID_x", "AE_ID_y"]).any(), table
    known = set(rows(extract, "lookup_edukey")["EDUKEY"])
    assert set(rows(extract, "earnings", "Edukey")["Edukey"]) - known
    assert set(rows(extract, "ks4")["KS4_PupilMatchingRefAnonymous"]) - set(
        rows(extract, "lookup_pmr")["PUPILMATCHINGREFANONYMOUS"]
    )


def test_spells_have_their_defects(extract: Path) -> None:
    spells = rows(extract, "employment")
    start, end = days_of(spells["StartDate"]), days_of(spells["EndDate"])
    assert start.isna().any() and end.isna().any() and (end < start).any()
    assert spells.duplicated(["EduKey", "StartDate", "EndDate"]).any()
    default = spells["UncertainStartDate"] == 1
    by_rule = ((start.dt.month == 4) & (start.dt.day == 6)) | ((end - start).dt.days == 1)
    # Other defects may strike the same spell after its default was set.
    assert by_rule[default & start.notna() & end.notna() & (end >= start)].mean() > 0.9
    last = end[(spells["UncertainEndDate"] == 1) & end.notna() & (end >= start)]
    assert ((last.dt.month == 4) & (last.dt.day == 5)).mean() > 0.9
    ordered = spells.assign(start=start, end=end).dropna().query("end >= start").sort_values(["EduKey", "start", "end"])
    same = ordered["EduKey"] == ordered["EduKey"].shift()
    gap = (ordered["start"] - ordered["end"].shift()).dt.days[same]
    assert (gap == 1).any() and (gap < 1).any()
    inside = same & (ordered["end"] < ordered["end"].shift()) & (ordered["start"] > ordered["start"].shift())
    assert inside.any()


def test_pay_and_spells_disagree_in_places(extract: Path) -> None:
    pay = rows(extract, "earnings")
    assert (pay["Earnings"] == 0).any() and pay.duplicated(["Edukey", "TaxYear"]).any()
    assert pay["Tied_Main_Section_Flag"].any() and "Z" in set(pay["Main_Section"])
    known = pay.dropna(subset=["Main_Section", "main_enterprise_linked_section"])
    assert 0 < (known["Main_Section"] != known["main_enterprise_linked_section"]).mean() < 0.1
    worked, paid = set(rows(extract, "employment")["EduKey"]), set(pay["Edukey"])
    assert paid - worked and worked - paid


def test_records_of_pupils_repeat(extract: Path) -> None:
    census = rows_of_census(extract)
    assert {1.0, 101.0} <= set(census["status"].dropna()) and census["status"].isna().any()
    assert (census["on_roll"] == 0).any()
    main = census[census["status"] == 1]
    assert main.duplicated(["pmr", "file"]).any()  # at a second school
    ks4 = rows(extract, "ks4")
    repeats = ks4[ks4.duplicated("KS4_PupilMatchingRefAnonymous", keep=False)]
    assert repeats.duplicated(["KS4_PupilMatchingRefAnonymous", "KS4_ACADYR"]).any()
    assert (repeats.groupby("KS4_PupilMatchingRefAnonymous")["KS4_ACADYR"].nunique() > 1).any()
    assert (ks4["KS4_ENDKS"] == 0).any()
    assert {"A", "M"} <= set(rows(extract, "ks2")["KS2_MATTOTMRK"])


def test_residence_has_gaps_and_moves_at_the_break(extract: Path) -> None:
    geography = rows(extract, "geography", "Edukey", "TaxYear", "LAUA_anon", "CTRYNM").sort_values(
        ["Edukey", "TaxYear"]
    )
    assert {"Unknown", "Abroad", "Scotland", "England"} <= set(geography["CTRYNM"])
    same = geography["Edukey"] == geography["Edukey"].shift()
    year = geography["TaxYear"] // 100
    assert (year.diff()[same] > 1).any()
    known = same & geography["LAUA_anon"].notna() & geography["LAUA_anon"].shift().notna() & (year.diff() == 1)
    moved = (geography["LAUA_anon"] != geography["LAUA_anon"].shift())[known].groupby(year[known]).mean()
    assert moved[2013] > moved[2010] + 0.02 and moved[2013] > moved[2016] + 0.02


def test_defects_strike_at_their_rate_and_are_counted() -> None:
    defects = Defects(np.random.default_rng(1), enabled=True)
    name, n = "overlapping spell", 200_000
    chosen = defects.choose(name, n)
    assert (np.diff(chosen) > 0).all() and chosen[-1] < n and chosen[0] >= 0
    assert len(chosen) == pytest.approx(RATES[name] * n, rel=0.05)
    assert defects.counts == {name: len(chosen)}
    assert len(defects.choose(name, 0)) == 0
    switched_off = Defects(np.random.default_rng(1), enabled=False)
    assert len(switched_off.choose(name, n)) == 0 and not switched_off.counts


# ---------------------------------------------------------------------------------------------------- refusals


def test_an_existing_target_and_a_missing_parent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ExtractError, match="'there' exists"):
        simulate_extract(tmp_path / "there", n_persons=5, seed=1)
    with pytest.raises(ExtractError, match="make it first"):
        simulate_extract(tmp_path / "no" / "parent", n_persons=5, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_persons": 0},
        {"n_persons": 2**40},
        {"seed": -1},
        {"chunk_persons": 0},
        {"cohorts": ()},
        {"cohorts": (1999,)},
        {"cohorts": (2021,)},
        {"n_jobs": 0},
        {"n_schools": 45},
        {"truth": {"degree": 0.1}},
        {"truth": {"degree": (0.1, float("nan"))}},
        {"truth": {"selection": 2}},
        {"truth": {"first_move": "far"}},
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"n_persons": 5, "seed": 1} | wrong
    with pytest.raises(ValueError):
        simulate_extract(tmp_path / "x", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="truth has no parameter set"):
        simulate_extract(tmp_path / "x", n_persons=5, seed=1, truth={"set": {1}})
    assert list(tmp_path.iterdir()) == []


def test_whole_numbers_of_numpy_are_as_good(tmp_path: Path) -> None:
    given = {
        "n_persons": np.int64(6),
        "seed": np.uint8(1),
        "cohorts": np.arange(2002, 2004),
        "chunk_persons": np.int32(5),
    }
    simulated(tmp_path / "a", **given)
    simulated(tmp_path / "b", n_persons=6, seed=1, cohorts=[2002, 2003], chunk_persons=5)
    assert (tmp_path / "a" / "truth.json").read_text() == (tmp_path / "b" / "truth.json").read_text()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = iter(range(50))

    def fail(*arguments: object, **options: object) -> None:
        if next(written) == 20:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(write.pq, "write_table", fail)
    with pytest.raises(ExtractError, match="no space left on the disk; nothing was written"):
        simulate_extract(tmp_path / "x", n_persons=5, seed=1, n_jobs=1)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------------- parts


def test_mixing_is_one_to_one() -> None:
    for bits in (7, 12, 16):
        values = mixed(np.arange(1 << bits), bits, salt=12345)
        assert np.array_equal(np.sort(values), np.arange(1 << bits))
    assert abs(np.corrcoef(np.arange(1 << 12), mixed(np.arange(1 << 12), 46, 9).astype(float))[0, 1]) < 0.1


def test_ids_have_the_lengths_of_the_form(extract: Path) -> None:
    assert numbered(np.array([0, 255, 2**56 - 1], np.uint64), 14, "X", base=16).to_pylist() == [
        "X00000000000000",
        "X000000000000FF",
        "XFFFFFFFFFFFFFF",
    ]
    assert numbered(np.array([7, 120]), 3, "E").to_pylist() == ["E007", "E120"]
    assert set(rows(extract, "lookup_pmr")["PUPILMATCHINGREFANONYMOUS"].dropna().str.len()) == {18}
    assert set(rows(extract, "lookup_edukey")["EDUKEY"].dropna().str.len()) == {14}
    assert rows(extract, "lookup_pmr")["AE_ID"].max() > 2**40


def test_dates() -> None:
    assert days(np.array([1970, 2004]), 2, 29).tolist() == [
        (date(1970, 3, 1) - date(1970, 1, 1)).days,
        (date(2004, 2, 29) - date(1970, 1, 1)).days,
    ]
    first, last = tax_year_bounds(np.array([2003, 2004]))
    assert (last - first + 1).tolist() == [366, 365]


def test_draws_and_expansion() -> None:
    drawn = draw(np.random.default_rng(4), (2, 0, 6), 40_000)
    assert np.bincount(drawn, minlength=3)[1] == 0
    assert (drawn == 2).mean() == pytest.approx(0.75, abs=0.01)
    group, place = expand(np.array([2, 0, 3]))
    assert group.tolist() == [0, 0, 2, 2, 2] and place.tolist() == [0, 1, 0, 1, 2]
