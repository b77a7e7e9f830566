"""Names and labels as text on one line, for files and figures."""

from __future__ import annotations

import unicodedata


def one_line(text: str) -> str:
    """Return a text on one line: control characters and runs of white space become single spaces."""
    return " ".join("".join(" " if is_control(letter) else letter for letter in text).split())


def is_control(letter: str) -> bool:
    """Tell whether a character steers the output instead of being seen: line ends, control and formatting characters.

    Formatting characters may reverse the order in which a line is shown; halves of a surrogate pair cannot be written.
    """
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
