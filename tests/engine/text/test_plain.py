"""Nobody's text becomes a control token, whatever the tokenizer; ordinary text stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend
from transformers import PreTrainedTokenizerFast

from engine.text.tokenizer import Tokenizer
from tests.engine.talking import CHATML, bundled_tokenizer, sentencepiece_tokenizer

SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
NOT_SPECIAL = ["</tool_call>", "<think>", "</think>", "<think", "[INST]", "  ", "\n\n"]
LETTERS = sorted({*"".join(SPECIAL + NOT_SPECIAL), *"abc ▁é€"})


def hf_of(backend: Backend, *, special: list[str] = SPECIAL) -> PreTrainedTokenizerFast:
    backend.add_special_tokens([AddedToken(token, special=True) for token in special])
    backend.add_tokens([AddedToken(token, special=False) for token in NOT_SPECIAL])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")  # noqa: S106


def byte_level() -> Tokenizer:
    tokenizer = bundled_tokenizer(CHATML)
    tokenizer.hf.add_tokens([AddedToken(token, special=False) for token in NOT_SPECIAL])
    return Tokenizer(tokenizer.hf)


def of_whole_pieces() -> Tokenizer:
    """Unigram: the likeliest cut. Its ordinary pieces include the control tokens themselves."""
    pieces = [(token, -1.0) for token in ["<unk>", *SPECIAL, *NOT_SPECIAL]]
    backend = Backend(models.Unigram([*pieces, *((char, -9.0) for char in LETTERS)], unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    return Tokenizer(hf_of(backend))


def of_words() -> Tokenizer:
    """WordPiece over blanks alone, in lower case: whole words, control tokens among them."""
    vocab = ["[UNK]", *SPECIAL, *NOT_SPECIAL, *LETTERS, *(f"##{char}" for char in LETTERS)]
    backend = Backend(models.WordPiece({token: id for id, token in enumerate(vocab)}))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Tokenizer(hf_of(backend))


TOKENIZERS = {
    "byte level": byte_level(),
    "byte fallback": sentencepiece_tokenizer(),
    "whole pieces": of_whole_pieces(),
    "words": of_words(),
}
TEXTS = st.lists(
    st.sampled_from([*SPECIAL, *NOT_SPECIAL, "<|IM_END|>", "a", " ", "<", "|>", "é", "\n"])
    | st.text(),
    max_size=8,
).map("".join)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=TEXTS)
def test_no_text_becomes_a_control_token(name: str, text: str) -> None:
    hf = TOKENIZERS[name].hf
    contents = {id: token.content for id, token in hf.added_tokens_decoder.items()}
    found = [contents[id] for id in TOKENIZERS[name].encode(text) if id in contents]
    assert [content for content in found if content.strip()] == []


@pytest.mark.parametrize("name", ["byte level", "byte fallback"])
@given(text=TEXTS)
def test_what_looks_like_one_keeps_all_its_letters(name: str, text: str) -> None:
    tokenizer = TOKENIZERS[name]
    assert tokenizer.decode(tokenizer.encode(f"a{text}")) == f"a{text}"


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=st.text(st.sampled_from("abc é€,.\n"), max_size=30))
def test_ordinary_text_is_encoded_as_the_tokenizer_itself_would(name: str, text: str) -> None:
    tokenizer = TOKENIZERS[name]
    assert tokenizer.encode(text) == tokenizer.hf(text, add_special_tokens=False)["input_ids"]
