"""The README says what is there."""

from __future__ import annotations

import re
from pathlib import Path

from ops.readme import README, ROOT, SECTIONS, rewritten

TEXT = README.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code() -> None:
    assert all(f"<!-- {name} -->" in TEXT for name in SECTIONS)
    assert rewritten(TEXT) == TEXT, "run: .venv/bin/python -m ops.readme"


def test_every_file_and_function_that_it_names_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []
    named = re.findall(r"`(\w+(?:/\w+)*\.(?:py|lua))(?::(\w+))?`", TEXT)
    assert len(named) >= 8
    for path, function in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in source or f"class {function}" in source


def test_every_make_target_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"make (\w+)", TEXT))
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_ci_runs_the_readme_s_test_command() -> None:
    assert "make test" in (Path(ROOT) / ".ci" / "run").read_text(encoding="utf-8")
