"""NumPy and plain-Python twins of the kernels in `_core/codes.pyx` and `_core/columns.pyx`."""

from itertools import pairwise

import numpy as np

MASK = (1 << 64) - 1


def hash_bytes(text):
    """FNV-1a over 64 bits, finished by murmur3's fmix64, in exact integers."""
    h = 0xCBF29CE484222325
    for byte in text:
        h = ((h ^ byte) * 0x100000001B3) & MASK
    h ^= h >> 33
    h = (h * 0xFF51AFD7ED558CCD) & MASK
    h ^= h >> 33
    h = (h * 0xC4CEB9FE1A85EC53) & MASK
    return h ^ (h >> 33)


def hash_integers(ids):
    return np.array([hash_bytes(str(int(value)).encode()) for value in ids], dtype=np.uint64)


def dense_codes(values):
    """Codes by first appearance, and the distinct values in that order."""
    distinct, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    return rank[inverse].astype(np.int32), distinct[order].astype(np.int64)


def sort_rows(codes, rank):
    """Stable order of the rows by the rank of their code, and offsets by rank."""
    kept = np.flatnonzero(codes >= 0)
    placed = np.asarray(rank)[codes[kept]] if len(kept) else np.empty(0, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(placed, minlength=len(rank)))]).astype(np.int64)
    return kept[np.argsort(placed, kind="stable")], offsets


def runs(offsets):
    return [slice(int(a), int(b)) for a, b in pairwise(offsets)]


def sort_within(offsets, times, order):
    """Sorted times, the rows along them, and repeats (rows, persons); rows of equal times in no particular order."""
    times, order = times.copy(), order.copy()
    repeats = []
    for run in runs(offsets):
        place = np.argsort(times[run], kind="stable")
        times[run], order[run] = times[run][place], order[run][place]
        repeats.append(int((np.diff(times[run]) == 0).sum()))
    return times, order, (sum(repeats), sum(count > 0 for count in repeats))


def constant_within(values, missing, offsets):
    """Persons in whom values vary (a missing one counts as a value), and those in whom only missingness varies."""
    varying = only_missing = 0
    for run in runs(offsets):
        known = np.unique(values[run][~missing[run]])
        differs = len(known) > 1
        partly = len(known) > 0 and bool(missing[run].any())
        varying += differs or partly
        only_missing += partly and not differs
    return varying, only_missing


def recode(values, base, table):
    level = values.astype(object) - base  # exact whatever the width
    return np.array([table[at] if 0 <= at < len(table) else -1 for at in level], dtype=np.int64)


def observed(values, base, span):
    level = values.astype(object) - base
    seen = np.zeros(span, dtype=bool)
    inside = [at for at in level if 0 <= at < span]
    seen[inside] = True
    return seen, len(level) - len(inside)


def interact(columns, n_levels):
    """Mixed radix, the last column fastest; -1 where any code is missing."""
    cell = np.zeros(len(columns[0]), dtype=np.int64)
    missing = np.zeros(len(columns[0]), dtype=bool)
    for column, count in zip(columns, n_levels, strict=True):
        missing |= column < 0
        cell = cell * count + column
    return np.where(missing, -1, cell)


def count_persons(selection, offsets):
    return sum(bool(selection[run].any()) for run in runs(offsets))
