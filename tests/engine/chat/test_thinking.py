"""What a model thinks is shown to who wants it, and is neither answer nor memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tokenizers import AddedToken

from engine.chat.chat import Chat
from engine.chat.turns import Turns
from engine.schedule.generation import GenerateRequest, Generation, Sampling, Thought
from engine.text.tokenizer import Tokenizer
from tests.engine.chat.test_turns import HEADER, TURN, rendered
from tests.engine.streams import run
from tests.engine.talking import bundled_tokenizer, talking_engine

OPENING, CLOSING, AFTER, END = 7, 8, 9, 0
WORDS = st.integers(10, 19)
THINKS = "{# </think> #}<s>{% for m in messages %}" + TURN + "{% endfor %}" + HEADER


@given(
    thoughts=st.lists(st.lists(WORDS, max_size=6), min_size=1, max_size=3),
    answers=st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=3, max_size=3),
    begins=st.booleans(),
    budget=st.integers(0, 5),
)
def test_thoughts_are_no_part_of_an_answer_however_long_and_often_they_come(
    thoughts: list[list[int]], answers: list[list[int]], begins: bool, budget: int
) -> None:
    """What the model says is known: answers, and thoughts before, between and after them."""
    request = GenerateRequest(
        99, frozenset({END}), thought=Thought(begins, OPENING, (CLOSING, AFTER), budget)
    )
    generation = Generation(request)
    fed: list[int] = []
    for number, thought in enumerate(thoughts):
        is_open = begins and number == 0
        for token in [*([] if is_open else [OPENING]), *thought, CLOSING]:
            if generation.is_thinking or token == OPENING:
                fed += generation.accept(token)
        for token in answers[number]:
            fed += generation.accept(token)
    generation.accept(END)
    assert generation.token_ids == [t for answer in answers[: len(thoughts)] for t in answer]
    assert generation.finish_reason == "stop"
    assert fed.count(CLOSING) == fed.count(AFTER) == len(thoughts)
    longest = max(budget, 1)
    assert len(generation.thought_ids) <= longest * len(thoughts) + len(thoughts)


@pytest.mark.parametrize("thought_tokens", [0, 5])
def test_a_conversation_remembers_answers_and_no_thoughts(
    thought_tokens: int, tmp_path: Path
) -> None:
    hf = bundled_tokenizer(THINKS).hf
    hf.add_tokens([AddedToken(mark, special=False) for mark in ("<think>", "</think>")])
    tokenizer = Tokenizer(hf, thought_tokens=thought_tokens)
    engine, model = talking_engine(tokenizer)
    chat = Chat(engine, max_tokens=4, sampling=Sampling(temperature=3.0))
    texts, thoughts = [], ""
    for text in ("hello", "What's new?", "bye"):
        pieces: list[str] = []
        texts += [text, "".join(chat.say(text, thought=pieces.append))]
        thoughts = "".join(pieces)
        assert bool(thoughts) == bool(thought_tokens)
        assert len(tokenizer.encode(thoughts)) <= thought_tokens
    assert model.heard.count(tokenizer.encode_template("</think>")[0]) == 3
    whole = rendered(tokenizer, None, texts)
    assert chat.session is not None
    so_far = whole[: chat.num_seen]
    assert tokenizer.decode(so_far[-20:]).endswith(texts[-1])
    engine.save(chat.session, tmp_path / "chat")
    chat.close()
    told = engine.open(prefix=so_far[: len(Turns(tokenizer).first("hello")[0])])
    engine.feed(told, so_far[told.num_seen :])
    run(engine)
    engine.save(told, tmp_path / "told")
    remembered, as_told = load_file(tmp_path / "chat"), load_file(tmp_path / "told")
    assert remembered.keys() == as_told.keys()
    for name, tensor in remembered.items():
        torch.testing.assert_close(tensor, as_told[name], rtol=1e-4, atol=1e-4)
