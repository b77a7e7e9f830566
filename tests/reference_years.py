"""The years of one person, straight from the records: sets of days, one tax year and one rule at a time."""

import datetime as dt
import math

from reference_spells import day_number, days_of, month_of, runs

JOBSEEKING = {"JSA", "JTA", "UAA"}
SICKNESS = {"ESA", "IB", "PIB", "SDA"}
OTHER_CLAIMS = {"AA", "ICA", "IS", "PC", "RP", "UBC", "UCE", "UDF"}
MISSING_WHERE_UNKNOWN = [
    "days_employed",
    "months_employed",
    "in_paid_work",
    "employed_all_year",
    "sustained_employment",
    "continuous_employment",
    "annualised_earnings",
    "real_earnings",
    "log_earnings",
]
PROGRAMMES = {"2", "3", "10", "20", "21", "22", "23", "25"}


def person_years(records, cohort, definitions, last_extract_year=2020, areas=None):
    """Rows (dicts by column) of a person; records: table -> the person's records."""
    person = Person(records, definitions, last_extract_year)
    rows, before = [], None
    for year in range(cohort + 1, definitions.last_tax_year + 1):
        row = {"tax_year": year, "years_since_ks4": year - cohort}
        row |= person.employment(year)
        row |= person.pay(year, row["days_employed"])
        row |= person.self_assessment(year)
        row |= person.benefits(year)
        row |= person.learning(year)
        row |= person.residence(year, areas)
        row |= person.furlough(year)
        row["main_activity"] = person.activity(year, year - cohort, row)
        row["moved"] = None if None in (before, row["area"]) else before != row["area"]
        if year == 2013 and not definitions.moves_across_2012:
            row["moved"] = None
        before = row["area"]
        if person.is_unknown(year):
            row |= dict.fromkeys(MISSING_WHERE_UNKNOWN)
        rows.append(row)
    return rows


class Person:
    def __init__(self, records, definitions, last_extract_year):
        self.records, self.definitions, self.last_extract_year = records, definitions, last_extract_year
        self.end = days_of(last_extract_year)[-1]
        jobs = records.get("employment", [])
        certain = [job for job in jobs if not (job.get("UncertainStartDate") or job.get("UncertainEndDate"))]
        self.certain_days = self.days(certain)
        self.work_days = self.certain_days if definitions.uncertain_dates == "exclude" else self.days(jobs)
        self.benefit_days = {
            name: self.days(spell for spell in records.get("benefits", []) if group_of(spell) == name)
            for name in ("unemployment", "incapacity", "other_out_of_work", "other")
        }
        aims = records.get("ilr_aims", [])
        higher = [aim for aim in aims if (level_of(aim) or 0) >= 4]
        self.further_days = self.days(map(aim_dates, (aim for aim in aims if aim not in higher)))
        self.apprenticeship_days = self.days(aim_dates(aim) for aim in aims if is_apprenticeship(aim))
        self.higher_days = self.days(aim_dates(aim) for aim in higher if not is_apprenticeship(aim))
        self.higher_days |= self.days(map(course_dates, records.get("hesa", [])))

    def days(self, spells):
        found = set()
        for spell in spells:
            if spell["StartDate"] is None:
                continue
            last = self.end if spell["EndDate"] is None else day_number(spell["EndDate"])
            found |= set(range(day_number(spell["StartDate"]), last + 1))
        return found

    def in_row(self, days, year):
        """Whether enough consecutive months of the year have one of the days."""
        months = [k in months_with(days, year) for k in range(12)]
        return max(runs(months)) >= self.definitions.months_in_row

    def is_unknown(self, year):
        if self.definitions.uncertain_dates != "unknown":
            return False
        return len(self.work_days & set(days_of(year))) != len(self.certain_days & set(days_of(year)))

    def employment(self, year):
        here, months = self.work_days & set(days_of(year)), months_with(self.work_days, year)
        continuous = any(self.run_around(day) >= 181 for day in here)
        winter = [k in months for k in range(6, 12)]
        five_of_six = sum(winter) >= 5
        if winter == [True] * 5 + [False]:
            five_of_six = year < self.last_extract_year and 0 in months_with(self.work_days, year + 1)
        sustained = {"twelve months": len(months) == 12, "five of six": five_of_six, "181 days": continuous}
        return {
            "days_employed": len(here),
            "months_employed": len(months),
            "employed_all_year": len(months) == 12,
            "sustained_employment": sustained[self.definitions.sustained],
            "continuous_employment": continuous,
        }

    def run_around(self, day):
        first = last = day
        while first - 1 in self.work_days:
            first -= 1
        while last + 1 in self.work_days:
            last += 1
        return last - first + 1

    def of_year(self, table, year, column="TaxYear"):
        return [record for record in self.records.get(table, []) if record[column] == year]

    def pay(self, year, days):
        settings = self.definitions
        paid = [record for record in self.of_year("earnings", year) if record.get("Earnings") is not None]
        earnings = added_over_ids([(record["via"], record["Earnings"]) for record in paid])
        annualised = None
        if earnings is not None and earnings > 0:
            if days and days >= settings.minimum_days:
                annualised = earnings * len(days_of(year)) / days
            if not days and settings.pay_without_days == "as paid":
                annualised = earnings
        if annualised is not None and settings.annualised_cap is not None and annualised > settings.annualised_cap:
            annualised = None
        real = annualised
        if annualised is not None:
            real = annualised * settings.deflator[settings.price_year] / settings.deflator[year]
        column = {"pay": "Main_Section", "enterprise": "main_enterprise_linked_section"}[settings.sector]
        sector = None
        if earnings is not None and earnings > 0:
            sector = min(paid, key=lambda record: (-record["Earnings"], record["via"])).get(column)
        return {
            "earnings": earnings,
            "in_paid_work": days > 0 or (earnings or 0) > 0,
            "annualised_earnings": annualised,
            "real_earnings": real,
            "log_earnings": None if real is None else math.log(real),
            "sector": sector,
            "sector_vintage": None if sector is None else 2019 if year <= 2016 else 2020,
        }

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
            "furlough_weeks": max(known) if known else None,
        }

    def activity(self, year, n, row):
        school_years = {record["KS5_ACADYR"] for record in self.records.get("ks5", [])}
        learning = self.in_row(self.further_days | self.apprenticeship_days, year)
        any_day = set().union(
            self.work_days, self.further_days, self.apprenticeship_days, self.higher_days, *self.benefit_days.values()
        )
        if n in (1, 2) and school_years & {year, year - 1}:
            return "key stage 5"
        if self.in_row(self.higher_days, year):
            return "higher education"
        if learning:
            return "other education" if n in (1, 2) else "adult further education"
        if row["out_of_work_benefits"]:
            return "out-of-work benefits"
        if row["employed_all_year"]:
            return "employment"
        if any_day & set(days_of(year)) or (row["earnings"] or 0) > 0 or row["self_employed"]:
            return "no sustained activity"
        return "activity not captured"


def months_with(days, year):
    return {month_of(day) for day in days_of(year) if day in days}


def added_over_ids(amounts):
    """Add amounts given with their ids, of each id the highest; None without any."""
    by_id = {}
    for via, amount in amounts:
        by_id[via] = max(amount, by_id.get(via, amount))
    return sum(by_id.values()) if by_id else None


def group_of(spell):
    kind = spell.get("Benefit_type")
    if kind in JOBSEEKING:
        return "unemployment"
    if kind in SICKNESS:
        return "incapacity"
    return "other_out_of_work" if kind in OTHER_CLAIMS else "other"


def level_of(aim):
    for name in ("Notional_Level_v2_latest", "Notional_Level_v2"):
        code = aim.get(name)
        if code == "1.5":
            return 1
        if code is not None and code.isdigit():
            return int(code)
    return None


def is_apprenticeship(aim):
    flags = [aim.get(name) for name in ("app", "FrameworkApp", "StandardApp")]
    return True in flags or aim.get("programme_type") in PROGRAMMES


def aim_dates(aim):
    ends = [dt.date(aim["Year"] + 1, 7, 31)]
    if aim.get("end_date_expected") is not None:
        ends.append(aim["end_date_expected"])
    return {"StartDate": aim["start_date"], "EndDate": aim.get("end_date") or min(ends)}


def course_dates(course):
    opens, closes = dt.date(course["HE_ACADYR"], 8, 1), dt.date(course["HE_ACADYR"] + 1, 7, 31)
    end = course.get("HE_ENDDATE") or course.get("HE_DATELEFT") or closes
    return {"StartDate": max(course.get("HE_COMDATE") or opens, opens), "EndDate": min(end, closes)}
