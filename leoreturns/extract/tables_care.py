"""The tables of pupils at risk in LEO Iteration 2: activity, need, care and alternative provision."""

from __future__ import annotations

from leoreturns.extract.schema import Table, Variable
from leoreturns.extract.tables_schools import FROM_FILE, PMR, SEN, SEX, SOURCE_PMR, YES_NO

NEEDS = {
    "N1": "abuse or neglect",
    "N2": "child's disability or illness",
    "N3": "parental disability or illness",
    "N4": "family in acute stress",
    "N5": "family dysfunction",
    "N6": "socially unacceptable behaviour",
    "N7": "low income",
    "N8": "absent parenting",
    "N9": "other than children in need",
    "N0": "not stated",
}

NCCIS = Table(
    name="nccis",
    owner="DfE",
    grain="one young person in one monthly return of a local authority",
    years=(2010, 2020),
    variables=(
        Variable(f"NCCIS_{PMR}", "id", "the young person", required=True, also_called=SOURCE_PMR),
        Variable("NCCIS_ACADYR", "academic_year", FROM_FILE),
        Variable("NCCIS_MonthNo", "int", "calendar month of the return"),
        Variable("NCCIS_Current_Activity_Code", "text", "activity; codes from 500 are not in education or work"),
        Variable("NCCIS_Current_Activity_Start_Date", "date", "first day of the activity"),
        Variable("NCCIS_NEET_Start_Date", "date", "first day out of education, employment and training"),
        Variable("NCCIS_Gender", "text", "sex", codes=SEX),
    ),
    person=f"NCCIS_{PMR}",
    person_key="PMR",
    year="NCCIS_ACADYR",
    prefix="NCCIS_",
    also_called=("national_client_caseload_information_system",),
    known_issues=("to age 18 or 19 only", "activities are as known to the local authority, often out of date"),
)

CIN = Table(
    name="cin",
    owner="DfE",
    grain="one episode of need of a child in one year",
    years=(2008, 2020),
    variables=(
        Variable(f"CIN_{PMR}", "id", "the child", required=True, also_called=SOURCE_PMR),
        Variable("CIN_ACADYR", "academic_year", FROM_FILE),
        Variable("CIN_CINAt31March", "flag", "in need on 31 March", codes=YES_NO),
        Variable("CIN_CINReferralDate", "date", "referral", also_called=("CIN_LatestReferralDate",)),
        Variable(
            "CIN_CINClosureDate", "date", "closure of the episode", (2009, 2020), also_called=("CIN_LatestClosureDate",)
        ),
        Variable("CIN_PrimaryNeedCode", "text", "main need"),
        Variable("CIN_ReferralNFA", "flag", "referred without further action", (2009, 2020), YES_NO),
        Variable("CIN_CPPstartDate", "date", "first day of a protection plan", (2008, 2018)),
    ),
    person=f"CIN_{PMR}",
    person_key="PMR",
    year="CIN_ACADYR",
    prefix="CIN_",
    also_called=("children_in_need", "cin_child", "cin_details"),
    known_issues=("comes as several linked files", "not to be used together with postcodes"),
)

CLA = Table(
    name="cla",
    owner="DfE",
    grain="one child looked after in one year to 31 March",
    years=(2005, 2020),
    variables=(
        Variable(f"cla_{PMR}", "id", "the child", required=True, also_called=SOURCE_PMR),
        Variable("cla_PROCESSING_YEAR", "int", "calendar year in which the year to 31 March ends"),
        Variable("cla_SEX", "text", "sex"),
        Variable("cla_POC_START", "date", "first day of the latest period of care"),
        Variable("cla_DATE_EPI_COMM", "date", "first day of the latest episode"),
        Variable("cla_DATE_EPI_CEASED", "date", "last day of the latest episode"),
        Variable("cla_CAT_NEED", "text", "category of need", codes=NEEDS),
        Variable("cla_CLA_31_MARCH", "flag", "looked after on 31 March", codes=YES_NO),
        Variable("cla_CLA_12_MONTHS", "flag", "looked after for 12 months on 31 March", codes=YES_NO),
    ),
    person=f"cla_{PMR}",
    person_key="PMR",
    prefix="cla_",
    also_called=("children_looked_after",),
    known_issues=("not to be used together with postcodes",),
)

ALTERNATIVE_PROVISION = Table(
    name="alternative_provision",
    owner="DfE",
    grain="one placement of a pupil in one yearly census",
    years=(2007, 2020),
    variables=(
        Variable(f"AP_{PMR}", "id", "the pupil", required=True, also_called=SOURCE_PMR),
        Variable("AP_ACADYR", "academic_year", FROM_FILE),
        Variable("AP_RecordStatus", "int", "main records and duplicates", (2017, 2020)),
        Variable("AP_Gender", "text", "sex", codes=SEX),
        Variable("AP_FSMeligible", "flag", "eligible for free school meals", codes=YES_NO),
        Variable("AP_SENProvision", "text", "special educational need", codes=SEN),
        Variable("AP_APTypeDescription", "text", "type of provision", (2007, 2016), also_called=("AP_APtype",)),
    ),
    person=f"AP_{PMR}",
    person_key="PMR",
    year="AP_ACADYR",
    prefix="AP_",
    also_called=("alt_provision", "ap_census", "alternative_provision_census"),
    known_issues=(
        "placements paid for by local authorities; pupil referral units are in the school census from 2013-14",
    ),
)

TABLES = (NCCIS, CIN, CLA, ALTERNATIVE_PROVISION)
