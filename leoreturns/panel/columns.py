"""The columns of a panel built from LEO: level, owner, unit and labels. `docs/data.md` says how each is derived."""

from __future__ import annotations

from dataclasses import dataclass

from leoreturns._typing import Level

DFE, HESA, HMRC, DWP = "DfE", "HESA", "HMRC", "DWP"
YEARLY_PAY = "GBP/year"
ACTIVITIES = (
    "key stage 5",
    "higher education",
    "other education",
    "adult further education",
    "out-of-work benefits",
    "employment",
    "no sustained activity",
    "activity not captured",
)


@dataclass(frozen=True, slots=True)
class Derived:
    """One column of a built panel.

    Attributes
    ----------
    name : str
    level : "person" or "year"
    owner : str or None
        Department whose data it rests on; of several the one that the rule names first.
    unit : str or None
    labels : tuple of str
        In their order, where it is not that of the alphabet.
    entity : bool
        Whether its labels are entities that disclosure control counts.
    """

    name: str
    level: Level
    owner: str | None = None
    unit: str | None = None
    labels: tuple[str, ...] = ()
    entity: bool = False


def _traits(owner: str | None, *names: str) -> tuple[Derived, ...]:
    return tuple(Derived(name, "person", owner) for name in names)


def _years(owner: str | None, *names: str, unit: str | None = None) -> tuple[Derived, ...]:
    return tuple(Derived(name, "year", owner, unit) for name in names)


DERIVED: dict[str, Derived] = {
    column.name: column
    for column in (
        *_traits(DFE, "cohort", "sex", "ethnicity", "ethnicity_minor", "first_language", "fsm", "fsm_ever"),
        Derived("sen", "person", DFE, labels=("none", "without a statement", "with a statement")),
        Derived("idaci_quintile", "person", DFE, labels=("1 most deprived", "2", "3", "4", "5 least deprived")),
        *_traits(DFE, "region"),
        Derived("school", "person", DFE, entity=True),
        *_traits(DFE, "school_type", "prior_attainment"),
        Derived("prior_attainment_band", "person", DFE, labels=("low", "middle", "high")),
        *_traits(DFE, "ks4_points", "ks4_five_ac", "ks4_five_ac_em"),
        Derived("ks4_band", "person", DFE, labels=("below 5 A*-C", "5 A*-C", "5 A*-C with English and maths")),
        Derived(
            "ks5_route",
            "person",
            DFE,
            labels=("A level", "vocational", "apprenticeship", "other level 3", "none"),
        ),
        *_traits(DFE, "pathway"),
        Derived("education_level", "person", DFE, labels=("level 2 or below", "level 3 or above", "graduate")),
        *_traits(HESA, "degree_class", "degree_year"),
        Derived("university", "person", HESA, entity=True),
        *_traits(DFE, "linked_to_tax_records"),
        *_years(None, "tax_year", "years_since_ks4"),
        *_years(HMRC, "days_employed", "months_employed", "in_paid_work", "employed_all_year"),
        *_years(HMRC, "sustained_employment", "continuous_employment"),
        *_years(HMRC, "earnings", "annualised_earnings", "real_earnings", unit=YEARLY_PAY),
        *_years(HMRC, "log_earnings", unit="log"),
        *_years(HMRC, "self_employed"),
        *_years(HMRC, "self_employment_earnings", unit=YEARLY_PAY),
        *_years(DWP, "days_unemployment_benefit", "days_incapacity_benefit", "days_other_out_of_work_benefit"),
        *_years(DWP, "months_out_of_work_benefit", "out_of_work_benefits", "days_other_benefit"),
        *_years(DFE, "months_further_education", "months_apprenticeship"),
        *_years(HESA, "months_higher_education"),
        Derived("main_activity", "year", DFE, labels=ACTIVITIES),
        *_years(HMRC, "sector", "sector_vintage"),
        *_years(DWP, "area", "region_of_residence", "country", "moved"),
        *_years(HMRC, "furloughed", "furlough_weeks"),
    )
}
