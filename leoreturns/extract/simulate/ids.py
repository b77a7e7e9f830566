"""Ids of simulated persons: unlike for any two persons, without a pattern, and the same for any chunk size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.random import Generator
from numpy.typing import NDArray

from leoreturns._typing import AnyArray, IntArray
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.rows import Coded, Rows, numbered

# Kind of id -> bits of its number. A person has room for four ids of a kind.
BITS = {"AE_ID": 46, "PMR": 64, "EDUKEY": 56, "RECORDID": 31, "external_id": 52}
SLOTS = 4
_FIRST, _SECOND, _UNKNOWN = range(3)
PMR_PREFIX = "A0"  # PMRs have 18 characters
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def mixed(numbers: AnyArray, bits: int, salt: int) -> NDArray[np.uint64]:
    """Map whole numbers of at most `bits` bits one to one to others, so that order and closeness are lost."""
    mask, half = np.uint64((1 << bits) - 1), np.uint64(bits // 2)
    # Multiplying by an odd number and folding the upper half in can both be undone: no two numbers meet.
    values = (numbers.astype(np.uint64) ^ np.uint64(salt)) & mask
    for odd in _ODD:
        values = (values * odd) & mask
        values ^= values >> half
    return values


@dataclass(frozen=True, slots=True)
class IdSet:
    """The ids of one kind in one chunk.

    Attributes
    ----------
    numbers : uint64 array
        First ids of the persons in their order, then second ids, then ids that no lookup knows.
    second, unknown : int32 arrays, one entry per person
        Where the person's further ids stand; -1 for none.
    has : bool array
        Whether the person has any.
    """

    numbers: NDArray[np.uint64]
    second: AnyArray
    unknown: AnyArray
    has: AnyArray

    def of(self, persons: AnyArray, rng: Generator) -> AnyArray:
        """Return the places in `numbers` of the ids under which rows of these persons are kept."""
        codes = persons.astype(np.int32)
        for other, share in ((self.second, 0.5), (self.unknown, 0.3)):
            # A draw per row in any case: a defect then moves no other draw.
            use = (rng.random(len(persons)) < share) & (other[persons] >= 0)
            codes[use] = other[persons[use]]
        return codes


def make_ids(kind: str, persons: IntArray, has: AnyArray, salt: int, defects: Defects) -> IdSet:
    """Return the ids of one kind for persons with these numbers.

    Parameters
    ----------
    kind : str
        One of ``BITS``.
    persons : int64 array
        Numbers of the persons over all chunks.
    has : bool array
        Who has one.
    salt : int
        From the seed.
    defects : Defects
        Who has two, and whose rows stand partly under an id that no lookup knows.
    """
    further = []
    numbers = [persons * SLOTS + _FIRST]
    for slot, defect in ((_SECOND, f"second {kind}"), (_UNKNOWN, f"unknown {kind}")):
        chosen = np.flatnonzero(has)[defects.choose(defect, int(has.sum()))]
        place = np.full(len(persons), -1, np.int32)
        place[chosen] = sum(map(len, numbers)) + np.arange(len(chosen))
        numbers.append(persons[chosen] * SLOTS + slot)
        further.append(place)
    return IdSet(mixed(np.concatenate(numbers), BITS[kind], salt), further[0], further[1], has)


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of one chunk.

    Attributes
    ----------
    ae_id : int64 array, one per person
    pmr, edukey, recordid : IdSet
    pmr_texts, edukey_texts : Arrow arrays
        The ids as the tables hold them, in the order of ``IdSet.numbers``.
    """

    ae_id: IntArray
    pmr: IdSet
    edukey: IdSet
    recordid: IdSet
    pmr_texts: pa.Array
    edukey_texts: pa.Array

    def pmr_of(self, persons: AnyArray, rng: Generator) -> Coded:
        """Return the PMRs under which rows of these persons are kept."""
        return Coded(self.pmr.of(persons, rng), self.pmr_texts)

    def edukey_of(self, persons: AnyArray, rng: Generator) -> Coded:
        """Return the EDUKEYs under which rows of these persons are kept."""
        return Coded(self.edukey.of(persons, rng), self.edukey_texts)


def make_all_ids(persons: IntArray, linked: AnyArray, further: AnyArray, salt: int, defects: Defects) -> Ids:
    """Return the ids of a chunk: `linked` persons have an EDUKEY, `further` those with an ILR record."""
    everyone = np.ones(len(persons), bool)
    pmr = make_ids("PMR", persons, everyone, salt, defects)
    edukey = make_ids("EDUKEY", persons, linked, salt, defects)
    return Ids(
        ae_id=mixed(persons, BITS["AE_ID"], salt).astype(np.int64) + 1,
        pmr=pmr,
        edukey=edukey,
        recordid=make_ids("RECORDID", persons, further, salt, defects),
        pmr_texts=numbered(pmr.numbers, 16, PMR_PREFIX, base=16),
        edukey_texts=numbered(edukey.numbers, 14, base=16),
    )


def lookups(ids: Ids, defects: Defects) -> dict[str, Rows]:
    """Return the three lookups from resolved persons to their other ids."""
    columns = {
        "lookup_pmr": ("PUPILMATCHINGREFANONYMOUS", "PMR", ids.pmr),
        "lookup_recid": ("RECORDID", "RECORDID", ids.recordid),
        "lookup_edukey": ("EDUKEY", "EDUKEY", ids.edukey),
    }
    texts = {"PMR": ids.pmr_texts, "EDUKEY": ids.edukey_texts}
    tables = {}
    for name, (column, kind, known) in columns.items():
        person, code = _links(known, kind, defects)
        value = Coded(code, texts[kind]) if kind in texts else known.numbers[code].astype(np.int64)
        links: Rows = {"AE_ID": ids.ae_id[person], column: value}
        links = defects.repeat("repeated lookup row", links)
        links = defects.blank("missing AE_ID in a lookup", links, "AE_ID")
        tables[name] = defects.blank("missing id in a lookup", links, column)
    return tables


def _links(known: IdSet, kind: str, defects: Defects) -> tuple[IntArray, IntArray]:
    """Return who is linked to which id: each person to his own, and by defect to that of his neighbour."""
    owners = np.flatnonzero(known.has)
    twice = np.flatnonzero(known.second >= 0)
    person, code = [owners, twice], [owners, known.second[twice].astype(np.int64)]
    if len(owners) > 1:
        shared = defects.choose(f"shared {kind}", len(owners) - 1)
        person.append(owners[shared + 1])
        code.append(owners[shared])
        # A cycle: two persons, each linked to the ids of both.
        pairs = defects.choose(f"cycle of {kind}s", len(owners) // 2)
        for mine, theirs in ((0, 1), (1, 0)):
            person.append(owners[2 * pairs + theirs])
            code.append(owners[2 * pairs + mine])
    return np.concatenate(person), np.concatenate(code)


def external_ids(recordid: AnyArray, year: AnyArray, salt: int) -> IntArray:
    """Return the id of a learner at a provider in a year, from the record and the year."""
    numbers = recordid * 64 + (year - 2000)
    return mixed(numbers, BITS["external_id"], salt).astype(np.int64)
