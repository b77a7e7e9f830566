"""Command line of leoreturns: ``python -m leoreturns COMMAND``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from leoreturns._core import build_info
from leoreturns._parallel import thread_count
from leoreturns.errors import LeoReturnsError

# What a report of a problem needs to name: the libraries that the numbers come from.
LIBRARIES = ("numpy", "pandas", "scipy", "pyarrow", "duckdb", "scikit-learn", "linearmodels", "matplotlib", "joblib")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="leoreturns", prog_name="leoreturns")
def main() -> None:
    """Earnings returns to education on linked administrative data."""


@main.command()
def info() -> None:
    """Show versions, how the kernels were built and the threads in use."""
    for name, value in describe().items():
        click.echo(f"{name:<14}{value}")


@main.command()
@click.option(
    "--to",
    default="out",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder in which wage_panel is made.",
)
def demo(to: Path) -> None:
    """Show pay trajectories from a real wage panel: a table here, a figure and CSV files in a folder."""
    # Imported late: it loads linearmodels and matplotlib, which no other command needs.
    from leoreturns.demo import run_demo

    try:
        run_demo(to, show=click.echo)
    except LeoReturnsError as error:
        raise click.ClickException(str(error)) from None


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
