"""Text without line breaks is cut where one would pause, and no letter is left out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.formats.lines import BadLine
from worker.formats.pace import times
from worker.formats.plain import MAX_LINE_CHARS, pieces_of
from worker.formats.reading import read_file
from worker.formats.sizes import fitted, num_bytes

WORD = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=30)
TEXT = st.lists(WORD, min_size=1, max_size=200).map(" ".join)


@given(TEXT, st.integers(40, 200))
def test_pieces_have_all_words_and_none_is_cut(text: str, max_chars: int) -> None:
    pieces = list(pieces_of(text, max_chars))
    assert " ".join(pieces).split() == text.split()
    assert all(len(piece) <= max_chars for piece in pieces)


@given(st.text("川は高い。、", min_size=1, max_size=2000))
def test_scripts_without_blanks_are_cut_too(text: str) -> None:
    pieces = list(pieces_of(text, 100))
    assert "".join(pieces) == text and all(len(piece) <= 100 for piece in pieces)


def test_a_file_of_one_line_is_cut_after_sentences() -> None:
    sentences = [f"This is sentence number {n}, and it says nothing else." for n in range(20_000)]
    reading = read_file(" ".join(sentences).encode())
    texts = [fields["text"] for fields in reading.entries]
    assert " ".join(texts) == " ".join(sentences)
    assert all(text.endswith("else.") and len(text) <= MAX_LINE_CHARS for text in texts)


@given(TEXT, st.integers(600, 1000), st.booleans())
def test_an_entry_that_is_too_large_goes_in_pieces(text: str, max_bytes: int, timed: bool) -> None:
    fields = {"text": text, "speaker": "Ana", "mood": "calm"}
    fields |= {"start": "00:01:00,000", "end": "00:02:00,000"} if timed else {}
    parts = fitted(fields, max_bytes)
    assert " ".join(part["text"] for part in parts).split() == text.split()
    assert all(num_bytes(part) <= max_bytes for part in parts)
    assert all((part["speaker"], part["mood"]) == ("Ana", "calm") for part in parts)
    spans = [times(part) for part in parts]
    if timed:
        assert (spans[0][0], spans[-1][1]) == (60.0, 120.0)
        assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
    else:
        assert spans == [(None, None)] * len(parts)


def test_what_is_said_about_a_text_is_not_cut() -> None:
    with pytest.raises(BadLine, match="little of it is text"):
        fitted({"text": "hi", "notes": "x" * 1000}, 500)


@pytest.mark.parametrize(
    "text",
    [
        "10:30 is when we meet.\nThe train leaves at 11:45.\nNo.",
        "Note: this is one.\nTwo.",
        "[laughs] so it goes\nand on",
        "{curly} begins\nand goes on",
        "Chapter 1\n\nIt was the 3:15 train.",
        "# A title\n\nWords.",
        "name: weir\nversion: 3\nlicence: Apache",
        "Well, yes, no\nText, and more text, and so on",
    ],
)
def test_text_that_looks_a_little_like_something_else_is_text(text: str) -> None:
    reading = read_file(text.encode())
    assert reading.format == "text"
    assert [fields["text"] for fields in reading.entries] == [t for t in text.split("\n") if t]
