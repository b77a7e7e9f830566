"""Small LEO tables for the tests of the extract, and canaries: values of persons that no message may show."""

import contextlib
import io
import logging
import warnings

import pandas as pd
import pytest

from leoreturns.errors import ExtractError

# An id, a date of birth or of a spell, and a pay that would be recognised anywhere.
CANARY_ID = "ZQX7431ZQX7431"
CANARY_DATE = "1987-11-23"
CANARY_PAY = "7318642.97"
CANARIES = (CANARY_ID, "7431", CANARY_DATE, "23/11/1987", "11/23/1987", "1987", CANARY_PAY, "7318642")


def employment(**columns):
    return pd.DataFrame(
        {
            "EduKey": [CANARY_ID, "B2", "B2", "C3"],
            "StartDate": [CANARY_DATE, "2004-04-06", "2010-01-31", "2012-02-29"],
            "EndDate": ["2004-04-05", "2005-04-05", None, "2013-02-28"],
            "UncertainStartDate": [1, 0, 0, 1],
            "UncertainEndDate": [0, 0, 1, 1],
        }
        | columns
    )


def earnings(**columns):
    return pd.DataFrame(
        {
            "Edukey": [CANARY_ID, "B2", "B2", "C3"],
            "TaxYear": [200304, 200405, 200506, 201213],
            "Earnings": [CANARY_PAY, "12000", "", "0"],
        }
        | columns
    )


def lookup_edukey(**columns):
    return pd.DataFrame({"AE_ID": [11, 12, 13], "EDUKEY": [CANARY_ID, "B2", "C3"]} | columns)


def rows(extract, name, columns=None, where=None):
    """All rows of a table as tuples in order."""
    return [tuple(row.values()) for batch in extract.read(name, columns, where) for row in batch.to_pylist()]


def assert_silent(text):
    assert [canary for canary in CANARIES if canary in text] == []


@contextlib.contextmanager
def refused(match):
    """Expect an ExtractError that matches, and that neither it, its causes, warnings nor any output shows a canary."""
    out, log = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
            pytest.raises(ExtractError, match=match) as raised,
        ):
            warnings.simplefilter("always")
            yield raised
    finally:
        logging.getLogger().removeHandler(handler)
    error = raised.value
    # What a traceback prints, and what finds its way to a log of errors: no cause or context with a text of its own.
    assert error.__cause__ is None
    assert error.__context__ is None
    assert_silent(f"{error}{error!r}{out.getvalue()}{log.getvalue()}{[str(one.message) for one in caught]}")
