"""Published figures that the simulated population is set to. A first setting: nothing is fitted to them yet.

Department for Education (2021), "Post-16 education and labour market activities, pathways and outcomes (LEO)" for
medians, activities and shares; Department for Education, "Career pathways: post-16 qualifications held by employees"
(2018-19) for industries. Crown copyright, Open Government Licence v3.0.
"""

from __future__ import annotations

import numpy as np

# Shares of pupils (percent) at the end of key stage 4 in 2001-02 to 2006-07.
FEMALE = 48.4
FIVE_AC = 56.1
GRADUATE = 33.8
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
INDEPENDENT, SELECTIVE, SPECIAL, OTHER_SCHOOL = 7.0, 4.5, 1.3, 0.7
SCHOOL_TYPES = ("mainstream", "selective", "independent", "special", "other")

# Minor ethnic group: (share, major group, share with another first language than English). Census shares of the time.
ETHNIC_GROUPS = {
    "WBRI": (79.0, "WHIT", 0.01),
    "WIRI": (0.5, "WHIT", 0.02),
    "WIRT": (0.1, "WHIT", 0.10),
    "WROM": (0.2, "WHIT", 0.20),
    "WOTH": (2.4, "WHIT", 0.60),
    "MWBC": (1.1, "MIXD", 0.03),
    "MWBA": (0.3, "MIXD", 0.10),
    "MWAS": (0.6, "MIXD", 0.15),
    "MOTH": (1.0, "MIXD", 0.20),
    "AIND": (2.5, "ASIA", 0.75),
    "APKN": (2.8, "ASIA", 0.85),
    "ABAN": (1.1, "ASIA", 0.92),
    "AOTH": (0.9, "ASIA", 0.75),
    "BCRB": (1.5, "BLAC", 0.06),
    "BAFR": (1.8, "BLAC", 0.60),
    "BOTH": (0.5, "BLAC", 0.30),
    "CHNE": (0.4, "CHIN", 0.75),
    "OOTH": (1.0, "AOEG", 0.75),
    "REFU": (0.9, "UNCL", 0.10),
    "NOBT": (1.4, "UNCL", 0.10),
}
# Log-odds of going on to a degree at the same attainment.
DEGREE_SHIFT = {"WHIT": -0.1, "MIXD": 0.2, "ASIA": 0.9, "BLAC": 0.9, "CHIN": 1.0, "AOEG": 0.8, "UNCL": 0.1}

# Median annualised earnings in pounds of 2017-18, years 1 to 15 after key stage 4.
# fmt: off
MEDIANS = {
    ("F", "level 2 or below"): (
        6644, 9718, 11730, 12737, 13376, 13718, 13809, 13801, 13758, 13667, 13373, 13115, 12989, 12864, 12752),
    ("F", "level 3 or above"): (
        4470, 7357, 11013, 12911, 14128, 14987, 15641, 16221, 16706, 17037, 17199, 17240, 17293, 17222, 17179),
    ("F", "graduate"): (
        3481, 4388, 4680, 4678, 6772, 12570, 17493, 20641, 22781, 24442, 25720, 26635, 27304, 27556, 27500),
    ("M", "level 2 or below"): (
        8704, 11890, 14020, 15278, 16186, 16803, 17391, 18061, 18814, 19621, 20265, 20916, 21592, 22181, 22693),
    ("M", "level 3 or above"): (
        5806, 9455, 13105, 15340, 16957, 18196, 19336, 20550, 21826, 23115, 24316, 25466, 26455, 27377, 28225),
    ("M", "graduate"): (
        3699, 4797, 5086, 5179, 6928, 12580, 18465, 22048, 24624, 26824, 28771, 30612, 32245, 33747, 35254),
}
# fmt: on
LEVELS = ("level 2 or below", "level 3 or above", "graduate")
PRICE_YEAR, INFLATION = 2017, 0.022  # the simulated price level grows evenly

# Of those not in education, by level and years after key stage 4 (knots 0, 3, 6, 10, 15): employed all year, employed
# for part of it, on out-of-work benefits. Read off the published activities, which count education first.
KNOTS = (0, 3, 6, 10, 15)
EMPLOYED_ALL_YEAR = np.array(
    [[0.08, 0.31, 0.44, 0.52, 0.58], [0.10, 0.45, 0.60, 0.71, 0.76], [0.10, 0.50, 0.65, 0.78, 0.82]]
)
EMPLOYED_PART_YEAR = np.array(
    [[0.20, 0.28, 0.22, 0.17, 0.14], [0.25, 0.30, 0.22, 0.15, 0.12], [0.25, 0.38, 0.26, 0.13, 0.10]]
)
OUT_OF_WORK = np.array(
    [[0.02, 0.22, 0.23, 0.20, 0.165], [0.01, 0.06, 0.07, 0.055, 0.05], [0.01, 0.02, 0.035, 0.017, 0.016]]
)
STUDENTS_ALL_YEAR, STUDENTS_PART_YEAR = 0.20, 0.40
PUPILS_ALL_YEAR, PUPILS_PART_YEAR = 0.08, 0.30  # the first two years of those on a course of level 3

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
FURLOUGH = np.array([
    .15, .15, .22, .08, .10, .35, .28, .25, .68, .15, .06, .25, .15, .28, .01, .06, .08, .55, .45])
DIVISIONS = (
    (1, 2, 3), (6, 8, 9), (10, 20, 25, 28, 29), (35,), (36, 38), (41, 42, 43), (45, 46, 47), (49, 52, 53), (55, 56),
    (58, 61, 62, 63), (64, 65, 66), (68,), (69, 70, 71, 73), (77, 78, 80, 81), (84,), (85,), (86, 87, 88), (90, 93),
    (94, 96),
)
# fmt: on
SELF_EMPLOYED = {"F": 0.05, "M": 0.09}
