"""docs/files.md tells all that is understood, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from worker.formats.catalogue import FORMATS
from worker.formats.exports import EXPORTS
from worker.intake.entries import Entry, EntryLimits, parse_entry

PAGE = (Path(__file__).parents[3] / "docs" / "files.md").read_text(encoding="utf-8")


def first_cells(heading: str) -> list[str]:
    """What the table under a heading has in its first column."""
    table = PAGE.partition(heading)[2].partition("\n\n## ")[0]
    return [name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in names(row)]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_format_is_told() -> None:
    assert set(first_cells("## `weir publish KEY FILE`")[1:]) == FORMATS.keys()
    assert first_cells("## `weir export KEY`")[1:] == list(EXPORTS)


ALIASES = re.findall(r"^\| `(\w+)` \| (`.*) \|$", PAGE.partition("| ours | theirs |")[2], re.M)


@pytest.mark.parametrize(("ours", "theirs"), ALIASES, ids=[ours for ours, _ in ALIASES])
def test_every_name_that_is_told_is_understood(ours: str, theirs: str) -> None:
    for name in names(theirs):
        raw = {b"text": b"hi", name.encode(): b"1"}
        if ours == "text":
            del raw[b"text"]
        entry = parse_entry("1-0", raw, EntryLimits())
        assert isinstance(entry, Entry) and not entry.extra, name
