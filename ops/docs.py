"""Writes the tables of README.md and docs/ from the code they describe: `python -m ops.docs`.

A section between `<!-- name -->` and `<!-- /name -->` is made here; a test fails while a page says
anything else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from ops.families import families_table
from tests.test_architecture import MODULES, ROOMS
from worker.exporter.families import families, up
from worker.exporter.reading import Reading
from worker.keyspace.figures import StreamFigures
from worker.keyspace.server_info import ServerFigures
from worker.settings.config import Settings
from worker.settings.menu import COMMANDS
from worker.settings.rules import ENV_PREFIX
from worker.watch.metrics import Metrics

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def settings_table() -> str:
    """One row for each setting: its variable, its default, what it does."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, {}) else f"`{field.default}`"
        rows.append((f"`{ENV_PREFIX}{name.upper()}`", default, field.description or ""))
    return _table(("variable", "default", "what it does"), rows)


def commands_table() -> str:
    """One row for each command of `weir`."""
    return _table(("command", ""), ((f"`weir {name}`", what) for name, what in COMMANDS.items()))


def metrics_table() -> str:
    """One row for each metric of ours, by the name that a query uses."""
    return _families_table(Metrics(CollectorRegistry()).registry.collect())


def exporter_table() -> str:
    """One row for each metric of the exporter, with its labels."""
    return _families_table(exported_families())


def exported_families() -> list[Metric]:
    """What the exporter serves of a server with a stream that is behind, and one that is broken."""
    server = ServerFigures(1, 1, 1, 1, 1, writes_to_disk=True)
    unknown = dict.fromkeys(field.name for field in fields(StreamFigures))
    streams = [
        StreamFigures(
            **unknown | {"stream": status, "status": status, "owner": "host:1:x"} | counts
        )
        for status, counts in (("live", {"lag_entries": 1}), ("broken", {"lag_entries": 0}))
    ]
    return [up(True), *families(Reading(server, streams, 0.0, 0.0), num_worst=2)]


def _families_table(found: Iterable[Metric]) -> str:
    rows = []
    for family in found:
        if family.name.startswith("weir_"):
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            rows.append((f"`{family.name}{suffix}`", family.type, family.documentation))
    return _table(("metric", "kind", "what it says"), rows)


def rooms_table() -> str:
    """One row for each room, from the ground up, with its docstring's first sentence."""
    rows = []
    for room, known in ROOMS.items():
        path = MODULES[room].relative_to(ROOT)
        name = f"{path.parent}/" if path.stem == "__init__" else str(path)
        rows.append((f"`{name}`", _first_sentence(MODULES[room]), ", ".join(known.split())))
    return _table(("room", "what it is for", "may import"), rows)


def _first_sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first_paragraph = " ".join(docstring.split("\n\n")[0].split())
    return re.split(r"(?<=[.?!])\s", first_paragraph)[0]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads)]
    lines += [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


SECTIONS: dict[str, Callable[[], str]] = {
    "commands": commands_table,
    "settings": settings_table,
    "metrics": metrics_table,
    "exporter": exporter_table,
    "families": families_table,
    "rooms": rooms_table,
}


def rewritten(text: str) -> str:
    """`text` with every section that it has made anew."""
    for name, make in SECTIONS.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        if found:
            _, _, after = rest.partition(end)
            text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")
