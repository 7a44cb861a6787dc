"""README.md and the pages under docs/ say what is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from ops.docs import PAGES, ROOT, SECTIONS, rewritten
from ops.families import families_table
from worker.settings.config import Settings
from worker.settings.menu import COMMANDS
from worker.settings.rules import ENV_PREFIX

README = ROOT / "README.md"
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
ALL = "\n".join(TEXTS.values())


def test_the_readme_fits() -> None:
    assert len(TEXTS[README].splitlines()) <= 200


def test_every_section_that_can_be_generated_is_on_one_page() -> None:
    begun = Counter(re.findall(r"<!-- (\w+) -->", ALL))
    assert begun == dict.fromkeys(SECTIONS, 1)
    assert Counter(re.findall(r"<!-- /(\w+) -->", ALL)) == begun


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_generated_is_that_of_the_code(page: Path) -> None:
    assert rewritten(TEXTS[page]) == TEXTS[page], "run: .venv/bin/python -m ops.docs"


def test_the_readme_counts_the_types_of_models_that_stream() -> None:
    (number,) = re.findall(r"(\d+) types of Hugging Face models", TEXTS[README])
    rows = families_table().splitlines()[2:]
    assert int(number) == len(rows)


def test_every_page_is_reached_from_the_readme() -> None:
    """Directly, or by way of pages that are."""
    reached: set[Path] = set()
    waiting = {README}
    while waiting:
        page = waiting.pop()
        reached.add(page)
        linked = {(page.parent / target).resolve() for target, _ in links(TEXTS[page]) if target}
        waiting |= linked & TEXTS.keys() - reached
    assert set(PAGES) == reached


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(TEXTS[page]):
        path = page.parent / target if target else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{target}#{anchor}"


def links(text: str) -> list[tuple[str, str]]:
    """(path, anchor) of every link that stays in the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [(t.partition("#")[0], t.partition("#")[2]) for t in found if "://" not in t]


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_file_and_function_that_is_named_exists() -> None:
    named = re.findall(r"`(\w+(?:/[\w.]+)+\.(?:py|lua|toml|yml))(?::(\w+))?`", ALL)
    assert len(named) >= 8
    for path, function in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in source or f"class {function}" in source


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^)make ([a-z-]+)", ALL, re.MULTILINE))
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"(?:`|^|\| |=\S+ )weir ([a-z]+)", ALL, re.MULTILINE))
    assert {"worker", "publish", "streams"} <= named
    assert named <= COMMANDS.keys()


def test_every_variable_that_is_named_exists() -> None:
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    of_commands = tuple(f"{ENV_PREFIX}{name}_".upper() for name in COMMANDS)
    named = set(re.findall(r"WEIR_[A-Z_]*[A-Z]", ALL))
    assert {name for name in named - known if not name.startswith(of_commands)} == set()


def test_every_file_that_the_code_speaks_of_exists() -> None:
    """In docstrings and comments: from the root, or beside the file that says it."""
    stale = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("engine", "worker", "ops", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for text in spoken(path)
        for name in re.findall(r"(?<![\w/.*{])\w[\w/]*\.(?:py|lua)\b(?![(\w])", text)
        if not (ROOT / name).exists() and not (path.parent / name).exists()
    ]
    assert stale == []


def spoken(path: Path) -> list[str]:
    """What a file says to people: docstrings, and comments."""
    source = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented)
    ]
    return [*docstrings, *re.findall(r"#.*", source)]


def test_ci_runs_the_readme_s_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
