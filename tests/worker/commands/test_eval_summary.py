"""`weir eval summary` measures what a whole worker writes, beside simple ways to choose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

SAID = [
    ("Ann", "Welcome to the meeting of the Carrow Bridge committee on the new flood gates."),
    ("Bo", "The budget of the project is 25,000 euros and the gates must open by June."),
    ("Ann", "Yeah, okay. I guess, you know, so let me just see. Um, right."),
    ("Cy", "We agreed to paint the second gate green so that people can see it from the road."),
    ("Bo", "Who is going to measure the water at the old weir before the winter comes?"),
    ("Ann", "I will measure the water at the old weir on Friday, and Bo will write the report."),
]
SUMMARY = "The committee discussed the flood gates, their budget of 25,000 euros and the colour."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    entries = [{"speaker": who, "text": text} for who, text in SAID * 3]
    path = tmp_path / "talks.jsonl"
    talk = {"name": "gates", "entries": entries, "summaries": [SUMMARY]}
    path.write_text(json.dumps(talk) + "\n", encoding="utf-8")
    return path


def test_every_way_is_measured_and_what_is_quoted_was_said(
    weir: Callable[..., tuple[int, str, str]], data: Path
) -> None:
    small = ("--num-recent", "300", "--summary-tokens", "60", "--summary-max-tokens", "40")
    code, out, _ = weir("eval", "summary", "--data", str(data), *small)
    assert code == 0
    found = json.loads(out.splitlines()[-1])
    assert (found["measure"], found["model"], found["talks"]) == ("summary", "bundled", 1)
    ways = found["summaries"]
    extracts = {"random", "lead", "TextRank", "word counts", "highlights"}
    assert ways.keys() == {*extracts, "notes", "summary"}
    num_words = len(SUMMARY.replace("25,000", "25 000").split())
    assert {ways[name]["words"] for name in extracts} == {num_words}
    assert ways["notes"]["valid_citations"] == 100
    for name in ("notes", "summary", "highlights"):
        assert ways[name]["numbers_and_names"] in (None, 100)
    assert 0 < ways["summary"]["rolling_rouge_1"] < 100


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", '{"entries": [], "summaries": ["x"]}', '{"entries": [1]}', "no"]
)
def test_a_file_of_something_else_is_refused_in_a_line(
    weir: Callable[..., tuple[int, str, str]], tmp_path: Path, line: str
) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text(line, encoding="utf-8")
    code, out, err = weir("eval", "summary", "--data", str(path))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "--data=" in err
    code, _, err = weir("eval", "summary", "--data", str(tmp_path / "none.jsonl"))
    assert code == 2 and "none.jsonl" in err
