"""TOML files that users write: every fault of a file is gathered, and told with the line that it stands on."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from leoreturns.errors import LeoReturnsError, StudyError

# The keys, and numbers within arrays of tables from 0, that lead to an entry.
Place: TypeAlias = tuple[str | int, ...]
Made = TypeVar("Made")


def read_toml(path: Path, what: str) -> tuple[dict[str, Any], str]:
    """Return the content of a file and its text.

    Raises
    ------
    StudyError
        If the file cannot be read or is no TOML; `what` says what to name instead.
    """
    try:
        text = path.read_bytes().decode()
        # As the TOML reader does with a file opened in bytes.
        text = text.replace("\r\n", "\n")
        return tomllib.loads(text), text
    except OSError as error:
        raise StudyError(f"{path.name!r} cannot be read ({error.strerror}): name {what}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path.name!r} is not valid TOML: {error}") from None


def lines_of(text: str) -> dict[Place, int]:
    """Return the line, from 1, on which each entry of a TOML text begins.

    A statement begins where the text before it is a whole document, so entries that a prefix has and a shorter prefix
    lacks were written between the ends of the two. Every prefix is parsed: this is for files that someone typed.
    """
    found: dict[Place, int] = {}
    lines, start = text.split("\n"), 0
    for end in range(1, len(lines) + 1):
        try:
            content = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
        for place in _places(content):
            found.setdefault(place, start + 1)
        start = end
    return found


def _places(content: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the place of every table and entry."""
    yield place
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, part in entries:
        yield from _places(part, (*place, key))


def meant(name: object, known: Collection[str]) -> str:
    """Return which of the known names was meant by one that is not among them."""
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


@dataclass(slots=True)
class Faults:
    """What is wrong with a file.

    Attributes
    ----------
    name, text : str
        The file; without them faults are told without their lines.
    found : list of (place, message)
        In the order in which they were noticed.
    """

    name: str = ""
    text: str = ""
    found: list[tuple[Place, str]] = field(default_factory=list)

    def add(self, message: str, *place: str | int) -> None:
        """Note a fault of the entry at a place."""
        if (place, message) not in self.found:
            self.found.append((place, message))

    @contextmanager
    def at(self, *place: str | int, words: str = "", given: Collection[str] = ()) -> Iterator[None]:
        """Note the refusal of what is done inside as a fault at a place, or at that of the given key that it names.

        Parameters
        ----------
        *place : str or int
        words : str
            What was refused.
        given : collection of str
            Keys of the place.
        """
        try:
            yield
        except (LeoReturnsError, ValueError, TypeError) as error:
            named = [key for key in given if key in re.findall(r"\w+", str(error))]
            self.add(f"{words}: {error}" if words else str(error), *place, *named[:1])

    def made(
        self, make: Callable[[], Made], *place: str | int, words: str = "", given: Collection[str] = ()
    ) -> Made | None:
        """Return what a constructor makes; None, and a fault noted as in `at`, if it refuses."""
        with self.at(*place, words=words, given=given):
            return make()
        return None

    def known_keys(self, words: str, given: Mapping[str, Any], known: Sequence[str], *place: str | int) -> None:
        """Note every key that means nothing, with the one that was meant."""
        for key in given:
            if key not in known:
                self.add(f"{words}: unknown key {key!r}; {meant(key, known)}", *place, key)

    def section(
        self, content: Mapping[str, Any], name: str, known: Sequence[str], needed: Sequence[str]
    ) -> Mapping[str, Any]:
        """Return a section's entries; faults are what it lacks and what means nothing."""
        section = content.get(name)
        if not isinstance(section, Mapping):
            self.add(f"there is no section [{name}]: add it, with {', '.join(needed)}", name)
            return {}
        self.known_keys(f"[{name}]", section, known, name)
        for key in needed:
            # One that is misspelt has been told of.
            if key not in section and set(section) <= set(known):
                self.add(f'[{name}] lacks {key!r}: add {key} = "..."', name)
        return section

    def value(self, words: str, value: Any, *place: str | int) -> str:
        """Return a text; "" and a fault noted for anything else."""
        if isinstance(value, str):
            return value
        self.add(f"{words} must be a text in quotes", *place)
        return ""

    def refuse(self) -> None:
        """Raise all that was noted, by line.

        Raises
        ------
        StudyError
            If anything was.
        """
        if not self.found:
            return
        lines = lines_of(self.text) if self.text else {}
        told = sorted(((_line(lines, place), message) for place, message in self.found), key=lambda each: each[0])
        texts = [f"line {line}: {message}" if line else message for line, message in told]
        if len(texts) == 1:
            joined = ", " if told[0][0] else ": "
            raise StudyError(f"{self.name!r}{joined}{texts[0]}" if self.name else texts[0])
        heading = f"{len(texts)} faults"
        raise StudyError("\n  ".join([f"{self.name!r}: {heading}" if self.name else heading, *texts]))


def _line(lines: Mapping[Place, int], place: Place) -> int:
    """Return the line of a place, or of the nearest one that it lies in; 0 for none."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 0) if place else 0
