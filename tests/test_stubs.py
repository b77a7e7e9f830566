"""Each kernel's stub against the compiled module: names, parameters, kinds, order and defaults, both ways.

mypy's stubtest passes over compiled functions; Cython's ``binding`` gives them a true signature to compare with.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import leoreturns._core

CORE = Path(leoreturns._core.__file__).parent
KERNELS = sorted(path.stem for path in CORE.glob("*.pyx"))
STUBS = sorted(path.stem for path in CORE.glob("*.pyi") if path.stem != "__init__")

Parameter = tuple[str, str, Any]
NO_DEFAULT = "no default"


def stub_signatures(source: str) -> dict[str, list[Parameter]]:
    """Parameters of every function that a stub declares: (name, kind, default)."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {function.name: stub_parameters(function.args) for function in functions}


def stub_parameters(arguments: ast.arguments) -> list[Parameter]:
    """Parameters of one stub function, in order."""
    positional = [(name, "POSITIONAL_ONLY") for name in arguments.posonlyargs]
    positional += [(name, "POSITIONAL_OR_KEYWORD") for name in arguments.args]
    unset: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults = [*unset, *arguments.defaults]
    pairs = [(name, kind, default) for (name, kind), default in zip(positional, defaults, strict=True)]
    if arguments.vararg is not None:
        pairs.append((arguments.vararg, "VAR_POSITIONAL", None))
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    pairs += [(name, "KEYWORD_ONLY", default) for name, default in keywords]
    if arguments.kwarg is not None:
        pairs.append((arguments.kwarg, "VAR_KEYWORD", None))
    return [(name.arg, kind, NO_DEFAULT if value is None else ast.literal_eval(value)) for name, kind, value in pairs]


def compiled_signatures(namespace: Mapping[str, Any], module: str) -> dict[str, list[Parameter]]:
    """Parameters of every public function that a module defines itself: (name, kind, default)."""
    functions = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", None) == module
    }
    return {name: compiled_parameters(function) for name, function in functions.items()}


def compiled_parameters(function: Any) -> list[Parameter]:
    """Parameters of one function, in order."""
    parameters = inspect.signature(function).parameters.values()
    return [
        (each.name, each.kind.name, NO_DEFAULT if each.default is inspect.Parameter.empty else each.default)
        for each in parameters
    ]


def test_every_kernel_has_a_stub_and_every_stub_a_kernel() -> None:
    assert KERNELS == STUBS
    assert "build" in KERNELS


@pytest.mark.parametrize("kernel", STUBS)
def test_a_stub_says_what_the_kernel_does(kernel: str) -> None:
    name = f"leoreturns._core.{kernel}"
    compiled = compiled_signatures(vars(importlib.import_module(name)), name)
    assert compiled, "a kernel module defines at least one function"
    assert stub_signatures((CORE / f"{kernel}.pyi").read_text()) == compiled


def moments(values: object, codes: object, n_groups: int, *, scale: float = 1.0) -> None:
    """A function to compare stubs with."""


@pytest.mark.parametrize(
    ("stub", "same"),
    [
        ("def moments(values: int, codes: int, n_groups: int, *, scale: float = 1.0) -> None: ...", True),
        ("def moments(values: int, codes: int, n_cells: int, *, scale: float = 1.0) -> None: ...", False),
        ("def moments(codes: int, values: int, n_groups: int, *, scale: float = 1.0) -> None: ...", False),
        ("def moments(values: int, codes: int, n_groups: int, scale: float = 1.0) -> None: ...", False),
        ("def moments(values: int, codes: int, n_groups: int, *, scale: float) -> None: ...", False),
        ("def moments(values: int, codes: int, n_groups: int, *, scale: float = 2.0) -> None: ...", False),
        ("def moments(values: int, codes: int, n_groups: int = 3, *, scale: float = 1.0) -> None: ...", False),
        ("def moments(values: int, codes: int, /, n_groups: int, *, scale: float = 1.0) -> None: ...", False),
        ("def moments(values: int, codes: int, n_groups: int, *rest: int, scale: float = 1.0) -> None: ...", False),
        ("def other(values: int, codes: int, n_groups: int, *, scale: float = 1.0) -> None: ...", False),
        ("", False),
    ],
)
def test_the_comparison_notices_a_wrong_stub(stub: str, same: bool) -> None:
    assert (stub_signatures(stub) == compiled_signatures({"moments": moments}, __name__)) is same


def test_what_a_module_imports_or_hides_is_not_compared() -> None:
    namespace = {"moments": moments, "_moments": moments, "signature": inspect.signature, "SIZE": 3}
    assert list(compiled_signatures(namespace, __name__)) == ["moments"]
