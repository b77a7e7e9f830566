"""Every example runs on its own and leaves nothing behind; together they show every public name."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import leoreturns as lr

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
# Public for other modules of the package, not for its users.
INNER = {"Scan.over", "Scan.flow_of", "Scan.as_panel"}


def trees() -> list[ast.AST]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in EXAMPLES]


def attributes_of_package(tree: ast.AST) -> set[str]:
    """Return what a script takes from the package: "aggregate" of `lr.aggregate`, "Panel.open" of `lr.Panel.open`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (owner := dotted(node.value)) is not None:
            first, _, rest = f"{owner}.{node.attr}".partition(".")
            if first == "lr":
                found.add(rest)
    return found


def dotted(node: ast.AST) -> str | None:
    """Return "a.b.c" of an expression that is nothing but names."""
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return None if owner is None else f"{owner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


def public_members(kind: type) -> list[tuple[str, str, bool]]:
    """Return class, name and whether it is called on the class, of a class's public methods and properties."""
    members = [
        (kind.__name__, name, isinstance(member, classmethod))
        for name, member in vars(kind).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, classmethod | property))
    ]
    return [member for member in members if f"{member[0]}.{member[1]}" not in INNER]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_leaves_nothing(path: Path, tmp_path: Path) -> None:
    working, temporary = tmp_path / "working", tmp_path / "temporary"
    working.mkdir()
    temporary.mkdir()
    package = str(Path(lr.__file__).parents[1])
    places = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=working,
        env={**os.environ, **variables, "MPLBACKEND": "Agg", "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert list(working.iterdir()) == []
    assert list(temporary.iterdir()) == []


def test_examples_show_every_public_name() -> None:
    shown = set().union(*map(attributes_of_package, trees()))
    assert [name for name in lr.__all__ if name not in shown] == []


@pytest.mark.parametrize(
    ("owner", "name", "on_class"),
    [
        member
        for kind in (lr.Panel, lr.Scan, lr.Aggregate, lr.BootstrapPlan, lr.Contrast, lr.Joint)
        for member in public_members(kind)
    ],
)
def test_examples_show_every_method(owner: str, name: str, on_class: bool) -> None:
    if on_class:
        assert f"{owner}.{name}" in set().union(*map(attributes_of_package, trees()))
    else:
        nodes = [node for tree in trees() for node in ast.walk(tree)]
        assert name in {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_the_check_of_examples_notices() -> None:
    tree = ast.parse("import leoreturns as lr\nlr.Panel.open(folder).save(to)\nlr.release\npath.aggregate()")
    assert attributes_of_package(tree) == {"Panel", "Panel.open", "release"}
    assert ("Panel", "from_frame", True) in public_members(lr.Panel)
    assert ("Panel", "where", False) in public_members(lr.Panel)
    assert ("Scan", "flow", False) in public_members(lr.Scan)
    assert {f"{kind.__name__}.{name}" for kind in (lr.Panel, lr.Scan) for name in vars(kind)} >= INNER
