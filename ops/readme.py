"""Writes the README's tables from the code they describe: `python -m ops.readme`.

The sections between `<!-- name -->` and `<!-- /name -->` are made here; a test fails while the file
says anything else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

from ops.families import families_table
from worker.settings.config import Settings
from worker.settings.rules import ENV_PREFIX

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PACKAGES = ("engine", "worker", "ops", "tests")


def settings_table() -> str:
    """One row for each setting: its variable, its default, what it does."""
    rows = ["| variable | default | what it does |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, {}) else f"`{field.default}`"
        what = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{ENV_PREFIX}{name.upper()}` | {default} | {what} |")
    return "\n".join(rows)


def file_tree() -> str:
    """Every module with the first line of its docstring."""
    lines = ["```text"]
    for package in PACKAGES:
        lines.append(f"{package}/")
        lines += _modules(ROOT / package, indent=1)
    return "\n".join([*lines, "```"])


def _modules(folder: Path, indent: int) -> list[str]:
    lines = []
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        if path.is_dir() and any(path.rglob("*.py")):
            lines.append("    " * indent + f"{path.name}/")
            lines += _modules(path, indent + 1)
        elif path.suffix in (".py", ".lua") and _summary(path):
            name = "    " * indent + path.name
            lines.append(f"{name:<28} {_summary(path)}")
    return lines


def _summary(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".lua":
        return text.splitlines()[0].lstrip("- ")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    first_paragraph = " ".join(docstring.split("\n\n")[0].split())
    return re.split(r"(?<=[.?!])\s", first_paragraph)[0]


SECTIONS: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "families": families_table,
    "files": file_tree,
}


def rewritten(text: str) -> str:
    """`text` with every section made anew."""
    for name, make in SECTIONS.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text(encoding="utf-8")), encoding="utf-8")
