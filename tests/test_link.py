"""Person resolution: many-to-many lookups, cycles, repeated and incomplete rows."""

import itertools

import numpy as np
import pandas as pd
import pytest
from extract_cases import CANARY_ID, assert_silent, refused

from leoreturns.extract.link import Linked, can_link, link_persons, link_table, place_links, rows_of_persons, unlinked
from leoreturns.extract.source import open_extract
from leoreturns.extract.tables import table

SHARED = ("drop", "first")


def lookups(pairs):
    """An extract with a lookup of EDUKEYs, given as pairs of AE_ID and EDUKEY, and pay of every EDUKEY."""
    persons, keys = zip(*pairs, strict=True)
    frame = pd.DataFrame({"AE_ID": pd.array(persons, "Int64"), "EDUKEY": list(keys)})
    pay = sorted({key for key in keys if key} | {"nobody"})
    earnings = pd.DataFrame({"Edukey": pay, "TaxYear": 200304, "Earnings": range(len(pay))})
    return open_extract({"lookup_edukey": frame, "earnings": earnings})


def links(extract):
    found = extract.query(f"SELECT person, via FROM {link_table('EDUKEY')}", "links")
    return set(zip(found["person"].to_pylist(), found["via"].to_pylist(), strict=True))


def twin(pairs, shared_ids):
    """Links, and what became of the rows, in plain Python."""
    whole = [(person, key) for person, key in pairs if person is not None and key]
    persons = {}
    for person, key in whole:
        persons.setdefault(key, set()).add(person)
    kept = {(min(of), key) for key, of in persons.items() if len(of) == 1 or shared_ids == "first"}
    keys = {}
    for person, key in kept:
        keys.setdefault(person, set()).add(key)
    return kept, Linked(
        "EDUKEY",
        links=len(kept),
        without_id=len(pairs) - len(whole),
        repeated=len(whole) - len(set(whole)),
        shared=sum(len(of) > 1 for of in persons.values()),
        dropped=len(set(whole)) - len(kept),
        several=sum(len(of) > 1 for of in keys.values()),
    )


@pytest.mark.parametrize("shared_ids", SHARED)
@pytest.mark.parametrize(
    "pairs",
    [
        [(1, "a")],
        [(1, "a"), (1, "b")],
        [(10, "a"), (9, "a")],
        [(1, "a"), (2, "a"), (2, "b"), (1, "b")],  # a cycle
        [(1, "a"), (2, "a"), (2, "b"), (3, "b"), (3, "c"), (1, "c"), (1, "d")],
        [(1, "a")] * 3 + [(None, "a"), (1, None), (None, None), (2, "")],
    ],
)
def test_links_by_hand(pairs, shared_ids):
    with lookups(pairs) as extract:
        assert (told := link_persons(extract, shared_ids)) == [twin(pairs, shared_ids)[1]]
        assert links(extract) == twin(pairs, shared_ids)[0]
        assert [told[0].kind, told[0].links] == ["EDUKEY", len(links(extract))]


def test_the_first_of_several_persons_is_the_smallest_number_not_the_smallest_text():
    with lookups([(10, "a"), (9, "a")]) as extract:
        link_persons(extract, "first")
        assert links(extract) == {(9, "a")}


@pytest.mark.parametrize("seed", range(20))
def test_any_lookup_agrees_with_its_twin(seed):
    rng = np.random.default_rng(seed)
    persons, keys = [None, *range(1, 12)], [None, "", *"abcdefghijklmn"]
    pairs = [(persons[rng.integers(12)], keys[rng.integers(16)]) for _ in range(rng.integers(1, 60))]
    for shared_ids, order in itertools.product(SHARED, (pairs, pairs[::-1])):
        with lookups(order) as extract:
            kept, told = twin(pairs, shared_ids)
            assert link_persons(extract, shared_ids) == [told]
            assert links(extract) == kept


def test_rows_reach_persons_through_every_one_of_their_ids():
    with lookups([(1, "a"), (1, "b"), (2, "c"), (3, "c")]) as extract:
        link_persons(extract, "drop")
        place_links(extract, ["EDUKEY"], "(SELECT 1 AS person, 7 AS block, 3 AS number)")
        rows = extract.query(rows_of_persons(extract, table("earnings"), ("Earnings",)), "rows")
        named = ("block", "number", "via", "Earnings")
        assert sorted(zip(*(rows[name].to_pylist() for name in named), strict=True)) == [
            (7, 3, "a", 0.0),
            (7, 3, "b", 1.0),
        ]


def test_ids_that_are_numbers_in_one_table_and_texts_in_another_are_the_same():
    lookup = pd.DataFrame({"AE_ID": ["5", "6"], "RECORDID": ["12", "13.0"]})
    aims = pd.DataFrame({"RECORDID": [12.0, 13.0, 14.0], "learning_aim_id": ["x", "y", "z"]})
    with open_extract({"lookup_recid": lookup, "ilr_aims": aims}) as extract:
        link_persons(extract, "drop")
        places = "(SELECT unnest([5, 6, 7]) AS person, 0 AS block, unnest([0, 1, 2]) AS number)"
        place_links(extract, ["RECORDID"], places)
        rows = extract.query(rows_of_persons(extract, table("ilr_aims"), ("learning_aim_id",)), "x")
        assert sorted(zip(rows["number"].to_pylist(), rows["learning_aim_id"].to_pylist(), strict=True)) == [
            (0, "x"),
            (1, "y"),
        ]


def test_what_a_table_lacks_to_be_linked_is_named():
    lookup = pd.DataFrame({"AE_ID": [1], "EDUKEY": ["a"]})
    pay = pd.DataFrame({"Edukey": ["a"], "TaxYear": [200304], "Earnings": [1]})
    with open_extract({"earnings": pay, "lookup_edukey": lookup.drop(columns="AE_ID")}) as extract:
        assert unlinked(extract, table("earnings")) == "lookup_edukey"
        assert not can_link(extract, "EDUKEY") and link_persons(extract, "drop") == []
    with open_extract({"earnings": pay.drop(columns="Edukey"), "lookup_edukey": lookup}) as extract:
        assert unlinked(extract, table("earnings")) == "Edukey"
    with open_extract({"earnings": pay, "lookup_edukey": lookup}) as extract:
        assert unlinked(extract, table("earnings")) is None
        assert unlinked(extract, table("idbr")) is not None


@pytest.mark.parametrize("shared_ids", SHARED)
def test_an_id_with_letters_where_a_number_is_due_is_refused_by_its_count(shared_ids):
    lookup = pd.DataFrame({"AE_ID": ["5", CANARY_ID, "7"], "EDUKEY": ["a", "b", "c"]})
    with (
        open_extract({"lookup_edukey": lookup}) as extract,
        refused("table 'lookup_edukey': column 'AE_ID' has 1 value that cannot be read as whole-number ids"),
    ):
        link_persons(extract, shared_ids)


def test_what_became_of_the_links_shows_no_id():
    with lookups([(1, CANARY_ID), (2, CANARY_ID), (2, "b")]) as extract:
        assert_silent(repr(link_persons(extract, "drop")))
