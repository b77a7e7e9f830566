"""The HMRC and DWP tables of LEO Iteration 2, and the lookups between kinds of person id."""

from __future__ import annotations

from leoreturns.extract.schema import Table, Variable

YES_NO = {"1": "yes", "0": "no"}

# Benefit type -> (label, whether it is classed as out-of-work).
BENEFITS = {
    "AA": ("Attendance Allowance", True),
    "BB": ("Bereavement Benefit", False),
    "DLA": ("Disability Living Allowance", False),
    "ESA": ("Employment and Support Allowance", True),
    "IB": ("Incapacity Benefit", True),
    "ICA": ("Carer's Allowance", True),
    "IS": ("Income Support", True),
    "JSA": ("Jobseeker's Allowance", True),
    "JTA": ("training allowance of a jobseeker", True),
    "PC": ("Pension Credit", True),
    "PIB": ("passported Incapacity Benefit", True),
    "PIP": ("Personal Independence Payment", False),
    "RP": ("Retirement Pension", True),
    "SDA": ("Severe Disablement Allowance", True),
    "UAA": ("Universal Credit: searching for work", True),
    "UAB": ("Universal Credit: working, with requirements", False),
    "UBC": ("Universal Credit: no work requirements", True),
    "UBD": ("Universal Credit: working, no requirements", False),
    "UCE": ("Universal Credit: preparing for work", True),
    "UDF": ("Universal Credit: planning for work", True),
    "UNA": ("Universal Credit: group unknown", False),
    "WB": ("Widow's Benefit", False),
}
COUNTRIES = ("Abroad", "England", "Northern Ireland", "Scotland", "Unknown", "Wales")

SIC_SECTIONS = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTU",
        (
            "agriculture, forestry and fishing",
            "mining and quarrying",
            "manufacturing",
            "electricity and gas",
            "water and waste",
            "construction",
            "wholesale and retail",
            "transport and storage",
            "accommodation and food",
            "information and communication",
            "finance and insurance",
            "real estate",
            "professional, scientific and technical",
            "administrative and support",
            "public administration and defence",
            "education",
            "health and social work",
            "arts and entertainment",
            "other services",
            "households as employers",
            "extraterritorial bodies",
        ),
        strict=True,
    )
)


def _edukey(name: str = "Edukey") -> Variable:
    return Variable(name, "id", "the person in HMRC and DWP tables", required=True)


def _tax_year(name: str = "TaxYear") -> Variable:
    return Variable(name, "tax_year", "tax year, 6 April to 5 April", required=True)


EMPLOYMENT = Table(
    name="employment",
    owner="HMRC",
    grain="one spell of employment of a person, over all employers",
    years=(1997, 2020),
    variables=(
        _edukey("EduKey"),
        Variable("StartDate", "date", "first day of the spell", required=True),
        Variable("EndDate", "date", "last day of the spell", required=True),
        Variable("UncertainStartDate", "flag", "the first day is a default", codes=YES_NO),
        Variable("UncertainEndDate", "flag", "the last day is a default", codes=YES_NO),
    ),
    person="EduKey",
    person_key="EDUKEY",
    spell=("StartDate", "EndDate"),
    also_called=("leo_employment", "employment_spells", "leo_employment_spells", "p45"),
    known_issues=(
        "no employer, pay, hours or occupation; part-time and full-time look the same",
        "low-paid jobs in small employers may be missing; self-employment is",
        "an unknown first day is set to 6 April, or to the day before a known last day; an unknown last day to 5 April",
        "overlapping and abutting spells are said to be merged already: do not rely on it",
    ),
)

EARNINGS = Table(
    name="earnings",
    owner="HMRC",
    grain="one person and tax year, summed over jobs",
    years=(2003, 2020),
    variables=(
        _edukey(),
        _tax_year(),
        Variable("Earnings", "number", "pay from all jobs, GBP in the tax year", required=True),
        Variable("main_enterprise", "id", "enterprise that paid most", also_called=("ENTKEY",)),
        Variable("enterprise_earnings", "number", "pay from the main enterprise, GBP"),
        Variable("tied_main_record_enterprise_sic_fg", "flag", "another enterprise paid as much", codes=YES_NO),
        Variable("Num_Employments", "int", "distinct enterprises in the year"),
        Variable("Main_Section", "text", "industry section that paid most", codes=SIC_SECTIONS),
        Variable("Section_Earnings", "number", "pay from the main section, GBP"),
        Variable("Tied_Main_Section_Flag", "flag", "another section paid as much", codes=YES_NO),
        Variable("Num_Sections", "int", "distinct sections in the year"),
        Variable("Main_SIC2007", "text", "5-digit industry that paid most", width=5),
        Variable("SIC_Earnings", "number", "pay from the main industry, GBP"),
        Variable("Tied_Main_SIC_Flag", "flag", "another industry paid as much", codes=YES_NO),
        Variable("Num_SIC", "int", "distinct industries in the year"),
        Variable("main_enterprise_linked_sic2007", "text", "5-digit industry of the main enterprise", width=5),
        Variable("main_enterprise_linked_section", "text", "industry section of the main enterprise"),
    ),
    key=("Edukey", "TaxYear"),
    person="Edukey",
    person_key="EDUKEY",
    year="TaxYear",
    also_called=("leo_earnings", "p14"),
    known_issues=(
        "pay is net of what is deducted at source, such as pension contributions; it has no dates within the year",
        "negative totals are set to 0",
        "sections, industries and enterprises are aggregated apart, so that the three can disagree: choose one",
        "industry is of the enterprise and changes vintage between 2016-17 and 2017-18",
        "files of 2004 to 2017 hold a few benefit records",
    ),
)

IDBR = Table(
    name="idbr",
    owner="ONS",
    grain="one enterprise in one extract of the business register",
    years=None,
    variables=(
        Variable("ENTKEY", "id", "the enterprise", required=True),
        Variable("SIC2007", "text", "5-digit industry", width=5),
        Variable("Govt_Region", "text", "region of the enterprise"),
        Variable("legalstatus", "text", "legal status, one digit"),
        Variable("Employees", "text", "employees, banded"),
        Variable("Birth_month", "date", "month in which it started"),
        Variable("Death_month", "date", "month to which it was live"),
        Variable("SECTIONNAME", "text", "industry section"),
        Variable("SourceYear", "int", "extract: 2019 for tax years to 2016-17, 2020 for later ones", required=True),
    ),
    key=("ENTKEY", "SourceYear"),
    also_called=("idbr_lookup", "leo_idbr_lookup", "leo_idbr", "idbr_enterprise"),
    known_issues=(
        "tax years to 2016-17 join to SourceYear 2019 (register of January 2018), later ones to 2020 (September 2020)",
        "an enterprise that died earlier is described as of January 2018 in SourceYear 2019",
    ),
)

SELF_ASSESSMENT = Table(
    name="self_assessment",
    owner="HMRC",
    grain="one self-employed person and tax year",
    years=(2013, 2020),
    variables=(
        _edukey(),
        _tax_year(),
        Variable("Self_Employed", "flag", "self-employed in the tax year", codes={"1": "yes"}),
        Variable("EARNINGS_PTR", "number", "income from partnerships, GBP; missing is none"),
        Variable("EARNINGS_SOLE", "number", "income as sole trader, GBP; missing is none"),
        Variable("EARNINGS_SELF_EMPLOYMENT", "number", "both together, GBP; missing is none"),
    ),
    key=("Edukey", "TaxYear"),
    person="Edukey",
    person_key="EDUKEY",
    year="TaxYear",
    also_called=("sa", "leo_sa", "leo_self_assessment"),
    known_issues=("reliable from 2013-14 only", "other income on the tax return is not here"),
)

BENEFITS_TABLE = Table(
    name="benefits",
    owner="DWP",
    grain="one spell of a person on one type of benefit",
    years=(1999, 2020),
    variables=(
        _edukey("EduKey"),
        Variable("StartDate", "date", "first day of the spell", required=True),
        Variable("EndDate", "date", "last day of the spell", required=True),
        Variable(
            "Benefit_type", "text", "type of benefit", codes={code: label for code, (label, _) in BENEFITS.items()}
        ),
        Variable("Out_of_work_benefit", "flag", "classed as an out-of-work benefit", codes=YES_NO),
    ),
    person="EduKey",
    person_key="EDUKEY",
    spell=("StartDate", "EndDate"),
    also_called=("benefit", "leo_benefits", "leo_benefit"),
    known_issues=("spells of the same type are merged, spells of different types overlap",),
)


def _months(scheme: str, years: tuple[int, int]) -> tuple[Variable, ...]:
    return (
        Variable(f"{scheme}_EOM_IND", "text", "on the scheme at the end of each month, twelve 0s and 1s", years),
        Variable(f"{scheme}_DTM_IND", "text", "on the scheme during each month, twelve 0s and 1s", years),
    )


CJRS = Table(
    name="cjrs",
    owner="HMRC",
    grain="one person and tax year on furlough",
    years=(2019, 2020),
    variables=(
        _edukey("EDUKEY"),
        _tax_year("TAXYEAR"),
        *_months("CJRS", (2019, 2020)),
        Variable("CJRS_WKS_CAPPED", "flag", "weeks were capped at those of the months", codes=YES_NO),
        Variable("CJRS_TOT_WKS", "number", "weeks on furlough"),
    ),
    key=("EDUKEY", "TAXYEAR"),
    person="EDUKEY",
    person_key="EDUKEY",
    year="TAXYEAR",
    also_called=("leo_cjrs", "furlough"),
    known_issues=("to be published in consultation with HMRC only",),
)

SEISS = Table(
    name="seiss",
    owner="HMRC",
    grain="one person and tax year with a self-employment support grant",
    years=(2020, 2020),
    variables=(
        _edukey("EDUKEY"),
        _tax_year("TAXYEAR"),
        Variable("SEISS_TOT_WKS", "number", "weeks covered by the grants"),
        Variable("SEISS_TOT_AMT", "number", "grants paid, GBP"),
        *_months("SEISS", (2020, 2020)),
    ),
    key=("EDUKEY", "TAXYEAR"),
    person="EDUKEY",
    person_key="EDUKEY",
    year="TAXYEAR",
    also_called=("leo_seiss",),
    known_issues=("to be published in consultation with HMRC only",),
)

GEOGRAPHY = Table(
    name="geography",
    owner="DWP",
    grain="one person and tax year: the address held longest",
    years=(2004, 2020),
    variables=(
        _edukey(),
        _tax_year(),
        Variable("COA_2011", "text", "census output area of residence"),
        Variable("LAUA_anon", "text", "local authority of residence, pseudonymised", also_called=("LAUA",)),
        Variable("PCON", "text", "parliamentary constituency of residence"),
        Variable("PCONNM", "text", "name of the constituency"),
        Variable("GOR", "text", "region of residence"),
        Variable("GORNM", "text", "name of the region"),
        Variable("CTRY", "text", "country of residence"),
        Variable("CTRYNM", "text", "name of the country", codes={name: name for name in COUNTRIES}),
    ),
    key=("Edukey", "TaxYear"),
    person="Edukey",
    person_key="EDUKEY",
    year="TaxYear",
    also_called=("leo_geography",),
    known_issues=(
        "to 2012-13 partly recoded from 2001 output areas: moves between 2012-13 and 2013-14 are not to be trusted",
        "gaps between years are kept",
    ),
)


def _lookup(name: str, id_name: str, id_type: str, meaning: str, *also_called: str) -> Table:
    """Return one of the lookups from the resolved person to another id."""
    return Table(
        name=name,
        owner="DfE",
        grain=f"one link between a resolved person and {meaning}",
        years=None,
        variables=(
            Variable("AE_ID", "int_id", "the person as resolved by DfE", required=True),
            Variable(id_name, "int_id" if id_type == "int" else "id", meaning, required=True),
        ),
        key=("AE_ID", id_name),
        person="AE_ID",
        person_key="AE_ID",
        also_called=also_called,
        known_issues=("many-to-many in places",),
    )


LOOKUPS = (
    _lookup(
        "lookup_pmr",
        "PUPILMATCHINGREFANONYMOUS",
        "text",
        "a pupil in school tables",
        "learner_ae_id_to_pmr_lookup",
        "link_learner_ae_id_to_pmr_lookup",
    ),
    _lookup(
        "lookup_recid",
        "RECORDID",
        "int",
        "a record in further education tables",
        "learner_ae_id_to_recid_lookup",
        "education_records_lookup",
        "link_education_records_lookup",
    ),
    _lookup(
        "lookup_edukey",
        "EDUKEY",
        "text",
        "a person in HMRC and DWP tables",
        "learner_ae_id_to_edukey_lookup",
        "link_learner_ae_id_to_edukey_lookup",
    ),
)

TABLES = (EMPLOYMENT, EARNINGS, IDBR, SELF_ASSESSMENT, BENEFITS_TABLE, CJRS, SEISS, GEOGRAPHY, *LOOKUPS)
