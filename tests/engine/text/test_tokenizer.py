"""Text in, tokens out: nobody's text is read as the template's own tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import GenerationConfig

from engine.config import EngineConfig
from engine.engine import Engine
from engine.errors import ModelRefused
from engine.text.tokenizer import ChatParts, Tokenizer
from tests.engine.local_model import SPECIAL_TOKENS, build, build_tokenizer

tokenizer = Tokenizer(build_tokenizer())


@given(st.text(max_size=50))
def test_decoding_returns_the_text(text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(st.sampled_from([*SPECIAL_TOKENS, "a", " ", "<"]), max_size=8))
def test_special_tokens_in_a_text_stay_letters(pieces: list[str]) -> None:
    text = "".join(pieces)
    ids = tokenizer.encode(text)
    assert min(ids, default=len(SPECIAL_TOKENS)) >= len(SPECIAL_TOKENS)
    assert tokenizer.decode(ids) == text


def test_chat_parts_around_a_text_are_the_rendered_template() -> None:
    parts = tokenizer.chat_parts()
    turn = [{"role": "user", "content": "hello"}]
    rendered = tokenizer.hf.apply_chat_template(turn, add_generation_prompt=True, tokenize=True)
    assert [*parts.prefix, *tokenizer.encode("hello"), *parts.suffix] == list(
        rendered["input_ids"] if hasattr(rendered, "keys") else rendered
    )
    assert parts.prefix[0] == SPECIAL_TOKENS.index("<s>")


def test_without_a_template_there_is_begin_of_sequence_and_a_line_break() -> None:
    plain = Tokenizer(build_tokenizer(chat_template=None))
    assert plain.chat_parts() == ChatParts((1,), tuple(plain.encode("\n")))


def test_template_that_hides_the_text_is_refused() -> None:
    hiding = Tokenizer(build_tokenizer(chat_template="<s>{{ messages[0].content | length }}"))
    with pytest.raises(ModelRefused, match="chat template"):
        hiding.chat_parts()


def test_special_tokens_are_not_part_of_the_decoded_text() -> None:
    end = SPECIAL_TOKENS.index("<|end|>")
    assert tokenizer.eos_ids == {end}
    assert tokenizer.decode([*tokenizer.encode("done"), end]) == "done"


def test_every_token_that_ends_an_answer_is_known(tmp_path: Path) -> None:
    build(tmp_path)
    GenerationConfig(eos_token_id=[2, 4]).save_pretrained(tmp_path)
    assert Engine.load(EngineConfig(str(tmp_path), num_rows=1)).tokenizer.eos_ids == {2, 4}


def test_directory_without_a_tokenizer_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no usable tokenizer"):
        Tokenizer.load(tmp_path)
