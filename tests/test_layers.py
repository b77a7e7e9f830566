"""The layers: imports go down only, third parties stay at their edges, and few modules write files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "leoreturns"

# Unit (module or folder of the package) -> layer; a unit imports lower layers only.
LAYERS = {
    "_core": 0,
    "_parallel": 1,
    "_checks": 1,
    "_folder": 1,
    "_toml": 1,
    "_typing": 1,
    "errors": 1,
    "results": 2,
    "analysis_plan": 2,
    "extract": 3,
    "panel": 3,
    "resample": 3,
    "aggregates": 4,
    "estimation": 4,
    "questions": 5,
    "disclosure": 5,
    "plots": 5,
    "asked": 6,
    "batch": 6,
    "adapters": 6,
    "testing": 6,
    "study": 6,
    "application": 6,
    "demo": 6,
    "__init__": 7,
    "__main__": 8,
}
# Within a layer: who may import whom.
SIDEWAYS = {
    ("panel", "extract"),
    ("disclosure", "plots"),
    ("demo", "study"),
    ("application", "asked"),
    ("application", "study"),
    ("batch", "asked"),
    ("study", "asked"),
    ("_checks", "errors"),
    ("_folder", "errors"),
    ("_toml", "errors"),
    ("_checks", "_typing"),
    ("_parallel", "errors"),
    ("_parallel", "_typing"),
    ("_parallel", "_checks"),
}
# Downwards, and refused all the same.
REFUSED = {("results", "_core")}
REFUSED |= {("plots", unit) for unit in ("_core", "extract", "panel", "resample", "aggregates", "estimation")}

# Third party -> the only places that may import it (a file, or a folder with its slash).
EDGES = {
    "linearmodels": ("estimation/bridge.py",),
    "sklearn": ("estimation/propensity.py", "estimation/crossfit.py"),
    "joblib": ("_parallel.py", "batch/"),
    "duckdb": ("extract/", "panel/"),
    "matplotlib": ("plots/",),
    "tqdm": ("_parallel.py",),
    "click": ("__main__.py",),
}
# What a unit may import of third parties, where that is less than the dependencies.
THIRD_PARTIES = {
    "_core": {"numpy"},
    "results": {"numpy", "pandas", "scipy"},
}
MODULE_OF = {"scikit-learn": "sklearn"}
# They come with scikit-learn and linearmodels and are used directly.
BROUGHT_ALONG = {"threadpoolctl", "formulaic", "statsmodels"}

# The whitelist of writers: results leave through disclosure/ alone, the others write inside; of applications for data
# everything is simulated.
WRITERS = (
    "_folder.py", "panel/", "disclosure/", "extract/simulate", "batch/", "analysis_plan.py", "application/report.py",
)  # fmt: skip
WRITING_CALLS = {
    "to_parquet", "to_feather", "to_excel", "to_stata", "to_pickle", "to_hdf", "to_sql", "to_orc",
    "savefig", "write_text", "write_bytes", "save", "savez", "savez_compressed", "savetxt", "tofile", "memmap",
    "open_memmap", "dump", "write_table", "write_dataset", "write_feather", "write_csv", "write_parquet", "write_ipc",
    "sink_parquet", "copyfile", "copytree", "touch", "symlink_to", "mkstemp", "NamedTemporaryFile", "ParquetWriter",
    "write_whole",
}  # fmt: skip
# These return text unless they are told where to write.
TEXT_CALLS = {"to_csv", "to_json", "to_html", "to_latex", "to_markdown", "to_string", "to_xml"}
TEXT_TARGETS = {"path_or_buf", "path_or_buffer", "buf"}

# A kernel's source may not hold these (a header of directives would beat the checked build).
KERNEL_REFUSED = {
    r"^#\s*cython\s*:": "a header of directives",
    r"^\s*@cython\.(boundscheck|wraparound|initializedcheck|nonecheck|cdivision)": "a directive of its own",
    r"\bcimport\s+numpy\b": "cimport numpy",
    r"\b(prange|cython\.parallel)\b": "OpenMP",
    r"\b(malloc|calloc|realloc|PyMem_\w*alloc)\b": "an allocation of its own",
    r"\bwith\s+gil\b": "with gil",
    r"\bexcept\s*\*\s*nogil\b": "except * with nogil",
    r"\b__int128\b": "__int128",
}


def unit_of(path: str) -> str:
    """Unit of a file, by its path within the package."""
    return path.partition("/")[0].removesuffix(".py").removesuffix(".pyi")


def imported_modules(tree: ast.AST, path: str) -> Iterator[str]:
    """Absolute names of the modules that a file imports anywhere in it."""
    folder = ["leoreturns", *path.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = folder[: len(folder) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            # `from leoreturns import panel` names a unit in its second half.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def import_problems(source: str, path: str, dependencies: set[str]) -> list[str]:
    """Imports of one file that break the layers or the edges."""
    unit = unit_of(path)
    found = []
    for module in imported_modules(ast.parse(source), path):
        top, _, rest = module.partition(".")
        if top == "leoreturns":
            found += layer_problems(unit, path, rest.partition(".")[0])
        elif top not in sys.stdlib_module_names:
            found += edge_problems(unit, path, module, dependencies)
    return sorted(set(found))


def layer_problems(unit: str, path: str, target: str) -> list[str]:
    """Say whether a file of a unit may import another unit."""
    if unit not in LAYERS:
        return [f"{path}: unit {unit} has no layer"]
    target = target if target in LAYERS else "__init__"
    if target == unit or (unit, target) in SIDEWAYS:
        return []
    if (unit, target) in REFUSED or LAYERS[target] >= LAYERS[unit]:
        return [f"{path}: {unit} imports {target}"]
    return []


def edge_problems(unit: str, path: str, module: str, dependencies: set[str]) -> list[str]:
    """Say whether a file may import a module of a third party."""
    top = module.partition(".")[0]
    if top not in dependencies:
        return [f"{path}: {top} is no dependency"]
    edges = [edge for edge in EDGES if f"{module}.".startswith(f"{edge}.")]
    if edges and not path.startswith(EDGES[max(edges, key=len)]):
        return [f"{path}: imports {module}"]
    if top not in THIRD_PARTIES.get(unit, dependencies):
        return [f"{path}: {unit} imports {top}"]
    return []


def writing_problems(source: str, path: str) -> list[str]:
    """Calls of one file that write, or may write, a file."""
    if path.startswith(WRITERS):
        return []
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f"{path}:{call.lineno}: {name_of(call)} writes" for call in calls if writes(call)]


def name_of(call: ast.Call) -> str:
    """Last name of what is called: `open` of both `open(...)` and `path.open(...)`."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def writes(call: ast.Call) -> bool:
    """Tell whether a call may open a file for writing."""
    name = name_of(call)
    if name in TEXT_CALLS:
        return bool(call.args) or any(keyword.arg in TEXT_TARGETS for keyword in call.keywords)
    if name in {"open", "fdopen", "TemporaryFile"}:
        return not opens_for_reading(call)
    return name in WRITING_CALLS


def opens_for_reading(call: ast.Call) -> bool:
    """Tell whether an open names no mode, or one that only reads."""
    is_method = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") not in {"io", "gzip", "os"}
    at = 0 if is_method else 1
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or call.args[at : at + 1]
    return all(isinstance(mode, ast.Constant) and not set(str(mode.value)) & set("wax+") for mode in modes)


def kernel_problems(source: str, path: str) -> list[str]:
    """What a kernel's source holds against the rules of the kernels."""
    found = [
        f"{path}: {what}" for pattern, what in KERNEL_REFUSED.items() if re.search(pattern, source, flags=re.MULTILINE)
    ]
    for line in re.findall(r"^\s*(?:from|import|cimport)\s+leoreturns\S*", source, flags=re.MULTILINE):
        if not line.split()[1].startswith("leoreturns._core"):
            found.append(f"{path}: imports {line.split()[1]}")
    return found


def declared_dependencies() -> set[str]:
    """Modules of the run-time dependencies in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=!~; \[]", requirement)[0] for requirement in project["dependencies"]}
    return {MODULE_OF.get(name, name) for name in names} | BROUGHT_ALONG


def files(*suffixes: str) -> list[str]:
    """Paths within the package, in order."""
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*") if path.suffix in suffixes)


DEPENDENCIES = declared_dependencies()


@pytest.mark.parametrize("path", files(".py", ".pyi"))
def test_a_module_keeps_its_layer(path: str) -> None:
    assert import_problems((PACKAGE / path).read_text(), path, DEPENDENCIES) == []


@pytest.mark.parametrize("path", files(".py"))
def test_a_module_writes_no_file_unless_listed(path: str) -> None:
    assert writing_problems((PACKAGE / path).read_text(), path) == []


@pytest.mark.parametrize("path", files(".pyx", ".pxd"))
def test_a_kernel_keeps_the_rules(path: str) -> None:
    assert kernel_problems((PACKAGE / path).read_text(), path) == []


def test_every_place_named_by_an_edge_is_of_a_known_unit() -> None:
    places = [place for edge in [*EDGES.values(), WRITERS] for place in edge]
    assert {unit_of(place) for place in places} <= set(LAYERS)
    assert {edge.partition(".")[0] for edge in EDGES} <= DEPENDENCIES


@pytest.mark.parametrize(
    ("path", "source", "accepted"),
    [
        ("panel/read.py", "from leoreturns._core import codes", True),
        ("panel/read.py", "from leoreturns.extract.source import tables", True),
        ("panel/read.py", "from .schema import Schema", True),
        ("panel/read.py", "from ..results.flow import SampleFlow", True),
        ("panel/read.py", "from leoreturns.aggregates.compute import aggregate", False),
        ("panel/read.py", "from ..aggregates import compute", False),
        ("panel/read.py", "import leoreturns.aggregates.compute", False),
        ("panel/read.py", "def later():\n    from leoreturns.disclosure import policy", False),
        ("panel/read.py", "import leoreturns", False),
        ("panel/read.py", "from leoreturns import Panel", False),
        ("extract/source.py", "from leoreturns.panel import Panel", False),
        ("resample.py", "from leoreturns.panel import Panel", False),
        ("aggregates/compute.py", "from leoreturns.estimation.design import Design", False),
        ("aggregates/compute.py", "from leoreturns import panel", True),
        ("results/flow.py", "from leoreturns._core import moments", False),
        ("results/flow.py", "import pyarrow", False),
        ("questions/ks5.py", "from leoreturns.plots import draw", False),
        ("questions/ks5.py", "from leoreturns.disclosure.policy import Policy", False),
        ("disclosure/bundle.py", "from leoreturns.plots import draw", True),
        ("plots/figure.py", "from leoreturns.results.chart import Chart\nimport matplotlib.pyplot", True),
        ("plots/figure.py", "from leoreturns.panel import Panel", False),
        ("_core/__init__.py", "import numpy as np\nfrom leoreturns._core import build", True),
        ("_core/__init__.py", "from leoreturns.errors import PanelError", False),
        ("_core/__init__.py", "import pandas", False),
        ("estimation/ols.py", "from linearmodels.panel import PanelOLS", False),
        ("estimation/bridge.py", "from linearmodels.panel import PanelOLS", True),
        ("demo.py", "from linearmodels.datasets import wage_panel", False),
        ("demo.py", "from linearmodels import PanelOLS", False),
        ("demo.py", "import linearmodels", False),
        ("panel/read.py", "from linearmodels.datasets import wage_panel", False),
        ("estimation/ols.py", "import joblib", False),
        ("aggregates/compute.py", "import duckdb", False),
        ("disclosure/bundle.py", "import matplotlib", False),
        ("aggregates/compute.py", "import polars", False),
        ("aggregates/compute.py", "import scipy.stats, threadpoolctl, json", True),
        ("somewhere.py", "from leoreturns.errors import PanelError", False),
        ("__init__.py", "from leoreturns.batch.run import run_batch", True),
        ("__main__.py", "import leoreturns as lr\nimport click", True),
        ("batch/run.py", "import leoreturns as lr", False),
    ],
)
def test_the_check_of_imports_notices(path: str, source: str, accepted: bool) -> None:
    assert (import_problems(source, path, DEPENDENCIES) == []) is accepted


@pytest.mark.parametrize(
    ("source", "accepted"),
    [
        ("open(path)", True),
        ("open(path, 'rb')", True),
        ("path.open()", True),
        ("path.open(mode='r')", True),
        ("gzip.open(path, 'rt')", True),
        ("open(path, 'w')", False),
        ("open(path, mode)", False),
        ("open(path, mode='a')", False),
        ("open(path, 'r+')", False),
        ("path.open('xb')", False),
        ("path.open(mode='w')", False),
        ("io.open(path, 'w')", False),
        ("os.open(path, os.O_WRONLY)", False),
        ("frame.to_csv()", True),
        ("frame.to_csv(index=False)", True),
        ("frame.to_html(index=False)", True),
        ("frame.to_csv(path)", False),
        ("frame.to_csv(path_or_buf=path)", False),
        ("frame.to_parquet(path)", False),
        ("np.save(path, array)", False),
        ("figure.savefig(path)", False),
        ("path.write_text('x')", False),
        ("path.write_bytes(b'x')", False),
        ("pickle.dump(x, file)", False),
        ("json.dumps(x)", True),
        ("pyarrow.parquet.write_table(table, path)", False),
        ("def f():\n    with open(p, 'w') as g:\n        pass", False),
    ],
)
def test_the_check_of_writers_notices(source: str, accepted: bool) -> None:
    assert (writing_problems(source, "aggregates/compute.py") == []) is accepted
    assert writing_problems(source, "disclosure/bundle.py") == []


@pytest.mark.parametrize(
    ("source", "accepted"),
    [
        ("from libc.stdint cimport int64_t\nfrom leoreturns._core._sums cimport add", True),
        ("# cython: boundscheck=False", False),
        ("@cython.boundscheck(False)\ncdef f(): pass", False),
        ("cimport numpy as cnp", False),
        ("from cython.parallel import prange", False),
        ("from libc.stdlib cimport malloc", False),
        ("with gil:\n    pass", False),
        ("cdef int f() except * nogil: pass", False),
        ("from leoreturns.errors import PanelError", False),
    ],
)
def test_the_check_of_kernels_notices(source: str, accepted: bool) -> None:
    assert (kernel_problems(source, "_core/codes.pyx") == []) is accepted


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_start_as_make_bench_starts_them(path: Path) -> None:
    """`python -m benchmarks.NAME` from the root, where their folder is not on the path."""
    # Appended, so that the package tested stays in front of the one beside the benchmarks.
    script = f"import sys; sys.path.append({str(ROOT)!r}); import benchmarks.{path.stem}"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
