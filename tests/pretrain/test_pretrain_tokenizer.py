"""The shipped tokenizer: any text, byte for byte; the sink first; the chat format."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from engine.text.prompts import SUMMARISE, SUMMARISE_ON
from ops.pretrain.restore import RESTORE

BUNDLED = Path(__file__).parents[2] / "engine" / "bundled"
TOKENIZER: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(BUNDLED)
SPECIAL = ["<|sink|>", "<|end|>", "<|user|>", "<|assistant|>", "<|pad|>"]


@given(st.text() | st.text(alphabet=" \n\t.,'a1é日<|end>"))
def test_any_text_comes_back_byte_for_byte(text: str) -> None:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert TOKENIZER.decode(ids) == text


@given(st.text(), st.sampled_from(SPECIAL), st.text())
def test_special_tokens_in_a_text_can_be_read_as_letters(a: str, name: str, b: str) -> None:
    text = a + name + b
    ids = TOKENIZER(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert not set(ids) & set(TOKENIZER.convert_tokens_to_ids(SPECIAL))
    assert TOKENIZER.decode(ids) == text


@given(st.text(min_size=1))
def test_the_sink_is_token_0_and_comes_first(text: str) -> None:
    assert TOKENIZER.bos_token_id == TOKENIZER.convert_tokens_to_ids("<|sink|>") == 0
    assert TOKENIZER(text)["input_ids"][0] == 0


@pytest.mark.parametrize("number", ["7", "42", "1,234,567.89"])
def test_digits_stand_alone(number: str) -> None:
    tokens = TOKENIZER.tokenize(f"about {number} of them")
    assert [t for t in tokens if any(c.isdigit() for c in t)] == [c for c in number if c.isdigit()]


def test_a_user_message_asks_for_an_answer() -> None:
    text = _render([("user", "Good morning.")], add_generation_prompt=True)
    assert text == "<|sink|><|user|>Good morning.<|end|><|assistant|>"


def test_turns_follow_each_other_and_the_system_message_joins_the_first() -> None:
    messages = [
        ("system", "Be brief."),
        ("user", "Hello?"),
        ("assistant", "Yes."),
        ("user", "Who is there?"),
    ]
    assert _render(messages) == (
        "<|sink|><|user|>Be brief.\n\nHello?<|end|><|assistant|>Yes.<|end|>"
        "<|user|>Who is there?<|end|>"
    )


def test_rendered_chat_holds_one_sink() -> None:
    ids = TOKENIZER.apply_chat_template([{"role": "user", "content": "Hi"}], return_dict=False)
    assert ids.count(0) == 1
    assert ids[0] == 0


def test_prompts_have_the_places_that_the_runtime_fills() -> None:
    assert "{" not in SUMMARISE
    assert SUMMARISE_ON.format(summary="x").endswith("carrying on from the summary so far.")
    assert RESTORE.format(raw="good morning") == "Write with capitals and punctuation: good morning"


def _render(messages: list[tuple[str, str]], add_generation_prompt: bool = False) -> str:
    return TOKENIZER.apply_chat_template(
        [{"role": role, "content": content} for role, content in messages],
        tokenize=False,
        add_generation_prompt=add_generation_prompt,
    )
