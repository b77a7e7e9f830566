"""release(): the only way out for results. Suppress, round, write all files or none."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from leoreturns.disclosure.contents import csv_bytes, readme_bytes
from leoreturns.disclosure.policy import Policy, find_policy
from leoreturns.disclosure.rules import protect
from leoreturns.errors import DisclosureError, SupportError
from leoreturns.plots import png_bytes
from leoreturns.results.aggregate import Aggregate
from leoreturns.results.chart import Chart
from leoreturns.results.protected import ProtectedTable

Releasable: TypeAlias = Aggregate | Chart

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
        Cells of each output.
    suppressed : mapping of output name -> mapping of statistic -> int
        Cells whose statistic is hidden.
    """

    path: Path
    files: tuple[str, ...]
    n_cells: Mapping[str, int]
    suppressed: Mapping[str, Mapping[str, int]]

    def __repr__(self) -> str:
        lines = [f"Released for output checking: {len(self.files)} files in {self.path}"]
        for name, hidden in self.suppressed.items():
            counts = ", ".join(f"{statistic} {n:,}" for statistic, n in hidden.items())
            lines.append(f"  {name}: {self.n_cells[name]:,} cells; hidden: {counts}")
        return "\n".join(lines)


def release(results: Mapping[str, Releasable], *, policy: str | Policy, to: str | os.PathLike[str]) -> Released:
    """Protect results and write them as files for the output check.

    Numbers that rest on too few persons are replaced by the policy's marker, the others are rounded; figures are drawn
    from the protected numbers. The folder appears complete or not at all.

    Parameters
    ----------
    results : mapping of name -> Aggregate or Chart
        Output names are file names: lower-case letters, digits, "_" and "-". An aggregate gives ``<name>.csv``, a chart
        ``<name>.png`` and ``<name>_data.csv``.
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
    _check_results(results)
    _check_target(folder)
    outputs: dict[str, ProtectedTable] = {}
    contents: dict[str, dict[str, bytes]] = {}
    for name, result in results.items():
        try:
            outputs[name] = protect(result.data if isinstance(result, Chart) else result, chosen)
            contents[name] = _contents(name, result, outputs[name])
        except (DisclosureError, SupportError) as error:
            raise DisclosureError(f"output '{name}': {error}") from None
    readme = readme_bytes(chosen, outputs, {name: list(files) for name, files in contents.items()})
    files = _joined([{README: readme}, *contents.values()])
    _write_folder(folder, files)
    return Released(
        path=folder,
        files=tuple(files),
        n_cells={name: table.n_cells for name, table in outputs.items()},
        suppressed={name: {each: table.n_hidden(each) for each in table.texts} for name, table in outputs.items()},
    )


def _check_results(results: Mapping[str, Releasable]) -> None:
    """Refuse what is not a result, by its type and never by its content."""
    if not isinstance(results, Mapping):
        raise DisclosureError(
            f"release takes a mapping of output name -> Aggregate or Chart, not {type(results).__name__}"
        )
    if not results:
        raise DisclosureError("nothing to release: the mapping is empty")
    for name, result in results.items():
        if not isinstance(name, str) or OUTPUT_NAME.fullmatch(name) is None or name in RESERVED:
            raise DisclosureError(
                "an output name is used as a file name: lower-case letters, digits, '_' and '-' only, no device name"
            )
        if not isinstance(result, Aggregate | Chart):
            raise DisclosureError(
                f"output '{name}' is a {type(result).__name__}: only Aggregate and Chart can be released"
            )


def _check_target(folder: Path) -> None:
    """Refuse a folder that exists or has no place to stand."""
    if os.path.lexists(folder):
        raise DisclosureError(f"'{folder}' exists already: a release never overwrites; name a new folder")
    if not folder.parent.is_dir():
        raise DisclosureError(f"'{folder.parent}' is not a folder: make it first")


def _contents(name: str, result: Releasable, table: ProtectedTable) -> dict[str, bytes]:
    """Return the files of one output."""
    if isinstance(result, Chart):
        return {f"{name}.png": png_bytes(result, table), f"{name}_data.csv": csv_bytes(table)}
    return {f"{name}.csv": csv_bytes(table)}


def _joined(parts: list[dict[str, bytes]]) -> dict[str, bytes]:
    """Join the files of all outputs; two of the same name are refused."""
    files: dict[str, bytes] = {}
    for part in parts:
        for name, content in part.items():
            if name in files:
                raise DisclosureError(f"two outputs would write '{name}': rename one")
            files[name] = content
    return files


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
