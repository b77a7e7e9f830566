"""Published figures that the simulated population starts from, and what is assumed where nothing is published.

Department for Education (2021), "Post-16 education and labour market activities, pathways and outcomes (LEO)" for
medians, activities and shares; Department for Education, "Career pathways: post-16 qualifications held by employees"
(2018-19) for industries. Crown copyright, Open Government Licence v3.0.
"""

from __future__ import annotations

import numpy as np

# Shares of pupils (percent) at the end of key stage 4 in 2001-02 to 2006-07.
FEMALE = 48.4
FIVE_AC = 56.1
FSM = 0.148  # eligible, of all
REGIONS = {  # region: (code, share, log-points of pay)
    "North East": ("E12000001", 5.3, -0.06),
    "North West": ("E12000002", 14.7, -0.04),
    "Yorkshire and The Humber": ("E12000003", 10.4, -0.04),
    "East Midlands": ("E12000004", 8.7, -0.01),
    "West Midlands": ("E12000005", 11.2, -0.02),
    "East of England": ("E12000006", 11.0, 0.06),
    "London": ("E12000007", 12.8, 0.12),
    "South East": ("E12000008", 16.0, 0.07),
    "South West": ("E12000009", 9.9, -0.01),
}
INDEPENDENT, OTHER_SCHOOL = 6.8, 0.2  # percent of pupils
SCHOOL_TYPES = ("mainstream", "selective", "independent", "special", "other")

# Ethnic group as published: (share of pupils of state schools in percent, major group, share with another first
# language than English, relative poverty of the areas). Shares are those that agree with the published ones of levels.
ETHNICITY = {
    "WBRI": (83.6, "WHIT", 0.01, 1.0),
    "W non-British": (2.4, "WHIT", 0.50, 1.2),
    "MWBC": (0.75, "MIXD", 0.03, 1.7),
    "MWBA": (0.20, "MIXD", 0.10, 1.7),
    "MWAS": (0.40, "MIXD", 0.15, 1.1),
    "MOTH": (0.65, "MIXD", 0.20, 1.4),
    "AIND": (2.25, "ASIA", 0.75, 1.2),
    "APKN": (2.45, "ASIA", 0.85, 2.5),
    "ABAN": (0.90, "ASIA", 0.92, 3.5),
    "AOTH": (0.60, "ASIA", 0.75, 1.4),
    "BCRB": (1.30, "BLAC", 0.06, 2.4),
    "BAFR": (1.45, "BLAC", 0.60, 2.8),
    "BOTH": (0.35, "BLAC", 0.30, 2.5),
    "CHNE": (0.33, "CHIN", 0.75, 1.1),
    "OOTH": (0.60, "AOEG", 0.75, 1.8),
    "unclassified": (1.77, "UNCL", 0.0, 1.2),
}
# Codes of the census within a published group: (group, share within it).
ETHNIC_CODES = {
    "WBRI": ("WBRI", 1.0),
    "WIRI": ("W non-British", 0.14),
    "WIRT": ("W non-British", 0.02),
    "WROM": ("W non-British", 0.04),
    "WOTH": ("W non-British", 0.80),
    "MWBC": ("MWBC", 1.0),
    "MWBA": ("MWBA", 1.0),
    "MWAS": ("MWAS", 1.0),
    "MOTH": ("MOTH", 1.0),
    "AIND": ("AIND", 1.0),
    "APKN": ("APKN", 1.0),
    "ABAN": ("ABAN", 1.0),
    "AOTH": ("AOTH", 1.0),
    "BCRB": ("BCRB", 1.0),
    "BAFR": ("BAFR", 1.0),
    "BOTH": ("BOTH", 1.0),
    "CHNE": ("CHNE", 1.0),
    "OOTH": ("OOTH", 1.0),
    "REFU": ("unclassified", 0.4),
    "NOBT": ("unclassified", 0.6),
}
# By region, in the order of REGIONS: how many more pupils of ethnic minorities than in proportion; shares of pupils in
# the most deprived fifth of areas, the middle three and the least deprived fifth.
MINORITY_TILT = (0.25, 0.75, 0.8, 0.7, 1.4, 0.6, 4.5, 0.6, 0.3)
AREAS = (
    (0.34, 0.52, 0.14), (0.32, 0.51, 0.17), (0.28, 0.54, 0.18), (0.20, 0.60, 0.20), (0.28, 0.55, 0.17),
    (0.10, 0.62, 0.28), (0.36, 0.53, 0.11), (0.08, 0.56, 0.36), (0.10, 0.68, 0.22),
)  # fmt: skip

LEVELS = ("level 2 or below", "level 3 or above", "graduate")
PRICE_YEAR, INFLATION = 2017, 0.02  # the simulated price level grows evenly

# Chances of paid work in a year, by level (2 or below, 3 or above, graduate) and main activity (not captured, benefits,
# no sustained activity, employment, further, other education, key stage 5, higher education), at knots of years after
# key stage 4. Nobody has published them: assumed. How groups differ is fitted (`fitted.Fitted.work`).
WORK_KNOTS = (1, 2, 3, 5, 8, 12)
PAID_WORK = (
    (0, (0.15, 0.20, 0.20, 0.12, 0.15, 0.30), (0.52, 0.84, 0.84, 0.72, 0.70, 0.84), 1, 0.7, (0.34, 0.5), 0.4, 0.6),
    (0, 0.35, 0.88, 1, (0.8, 0.8, 0.8, 0.85), (0.5, 0.55), (0.62, 0.5), 0.65),
    (0, 0.35, 0.90, 1, 0.8, 0.5, (0.70, 0.45), (0.45, 0.45, 0.35, 0.29, 0.50, 0.65)),
)
ALL_YEAR_BESIDE = 0.5
# Chances, by level, of a claim or a course too short to be a year's activity.
SHORT_CLAIM, SHORT_COURSE = (0.08, 0.03, 0.01), (0.05, 0.05, 0.02)

# Thousands of employees aged 25 to 30 by industry section and level.
# fmt: off
SECTIONS = tuple("ABCDEFGHIJKLMNOPQRS")
EMPLOYEES = np.array([
    [3.6, .7, 50.6, 2.1, 5.9, 35.0, 114.3, 28.8, 45.1, 9.5, 12.8, 6.1, 18.4, 57.3, 12.5, 14.8, 51.9, 10.6, 11.1],
    [3.9, .8, 57.1, 5.7, 4.2, 36.9, 139.3, 30.7, 49.1, 27.8, 35.9, 13.7, 47.1, 57.6, 32.0, 45.0, 106.4, 19.2, 21.0],
    [1.6, .4, 37.9, 3.4, 2.4, 14.5, 86.4, 15.5, 22.3, 62.2, 48.6, 12.5, 127.6, 50.4, 37.0, 136.3, 103.4, 19.9, 13.6],
])
# Median pay of the section against that of all, in logs; furlough in the first and second tax year of the scheme.
SECTION_PAY = np.array([
    -.10, .35, .10, .25, .10, .20, -.15, .08, -.35, .25, .22, .05, .15, -.12, .10, -.05, -.12, -.15, -.18])
MEAN_SECTION_PAY = EMPLOYEES @ SECTION_PAY / EMPLOYEES.sum(axis=1)  # by level
FURLOUGH = np.array([
    .15, .15, .22, .08, .10, .35, .28, .25, .68, .15, .06, .25, .15, .28, .01, .06, .08, .55, .45])
DIVISIONS = (
    (1, 2, 3), (6, 8, 9), (10, 20, 25, 28, 29), (35,), (36, 38), (41, 42, 43), (45, 46, 47), (49, 52, 53), (55, 56),
    (58, 61, 62, 63), (64, 65, 66), (68,), (69, 70, 71, 73), (77, 78, 80, 81), (84,), (85,), (86, 87, 88), (90, 93),
    (94, 96),
)
# fmt: on
SELF_EMPLOYED = {"F": 0.05, "M": 0.09}
