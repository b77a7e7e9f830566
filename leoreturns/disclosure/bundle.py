"""release(): the only way out for results. Suppress, round, write all files or none."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from leoreturns.disclosure.adjusted import protect_tests
from leoreturns.disclosure.balances import protect_balance, protect_overlap
from leoreturns.disclosure.contents import answer_lines, csv_bytes, readme_bytes
from leoreturns.disclosure.contours import protect_contours
from leoreturns.disclosure.contrasts import protect_contrast, protect_gaps
from leoreturns.disclosure.effects import protect_effects
from leoreturns.disclosure.estimates import protect_curve, protect_regressions, written
from leoreturns.disclosure.policy import Policy, find_policy
from leoreturns.disclosure.protection import protect
from leoreturns.errors import DisclosureError, SupportError
from leoreturns.results.adjusted import AdjustedTests
from leoreturns.results.answer import Answer, AnyChart, Comparisons, RegressionChart, Regressions, Result
from leoreturns.results.balance_chart import BalanceChart, OverlapChart
from leoreturns.results.chart import Chart
from leoreturns.results.coefficient_chart import CoefficientChart, EffectChart, SpecificationChart
from leoreturns.results.contour_chart import ContourChart
from leoreturns.results.curve import SpecificationCurve
from leoreturns.results.protected import ProtectedTable
from leoreturns.results.regression_table import RegressionTable, table

Releasable: TypeAlias = Result | Answer
T = TypeVar("T")

README = "README.txt"
OUTPUT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
# Names that Windows keeps for devices, whatever the extension.
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


@dataclass(frozen=True, slots=True, repr=False)
class Released:
    """What a release wrote.

    Attributes
    ----------
    path : Path
        The folder.
    files : tuple of str
        Names of the files in it, in the order of writing.
    n_cells : mapping of output name -> int
        Cells of each output; the contrasts of an aggregate are outputs of their own.
    suppressed : mapping of output name -> mapping of column -> int
        Cells whose number is hidden, for each statistic and each part of its uncertainty.
    """

    path: Path
    files: tuple[str, ...]
    n_cells: Mapping[str, int]
    suppressed: Mapping[str, Mapping[str, int]]

    def __repr__(self) -> str:
        lines = [f"Released for output checking: {len(self.files)} files in {self.path}"]
        for name, hidden in self.suppressed.items():
            # An interval is hidden as a whole: its standard error stands for the ends.
            counts = ", ".join(f"{each} {n:,}" for each, n in hidden.items() if not each.endswith(("_low", "_high")))
            lines.append(f"  {name}: {self.n_cells[name]:,} cells; hidden: {counts}")
        return "\n".join(lines)


def release(
    results: Mapping[str, Releasable] | Answer, *, policy: str | Policy, to: str | os.PathLike[str]
) -> Released:
    """Protect results and write them as files for the output check.

    Numbers that rest on too few persons are replaced by the policy's marker, the others are rounded; figures are drawn
    from the protected numbers. Standard errors and intervals are shown where their statistic is and they rest on enough
    persons and sampling units themselves; replicates are in no result, so in no file. The folder appears complete or
    not at all.

    Parameters
    ----------
    results : Answer, or mapping of name -> result
        An `Answer`; an `Aggregate` or its `Chart`; an `Estimate`, `Estimates`, a `RegressionTable` or a
        `SpecificationCurve`, or the charts of the last two, of effects and of contours; `AdjustedTests`; a
        `BalanceChart` or an `OverlapChart`.
        Output names are file names: lower-case letters, digits, "_" and "-". An aggregate gives ``<name>.csv``, and
        ``<name>_contrast1.csv`` and so on for its contrasts; a chart gives ``<name>.png`` and ``<name>_data.csv``.
        Regressions, alone or as a table, give ``<name>.csv`` with coefficients, ``<name>_fit.csv`` with counts and
        measures of fit, and ``<name>.md``, the table to be read. The results of an answer go by their own names, in a
        mapping as ``<name>_<name of the result>``; its question, definitions and flow of the sample, in rounded counts,
        go into the README.
    policy : str or Policy
        "ons-srs", or a policy at least as strict.
    to : path
        Folder to make; it must not exist, the folder above it must.

    Returns
    -------
    Released
        Folder, files and numbers of hidden cells.

    Raises
    ------
    DisclosureError
        If anything cannot be released as asked (an object with microdata, an aggregate without person ids, a unit
        without a rounding rule, an unknown policy, an existing folder, a full disk). Nothing has been written then.
    """
    chosen = find_policy(policy)
    folder = Path(to)
    named = _named(results)
    _check_target(folder)
    outputs: list[_Output] = []
    for name, result in named.items():
        try:
            outputs += _outputs(name, result, chosen)
        except (DisclosureError, SupportError) as error:
            raise DisclosureError(f"output '{name}': {error}") from None
    tables = _joined({output.name: output.table} for output in outputs)
    answers = {"": results} if isinstance(results, Answer) else results
    described = {name: answer_lines(each, chosen) for name, each in answers.items() if isinstance(each, Answer)}
    readme = readme_bytes(chosen, tables, {output.name: list(output.files) for output in outputs}, described)
    files = _joined([{README: readme}, *(output.files for output in outputs)])
    _write_folder(folder, files)
    return Released(
        path=folder,
        files=tuple(files),
        n_cells={name: table.n_cells for name, table in tables.items()},
        suppressed={name: {each: table.n_hidden(each) for each in table.columns} for name, table in tables.items()},
    )


@dataclass(frozen=True, slots=True)
class _Output:
    """One output of a release: its protected numbers, and the files that hold them."""

    name: str
    table: ProtectedTable
    files: dict[str, bytes]


def _outputs(name: str, result: Result, policy: Policy) -> Iterator[_Output]:
    """Yield the outputs of one result: a chart with its numbers, a table and its contrasts, or regressions."""
    if isinstance(result, Regressions):
        yield from _of_regressions(name, result, policy)
        return
    if isinstance(result, Comparisons):
        yield _drawn(name, result, _protected_chart(result, policy))
        return
    if isinstance(result, Chart):
        table = protect(result.data, policy)
        if result.kind == "gaps":
            table = protect_gaps(result, table, policy)
        yield _drawn(name, result, table)
        return
    table = protect(result, policy)
    yield _table(name, table)
    for number, contrast in enumerate(result.contrasts, start=1):
        yield _table(f"{name}_contrast{number}", protect_contrast(result, contrast, table, policy))


def _drawn(name: str, chart: AnyChart, table: ProtectedTable) -> _Output:
    """Return a figure with its numbers."""
    from leoreturns.plots import png_bytes  # matplotlib takes its time, and most sessions draw nothing

    return _Output(name, table, {f"{name}.png": png_bytes(chart, table), f"{name}_data.csv": csv_bytes(table)})


def _table(name: str, table: ProtectedTable) -> _Output:
    return _Output(name, table, {f"{name}.csv": csv_bytes(table)})


def _protected_chart(chart: RegressionChart | Comparisons, policy: Policy) -> ProtectedTable:
    """Return the numbers that a chart of regressions or of arms is drawn from."""
    match chart:
        case CoefficientChart():
            return protect_regressions(chart.data, policy)[0]
        case SpecificationChart():
            return protect_curve(chart.data, policy)
        case EffectChart():
            return protect_effects(chart, policy)
        case ContourChart():
            return protect_contours(chart, policy)
        case BalanceChart():
            return protect_balance(chart.data, policy)
        case OverlapChart():
            return protect_overlap(chart.data, policy)


def _of_regressions(name: str, result: Regressions, policy: Policy) -> Iterator[_Output]:
    """Yield the coefficients of regressions, with the figure or the table to be read, and their counts and fit."""
    if isinstance(result, RegressionChart):
        yield _drawn(name, result, _protected_chart(result, policy))
        return
    if isinstance(result, SpecificationCurve):
        yield _table(name, protect_curve(result, policy))
        return
    if isinstance(result, AdjustedTests):
        yield _table(name, protect_tests(result, policy))
        return
    shown = result if isinstance(result, RegressionTable) else table(result)
    coefficients, fits = protect_regressions(shown, policy)
    note = f'Every number is rounded; "{policy.marker}" stands for what rests on too few persons.'
    read = shown.layout(written(shown, coefficients, fits), [note]).markdown()
    yield _Output(name, coefficients, {f"{name}.csv": csv_bytes(coefficients), f"{name}.md": read.encode()})
    yield _Output(f"{name}_fit", fits, {f"{name}_fit.csv": csv_bytes(fits)})


def _named(results: Mapping[str, Releasable] | Answer) -> dict[str, Result]:
    """Return results by the names of their outputs; refuse what is none, by its type and never by its content."""
    if isinstance(results, Answer):
        results = results.results
    if not isinstance(results, Mapping):
        raise DisclosureError(
            f"release takes an Answer, or a mapping of output name -> result, not {type(results).__name__}"
        )
    found: dict[str, Result] = {}
    for name, result in results.items():
        if isinstance(result, Answer):
            found = _joined([found, {f"{name}_{inner}": each for inner, each in result.results.items()}])
        elif isinstance(result, Result | Regressions):
            found = _joined([found, {name: result}])
        else:
            raise DisclosureError(
                f"output '{name}' is a {type(result).__name__}: only answers, aggregates, charts and regressions can "
                "be released"
            )
    if not found:
        raise DisclosureError("nothing to release: the mapping is empty")
    for name in found:
        if not isinstance(name, str) or OUTPUT_NAME.fullmatch(name) is None or name in RESERVED:
            raise DisclosureError(
                "an output name is used as a file name: lower-case letters, digits, '_' and '-' only, no device name"
            )
    return found


def _check_target(folder: Path) -> None:
    """Refuse a folder that exists or has no place to stand."""
    if os.path.lexists(folder):
        raise DisclosureError(f"'{folder}' exists already: a release never overwrites; name a new folder")
    if not folder.parent.is_dir():
        raise DisclosureError(f"'{folder.parent}' is not a folder: make it first")


def _joined(parts: Iterable[dict[str, T]]) -> dict[str, T]:
    """Join what the outputs hold by name; two of the same name are refused."""
    joined: dict[str, T] = {}
    for part in parts:
        for name, content in part.items():
            if name in joined:
                raise DisclosureError(f"two outputs would be called '{name}': rename one")
            joined[name] = content
    return joined


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into a new folder beside the target and rename it at the end; on any failure leave nothing."""
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
        for name, content in files.items():
            _write_file(part / name, content)
        _check_target(folder)
        part.rename(folder)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a possible path"
        raise DisclosureError(f"'{folder}' could not be written ({reason}); nothing was left behind") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_file(path: Path, content: bytes) -> None:
    """Write one file through to the disk, so that a full disk is noticed before the folder gets its name."""
    with open(path, "xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
