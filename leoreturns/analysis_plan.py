"""The analysis plan of a study: locked before outcomes are opened, and changed on the record alone.

A plan is a TOML file with estimand, outcome, sample and covariates. Locking writes its hash and the time beside it;
later changes are logged there as controlled changes of methodology, each with its reason and what it changed. Entries
are chained by their hashes, so that none can be edited, or taken out from between others, unnoticed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from leoreturns._folder import write_whole
from leoreturns._toml import Faults, read_toml
from leoreturns.errors import StudyError

KEYS = ("estimand", "outcome", "sample", "covariates")
LISTS = KEYS[1:]  # several outcomes or samples: each is planned
ENTRY = ("time", "sha256", "reason", "content", "previous", "entry")


@dataclass(frozen=True, slots=True)
class LockedPlan:
    """An analysis plan as it was locked.

    Attributes
    ----------
    sha256 : str
        Hash of the file.
    locked : str
        When it was first locked, in UTC.
    content : mapping
        What is planned, by key; lists but for the estimand.
    changes : tuple of mapping
        Controlled changes since: ``time``, ``reason``, and the keys that ``changed``.
    """

    sha256: str
    locked: str
    content: Mapping[str, Any]
    changes: tuple[Mapping[str, Any], ...] = ()

    def departures(self, asked: Mapping[str, Any]) -> list[str]:
        """Return where what was asked departs from the plan, key by key.

        Parameters
        ----------
        asked : mapping
            Of the keys of a plan; one that is not there is not compared.

        Returns
        -------
        list of str
        """
        found = []
        for key in (key for key in KEYS if key in asked):
            planned = self.content[key]
            if key == "covariates":
                lacking, added = _apart(planned, asked[key]), _apart(asked[key], planned)
                found += [f"covariates: without {', '.join(lacking)}"] if lacking else []
                found += [f"covariates: {', '.join(added)} not planned"] if added else []
            elif _plain(asked[key]) not in map(_plain, [planned] if isinstance(planned, str) else planned):
                found.append(f"{key}: {_plain(asked[key]) or 'all rows'} not planned")
        return found

    def statement(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an answer says of the plan it was asked under, as plain values."""
        return {
            "sha256": self.sha256,
            "locked": self.locked,
            "controlled changes": [f"{each['time']}: {each['reason']}" for each in self.changes],
            "departures": self.departures(asked),
            "not compared": [key for key in KEYS if key not in asked],
        }

    def __repr__(self) -> str:
        return f"<LockedPlan {self.sha256[:12]}: locked {self.locked}, {len(self.changes):,} controlled changes>"


def lock_plan(path: str | Path, *, reason: str | None = None) -> LockedPlan:
    """Lock an analysis plan, or log a change of one that is locked.

    The record is ``<plan>.lock``, beside the plan. Locking a plan that has not changed does nothing.

    Parameters
    ----------
    path : path
        A TOML file with ``estimand`` (a text), ``outcome`` and ``sample`` (a text or several, each of them planned; a
        sample is a condition on rows, "" for all) and ``covariates`` (columns).
    reason : str, optional
        Why a locked plan was changed: it is logged as a controlled change of methodology.

    Returns
    -------
    LockedPlan

    Raises
    ------
    StudyError
        If the file is no plan, or was changed after it was locked and no reason is given.
    """
    path = Path(path)
    content, digest = _read(path)
    entries = _entries(path)
    if entries and entries[-1]["sha256"] == digest:
        _check_content(path, content, entries)
        return _locked(entries)
    if entries and not (reason and reason.strip()):
        raise StudyError(
            f"{path.name!r} was locked {entries[0]['time']} and has changed since: give a reason, which is logged as a "
            "controlled change of methodology, or restore the plan"
        )
    entry = {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "sha256": digest,
        "reason": (reason or "").strip() if entries else "",
        "content": content,
        "previous": entries[-1]["entry"] if entries else "",
    }
    entries.append(entry | {"entry": _digest(entry)})
    write_whole(_record(path), (json.dumps(entries, indent=1, ensure_ascii=False) + "\n").encode())
    return _locked(entries)


def read_locked(path: Path) -> LockedPlan:
    """Return a locked plan.

    Raises
    ------
    StudyError
        If it is not locked, was changed without record, or its record was edited.
    """
    content, digest = _read(path)
    entries = _entries(path)
    if not entries:
        raise StudyError(
            f"{path.name!r} is not locked: run `python -m leoreturns lock {path.name}` before outcomes are opened"
        )
    if entries[-1]["sha256"] != digest:
        raise StudyError(
            f"{path.name!r} was changed after it was locked: log it by `python -m leoreturns lock {path.name} "
            '--reason "..."`, or restore it'
        )
    _check_content(path, content, entries)
    return _locked(entries)


def _check_content(path: Path, content: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """Refuse a record that says otherwise than the plan."""
    if entries[-1]["content"] != content:
        raise StudyError(f"the record of {path.name!r} does not say what the plan says: restore it")


def _locked(entries: list[dict[str, Any]]) -> LockedPlan:
    """Return the plan of the last entry, with the changes that led to it."""
    changes = []
    for earlier, later in pairwise(entries):
        changed = [key for key in KEYS if earlier["content"][key] != later["content"][key]]
        changes.append({"time": later["time"], "reason": later["reason"], "changed": changed})
    last = entries[-1]
    return LockedPlan(last["sha256"], entries[0]["time"], last["content"], tuple(changes))


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """Return what a plan plans, and the hash of its file."""
    content, text = read_toml(path, "an analysis plan")
    faults = Faults(path.name, text)
    faults.known_keys("the plan", content, ("title", *KEYS))
    for key in KEYS:
        given = content.get(key)
        if key in LISTS and isinstance(given, str):
            content[key] = given = [given]
        texts = isinstance(given, list) and all(isinstance(each, str) for each in given)
        if not (texts if key in LISTS else isinstance(given, str)):
            faults.add(f"{key} must be a text{' or a list of texts' if key in LISTS else ''}", key)
    faults.refuse()
    return {key: content[key] for key in KEYS}, hashlib.sha256(path.read_bytes()).hexdigest()


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a plan's record; none where it was never locked."""
    record = _record(path)
    if not record.exists():
        return []
    edited = StudyError(f"{record.name!r} is not as it was written: restore it; a record is never edited")
    try:
        entries = json.loads(record.read_text(encoding="utf-8"))
        whole = bool(entries) and all(set(entry) == set(ENTRY) for entry in entries)
    except (OSError, ValueError, TypeError):
        raise edited from None
    if not whole or [entry["previous"] for entry in entries] != ["", *(entry["entry"] for entry in entries[:-1])]:
        raise edited
    for entry in entries:
        if entry["entry"] != _digest({name: value for name, value in entry.items() if name != "entry"}):
            raise edited
    return list(entries)


def _digest(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def _plain(text: Any) -> str:
    return " ".join(str(text).split())


def _apart(some: Iterable[str], others: Iterable[str]) -> list[str]:
    return [each for each in some if each not in set(others)]
