"""Text while it comes: whole characters only, and in the end all of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.chat.detokenizer import Detokenizer
from engine.text.tokenizer import Tokenizer
from tests.engine.local_model import build_tokenizer
from tests.engine.talking import sentencepiece_tokenizer

BYTES = Tokenizer(build_tokenizer())
PIECES = sentencepiece_tokenizer()


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    detokenizer = Detokenizer(tokenizer)
    return [*(detokenizer.add([id]) for id in ids), detokenizer.rest()]


@given(st.lists(st.integers(0, BYTES.vocab_size - 1), max_size=60))
def test_pieces_of_any_tokens_are_their_text(ids: list[int]) -> None:
    assert "".join(pieces(BYTES, ids)) == BYTES.decode(ids)


@given(st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"]), max_size=30))
def test_no_piece_has_half_a_character(text: str) -> None:
    for tokenizer in (BYTES, PIECES):
        came = pieces(tokenizer, tokenizer.encode(text))
        assert "".join(came) == tokenizer.decode(tokenizer.encode(text))
        assert sum(piece.count("\ufffd") for piece in came) == text.count("\ufffd")


def test_a_character_of_many_tokens_comes_with_its_last() -> None:
    for tokenizer in (BYTES, PIECES):
        ids = tokenizer.encode("a€b")
        came = [piece for piece in pieces(tokenizer, ids) if piece]
        assert came == ["a", "€", "b"]


def test_half_a_character_at_the_end_is_said_to_be_one() -> None:
    ids = BYTES.encode("a€")[:-1]
    assert pieces(BYTES, ids) == ["a", "", "", "\ufffd"]
