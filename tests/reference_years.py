"""The years of one person, straight from the records: sets of days, one tax year and one rule at a time."""

import datetime as dt
import math

from reference_spells import date_of, day_number, days_of, month_of, runs, year_of

JOBSEEKING = {"JSA", "JTA", "UAA"}
SICKNESS = {"ESA", "IB", "PIB", "SDA"}
ON_THE_LIST = {"AA", "ESA", "IB", "ICA", "IS", "JSA", "JTA", "PC", "PIB", "RP", "SDA", "UAA", "UBC", "UCE", "UDF"}
BOTH_WAYS = (
    "days_employed",
    "months_employed",
    "in_paid_work",
    "employed_all_year",
    "sustained_employment",
    "continuous_employment",
)
RATED = ("annualised_earnings", "real_earnings", "log_earnings")
# Columns by the tables that their rules read.
READ = {
    ("employment",): BOTH_WAYS,
    ("employment", "earnings"): RATED,
    ("earnings",): ("earnings", "n_enterprises", "employer", "sector", "sector_tied", "sector_group", "sector_vintage"),
    ("earnings", "self_assessment"): ("total_earnings", "real_total_earnings"),
    ("self_assessment",): ("self_employed", "self_employment_earnings"),
    ("benefits",): (
        "days_unemployment_benefit",
        "days_incapacity_benefit",
        "days_other_out_of_work_benefit",
        "days_other_benefit",
        "months_out_of_work_benefit",
        "out_of_work_benefits",
    ),
    ("ilr_aims",): ("months_further_education", "months_apprenticeship"),
    ("hesa",): ("months_higher_education",),
    ("geography",): ("area", "region_of_residence", "country", "moved"),
    ("cjrs",): ("furloughed", "furlough_weeks"),
    ("employment", "benefits", "ilr_aims", "hesa"): ("main_activity",),
}
OF_EDUCATION = {"months_further_education", "months_apprenticeship", "months_higher_education", "main_activity"}
PROGRAMMES = {"2", "3", "10", "20", "21", "22", "23", "25"}


def person_years(
    records,
    cohort,
    definitions,
    last_extract_year=2020,
    areas=None,
    sectors=None,
    coverage=None,
    is_linked=True,
    degree_year=None,
):
    """Rows (dicts by column) of a person; records: table -> the person's records."""
    person = Person(records, definitions, last_extract_year)
    rows, before = [], None
    for year in range(cohort + 1, definitions.last_tax_year + 1):
        row = {"tax_year": year, "years_since_ks4": year - cohort}
        row["years_since_graduation"] = None if degree_year is None else year - degree_year
        row |= person.self_assessment(year)
        row |= person.pay(year, sectors)
        row |= person.employment(year, row)
        row |= person.benefits(year)
        row |= person.learning(year)
        row |= person.residence(year, areas)
        row |= person.furlough(year)
        row["main_activity"] = person.activity(year, year - cohort, row)
        row["moved"] = None if None in (before, row["area"]) else before != row["area"]
        if year == 2013 and not definitions.moves_across_2012:
            row["moved"] = None
        before = row["area"]
        rows.append(row | dict.fromkeys(unobserved(year, year - cohort, definitions, coverage or {}, is_linked)))
    return rows


def unobserved(year, n, definitions, coverage, is_linked):
    """The columns of a tax year that tables end before, or that a person who is not linked has none of."""
    names = set()
    for tables, columns in READ.items():
        names |= {name for name in columns if any(year > coverage.get(table, year) for table in tables)}
        names |= set() if is_linked else set(columns) - OF_EDUCATION
    if definitions.self_employment == "include" and year > coverage.get("self_assessment", year):
        names |= {"in_paid_work", "sustained_employment"}
    if n in (1, 2) and year > coverage.get("ks5", year):
        names.add("main_activity")
    return names


class Person:
    def __init__(self, records, definitions, last_extract_year):
        self.records, self.definitions, self.last_extract_year = records, definitions, last_extract_year
        self.end = days_of(last_extract_year)[-1]
        jobs = records.get("employment", [])
        self.all_days = self.days(jobs)
        self.certain_days = set().union(*map(self.certain_days_of, jobs))
        excluded = definitions.uncertain_dates == "exclude"
        self.work_days = self.certain_days if excluded else self.all_days
        spells = records.get("benefits", [])
        self.benefit_days = {
            name: self.days(spell for spell in spells if group_of(spell, definitions.out_of_work) == name)
            for name in ("unemployment", "incapacity", "other_out_of_work", "other")
        }
        aims = records.get("ilr_aims", [])
        self.further_days = self.days(map(aim_dates, aims))
        self.apprenticeship_days = self.days(aim_dates(aim) for aim in aims if is_apprenticeship(aim))
        self.higher_days = self.days(map(course_dates, records.get("hesa", [])))

    def days(self, spells):
        found = set()
        for spell in spells:
            if spell is None or spell["StartDate"] is None:
                continue
            last = self.end if spell["EndDate"] is None else day_number(spell["EndDate"])
            found |= set(range(day_number(spell["StartDate"]), last + 1))
        return found

    def certain_days_of(self, job):
        """A spell's days but those in a tax year in which it starts, or ends, by default."""
        days = self.days([job])
        for flag, edge in (("UncertainStartDate", min), ("UncertainEndDate", max)):
            if job.get(flag) and days:
                days = days - set(days_of(year_of(edge(self.days([job])))))
        return days

    def in_row(self, days, year):
        """Whether enough consecutive months of the year have one of the days."""
        months = [k in months_with(days, year) for k in range(12)]
        return max(runs(months)) >= self.definitions.months_in_row

    def is_settled(self, year):
        """Whether no day of the year hangs on a default date."""
        here = set(days_of(year))
        return self.definitions.uncertain_dates == "keep" or self.all_days & here == self.certain_days & here

    def employment(self, year, row):
        found = self.employment_by(self.work_days, year, row)
        if self.definitions.uncertain_dates == "unknown":
            other = self.employment_by(self.certain_days, year, row)
            found = {name: value if value == other[name] else None for name, value in found.items()}
        return found

    def employment_by(self, days, year, row):
        here, months = days & set(days_of(year)), months_with(days, year)
        longest = max((run_around(day, days) for day in here), default=0)
        continuous = longest >= 181
        if not continuous and year == self.last_extract_year and self.end in days:
            continuous = None
        seen = {(date_of(day).year, date_of(day).month) for day in days}
        winter = [(year + (month < 4), month) in seen for month in (10, 11, 12, 1, 2, 3)]
        five_of_six = sum(winter) >= 5
        if winter == [True] * 5 + [False] and (year + 1, 4) not in seen:
            five_of_six = False if year < self.last_extract_year else None
        all_year = len(months) == 12
        rules = {"twelve months": all_year, "five of six": five_of_six, "181 days": continuous}
        on_own = self.definitions.self_employment == "include" and bool(row["self_employed"])
        return {
            "days_employed": len(here),
            "months_employed": len(months),
            "in_paid_work": len(here) > 0 or (row["earnings"] or 0) > 0 or on_own,
            "employed_all_year": all_year,
            "sustained_employment": on_own or rules[self.definitions.sustained],
            "continuous_employment": continuous,
        }

    def of_year(self, table, year, column="TaxYear"):
        return [record for record in self.records.get(table, []) if record[column] == year]

    def pay(self, year, sectors):
        rows = self.of_year("earnings", year)
        paid = [record for record in rows if record.get("Earnings") is not None]
        earnings = added_over_ids([(record["via"], record["Earnings"]) for record in paid])
        annualised = self.annualised(earnings, year)
        total = (earnings or 0) + (self.self_assessment(year)["self_employment_earnings"] or 0)
        inflation = self.definitions.deflator[self.definitions.price_year] / self.definitions.deflator[year]
        real = None if annualised is None else annualised * inflation
        counts = [record["Num_Employments"] for record in rows if record.get("Num_Employments") is not None]
        main = {}
        if earnings is not None and earnings > 0:
            main = min(paid, key=lambda record: (-record["Earnings"], record["via"]))
        section, industry, tied = {
            "pay": ("Main_Section", "Main_SIC2007", "Tied_Main_Section_Flag"),
            "enterprise": (
                "main_enterprise_linked_section",
                "main_enterprise_linked_sic2007",
                "tied_main_record_enterprise_sic_fg",
            ),
        }[self.definitions.sector]
        sector = main.get(section)
        return {
            "earnings": earnings,
            "annualised_earnings": annualised,
            "real_earnings": real,
            "log_earnings": None if real is None else math.log(real),
            "total_earnings": total,
            "real_total_earnings": total * inflation,
            "employer": main.get("main_enterprise"),
            "n_enterprises": max(counts, default=None),
            "sector": sector,
            "sector_tied": main.get(tied),
            "sector_group": (sectors or {}).get(main.get(industry)),
            "sector_vintage": None if sector is None else 2019 if year <= 2016 else 2020,
        }

    def annualised(self, earnings, year):
        settings, days = self.definitions, len(self.work_days & set(days_of(year)))
        if earnings is None or earnings <= 0 or not self.is_settled(year):
            return None
        if days == 0:
            amount = earnings if settings.pay_without_days == "as paid" else None
        else:
            amount = earnings * len(days_of(year)) / days if days >= settings.minimum_days else None
        if amount is not None and settings.annualised_cap is not None and days < len(days_of(year)):
            return amount if amount <= settings.annualised_cap else None
        return amount

    def self_assessment(self, year):
        rows, amounts = self.of_year("self_assessment", year), []
        for row in rows:
            parts = [row.get(name) for name in ("EARNINGS_PTR", "EARNINGS_SOLE")]
            if row.get("EARNINGS_SELF_EMPLOYMENT") is not None:
                amounts.append((row.get("via"), row["EARNINGS_SELF_EMPLOYMENT"]))
            elif parts != [None, None]:
                amounts.append((row.get("via"), sum(part or 0 for part in parts)))
        if year < 2013:
            return {"self_employed": None, "self_employment_earnings": None}
        return {
            "self_employed": any(row.get("Self_Employed") is not False for row in rows),
            "self_employment_earnings": added_over_ids(amounts),
        }

    def benefits(self, year):
        columns = {f"days_{name}_benefit": len(days & set(days_of(year))) for name, days in self.benefit_days.items()}
        claims = self.claim_days()
        columns["months_out_of_work_benefit"] = len(months_with(claims, year))
        return columns | {"out_of_work_benefits": self.in_row(claims, year)}

    def claim_days(self):
        return set().union(*(days for name, days in self.benefit_days.items() if name != "other"))

    def learning(self, year):
        return {
            "months_further_education": len(months_with(self.further_days, year)),
            "months_apprenticeship": len(months_with(self.apprenticeship_days, year)),
            "months_higher_education": len(months_with(self.higher_days, year)),
        }

    def residence(self, year, areas):
        rows = self.of_year("geography", year)
        row = min(rows, key=lambda record: record["via"]) if rows else {}
        country = row.get("CTRYNM")
        return {
            "area": row.get("LAUA_anon") if areas is None else areas.get(row.get("COA_2011")),
            "region_of_residence": row.get("GORNM"),
            "country": None if country == "Unknown" else country,
        }

    def furlough(self, year):
        weeks = [row.get("CJRS_TOT_WKS") for row in self.of_year("cjrs", year, "TAXYEAR")]
        known = [count for count in weeks if count is not None]
        on_furlough = any(count is None or count > 0 for count in weeks)
        return {
            "furloughed": on_furlough if year in (2019, 2020) else None,
            "furlough_weeks": (max(known, default=None) if weeks else 0) if year in (2019, 2020) else None,
        }

    def activity(self, year, n, row):
        ks5 = {record["KS5_ACADYR"] for record in self.records.get("ks5", [])}
        at_school = ks5 | {record["pl_ACADYR"] for record in self.records.get("plams", [])}
        census = self.records.get("school_census", [])
        at_school |= {record["AcademicYear"] for record in census if record.get("OnRoll") is not False}
        any_day = set().union(self.work_days, self.further_days, self.higher_days, *self.benefit_days.values())
        if (n in (1, 2) and year in ks5) or (n == 1 and year - 1 in ks5):
            return "key stage 5"
        if self.in_row(self.higher_days, year):
            return "higher education"
        if self.in_row(self.further_days, year):
            return "other education" if n in (1, 2) else "adult further education"
        if row["out_of_work_benefits"]:
            return "out-of-work benefits"
        if len(months_with(self.work_days, year)) == 12:
            return "employment"
        if any_day & set(days_of(year)) or (row["earnings"] or 0) > 0 or row["self_employed"]:
            return "no sustained activity"
        return "no sustained activity" if at_school & {year, year - 1} else "activity not captured"


def run_around(day, days):
    first = last = day
    while first - 1 in days:
        first -= 1
    while last + 1 in days:
        last += 1
    return last - first + 1


def months_with(days, year):
    return {month_of(day) for day in days_of(year) if day in days}


def added_over_ids(amounts):
    """Add amounts given with their ids, of each id the highest; None without any."""
    by_id = {}
    for via, amount in amounts:
        by_id[via] = max(amount, by_id.get(via, amount))
    return sum(by_id.values()) if by_id else None


def group_of(spell, rule):
    kind = spell.get("Benefit_type")
    told = {"flag": spell.get("Out_of_work_benefit"), "fft": None if kind is None else kind in ON_THE_LIST}
    first = told.pop(rule)
    if not (told.popitem()[1] if first is None else first):
        return "other"
    if kind in JOBSEEKING:
        return "unemployment"
    return "incapacity" if kind in SICKNESS else "other_out_of_work"


def is_apprenticeship(aim):
    flags = [aim.get(name) for name in ("app", "FrameworkApp", "StandardApp")]
    return True in flags or aim.get("programme_type") in PROGRAMMES


def aim_dates(aim):
    start, end, planned = (
        None if aim.get(name) == dt.date(1900, 1, 1) else aim.get(name)
        for name in ("start_date", "end_date", "end_date_expected")
    )
    if end is None:
        if aim.get("Compstatus") == "3" or aim.get("Year") is None:
            return None
        end = dt.date(aim["Year"] + 1, 7, 31)
        if aim.get("Compstatus") != "1" and not aim.get("active") and planned is not None:
            end = min(end, planned)
    return {"StartDate": start, "EndDate": end}


def course_dates(course):
    level, mode = ((course.get(name) or "").lower() for name in ("HE_XLEV601", "HE_XMODE01"))
    if course["HE_ACADYR"] is None or level == "6" or "further education" in level or mode == "6" or "dormant" in mode:
        return None
    opens, closes = dt.date(course["HE_ACADYR"], 8, 1), dt.date(course["HE_ACADYR"] + 1, 7, 31)
    end = course.get("HE_ENDDATE") or course.get("HE_DATELEFT") or closes
    return {"StartDate": max(course.get("HE_COMDATE") or opens, opens), "EndDate": min(end, closes)}
