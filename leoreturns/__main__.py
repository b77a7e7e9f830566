"""Command line of leoreturns: ``python -m leoreturns COMMAND``."""

from __future__ import annotations

import ast
import contextlib
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

import click
import pandas as pd

from leoreturns._core import build_info
from leoreturns._parallel import thread_count, threads
from leoreturns.analysis_plan import lock_plan
from leoreturns.batch.pool import Backend
from leoreturns.batch.run import run_batch
from leoreturns.errors import LeoReturnsError
from leoreturns.extract.simulate import simulate_extract
from leoreturns.extract.source import open_extract
from leoreturns.panel.build import build_panel
from leoreturns.panel.definitions import PRESETS, Definitions, illustrative_deflator
from leoreturns.panel.panel import Panel
from leoreturns.panel.waterfall import Waterfall
from leoreturns.results.flow import MASK, MASKED_BELOW

ILLUSTRATIVE = "illustrative"
# Why records are left out, in words.
LEFT_OUT = {
    "no_first_day": "without a first day",
    "reversed": "that end before they start",
    "uncertain": "with uncertain dates",
    "outside": "of other tax years than the person's",
    "repeated": "that repeat an id and tax year",
    "no_year": "without an academic year",
    "withdrawn": "of learners who left on an unknown day",
    "no_days": "with pay and no day of employment",
    "no_pay": "with days of employment and no pay",
    "few_days": "with fewer days than the definitions want",
    "capped": "above the cap",
}
# What a report of a problem needs to name: the libraries that the numbers come from.
LIBRARIES = ("numpy", "pandas", "scipy", "pyarrow", "duckdb", "scikit-learn", "linearmodels", "matplotlib", "joblib")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="leoreturns", prog_name="leoreturns")
def main() -> None:
    """Earnings returns to education on linked administrative data."""


@main.command()
def info() -> None:
    """Show versions, how the kernels were built and the threads in use."""
    with refusals(ValueError):
        told = describe()
    for name, value in told.items():
        click.echo(f"{name:<14}{value}")


@main.command()
@click.option(
    "--to",
    default="out",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder in which showcase is made.",
)
@click.option("--persons", type=click.IntRange(min=1), help="Persons to simulate.  [default: 60000]")
def demo(to: Path, persons: int | None) -> None:
    """Run the showcase on simulated persons: extract, panel, questions, and released tables and figures in a folder."""
    # Imported late: it loads matplotlib, which few commands need.
    from leoreturns.demo import PERSONS, run_demo

    with refusals(ValueError):
        run_demo(to, show=click.echo, persons=persons or PERSONS)


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--jobs", type=int, help="Threads; -1 for all that the machine grants.  [default: all]")
def run(study: Path, jobs: int | None) -> None:
    """Run a study file: build or open its panel, ask its questions, and release what it says for the output check."""
    from leoreturns.study import read_study, run_study

    with refusals(ValueError):
        click.echo(repr(run_study(read_study(study), show=click.echo, n_jobs=jobs)))


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--persons", required=True, type=click.IntRange(min=1), help="Persons expected over all cohorts.")
@click.option(
    "--simulated", default=60_000, show_default=True, type=click.IntRange(min=1), help="Persons to simulate for sizes."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Of the simulation.")
@click.option("--power", default=0.8, show_default=True, type=float, help="With which gaps are to be found.")
@click.option("--alpha", default=0.05, show_default=True, type=float, help="Level of the two-sided tests.")
@click.option("--to", type=click.Path(path_type=Path), help="Folder to make for the report and its tables.")
@click.option("--jobs", type=int, help="Threads; -1 for all that the machine grants.  [default: all]")
def needs(
    study: Path, persons: int, simulated: int, seed: int, power: float, alpha: float, to: Path | None, jobs: int | None
) -> None:
    """Tell what an application for data has to say of a study file: tables, columns, sizes, what would be released."""
    from leoreturns.application.report import needs as found_needs

    with refusals(ValueError):
        found = found_needs(
            study, persons=persons, simulated=simulated, seed=seed, power=power, alpha=alpha, n_jobs=jobs
        )
        click.echo(repr(found))
        if to is not None:
            click.echo(found.write(to))


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), help="Folder of the results.  [default: SPEC without .toml]")
@click.option("--jobs", type=int, help="Jobs at a time; -1 for all that the machine grants.  [default: all]")
@click.option("--backend", type=click.Choice(get_args(Backend)), default="loky", show_default=True, help="Where.")
@click.option("--address", help="Scheduler of the Dask cluster, such as tcp://host:8786.")
@click.option("--memory", type=float, metavar="GB", help="What a job may take; one that needs more fails.")
@click.option("--only", multiple=True, metavar="NAME", help="Jobs by name or pattern, such as 'levels-*'.")
@click.option("--dry-run", is_flag=True, help="Check the spec and list its jobs; run none.")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Whether results that are there are kept.")
def batch(
    spec: Path,
    to: Path | None,
    jobs: int | None,
    backend: Backend,
    address: str | None,
    memory: float | None,
    only: tuple[str, ...],
    dry_run: bool,
    resume: bool,
) -> None:
    """Run the grid of studies that the file SPEC names; a batch that was stopped goes on where it was."""
    with refusals(ValueError):
        found = run_batch(
            spec,
            to=spec.with_suffix("") if to is None else to,
            n_jobs=jobs,
            backend=backend,
            address=address,
            memory=memory,
            only=only or None,
            dry_run=dry_run,
            resume=resume,
            show=click.echo,
        )
    if not dry_run:
        click.echo(repr(found))
    raise SystemExit(1 if found.failed else 0)


@main.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--reason", help="Why a locked plan was changed; logged as a controlled change of methodology.")
def lock(plan: Path, reason: str | None) -> None:
    """Lock the analysis plan in the file PLAN before outcomes are opened, or log a change of it."""
    with refusals(OSError):
        click.echo(repr(lock_plan(plan, reason=reason)))


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--persons", required=True, type=click.IntRange(min=1), help="Persons over all cohorts.")
@click.option("--seed", required=True, type=click.IntRange(min=0), help="The same seed gives the same files.")
@click.option(
    "--defects/--no-defects", default=True, show_default=True, help="Whether records have their usual defects."
)
@click.option("--jobs", type=int, help="Threads; -1 for all that the machine grants.  [default: all]")
def simulate(path: Path, persons: int, seed: int, defects: bool, jobs: int | None) -> None:
    """Write an extract of simulated persons, in the shape of LEO, to the new folder PATH."""
    with refusals(ValueError):
        simulate_extract(path, n_persons=persons, seed=seed, defects=defects, n_jobs=jobs).close()
    click.echo(f"{path}: {persons:,} simulated persons")


@main.command()
@click.argument("extract", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Folder to make for the panel.")
@click.option("--preset", required=True, type=click.Choice(list(PRESETS)), help="Definitions to derive the panel by.")
@click.option(
    "--deflator",
    required=True,
    help=f"CSV file with the columns tax_year and index, or {ILLUSTRATIVE!r}: a made-up index, for trials.",
)
@click.option(
    "--lookup",
    "lookups",
    multiple=True,
    metavar="NAME=FILE",
    help="Outside lookup, such as regions=FILE.  [default: those in EXTRACT/lookups]",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Setting, such as cohorts=2002-2007.")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Whether to go on with a stopped build.")
@click.option("--jobs", type=int, help="Threads; -1 for all that the machine grants.  [default: all]")
def build(
    extract: Path,
    to: Path,
    preset: str,
    deflator: str,
    lookups: tuple[str, ...],
    settings: tuple[str, ...],
    resume: bool,
    jobs: int | None,
) -> None:
    """Derive the person-year panel from the linked LEO tables in the folder EXTRACT."""
    overrides = {name: setting(text) for name, text in pairs("--set", settings).items()}
    if isinstance(only := overrides.get("cohorts"), int):
        overrides["cohorts"] = [only]
    given = {name: Path(file) for name, file in pairs("--lookup", lookups).items()} or None
    with refusals(ValueError, TypeError):
        count = thread_count(jobs)
        definitions = Definitions.preset(preset, deflator=price_index(deflator), **overrides)
    with refusals(), threads(count), open_extract(extract, lookups=given) as source:
        click.echo(f"{source!r}\n")
        panel = build_panel(source, definitions=definitions, to=to, resume=resume)
    for line in report(panel):
        click.echo(line)
    click.echo(to)


def report(panel: Panel) -> Iterator[str]:
    """Yield what is to be told of a panel that was built: the waterfall by cohort, what is absent, what was left out.

    Parameters
    ----------
    panel : Panel
        With the settings of `build_panel`.

    Yields
    ------
    str
        Paragraphs with counts, small ones masked.
    """
    settings = panel.settings
    yield f"{Waterfall.of(settings)!r}\n"
    by_table: dict[str, list[str]] = {}
    for name, tables in settings["absent"].items():
        by_table.setdefault(", ".join(tables), []).append(name)
    for tables, names in by_table.items():
        yield f"without {tables}: no {', '.join(names)}"
    for table, lacking in settings["unlinked"].items():
        yield f"{table} cannot be linked to persons: {lacking} is missing"
    for table, counts in settings["left_out"].items():
        told = [f"{MASK if n < MASKED_BELOW else f'{n:,}'} {LEFT_OUT[why]}" for why, n in counts.items() if n]
        if told:
            yield f"rows of {table} left out: {', '.join(told)}"
    yield f"{panel!r}"


@contextlib.contextmanager
def refusals(*kinds: type[Exception]) -> Iterator[None]:
    """Turn our errors, and those of these kinds, into a message and exit code 1, without a traceback."""
    expected: tuple[type[Exception], ...] = (LeoReturnsError, *kinds)
    try:
        yield
    except expected as error:
        raise click.ClickException(str(error)) from None


def pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Return options of the form NAME=VALUE by name.

    Raises
    ------
    click.UsageError
        If one has no name or no value, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value or name in found:
            raise click.UsageError(f"{option} takes NAME=VALUE, each name once, not {text!r}")
        found[name] = value
    return found


def price_index(text: str) -> dict[int, float] | pd.DataFrame:
    """Return the price index that an option names.

    Raises
    ------
    click.ClickException
        If it is a file that cannot be read.
    """
    if text == ILLUSTRATIVE:
        return illustrative_deflator()
    try:
        return pd.read_csv(text)
    except (OSError, ValueError):
        raise click.ClickException(f"{text!r} cannot be read as a CSV file with columns tax_year and index") from None


def setting(text: str) -> Any:
    """Return the value that a text stands for: a span of years, a Python literal, or itself.

    Raises
    ------
    click.UsageError
        If a span (2002-2007, or 2002-07) ends before it begins.
    """
    first, _, last = text.partition("-")
    if first.isdecimal() and last.isdecimal():
        start, end = int(first), int(first[: -len(last)] + last)
        if end < start:
            raise click.UsageError(f"the span {text!r} ends before it begins")
        return range(start, end + 1)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def describe() -> dict[str, str]:
    """Tell what this installation is: versions, platform, build of the kernels, threads.

    Returns
    -------
    dict of str to str
        Text by name, in the order in which `info` prints it.
    """
    build = build_info()
    return {
        "leoreturns": installed("leoreturns"),
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        "kernels": f"{build['flavour']} build, Cython {build['cython']}, CPython {build['limited_api']} and later",
        "threads": str(thread_count()),
        **{library: installed(library) for library in LIBRARIES},
    }


def installed(distribution: str) -> str:
    """Return the installed version of a distribution, or "not installed"."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main(prog_name="python -m leoreturns")
