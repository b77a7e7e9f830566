"""What is inside the files of a release: tables as CSV, and the README for the output checker."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from typing import Any

from leoreturns.disclosure.policy import Policy
from leoreturns.disclosure.rounding import Rounding
from leoreturns.errors import DisclosureError
from leoreturns.results.answer import Answer
from leoreturns.results.labels import is_control, one_line
from leoreturns.results.protected import ProtectedColumn, ProtectedTable

FORMULA_START = ("=", "+", "-", "@")
HEADING = "Prepared for output checking with leoreturns"
PREAMBLE = """\
These files are prepared for an output check. Nobody has checked them yet: they stay in the secure environment
until the output checking service has let them out.

Every number in the tables and figures is rounded, and every number that rests on too few persons, or nearly wholly on
one or two of them, is replaced by "{marker}". Counts are rounded each on its own, so they need not add up to their
totals. Hidden cells are not protected against being worked out from other tables, released before or beside these:
compare them with care.
"""
SCHEMES = {"poisson": "Poisson weights", "bayesian": "exponential weights", "multinomial": "multinomial draws"}


def csv_bytes(table: ProtectedTable) -> bytes:
    """Return a protected table as CSV: one header row, keys, then statistics; rows in the order of the keys' levels.

    Raises
    ------
    DisclosureError
        If two columns have the same name as they are written.
    """
    header = [*map(_label, table.keys), *table.texts]
    if len(set(header)) != len(header):
        raise DisclosureError(f"two columns of the file would share a name: {header}")
    labels = [[_label(key.labels[code]) for code in key.codes.tolist()] for key in table.keys.values()]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*labels, *table.texts.values(), strict=True))
    return stream.getvalue().encode()


def _label(label: Any) -> str:
    """Return a label as text on one line that no spreadsheet reads as a formula; numbers are left alone.

    Control characters are written as escapes rather than left out: labels that differ by nothing else stay apart, and
    the checker sees them.
    """
    text = "".join(_escaped(letter) if is_control(letter) else letter for letter in str(label))
    return f"'{text}" if isinstance(label, str) and text.startswith(FORMULA_START) else text


def _escaped(letter: str) -> str:
    """Return the escape of a character, as in Python's literals."""
    return letter.encode("unicode_escape").decode("ascii")


def readme_bytes(
    policy: Policy,
    outputs: Mapping[str, ProtectedTable],
    files: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """Return the README of a release.

    Parameters
    ----------
    policy : Policy
        Named with all its values.
    outputs : mapping of output name -> ProtectedTable
        What is released.
    files : mapping of output name -> file names
        Where each output is.
    answers : mapping of name -> lines, optional
        What `answer_lines` says of the answers that the outputs are of.
    """
    lines = [HEADING, "=" * len(HEADING), "", *PREAMBLE.format(marker=policy.marker).splitlines(), ""]
    lines += [
        f"Policy: {policy.name}",
        *(f"  {field.name} = {getattr(policy, field.name)}" for field in fields(policy)[1:]),
        "",
    ]
    for name, said in (answers or {}).items():
        lines += [f"Answer: {name}" if name else "Answer", *said, ""]
    for name, table in outputs.items():
        lines += [f"Output: {name} ({', '.join(files[name])})", *_described(table), ""]
    return "\n".join(lines).encode()


def _described(table: ProtectedTable) -> list[str]:
    """Describe one output: what it shows, how each number is rounded and how much of it is hidden."""
    lines = [
        f"  {one_line(table.variable or 'rows and persons')} by {one_line(', '.join(table.keys)) or 'nothing'}, "
        f"{table.n_cells:,} cells"
    ]
    if table.contrast:
        lines += [
            f"  Contrast {one_line(table.contrast)}: of the two numbers as released, not of the exact ones, so that it",
            "  tells nothing that they do not; its interval is moved with it.",
        ]
    lines += [f"  {one_line(note)}" for note in table.notes]
    if table.plan:
        lines.append(f"  Intervals: {one_line(_plan_words(table.plan))}.")
    lines.append("  Numbers, their rounding and the cells hidden:")
    for columns in _alike(table):
        first, names = columns[0], ", ".join(column.name for column in columns)
        hidden = rounded_part(first.n_hidden, table.n_cells)
        lines.append(f"    {names}: {first.unit}, {first.rounding}; {hidden} hidden")
        for position, reason in enumerate(table.reasons, start=1):
            count = int((first.hidden == position).sum())
            if count:
                lines.append(f"      {rounded_count(count)}: {reason}")
    return lines


def answer_lines(answer: Answer, policy: Policy) -> list[str]:
    """Return what a release says of an answer: the question, its settings, and the flow of the sample, rounded.

    Of the plan no more is said than `released_plan` does, beside every table: the number of its units is a count.
    """
    lines = [f"  Question: {one_line(answer.question)}"]
    for name, setting in answer.settings.items():
        if name != "plan":
            lines += _setting_lines(name, setting)
    if answer.owners:
        lines.append(f"  Owners of the data: {', '.join(map(one_line, answer.owners))}")
    lines.append("  Versions: " + ", ".join(f"{name} {version}" for name, version in answer.versions.items()))
    lines.append("  Flow of the sample (persons, rows):")
    count = Rounding("count", "multiple", policy.count_base)
    for step in answer.flow.steps:
        counts = [
            count.text(n) if step.persons >= policy.min_persons else policy.marker for n in (step.persons, step.rows)
        ]
        lines.append(f"    {one_line(step.label)}: {', '.join(counts)}")
    return lines


def _setting_lines(name: str, setting: Any) -> list[str]:
    """Return a setting; one of several parts by a line each."""
    if not isinstance(setting, Mapping):
        return [f"  {one_line(name)}: {one_line(_said(setting))}"]
    return [f"  {one_line(name)}:", *(f"    {one_line(part)}: {one_line(_said(of))}" for part, of in setting.items())]


def _said(setting: Any) -> str:
    """Return a plain value in words."""
    if isinstance(setting, Mapping):
        return ", ".join(f"{name} {_said(of)}" for name, of in setting.items())
    if isinstance(setting, list | tuple):
        return ", ".join(map(_said, setting)) or "none"
    return f"{setting:.6g}" if isinstance(setting, float) else str(setting)


def _alike(table: ProtectedTable) -> Iterator[list[ProtectedColumn]]:
    """Yield runs of columns of one statistic of which the same is to be said."""

    def said(column: ProtectedColumn) -> tuple[str, bool, str, str, bytes]:
        return column.statistic, bool(column.part), column.unit, column.rounding, column.hidden.tobytes()

    for _, columns in groupby(table.columns.values(), key=said):
        yield list(columns)


def _plan_words(plan: Mapping[str, Any]) -> str:
    """Return in words how intervals were made."""
    level = f"{100 * plan['level']:.10g} per cent, {plan['interval']}"
    if plan["interval"] == "exact":
        return f"{level}: of all resamples of the persons, without draws"
    scheme = SCHEMES.get(plan["scheme"], plan["scheme"])
    words = f"{level}, {plan['n_replicates']:,} replicates, {scheme} by {plan['unit']}"
    if plan["strata"]:
        words += f" within {', '.join(plan['strata'])}"
    if "n_units" in plan:
        words += f" of a frame of {plan['n_units']} units"
    return f"{words}, seed {plan['seed']}"


def rounded_count(count: int) -> str:
    """Return a number of cells to the nearest 5, small ones as "under 5"."""
    return str(count) if count == 0 else "under 5" if count < 5 else f"about {5 * round(count / 5):,}"


def rounded_part(count: int, total: int) -> str:
    """Return a number of cells with its percentage of all, both rounded."""
    return f"{rounded_count(count)} ({100 * count / max(total, 1):.0f} per cent)"
