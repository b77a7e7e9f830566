"""Layout: a table as rows of text, and how it is written as plain text, Markdown, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"$|$",
}  # fmt: skip
Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as text: the first entry of each row is its name.

    Attributes
    ----------
    header : sequence of rows
    sections : sequence of sequences of rows
        Set apart by rules.
    notes : sequence of str
        Lines under the table.
    title : str
    """

    header: Sequence[Row]
    sections: Sequence[Sequence[Row]]
    notes: Sequence[str]
    title: str = ""

    def text(self) -> str:
        """Return the table with columns aligned by spaces."""
        rows = [*self.header, *(row for section in self.sections for row in section)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

        def line(row: Row) -> str:
            cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
            return "  ".join(cells).rstrip()

        lines = [self.title] if self.title else []
        lines += [rule, *map(line, self.header)]
        for section in self.sections:
            lines += [rule, *map(line, section)]
        return "\n".join([*lines, rule, *self.notes])

    def markdown(self) -> str:
        """Return the table with pipes; sections follow one another, because Markdown has no rules within a table."""
        rows = [[_in_markdown(cell) for cell in row] for row in self._body()]
        first, *others = [[_in_markdown(cell) for cell in row] for row in self.header]
        lines = [f"**{_in_markdown(self.title)}**", ""] if self.title else []
        lines += [_piped(first), _piped([":--", *["--:"] * (len(first) - 1)]), *map(_piped, [*others, *rows])]
        return "\n".join([*lines, "", *(f"{_in_markdown(note)}  " for note in self.notes)]).rstrip() + "\n"

    def latex(self) -> str:
        """Return a tabular with the rules of booktabs, to be put into a table environment."""
        width = len(self.header[0])

        def lines(rows: Sequence[Row]) -> list[str]:
            return [f"{' & '.join(map(_in_latex, row))} \\\\" for row in rows]

        parts = [rf"\begin{{tabular}}{{l{'c' * (width - 1)}}}", r"\toprule", *lines(self.header)]
        if self.title:
            parts[1:1] = [rf"\multicolumn{{{width}}}{{l}}{{\textbf{{{_in_latex(self.title)}}}}} \\"]
        for section in self.sections:
            parts += [r"\midrule", *lines(section)]
        parts.append(r"\bottomrule")
        parts += [rf"\multicolumn{{{width}}}{{l}}{{\footnotesize {_in_latex(note)}}} \\" for note in self.notes]
        return "\n".join([*parts, r"\end{tabular}"]) + "\n"

    def html(self) -> str:
        """Return a table element; each section is a body of its own."""

        def rows(cells: Sequence[Row], tag: Callable[[int], str]) -> str:
            return "".join(
                f"<tr>{''.join(f'<{tag(at)}>{escape(cell)}</{tag(at)}>' for at, cell in enumerate(row))}</tr>"
                for row in cells
            )

        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        head = f"<thead>{rows(self.header, lambda at: 'th')}</thead>"
        bodies = "".join(
            f"<tbody>{rows(section, lambda at: 'td' if at else 'th')}</tbody>" for section in self.sections
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<table>{caption}{head}{bodies}</table>{notes}"

    def _body(self) -> list[Row]:
        return [row for section in self.sections for row in section]


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _in_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is: pipes would end the cell, stars, underscores and brackets mark it."""
    return "".join(f"\\{letter}" if letter in "\\|*_`[]<>" else letter for letter in text)


def _in_latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)
