"""Every definition against a second implementation: each column for every person and person-year, and who is there."""

import pytest
import reference_leo_lists as twin_lists
from leo_cases import Extract, Twin, build, define, differences, labels_of, persons_of, simulate, worsen, years_of

from leoreturns.panel import Panel
from leoreturns.panel.lists import NO_DATE

PAY = {"annualised_earnings", "real_earnings", "log_earnings"}
DAYS = {
    "days_employed",
    "months_employed",
    "in_paid_work",
    "employed_all_year",
    "sustained_employment",
    "continuous_employment",
}
PRESETS = [("dfe-2021", {"cohorts": range(2002, 2021)}), ("dfe-statistics", {}), ("fft", {})]
# One setting at a time -> the columns of person-years that it changes, all of them.
OPTIONS = [
    ({"uncertain_dates": "exclude"}, {*DAYS, *PAY, "main_activity"}),
    ({"uncertain_dates": "unknown"}, {*DAYS, *PAY}),
    ({"pay_without_days": "as paid"}, PAY),
    ({"minimum_days": 60}, PAY),
    ({"annualised_cap": 30_000.0}, PAY),
    ({"self_employment": "exclude"}, {"in_paid_work", "sustained_employment"}),
    (
        {"out_of_work": "fft"},
        {
            "days_unemployment_benefit",
            "days_incapacity_benefit",
            "days_other_out_of_work_benefit",
            "days_other_benefit",
            "months_out_of_work_benefit",
            "out_of_work_benefits",
            "main_activity",
        },
    ),
    ({"sector": "enterprise"}, {"sector", "sector_tied", "sector_group", "sector_vintage"}),
    ({"moves_across_2012": True}, {"moved"}),
    ({"months_in_row": 3}, {"out_of_work_benefits", "main_activity"}),
    ({"sustained": "181 days"}, {"sustained_employment"}),
    ({"price_year": 2010}, {"real_earnings", "log_earnings", "real_total_earnings"}),
]
# All settings at once, each away from its default.
TURNED = [
    (
        "dfe-2021",
        {"uncertain_dates": "exclude", "pay_without_days": "as paid", "minimum_days": 30, "shared_ids": "first"},
    ),
    (
        "fft",
        {
            "uncertain_dates": "unknown",
            "annualised_cap": 40_000.0,
            "sector": "enterprise",
            "moves_across_2012": True,
            "months_in_row": 4,
            "self_employment": "include",
            "out_of_work": "flag",
        },
    ),
]


@pytest.fixture(scope="module")
def extract(tmp_path_factory) -> Extract:
    return simulate(tmp_path_factory.mktemp("small") / "extract", 1_200, cohorts=range(2002, 2021))


@pytest.fixture(scope="module")
def worse(extract: Extract, tmp_path_factory) -> Extract:
    return worsen(extract, tmp_path_factory.mktemp("worse"), seed=1)


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Extract:
    return simulate(tmp_path_factory.mktemp("large") / "extract", 5_000, seed=2)


@pytest.fixture(scope="module")
def later(tmp_path_factory) -> Extract:
    """All cohorts, so that the columns and codes of every year are there."""
    return simulate(tmp_path_factory.mktemp("later") / "extract", 5_000, seed=3, cohorts=range(2002, 2021))


def assert_same(panel: Panel, twin: Twin) -> None:
    """Compare persons, person-years, counts and lists."""
    persons, years = persons_of(panel), years_of(panel)
    assert persons.index.tolist() == twin.persons.index.tolist()
    assert years[["person", "tax_year"]].to_numpy().tolist() == twin.years[["person", "tax_year"]].to_numpy().tolist()
    assert differences(persons, twin.persons) == {}
    assert differences(years, twin.years) == {}
    steps = [dict(by_cohort) for _, by_cohort in panel.settings["waterfall"]]
    assert steps == [{str(c): n for c, n in step.items() if n} for step in twin.population.waterfall]
    assert panel.flow.steps[-1].persons == len(twin.persons)
    for table, reasons in twin.left_out.items():
        assert {reason: panel.settings["left_out"][table][reason] for reason in reasons} == dict(reasons), table
    for name, entries in twin_lists.lists(twin.population).items():
        assert list_of(panel, name) == sorted(map(str, entries.elements())), name


def list_of(panel: Panel, name: str) -> list[str]:
    """Return the entries of a list as sorted texts of (person, code, start, end, weight)."""
    entries = panel.lists[name]
    labels = panel.schema.lists[name].labels
    persons = panel.ids.to_arrow().to_pylist()
    counts = (entries.offsets[1:] - entries.offsets[:-1]).tolist()
    owner = [person for person, count in zip(persons, counts, strict=True) for _ in range(count)]
    columns = (entries.codes, entries.start, entries.end, entries.weight)
    rows = zip(owner, *(column.tolist() for column in columns), strict=True)
    return sorted(
        str((person, None if code < 0 else labels[code], *(None if day == NO_DATE else day for day in days), weight))
        for person, code, *days, weight in rows
    )


# ---- in the quick suite ---------------------------------------------------------------------------------------------


def test_a_preset_on_simulated_records(extract: Extract) -> None:
    definitions = define("dfe-statistics")
    twin = Twin.of(extract, definitions)
    assert_same(build(extract, definitions), twin)
    # The records reach the rules.
    assert twin.years["main_activity"].nunique() == 8
    assert 0 < twin.years["sustained_employment"].isna().sum() < len(twin.years)
    assert twin.persons["ks5_route"].nunique() == 5
    assert twin.persons["education_level"].nunique() == 3
    assert twin.persons["pathway"].nunique() >= 10
    assert min(twin.left_out["earnings"].values()) > 0
    assert min(twin.left_out["employment"].values()) > 0


@pytest.mark.parametrize(("preset", "settings"), TURNED, ids=["dfe-2021", "fft"])
def test_every_setting_on_far_worse_records(worse: Extract, preset: str, settings: dict) -> None:
    definitions = define(preset, **settings)
    assert_same(build(worse, definitions), Twin.of(worse, definitions))


def test_person_years_do_not_depend_on_where_the_panel_ends(worse: Extract) -> None:
    """Open spells run to the end of the extract, and sustained employment looks ahead into it."""
    settings = {"cohorts": range(2002, 2012), "pay_without_days": "as paid"}
    whole = years_of(build(worse, define("dfe-statistics", **settings)))
    short = years_of(build(worse, define("dfe-statistics", last_tax_year=2015, **settings)))
    assert differences(short, whole[whole["tax_year"] <= 2015].reset_index(drop=True)) == {}


# ---- the whole ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "settings"), [("dfe-2021", {}), *PRESETS])
def test_five_thousand_persons(large: Extract, later: Extract, preset: str, settings: dict) -> None:
    definitions = define(preset, **settings)
    for extract in (large, later):
        assert_same(build(extract, definitions), Twin.of(extract, definitions))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("preset", "settings"), PRESETS + TURNED)
def test_five_thousand_persons_far_worse(later: Extract, tmp_path, preset: str, settings: dict, seed: int) -> None:
    extract = worsen(later, tmp_path / "worse", seed=100 + seed)
    definitions = define(preset, **settings)
    assert_same(build(extract, definitions), Twin.of(extract, definitions))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "changed"), OPTIONS, ids=lambda value: "-".join(value) if isinstance(value, dict) else ""
)
def test_a_setting_changes_its_columns_and_no_others(worse: Extract, option: dict, changed: set) -> None:
    base = define("dfe-statistics", sustained="five of six")
    turned = define("dfe-statistics", **{"sustained": "five of six"} | option)
    twin = Twin.of(worse, turned)
    panel = build(worse, turned)
    assert_same(panel, twin)
    assert set(differences(years_of(panel), Twin.of(worse, base).years)) == changed


@pytest.mark.slow
def test_shared_ids_that_the_first_person_keeps_bring_persons(worse: Extract) -> None:
    dropped, kept = (build(worse, define("fft", shared_ids=rule)) for rule in ("drop", "first"))
    assert set(dropped.ids.to_arrow().to_pylist()) < set(kept.ids.to_arrow().to_pylist())
    assert sum(labels_of(kept, "linked_to_tax_records")) > sum(labels_of(dropped, "linked_to_tax_records"))
