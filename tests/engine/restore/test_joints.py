"""No mark between a number and its unit, inside a number, or inside an address."""

from __future__ import annotations

import pytest

from engine.restore.joints import is_in_address, may_part


@pytest.mark.parametrize(
    "text",
    [
        "3.5|k",
        "$5|million",
        "twenty|five|percent",
        "three|point|five|million dollars",
        "two|hundred|thousand euros",
        "25|000",
        "call 555|0199",
        "example|dot|com is ours",
        "write to jane|at|example|dot|co|dot|uk today",
        "it opens at 9|am",
    ],
)
def test_no_mark_where_the_bars_are_and_one_everywhere_else(text: str) -> None:
    words = tuple(text.replace("|", " ").split())
    closed: set[int] = set()
    position = 0
    for word in text.split():
        parts = word.split("|")
        closed |= set(range(position, position + len(parts) - 1))
        position += len(parts)
    assert {i for i in range(len(words)) if not may_part(words, i)} == closed | _known(words)


def _known(words: tuple[str, ...]) -> set[int]:
    """Units that are words of their own: "million dollars", "thousand euros"."""
    pairs = {("million", "dollars"), ("thousand", "euros")}
    return {i for i in range(len(words) - 1) if words[i : i + 2] in pairs}


@pytest.mark.parametrize(
    "text", ["in 2019 2020 and 2021", "we connect the dot to the line", "look at example one", "k"]
)
def test_elsewhere_marks_are_free(text: str) -> None:
    words = tuple(text.split())
    assert all(may_part(words, i) for i in range(len(words)))


def test_an_address_is_not_capitalised() -> None:
    words = ("mail", "jane", "at", "example", "dot", "com", "now")
    assert [word for i, word in enumerate(words) if is_in_address(words, i)] == list(words[1:6])
